//! What may be set of the audit log, and the part of it that may change while the agent runs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Where the log is, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file that is written. Older ones are beside it, with `.1`, `.2`, … behind the name.
    pub path: PathBuf,
    /// The size in bytes at which the next file is begun. A line that is larger has a file of its own.
    pub max_size: u64,
    /// How many files there are in all: at least 1, and 0 counts as 1.
    pub keep: usize,
    /// Whether the lines go to standard output, too.
    pub stdout: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { path: "/var/log/partition-events.log".into(), max_size: 16 << 20, keep: 4, stdout: true }
    }
}

/// What may change while the log is written. A change holds from the next line on.
#[derive(Debug)]
pub(super) struct Knobs {
    max_size: AtomicU64,
    keep: AtomicUsize,
    stdout: AtomicBool,
}

impl Knobs {
    pub(super) fn new(max_size: u64, keep: usize, stdout: bool) -> Self {
        Self { max_size: max_size.into(), keep: keep.into(), stdout: stdout.into() }
    }

    pub(super) fn change(&self, max_size: u64, keep: usize, stdout: bool) {
        self.max_size.store(max_size, Ordering::Relaxed);
        self.keep.store(keep, Ordering::Relaxed);
        self.stdout.store(stdout, Ordering::Relaxed);
    }

    pub(super) fn max_size(&self) -> u64 {
        self.max_size.load(Ordering::Relaxed)
    }

    pub(super) fn keep(&self) -> usize {
        self.keep.load(Ordering::Relaxed).max(1)
    }

    pub(super) fn stdout(&self) -> bool {
        self.stdout.load(Ordering::Relaxed)
    }
}
