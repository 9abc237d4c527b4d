//! `netsplit status`: what matters at 3 AM, and first of all whether there is a partition.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use netsplit::api::{Endpoints, Method, Names, PartitionAnswer, Peers, Status, UnreachedEndpoint};
use netsplit::detector::endpoints::reach::UnreachedFrom;
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::Side;

use super::ask::Asking;
use super::{Exit, landmarks, mode, partitions, words};

const EXAMPLES: &str = "\
Examples:
  netsplit status
  netsplit status --address '[::1]:7476'
  kubectl exec POD -- netsplit status

Exit codes: 0 no partition is open, 1 one is, 2 wrong arguments, 3 the agent cannot be asked.";

/// Where what is said begins.
const INDENT: usize = 16;

/// An agent whose word is older than this does not turn.
const OLD: f64 = 5.0;

/// Say whether there is a partition, who is cut off, and on which side this node is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asking: Asking,
}

/// Negative if a partition is open.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let asking = &arguments.asking;
    let answer = asking.ask::<Status>("/v1/status")?;
    let is_cut = !answer.said.partitions.is_empty();
    // Only the names of a cut need their zones.
    let peers = if is_cut && !asking.json { Some(asking.ask::<Peers>("/v1/peers")?.said) } else { None };
    let zones = peers.iter().flat_map(|peers| &peers.peers).map(|peer| (peer.name.as_str(), peer.zone.as_str()));
    let zones: BTreeMap<&str, &str> = zones.collect();
    // Only in a cut does it matter on which side they are.
    let endpoints =
        if is_cut && !asking.json { asking.ask::<Endpoints>("/v1/endpoints")?.said } else { Endpoints::default() };
    let landmarks = landmarks::lines(&endpoints.endpoints);
    asking.print(&answer, |status, page| {
        let told =
            Telling { status, zones: &zones, landmarks: &landmarks, width: page.width(), option: asking.option() };
        told.text()
    })?;
    Ok(if is_cut { Exit::Negative } else { Exit::Fine })
}

/// What is told, and how.
struct Telling<'a> {
    status: &'a Status,
    zones: &'a BTreeMap<&'a str, &'a str>,
    /// Where the API server is, and what else one looks for in a cut.
    landmarks: &'a [(&'static str, String)],
    width: usize,
    /// What a further command needs to ask the same agent.
    option: String,
}

impl Telling<'_> {
    fn text(&self) -> String {
        let mut text = self.headline();
        match self.status.partitions.first() {
            Some(partition) if partition.endpoint.is_some() => text += &self.lost_endpoint(partition),
            Some(partition) => text += &self.cut(partition),
            None => {}
        }
        text += &self.own_side();
        text.extend(self.landmarks.iter().map(|(title, place)| self.line(title, place)));
        text += &self.unseen();
        text += &self.troubles();
        text + &self.next()
    }

    /// The first line: is there one, and since when?
    fn headline(&self) -> String {
        let status = self.status;
        let since = |partition: &PartitionAnswer| {
            let time = words::between(&partition.opened_at, &status.time).map(words::span).unwrap_or_default();
            format!("for {time}, since {}", partition.opened_at)
        };
        let (mark, text) = match (status.partitions.as_slice(), status.mode.judged()) {
            _ if status.age_seconds > OLD => {
                let age = words::span_of_seconds(status.age_seconds);
                ("? ", format!("CANNOT TELL: this agent has done nothing for {age}; what follows is old"))
            }
            ([one], _) => ("✗ ", format!("PARTITION, {}, {}", one.kind.as_str(), since(one))),
            ([one, ..], _) => {
                let count = status.partitions.len();
                ("✗ ", format!("{count} PARTITIONS, the first {}, {}", one.kind.as_str(), since(one)))
            }
            ([], _) if status.blind => ("? ", "CANNOT TELL: this agent is blind".to_owned()),
            ([], mode) if mode == Mode::Starting || status.mode.stale => {
                let uptime = words::span_of_seconds(status.uptime_seconds);
                ("? ", format!("CANNOT TELL YET: this agent started {uptime} ago, or was stalled"))
            }
            ([], Mode::Isolated) => ("! ", "No partition is known, but this node is alone".to_owned()),
            ([], Mode::Minority) => ("! ", format!("No partition is known, but here is no majority: {}", self.heard())),
            ([], _) => ("✓ ", format!("No partition: {}", self.heard())),
        };
        words::fold(mark, &text, self.width, 2)
    }

    /// How many of the others are heard.
    fn heard(&self) -> String {
        let others = self.status.roster_size.saturating_sub(1);
        let share = (self.status.coverage_ratio * words::as_number(others)).round();
        match others {
            0 => "this node is the only one".to_owned(),
            _ if self.status.coverage_ratio >= 1.0 => format!("every other node is heard, all {others}"),
            _ => format!("{share:.0} of {others} other nodes are heard"),
        }
    }

    /// Who is cut off, the smaller side first.
    fn cut(&self, partition: &PartitionAnswer) -> String {
        let mut sides: Vec<(usize, &Side)> = partition.sides.iter().enumerate().collect();
        sides.sort_by_key(|(place, side)| (side.count, *place));
        let all_alike = sides.windows(2).all(|pair| matches!(pair, [(_, one), (_, other)] if one.count == other.count));
        let mut text = String::new();
        for (rank, (place, side)) in sides.iter().enumerate() {
            let title = match rank {
                _ if all_alike => "Equal side",
                0 => "Smaller side",
                _ => "Larger side",
            };
            let mine = if *place == 0 && partition.own_side { " ← this node's side" } else { "" };
            let names = words::names(&side.nodes, side.count, ", ");
            let zones = self.zones_of(side);
            text += &self.line(title, &format!("{}: {names}{zones}{mine}", words::nodes(side.count)));
        }
        if !partition.bridges.is_empty() {
            let bridges = words::names(&partition.bridges, partition.bridges.len(), ", ");
            text += &self.line("Bridged by", &format!("{bridges}: these reach both sides"));
        }
        if let Some(direction) = partitions::direction(partition) {
            text += &self.line("Direction", direction);
        }
        text += &self.more();
        if !partition.certain {
            text += &self.line("Certain", "no: an unknown link may join the sides");
        }
        text
    }

    /// Who lost an endpoint that the cluster must not lose. No network between nodes is cut.
    fn lost_endpoint(&self, partition: &PartitionAnswer) -> String {
        let mut text = self.line("Endpoint", partition.endpoint.as_deref().unwrap_or_default());
        for (place, (title, side)) in ["Lost by", "Reached by"].into_iter().zip(&partition.sides).enumerate() {
            let mine = if place == 0 && partition.own_side { " ← and this node" } else { "" };
            let names = words::names(&side.nodes, side.count, ", ");
            let said = match side.count {
                0 => "nobody who is heard here".to_owned(),
                count => format!("{}: {names}{}{mine}", words::nodes(count), self.zones_of(side)),
            };
            text += &self.line(title, &said);
        }
        text + &self.more()
    }

    fn more(&self) -> String {
        match self.status.partitions.len().saturating_sub(1) {
            0 => String::new(),
            more => self.line("", &format!("and {more} more: netsplit partitions{}", self.option)),
        }
    }

    /// In which zones those are that are named.
    fn zones_of(&self, side: &Side) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for zone in side.nodes.iter().filter_map(|name| self.zones.get(name.as_str())).filter(|zone| !zone.is_empty()) {
            *counts.entry(zone).or_default() += 1;
        }
        let is_all = counts.values().sum::<usize>() == side.count;
        match counts.len() {
            0 => String::new(),
            1 if is_all => format!(" (zone {})", counts.keys().copied().collect::<String>()),
            _ => {
                let zones: Vec<String> = counts.iter().map(|(zone, count)| format!("{zone} {count}")).collect();
                format!(" (zones: {})", words::names(&zones, zones.len(), ", "))
            }
        }
    }

    fn own_side(&self) -> String {
        let status = self.status;
        let zone = if status.zone.is_empty() { String::new() } else { format!(" ({})", status.zone) };
        self.line("This node", &format!("{}{zone} of cluster {}", status.node, status.cluster))
            + &self.line("Mode", &mode::line(&status.mode))
    }

    /// What cannot be seen from here.
    fn unseen(&self) -> String {
        let status = self.status;
        let mut text = String::new();
        if !status.awaited.is_empty() {
            let names = words::names(&status.awaited, status.awaited.len(), ", ");
            text += &self.line("Waits for", &format!("{names}: before each was heard once nobody may write"));
        }
        let is_unseen = |partition: &PartitionAnswer| partition.sides.iter().any(|side| !side.seen && side.count > 1);
        if status.partitions.iter().any(is_unseen) {
            text += &self.line("Cannot see", "whether the nodes over there reach each other");
        }
        text += &self.named("Not heard", &self.unexplained(), "and nothing else is known of why");
        text += &self.named("Unheard", &status.unheard, "heard by nobody on this side, and no other sign of life");
        text += &self.named("Agent down", &status.agents_down, "the machine lives, its agent does not run");
        text += &self.named("Losing", &status.links_degraded, "at least 10 % of what they send is lost");
        text + &self.endpoints()
    }

    /// What the cluster leans on and somebody does not reach.
    fn endpoints(&self) -> String {
        let unreached = &self.status.endpoints_unreached;
        if unreached.count == 0 {
            return String::new();
        }
        let told = |endpoint: &UnreachedEndpoint| {
            let from = match endpoint.unreached_from {
                UnreachedFrom::Everywhere => "from anywhere",
                UnreachedFrom::ThisSide => "from this side",
                UnreachedFrom::SomeNodes => "from some nodes",
                UnreachedFrom::Nowhere | UnreachedFrom::Unknown => "from this node",
            };
            format!("{} ({from})", endpoint.name)
        };
        let told: Vec<String> = unreached.endpoints.iter().map(told).collect();
        self.line("Not reached", &words::names(&told, unreached.count, ", "))
    }

    /// Whom this node does not hear, but for those of whom the other lines say why.
    fn unexplained(&self) -> Names {
        let Status { links_down, unheard, agents_down, partitions, .. } = self.status;
        let cuts = partitions.iter().filter(|partition| partition.endpoint.is_none());
        let beyond = cuts.flat_map(|partition| partition.sides.iter().skip(1));
        let explained: BTreeSet<&String> =
            beyond.clone().flat_map(|side| &side.nodes).chain(&unheard.nodes).chain(&agents_down.nodes).collect();
        let nodes: Vec<String> = links_down.nodes.iter().filter(|name| !explained.contains(name)).cloned().collect();
        let counted = beyond.map(|side| side.count).sum::<usize>() + unheard.count + agents_down.count;
        let is_named_in_full = links_down.nodes.len() == links_down.count;
        let count = if is_named_in_full { nodes.len() } else { links_down.count.saturating_sub(counted) };
        Names { count, nodes }
    }

    fn named(&self, title: &str, nodes: &Names, what: &str) -> String {
        if nodes.count == 0 {
            return String::new();
        }
        let names = words::names(&nodes.nodes, nodes.count, ", ");
        self.line(title, &format!("{names}: {what}"))
    }

    /// What is wrong with the agent itself.
    fn troubles(&self) -> String {
        let status = self.status;
        let audit = status.audit.as_ref();
        let troubles = [
            status
                .blind
                .then(|| "it is blind: it hears nobody, UDP is blocked, or its socket drops what arrives".to_owned()),
            status.impaired.then(|| "it distrusts what it observes: it did not run, or lost datagrams".to_owned()),
            (status.authentication.method == Method::Insecure)
                .then(|| "heartbeats are not authenticated (authentication: insecure)".to_owned()),
            (status.discovery.up == Some(false)).then(|| {
                let last = status.discovery.last_success_at.as_deref();
                format!(
                    "the discovery fails, {}",
                    last.map_or_else(|| "and never answered".to_owned(), |last| format!("since {last}"))
                )
            }),
            audit
                .filter(|audit| audit.failing)
                .map(|audit| format!("the audit log cannot be written, {} events wait", audit.queued)),
            audit
                .filter(|audit| audit.lost > 0)
                .map(|audit| format!("{} events were lost since it started", audit.lost)),
            status
                .state
                .as_ref()
                .filter(|state| state.errors > 0)
                .map(|state| format!("the state directory failed {} times since it started", state.errors)),
            status
                .configuration
                .as_ref()
                .filter(|configuration| !configuration.last_reload_successful)
                .map(|_| "the configuration file was refused, the one before holds".to_owned()),
        ];
        troubles.into_iter().flatten().map(|trouble| self.line("Agent", &trouble)).collect()
    }

    /// What to type next.
    fn next(&self) -> String {
        let status = self.status;
        let is_quiet =
            status.links_down.count + status.unheard.count + status.agents_down.count + status.links_degraded.count
                == 0;
        // The first partition is told, and nobody finds in the matrix what an endpoint is about.
        let lost = status.partitions.first().and_then(|partition| partition.endpoint.as_ref());
        let command = match () {
            () if status.age_seconds > OLD => "kubectl logs POD: why does the agent not run?".to_owned(),
            () if !status.partitions.is_empty() => match lost {
                Some(endpoint) => format!("netsplit endpoints {endpoint}{}", self.option),
                None => format!("netsplit matrix{}", self.option),
            },
            () if status.blind || !status.awaited.is_empty() || !is_quiet => format!("netsplit peers{}", self.option),
            () if status.endpoints_unreached.count > 0 => format!("netsplit endpoints{}", self.option),
            () => format!("netsplit events --since 1h{}", self.option),
        };
        self.line("Next", &command)
    }

    fn line(&self, title: &str, text: &str) -> String {
        words::fold(&format!("  {title:<width$}", width = INDENT - 2), text, self.width, INDENT)
    }
}
