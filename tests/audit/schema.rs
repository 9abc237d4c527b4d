//! Every event that the code can say, through the real log, held against `docs/events.schema.json` and `docs/events.md`:
//! each line is described by the schema, and nothing is in the schema or the document that no line has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use netsplit::agent::{EventSink, Happening, PartitionTimes, Record, ShellEvent};
use netsplit::audit::read::lines;
use netsplit::detector::event::{
    AgentDownCause, BlindCause, CloseCause, Event, ForgetRefusal, LeaveReason, LinkRecord, OverrideEnd,
};
use netsplit::detector::mode::Mode;
use netsplit::detector::outcome::{Ailment, Cause};
use netsplit::detector::partition::{Direction, Partition, PartitionId, PartitionKind, Side, Witness};
use netsplit::detector::time::Now;
use netsplit::identity::{Digest, Epoch, Incarnation};
use netsplit::wire::GoodbyeReason;
use serde_json::Value;

use crate::laboratory::{Running, at, record};

// -------------------------------------------------------------------------------------------- the samples

/// Whoever adds a variant comes by here: add it to the samples, the schema and docs/events.md.
fn kind(happening: &Happening) -> &'static str {
    match happening {
        Happening::Shell(event) => match event {
            ShellEvent::ConfigReloaded { .. } => "config_reloaded",
            ShellEvent::EventsLost { .. } => "events_lost",
        },
        Happening::Decision(event) => match event {
            Event::AgentStarted { .. } => "agent_started",
            Event::AgentStopped { .. } => "agent_stopped",
            Event::PeerJoined { .. } => "peer_joined",
            Event::PeerLeft { .. } => "peer_left",
            Event::RosterConflict { .. } => "roster_conflict",
            Event::PeerRestarted { .. } => "peer_restarted",
            Event::NodeUnheard { .. } => "node_unheard",
            Event::NodeHeard { .. } => "node_heard",
            Event::AgentDown { .. } => "agent_down",
            Event::AgentUp { .. } => "agent_up",
            Event::LinkDown { .. } => "link_down",
            Event::LinkUp { .. } => "link_up",
            Event::LinkDegraded { .. } => "link_degraded",
            Event::LinkRecovered { .. } => "link_recovered",
            Event::EndpointDown { .. } => "endpoint_down",
            Event::EndpointUp { .. } => "endpoint_up",
            Event::PartitionOpened(_) => "partition_opened",
            Event::PartitionChanged(_) => "partition_changed",
            Event::PartitionClosed { .. } => "partition_closed",
            Event::ModeChanged { .. } => "mode_changed",
            Event::ModeOverridden { .. } => "mode_overridden",
            Event::ModeOverrideEnded { .. } => "mode_override_ended",
            Event::NodeForgotten { .. } => "node_forgotten",
            Event::ForgetRefused { .. } => "forget_refused",
            Event::Stalled { .. } => "stalled",
            Event::Blind { .. } => "blind",
            Event::IncarnationAdopted { .. } => "incarnation_adopted",
        },
    }
}

const CAUSES: [CloseCause; 7] = [
    CloseCause::Healed,
    CloseCause::Stalled,
    CloseCause::Restarted,
    CloseCause::Left,
    CloseCause::Removed,
    CloseCause::AgentDown,
    CloseCause::Superseded,
];

/// Every variant, with every value of every closed set in it.
fn samples() -> Vec<Happening> {
    let peer = || "node-2".to_owned();
    let links = || {
        let silent_for = Some(Duration::from_millis(2_345));
        vec![LinkRecord { peer: peer(), silent_for }, LinkRecord { peer: "node-3".to_owned(), silent_for: None }]
    };
    let mut events = vec![
        Event::AgentStarted { roster: 5 },
        Event::PeerJoined { peer: peer() },
        Event::RosterConflict { peer: peer() },
        Event::PeerRestarted { peer: peer() },
        Event::NodeUnheard { peer: peer() },
        Event::LinkDown { links: links() },
        Event::LinkUp { links: links() },
        Event::LinkDegraded { peer: peer() },
        Event::LinkRecovered { peer: peer() },
        Event::Stalled { length: Duration::from_millis(12_345) },
        Event::IncarnationAdopted { incarnation: Incarnation(1_795_262_400_000_001) },
    ];
    events.extend([GoodbyeReason::Stopped, GoodbyeReason::Restarting].map(|reason| Event::AgentStopped { reason }));
    events.extend(
        [LeaveReason::Stopped, LeaveReason::Restarting, LeaveReason::Removed]
            .map(|reason| Event::PeerLeft { peer: peer(), reason }),
    );
    events.extend(
        [AgentDownCause::Stopped, AgentDownCause::Stalled, AgentDownCause::HostAnswers]
            .map(|cause| Event::AgentDown { peer: peer(), cause }),
    );
    events.extend([BlindCause::Drops, BlindCause::NeverHeard, BlindCause::Udp].map(|cause| Event::Blind { cause }));
    for cause in CAUSES {
        for confirmed in [None, Some(true), Some(false)] {
            events.push(Event::NodeHeard { peer: peer(), cause, confirmed });
            events.push(Event::AgentUp { peer: peer(), cause, confirmed });
            let duration = Duration::from_millis(61_234);
            let partition = partition(PartitionKind::Complete);
            events.push(Event::PartitionClosed { partition, cause, duration, confirmed });
        }
    }
    for kind in PartitionKind::ALL {
        events.push(Event::PartitionOpened(partition(kind)));
        events.push(Event::PartitionChanged(partition(kind)));
        let (cause, duration, confirmed) = (CloseCause::Healed, Duration::ZERO, None);
        events.push(Event::PartitionClosed { partition: partition(kind), cause, duration, confirmed });
    }
    let (endpoint, kind, failing_for) = ("database".to_owned(), "postgres".to_owned(), Duration::from_secs(11));
    for cause in Cause::ALL.into_iter().chain(Ailment::ALL.map(Cause::Unhealthy)) {
        let (endpoint, kind) = (endpoint.clone(), kind.clone());
        events.push(Event::EndpointDown { endpoint, kind, cause, failing_for });
    }
    events.push(Event::EndpointUp { endpoint, kind, down_for: Duration::from_secs(61) });
    for (from, to) in Mode::ALL.into_iter().zip(Mode::ALL.into_iter().rev()) {
        events.push(Event::ModeChanged { from, to, members: 3, electorate: 5, electorate_digest: Digest(7) });
    }
    let (lasts, reason) = (Duration::from_secs(3600), "the other site burnt down".to_owned());
    events.push(Event::ModeOverridden { mode: Mode::Majority, lasts, reason });
    events.extend(
        [OverrideEnd::Expired, OverrideEnd::Cleared, OverrideEnd::Replaced]
            .map(|cause| Event::ModeOverrideEnded { mode: Mode::Minority, cause }),
    );
    events.push(Event::NodeForgotten { peer: peer() });
    events.extend(
        [ForgetRefusal::Itself, ForgetRefusal::Heard, ForgetRefusal::Unknown]
            .map(|cause| Event::ForgetRefused { peer: peer(), cause }),
    );
    let shell = [
        ShellEvent::ConfigReloaded { changed: vec!["mode.policy".to_owned(), "peers.period".to_owned()] },
        ShellEvent::EventsLost { count: 17 },
    ];
    events.into_iter().map(Happening::from).chain(shell.map(Happening::from)).collect()
}

/// A partition of this kind; together they have every value that a field may have.
fn partition(kind: PartitionKind) -> Partition {
    let large = (0..150).map(|number| format!("node-{number}")).collect();
    let (direction, witness) = match kind {
        PartitionKind::Simplex => (Some(Direction::FromFirst), None),
        PartitionKind::Partial => (Some(Direction::ToFirst), None),
        PartitionKind::Isolation => (None, Some(Witness::Http)),
        _ => (None, None),
    };
    Partition {
        id: PartitionId(0x1234),
        kind,
        endpoint: (kind == PartitionKind::Service).then(|| "central-prometheus".to_owned()),
        certain: true,
        sides: vec![Side::new(large, true), Side::new(vec!["other".to_owned()], false)],
        bridges: vec!["node-1".to_owned()],
        own_side: true,
        zones: vec![vec!["east".to_owned()], vec!["west".to_owned()]],
        exceptions: vec![("node-1".to_owned(), "other".to_owned())],
        direction,
        witness,
        opened: Now::START,
        detection: Duration::from_millis(2_500),
        epoch: Epoch(3),
        quorum: true,
        electorate_digest: Digest(7),
        roster_digest: Digest(8),
    }
}

/// The record of it, with the times that the agent gives to those about partitions.
fn record_of(happening: Happening) -> Record {
    let at = |second: i64| Timestamp::from_second(1_795_262_400 + second).unwrap();
    let times = |closed_at| Some(PartitionTimes { opened_at: at(0), closed_at });
    let times = match &happening {
        Happening::Decision(Event::PartitionOpened(_) | Event::PartitionChanged(_)) => times(None),
        Happening::Decision(Event::PartitionClosed { .. }) => times(Some(at(61))),
        _ => None,
    };
    Record { times, ..record(happening) }
}

/// The lines that the log writes of all samples.
fn written() -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut running = Running::start(at(&log));
    for happening in samples() {
        running.sink.accept(record_of(happening));
    }
    running.finish();
    lines(&log).unwrap().map(|line| serde_json::from_slice(&line.unwrap().bytes).unwrap()).collect()
}

// -------------------------------------------------------------------------------------------- the schema

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&document("events.schema.json")).unwrap()
}

/// The part of JSON Schema 2020-12 that the schema uses. A keyword that is not known here fails.
struct Checker<'a> {
    root: &'a Value,
    /// Where in the schema something was used: properties, and values of closed sets.
    used: BTreeSet<String>,
}

/// The properties that were described, or what is wrong.
type Checked = Result<BTreeSet<String>, String>;

impl Checker<'_> {
    fn check(&mut self, at: &str, value: &Value) -> Checked {
        let schema = self.root.pointer(at).unwrap_or_else(|| panic!("nothing is at {at}"));
        let mut described = BTreeSet::new();
        for (keyword, rule) in schema.as_object().unwrap() {
            let wrong = || Err(format!("{value} is not as {at}/{keyword} has it: {rule}"));
            let fits = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "unevaluatedProperties" => true,
                "$ref" => {
                    let target = rule.as_str().and_then(|target| target.strip_prefix('#')).unwrap();
                    described.extend(self.check(target, value)?);
                    true
                }
                "type" => types(rule).iter().any(|name| is_a(value, name)),
                "const" => value == rule,
                "enum" => match rule.as_array().unwrap().iter().position(|allowed| allowed == value) {
                    Some(index) => {
                        self.used.insert(format!("{at}/enum/{index}"));
                        true
                    }
                    None => false,
                },
                "minimum" => value.as_f64().is_some_and(|number| number >= rule.as_f64().unwrap()),
                "minItems" => value.as_array().is_some_and(|items| items.len() as u64 >= rule.as_u64().unwrap()),
                "maxItems" => value.as_array().is_some_and(|items| items.len() as u64 <= rule.as_u64().unwrap()),
                "format" => rule == "date-time" && value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()),
                "pattern" => matches(rule.as_str().unwrap(), value.as_str().unwrap_or_default()),
                "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.check(&format!("{at}/items"), item)?;
                    }
                    true
                }
                "properties" => {
                    for name in rule.as_object().unwrap().keys() {
                        let Some(field) = value.get(name) else { continue };
                        let place = format!("{at}/properties/{name}");
                        self.check(&place, field)?;
                        self.used.insert(place);
                        described.insert(name.clone());
                    }
                    true
                }
                "oneOf" => {
                    let branches = 0..rule.as_array().unwrap().len();
                    let is_named = |index: &usize| rule[index]["properties"]["event"]["const"] == value["event"];
                    let named: Vec<usize> = branches.filter(is_named).collect();
                    let [index] = named[..] else { return wrong() };
                    described.extend(self.check(&format!("{at}/oneOf/{index}"), value)?);
                    true
                }
                other => panic!("the checker does not know {other}: teach it"),
            };
            if !fits {
                return wrong();
            }
        }
        if schema["unevaluatedProperties"] == false {
            let unknown = value.as_object().unwrap().keys().find(|name| !described.contains(*name));
            if let Some(unknown) = unknown {
                return Err(format!("{at} does not know {unknown} in {value}"));
            }
        }
        Ok(described)
    }
}

fn types(rule: &Value) -> Vec<&str> {
    match rule {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => vec![name.as_str().unwrap()],
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type is named {other}"),
    }
}

/// Whether a text is as one of the patterns that the schema has: literal characters, `\.`, and `[…]{N}` of hex digits or
/// digits.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).unwrap();
    let mut text = text.chars();
    while let Some(next) = pattern.chars().next() {
        if next == '[' {
            let (set, rest) = pattern[1..].split_once("]{").unwrap();
            let (count, rest) = rest.split_once('}').unwrap();
            let radix = match set {
                "0-9" => 10,
                "0-9a-f" => 16,
                other => panic!("the checker does not know the set {other}: teach it"),
            };
            let is_in = |digit: char| digit.is_digit(radix) && !digit.is_ascii_uppercase();
            if !(0..count.parse::<usize>().unwrap()).all(|_| text.next().is_some_and(is_in)) {
                return false;
            }
            pattern = rest;
        } else {
            pattern = pattern.strip_prefix('\\').unwrap_or(pattern);
            let literal = pattern.chars().next().unwrap();
            if text.next() != Some(literal) {
                return false;
            }
            pattern = &pattern[literal.len_utf8()..];
        }
    }
    text.next().is_none()
}

/// Every place in a schema that a line must have used: properties, and values of closed sets.
fn places(at: &str, schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(keywords) => {
            for (keyword, rule) in keywords {
                let place = format!("{at}/{keyword}");
                match (keyword.as_str(), rule) {
                    ("properties", Value::Object(fields)) => {
                        found.extend(fields.keys().map(|name| format!("{place}/{name}")));
                    }
                    ("enum", Value::Array(values)) => {
                        found.extend((0..values.len()).map(|index| format!("{place}/{index}")));
                    }
                    _ => {}
                }
                places(&place, rule, found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(&format!("{at}/{index}"), item, found));
        }
        _ => {}
    }
}

// --------------------------------------------------------------------------------------------- the tests

#[test]
fn every_event_is_written_as_the_schema_has_it_and_nothing_else_is_in_the_schema() {
    let root = schema();
    let mut checker = Checker { root: &root, used: BTreeSet::new() };
    let lines = written();
    for line in &lines {
        checker.check("", line).unwrap_or_else(|wrong| panic!("{line}: {wrong}"));
    }
    let kinds: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, samples().iter().map(kind).collect::<Vec<_>>());
    let mut expected = BTreeSet::new();
    places("", &root, &mut expected);
    let unused: Vec<&String> = expected.difference(&checker.used).collect();
    assert!(unused.is_empty(), "no line ever has what stands in the schema at {unused:#?}");
}

#[test]
fn the_checker_sees_what_it_is_for() {
    let root = schema();
    let good = written().into_iter().find(|line| line["event"] == "partition_closed").unwrap();
    let check = |change: &dyn Fn(&mut Value)| {
        let mut line = good.clone();
        change(&mut line);
        Checker { root: &root, used: BTreeSet::new() }.check("", &line)
    };
    assert!(check(&|_| ()).is_ok());
    let wrong: [&dyn Fn(&mut Value); 9] = [
        &|line| line["unknown"] = 1.into(),
        &|line| line["sides"][0]["unknown"] = 1.into(),
        &|line| drop(line.as_object_mut().unwrap().remove("witness")),
        &|line| line["kind"] = "other".into(),
        &|line| line["event"] = "other".into(),
        &|line| line["seq"] = 0.into(),
        &|line| line["prev"] = "0".repeat(63).into(),
        &|line| line["time"] = "2026-11-21T12:00:00Z".into(),
        &|line| line["certain"] = "yes".into(),
    ];
    for (index, change) in wrong.into_iter().enumerate() {
        assert!(check(change).is_err(), "change {index}");
    }
}

#[test]
fn the_document_names_every_event_with_its_own_fields() {
    let (text, root) = (document("events.md"), schema());
    let rows = text.lines().filter_map(|row| row.strip_prefix("| `")?.split_once("` |"));
    let in_document: Vec<(String, BTreeSet<String>)> = rows
        .filter(|(kind, _)| kind.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'))
        .filter_map(|(kind, rest)| Some((kind.to_owned(), names_in(rest.rsplit('|').nth(1)?))))
        .collect();
    let own = |schema: &Value| -> BTreeSet<String> {
        schema["properties"].as_object().unwrap().keys().filter(|name| *name != "event").cloned().collect()
    };
    let partition = text.lines().find(|line| line.starts_with("All three have ")).unwrap();
    assert_eq!(names_in(partition), own(&root["$defs"]["partition"]));
    let mut in_schema = BTreeSet::new();
    for event in root["oneOf"].as_array().unwrap() {
        let row = (event["properties"]["event"]["const"].as_str().unwrap().to_owned(), own(event));
        assert!(in_document.contains(&row), "docs/events.md has no such row: {row:?}");
        in_schema.insert(row.0);
    }
    let known = |kind: &String| in_schema.contains(kind) || root["properties"].get(kind).is_some();
    let left_over: Vec<&String> = in_document.iter().map(|(kind, _)| kind).filter(|kind| !known(kind)).collect();
    assert!(left_over.is_empty(), "no event is named {left_over:?}");
}

/// What stands between backticks.
fn names_in(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
