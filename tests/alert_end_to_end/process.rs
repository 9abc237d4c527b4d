//! A server that a case runs: a program of the machine, in the management network beside the agents or here, asked over HTTP.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::management::Management;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server runs and is asked.
pub trait Place {
    /// Does something there.
    fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T;
}

impl Place for Management {
    fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        Self::within(self, act)
    }
}

/// Where the test itself is.
pub struct Here;

impl Place for Here {
    fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        act()
    }
}

pub struct Process {
    child: Child,
    port: u16,
    diagnostics: PathBuf,
}

impl Process {
    /// Starts a program that will answer on this port.
    pub fn start(place: &impl Place, program: &str, arguments: &[String], port: u16, directory: &Path) -> Self {
        let diagnostics = directory.join(format!("{program}.log"));
        let log = File::create(&diagnostics).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = place.within(|| command.spawn()).unwrap_or_else(|error| panic!("{program}: {error}"));
        Self { child, port, diagnostics }
    }

    /// The JSON that it answers; none as long as it does not answer.
    pub fn ask(&self, place: &impl Place, path: &str) -> Option<Value> {
        let body = place.within(|| get(self.port, path))?;
        serde_json::from_str(&body).ok()
    }

    /// What it answers, be it a success or not: the status and the body. None as long as it does not answer.
    pub fn answer(&self, place: &impl Place, path: &str) -> Option<(u16, String)> {
        place.within(|| answer(self.port, path))
    }

    /// Whether it answers this with success.
    pub fn is_ready(&self, place: &impl Place, path: &str) -> bool {
        place.within(|| get(self.port, path)).is_some()
    }

    /// What it said.
    pub fn told(&self) -> String {
        fs::read_to_string(&self.diagnostics).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of an answer of 200.
fn get(port: u16, path: &str) -> Option<String> {
    answer(port, path).and_then(|(status, body)| (status == 200).then_some(body))
}

/// Status and body. HTTP 1.0: it ends with the connection, and comes in one piece.
fn answer(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// As it stands in the query of a URL.
pub fn escaped(text: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}
