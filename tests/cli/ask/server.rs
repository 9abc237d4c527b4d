//! A small HTTP server that says what a test wants said.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde::Serialize;

/// What is said at a path.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// This status and this body.
    Answer(u16, String),
    /// These bytes, whatever they are.
    Bytes(&'static [u8]),
    /// Nothing, and the connection stays open.
    Nothing,
}

/// A server; it ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    answers: Arc<Mutex<BTreeMap<String, Said>>>,
    /// The requests, with their queries.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::listening(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
    }

    /// None where there is no IPv6.
    pub(crate) fn start_on_ipv6() -> Option<Self> {
        TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok().map(Self::listening)
    }

    fn listening(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let server = Self { address, answers: Arc::default(), asked: Arc::default() };
        let (answers, asked) = (Arc::clone(&server.answers), Arc::clone(&server.asked));
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                kept.extend(serve(stream.unwrap(), &answers, &asked));
            }
        });
        server
    }

    /// From now on this is said at a path, whatever the query.
    pub(crate) fn says(&self, path: &str, said: Said) -> &Self {
        self.answers.lock().unwrap().insert(path.to_owned(), said);
        self
    }

    /// From now on this is answered at a path.
    pub(crate) fn answers(&self, path: &str, answer: &impl Serialize) -> &Self {
        self.says(path, Said::Answer(200, serde_json::to_string(answer).unwrap()))
    }
}

/// One request. The stream comes back if it is to stay open.
fn serve(
    mut stream: TcpStream,
    answers: &Mutex<BTreeMap<String, Said>>,
    asked: &Mutex<Vec<String>>,
) -> Option<TcpStream> {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next()?;
    lines.find(String::is_empty)?;
    let target = request.split(' ').nth(1)?.to_owned();
    let path = target.split('?').next()?.to_owned();
    asked.lock().unwrap().push(target);
    let said = answers.lock().unwrap().get(&path).cloned();
    // Whoever asked may be gone.
    let _ = match said {
        Some(Said::Nothing) => return Some(stream),
        Some(Said::Bytes(bytes)) => stream.write_all(bytes),
        Some(Said::Answer(status, body)) => write(&mut stream, status, &body),
        None => write(&mut stream, 404, r#"{"error":"there is nothing here"}"#),
    };
    None
}

fn write(stream: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    stream.write_all(format!("{head}content-type: application/json\r\n\r\n{body}").as_bytes())
}
