//! What the agent is told from outside: who belongs, by its discovery, and how to behave, by its configuration.

use super::collector::Scrape;
use super::family::Family;
use super::sheet::Sheet;

const DISCOVERY_UP: Family = Family::gauge(
    "netsplit_discovery_up",
    &[],
    "1 if the discovery answered when it was asked last, 0 if not; absent before it was asked",
);
const DISCOVERY_LAST_SUCCESS: Family = Family::gauge(
    "netsplit_discovery_last_success_timestamp_seconds",
    &[],
    "When the discovery answered last, since the epoch; absent if it never did",
);
const DISCOVERY_FAILURES: Family = Family::counter(
    "netsplit_discovery_failures_total",
    &["cause"],
    "Times that the discovery did not answer; nobody leaves by that",
);

pub(super) const FAMILIES: &[Family] = &[DISCOVERY_UP, DISCOVERY_LAST_SUCCESS, DISCOVERY_FAILURES];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let discovery = scrape.sources.discovery.borrow().clone();
    sheet.put_if_known(&DISCOVERY_UP, discovery.up);
    sheet.put_if_known(&DISCOVERY_LAST_SUCCESS, discovery.last_success);
    sheet.each(&DISCOVERY_FAILURES, discovery.failures().map(|(cause, count)| ([cause], count)));
}
