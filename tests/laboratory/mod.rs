//! Clusters of real agents for tests: the program itself, one process a node, each in a network namespace of its own.
//! Several test programs share it: each says `#[path = "../laboratory/mod.rs"] mod laboratory;` and has `mod verify`.
//!
//! This file says whether this machine can hold such networks, and who may have one now: one case at a time. All
//! namespaces are named after the process that made them, so that those of one that was killed are found and
//! removed by the next.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod agent;
pub mod cluster;
pub mod network;
pub mod truth;
pub mod words;

use std::env;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use self::cluster::Cluster;
use self::network::Family;
use crate::verify;

/// Where `ip netns` keeps its names.
pub const NAMES: &str = "/var/run/netns";

/// What all names begin with; the number of the process follows.
const PREFIX: &str = "netsplit-test-";

/// The test programs that make networks, as the kernel calls their processes: 15 letters at most.
const PROGRAMS: [&str; 3] = ["namespaces-", "alert_end_to_en", "image-"];

/// How often a case is tried on a machine that stalls the agents.
const TRIES: usize = 3;

/// The right to make a network now.
pub struct Laboratory(MutexGuard<'static, ()>);

/// Waits for the turn of this case. `None`, with the reason told, where networks cannot be made.
pub fn open() -> Option<Laboratory> {
    static TURN: Mutex<()> = Mutex::new(());
    static SWEPT: Once = Once::new();
    if let Some(reason) = what_is_missing() {
        let must = verify::is_full() || env::var("NETSPLIT_TEST_ALL").is_ok_and(|value| value == "1");
        assert!(!must, "{reason}");
        eprintln!("skipped: {reason}");
        return None;
    }
    // A case that failed has cleaned up behind itself.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    SWEPT.call_once(sweep);
    Some(Laboratory(turn))
}

/// Plays one case on a fresh cluster, of which no agent runs yet.
///
/// A machine that is busy with others stalls agents, and a stalled agent rightly says other things: such a failure is
/// told and the case is played again. Where no agent said that it stalled, the first failure counts.
pub fn play(nodes: usize, family: Family, case: impl Fn(&mut Cluster)) {
    let Some(laboratory) = open() else { return };
    for _ in 0..TRIES {
        let mut cluster = Cluster::of(&laboratory, nodes, family);
        let Err(failure) = catch_unwind(AssertUnwindSafe(|| case(&mut cluster))) else { return };
        eprintln!("{}", cluster.report());
        if !cluster.has_stalled() {
            resume_unwind(failure);
        }
        eprintln!("an agent stalled, so this machine and not the agents may have failed: once more");
    }
    panic!("agents stalled in each of {TRIES} tries: this machine has no time for them");
}

fn what_is_missing() -> Option<String> {
    if !geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    let lacks = |program: &&str| Command::new(program).arg("-V").output().is_err();
    let missing = ["ip", "nft"].into_iter().find(lacks)?;
    Some(format!("there is no `{missing}`: run 'make install-test-needs' as root"))
}

/// A name that no other case has, of this process or another.
pub fn name(case: usize, what: &str) -> String {
    format!("{PREFIX}{}-{case}-{what}", process::id())
}

/// A directory of its own for a case.
pub fn directory() -> TempDir {
    tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", process::id())).tempdir().unwrap()
}

/// Removes what processes that are gone have left.
fn sweep() {
    assert!(lives(process::id()), "this test program is not in the list of those that others leave in peace");
    for name in left_behind(Path::new(NAMES)) {
        remove(&name);
    }
    for name in left_behind(&env::temp_dir()) {
        // Another sweep may have been faster.
        let _ = fs::remove_dir_all(env::temp_dir().join(name));
    }
}

/// The names in a directory that are those of processes that are gone.
pub fn left_behind(directory: &Path) -> Vec<String> {
    let owner = |name: &String| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok();
    let names = fs::read_dir(directory).into_iter().flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| owner(name).is_some_and(|owner| !lives(owner))).collect()
}

/// Whether this process runs, and is one of these tests: numbers are used again.
fn lives(process: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    PROGRAMS.iter().any(|program| name.starts_with(program))
}

/// Ends whatever still runs in a namespace, and removes it.
pub fn remove(name: &str) {
    let inside = Command::new("ip").args(["netns", "pids", name]).output().unwrap();
    for process in String::from_utf8_lossy(&inside.stdout).lines().filter_map(|line| line.parse().ok()) {
        // It may have ended meanwhile.
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
    let removed = Command::new("ip").args(["netns", "delete", name]).output().unwrap();
    if !removed.status.success() {
        eprintln!("{name} is left behind: {}", String::from_utf8_lossy(&removed.stderr).trim());
    }
}

/// Gives a program its input, and must not fail.
pub fn feed(program: &str, arguments: &[&str], input: &str) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}\n{input}");
}
