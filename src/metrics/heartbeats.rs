//! Heartbeats: how many, how far, how lossy, and how fast their loss is noticed.

use super::collector::Scrape;
use super::family::Family;
use super::sheet::{Buckets, Sheet};
use crate::agent::VERDICT_BOUNDS;
use crate::detector::link::LinkState;
use crate::detector::view::{DETECTION_BOUNDS, RTT_BOUNDS, Refusal, View};

const SENT: Family = Family::counter("netsplit_heartbeats_sent_total", &[], "Datagrams sent to peers");
const RECEIVED: Family =
    Family::counter("netsplit_heartbeats_received_total", &[], "Datagrams of peers that were authentic and fresh");
const MISSED: Family = Family::counter(
    "netsplit_heartbeats_missed_total",
    &[],
    "Heartbeats that did not come in time: first failures of links",
);
const REJECTED: Family = Family::counter(
    "netsplit_heartbeats_rejected_total",
    &["reason"],
    "Datagrams refused: wrong in form, not authentic, not fresh, or of nobody known",
);
const RTT: Family =
    Family::histogram("netsplit_heartbeat_rtt_seconds", "Round trip times between this agent and its peers");
const LOSS_RATIO: Family = Family::gauge(
    "netsplit_heartbeat_loss_ratio",
    &[],
    "Smoothed share of lost datagrams, 0 to 1: the mean over the links that are up; absent if none is",
);
const DEGRADED_LINKS: Family = Family::gauge(
    "netsplit_degraded_links",
    &[],
    "Links to this agent that are up and lose too much: since 10 %, until 3 %",
);
const PERIOD: Family =
    Family::gauge("netsplit_heartbeat_period_seconds", &[], "How often this agent sends each peer a heartbeat");
const DETECTION_BOUND: Family = Family::gauge(
    "netsplit_detection_bound_seconds",
    &[],
    "The longest time from the last datagram of a peer to the declaration that its link is down",
);
const DETECTION: Family = Family::histogram(
    "netsplit_detection_seconds",
    "Of each partition that opened, the time from the last datagram over the links that were cut to the decision",
);
const VERDICT_DURATION: Family =
    Family::histogram("netsplit_verdict_duration_seconds", "How long this agent took whenever it judged the matrix");

pub(super) const FAMILIES: &[Family] = &[
    SENT,
    RECEIVED,
    MISSED,
    REJECTED,
    RTT,
    LOSS_RATIO,
    DEGRADED_LINKS,
    PERIOD,
    DETECTION_BOUND,
    DETECTION,
    VERDICT_DURATION,
];

/// Each bound is a series, so not all that are counted are told. A rack, a zone, a region, a continent, a world.
const RTT_TOLD: [u64; 5] = [250, 1_000, 5_000, 25_000, 100_000];
/// The fast profile, the bound of the default, its 99th percentile and most, and those of the slow profile.
const DETECTION_TOLD: [u64; 6] = [500_000, 1_000_000, 2_500_000, 3_500_000, 5_000_000, 60_000_000];
/// The budgets of 1,000 and of 5,000 nodes, and between them.
const VERDICT_TOLD: [u64; 3] = [2_000, 10_000, 50_000];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let (view, counters) = (&*scrape.view, &scrape.view.counters);
    sheet.put(&SENT, counters.sent);
    sheet.put(&RECEIVED, counters.received);
    sheet.put(&MISSED, counters.missed);
    let by_detector =
        Refusal::ALL.map(|reason| (reason.as_str(), counters.refused.get(&reason).copied().unwrap_or_default()));
    let rejected = scrape.sources.counters.refused().chain(by_detector);
    sheet.each(&REJECTED, rejected.map(|(reason, count)| ([reason], count)));
    sheet.histogram(&RTT, Buckets::of(&counters.rtts, &RTT_BOUNDS, &RTT_TOLD));
    sheet.put_if_known(&LOSS_RATIO, mean_loss(view));
    sheet.put(&DEGRADED_LINKS, view.nodes.iter().filter(|node| node.is_degraded).count());
    sheet.put(&PERIOD, view.period);
    sheet.put(&DETECTION_BOUND, view.detection_bound);
    sheet.histogram(&DETECTION, Buckets::of(&counters.detections, &DETECTION_BOUNDS, &DETECTION_TOLD));
    let verdicts = scrape.sources.counters.verdicts();
    sheet.histogram(&VERDICT_DURATION, Buckets::of(&verdicts, &VERDICT_BOUNDS, &VERDICT_TOLD));
}

fn mean_loss(view: &View) -> Option<f64> {
    let up = view.nodes.iter().filter(|node| node.link == Some(LinkState::Up));
    let (sum, count) = up.fold((0.0, 0_u32), |(sum, count), node| (sum + node.loss, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_that_is_told_is_one_that_is_counted() {
        let told: [(&[u64], &[u64]); 3] =
            [(&RTT_TOLD, &RTT_BOUNDS), (&DETECTION_TOLD, &DETECTION_BOUNDS), (&VERDICT_TOLD, &VERDICT_BOUNDS)];
        for (told, counted) in told {
            assert!(told.iter().all(|bound| counted.contains(bound)), "{told:?} of {counted:?}");
        }
    }
}
