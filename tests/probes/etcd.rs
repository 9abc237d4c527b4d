//! The probes of etcd and of the health service of gRPC, against a real etcd, which has both; what an etcd never says of its
//! health is said by a server of the test.

use std::net::SocketAddr;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::etcd::Etcd;
use netsplit::probe::grpc::Grpc;
use netsplit::probe::web::{Authorization, Web};
use netsplit::probe::{Address, Check, Credentials, Fact, Host, Report, Tls};

use crate::servers::etcd::{check, cluster};
use crate::servers::faults::{
    self, Certificates, EXPIRES, LONG, Shows, certificates_are_told_apart, fails, probed, times_out,
};
use crate::servers::grpc::{Reply, replying};
use crate::servers::http::{Door, Fixture, prometheus};
use crate::servers::process;

fn grpc(address: SocketAddr, tls: Option<Tls>, service: &str) -> Check {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    Check::Grpc(Grpc { address, tls, service: service.to_owned() })
}

fn fact(report: &Report, name: &str) -> Option<Fact> {
    report.facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.clone())
}

fn word(text: &str) -> Fact {
    Fact::Word(text.into())
}

#[track_caller]
fn succeeds(check: Check) -> Report {
    let report = probed(check, LONG);
    assert_eq!((report.outcome, report.detail.as_str()), (Outcome::Success, ""), "{report:?}");
    report
}

// -------------------------------------------------------------------------------------------------- etcd

#[test]
fn every_fault_of_a_network_has_its_own_cause() {
    faults::are_told_apart(|address| check(address, None), b"HTTP/1.1 200 OK\r\nx: ");
    fails(check(faults::saying(b"+PONG\r\n").address, None), Cause::Protocol);
    fails(check(faults::answering("HTTP/1.1 200 OK\r\n\r\n<html>").address, None), Cause::Protocol);
    certificates_are_told_apart(|address, tls| check(address, Some(tls)));
}

#[test]
fn a_prometheus_is_no_etcd() {
    let Some(server) = prometheus(&Door::default()) else { return };
    let report = probed(check(server.address, None), LONG);
    assert!(matches!(report.outcome, Outcome::Failure(Cause::Status | Cause::Protocol)), "{report:?}");
}

#[test]
fn a_member_that_is_well_tells_its_version_its_term_and_its_size() {
    let Some(mut members) = cluster(1, None, &[]) else { return };
    let report = succeeds(check(members[0].address, None));
    let Some(Fact::Word(version)) = fact(&report, "version") else { panic!("{report:?}") };
    assert!(version.starts_with("3."), "{version}");
    assert_eq!(fact(&report, "leader"), Some(Fact::Flag(true)));
    assert_eq!(fact(&report, "leads"), Some(Fact::Flag(true)), "it is alone");
    let count = |name| match fact(&report, name) {
        Some(Fact::Count(count)) => count,
        fact => panic!("{name}: {fact:?}"),
    };
    assert!(count("raft_term") >= 1 && count("database_bytes") > 0, "{report:?}");

    members[0].process.freeze();
    times_out(check(members[0].address, None));
    members[0].process.thaw();
    members[0].process.kill();
    fails(check(members[0].address, None), Cause::Refused);
}

#[test]
fn a_member_that_lost_its_majority_has_no_leader_and_has_one_again_when_it_is_back() {
    let Some(mut members) = cluster(3, None, &[]) else { return };
    let [one, two, three] = members.as_mut_slice() else { panic!("there are three") };
    let leads = |address| fact(&probed(check(address, None), LONG), "leads") == Some(Fact::Flag(true));
    process::until("one that leads", || {
        [&*one, &*two, &*three].map(|member| leads(member.address)).iter().filter(|&&leads| leads).count() == 1
    });
    two.process.freeze();
    // It may have been the leader.
    process::until("two that go on", || probed(check(one.address, None), LONG).outcome.is_success());
    three.process.freeze();
    let no_leader = Outcome::Failure(Cause::Unhealthy(Ailment::NoLeader));
    process::until("no leader", || probed(check(one.address, None), LONG).outcome == no_leader);
    let report = probed(check(one.address, None), LONG);
    assert_eq!(fact(&report, "leader"), Some(Fact::Flag(false)));

    // What nobody leads is not asked to read, so the log says nothing of it.
    let failed = |told: &str| told.matches("/health").count();
    let before = failed(&one.process.told());
    for _ in 0..20 {
        fails(check(one.address, None), Cause::Unhealthy(Ailment::NoLeader));
    }
    assert_eq!(failed(&one.process.told()), before);

    two.process.thaw();
    process::until("a leader", || probed(check(one.address, None), LONG).outcome.is_success());
}

#[test]
fn a_member_without_space_says_so() {
    // The least that etcd has is a page or two more than this.
    let Some(members) = cluster(1, None, &["--quota-backend-bytes=16384"]) else { return };
    let put = "POST /v3/kv/put HTTP/1.1\r\nhost: etcd\r\nconnection: close\r\ncontent-length: 30\r\n\r\n";
    let body = r#"{"key":"Zm9v","value":"YmFy"} "#;
    process::until("an alarm", || {
        let mut stream = std::net::TcpStream::connect(members[0].address).unwrap();
        std::io::Write::write_all(&mut stream, format!("{put}{body}").as_bytes()).unwrap();
        std::io::read_to_string(stream).unwrap().contains("database space exceeded")
    });
    fails(check(members[0].address, None), Cause::Unhealthy(Ailment::Alarm));
}

#[test]
fn a_member_behind_tls_is_asked_as_well() {
    let certificates = Certificates::make();
    let Some(members) = cluster(1, Some((&certificates, Shows::Good)), &[]) else { return };
    let report = succeeds(check(members[0].address, Some(certificates.trust())));
    assert_eq!(fact(&report, "certificate_expires"), Some(word(EXPIRES)));
    succeeds(grpc(members[0].address, Some(certificates.trust()), ""));
    fails(check(members[0].address, Some(Tls::default())), Cause::Tls);
    fails(grpc(members[0].address, Some(Tls::default()), ""), Cause::Tls);
}

#[test]
fn a_member_whose_certificate_is_not_good_is_not_spoken_with() {
    let certificates = Certificates::make();
    for shows in [Shows::Expired, Shows::WrongName, Shows::UnknownAuthority] {
        let Some(members) = cluster(1, Some((&certificates, shows)), &[]) else { return };
        fails(check(members[0].address, Some(certificates.trust())), Cause::Tls);
        fails(grpc(members[0].address, Some(certificates.trust()), ""), Cause::Tls);
    }
}

#[test]
fn a_member_that_wants_a_certificate_of_the_agent_takes_the_right_one_only() {
    let certificates = Certificates::make();
    let authority = format!("--trusted-ca-file={}", certificates.authority_file().display());
    let Some(members) = cluster(1, Some((&certificates, Shows::Good)), &["--client-cert-auth", &authority]) else {
        return;
    };
    let address = members[0].address;
    succeeds(check(address, Some(certificates.trust_and_show())));
    succeeds(grpc(address, Some(certificates.trust_and_show()), ""));
    // It says so when the handshake is over, and closes; what is written meets that at any time.
    for _ in 0..50 {
        fails(check(address, Some(certificates.trust())), Cause::Tls);
        fails(grpc(address, Some(certificates.trust()), ""), Cause::Tls);
    }
}

#[test]
fn a_port_that_serves_health_alone_is_asked_for_that() {
    let metrics = process::free_address();
    let Some(_members) = cluster(1, None, &[&format!("--listen-metrics-urls=http://{metrics}")]) else { return };
    let report = succeeds(check(metrics, None));
    assert_eq!(fact(&report, "version"), None);
}

#[test]
fn what_a_newer_member_says_is_understood() {
    // The words of etcd 3.5 and 3.6 (server/etcdserver/api/etcdhttp/health.go).
    let said = |health: &'static str| {
        let fixture = Fixture::that(move |first| match first {
            "GET /health" => ("503 Service Unavailable", health.to_owned()),
            _ => ("404 Not Found", String::new()),
        });
        probed(check(fixture.address, None), LONG).outcome
    };
    let unhealthy = |ailment| Outcome::Failure(Cause::Unhealthy(ailment));
    assert_eq!(said(r#"{"health":"false","reason":"RAFT NO LEADER"}"#), unhealthy(Ailment::NoLeader));
    assert_eq!(said(r#"{"health":"false","reason":"ALARM NOSPACE"}"#), unhealthy(Ailment::Alarm));
    assert_eq!(said(r#"{"health":"false","reason":"RANGE ERROR:x"}"#), unhealthy(Ailment::NotServing));
    assert_eq!(said("upstream is gone"), Outcome::Failure(Cause::Status));
}

#[test]
fn an_etcd_that_wants_to_know_who_asks_is_auth() {
    let fixture = Fixture::that(|_| ("401 Unauthorized", r#"{"error":"etcdserver: invalid auth token"}"#.into()));
    let file = tempfile::NamedTempFile::new().unwrap();
    let credentials = Credentials { username: "root".into(), password_file: file.path().to_owned() };
    let address = Address { host: Host::Ip(fixture.address.ip()), port: fixture.address.port() };
    let authorization = Some(Authorization::Basic(credentials));
    let web = Web { address, tls: None, path: String::new(), authorization };
    fails(Check::Etcd(Etcd { web }), Cause::Auth);
    assert!(fixture.asked()[0].contains("authorization: Basic cm9vdDo=\r\n"), "{:?}", fixture.asked());
}

#[test]
fn a_thousand_probes_leave_no_trace_in_an_etcd() {
    let Some(members) = cluster(1, None, &[]) else { return };
    let address = members[0].address;
    let before = (members[0].process.told(), errors(address));
    for _ in 0..500 {
        succeeds(check(address, None));
        succeeds(grpc(address, None, ""));
    }
    assert_eq!((members[0].process.told(), errors(address)), before);
}

/// The counters of a member that count what went wrong.
fn errors(address: SocketAddr) -> Vec<String> {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let text = std::io::read_to_string(stream).unwrap();
    let is_of_errors = |line: &&str| {
        let is_failed = line.contains("fail") || line.contains("slow") || line.contains("lost");
        let is_refused = line.starts_with("grpc_server_handled_total") && !line.contains(r#"grpc_code="OK""#);
        !line.starts_with('#') && (is_failed || is_refused)
    };
    let found: Vec<String> = text.lines().filter(is_of_errors).map(str::to_owned).collect();
    assert!(found.iter().any(|line| line.starts_with("etcd_server_health_failures")), "{text}");
    found
}

// -------------------------------------------------------------------------------------------------- grpc

#[test]
fn every_fault_of_a_network_has_its_own_cause_over_grpc() {
    // A frame of settings (RFC 9113, section 6.5), then one of data that never comes whole.
    let beginning = b"\0\0\0\x04\0\0\0\0\0\0\x40\0\0\0\0\0\0\x01x";
    faults::are_told_apart(|address| grpc(address, None, ""), beginning);
    fails(grpc(faults::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").address, None, ""), Cause::Protocol);
    certificates_are_told_apart(|address, tls| grpc(address, Some(tls), ""));
}

#[test]
fn a_service_that_serves_says_so_and_one_that_is_not_there_is_a_status() {
    let Some(mut members) = cluster(1, None, &[]) else { return };
    let address = members[0].address;
    assert_eq!(fact(&succeeds(grpc(address, None, "")), "serving"), Some(word("SERVING")));
    let report = probed(grpc(address, None, "no.such.Service"), LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Status));
    assert!(report.detail.contains("no.such.Service"), "{}", report.detail);

    members[0].process.freeze();
    times_out(grpc(address, None, ""));
    members[0].process.thaw();
    members[0].process.kill();
    fails(grpc(address, None, ""), Cause::Refused);
}

#[test]
fn a_server_of_http2_that_knows_no_grpc_is_told_from_one_that_does() {
    let certificates = Certificates::make();
    let door = Door { tls: Some((&certificates, Shows::Good)), password: false };
    let Some(server) = prometheus(&door) else { return };
    fails(grpc(server.address, Some(certificates.trust()), ""), Cause::Status);
}

#[test]
fn what_a_server_says_of_a_call_is_told_apart() {
    let replies = |message, ends| {
        let address = replying(Reply { status: 200, message, ends });
        probed(grpc(address, None, ""), LONG).outcome
    };
    let ends = |status| Some((status, "so it is"));
    // HealthCheckResponse of the protocol's own numbers (grpc/health/v1/health.proto).
    let status = |message| replies(message, ends("0"));
    assert_eq!(status(&[0, 0, 0, 0, 2, 8, 1]), Outcome::Success);
    let not_serving = Outcome::Failure(Cause::Unhealthy(Ailment::NotServing));
    assert_eq!(status(&[0, 0, 0, 0, 2, 8, 2]), not_serving);
    assert_eq!(status(&[0, 0, 0, 0, 0]), not_serving);
    assert_eq!(status(b"<html></html>"), Outcome::Failure(Cause::Protocol));
    // The numbers of grpc/grpc, doc/statuscodes.md.
    assert_eq!(replies(&[], ends("12")), Outcome::Failure(Cause::Status));
    assert_eq!(replies(&[], ends("14")), Outcome::Failure(Cause::Status));
    assert_eq!(replies(&[], ends("16")), Outcome::Failure(Cause::Auth));
    assert_eq!(replies(&[], ends("7")), Outcome::Failure(Cause::Auth));
    assert_eq!(replies(&[0, 0, 0, 0, 2, 8, 1], None), Outcome::Failure(Cause::Protocol));
}

#[test]
fn a_proxy_that_answers_in_place_of_the_server_is_told_apart() {
    let replies = |status| probed(grpc(replying(Reply { status, message: b"", ends: None }), None, ""), LONG).outcome;
    assert_eq!(replies(503), Outcome::Failure(Cause::Status));
    assert_eq!(replies(401), Outcome::Failure(Cause::Auth));
}
