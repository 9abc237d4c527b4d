//! `netsplit peers`: the roster and the link from each of its nodes, trouble first.

use std::cmp::Reverse;
use std::fmt::Write;

use clap::Args;
use netsplit::api::{Link, Peer, Peers};
use netsplit::table::natural;

use super::ask::Asking;
use super::{Exit, words};

const EXAMPLES: &str = "\
Examples:
  netsplit peers
  netsplit peers --json
  netsplit peers | head

Link is that from the peer to this node: up, suspect (late, and being tried), down, unknown,
absent (never heard), left (it said goodbye). What is in trouble stands first.
Exit codes: 0 fine, 2 wrong arguments, 3 the agent cannot be asked.";

/// Wider names and zones stand out of their columns.
const WIDEST: usize = 24;

/// List the nodes, and how this one hears each.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asking: Asking,
}

/// Fine if the agent answers.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let answer = arguments.asking.ask::<Peers>("/v1/peers")?;
    arguments.asking.print(&answer, |peers, _| list(peers))?;
    Ok(Exit::Fine)
}

fn list(peers: &Peers) -> String {
    let mut peers: Vec<&Peer> = peers.peers.iter().collect();
    peers.sort_by_cached_key(|peer| (Reverse(trouble(peer)), natural(&peer.name)));
    let widest = |text: fn(&Peer) -> &str, title: usize| {
        let widths = peers.iter().map(|peer| text(peer).chars().count()).filter(|width| *width <= WIDEST);
        widths.max().unwrap_or_default().max(title)
    };
    let (name, zone) = (widest(|peer| &peer.name, 4), widest(|peer| &peer.zone, 4));
    let mut text = format!("{}\n\n", summary(&peers));
    // Writing to a string does not fail.
    let _ = writeln!(text, "{:name$}  {:zone$}  Link     Silent      RTT        Loss   Notes", "Node", "Zone");
    for peer in peers {
        let [silent, rtt, loss] = numbers(peer);
        let link = link(peer.link);
        let row = format!(
            "{:name$}  {:zone$}  {link:<7}  {silent:<10}  {rtt:<9}  {loss:<5}  {}",
            peer.name,
            peer.zone,
            notes(peer)
        );
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

/// How many there are in each state.
fn summary(peers: &[&Peer]) -> String {
    let others: Vec<Link> = peers.iter().map(|peer| peer.link).filter(|link| *link != Link::Itself).collect();
    let states = [Link::Up, Link::Suspect, Link::Down, Link::Unknown, Link::Absent, Link::Left];
    let counts = states.into_iter().filter_map(|state| {
        let count = others.iter().filter(|link| **link == state).count();
        (count > 0).then(|| format!("{count} {}", link(state)))
    });
    let counts: Vec<String> = counts.collect();
    let others = if others.len() == 1 { "1 peer".to_owned() } else { format!("{} peers", others.len()) };
    if counts.is_empty() { others } else { format!("{others}: {}", counts.join(", ")) }
}

fn link(link: Link) -> &'static str {
    match link {
        Link::Itself => "itself",
        Link::Up => "up",
        Link::Suspect => "suspect",
        Link::Down => "down",
        Link::Unknown => "unknown",
        Link::Absent => "absent",
        Link::Left => "left",
    }
}

/// How much somebody should look at it.
fn trouble(peer: &Peer) -> u8 {
    match peer.link {
        Link::Down => 7,
        Link::Suspect => 6,
        Link::Unknown => 5,
        Link::Up if peer.degraded => 4,
        Link::Absent => 3,
        Link::Left => 2,
        Link::Up => 1,
        Link::Itself => 0,
    }
}

/// Silence, round trip time and loss. What was measured before the link fell silent is not shown.
fn numbers(peer: &Peer) -> [String; 3] {
    let none = || "–".to_owned();
    if peer.link == Link::Itself {
        return [String::new(), String::new(), String::new()];
    }
    let is_heard = matches!(peer.link, Link::Up | Link::Suspect);
    let silent = peer.silent_seconds.map_or_else(none, words::span_of_seconds);
    let rtt = peer.rtt_seconds.filter(|_| is_heard).map_or_else(none, milliseconds);
    let loss = if is_heard { format!("{:.0} %", peer.loss_ratio * 100.0) } else { none() };
    [silent, rtt, loss]
}

fn milliseconds(seconds: f64) -> String {
    let milliseconds = seconds * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.2} ms") } else { format!("{milliseconds:.0} ms") }
}

fn notes(peer: &Peer) -> String {
    let agent = peer.agent_down.as_deref().map(|cause| match cause {
        "stopped" => "agent stopped".to_owned(),
        "stalled" => "agent stalled".to_owned(),
        "host_answers" => "agent down, host answers".to_owned(),
        other => format!("agent down: {other}"),
    });
    let unheard = peer.unheard.then(|| "heard by nobody here".to_owned());
    let degraded = peer.degraded.then(|| "loses too much".to_owned());
    [agent, unheard, degraded].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
