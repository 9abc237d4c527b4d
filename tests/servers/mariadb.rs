//! A real MariaDB on loopback, for tests. Its `root` needs no password and comes by the socket.

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

/// Small and quick: what a crash would lose, no test needs.
const QUICK: [&str; 5] = [
    "--no-defaults",
    "--datadir=data",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=8M",
    "--innodb-flush-method=nosync",
];

/// A MariaDB. It ends when this is dropped.
pub(crate) struct Mariadb {
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
    process: Process,
}

impl Mariadb {
    /// A server with more options; `None` if there is no MariaDB, which only counts where skipping is allowed.
    pub(crate) fn start(more: &[&str]) -> Option<Self> {
        Self::start_in(child::directory(), more)
    }

    /// A server that shows this certificate.
    pub(crate) fn start_secured(certificate: &Path, key: &Path) -> Option<Self> {
        let directory = child::directory();
        let owner = fs::metadata(directory.path()).unwrap().uid();
        for (name, file) in [("server.pem", certificate), ("server.key", key)] {
            let own = directory.path().join(name);
            fs::copy(file, &own).unwrap();
            fs::set_permissions(&own, Permissions::from_mode(0o600)).unwrap();
            chown(&own, Some(owner), None).unwrap();
        }
        let file = |name| directory.path().join(name).to_str().unwrap().to_owned();
        let options = [format!("--ssl-cert={}", file("server.pem")), format!("--ssl-key={}", file("server.key"))];
        let options = options.each_ref().map(String::as_str);
        Self::start_in(directory, &options)
    }

    fn start_in(directory: TempDir, more: &[&str]) -> Option<Self> {
        // To make each anew takes longer than most tests.
        static FRESH: OnceLock<Option<PathBuf>> = OnceLock::new();
        let fresh = FRESH.get_or_init(fresh).as_ref()?;
        let program = child::program("mariadbd", &[])?;
        output_of(Command::new("cp").arg("--archive").arg(fresh).arg(directory.path().join("data")));
        let port = free_port();
        let place = directory.path().display();
        let own = [format!("--port={port}"), format!("--socket={place}/socket"), format!("--pid-file={place}/pid")];
        let mut arguments: Vec<String> = QUICK.map(|option| option.replace("=data", &format!("={place}/data"))).into();
        arguments.extend(own);
        arguments.push("--bind-address=127.0.0.1".to_owned());
        arguments.extend(more.iter().map(ToString::to_string));
        let process = Process::start(&program, &arguments, directory.path());
        let mut server = Self { port, directory, process };
        child::wait_for("MariaDB is ready", || {
            assert!(server.process.is_running(), "{}", server.process.said());
            server.process.said().contains("ready for connections")
        });
        Some(server)
    }

    /// Lets this one follow a primary.
    pub(crate) fn follow(&self, primary: &Self, more: &str) {
        self.does(&format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='follower', \
             MASTER_PASSWORD='secret', MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos{more}; START SLAVE",
            primary.port
        ));
    }

    /// What it answers, as `root`.
    pub(crate) fn does(&self, statement: &str) -> String {
        self.says(&["--skip-column-names"], statement)
    }

    fn says(&self, more: &[&str], statement: &str) -> String {
        let mut command = Command::new(child::program("mariadb", &[]).unwrap());
        command.args(["--no-defaults", "--user=root", "--batch"]).args(more);
        command.arg(format!("--socket={}/socket", self.directory.path().display()));
        output_of(command.args(["--execute", statement])).trim().to_owned()
    }

    /// What it shows of one replica, as lines of `name: value`.
    pub(crate) fn replication(&self) -> String {
        self.says(&[], "SHOW SLAVE STATUS\\G")
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        self.process.said()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn stop(&mut self) {
        self.process.stop(Signal::SIGKILL);
    }
}

/// The data of a server that nobody has used.
fn fresh() -> Option<PathBuf> {
    let (Some(_), Some(install)) = (child::program("mariadbd", &[]), child::program("mariadb-install-db", &[])) else {
        skip("MariaDB is missing: make install-test-needs");
        return None;
    };
    let directory = child::directory();
    let mut command = as_owner(&install, directory.path());
    // It goes elsewhere before it looks for a relative one.
    let data = format!("--datadir={}", directory.path().join("data").display());
    command.args(QUICK.iter().filter(|option| !option.starts_with("--datadir"))).arg(data);
    // It wants the machine to know its own name, and need not.
    command.args(["--force", "--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal"]);
    output_of(&mut command);
    Some(keep(directory).join("data"))
}
