//! What this agent knows against itself: it did not run, cannot judge, or its socket and keys give it trouble.

use super::collector::Scrape;
use super::family::Family;
use super::sheet::Sheet;
use crate::detector::event::BlindCause;

const BLIND: Family = Family::gauge("netsplit_blind", &["cause"], "1 if this agent cannot judge, by the cause; else 0");
const IMPAIRED: Family =
    Family::gauge("netsplit_impaired", &[], "1 while this agent distrusts its own row, and others do; else 0");
const STALLS: Family =
    Family::counter("netsplit_stalls_total", &[], "Times that this agent did not run when it should");
const STALLED: Family = Family::counter("netsplit_stalled_seconds_total", &[], "For how long it did not run, in all");
const DROPPED: Family = Family::counter(
    "netsplit_socket_dropped_datagrams_total",
    &[],
    "Datagrams that arrived and were dropped, because this agent did not read its socket in time",
);
const SEND_ERRORS: Family = Family::counter(
    "netsplit_send_errors_total",
    &[],
    "Datagrams that could not be sent: a local fact, nobody's silence",
);
const RECEIVE_ERRORS: Family =
    Family::counter("netsplit_receive_errors_total", &[], "Times that reading the socket failed");
const CLOCKS_AHEAD: Family = Family::counter(
    "netsplit_clocks_ahead_total",
    &[],
    "Datagrams stamped by a clock so far ahead of this node's that the stamp was left out",
);
const KEYS: Family =
    Family::gauge("netsplit_authentication_keys", &[], "Keys that vouch for datagrams now; 0 without authentication");
const KEY_RELOADS: Family =
    Family::counter("netsplit_key_reloads_total", &[], "Times that other keys took the place of those before");
const KEY_RELOAD_FAILURES: Family = Family::counter(
    "netsplit_key_reload_failures_total",
    &[],
    "Times that the keys could not be read again, and those before stayed",
);
const KEYS_LACKED: Family = Family::counter(
    "netsplit_keys_lacked_total",
    &[],
    "Newest keys of peers that this agent lacks, counted once for each peer and key",
);

pub(super) const FAMILIES: &[Family] = &[
    BLIND,
    IMPAIRED,
    STALLS,
    STALLED,
    DROPPED,
    SEND_ERRORS,
    RECEIVE_ERRORS,
    CLOCKS_AHEAD,
    KEYS,
    KEY_RELOADS,
    KEY_RELOAD_FAILURES,
    KEYS_LACKED,
];

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let (view, counters) = (&*scrape.view, &*scrape.sources.counters);
    sheet.each(&BLIND, BlindCause::ALL.map(|cause| ([cause.as_str()], view.blind_cause == Some(cause))));
    sheet.put(&IMPAIRED, view.impaired);
    sheet.put(&STALLS, view.counters.stalls);
    sheet.put(&STALLED, view.counters.stalled);
    sheet.put(&DROPPED, view.counters.dropped);
    sheet.put(&SEND_ERRORS, view.counters.send_errors);
    sheet.put(&RECEIVE_ERRORS, counters.receive_errors());
    sheet.put(&CLOCKS_AHEAD, counters.clocks_ahead());
    sheet.put(&KEYS, counters.keys());
    sheet.put(&KEY_RELOADS, counters.key_reloads());
    sheet.put(&KEY_RELOAD_FAILURES, counters.key_reload_failures());
    sheet.put(&KEYS_LACKED, counters.keys_lacked());
}
