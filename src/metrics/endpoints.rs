//! Endpoints: whether each is reached from here, why not, from where else it is not, and what its probes come to.
//!
//! Their names are those of the configuration, which lists 1,000 at most. Each has [`SERIES_EACH`] series at most, and
//! [`SERIES_KEPT`] more if a connection is held to it (to 100 at most), all of them only where this agent probes it: who does not would only repeat what the others say. What is one of several words is one
//! series with the word that holds now, and not one for each word. Phases and facts of a probe are in `/v1/endpoints`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::collector::Scrape;
use super::family::Family;
use super::sheet::{Number, Sheet};
use crate::calendar::Calendar;
use crate::detector::endpoints::reach::UnreachedFrom;
use crate::detector::endpoints::watch::EndpointState;
use crate::detector::outcome::Ailment;
use crate::detector::view::EndpointView;
use crate::probe::keeper::connection::{Connection, Standing};
use crate::probe::prober::{Record, Tally};
use crate::probe::{Fact, Report};

/// How many series one endpoint has at most; two less while it is up and has no certificate.
pub const SERIES_EACH: usize = 9;

/// How many more it has at most if a connection is held to it: one for each cause for which it was lost, and three.
pub const SERIES_KEPT: usize = 13;

/// For these causes a connection is lost mostly. Their counters are there from the start: the first loss is a change.
const USUAL_LOSSES: [&str; 3] = ["reset", "timeout", "unhealthy"];

/// The fact of a report that says when the certificate of the endpoint expires.
const CERTIFICATE_EXPIRES: &str = "certificate_expires";

const UP: Family = Family::gauge(
    "netsplit_endpoint_up",
    &["endpoint", "type"],
    "1 if this agent reaches the endpoint, 0 if not; absent while it does not know, and where it does not probe it",
);
const DOWN: Family = Family::gauge(
    "netsplit_endpoint_down",
    &["endpoint", "type", "cause", "ailment"],
    "1 for each endpoint that this agent does not reach, with the cause of the last failure",
);
const UNREACHED: Family = Family::gauge(
    "netsplit_endpoint_unreached",
    &["endpoint", "type", "from"],
    "1 with from where the endpoint is not reached, as far as this agent hears others; absent while nobody knows",
);
const PROBES: Family = Family::counter(
    "netsplit_endpoint_probes_total",
    &["endpoint", "type", "outcome"],
    "Probes of the endpoint by this agent that ended, by what came of them",
);
const DURATION: Family = Family::gauge(
    "netsplit_endpoint_probe_duration_seconds",
    &["endpoint", "type"],
    "How long the last probe of the endpoint by this agent took, whatever came of it",
);
const BREAKER: Family = Family::gauge(
    "netsplit_endpoint_breaker",
    &["endpoint", "type", "state"],
    "1 with where the circuit breaker of the endpoint stands",
);
const CERTIFICATE_EXPIRY: Family = Family::gauge(
    "netsplit_endpoint_certificate_expiry_timestamp_seconds",
    &["endpoint", "type"],
    "When the certificate that the endpoint showed last expires, since the epoch",
);

const CONNECTION_UP: Family = Family::gauge(
    "netsplit_endpoint_connection_up",
    &["endpoint", "type"],
    "1 while the connection stands that this agent holds to the endpoint, 0 if not; absent while that is not known",
);
const CONNECTION_ESTABLISHED: Family = Family::gauge(
    "netsplit_endpoint_connection_established_timestamp_seconds",
    &["endpoint", "type"],
    "When the connection that is held to the endpoint was established, since the epoch; absent while there is none",
);
const CONNECTIONS: Family = Family::counter(
    "netsplit_endpoint_connections_total",
    &["endpoint", "type"],
    "Connections that were established to be held to the endpoint, one after the other",
);
const CONNECTION_LOSSES: Family = Family::counter(
    "netsplit_endpoint_connection_losses_total",
    &["endpoint", "type", "cause"],
    "Connections held to the endpoint that were lost, by the cause",
);

pub(super) const FAMILIES: &[Family] = &[
    UP,
    DOWN,
    UNREACHED,
    PROBES,
    DURATION,
    BREAKER,
    CERTIFICATE_EXPIRY,
    CONNECTION_UP,
    CONNECTION_ESTABLISHED,
    CONNECTIONS,
    CONNECTION_LOSSES,
];

/// An endpoint that this agent probes, and what its probes found.
struct Probed<'a> {
    view: &'a EndpointView,
    record: Option<Record>,
    connection: Option<Connection>,
}

/// One series for each endpoint of which there is something to say.
type Series<'a, const N: usize, V> = Vec<([&'a str; N], V)>;

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let desk = scrape.sources.probes.as_ref();
    let probed = scrape.view.endpoints.iter().filter(|endpoint| endpoint.is_probed);
    let found = |view| {
        let name = name(view);
        let (record, connection) = desk.map(|desk| (desk.record(name), desk.connection(name))).unwrap_or_default();
        Probed { view, record, connection }
    };
    let probed: Vec<Probed<'_>> = probed.map(found).collect();
    if probed.is_empty() {
        return;
    }
    if !scrape.is_stale {
        fill_judgements(sheet, &probed);
    }
    sheet.each(&PROBES, probed.iter().flat_map(probes));
    sheet.each(&DURATION, of_reports(&probed, |report| Some(report.took)));
    sheet.each(&CERTIFICATE_EXPIRY, of_reports(&probed, expiry));
    fill_connections(sheet, &probed, scrape.calendar);
}

/// What the thread that holds connections says, and no loop judges.
fn fill_connections(sheet: &mut Sheet, probed: &[Probed<'_>], calendar: Calendar) {
    let held = || probed.iter().filter_map(|endpoint| Some((of(endpoint.view), endpoint.connection.as_ref()?)));
    sheet.each(&CONNECTION_UP, held().filter_map(|(labels, held)| Some((labels, held.is_up()?))));
    let established = held().filter_map(|(labels, held)| match held.standing {
        // To the millisecond, as in `partitions`: a value that trembles costs a Prometheus space.
        Standing::Up { since, .. } => Some((labels, calendar.at(since).as_millisecond() as f64 / 1000.0)),
        Standing::Down { .. } => None,
    });
    sheet.each(&CONNECTION_ESTABLISHED, established);
    sheet.each(&CONNECTIONS, held().map(|(labels, held)| (labels, held.established)));
    let losses = held().flat_map(|([endpoint, kind], held)| {
        let usual = USUAL_LOSSES.into_iter().map(|cause| (cause, 0));
        let losses: BTreeMap<&str, u64> =
            usual.chain(held.losses.iter().map(|(cause, count)| (*cause, *count))).collect();
        losses.into_iter().map(move |(cause, count)| ([endpoint, kind, cause], count))
    });
    sheet.each(&CONNECTION_LOSSES, losses);
}

/// What a loop that stands still says no more.
fn fill_judgements(sheet: &mut Sheet, probed: &[Probed<'_>]) {
    let views = || probed.iter().map(|endpoint| endpoint.view);
    let up = views().filter_map(|view| Some((of(view), is_up(view.state)?)));
    sheet.each(&UP, up);
    let down = views().filter_map(|view| {
        let ([endpoint, kind], [cause, ailment]) = (of(view), cause(view.state)?);
        Some(([endpoint, kind, cause, ailment], true))
    });
    sheet.each(&DOWN, down);
    let known = views().filter(|view| view.reach.unreached_from != UnreachedFrom::Unknown);
    let unreached = known.map(|view| ([name(view), view.settings.kind, view.reach.unreached_from.as_str()], true));
    sheet.each(&UNREACHED, unreached);
    let breakers = views().filter_map(|view| Some(([name(view), view.settings.kind, view.breaker?.as_str()], true)));
    sheet.each(&BREAKER, breakers);
}

fn name(view: &EndpointView) -> &str {
    &view.settings.name
}

/// The labels that all have.
fn of(view: &EndpointView) -> [&str; 2] {
    [name(view), view.settings.kind]
}

/// Unknown is neither.
fn is_up(state: EndpointState) -> Option<bool> {
    match state {
        EndpointState::Unknown => None,
        EndpointState::Up => Some(true),
        EndpointState::Down(_) => Some(false),
    }
}

fn cause(state: EndpointState) -> Option<[&'static str; 2]> {
    let EndpointState::Down(cause) = state else { return None };
    Some([cause.as_str(), cause.ailment().map_or("", Ailment::as_str)])
}

/// Counters are there before the first probe has ended.
fn probes<'a>(endpoint: &Probed<'a>) -> [([&'a str; 3], u64); 3] {
    let Tally { successes, failures, inconclusive } =
        endpoint.record.as_ref().map(|record| record.tally).unwrap_or_default();
    let counts = [("success", successes), ("failure", failures), ("inconclusive", inconclusive)];
    counts.map(|(outcome, count)| ([name(endpoint.view), endpoint.view.settings.kind, outcome], count))
}

fn of_reports<'a, V: Number>(probed: &[Probed<'a>], value: impl Fn(&Report) -> Option<V>) -> Series<'a, 2, V> {
    let reports = probed.iter().filter_map(|endpoint| {
        let report = Arc::clone(&endpoint.record.as_ref()?.report);
        Some((of(endpoint.view), value(&report)?))
    });
    reports.collect()
}

fn expiry(report: &Report) -> Option<f64> {
    let (_, expires) = report.facts.iter().find(|(name, _)| *name == CERTIFICATE_EXPIRES)?;
    let Fact::Word(time) = expires else { return None };
    let time: Timestamp = time.parse().ok()?;
    Some(time.as_second() as f64)
}
