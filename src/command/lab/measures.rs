//! How long things took, read from what the agents themselves wrote. Shown beside their bounds; they decide nothing.

use std::time::Duration;

use netsplit::agent::Record;
use netsplit::detector::event::Event;
use netsplit::detector::time::Now;

/// The longest silence after which one of these agents declared a link down.
pub(super) fn link_down<'a>(records: impl Iterator<Item = &'a Record>) -> Option<Duration> {
    let links = records.filter_map(|record| match record.decision()? {
        Event::LinkDown { links } => Some(links),
        _ => None,
    });
    links.flatten().filter_map(|link| link.silent_for).max()
}

/// The longest time from the last datagram over the cut to an opened partition.
pub(super) fn partition<'a>(records: impl Iterator<Item = &'a Record>) -> Option<Duration> {
    let times = records.filter_map(|record| match record.decision()? {
        Event::PartitionOpened(partition) => Some(partition.detection),
        _ => None,
    });
    times.max()
}

/// The longest time from the heal to the end of a partition, or of a node's silence.
pub(super) fn closed<'a>(records: impl Iterator<Item = &'a Record>, heal: Now) -> Option<Duration> {
    let ends = |event: &Event| matches!(event, Event::PartitionClosed { .. } | Event::NodeHeard { .. });
    records.filter(|record| record.decision().is_some_and(ends)).map(|record| record.at.since(heal)).max()
}

/// Seconds as they are shown, to the hundredth.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
