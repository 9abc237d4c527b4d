//! The HTTP server, by real connections on loopback; how old the view is, the test says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use netsplit::detector::Detector;
use netsplit::detector::saved::Saved;
use netsplit::detector::settings::{Member, ModePolicy, Settings, Timing};
use netsplit::detector::time::Now;
use netsplit::detector::view::View;
use netsplit::http::{MAX_CONNECTIONS, Server, Serving};
use netsplit::identity::Incarnation;
use netsplit::sources::{Sources, Times};
use tokio::sync::watch;

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_mins(1);

/// A view of second 0.
fn view() -> Arc<View> {
    let node = Member::new("node-1", "", (Ipv4Addr::LOCALHOST, 7475).into());
    let timing = Timing::of_period(Duration::from_secs(1));
    let settings = Settings { cluster: "test".into(), node, timing: timing.into(), mode: ModePolicy::default() };
    Detector::new(settings, Saved::default(), Incarnation(1), [7; 32], Now::START).view(Now::START)
}

/// A server, and the time in milliseconds by which it goes.
struct Running {
    address: SocketAddr,
    milliseconds: Arc<AtomicU64>,
    serving: Serving,
    _view: watch::Sender<Arc<View>>,
}

/// The time that the test shows; the day begins with it.
struct Shown(Arc<AtomicU64>);

impl Times for Shown {
    fn now(&self) -> Now {
        Now::at(self.wall())
    }

    fn wall(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

fn start_at(address: &str) -> Running {
    let server = Server::bind(address.parse().unwrap()).unwrap();
    let (sender, view) = watch::channel(view());
    let milliseconds = Arc::new(AtomicU64::new(0));
    let time = Arc::clone(&milliseconds);
    let address = server.local_address();
    let serving = server.start(Sources::of_view(view, Arc::new(Shown(time)))).unwrap();
    Running { address, milliseconds, serving, _view: sender }
}

fn start() -> Running {
    start_at("127.0.0.1:0")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// What comes until the end. A reset is an end, too.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end came: {error}"),
        _ => String::from_utf8(bytes).unwrap(),
    }
}

fn said(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    // Whoever is sent away may find it closed already.
    let _ = stream.write_all(request.as_bytes());
    rest(stream)
}

/// The status and the body.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let whole = said(address, &format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"));
    let (head, body) = whole.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ");
    (status.to_owned(), body.to_owned())
}

fn answer(status: &str, body: &str) -> (String, String) {
    (status.to_owned(), body.to_owned())
}

#[test]
fn an_agent_is_healthy_as_long_as_its_view_is_younger_than_5_seconds() {
    let server = start();
    assert_eq!(get(server.address, "/healthz"), answer("200 OK", "ok\n"));
    server.milliseconds.store(4_999, Ordering::Relaxed);
    assert_eq!(get(server.address, "/healthz"), answer("200 OK", "ok\n"));
    server.milliseconds.store(5_000, Ordering::Relaxed);
    let told = "the agent has done nothing for 5.0 s\n";
    assert_eq!(get(server.address, "/healthz"), answer("503 Service Unavailable", told));
}

#[test]
fn an_agent_that_has_started_is_ready_whatever_it_sees() {
    let server = start();
    server.milliseconds.store(60_000, Ordering::Relaxed);
    assert_eq!(get(server.address, "/readyz?verbose"), answer("200 OK", "ok\n"));
}

#[test]
fn what_is_not_there_is_told_in_one_sentence() {
    let server = start();
    let told = "there is nothing here: try /healthz or /readyz\n";
    for path in ["/", "/healthz/", "/v1/mode", "/%00"] {
        assert_eq!(get(server.address, path), answer("404 Not Found", told), "{path}");
    }
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
    assert_eq!(get(server.address, "/healthz").0, "200 OK");
    assert_eq!(rest(slow), "", "after five seconds");
}

#[test]
fn one_client_too_many_is_sent_away_at_once_and_welcome_when_another_has_left() {
    let server = start();
    let mut idle: Vec<TcpStream> = (0..MAX_CONNECTIONS).map(|_| connect(server.address)).collect();
    assert_eq!(said(server.address, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"), "");
    idle.pop();
    let tries = std::iter::repeat_with(|| get(server.address, "/healthz").0);
    assert!(tries.take(10_000).any(|status| status == "200 OK"));
}

#[test]
fn a_head_without_end_is_refused() {
    let server = start();
    let told = said(server.address, &format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(1 << 20)));
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431"), "{told}");
    let many = "x: y\r\n".repeat(100);
    let told = said(server.address, &format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"));
    assert!(told.starts_with("HTTP/1.1 431"), "{told}");
    assert_eq!(get(server.address, "/healthz").0, "200 OK");
}

#[test]
fn what_is_not_http_is_refused() {
    let server = start();
    let told = said(server.address, "\u{16}\u{3}\u{1} hello\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 400"), "{told}");
}

#[test]
fn a_server_for_all_addresses_answers_ipv4() {
    let server = start_at("[::]:0");
    let address = (Ipv4Addr::LOCALHOST, server.address.port()).into();
    assert_eq!(get(address, "/healthz").0, "200 OK");
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
