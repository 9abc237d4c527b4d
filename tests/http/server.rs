//! The HTTP server, by real connections on loopback; how old the view is, the test says.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use netsplit::http::{SEATS, STREAMS, Server, WAITS};
use netsplit::metrics;

use crate::served::{Following, Running, ask, connect, get, read, rest, said, view};

fn start() -> Running {
    Running::start()
}

#[test]
fn an_agent_is_healthy_as_long_as_its_view_is_younger_than_5_seconds() {
    let server = start();
    assert_eq!(server.get("/healthz").said(), ("200 OK", "ok\n"));
    server.set_time(4_999);
    assert_eq!(server.get("/healthz").said(), ("200 OK", "ok\n"));
    server.set_time(5_000);
    let told = "the agent has done nothing for 5.0 s\n";
    assert_eq!(server.get("/healthz").said(), ("503 Service Unavailable", told));
}

#[test]
fn an_agent_that_has_started_is_ready_whatever_it_sees() {
    let server = start();
    server.set_time(60_000);
    assert_eq!(server.get("/readyz?verbose").said(), ("200 OK", "ok\n"));
}

#[test]
fn prometheus_is_answered_in_its_own_format() {
    let answer = start().get("/metrics?collect=all");
    assert_eq!((answer.status.as_str(), answer.header("content-type")), ("200 OK", Some(metrics::CONTENT_TYPE)));
    assert!(answer.body.contains("\nnetsplit_roster_size 1\n"), "{}", answer.body);
}

#[test]
fn what_is_not_there_is_told_in_one_sentence_and_what_is() {
    let server = start();
    for path in ["/", "/healthz/", "/v2/mode", "/%00"] {
        let answer = server.get(path);
        assert_eq!(answer.status, "404 Not Found", "{path}");
        assert!(
            answer.body.starts_with(&format!("there is nothing at {path}: try /metrics, /healthz, ")),
            "{answer:?}"
        );
    }
    let answer = server.get("/v1/nothing");
    assert_eq!((answer.status.as_str(), answer.header("content-type")), ("404 Not Found", Some("application/json")));
    assert!(answer.error().starts_with("there is nothing at /v1/nothing: try "), "{answer:?}");
}

#[test]
fn nothing_can_be_changed_here() {
    let server = start();
    let told =
        said(server.address, "POST /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 405") && told.contains("allow: GET, HEAD\r\n"), "{told}");
    let told = said(server.address, "HEAD /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 200") && told.ends_with("\r\n\r\n"), "{told}");
}

#[test]
fn a_slow_client_delays_nobody_and_is_sent_away() {
    let server = start();
    let mut slow = connect(server.address);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ").unwrap();
    assert_eq!(server.get("/healthz").status, "200 OK");
    assert_eq!(rest(slow), "", "after five seconds");
}

#[test]
fn whoever_comes_when_all_seats_are_taken_is_answered_and_who_idles_longest_goes() {
    let server = start();
    let mut idle: Vec<TcpStream> = (0..SEATS).map(|_| connect(server.address)).collect();
    let halfway = b"GET /healthz HTTP/1.1\r\n";
    for stream in &mut idle {
        stream.write_all(halfway).unwrap();
    }
    assert_eq!(server.get("/healthz").status, "200 OK");
    let last = idle.pop().unwrap();
    assert_eq!(rest(idle.remove(0)), "", "it came first");
    let mut last = last;
    last.write_all(b"host: a\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(read(last).status, "200 OK", "it came last");
}

#[test]
fn a_hundred_streams_and_a_hundred_who_wait_leave_seats_for_others() {
    let server = start();
    let streams: Vec<Following> = (0..STREAMS).map(|_| Following::begin(server.address, "/v1/events", &[])).collect();
    let tag = server.get("/v1/mode").header("etag").unwrap().to_owned();
    let headers = [("if-none-match", tag.as_str())];
    let waits: Vec<TcpStream> = (0..WAITS)
        .map(|_| {
            let mut stream = connect(server.address);
            ask(&mut stream, "/v1/mode?wait=60s", &headers);
            stream
        })
        .collect();
    let refused = until_refused(&server, "/v1/mode?wait=10ms", &headers);
    assert_eq!(refused, "100 clients wait for a change of the mode: try again in a second");
    let refused = until_refused(&server, "/v1/events", &[("accept", "text/event-stream")]);
    assert_eq!(refused, "100 streams of events are open: try again in a second");
    let idle: Vec<TcpStream> = (0..SEATS).map(|_| connect(server.address)).collect();
    assert_eq!(server.get("/healthz").status, "200 OK");
    drop(idle);
    drop((streams, waits));
    assert!(
        std::iter::repeat_with(|| server.get_with("/v1/mode?wait=1ms", &headers).status)
            .take(1000)
            .any(|status| status == "304 Not Modified")
    );
}

/// Asks until that is too much; why.
fn until_refused(server: &Running, path: &str, headers: &[(&str, &str)]) -> String {
    let mut answers = std::iter::repeat_with(|| server.get_with(path, headers)).take(1000);
    let refused = answers.find(|answer| answer.status == "429 Too Many Requests").unwrap();
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.error()
}

#[test]
fn a_head_without_end_is_refused() {
    let server = start();
    let told = said(server.address, &format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(1 << 20)));
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431"), "{told}");
    let many = "x: y\r\n".repeat(100);
    let told = said(server.address, &format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"));
    assert!(told.starts_with("HTTP/1.1 431"), "{told}");
    assert_eq!(server.get("/healthz").status, "200 OK");
}

#[test]
fn what_is_not_http_is_refused() {
    let server = start();
    let told = said(server.address, "\u{16}\u{3}\u{1} hello\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 400"), "{told}");
}

#[test]
fn a_server_for_all_addresses_answers_ipv4() {
    let server = Running::start_with("[::]:0", view(), |_| {});
    let address = (Ipv4Addr::LOCALHOST, server.address.port()).into();
    assert_eq!(get(address, "/healthz", &[]).status, "200 OK");
}

#[test]
fn a_server_ends_with_its_handle_and_its_connections_with_it() {
    let server = start();
    let held = connect(server.address);
    drop(server);
    assert_eq!(rest(held), "");
}

#[test]
fn a_server_does_not_end_by_itself() {
    let mut server = start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let moment = Duration::from_millis(10);
    let ended = runtime.block_on(async { tokio::time::timeout(moment, server.serving.ended()).await });
    assert!(ended.is_err());
}

#[test]
fn an_address_in_use_is_told_in_one_sentence_with_what_to_do() {
    let server = start();
    let address = server.address;
    let told = Server::bind(address).unwrap_err().to_string();
    let expected = "the port is in use; stop the program that has it, or choose another with `http.listen`";
    assert_eq!(told, format!("cannot listen on {address}/tcp: {expected}"));
}
