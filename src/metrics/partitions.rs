//! Partitions: which kinds are open, since when and how they lie, and how many there were.

use std::time::Duration;

use super::collector::Scrape;
use super::family::Family;
use super::sheet::Sheet;
use crate::detector::partition::{Partition, PartitionKind};
use crate::detector::view::View;

const ACTIVE: Family = Family::gauge(
    "netsplit_partition_active",
    &["kind"],
    "1 if this agent sees a partition of this kind, 0 if not; absent while it cannot tell and knows of none",
);
const OPENED: Family =
    Family::counter("netsplit_partitions_total", &["kind"], "Partitions opened, by the kind that they had then");
const SIDE_NODES: Family = Family::gauge(
    "netsplit_partition_side_nodes",
    &["kind", "side"],
    "Nodes on this agent's side of an open partition, and on all other sides together; absent while none is open",
);
const OPENED_TIMESTAMP: Family = Family::gauge(
    "netsplit_partition_opened_timestamp_seconds",
    &["kind"],
    "When the partition of this kind opened, since the epoch; absent while none is open",
);
const SECONDS: Family = Family::counter(
    "netsplit_partition_seconds_total",
    &[],
    "For how long partitions were open: those that are over, and those that are not",
);

pub(super) const FAMILIES: &[Family] = &[ACTIVE, OPENED, SIDE_NODES, OPENED_TIMESTAMP, SECONDS];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let view = &*scrape.view;
    let is_told = !scrape.is_stale;
    let kinds = || PartitionKind::ALL.into_iter().filter(|_| is_told);
    let open = || kinds().filter_map(|kind| Some((kind.as_str(), first(view, kind)?)));
    if is_told && (view.judged || !view.partitions.is_empty()) {
        sheet.each(&ACTIVE, PartitionKind::ALL.map(|kind| ([kind.as_str()], first(view, kind).is_some())));
    }
    let opened = |kind| view.counters.partitions.get(&kind).copied().unwrap_or_default();
    sheet.each(&OPENED, PartitionKind::ALL.map(|kind| ([kind.as_str()], opened(kind))));
    let sides = open().flat_map(|(kind, partition)| {
        let [own, other] = sizes(partition);
        [([kind, "own"], own), ([kind, "other"], other)]
    });
    sheet.each(&SIDE_NODES, sides);
    sheet.each(&OPENED_TIMESTAMP, open().map(|(kind, partition)| ([kind], opened_at(partition, scrape))));
    sheet.put(&SECONDS, partitioned(view));
}

/// The one of this kind that has been open longest.
fn first(view: &View, kind: PartitionKind) -> Option<&Partition> {
    view.partitions.iter().filter(|partition| partition.kind == kind).min_by_key(|partition| partition.opened)
}

fn sizes(partition: &Partition) -> [usize; 2] {
    let mut counts = partition.sides.iter().map(|side| side.count);
    [counts.next().unwrap_or_default(), counts.sum()]
}

/// To the millisecond: the two clocks are not read at one instant, and a value that trembles costs a Prometheus space.
fn opened_at(partition: &Partition, scrape: &Scrape<'_>) -> f64 {
    scrape.calendar.at(partition.opened).as_millisecond() as f64 / 1000.0
}

/// Up to the view, and not up to now: it may close in the next view, at a time before now, and a counter never falls.
fn partitioned(view: &View) -> Duration {
    let running = view.partitions.iter().map(|partition| view.at.since(partition.opened));
    view.counters.partitioned + running.sum::<Duration>()
}
