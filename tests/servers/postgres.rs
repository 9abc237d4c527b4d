//! A real PostgreSQL on loopback, for tests: a fresh cluster, its superuser `probe` with the password `correct horse`.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::child::{self, Process, as_owner};
use super::group::{free_port, keep, output_of};
use crate::needs::skip;

/// The name of the superuser.
pub(crate) const USER: &str = "probe";

/// Its password.
pub(crate) const PASSWORD: &str = "correct horse";

/// Who is let in, unless a test says otherwise.
pub(crate) const EVERYBODY: &str = "host all,replication all all scram-sha-256\n";

/// A PostgreSQL. It ends when this is dropped.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
    /// Where its certificate is.
    certificate: Option<TempDir>,
    process: Process,
}

impl Postgres {
    /// A server with these settings; `None` if there is no PostgreSQL, which only counts where skipping is allowed.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        Self::start_for(EVERYBODY, settings)
    }

    /// A server that lets these in.
    pub(crate) fn start_for(hba: &str, settings: &[&str]) -> Option<Self> {
        // To make each anew takes longer than most tests.
        static FRESH: OnceLock<Option<PathBuf>> = OnceLock::new();
        let fresh = FRESH.get_or_init(fresh).as_ref()?;
        let directory = child::directory();
        output_of(Command::new("cp").arg("--archive").arg(fresh).arg(directory.path().join("data")));
        fs::write(directory.path().join("data/pg_hba.conf"), hba).unwrap();
        Some(Self::start_in(directory, settings, "database system is ready to accept connections"))
    }

    /// A server that shows this certificate.
    pub(crate) fn start_secured(certificate: &Path, key: &Path) -> Option<Self> {
        let directory = child::directory();
        let owner = fs::metadata(directory.path()).unwrap().uid();
        for (name, file) in [("server.pem", certificate), ("server.key", key)] {
            let own = directory.path().join(name);
            fs::copy(file, &own).unwrap();
            // It takes no key that others may read.
            fs::set_permissions(&own, Permissions::from_mode(0o600)).unwrap();
            chown(&own, Some(owner), None).unwrap();
        }
        let file = |name| directory.path().join(name).to_str().unwrap().to_owned();
        let settings = [
            "ssl=on",
            &format!("ssl_cert_file={}", file("server.pem")),
            &format!("ssl_key_file={}", file("server.key")),
        ];
        let mut server = Self::start(&settings)?;
        server.certificate = Some(directory);
        Some(server)
    }

    /// One that follows another, with more settings, and what it says once it is ready.
    pub(crate) fn replica_of(primary: &Self, settings: &[&str], ready: &str) -> Option<Self> {
        Self::replica_at("127.0.0.1", primary, settings, ready)
    }

    /// One that finds the other at this address.
    pub(crate) fn replica_at(host: &str, primary: &Self, settings: &[&str], ready: &str) -> Option<Self> {
        let directory = child::directory();
        let mut command = as_owner(&program("pg_basebackup")?, directory.path());
        command.env("PGPASSWORD", PASSWORD).args(["--pgdata=data", "--write-recovery-conf", "--no-sync"]);
        command.args(["--checkpoint=fast", "--host", host, &format!("--port={}", primary.port)]);
        output_of(command.arg(format!("--username={USER}")));
        Some(Self::start_in(directory, settings, ready))
    }

    fn start_in(directory: TempDir, settings: &[&str], ready: &str) -> Self {
        let port = free_port();
        let quick = ["fsync=off", "unix_socket_directories=", "listen_addresses=127.0.0.1", "shared_buffers=16MB"];
        let mut all: Vec<String> = [&quick, settings].concat().into_iter().map(ToOwned::to_owned).collect();
        all.push(format!("port={port}"));
        let arguments = all.iter().flat_map(|setting| ["-c".to_owned(), setting.clone()]);
        let arguments: Vec<String> = ["-D".to_owned(), "data".to_owned()].into_iter().chain(arguments).collect();
        let process = Process::start(&program("postgres").unwrap(), &arguments, directory.path());
        let mut server = Self { port, directory, certificate: None, process };
        child::wait_for("PostgreSQL is ready", || {
            assert!(server.process.is_running(), "{}", server.process.said());
            server.process.said().contains(ready)
        });
        server
    }

    /// What it answers, as the superuser.
    pub(crate) fn does(&self, statement: &str) -> String {
        let mut command = Command::new(program("psql").unwrap());
        command.env("PGPASSWORD", PASSWORD).args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--host=127.0.0.1", &format!("--port={}", self.port), &format!("--username={USER}")]);
        output_of(command.args(["--dbname=postgres", "--command", statement])).trim().to_owned()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        self.process.said()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Stops it at once: it leaves nothing running, and needs no peace at its end.
    pub(crate) fn stop(&mut self) {
        self.process.stop(Signal::SIGQUIT);
    }
}

/// The data of a cluster that nobody has used.
fn fresh() -> Option<PathBuf> {
    let initdb = program("initdb")?;
    let directory = child::directory();
    fs::write(directory.path().join("password"), PASSWORD).unwrap();
    fs::set_permissions(directory.path().join("password"), Permissions::from_mode(0o644)).unwrap();
    let mut command = as_owner(&initdb, directory.path());
    command.args(["--pgdata=data", "--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]);
    output_of(command.args(["--pwfile=password", &format!("--username={USER}")]));
    Some(keep(directory).join("data"))
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGCONT);
        self.stop();
    }
}

/// A program of the newest PostgreSQL of this machine.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<u32> = versions.filter_map(|version| version.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable();
    let debian = versions.last().map(|version| format!("/usr/lib/postgresql/{version}/bin")).unwrap_or_default();
    let found = child::program(name, &[&debian]);
    if found.is_none() {
        skip(&format!("PostgreSQL's {name} is missing: make install-test-needs"));
    }
    found
}
