//! What the agent is told from outside: who belongs, by its discovery, and how to behave, by its configuration; and what of
//! that the alerts compare with.

use std::sync::atomic::Ordering;

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
const RELOAD_SUCCESSFUL: Family = Family::gauge(
    "netsplit_config_last_reload_successful",
    &[],
    "1 if the configuration file as it was last read is in force, 0 if it was refused and the one before stays",
);
const RELOAD_LAST_SUCCESS: Family = Family::gauge(
    "netsplit_config_last_reload_success_timestamp_seconds",
    &[],
    "When a configuration last came into force, since the epoch; the start counts",
);
const RELOAD_FAILURES: Family =
    Family::counter("netsplit_config_reload_failures_total", &[], "Configuration files that were refused");
const KAFKA_CONSUMER_LAG: Family = Family::gauge(
    "netsplit_kafka_consumer_lag_threshold_messages",
    &[],
    "From how many messages on a consumer group of Kafka lags, as the configuration says; for alerts to compare with",
);

pub(super) const FAMILIES: &[Family] = &[
    DISCOVERY_UP,
    DISCOVERY_LAST_SUCCESS,
    DISCOVERY_FAILURES,
    RELOAD_SUCCESSFUL,
    RELOAD_LAST_SUCCESS,
    RELOAD_FAILURES,
    KAFKA_CONSUMER_LAG,
];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let discovery = scrape.sources.discovery.borrow().clone();
    sheet.put_if_known(&DISCOVERY_UP, discovery.up);
    sheet.put_if_known(&DISCOVERY_LAST_SUCCESS, discovery.last_success);
    sheet.each(&DISCOVERY_FAILURES, discovery.failures().map(|(cause, count)| ([cause], count)));
    if let Some(reloads) = &scrape.sources.reloads {
        sheet.put(&RELOAD_SUCCESSFUL, reloads.last_successful());
        sheet.put(&RELOAD_LAST_SUCCESS, reloads.last_success());
        sheet.put(&RELOAD_FAILURES, reloads.failures());
    }
    let threshold = scrape.sources.kafka_consumer_lag.as_ref();
    sheet.put_if_known(&KAFKA_CONSUMER_LAG, threshold.map(|messages| messages.load(Ordering::Relaxed)));
}
