//! A server that a test runs as a child of its own, as the owner of its directory: some refuse to be root. Beside `process.rs`,
//! which runs those that do not mind.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use super::group::Group;

/// As whom servers run that refuse to be root: nobody.
const NOBODY: u32 = 65534;

/// A server. It ends when this is dropped.
pub(crate) struct Process {
    group: Group,
    log: PathBuf,
}

impl Process {
    /// Starts a program, in this directory and as its owner; what it says goes to a file there.
    pub(crate) fn start(program: &Path, arguments: &[String], directory: &Path) -> Self {
        let log = directory.join("said.log");
        let said = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = as_owner(program, directory);
        command.args(arguments).stdout(said.try_clone().unwrap()).stderr(said);
        Self { group: Group::start(&mut command, directory), log }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.group.ended().is_none()
    }

    /// What it said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.group.signal(signal);
    }

    /// Ends it by this signal.
    pub(crate) fn stop(&mut self, signal: Signal) {
        self.group.stop(signal);
    }
}

/// A program to be run in this directory, as the one who owns it.
pub(crate) fn as_owner(program: &Path, directory: &Path) -> Command {
    let owner = fs::metadata(directory).unwrap().uid();
    let mut command = if owner == geteuid().as_raw() {
        Command::new(program)
    } else {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={owner}"), format!("--regid={owner}"), "--clear-groups".to_owned()]);
        command.arg(program);
        command
    };
    // No configuration of whoever runs the tests; and MariaDB removes what another one has in the same temporary directory.
    command.current_dir(directory).env("HOME", directory).env("TMPDIR", directory).env("LC_ALL", "C");
    command
}

/// A temporary directory. As root it is given to nobody.
pub(crate) fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    if geteuid().is_root() {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    directory
}

/// Where a program is: on the path, or in one of these directories.
pub(crate) fn program(name: &str, more: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = more.iter().map(PathBuf::from).collect();
    places.extend(std::env::split_paths(&path));
    places.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    places.into_iter().map(|place| place.join(name)).find(|file| file.is_file())
}

/// Waits for a condition for a minute at most: a server on a busy machine takes long to start.
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if is_so() {
            return;
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    panic!("in a minute it did not come: {what}");
}
