//! Endpoints: whether each is reached from here, why not, from where else it is not, and what its probes come to.
//!
//! Their names are those of the configuration, which lists 1,000 at most. Each has [`SERIES_EACH`] series at most, all of them
//! only where this agent probes it: who does not would only repeat what the others say. What is one of several words is one
//! series with the word that holds now, and not one for each word. Phases and facts of a probe are in `/v1/endpoints`.

use std::sync::Arc;

use jiff::Timestamp;

use super::collector::Scrape;
use super::family::Family;
use super::sheet::{Number, Sheet};
use crate::detector::endpoints::reach::UnreachedFrom;
use crate::detector::endpoints::watch::EndpointState;
use crate::detector::outcome::Ailment;
use crate::detector::view::EndpointView;
use crate::probe::prober::{Record, Tally};
use crate::probe::{Fact, Report};

/// How many series one endpoint has at most; two less while it is up and has no certificate.
pub const SERIES_EACH: usize = 9;

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

pub(super) const FAMILIES: &[Family] = &[UP, DOWN, UNREACHED, PROBES, DURATION, BREAKER, CERTIFICATE_EXPIRY];

/// An endpoint that this agent probes, and what its probes found.
struct Probed<'a> {
    view: &'a EndpointView,
    record: Option<Record>,
}

/// One series for each endpoint of which there is something to say.
type Series<'a, const N: usize, V> = Vec<([&'a str; N], V)>;

pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>) {
    let desk = scrape.sources.probes.as_ref();
    let probed = scrape.view.endpoints.iter().filter(|endpoint| endpoint.is_probed);
    let record = |endpoint: &EndpointView| desk.and_then(|desk| desk.record(&endpoint.settings.name));
    let probed: Vec<Probed<'_>> = probed.map(|view| Probed { view, record: record(view) }).collect();
    if probed.is_empty() {
        return;
    }
    if !scrape.is_stale {
        fill_judgements(sheet, &probed);
    }
    sheet.each(&PROBES, probed.iter().flat_map(probes));
    sheet.each(&DURATION, of_reports(&probed, |report| Some(report.took)));
    sheet.each(&CERTIFICATE_EXPIRY, of_reports(&probed, expiry));
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
