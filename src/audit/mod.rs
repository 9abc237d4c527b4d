//! A stand-in for the audit log: what the HTTP server reads of it, held in memory, until the log itself is merged.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What there is to read of a log.
#[derive(Clone, Debug)]
pub struct Readers {
    /// The last lines.
    pub tail: Tail,
    /// What became of the records.
    pub counters: Arc<Counters>,
}

/// The last lines. Its copies show the same.
#[derive(Clone, Debug)]
pub struct Tail(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    held: Mutex<Vec<Shown>>,
    newest: watch::Sender<u64>,
}

/// A part of the tail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The lines asked for, the oldest first.
    pub lines: Vec<Shown>,
    /// The number of the oldest line that is still held.
    pub oldest: Option<u64>,
    /// The number of the newest line that was shown. 0: none was yet.
    pub newest: u64,
}

/// A line that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub seq: u64,
    /// One JSON object, without a newline.
    pub line: Arc<str>,
    /// Whether it is on the disk for good.
    pub durable: bool,
}

impl Default for Tail {
    fn default() -> Self {
        Self(Arc::new(Shared { held: Mutex::default(), newest: watch::Sender::new(0) }))
    }
}

impl Tail {
    /// At most `limit` lines with a larger number than `seq`: the oldest of them that are held.
    pub fn since(&self, seq: u64, limit: usize) -> Page {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        Page {
            lines: held.iter().filter(|line| line.seq > seq).take(limit).cloned().collect(),
            oldest: held.first().map(|line| line.seq),
            newest: held.last().map_or(0, |line| line.seq),
        }
    }

    /// Tells the number of the newest line whenever there are new ones.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    /// Shows one more line. Of this stand-in alone.
    pub fn show(&self, line: Shown) {
        let newest = line.seq;
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        self.0.newest.send_replace(newest);
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    lost: AtomicU64,
}

impl Counters {
    /// How many records are in memory and not durable yet.
    pub fn queued(&self) -> u64 {
        0
    }

    /// How many records were not accepted.
    pub fn lost(&self) -> u64 {
        self.lost.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether the last attempt to write failed.
    pub fn is_failing(&self) -> bool {
        false
    }
}
