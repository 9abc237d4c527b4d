//! A real Redis on loopback, for tests.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::child::{self, Process};
use super::group::{free_port, output_of};
use crate::needs::skip;

/// A Redis. It ends when this is dropped.
pub(crate) struct Redis {
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
    /// What `redis-cli` needs to be let in.
    login: Vec<String>,
    process: Process,
}

impl Redis {
    /// A server that saves nothing, with more options; `None` if there is no Redis, which only counts where skipping is
    /// allowed.
    pub(crate) fn start(more: &[&str]) -> Option<Self> {
        let port = free_port();
        Self::start_at(port, &["--port", &port.to_string()], more)
    }

    /// A server that speaks TLS and nothing else.
    pub(crate) fn start_secured(certificate: PathBuf, key: PathBuf) -> Option<Self> {
        let port = free_port();
        let [certificate, key] = [certificate, key].map(|file| file.to_str().unwrap().to_owned());
        let listen = ["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"];
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &certificate];
        Self::start_at(port, &[&listen[..], &files[..]].concat(), &[])
    }

    fn start_at(port: u16, listen: &[&str], more: &[&str]) -> Option<Self> {
        let Some(program) = child::program("redis-server", &[]) else {
            skip("Redis is missing: make install-test-needs");
            return None;
        };
        // It writes as whoever runs the tests, and reads their certificates.
        let directory = tempfile::tempdir().unwrap();
        let save = if more.contains(&"--save") { &[][..] } else { &["--save", ""][..] };
        let always = [&["--bind", "127.0.0.1", "--loglevel", "verbose"], save].concat();
        let arguments: Vec<String> = [listen, &always, more].concat().into_iter().map(ToOwned::to_owned).collect();
        let process = Process::start(&program, &arguments, directory.path());
        let password = more.iter().position(|option| *option == "--requirepass").map(|at| more[at + 1].to_owned());
        let login = password.map_or(Vec::new(), |password| vec!["--pass".to_owned(), password]);
        let mut server = Self { port, directory, login, process };
        child::wait_for("Redis takes connections", || {
            assert!(server.process.is_running(), "{}", server.process.said());
            server.process.said().contains("Ready to accept connections")
        });
        Some(server)
    }

    /// A replica of another one.
    pub(crate) fn replica_of(primary: &Self, more: &[&str]) -> Option<Self> {
        let replica = Self::start(&[&["--replicaof", &format!("127.0.0.1 {}", primary.port)], more].concat())?;
        child::wait_for("the link to the primary", || replica.info("replication").contains("master_link_status:up"));
        Some(replica)
    }

    /// What it answers.
    pub(crate) fn does(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "--no-auth-warning"]).args(&self.login).args(words);
        output_of(&mut command)
    }

    pub(crate) fn info(&self, section: &str) -> String {
        self.does(&["INFO", section])
    }

    /// One value of what it counts.
    pub(crate) fn count(&self, section: &str, name: &str) -> u64 {
        let info = self.info(section);
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("{name} in {info}")).trim().parse().unwrap()
    }

    /// What it logs at its usual level, for how long it runs.
    pub(crate) fn log(&self) -> Vec<String> {
        // `.` is debug and `-` verbose: clients that come and go, with any client.
        let told = |line: &&str| !line.split(' ').any(|word| word == "-" || word == ".");
        self.process.said().lines().filter(told).map(ToOwned::to_owned).collect()
    }

    pub(crate) fn stop(&mut self) {
        self.process.stop(Signal::SIGTERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }
}
