//! A server that a test runs: a program of the machine on loopback, ended with the test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::group::{Group, free_port};

/// How often it is looked whether what is waited for is there.
const PAUSE: Duration = Duration::from_millis(50);

/// How often at the most: a minute in all.
const LOOKS: usize = 1200;

/// A server that runs.
pub(crate) struct Process {
    group: Group,
    log: PathBuf,
}

impl Process {
    /// Starts a program, whose log is kept in the directory.
    pub(crate) fn start(program: &Path, arguments: &[String], directory: &Path, log: &str) -> Self {
        let log = directory.join(log);
        let file = File::create(&log).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).env_remove("HTTP_PROXY").env_remove("http_proxy");
        let group = Group::start(command.stdout(file.try_clone().unwrap()).stderr(file), directory);
        Self { group, log }
    }

    /// What it has said.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.group.ended().is_some()
    }

    /// Waits until it is there. False if it has ended instead: somebody else had its port.
    pub(crate) fn becomes(&mut self, is_ready: impl Fn() -> bool) -> bool {
        for _ in 0..LOOKS {
            if self.has_ended() {
                return false;
            }
            if is_ready() {
                return true;
            }
            thread::park_timeout(PAUSE);
        }
        panic!("it did not become ready within a minute: {}", self.told());
    }

    /// Stops it in its tracks: it keeps its port and its connections, and does nothing.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Tells it something.
    pub(crate) fn signal(&self, signal: Signal) {
        self.group.signal(signal);
    }

    /// Ends it.
    pub(crate) fn kill(&mut self) {
        self.group.end();
    }
}

/// Waits for what must come.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        thread::park_timeout(PAUSE);
    }
    panic!("within a minute there was not: {what}");
}

/// Where a program is. Without it the test is skipped, where that is allowed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|place| place.join(name)).find(|file| file.exists());
    if found.is_none() {
        crate::needs::skip(&format!("{name} is missing: make install-test-needs"));
    }
    found
}

/// A port that nobody had a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

/// Whether somebody listens there.
pub(crate) fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
