//! What is written to disk: the state, and the audit log.

use std::time::Duration;

use super::collector::Scrape;
use super::family::Family;
use super::sheet::{Buckets, Sheet};
use crate::audit::{Counters, SYNC_BOUNDS};

const STATE_WRITES: Family =
    Family::counter("netsplit_state_writes_total", &[], "States that became durable in the state directory");
const STATE_ERRORS: Family =
    Family::counter("netsplit_state_errors_total", &[], "Attempts to write the state that failed");
const STATE_LAST_SUCCESS: Family = Family::gauge(
    "netsplit_state_last_success_timestamp_seconds",
    &[],
    "When a state became durable last, since the epoch; absent before the first",
);

const RECORDS: Family =
    Family::counter("netsplit_audit_records_total", &[], "Records of the audit log that became durable");
const ERRORS: Family =
    Family::counter("netsplit_audit_errors_total", &[], "Attempts to write the audit log that failed");
const QUEUE: Family = Family::gauge("netsplit_audit_queue_records", &[], "Records that wait for the disk");
const LOST: Family = Family::counter(
    "netsplit_audit_lost_records_total",
    &[],
    "Records that are gone, because too many waited for the disk",
);
const FAILING: Family = Family::gauge(
    "netsplit_audit_failing",
    &[],
    "1 if the audit log could not be written last, or its disk hangs; else 0",
);
const STDOUT_LOST: Family = Family::counter(
    "netsplit_audit_stdout_lost_records_total",
    &[],
    "Records that did not go to standard output, because nobody read it fast enough",
);
const SYNC_DURATION: Family = Family::histogram(
    "netsplit_audit_sync_duration_seconds",
    "How long the disk took to make records of the audit log durable",
);

pub(super) const FAMILIES: &[Family] = &[
    STATE_WRITES,
    STATE_ERRORS,
    STATE_LAST_SUCCESS,
    RECORDS,
    ERRORS,
    QUEUE,
    LOST,
    FAILING,
    STDOUT_LOST,
    SYNC_DURATION,
];

/// Of the bounds that are counted those that are told: a good disk, a bad one, and one that hangs.
const SYNC_TOLD: [Duration; 3] = [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(2)];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    if let Some(state) = &scrape.sources.state {
        sheet.put(&STATE_WRITES, state.writes());
        sheet.put(&STATE_ERRORS, state.errors());
        sheet.put_if_known(&STATE_LAST_SUCCESS, state.last_success());
    }
    if let Some(audit) = &scrape.sources.audit {
        fill_audit(sheet, &audit.counters);
    }
}

fn fill_audit(sheet: &mut Sheet, counters: &Counters) {
    sheet.put(&RECORDS, counters.records());
    sheet.put(&ERRORS, counters.errors());
    sheet.put(&QUEUE, counters.queued());
    sheet.put(&LOST, counters.lost());
    sheet.put(&FAILING, counters.is_failing());
    sheet.put(&STDOUT_LOST, counters.stdout_lost());
    let syncs = counters.syncs();
    let within = SYNC_BOUNDS.iter().zip(syncs.within).filter(|(bound, _)| SYNC_TOLD.contains(bound));
    let within = within.map(|(bound, count)| (bound.as_secs_f64(), count)).collect();
    sheet.histogram(&SYNC_DURATION, Buckets { within, count: syncs.count, sum: syncs.sum });
}
