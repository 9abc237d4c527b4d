//! A server with a view, a log and a time that the test says, and clients of it. All on loopback.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use netsplit::detector::Detector;
use netsplit::detector::saved::Saved;
use netsplit::detector::settings::{Member, ModePolicy, Settings, Timing};
use netsplit::detector::time::Now;
use netsplit::detector::view::View;
use netsplit::http::{Server, Serving};
use netsplit::identity::Incarnation;
use netsplit::sources::{Sources, Times};
use tokio::sync::watch;

/// How long a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A view of second 0: node-1, alone.
pub(crate) fn view() -> View {
    let node = Member::new("node-1", "", (Ipv4Addr::LOCALHOST, 7475).into());
    let timing = Timing::of_period(Duration::from_secs(1));
    let settings = Settings {
        cluster: "test".into(),
        node,
        timing: timing.into(),
        mode: ModePolicy::default(),
        endpoints: Vec::new(),
    };
    let detector = Detector::new(settings, Saved::default(), Incarnation(1), [7; 32], Now::START);
    (*detector.view(Now::START)).clone()
}

/// A server, and the time in milliseconds by which it goes.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) milliseconds: Arc<AtomicU64>,
    pub(crate) serving: Serving,
    view: watch::Sender<Arc<View>>,
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

impl Running {
    /// Serves what `change` made of a view alone.
    pub(crate) fn start_with(address: &str, view: View, change: impl FnOnce(&mut Sources)) -> Self {
        let server = Server::bind(address.parse().unwrap()).unwrap();
        let (sender, views) = watch::channel(Arc::new(view));
        let milliseconds = Arc::new(AtomicU64::new(0));
        let mut sources = Sources::of_view(views, Arc::new(Shown(Arc::clone(&milliseconds))));
        change(&mut sources);
        let address = server.local_address();
        let serving = server.start(sources).unwrap();
        Self { address, milliseconds, serving, view: sender }
    }

    pub(crate) fn start() -> Self {
        Self::of(view())
    }

    pub(crate) fn of(view: View) -> Self {
        Self::start_with("127.0.0.1:0", view, |_| {})
    }

    pub(crate) fn set_time(&self, milliseconds: u64) {
        self.milliseconds.store(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn show(&self, view: View) {
        self.view.send_replace(Arc::new(view));
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.address, path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        get(self.address, path, headers)
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ &str| line.split_once(": ").is_some_and(|(header, _)| header.eq_ignore_ascii_case(name));
        self.head.lines().find(line)?.split_once(": ").map(|(_, value)| value)
    }

    /// Its status and its body.
    pub(crate) fn said(&self) -> (&str, &str) {
        (&self.status, &self.body)
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sentence that says why there is no answer.
    pub(crate) fn error(&self) -> String {
        self.json::<netsplit::api::Refused>().error
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// What comes until the end. A reset is an end, too.
pub(crate) fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end came: {error}"),
        _ => String::from_utf8(bytes).unwrap(),
    }
}

/// What is answered to these bytes.
pub(crate) fn said(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    // Whoever is sent away may find it closed already.
    let _ = stream.write_all(request.as_bytes());
    rest(stream)
}

pub(crate) fn ask(stream: &mut TcpStream, path: &str, headers: &[(&str, &str)]) {
    let headers: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n").as_bytes()).unwrap();
}

/// One request over a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = connect(address);
    let headers = [headers, &[("connection", "close")]].concat();
    ask(&mut stream, path, &headers);
    read(stream)
}

/// Reads an answer to its end, which is that of the connection.
pub(crate) fn read(stream: TcpStream) -> Answer {
    let whole = rest(stream);
    let (head, body) = whole.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {whole:?}"));
    let status = head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ").to_owned();
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    match answer.header("transfer-encoding") {
        Some("chunked") => Answer { body: without_chunks(body), ..answer },
        _ => answer,
    }
}

fn without_chunks(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

/// A stream of events that is being read.
pub(crate) struct Following(BufReader<TcpStream>);

impl Following {
    /// Asks for a stream, and reads the head of the answer.
    pub(crate) fn begin(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = connect(address);
        ask(&mut stream, path, &[headers, &[("accept", "text/event-stream")]].concat());
        let mut following = Self(BufReader::new(stream));
        assert_eq!(following.line(), "HTTP/1.1 200 OK");
        while !following.line().is_empty() {}
        following
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next lines that are not those of the chunks, up to an empty one.
    pub(crate) fn next(&mut self) -> Vec<String> {
        let is_of_the_stream = |line: &String| [":", "id:", "data:"].iter().any(|start| line.starts_with(start));
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if is_of_the_stream(&line) {
                lines.push(line);
            } else if !lines.is_empty() {
                return lines;
            }
        }
    }
}
