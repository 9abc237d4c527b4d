//! The probe of Kafka against a real broker, and against what a broker does that cannot be had here.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::kafka::Kafka;
use netsplit::probe::{Address, Check, Credentials, Fact, Host, Report, Tls};

use crate::servers::faults::{self, LONG, fails, probed, saying, serving, times_out};
use crate::servers::kafka::{USER, cluster, shared};
use crate::servers::process::until;

fn open(address: SocketAddr) -> Kafka {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    Kafka { address, tls: None, credentials: None }
}

fn check(address: SocketAddr) -> Check {
    Check::Kafka(open(address))
}

fn login(address: SocketAddr, username: &str, password_file: PathBuf) -> Check {
    let credentials = Credentials { username: username.to_owned(), password_file };
    Check::Kafka(Kafka { credentials: Some(credentials), ..open(address) })
}

#[track_caller]
fn succeeds(check: Check) -> Report {
    let report = probed(check, LONG);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    report
}

fn count(report: &Report, name: &str) -> Option<u64> {
    report.facts.iter().find(|(known, _)| *known == name).and_then(|(_, fact)| match fact {
        Fact::Count(count) => Some(*count),
        _ => None,
    })
}

/// The numbers of a cluster: brokers, the controller, partitions, and those without a leader.
fn counts(report: &Report) -> [Option<u64>; 4] {
    ["brokers", "controller", "partitions", "partitions_without_leader"].map(|name| count(report, name))
}

#[test]
fn a_broker_tells_what_it_knows_of_its_cluster() {
    let Some(broker) = shared() else { return };
    assert_eq!(counts(&succeeds(check(broker.open))), [Some(1), Some(1), Some(3), Some(0)]);
}

#[test]
fn a_user_logs_in_and_is_told_the_same() {
    let Some(broker) = shared() else { return };
    let report = succeeds(login(broker.login, USER, broker.password_file()));
    assert_eq!(counts(&report), [Some(1), Some(1), Some(3), Some(0)]);
}

#[test]
fn who_may_not_log_in_is_told_as_such() {
    let Some(broker) = shared() else { return };
    let wrong = broker.directory().join("wrong");
    fs::write(&wrong, "battery staple").unwrap();
    fails(login(broker.login, USER, wrong), Cause::Auth);
    fails(login(broker.login, "stranger", broker.password_file()), Cause::Auth);
    // Nobody at a listener that wants a login, and somebody at one that takes none.
    fails(check(broker.login), Cause::Auth);
    fails(login(broker.open, USER, broker.password_file()), Cause::Auth);
}

#[test]
fn a_password_that_cannot_be_read_says_nothing_of_the_broker() {
    let report = probed(login("127.0.0.1:9".parse().unwrap(), USER, "/nowhere/password".into()), LONG);
    assert_eq!((report.outcome, report.address), (Outcome::Inconclusive, None), "{report:?}");
}

#[test]
fn a_controller_is_no_broker_for_clients() {
    let Some(broker) = shared() else { return };
    fails(check(broker.controller), Cause::Protocol);
}

#[test]
fn a_broker_is_reached_over_tls_and_its_certificate_looked_at() {
    let Some(broker) = shared() else { return };
    let check = |tls: Tls| Check::Kafka(Kafka { tls: Some(tls), ..open(broker.tls) });
    let report = succeeds(check(broker.trust()));
    assert!(report.facts.contains(&("certificate_expires", Fact::Word(faults::EXPIRES.to_owned()))), "{report:?}");
    fails(check(Tls::default()), Cause::Tls);
    fails(check(Tls { server_name: Some("elsewhere.example".to_owned()), ..broker.trust() }), Cause::Tls);
    let expired = |tls: Tls| Check::Kafka(Kafka { tls: Some(tls), ..open(broker.expired) });
    fails(expired(broker.trust()), Cause::Tls);
    succeeds(expired(Tls { insecure_skip_verify: true, ..Tls::default() }));
}

#[test]
fn who_speaks_no_tls_where_it_is_wanted_is_told_so() {
    let Some(broker) = shared() else { return };
    let report = probed(check(broker.tls), LONG);
    assert!(matches!(report.outcome, Outcome::Failure(Cause::Protocol | Cause::Reset)), "{report:?}");
}

#[test]
fn partitions_whose_broker_is_gone_have_no_leader() {
    let Some(mut brokers) = cluster(2) else { return };
    let address = brokers[0].open;
    until("both brokers", || count(&probed(check(address), LONG), "brokers") == Some(2));
    brokers[0].create_topic("orders", &[1, 2, 2]);
    until("the topic", || counts(&probed(check(address), LONG))[2..] == [Some(3), Some(0)]);
    succeeds(check(address));
    brokers[1].process.kill();
    until("the loss", || count(&probed(check(address), LONG), "brokers") == Some(1));
    let report = probed(check(address), LONG);
    let unhealthy = Outcome::Failure(Cause::Unhealthy(Ailment::PartitionsWithoutLeader));
    assert_eq!(report.outcome, unhealthy, "{report:?}");
    assert_eq!(counts(&report), [Some(1), Some(1), Some(3), Some(2)], "{report:?}");
}

#[test]
fn a_thousand_probes_leave_nothing_in_the_log_and_then_it_hangs_and_then_it_is_gone() {
    let Some(mut brokers) = cluster(1) else { return };
    let broker = &mut brokers[0];
    succeeds(login(broker.login, USER, broker.password_file()));
    let before = broker.process.told();
    for _ in 0..500 {
        succeeds(check(broker.open));
        succeeds(login(broker.login, USER, broker.password_file()));
    }
    let log = broker.process.told();
    assert_eq!(said_of_us(&before, &log), Vec::<&str>::new());

    broker.process.freeze();
    times_out(check(broker.open));
    broker.process.thaw();
    succeeds(check(broker.open));
    broker.process.kill();
    fails(check(broker.open), Cause::Refused);
}

/// What is new in a log and is a complaint, or about a client.
fn said_of_us<'a>(before: &str, log: &'a str) -> Vec<&'a str> {
    let new = log.strip_prefix(before).unwrap().lines();
    new.filter(|line| [" WARN ", " ERROR ", "/127.0.0.1"].iter().any(|word| line.contains(word))).collect()
}

#[test]
fn what_is_wrong_with_a_port_is_told_apart() {
    // An answer of 24 bytes to the first question: no error, two things that it takes, and then no more.
    faults::are_told_apart(check, b"\0\0\0\x18\0\0\0\x01\0\0\0\0\0\x02\0\x03");
}

#[test]
fn certificates_that_are_not_good_are_told_as_such() {
    faults::certificates_are_told_apart(|address, tls| Check::Kafka(Kafka { tls: Some(tls), ..open(address) }));
}

#[test]
fn what_is_no_kafka_is_told_as_such() {
    for text in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"-ERR unknown command\r\n", b"\0\0\0\x04\0\0\0\x07"] {
        fails(check(saying(text).address), Cause::Protocol);
    }
}

/// What a broker answers that takes Metadata of these versions and nothing else.
fn versions(least: u8, most: u8) -> Vec<u8> {
    vec![0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 3, 0, least, 0, most]
}

/// The answer to `Metadata`: one broker, this controller, and these topics.
fn metadata(controller: i32, topics: &[u8]) -> Vec<u8> {
    let broker = b"\0\0\0\0\0\0\0\x01\0\0\0\x01\0\x01b\0\0\x23\x84\xff\xff\xff\xff";
    let body = [&[0, 0, 0, 2][..], broker, &controller.to_be_bytes(), topics].concat();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

/// One topic with so many partitions, each with three replicas; every seventh has no leader.
fn topic(partitions: i32) -> Vec<u8> {
    let mut topic = [&[0, 0, 0, 1, 0, 0, 0, 1][..], b"t\0", &partitions.to_be_bytes()].concat();
    for number in 0..partitions {
        let leader = if number % 7 == 0 { -1 } else { 1 };
        topic.extend([0, 0]);
        let replicas = [3, 1, 2, 3, 3, 1, 2, 3];
        topic.extend([number, leader].iter().chain(&replicas).flat_map(|number: &i32| number.to_be_bytes()));
    }
    topic
}

/// Plays a broker that says these in turn, each after it has heard something.
fn broker_saying(turns: Vec<Vec<u8>>) -> SocketAddr {
    let port = serving(move |mut stream| {
        for turn in &turns {
            if !stream.read(&mut [0; 4096]).is_ok_and(|heard| heard > 0) || stream.write_all(turn).is_err() {
                return;
            }
        }
        let _ = stream.read(&mut [0; 4096]);
    });
    port.address
}

#[test]
fn a_hundred_thousand_partitions_are_counted() {
    let report = probed(check(broker_saying(vec![versions(0, 13), metadata(1, &topic(100_000))])), LONG);
    let unhealthy = Outcome::Failure(Cause::Unhealthy(Ailment::PartitionsWithoutLeader));
    assert_eq!(report.outcome, unhealthy, "{report:?}");
    assert_eq!(counts(&report), [Some(1), Some(1), Some(100_000), Some(14_286)]);
}

#[test]
fn a_cluster_without_a_controller_is_not_healthy() {
    let report = probed(check(broker_saying(vec![versions(0, 13), metadata(-1, &[0; 4])])), LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Unhealthy(Ailment::NoLeader)), "{report:?}");
}

#[test]
fn an_answer_that_is_not_as_long_as_its_fields_is_no_kafka() {
    let many = [0x7f, 0xff, 0xff, 0xff];
    for topics in [&many[..], &[0, 0, 0, 1], &[0, 0, 0, 0, 0]] {
        fails(check(broker_saying(vec![versions(0, 13), metadata(1, topics)])), Cause::Protocol);
    }
}

#[test]
fn a_broker_that_does_not_take_what_is_asked_says_what_it_takes() {
    for versions in [versions(5, 13), versions(0, 3)] {
        fails(check(broker_saying(vec![versions])), Cause::Protocol);
    }
}

#[test]
fn a_broker_that_breaks_off_within_an_answer_is_no_matter_of_the_login() {
    let half = metadata(1, &topic(100))[..500].to_vec();
    let port = serving(move |mut stream| {
        for turn in [&versions(0, 13), &half] {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(turn);
        }
    });
    fails(check(port.address), Cause::Reset);
}

/// Else the test of the log could not fail.
#[test]
fn what_a_broker_says_of_a_client_is_seen() {
    let before = "a\n";
    assert_eq!(said_of_us(before, "a\nx INFO y\nx WARN z\n"), ["x WARN z"]);
    assert_eq!(said_of_us(before, "a\nx INFO Failed authentication with /127.0.0.1\n").len(), 1);
}
