//! What the tests of all databases share: how one asks, and what is seen.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use netsplit::clock::Clock;
use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::{self, Address, Check, Credentials, Fact, Host, Report, Target, Tls};

use super::faults::{Certificates, LONG, Shows, fails, probed};
pub(crate) use super::group::output_of;

/// What one probe finds out, which is nothing bad.
#[track_caller]
pub(crate) fn succeeds(check: Check) -> Report {
    let report = probed(check, LONG);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    assert_eq!(report.detail, "");
    report
}

/// What one probe finds out, which is this ailment.
#[track_caller]
pub(crate) fn is_unhealthy(check: Check, ailment: Ailment) -> Report {
    let report = probed(check, LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Unhealthy(ailment)), "{report:?}");
    report
}

/// Probes many times, one after the other; all of them find the same.
pub(crate) fn probe_often(check: &Check, times: usize, outcome: Outcome) {
    let target = Target { check: check.clone(), timeout: LONG };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for turn in 0..times {
            let report = probe::probe(&target, Clock::start(), turn).await;
            assert_eq!(report.outcome, outcome, "{report:?}");
        }
    });
}

/// One of the facts of a report, as it is shown.
pub(crate) fn fact(report: &Report, name: &str) -> Option<String> {
    report.facts.iter().find(|(key, _)| *key == name).map(|(_, fact)| Fact::to_string(fact))
}

/// Where a server on loopback is.
pub(crate) fn at_port(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The same for a probe.
pub(crate) fn to(address: SocketAddr) -> Address {
    Address { host: Host::Ip(address.ip()), port: address.port() }
}

/// A password in a file of this directory.
pub(crate) fn credentials(directory: &Path, username: &str, password: &str) -> Credentials {
    let password_file = directory.join(format!("password-of-{username}-{}", password.len()));
    fs::write(&password_file, format!("{password}\n")).unwrap();
    Credentials { username: username.to_owned(), password_file }
}

/// What a real server's certificates make of its probe; `start` starts one that shows this one.
#[track_caller]
pub(crate) fn certificates_of_a_server_are_told_apart<S>(
    start: impl Fn(&Certificates, Shows) -> Option<S>,
    check: impl Fn(&S, Tls) -> Check,
) {
    let certificates = Certificates::make();
    let Some(good) = start(&certificates, Shows::Good) else { return };
    let report = succeeds(check(&good, certificates.trust()));
    assert_eq!(fact(&report, "certificate_expires").as_deref(), Some(super::faults::EXPIRES));
    assert!(report.phases.tls.is_some());
    fails(check(&good, Tls::default()), Cause::Tls);
    drop(good);
    for shows in [Shows::Expired, Shows::WrongName, Shows::UnknownAuthority] {
        let bad = start(&certificates, shows).unwrap();
        fails(check(&bad, certificates.trust()), Cause::Tls);
        succeeds(check(&bad, Tls { insecure_skip_verify: true, ..Tls::default() }));
    }
}
