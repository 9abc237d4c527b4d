//! What is written to disk: the state, and the audit log.

use super::collector::Scrape;
use super::family::Family;
use super::sheet::Sheet;

const STATE_WRITES: Family =
    Family::counter("netsplit_state_writes_total", &[], "States that became durable in the state directory");
const STATE_ERRORS: Family =
    Family::counter("netsplit_state_errors_total", &[], "Attempts to write the state that failed");
const STATE_LAST_SUCCESS: Family = Family::gauge(
    "netsplit_state_last_success_timestamp_seconds",
    &[],
    "When a state became durable last, since the epoch; absent before the first",
);

pub(super) const FAMILIES: &[Family] = &[STATE_WRITES, STATE_ERRORS, STATE_LAST_SUCCESS];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    if let Some(state) = &scrape.sources.state {
        sheet.put(&STATE_WRITES, state.writes());
        sheet.put(&STATE_ERRORS, state.errors());
        sheet.put_if_known(&STATE_LAST_SUCCESS, state.last_success());
    }
}
