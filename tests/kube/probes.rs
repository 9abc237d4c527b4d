//! Endpoints of type `kubernetes`: what a real API server says of itself when it is ready, when it is not, and to whom.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::kubernetes::Kubernetes;
use netsplit::probe::web::{Authorization, Web};
use netsplit::probe::{Address, Check, Host, Report, Tls};
use nix::sys::signal::Signal;

use crate::faults::{LONG, fails, probed, times_out};
use crate::kube::{ADMIN, ApiServer, shared};
use crate::process::until;

/// A question to this server, by everybody.
fn check(server: &ApiServer) -> Check {
    check_with(server.address, Some(server.trust()), None)
}

/// A question to this server, by whom the token says.
fn check_as(server: &ApiServer, token: &tempfile::NamedTempFile) -> Check {
    check_with(server.address, Some(server.trust()), Some(token.path().to_owned()))
}

fn check_with(address: SocketAddr, tls: Option<Tls>, token: Option<PathBuf>) -> Check {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    let authorization = token.map(Authorization::Bearer);
    Check::Kubernetes(Kubernetes { web: Web { address, tls, path: String::new(), authorization } })
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

#[track_caller]
fn is_ready(check: Check) {
    let report = probed(check, LONG);
    assert_eq!((report.outcome, report.detail.as_str()), (Outcome::Success, ""), "{report:?}");
}

fn is_not_ready(report: &Report) -> bool {
    report.outcome == Outcome::Failure(Cause::Unhealthy(Ailment::NotServing))
}

#[test]
fn a_server_that_is_ready_says_so_to_everybody_and_to_who_has_a_token() {
    let Some(server) = shared() else { return };
    is_ready(check(server));
    server.create_namespace("ready");
    server.create_account("ready", "probe");
    // It may do nothing at all.
    let token = file(&server.token_of("ready", "probe"));
    is_ready(check_as(server, &token));
    let identity = server.certificates.trust_and_show();
    is_ready(check_with(server.address, Some(identity), None));
}

#[test]
fn a_token_that_is_not_taken_is_auth() {
    let Some(server) = shared() else { return };
    fails(check_as(server, &file("nobody's")), Cause::Auth);
    server.create_namespace("forged");
    server.create_account("forged", "probe");
    let token = server.token_of("forged", "probe");
    is_ready(check_as(server, &file(&token)));
    let (claims, signature) = token.rsplit_once('.').unwrap();
    let signature: String = signature.chars().rev().collect();
    fails(check_as(server, &file(&format!("{claims}.{signature}"))), Cause::Auth);
}

#[test]
fn a_server_that_lets_in_nobody_without_a_name_is_auth_and_ready_to_who_has_a_token() {
    let Some(server) = ApiServer::start(&["--anonymous-auth=false"]) else { return };
    fails(check(&server), Cause::Auth);
    is_ready(check_as(&server, &file(ADMIN)));
}

#[test]
fn a_certificate_that_is_not_good_is_tls() {
    let Some(server) = shared() else { return };
    fails(check_with(server.address, Some(Tls::default()), None), Cause::Tls);
    let other = Tls { server_name: Some("elsewhere.example".into()), ..server.trust() };
    fails(check_with(server.address, Some(other), None), Cause::Tls);
    let named = Tls { server_name: Some("localhost".into()), ..server.trust() };
    is_ready(check_with(server.address, Some(named), None));
    // It has no port without TLS, and says so in plain words.
    fails(check_with(server.address, None, None), Cause::Status);
}

#[test]
fn a_server_that_hangs_is_a_timeout_and_one_that_is_gone_is_refused() {
    let Some(mut server) = ApiServer::start(&[]) else { return };
    server.process.freeze();
    times_out(check(&server));
    server.process.thaw();
    is_ready(check(&server));
    server.stop();
    fails(check(&server), Cause::Refused);
    server.start_again();
    is_ready(check(&server));
}

#[test]
fn a_server_that_lost_its_etcd_is_unhealthy_and_names_it() {
    let Some(mut server) = ApiServer::start(&[]) else { return };
    server.create_namespace("bereft");
    server.create_account("bereft", "probe");
    let token = file(&server.token_of("bereft", "probe"));
    server.etcd.freeze();
    until("not ready", || is_not_ready(&probed(check(&server), LONG)));
    server.etcd.thaw();
    until("ready again", || probed(check(&server), LONG).outcome.is_success());
    server.etcd.kill();
    until("not ready", || is_not_ready(&probed(check(&server), LONG)));
    for check in [check(&server), check_as(&server, &file(ADMIN))] {
        let report = probed(check, LONG);
        assert!(is_not_ready(&report), "{report:?}");
        assert!(report.detail.contains("etcd failed: reason withheld"), "{report:?}");
    }
    let report = probed(check_as(&server, &token), LONG);
    assert!(is_not_ready(&report), "{report:?}");
}

#[test]
fn a_server_that_is_about_to_stop_is_unhealthy_before_it_is_gone() {
    let Some(mut server) = ApiServer::start(&["--shutdown-delay-duration=1h"]) else { return };
    server.process.signal(Signal::SIGTERM);
    until("it says that it stops", || is_not_ready(&probed(check(&server), LONG)));
    let report = probed(check(&server), LONG);
    assert_eq!(report.detail, "shutdown failed: reason withheld");
    server.stop();
}

#[test]
fn a_server_that_starts_is_not_taken_for_one_that_is_ready() {
    let Some(server) = ApiServer::begin(&[]) else { return };
    until("ready", || {
        let report = probed(check(&server), LONG);
        // Before its first roles are there it lets in nobody, and before all else is there it says what it waits for.
        let starts = [Outcome::Failure(Cause::Auth), Outcome::Failure(Cause::Unhealthy(Ailment::NotServing))];
        assert!(starts.contains(&report.outcome) || report.outcome.is_success(), "{report:?}");
        report.outcome.is_success()
    });
    let (status, text) = server.ask("GET", "/readyz?verbose", None, Some(ADMIN));
    assert_eq!(status, 200, "{text}");
}

#[test]
fn a_thousand_probes_leave_an_api_server_as_it_was() {
    let Some(server) = ApiServer::start(&[]) else { return };
    let token = file(ADMIN);
    let answered =
        || count(&server, |name| name.starts_with("apiserver_request_total") && name.contains("\"/readyz\""));
    let before = (server.complaints(), count(&server, is_of_wrongs), answered());
    for _ in 0..500 {
        is_ready(check(&server));
        is_ready(check_as(&server, &token));
    }
    assert_eq!((server.complaints(), count(&server, is_of_wrongs)), (before.0, before.1));
    // Its own parts ask a few times more, until all of them have begun.
    let grown = answered() - before.2;
    assert!((1000..1010).contains(&grown), "{grown}");
}

fn count(server: &ApiServer, is_meant: impl Fn(&str) -> bool) -> u64 {
    let counters = server.counters();
    let meant = counters.iter().filter(|(name, _)| is_meant(name));
    meant.map(|(name, value)| value.parse::<u64>().unwrap_or_else(|_| panic!("{name} {value}"))).sum()
}

/// Whether a counter counts what went wrong between the server and its clients.
fn is_of_wrongs(name: &str) -> bool {
    let begins = |word: &str| name.starts_with(word);
    let is_of_readyz = name.contains("\"/readyz\"");
    begins("apiserver_tls_handshake_errors_total")
        || begins("authentication_attempts") && !name.contains("success")
        || begins("apiserver_request_total") && is_of_readyz && !name.contains("code=\"200\"")
        || begins("apiserver_request_aborts_total") && is_of_readyz
        || begins("apiserver_request_terminations_total") && is_of_readyz
}
