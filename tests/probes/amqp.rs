//! The probe of AMQP against a real RabbitMQ, and against what a broker does that cannot be had here.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::amqp::Amqp;
use netsplit::probe::{Address, Check, Credentials, Fact, Host, Report, Tls};

use crate::servers::faults::{self, fails, probed, saying, serving, times_out};
use crate::servers::rabbitmq::{Rabbitmq, USER, becomes};

/// How a broker greets that has no capabilities (specification, section 1.4.2.2): version 0-9, no properties, PLAIN, `en_US`.
const GREETING: &[u8] = b"\x01\0\0\0\0\0\x1c\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US\xce";

/// `Connection.Tune`: any number of channels, 128 KiB, a minute.
const TUNE: &[u8] = b"\x01\0\0\0\0\0\x0c\0\x0a\0\x1e\0\0\0\x02\0\0\0\x3c\xce";

/// `Connection.Open-Ok`.
const OPENED: &[u8] = b"\x01\0\0\0\0\0\x05\0\x0a\0\x29\0\xce";

/// `Connection.Blocked` with the reason "low on disk".
const BLOCKED: &[u8] = b"\x01\0\0\0\0\0\x10\0\x0a\0\x3c\x0blow on disk\xce";

/// `Connection.Close-Ok`.
const CLOSED: &[u8] = b"\x01\0\0\0\0\0\x04\0\x0a\0\x33\xce";

/// What RabbitMQ says of who leaves without a login.
const UNEXPECTED: &str = "client unexpectedly closed TCP connection";

fn greeting(address: SocketAddr) -> Amqp {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    Amqp { address, tls: None, credentials: None, virtual_host: "/".to_owned() }
}

fn greeted(address: SocketAddr) -> Check {
    Check::Amqp(greeting(address))
}

fn login(broker: &Rabbitmq, username: &str, password_file: PathBuf) -> Amqp {
    let credentials = Credentials { username: username.to_owned(), password_file };
    Amqp { credentials: Some(credentials), ..greeting(broker.amqp) }
}

fn logged_in(broker: &Rabbitmq) -> Check {
    Check::Amqp(login(broker, USER, broker.password_file()))
}

/// Whoever takes any password: a broker that is played needs one.
fn played(address: SocketAddr, directory: &tempfile::TempDir) -> Check {
    let password_file = directory.path().join("password");
    fs::write(&password_file, "any").unwrap();
    let credentials = Credentials { username: "any".to_owned(), password_file };
    Check::Amqp(Amqp { credentials: Some(credentials), ..greeting(address) })
}

#[track_caller]
fn succeeds(check: Check) -> Report {
    let report = probed(check, faults::LONG);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    report
}

#[track_caller]
fn word(report: &Report, name: &str) -> String {
    match report.facts.iter().find(|(known, _)| *known == name) {
        Some((_, Fact::Word(word))) => word.clone(),
        other => unreachable!("{name} is {other:?} in {report:?}"),
    }
}

/// The lines of a log above level info.
fn complaints(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("[warning]") || line.contains("[error]")).collect()
}

#[test]
fn a_broker_greets_and_says_what_it_is() {
    let Some(broker) = Rabbitmq::shared() else { return };
    let report = succeeds(greeted(broker.amqp));
    assert_eq!(word(&report, "product"), "RabbitMQ");
    assert_eq!(word(&report, "version"), broker.control(&["version"]).trim());
    assert!(word(&report, "cluster_name").starts_with("netsplit"), "{report:?}");
    assert!(report.phases.connect.is_some() && report.phases.exchange.is_some(), "{report:?}");
}

#[test]
fn a_user_opens_a_virtual_host() {
    let Some(broker) = Rabbitmq::shared() else { return };
    assert_eq!(word(&succeeds(logged_in(broker)), "product"), "RabbitMQ");
}

#[test]
fn a_wrong_password_and_a_stranger_are_told_as_such() {
    let Some(broker) = Rabbitmq::shared() else { return };
    let wrong = broker.directory().join("wrong");
    fs::write(&wrong, "battery staple").unwrap();
    fails(Check::Amqp(login(broker, USER, wrong)), Cause::Auth);
    fails(Check::Amqp(login(broker, "stranger", broker.password_file())), Cause::Auth);
}

#[test]
fn a_virtual_host_that_is_not_there_is_no_matter_of_the_password() {
    let Some(broker) = Rabbitmq::shared() else { return };
    let check = Amqp { virtual_host: "nowhere".to_owned(), ..login(broker, USER, broker.password_file()) };
    let report = probed(Check::Amqp(check), faults::LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Status), "{report:?}");
    assert!(report.detail.contains("530") && report.detail.contains("nowhere"), "{report:?}");
}

#[test]
fn a_password_that_cannot_be_read_says_nothing_of_the_broker() {
    let Some(broker) = Rabbitmq::shared() else { return };
    let report = probed(Check::Amqp(login(broker, USER, broker.directory().join("missing"))), faults::LONG);
    assert_eq!((report.outcome, report.address), (Outcome::Inconclusive, None), "{report:?}");
}

/// The header of AMQP is not a whole line, so a web server waits for more of it, and gives up.
#[test]
fn a_web_server_is_no_broker() {
    let Some(broker) = Rabbitmq::shared() else { return };
    fails(greeted(broker.management), Cause::Reset);
}

#[test]
fn a_thousand_logins_leave_no_complaint_in_the_log_and_no_connection() {
    let Some(broker) = Rabbitmq::alone() else { return };
    // Of more than 500 lines in a second it drops some, and a thousand logins have three thousand.
    broker.control(&["set_log_level", "warning"]);
    let before = broker.log();
    for _ in 0..1000 {
        succeeds(logged_in(&broker));
    }
    // What it does complain of comes last, and alone.
    succeeds(greeted(broker.amqp));
    let log = log_with(&broker, UNEXPECTED, before.len(), 1);
    let complaints = complaints(&log);
    assert!(complaints.len() == 2 && complaints[1].contains(UNEXPECTED), "{complaints:?}");
    assert_eq!(broker.control(&["list_connections", "pid"]).trim(), "");
}

/// It is the least that there is without a login; the documentation of the type says so.
#[test]
fn a_greeting_without_a_login_costs_one_warning_in_the_log() {
    let Some(broker) = Rabbitmq::alone() else { return };
    let before = broker.log();
    for _ in 0..100 {
        succeeds(greeted(broker.amqp));
    }
    let log = log_with(&broker, UNEXPECTED, before.len(), 100);
    assert!(!log.contains("[error]"), "{log}");
    assert_eq!(broker.control(&["list_connections", "pid"]).trim(), "");
}

/// What is new in the log, once this line is there so many times: the broker writes a moment later than it speaks.
fn log_with(broker: &Rabbitmq, line: &str, skipped: usize, times: usize) -> String {
    let new = || broker.log().split_off(skipped);
    assert!(becomes(|| new().matches(line).count() >= times), "{}", new());
    let log = new();
    assert_eq!(log.matches(line).count(), times, "{log}");
    log
}

#[test]
fn a_broker_is_reached_over_tls_and_its_certificate_looked_at() {
    let Some(broker) = Rabbitmq::shared() else { return };
    let check = |tls: Tls| Check::Amqp(Amqp { tls: Some(tls), ..greeting(broker.amqps) });
    let report = succeeds(check(broker.trust()));
    assert_eq!(word(&report, "certificate_expires"), faults::EXPIRES);
    assert!(report.phases.tls.is_some(), "{report:?}");
    fails(check(Tls::default()), Cause::Tls);
    fails(check(Tls { server_name: Some("elsewhere.example".to_owned()), ..broker.trust() }), Cause::Tls);
}

#[test]
fn a_broker_whose_certificate_is_over_is_not_spoken_with() {
    let Some(broker) = Rabbitmq::alone() else { return };
    let check = |tls: Tls| {
        Check::Amqp(Amqp {
            address: greeting(broker.amqps).address,
            tls: Some(tls),
            ..login(&broker, USER, broker.password_file())
        })
    };
    fails(check(broker.trust()), Cause::Tls);
    succeeds(check(Tls { insecure_skip_verify: true, ..Tls::default() }));
}

/// It comes last by its name, since it leaves nothing to others.
#[test]
fn when_a_broker_hangs_or_is_gone_it_is_told_as_such() {
    let Some(mut broker) = Rabbitmq::alone() else { return };
    broker.hang();
    times_out(greeted(broker.amqp));
    times_out(logged_in(&broker));
    broker.go_on();
    succeeds(logged_in(&broker));
    broker.kill();
    fails(greeted(broker.amqp), Cause::Refused);
}

#[test]
fn certificates_that_are_not_good_are_told_as_such() {
    faults::certificates_are_told_apart(|address, tls| Check::Amqp(Amqp { tls: Some(tls), ..greeting(address) }));
}

#[test]
fn what_is_wrong_with_a_port_is_told_apart() {
    faults::are_told_apart(greeted, &GREETING[..30]);
}

#[test]
fn a_broker_of_another_version_is_told_by_what_it_speaks() {
    for (header, spoken) in [(&b"AMQP\0\x01\0\0"[..], "AMQP 1.0"), (b"AMQP\x03\x01\0\0", "SASL")] {
        let report = probed(greeted(saying(header).address), faults::LONG);
        assert_eq!(report.outcome, Outcome::Failure(Cause::Protocol), "{report:?}");
        assert!(report.detail.contains(spoken), "{report:?}");
    }
}

#[test]
fn what_is_no_amqp_is_told_as_such() {
    for text in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"-ERR unknown command\r\n", b"\x01\xff\xff\xff\xff\xff\xff"]
    {
        fails(greeted(saying(text).address), Cause::Protocol);
    }
}

/// Plays a broker that says these in turn, each after it has heard something. At the end it waits, and ends too.
fn broker_saying(turns: &'static [&'static [u8]]) -> SocketAddr {
    let port = serving(move |mut stream| {
        for turn in turns {
            let heard = stream.read(&mut [0; 4096]).unwrap();
            assert!(heard > 0 && stream.write_all(turn).is_ok());
        }
        let _ = stream.read(&mut [0; 4096]);
    });
    port.address
}

#[test]
fn a_broker_that_says_it_has_an_alarm_is_not_healthy() {
    let directory = tempfile::tempdir().unwrap();
    let blocked: &[u8] = Box::leak([OPENED, BLOCKED].concat().into());
    let turns = Box::leak(Box::new([GREETING, TUNE, blocked, CLOSED]));
    let report = probed(played(broker_saying(turns), &directory), faults::LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Unhealthy(Ailment::Alarm)), "{report:?}");
    assert!(report.detail.contains("low on disk"), "{report:?}");
}

/// Section 2.2.4 of the specification: one that refuses a login just closes, unless it has a capability to say so.
#[test]
fn a_broker_that_just_closes_at_a_login_has_refused_it() {
    let directory = tempfile::tempdir().unwrap();
    fails(played(broker_saying(&[GREETING]), &directory), Cause::Auth);
}

#[test]
fn a_broker_that_takes_no_passwords_is_a_matter_of_the_login() {
    let greeting: &[u8] = b"\x01\0\0\0\0\0\x1f\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x08EXTERNAL\0\0\0\x05en_US\xce";
    let directory = tempfile::tempdir().unwrap();
    fails(played(broker_saying(Box::leak(Box::new([greeting]))), &directory), Cause::Auth);
}
