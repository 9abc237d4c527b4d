//! What became of the states that were handed out. Anybody may read while the thread counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    writes: AtomicU64,
    errors: AtomicU64,
    last_success: AtomicU64,
}

impl Counters {
    /// How many states became durable.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// How many attempts to write one failed.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The time of day, since the epoch, at which a state became durable last. None before the first.
    pub fn last_success(&self) -> Option<Duration> {
        let micros = self.last_success.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    pub(super) fn wrote(&self, wall: Duration) {
        self.last_success.store(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }
}
