//! `/v1/endpoints`: what the cluster leans on, as this agent's probes find it, and from where it is not reached.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::seconds;
use crate::calendar::Calendar;
use crate::detector::endpoints::reach::UnreachedFrom;
use crate::detector::endpoints::watch::{Breaker, EndpointState};
use crate::detector::outcome::{Cause, Outcome};
use crate::detector::view::{EndpointView, View};
use crate::probe::keeper::connection::{Close, Connection, Standing};
use crate::probe::prober::{Desk, Record};
use crate::probe::{Fact, Phases, Report};

/// Every endpoint, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Those of the configuration.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint, as seen from here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether a side that cannot reach it is a partition.
    pub partition: bool,
    /// Whether this agent probes it: of some only a sample does.
    pub probed: bool,
    /// What this agent's probes come to.
    pub state: State,
    /// Since when; null if this agent does not probe it.
    pub since: Option<String>,
    /// Why it is down; null while it is not.
    pub cause: Option<String>,
    /// What it says of itself, if that is the cause; else null.
    pub ailment: Option<String>,
    /// How many probes failed in a row.
    pub failures: u8,
    /// Where its circuit breaker stands; null if this agent does not probe it.
    pub breaker: Option<Breaker>,
    /// What the last probe found; null before the first has ended.
    pub probe: Option<LastProbe>,
    /// The connection that this agent holds to it; null if it holds none.
    pub connection: Option<HeldConnection>,
    /// From where it is not reached.
    pub unreached_from: UnreachedFrom,
    /// How many nodes do not reach it.
    pub unreached: usize,
    /// Their names, sorted; at most 100.
    pub nodes: Vec<String>,
    /// Their zones, where zones explain who does not reach it.
    pub zones: Vec<String>,
    /// How many nodes reach it.
    pub reached: usize,
    /// How many nodes probe it and do not know yet.
    pub undecided: usize,
}

/// What an agent's probes come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not known: not judged yet, not for long, or not probed from here.
    Unknown,
    /// Reached, and well.
    Up,
    /// Not reached, or not well.
    Down,
}

/// The last probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastProbe {
    /// When it ended.
    pub at: String,
    /// What it found.
    #[serde(flatten)]
    pub found: ProbeAnswer,
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// What came of it.
    pub outcome: ProbeOutcome,
    /// Why it failed; null if it did not.
    pub cause: Option<String>,
    /// What the endpoint says of itself, if that is the cause; else null.
    pub ailment: Option<String>,
    /// Why, in words; empty if all is well. It may quote the endpoint.
    pub detail: String,
    /// With whom it spoke; null if it did not come to that.
    pub address: Option<String>,
    /// How long all of it took.
    pub took_seconds: f64,
    /// How long each part took.
    pub phases: PhaseTimes,
    /// What the endpoint says of itself, by name.
    pub facts: Map<String, Value>,
}

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeOutcome {
    /// It answered as it should.
    Success,
    /// It did not.
    Failure,
    /// A fault of this machine kept it from being asked.
    Inconclusive,
}

/// How long each part of a probe took; null where it did not come to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// Finding the addresses of the name.
    pub dns_seconds: Option<f64>,
    /// Until the connection stood.
    pub connect_seconds: Option<f64>,
    /// The TLS handshake.
    pub tls_seconds: Option<f64>,
    /// From the first question to the last answer.
    pub exchange_seconds: Option<f64>,
}

/// The connection that an agent holds to an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldConnection {
    /// Whether it stands; null if that is not known: it was not tried yet, or a fault of this machine keeps it from being tried.
    pub up: Option<bool>,
    /// Since when it stands, or there is none.
    pub since: String,
    /// With whom; null while there is none.
    pub address: Option<String>,
    /// Why there is none, as the last trial found; null while it stands, and where nothing is known of the endpoint.
    pub cause: Option<String>,
    /// What the endpoint says of itself, if that is the cause; else null.
    pub ailment: Option<String>,
    /// Why, in words; empty while it stands. It may quote the endpoint.
    pub detail: String,
    /// How many connections were established, one after the other.
    pub established: u64,
    /// How many of them were lost.
    pub lost: u64,
    /// The last loss; null if none was lost.
    pub last_close: Option<LastClose>,
}

/// The last loss of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastClose {
    /// When.
    pub at: String,
    /// For how long it had stood.
    pub lasted_seconds: f64,
    /// Why; null for a fault of this machine.
    pub cause: Option<String>,
    /// What the endpoint says of itself, if that is the cause; else null.
    pub ailment: Option<String>,
    /// Why, in words: what the endpoint said last, if it said anything.
    pub detail: String,
}

impl Endpoints {
    /// The answer from a view, and from what the probes found.
    pub fn of(view: &View, desk: Option<&Desk>, calendar: Calendar) -> Self {
        let one = |endpoint: &EndpointView| Endpoint::of(endpoint, view, desk, calendar);
        Self { endpoints: view.endpoints.iter().map(one).collect() }
    }
}

impl Endpoint {
    /// What is said of one of them.
    pub fn of(endpoint: &EndpointView, view: &View, desk: Option<&Desk>, calendar: Calendar) -> Self {
        let EndpointView { settings, reach, .. } = endpoint;
        let desk = desk.filter(|_| endpoint.is_probed);
        let record = desk.and_then(|desk| desk.record(&settings.name));
        let connection = desk.and_then(|desk| desk.connection(&settings.name));
        let (state, cause) = match endpoint.state {
            EndpointState::Unknown => (State::Unknown, None),
            EndpointState::Up => (State::Up, None),
            EndpointState::Down(cause) => (State::Down, Some(cause)),
        };
        let [cause, ailment] = words(cause);
        Self {
            name: settings.name.clone(),
            kind: settings.kind.to_owned(),
            partition: settings.partition,
            probed: endpoint.is_probed,
            state,
            since: endpoint.state_for.map(|time| calendar.text(view.at - time)),
            cause,
            ailment,
            failures: endpoint.failures,
            breaker: endpoint.breaker,
            probe: record.map(|record| LastProbe::of(&record, calendar)),
            connection: connection.map(|connection| HeldConnection::of(&connection, calendar)),
            unreached_from: reach.unreached_from,
            unreached: reach.unreached,
            nodes: reach.nodes.clone(),
            zones: reach.zones.clone(),
            reached: reach.reached,
            undecided: reach.undecided,
        }
    }

    /// Whether somebody does not reach it, this agent or another.
    pub fn is_in_trouble(&self) -> bool {
        use UnreachedFrom::{Everywhere, SomeNodes, ThisSide};
        self.state == State::Down || matches!(self.unreached_from, SomeNodes | ThisSide | Everywhere)
    }

    /// What is judged, without the times of day and the last probe, which are others each time, and without the connection, by
    /// which nothing is judged.
    #[must_use]
    pub fn judgement(self) -> Self {
        Self { since: None, probe: None, connection: None, ..self }
    }
}

impl LastProbe {
    fn of(record: &Record, calendar: Calendar) -> Self {
        Self { at: calendar.text(record.at), found: ProbeAnswer::of(&record.report) }
    }
}

impl HeldConnection {
    fn of(held: &Connection, calendar: Calendar) -> Self {
        let (since, address, why) = match &held.standing {
            Standing::Up { since, address } => (since, address.map(|address| address.to_string()), None),
            Standing::Down { since, why } => (since, None, why.as_ref()),
        };
        let [cause, ailment] = words(why.and_then(|why| why.cause));
        Self {
            up: held.is_up(),
            since: calendar.text(*since),
            address,
            cause,
            ailment,
            detail: why.map(|why| why.detail.clone()).unwrap_or_default(),
            established: held.established,
            lost: held.lost_in_all(),
            last_close: held.last_close.as_ref().map(|close| LastClose::of(close, calendar)),
        }
    }
}

impl LastClose {
    fn of(close: &Close, calendar: Calendar) -> Self {
        let [cause, ailment] = words(close.why.cause);
        let (at, lasted_seconds) = (calendar.text(close.at), precise(close.lasted));
        Self { at, lasted_seconds, cause, ailment, detail: close.why.detail.clone() }
    }
}

impl ProbeAnswer {
    /// The answer from a report.
    pub fn of(report: &Report) -> Self {
        let (outcome, cause) = match report.outcome {
            Outcome::Success => (ProbeOutcome::Success, None),
            Outcome::Failure(cause) => (ProbeOutcome::Failure, Some(cause)),
            Outcome::Inconclusive => (ProbeOutcome::Inconclusive, None),
        };
        let [cause, ailment] = words(cause);
        Self {
            outcome,
            cause,
            ailment,
            detail: report.detail.clone(),
            address: report.shown_address(),
            took_seconds: precise(report.took),
            phases: PhaseTimes::of(&report.phases),
            facts: report.facts.iter().map(|(name, fact)| ((*name).to_owned(), value(fact))).collect(),
        }
    }
}

impl PhaseTimes {
    fn of(phases: &Phases) -> Self {
        Self {
            dns_seconds: phases.dns.map(precise),
            connect_seconds: phases.connect.map(precise),
            tls_seconds: phases.tls.map(precise),
            exchange_seconds: phases.exchange.map(precise),
        }
    }
}

/// A cause, and the ailment that it may be.
fn words(cause: Option<Cause>) -> [Option<String>; 2] {
    let ailment = cause.and_then(Cause::ailment).map(|ailment| ailment.as_str().to_owned());
    [cause.map(|cause| cause.as_str().to_owned()), ailment]
}

/// Seconds, to the microsecond: an endpoint nearby answers within one millisecond.
fn precise(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

fn value(fact: &Fact) -> Value {
    match fact {
        Fact::Word(word) => json!(word),
        Fact::Count(count) => json!(count),
        Fact::Flag(flag) => json!(flag),
        Fact::Time(time) => json!(seconds(*time)),
    }
}
