//! Endpoints as an agent sees them, by hand: one that is reached, one that says itself that it is unwell, one of which nothing
//! is known yet, and one that others probe; and what the probes of the first two found.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use netsplit::detector::endpoints::reach::{Reach, UnreachedFrom};
use netsplit::detector::endpoints::settings::{EndpointSettings, From, ProbeSchedule};
use netsplit::detector::endpoints::watch::{Breaker, EndpointState};
use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::detector::time::Now;
use netsplit::detector::view::EndpointView;
use netsplit::probe::icmp::Icmp;
use netsplit::probe::keeper::connection::Why;
use netsplit::probe::prober::{Desk, Targets};
use netsplit::probe::{Check, Fact, Host, Phases, Report, Target};

/// When the certificate of the first one expires.
pub(crate) const EXPIRES: &str = "2027-01-15T08:00:00Z";

fn schedule() -> ProbeSchedule {
    let threshold = |count| NonZeroU8::new(count).unwrap_or(NonZeroU8::MIN);
    ProbeSchedule {
        period: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        confirm_period: Duration::from_secs(5),
        failure_threshold: threshold(3),
        success_threshold: threshold(2),
    }
}

/// An endpoint that this agent probes and of which it knows nothing yet.
pub(crate) fn unknown(name: &str, kind: &'static str) -> EndpointView {
    let settings =
        EndpointSettings { name: name.into(), kind, schedule: schedule(), from: From::All, partition: false };
    EndpointView {
        settings: Arc::new(settings),
        is_probed: true,
        state: EndpointState::Unknown,
        state_for: Some(Duration::from_secs(4)),
        failures: 0,
        breaker: Some(Breaker::Closed),
        judged_before: None,
        reach: Arc::default(),
    }
}

/// One that everybody reaches.
pub(crate) fn up(name: &str, kind: &'static str) -> EndpointView {
    let reach = Reach { unreached_from: UnreachedFrom::Nowhere, reached: 4, ..Reach::default() };
    EndpointView {
        state: EndpointState::Up,
        judged_before: Some(Duration::from_secs(2)),
        reach: Arc::new(reach),
        ..unknown(name, kind)
    }
}

/// One that this agent and another do not reach.
pub(crate) fn down(name: &str, kind: &'static str, cause: Cause) -> EndpointView {
    let reach = Reach {
        unreached_from: UnreachedFrom::SomeNodes,
        unreached: 2,
        nodes: vec!["node-1".to_owned(), "node-2".to_owned()],
        zones: vec!["west".to_owned()],
        reached: 1,
        undecided: 1,
    };
    EndpointView {
        state: EndpointState::Down(cause),
        failures: 7,
        breaker: Some(Breaker::Open),
        reach: Arc::new(reach),
        ..up(name, kind)
    }
}

/// All of them, by name.
pub(crate) fn endpoints() -> Vec<EndpointView> {
    let mut central = unknown("central-prometheus", "http");
    central.settings = Arc::new(EndpointSettings { partition: true, ..(*central.settings).clone() });
    let others = EndpointView { is_probed: false, state_for: None, breaker: None, ..unknown("registry", "registry") };
    let unwell = Cause::Unhealthy(Ailment::ReplicationDown);
    vec![up("cache", "redis"), central, down("orders-database", "postgres", unwell), others]
}

fn report(outcome: Outcome, port: u16) -> Report {
    let milliseconds = |count| Some(Duration::from_millis(count));
    Report {
        outcome,
        detail: String::new(),
        address: Some((IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)), port).into()),
        phases: Phases {
            dns: milliseconds(1),
            connect: milliseconds(2),
            tls: milliseconds(3),
            exchange: milliseconds(4),
        },
        took: Duration::from_millis(10),
        facts: Vec::new(),
    }
}

/// What the probes of the first and of the third found: three and two, the last of which ended in second 8.
pub(crate) fn desk() -> Arc<Desk> {
    let desk = Desk::default();
    let check = Check::Icmp(Icmp { host: Host::Ip(Ipv4Addr::LOCALHOST.into()) });
    let target =
        |name: &str| (name.to_owned(), Target { check: check.clone(), timeout: Duration::from_secs(5) }.into());
    let mut targets = Targets::from(["cache", "central-prometheus", "orders-database", "registry"].map(target));
    for name in ["cache", "orders-database"] {
        targets.get_mut(name).unwrap().keep = Some(Duration::from_secs(30));
    }
    desk.change_targets(targets);
    let at = Now::at(Duration::from_secs(8));
    let word = |word: &str| Fact::Word(word.to_owned());
    let sound = Report {
        facts: vec![
            ("certificate_expires", word(EXPIRES)),
            ("replicas", Fact::Count(2)),
            ("lag", Fact::Time(Duration::from_millis(1500))),
            ("in_recovery", Fact::Flag(false)),
        ],
        ..report(Outcome::Success, 6379)
    };
    let cause = Cause::Unhealthy(Ailment::ReplicationDown);
    let unwell = Report {
        detail: "the link to its primary is down".to_owned(),
        phases: Phases::default(),
        ..report(Outcome::Failure(cause), 0)
    };
    let asleep = Report { address: None, ..report(Outcome::Inconclusive, 0) };
    for (name, report) in [
        ("cache", &asleep),
        ("cache", &sound),
        ("cache", &sound),
        ("orders-database", &sound),
        ("orders-database", &unwell),
        ("nobody", &sound),
    ] {
        desk.keep(name, report.clone(), at);
    }
    hold(&desk);
    Arc::new(desk)
}

/// The connection to the first stands again since second 6, that to the third was lost in second 7 and there is none since.
fn hold(desk: &Desk) {
    let at = |second| Now::at(Duration::from_secs(second));
    let why = |cause, detail: &str| Why { cause: Some(cause), detail: detail.to_owned() };
    let address = |port| Some((IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)), port).into());
    let stops = Cause::Unhealthy(Ailment::NotServing);
    let ended = why(stops, "terminating connection due to administrator command (57P01)");
    let starts = why(stops, "the database system is starting up (57P03)");
    desk.change_connection("cache", at(1), |held, now| held.establish(address(6379), now));
    desk.change_connection("cache", at(5), |held, now| held.lose(why(Cause::Tls, "received fatal alert"), now));
    desk.change_connection("cache", at(6), |held, now| held.establish(address(6379), now));
    desk.change_connection("orders-database", at(2), |held, now| held.establish(address(5432), now));
    desk.change_connection("orders-database", at(7), |held, now| held.lose(ended, now));
    desk.change_connection("orders-database", at(8), |held, _| held.fail(starts));
}
