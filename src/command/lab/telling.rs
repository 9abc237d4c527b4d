//! A record as one readable line: the JSON of the log, shortened, with the time since the cut.

use netsplit::agent::{Happening, Record};
use netsplit::detector::event::{CloseCause, Event, LinkRecord};
use netsplit::detector::partition::Partition;
use netsplit::detector::time::Now;
use serde_json::Value;

use super::measures::seconds;

/// The line of a record.
pub(super) fn line(record: &Record, cut: Now) -> String {
    let at = record.at.since_start().as_secs_f64() - cut.since_start().as_secs_f64();
    format!("{at:+7.2} s  {:<8} {:<17} {}", record.node, kind(&record.event), told_of(&record.event))
}

/// The name of the event in the log.
fn kind(happening: &Happening) -> String {
    let text = |value: Value| value.get("event").and_then(Value::as_str).map(str::to_owned);
    serde_json::to_value(happening).ok().and_then(text).unwrap_or_default()
}

fn told_of(happening: &Happening) -> String {
    match happening {
        Happening::Decision(event) => details(event),
        Happening::Shell(event) => serde_json::to_string(event).unwrap_or_default(),
    }
}

fn details(event: &Event) -> String {
    match event {
        Event::AgentStarted { roster } => format!("with a roster of {roster}"),
        Event::LinkDown { links } => format!("from {}", links.iter().map(silence).collect::<Vec<_>>().join(", ")),
        Event::LinkUp { links } => {
            format!("from {}", links.iter().map(|link| link.peer.as_str()).collect::<Vec<_>>().join(", "))
        }
        Event::PartitionOpened(partition) | Event::PartitionChanged(partition) => {
            format!("{}, {} after the last datagram", told(partition), seconds(partition.detection))
        }
        Event::PartitionClosed { partition, cause, duration, confirmed } => {
            format!("{} {}, after {}", partition.id, ending(*cause, *confirmed), seconds(*duration))
        }
        Event::NodeUnheard { peer: node } => node.clone(),
        Event::AgentDown { peer: node, cause } => format!("{node} {}", cause.as_str()),
        Event::NodeHeard { peer: node, cause, confirmed } | Event::AgentUp { peer: node, cause, confirmed } => {
            format!("{node} {}", ending(*cause, *confirmed))
        }
        Event::ModeChanged { from, to, members, electorate, .. } => {
            format!("{} → {}, {members} of {electorate}", from.as_str(), to.as_str())
        }
        event => serde_json::to_string(event).unwrap_or_default(),
    }
}

fn silence(link: &LinkRecord) -> String {
    link.silent_for.map_or_else(|| link.peer.clone(), |silence| format!("{} ({} silent)", link.peer, seconds(silence)))
}

/// What a partition says: its id, its kind, its sides.
pub(super) fn told(partition: &Partition) -> String {
    let kind = serde_json::to_value(partition.kind).ok();
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let sides: Vec<String> = partition.sides.iter().map(|side| side.nodes.join(" ")).collect();
    format!("{} {kind}: {}", partition.id, sides.join(" | "))
}

fn ending(cause: CloseCause, confirmed: Option<bool>) -> String {
    let cause = match cause {
        CloseCause::Healed => "healed",
        CloseCause::Stalled => "stalled",
        CloseCause::Restarted => "restarted",
        CloseCause::Left => "left",
        CloseCause::Removed => "removed",
        CloseCause::AgentDown => "agents down",
    };
    match confirmed {
        Some(true) => format!("{cause} (confirmed)"),
        Some(false) => format!("{cause} (it was no cut)"),
        None => cause.to_owned(),
    }
}
