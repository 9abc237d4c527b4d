//! `netsplit partitions`: the cuts that are open and those that were, one block each; from a running agent, or from a log
//! (`log`).

mod log;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use netsplit::api::{PartitionAnswer, Partitions};
use netsplit::clock::Clock;
use netsplit::detector::event::CloseCause;
use netsplit::detector::partition::{Direction, PartitionKind, Side, Witness};

use super::ask::Asking;
use super::page::{Page, note, write_raw};
use super::{Exit, words};
use log::Logged;

const EXAMPLES: &str = "\
Examples:
  netsplit partitions
  netsplit partitions --log /var/log/partition-events.log
  netsplit partitions --json | jq '.open[].sides'

A running agent tells the partitions of this run, the log those of all that it holds.
Exit codes: 0 no partition is open, 1 one is, 2 wrong arguments, 3 the agent cannot be asked or the
log cannot be opened.";

/// Where what is said of a partition begins.
const INDENT: usize = 14;

/// Show the partitions that are open, and those that were.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asking: Asking,
    /// Read this audit log, its older files included, instead of asking an agent.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Negative if one is open.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let is_open = if let Some(file) = &arguments.log {
        show_log(&Logged::read(file)?, arguments.asking.json)?
    } else {
        let answer = arguments.asking.ask::<Partitions>("/v1/partitions")?;
        arguments.asking.print(&answer, |partitions, page| list(partitions, &[], page.width()))?;
        !answer.said.open.is_empty()
    };
    Ok(if is_open { Exit::Negative } else { Exit::Fine })
}

/// Prints what a log tells. Whether a partition is open in it.
fn show_log(logged: &Logged, json: bool) -> anyhow::Result<bool> {
    if logged.strange > 0 {
        note(&format!("{} lines of the log are no events, and were passed over", logged.strange));
    }
    if json {
        write_raw(&format!("{}\n", serde_json::to_string(logged)?))?;
    } else {
        let page = Page::standard();
        page.write(&list(&logged.partitions, &logged.unfinished, page.width()))?;
    }
    Ok(!logged.partitions.open.is_empty())
}

fn list(partitions: &Partitions, unfinished: &[PartitionAnswer], width: usize) -> String {
    let clock = Clock::start();
    let mut blocks = Vec::new();
    if partitions.open.is_empty() {
        blocks.push("✓ No partition is open.\n".to_owned());
    }
    blocks.extend(partitions.open.iter().map(|partition| open(partition, clock, width)));
    blocks.extend(unfinished.iter().map(|partition| lost(partition, width)));
    blocks.extend(partitions.recent.iter().map(|partition| over(partition, width)));
    blocks.join("\n")
}

fn open(partition: &PartitionAnswer, clock: Clock, width: usize) -> String {
    let time = words::since(&partition.opened_at, clock);
    let head = format!("✗ {}  {}, open{}\n", partition.id, partition.kind.as_str(), lasting(time));
    format!("{head}{}{}", line("since", &partition.opened_at, width), about(partition, width))
}

fn over(partition: &PartitionAnswer, width: usize) -> String {
    let closed_at = partition.closed_at.as_deref().unwrap_or_default();
    let time = words::between(&partition.opened_at, closed_at);
    let head = format!("✓ {}  {}, over, was open{}\n", partition.id, partition.kind.as_str(), lasting(time));
    let ended = match partition.cause {
        Some(CloseCause::Removed) if partition.endpoint.is_some() => {
            format!("{closed_at}, it is no longer an endpoint that must not be lost")
        }
        Some(_) if partition.endpoint.is_some() => format!("{closed_at}, more than half reach it again"),
        Some(cause) => format!("{closed_at}, {}", ending(cause, partition.confirmed)),
        None => closed_at.to_owned(),
    };
    let times = line("since", &partition.opened_at, width) + &line("ended", &ended, width);
    format!("{head}{times}{}", about(partition, width))
}

/// One whose end is not in the log.
fn lost(partition: &PartitionAnswer, width: usize) -> String {
    let head = format!("? {}  {}, its end is not in the log\n", partition.id, partition.kind.as_str());
    let ended = line("ended", "not known: the agent was started anew while it was open", width);
    format!("{head}{}{ended}{}", line("since", &partition.opened_at, width), about(partition, width))
}

fn lasting(time: Option<Duration>) -> String {
    time.map(|time| format!(" for {}", words::span(time))).unwrap_or_default()
}

/// What there is to say whether it is open or over.
fn about(partition: &PartitionAnswer, width: usize) -> String {
    let mut text = String::new();
    if let Some(endpoint) = &partition.endpoint {
        return lost_endpoint(endpoint, partition, width);
    }
    for (place, side) in partition.sides.iter().enumerate() {
        text += &line(title(place, partition.own_side), &told(side), width);
    }
    if let [first, second] = partition.zones.as_slice() {
        text += &line("zones", &format!("{} | {}", first.join(", "), second.join(", ")), width);
    }
    if !partition.bridges.is_empty() {
        let bridges = words::names(&partition.bridges, partition.bridges.len(), ", ");
        text += &line("bridged by", &bridges, width);
    }
    if !partition.exceptions.is_empty() {
        let pairs: Vec<String> = partition.exceptions.iter().map(|(one, other)| format!("{one}–{other}")).collect();
        text += &line("but joined", &words::names(&pairs, pairs.len(), ", "), width);
    }
    text += &direction(partition).map(|direction| line("direction", direction, width)).unwrap_or_default();
    text += &line("certain", certainty(partition.certain), width);
    let quorum = if partition.quorum { "this side has a majority" } else { "this side has no majority" };
    text += &line("quorum", quorum, width);
    let witness = match partition.witness {
        Some(Witness::Http) => "an agent over there answers by HTTP: it lives",
        None => "none: nothing but silence from over there",
    };
    text += &line("witness", witness, width);
    let detection = format!("{:.2} s after the last datagram over the cut", partition.detection_seconds);
    text + &line("detected", &detection, width)
}

/// What there is to say of an endpoint that the cluster must not lose.
fn lost_endpoint(endpoint: &str, partition: &PartitionAnswer, width: usize) -> String {
    let mut text = line("endpoint", endpoint, width);
    for (title, side) in ["lost by", "reached by"].into_iter().zip(&partition.sides) {
        let names = if side.count == 0 { "nobody who is heard here".to_owned() } else { told(side) };
        text += &line(title, &names, width);
    }
    if let [first, second] = partition.zones.as_slice() {
        text += &line("zones", &format!("{} | {}", first.join(", "), second.join(", ")), width);
    }
    let detection = format!("{:.2} s after the first probe that failed", partition.detection_seconds);
    text + &line("detected", &detection, width)
}

fn title(place: usize, own_side: bool) -> &'static str {
    match (place, own_side) {
        (0, true) => "this side",
        (0, false) => "one side",
        _ => "other side",
    }
}

fn line(title: &str, text: &str, width: usize) -> String {
    words::fold(&format!("  {title:<width$}", width = INDENT - 2), text, width, INDENT)
}

/// The names of a side, and what is known of it.
pub(super) fn told(side: &Side) -> String {
    let names = words::names(&side.nodes, side.count, ", ");
    let seen = if side.seen { "" } else { ", not reachable from here" };
    format!("{names} ({}{seen})", words::nodes(side.count))
}

/// Which way it is cut, if that is known.
pub(super) fn direction(partition: &PartitionAnswer) -> Option<&'static str> {
    match (partition.direction, partition.kind) {
        (Some(Direction::FromFirst), _) if !partition.own_side => {
            Some("one way: what the one side sends does not arrive")
        }
        (Some(Direction::ToFirst), _) if !partition.own_side => {
            Some("one way: what the other side sends does not arrive")
        }
        (Some(Direction::FromFirst), _) => Some("one way: what this side sends does not arrive"),
        (Some(Direction::ToFirst), _) => Some("one way: what the other side sends does not arrive here"),
        (None, PartitionKind::Simplex) => Some("one way, and which is not known"),
        (None, _) => None,
    }
}

fn certainty(certain: bool) -> &'static str {
    if certain { "yes: no unknown link could join the sides" } else { "no: an unknown link may join the sides" }
}

fn ending(cause: CloseCause, confirmed: Option<bool>) -> String {
    let cause = match cause {
        CloseCause::Healed => "healed",
        CloseCause::Stalled => "the other side was stalled",
        CloseCause::Restarted => "the other side's agents had been restarted",
        CloseCause::Left => "the other side said goodbye",
        CloseCause::Removed => "the other side was removed from the cluster",
        CloseCause::AgentDown => "the other side's agents do not run",
        CloseCause::Superseded => "another cut covers it",
    };
    match confirmed {
        Some(true) => format!("{cause} (confirmed: nodes over there lived through it)"),
        Some(false) => format!("{cause} (it was no cut of the network)"),
        None => format!("{cause} (whether it was a cut cannot be told)"),
    }
}
