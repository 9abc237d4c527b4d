//! `netsplit endpoints`: what the cluster leans on, from where it is not reached, and since when; trouble first.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write;

use clap::Args;
use netsplit::api::{Endpoint, Endpoints, HeldConnection, LastClose, LastProbe, ProbeOutcome, State, Status};
use netsplit::detector::endpoints::reach::UnreachedFrom;
use netsplit::detector::endpoints::watch::Breaker;
use netsplit::table::natural;

use super::ask::{Answer, Asking};
use super::{Exit, WrongArguments, words};

const EXAMPLES: &str = "\
Examples:
  netsplit endpoints
  netsplit endpoints orders-database
  netsplit endpoints --json
  netsplit endpoints cache && ./start

With names only these are shown, each with its last probe from this node and the connection that it holds. Here is what this node
finds: up, down, ? unknown, – if others probe it. Unreached is what all nodes find that this one
hears: from nowhere, from some nodes, from this side (not everybody is heard), from everywhere.
Exit codes: 0 fine, 1 one of those shown is not reached from here or from elsewhere,
2 wrong arguments, 3 the agent cannot be asked.";

/// Wider names stand out of their column.
const WIDEST: usize = 24;

/// Where what is said of one begins.
const INDENT: usize = 14;

/// List the endpoints, and from where each is not reached.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asking: Asking,
    /// Show only these, with all that is known of them.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Negative if one of those shown is not reached, from here or from elsewhere.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let Arguments { asking, names } = arguments;
    let mut answer = asking.ask::<Endpoints>("/v1/endpoints")?;
    if !names.is_empty() {
        answer = only(&answer, names)?;
    }
    let is_lost = answer.said.endpoints.iter().any(Endpoint::is_in_trouble);
    // Only text says when it is now.
    let now = if asking.json { String::new() } else { asking.ask::<Status>("/v1/status")?.said.time };
    asking.print(&answer, |said, page| {
        let telling = Telling { now: &now, width: page.width() };
        if names.is_empty() {
            telling.list(said)
        } else {
            said.endpoints.iter().map(|one| telling.one(one)).collect::<Vec<_>>().join("\n")
        }
    })?;
    Ok(if is_lost { Exit::Negative } else { Exit::Fine })
}

/// Of an answer what is about these.
fn only(answer: &Answer<Endpoints>, names: &[String]) -> anyhow::Result<Answer<Endpoints>> {
    let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = answer.said.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    if let Some(unknown) = wanted.difference(&known).next() {
        let known: Vec<&str> = known.iter().copied().collect();
        let there = if known.is_empty() { "none".to_owned() } else { words::names(&known, known.len(), ", ") };
        let what = format!("the agent knows no endpoint `{unknown}`; there are: {there}");
        return Err(WrongArguments(what).into());
    }
    let endpoints = answer.said.endpoints.iter().filter(|endpoint| wanted.contains(endpoint.name.as_str()));
    let said = Endpoints { endpoints: endpoints.cloned().collect() };
    Ok(Answer { text: serde_json::to_string(&said)?, said, tag: None, overridden: answer.overridden.clone() })
}

struct Telling<'a> {
    /// The time of day where the agent is.
    now: &'a str,
    width: usize,
}

impl Telling<'_> {
    fn list(&self, endpoints: &Endpoints) -> String {
        let mut all: Vec<&Endpoint> = endpoints.endpoints.iter().collect();
        all.sort_by_cached_key(|endpoint| (Reverse(trouble(endpoint)), natural(&endpoint.name)));
        let mut text = format!("{}\n", summary(&all));
        if !all.is_empty() {
            text += &self.table(&all);
        }
        let lost = all.iter().filter(|endpoint| !endpoint.nodes.is_empty());
        let lost = lost.filter(|endpoint| endpoint.unreached_from != UnreachedFrom::Everywhere);
        let lost: String = lost.take(words::MOST_NAMES).map(|endpoint| self.unreached(endpoint)).collect();
        if lost.is_empty() { text } else { format!("{text}\n{lost}") }
    }

    fn table(&self, all: &[&Endpoint]) -> String {
        let widest = |text: fn(&Endpoint) -> &str| {
            let widths = all.iter().map(|endpoint| text(endpoint).chars().count()).filter(|width| *width <= WIDEST);
            widths.max().unwrap_or_default().max(8)
        };
        let (name, kind) = (widest(|endpoint| &endpoint.name), widest(|endpoint| &endpoint.kind));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(text, "\n{:name$}  {:kind$}  Here  For         Unreached     Cause", "Endpoint", "Type");
        for endpoint in all {
            let (here, time) = (here(endpoint, "?"), self.time(endpoint));
            let row = format!(
                "{:name$}  {:kind$}  {here:<4}  {time:<10}  {:<12}  {}",
                endpoint.name,
                endpoint.kind,
                unreached_from(endpoint),
                endpoint.ailment.as_deref().or(endpoint.cause.as_deref()).unwrap_or_default()
            );
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text
    }

    /// For how long it is so.
    fn time(&self, endpoint: &Endpoint) -> String {
        let since = endpoint.since.as_deref().and_then(|since| words::between(since, self.now));
        since.map_or_else(|| "–".to_owned(), words::span)
    }

    /// Who does not reach it.
    fn unreached(&self, endpoint: &Endpoint) -> String {
        let names = words::names(&endpoint.nodes, endpoint.unreached, ", ");
        let zones = zones(endpoint);
        words::fold("", &format!("{} is not reached from {names}{zones}", endpoint.name), self.width, 2)
    }

    /// All that is known of one.
    fn one(&self, endpoint: &Endpoint) -> String {
        let mark = match (endpoint.is_in_trouble(), endpoint.state, endpoint.unreached_from) {
            (true, _, _) => '✗',
            (false, State::Unknown, UnreachedFrom::Unknown) => '?',
            _ => '✓',
        };
        let mut text = format!("{mark} {} ({})\n", endpoint.name, endpoint.kind);
        text += &self.line("here", &self.state(endpoint));
        text += &self.line("verdict", &verdict(endpoint));
        if endpoint.partition {
            text += &self.line("partition", "a side that cannot reach it is a partition");
        }
        if let Some(connection) = &endpoint.connection {
            text += &self.line("connection", &self.connection(connection));
            text += &connection.last_close.as_ref().map(|close| self.close(close)).unwrap_or_default();
        }
        if let Some(probe) = &endpoint.probe {
            text += &self.probe(probe);
        }
        text
    }

    /// The one that is held.
    fn connection(&self, held: &HeldConnection) -> String {
        let time = words::between(&held.since, self.now).map(words::span).unwrap_or_default();
        let lost = match (held.established, held.lost) {
            (0, _) => "none was ever held".to_owned(),
            (_, 0) => "never lost".to_owned(),
            (_, 1) => "lost once".to_owned(),
            (_, count) => format!("lost {count} times"),
        };
        let why = said(&cause(held.cause.as_deref(), held.ailment.as_deref()), &held.detail);
        match (held.up, &held.address) {
            (Some(true), Some(address)) => format!("held for {time}, to {address}; {lost}"),
            (Some(true), None) => format!("held for {time}; {lost}"),
            (Some(false), _) => format!("none for {time}; {lost}; {why}"),
            (None, _) if held.detail.is_empty() => format!("not tried yet; {lost}"),
            (None, _) => format!("this machine could not try; {lost}; {why}"),
        }
    }

    fn close(&self, close: &LastClose) -> String {
        let ago = words::between(&close.at, self.now).map(words::span).unwrap_or_default();
        let lasted = words::span_of_seconds(close.lasted_seconds);
        let why = said(&cause(close.cause.as_deref(), close.ailment.as_deref()), &close.detail);
        self.line("last close", &format!("{ago} ago, after {lasted}: {why}"))
    }

    fn state(&self, endpoint: &Endpoint) -> String {
        let cause = cause(endpoint.cause.as_deref(), endpoint.ailment.as_deref());
        let cause = if cause.is_empty() { cause } else { format!(": {cause}") };
        let failures = match endpoint.failures {
            0 => String::new(),
            1 => ", 1 probe failed".to_owned(),
            count => format!(", {count} probes failed in a row"),
        };
        let breaker = match endpoint.breaker {
            Some(Breaker::Open) => ", probed up to 30 s apart",
            Some(Breaker::HalfOpen) => ", the last probe succeeded and is being confirmed",
            Some(Breaker::Closed) | None => "",
        };
        if !endpoint.probed {
            return "not probed: other nodes are the sample".to_owned();
        }
        format!("{} for {}{cause}{failures}{breaker}", here(endpoint, "unknown"), self.time(endpoint))
    }

    fn probe(&self, probe: &LastProbe) -> String {
        let ago = words::between(&probe.at, self.now).map(words::span).unwrap_or_default();
        let found = &probe.found;
        let what = match found.outcome {
            ProbeOutcome::Success => "it answered as it should".to_owned(),
            ProbeOutcome::Failure => cause(found.cause.as_deref(), found.ailment.as_deref()),
            ProbeOutcome::Inconclusive => "this machine could not ask it".to_owned(),
        };
        let mut text = self.line("last probe", &format!("{ago} ago: {what}"));
        if !found.detail.is_empty() {
            text += &self.line("", &found.detail);
        }
        if let Some(address) = &found.address {
            text += &self.line("address", address);
        }
        let phases = &found.phases;
        let parts = [
            ("dns", phases.dns_seconds),
            ("connect", phases.connect_seconds),
            ("tls", phases.tls_seconds),
            ("exchange", phases.exchange_seconds),
        ];
        let parts = parts.into_iter().filter_map(|(part, time)| Some(format!("{part} {}", milliseconds(time?))));
        let parts: Vec<String> = parts.chain([format!("in all {}", milliseconds(found.took_seconds))]).collect();
        text += &self.line("took", &parts.join(", "));
        let facts = found.facts.iter().map(|(name, fact)| self.line(name, &fact_in_words(fact)));
        text + &facts.collect::<String>()
    }

    fn line(&self, title: &str, text: &str) -> String {
        let title = if title.chars().count() < INDENT - 3 {
            format!("{title:<width$}", width = INDENT - 2)
        } else {
            format!("{title}  ")
        };
        words::fold(&format!("  {title}"), text, self.width, INDENT)
    }
}

/// How many are not reached, and from where.
fn summary(all: &[&Endpoint]) -> String {
    let lost: Vec<&&Endpoint> = all.iter().filter(|endpoint| endpoint.is_in_trouble()).collect();
    let count = all.len();
    let reached =
        all.iter().filter(|endpoint| endpoint.state == State::Up || endpoint.unreached_from == UnreachedFrom::Nowhere);
    match (count, lost.len()) {
        (0, _) => "No endpoints are configured.".to_owned(),
        (_, 0) if reached.clone().count() == count => format!("✓ All endpoints are reached: {count}"),
        (_, 0) => format!("? {} of {count} endpoints are reached, of the others nothing is known", reached.count()),
        (_, number) => {
            format!("✗ {number} of {count} endpoints {} not reached", if number == 1 { "is" } else { "are" })
        }
    }
}

/// How much somebody should look at it.
fn trouble(endpoint: &Endpoint) -> u8 {
    match (endpoint.state, endpoint.unreached_from) {
        (_, UnreachedFrom::Everywhere) => 6,
        (_, UnreachedFrom::ThisSide) => 5,
        (State::Down, _) => 4,
        (_, UnreachedFrom::SomeNodes) => 3,
        (State::Up, _) if endpoint.failures > 0 => 2,
        (State::Unknown, UnreachedFrom::Unknown) => 1,
        _ => 0,
    }
}

/// `unknown`: what stands for that.
fn here<'a>(endpoint: &Endpoint, unknown: &'a str) -> &'a str {
    match endpoint.state {
        _ if !endpoint.probed => "–",
        State::Up => "up",
        State::Down => "down",
        State::Unknown => unknown,
    }
}

fn unreached_from(endpoint: &Endpoint) -> String {
    match endpoint.unreached_from {
        UnreachedFrom::Unknown => "–".to_owned(),
        UnreachedFrom::Nowhere => "nowhere".to_owned(),
        UnreachedFrom::SomeNodes => format!("{} of {} nodes", endpoint.unreached, asked(endpoint)),
        UnreachedFrom::ThisSide => "this side".to_owned(),
        UnreachedFrom::Everywhere => "everywhere".to_owned(),
    }
}

/// How many nodes probe it, as far as they are heard.
fn asked(endpoint: &Endpoint) -> usize {
    endpoint.reached + endpoint.unreached + endpoint.undecided
}

/// What all nodes that are heard make of it.
fn verdict(endpoint: &Endpoint) -> String {
    let names = || format!("{}{}", words::names(&endpoint.nodes, endpoint.unreached, ", "), zones(endpoint));
    match endpoint.unreached_from {
        UnreachedFrom::Unknown => "nobody who is heard knows".to_owned(),
        UnreachedFrom::Nowhere => format!("reached from {}", words::nodes(endpoint.reached)),
        UnreachedFrom::SomeNodes => {
            format!("not reached from {} of {}: {}", endpoint.unreached, asked(endpoint), names())
        }
        UnreachedFrom::ThisSide => format!("nobody who is heard reaches it, and not everybody is heard: {}", names()),
        UnreachedFrom::Everywhere => format!("nobody reaches it: {}", names()),
    }
}

fn zones(endpoint: &Endpoint) -> String {
    match endpoint.zones.as_slice() {
        [] => String::new(),
        [zone] => format!(" (zone {zone})"),
        zones => format!(" (zones {})", words::names(zones, zones.len(), ", ")),
    }
}

fn cause(cause: Option<&str>, ailment: Option<&str>) -> String {
    [cause, ailment].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A cause with what was said of it.
fn said(cause: &str, detail: &str) -> String {
    [cause, detail].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

fn milliseconds(seconds: f64) -> String {
    let milliseconds = seconds * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.2} ms") } else { format!("{milliseconds:.0} ms") }
}

fn fact_in_words(fact: &serde_json::Value) -> String {
    match fact {
        serde_json::Value::String(word) => word.clone(),
        serde_json::Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}
