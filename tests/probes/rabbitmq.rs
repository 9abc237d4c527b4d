//! The probe of RabbitMQ's management API, against a real broker and a real cluster that is cut.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::rabbitmq::Rabbitmq;
use netsplit::probe::web::{Authorization, Web};
use netsplit::probe::{Address, Check, Credentials, Fact, Host, Report, Tls};

use crate::servers::faults::{self, LONG, certificates_are_told_apart, fails, probed, times_out};
use crate::servers::http::Fixture;
use crate::servers::process;
use crate::servers::rabbitmq_cluster::{USER, cluster};

fn check(address: SocketAddr, tls: Option<Tls>, password: Option<PathBuf>) -> Check {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    let credentials = |password_file| Credentials { username: USER.into(), password_file };
    let authorization = password.map(credentials).map(Authorization::Basic);
    Check::Rabbitmq(Rabbitmq { web: Web { address, tls, path: String::new(), authorization } })
}

fn fact(report: &Report, name: &str) -> Option<Fact> {
    report.facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.clone())
}

fn unhealthy(ailment: Ailment) -> Outcome {
    Outcome::Failure(Cause::Unhealthy(ailment))
}

#[test]
fn every_fault_of_a_network_has_its_own_cause() {
    let plain = |address| check(address, None, None);
    faults::are_told_apart(plain, b"HTTP/1.1 200 OK\r\nx: ");
    fails(plain(faults::saying(b"AMQP\0\0\x09\x01").address), Cause::Protocol);
    fails(plain(faults::answering("HTTP/1.1 200 OK\r\n\r\n<html>").address), Cause::Protocol);
    certificates_are_told_apart(|address, tls| check(address, Some(tls), None));
}

/// A broker of these nodes and queues, in the words of version 3.10.
fn broker(nodes: &'static str, queues: &'static str) -> Report {
    let fixture = Fixture::that(move |first| {
        let body = match first.split('?').next() {
            Some("GET /api/overview") => r#"{"rabbitmq_version":"3.10.8"}"#,
            Some("GET /api/nodes") => nodes,
            Some("GET /api/queues") => queues,
            _ => return ("404 Not Found", String::new()),
        };
        ("200 OK", body.to_owned())
    });
    probed(check(fixture.address, None, None), LONG)
}

const WELL: &str = r#"[{"partitions":[],"mem_alarm":false,"disk_free_alarm":false,"name":"a","running":true}]"#;
const NONE: &str = r#"{"items":[],"page":1,"page_count":1,"page_size":50}"#;

#[test]
fn what_is_worst_is_said_first() {
    assert_eq!(broker(WELL, NONE).outcome, Outcome::Success);
    let alarm = r#"[{"partitions":[],"mem_alarm":true,"disk_free_alarm":false,"name":"a","running":true}]"#;
    assert_eq!(broker(alarm, NONE).outcome, unhealthy(Ailment::Alarm));
    let down = r#"[{"mem_alarm":true,"name":"a","running":true},{"name":"b","running":false}]"#;
    let report = broker(down, NONE);
    assert_eq!(report.outcome, unhealthy(Ailment::NodesDown));
    assert_eq!((fact(&report, "nodes"), fact(&report, "running_nodes")), (Some(Fact::Count(2)), Some(Fact::Count(1))));
    let lost = r#"{"items":[{"name":"q","type":"quorum","members":["a","b"],"online":["a"]},
        {"name":"old","type":"classic"}],"page":1,"page_count":1}"#;
    let report = broker(down, lost);
    assert_eq!(report.outcome, unhealthy(Ailment::QueuesWithoutMajority));
    assert!(report.detail.ends_with(": q"), "{}", report.detail);
    let cut = r#"[{"partitions":["b"],"name":"a","running":true},{"name":"b","running":false}]"#;
    assert_eq!(broker(cut, lost).outcome, unhealthy(Ailment::Partitioned));
}

#[test]
fn of_many_queues_a_thousand_are_looked_at() {
    let fixture = Fixture::that(|first| {
        let body = match first.split('?').next() {
            Some("GET /api/overview") => r#"{"rabbitmq_version":"3.10.8"}"#,
            Some("GET /api/nodes") => WELL,
            _ => r#"{"items":[],"page_count":4000}"#,
        };
        ("200 OK", body.to_owned())
    });
    assert_eq!(probed(check(fixture.address, None, None), LONG).outcome, Outcome::Success);
    let pages = fixture.asked().iter().filter(|head| head.contains("/api/queues")).count();
    assert_eq!(pages, 20);
}

#[test]
fn a_broker_that_is_well_tells_its_version_and_is_not_disturbed() {
    let Some(mut cluster) = cluster(1, "") else { return };
    let (address, password) = (cluster.nodes[0].management, cluster.password_file.clone());
    let right = || check(address, None, Some(password.clone()));
    let report = probed(right(), LONG);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    let Some(Fact::Word(version)) = fact(&report, "version") else { panic!("{report:?}") };
    assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{version}");
    assert_eq!(fact(&report, "running_nodes"), Some(Fact::Count(1)));

    let before = cluster.nodes[0].log();
    for _ in 0..1000 {
        let report = probed(right(), LONG);
        assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    }
    assert_eq!(cluster.nodes[0].log(), before);

    fails(check(address, None, Some(cluster.wrong_password_file())), Cause::Auth);
    fails(check(address, None, None), Cause::Auth);

    cluster.nodes[0].freeze();
    times_out(right());
    cluster.nodes[0].thaw();
    cluster.nodes[0].kill();
    fails(right(), Cause::Refused);
}

#[test]
fn a_broker_without_memory_has_an_alarm() {
    let Some(cluster) = cluster(1, "vm_memory_high_watermark.absolute = 1MB") else { return };
    let right = || check(cluster.nodes[0].management, None, Some(cluster.password_file.clone()));
    process::until("an alarm", || probed(right(), LONG).outcome == unhealthy(Ailment::Alarm));
}

#[test]
fn a_cluster_that_is_cut_says_so_from_its_first_node_down_to_the_partition_that_stays() {
    let Some(cluster) = cluster(3, "") else { return };
    let [one, two, three] = cluster.nodes.as_slice() else { panic!("there are three") };
    // Whoever asks just as a node falls silent may wait for a minute: it is asked again.
    let found = || probed(check(one.management, None, Some(cluster.password_file.clone())), Duration::from_secs(5));
    declare_quorum_queue(one.management);
    process::until("a cluster that is whole", || found().outcome == Outcome::Success);

    three.freeze();
    process::until("a node down", || found().outcome == unhealthy(Ailment::NodesDown));
    two.freeze();
    process::until("a queue without its majority", || {
        let report = found();
        report.outcome == unhealthy(Ailment::QueuesWithoutMajority) && report.detail.contains("orders")
    });
    two.thaw();
    three.thaw();
    process::until("a partition", || found().outcome == unhealthy(Ailment::Partitioned));
    process::until("who sees it", || matches!(fact(&found(), "partitions"), Some(Fact::Count(1..=3))));
}

/// A quorum queue named `orders`, with a member on each node.
fn declare_quorum_queue(address: SocketAddr) {
    let body = r#"{"durable":true,"arguments":{"x-queue-type":"quorum"}}"#;
    // `probe:correct horse` in base64 (RFC 4648).
    let head = "PUT /api/queues/%2F/orders HTTP/1.1\r\nhost: broker\r\nconnection: close\r\n\
                authorization: Basic cHJvYmU6Y29ycmVjdCBob3JzZQ==\r\ncontent-type: application/json";
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
}
