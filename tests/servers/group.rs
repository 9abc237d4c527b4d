//! A program that a test runs, with all that it starts in turn, and commands that end. Both have a deadline or an end in any
//! case: a program ends with the test, be it by a panic, and with the test program, be it by `kill -9`. For that a watcher
//! of its own waits for the end of a pipe that the test program holds open.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

pub(crate) use crate::ports::free_port;

/// How long a command may take. Those of RabbitMQ take seconds each on an idle machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a watcher does once nobody holds the pipe any more: `$1` is the directory, `$2` the group that is in it, if any. What
/// is being killed may still write.
const WATCH: &str = "read -r nothing; [ -z \"$2\" ] || kill -s KILL -- \"-$2\"; \
                     rm -rf -- \"$1\" || { sleep 1; rm -rf -- \"$1\"; }";

/// A program and all that it starts. It ends when this is dropped.
pub(crate) struct Group {
    first: Child,
    watcher: Child,
}

impl Group {
    /// Starts it. Should the test program end before this is dropped, its directory goes with it.
    pub(crate) fn start(command: &mut Command, directory: &Path) -> Self {
        let first = command.process_group(0).stdin(Stdio::null()).spawn();
        let first = first.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let watcher = watch(directory, &first.id().to_string());
        Self { first, watcher }
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.first.try_wait().unwrap()
    }

    /// Signals all of it. Where it is to stand still it does so when this returns.
    pub(crate) fn signal(&self, signal: Signal) {
        let group = id(&self.first);
        // It may have ended already.
        let _ = killpg(group, signal);
        if signal == Signal::SIGSTOP {
            for _ in 0..1200 {
                if stands_still(group) {
                    return;
                }
                thread::park_timeout(Duration::from_millis(5));
            }
            panic!("in six seconds it did not stand still: {group}");
        }
    }

    /// Signals the first of it alone, and waits a minute for its end; then it ends in any case.
    pub(crate) fn stop(&mut self, signal: Signal) {
        if self.ended().is_some() {
            return;
        }
        let _ = nix::sys::signal::kill(id(&self.first), signal);
        for _ in 0..1200 {
            if self.ended().is_some() {
                return;
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        self.end();
    }

    /// Ends all of it.
    pub(crate) fn end(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.first.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
        // Before somebody else gets the number of the group.
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

fn watch(directory: &Path, group: &str) -> Child {
    let mut watcher = Command::new("sh");
    watcher.args(["-c", WATCH, "watcher"]).arg(directory).arg(group).current_dir("/");
    // An interrupt of the whole test is not its own.
    watcher.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    watcher.spawn().unwrap()
}

/// Keeps a directory for as long as the test program runs, and no longer.
pub(crate) fn keep(directory: TempDir) -> PathBuf {
    // Here it holds its pipe to the end.
    static WATCHERS: Mutex<Vec<Child>> = Mutex::new(Vec::new());
    let watcher = watch(directory.path(), "");
    WATCHERS.lock().unwrap_or_else(PoisonError::into_inner).push(watcher);
    directory.keep()
}

/// Whether every thread of a group is stopped, or over.
fn stands_still(group: Pid) -> bool {
    let threads =
        fs::read_dir("/proc").unwrap().flatten().flat_map(|process| fs::read_dir(process.path().join("task")));
    threads.flatten().flatten().all(|thread| {
        // The name, which is in parentheses, may have any. Then come the state, the parent and the group (proc(5)).
        let text = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let mut fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
        let (state, is_of_it) = (fields.next(), fields.nth(1) == Some(&group.to_string()));
        !is_of_it || matches!(state, Some("T" | "t" | "Z" | "X"))
    })
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// What a command says until it ends.
#[track_caller]
pub(crate) fn finished(command: &mut Command) -> Output {
    let child = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let group = id(&child);
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = done.recv_timeout(PATIENCE) else {
        let _ = killpg(group, Signal::SIGKILL);
        panic!("it did not end in two minutes: {command:?}");
    };
    output.unwrap()
}

/// What a command says that succeeds.
#[track_caller]
pub(crate) fn output_of(command: &mut Command) -> String {
    let done = finished(command);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
    said
}
