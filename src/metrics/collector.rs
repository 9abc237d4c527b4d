//! The collector: fills a sheet from one view and what was counted beside it.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::Family;
use super::sheet::Sheet;
use super::{cluster, endpoints, health, heartbeats, partitions, peers, process, storage, surroundings};
use crate::calendar::Calendar;
use crate::detector::view::View;
use crate::sources::Sources;

/// How many series there are at most, whatever the size of the cluster and whatever happens to it, but for endpoints.
pub const LIMIT: usize = 200;

/// Every family that there can be.
pub fn families() -> impl Iterator<Item = &'static Family> {
    let process = process::FAMILIES;
    ours().chain(process)
}

fn ours() -> impl Iterator<Item = &'static Family> {
    let of_the_cluster =
        [cluster::FAMILIES, peers::FAMILIES, heartbeats::FAMILIES, partitions::FAMILIES, endpoints::FAMILIES];
    let of_the_agent = [health::FAMILIES, storage::FAMILIES, surroundings::FAMILIES];
    of_the_cluster.into_iter().chain(of_the_agent).flatten()
}

/// What a scrape reads: one view, so that its series agree with each other.
pub(super) struct Scrape<'a> {
    pub(super) sources: &'a Sources,
    pub(super) view: Arc<View>,
    pub(super) calendar: Calendar,
    /// The loop does not turn any more: nothing here is judged by now.
    pub(super) is_stale: bool,
}

/// How old a view may be whose judgements are told, or as old as the timeout, if that is longer. `/healthz` goes by the same.
const FRESH: Duration = Duration::from_secs(5);

/// Everything but the process.
pub(super) struct Everything {
    sources: Sources,
    descs: Vec<Desc>,
}

impl Everything {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, descs: ours().map(Family::desc).collect() }
    }
}

impl Collector for Everything {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (sources, view) = (&self.sources, self.sources.view());
        let calendar = Calendar { now: sources.times.now(), wall: sources.times.wall() };
        let is_stale = calendar.now.since(view.at) > FRESH.max(view.timeout);
        let scrape = Scrape { sources, view, calendar, is_stale };
        let mut sheet = Sheet::default();
        cluster::fill(&mut sheet, &scrape);
        heartbeats::fill(&mut sheet, &scrape);
        partitions::fill(&mut sheet, &scrape);
        health::fill(&mut sheet, &scrape);
        storage::fill(&mut sheet, &scrape);
        surroundings::fill(&mut sheet, &scrape);
        // Last of what the limit is for: it names as many nodes as there is room for.
        peers::fill(&mut sheet, &scrape, LIMIT - process::SERIES);
        endpoints::fill(&mut sheet, &scrape);
        sheet.into_families()
    }
}
