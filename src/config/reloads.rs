//! What became of the configuration file since the agent started, counted for those who ask.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How reloading fares. The start counts as a success.
#[derive(Debug)]
pub struct Reloads {
    last_successful: AtomicBool,
    /// Microseconds since the epoch.
    last_success: AtomicU64,
    reloads: AtomicU64,
    failures: AtomicU64,
}

impl Reloads {
    /// Nothing was reloaded yet; the agent started at `wall`, since the epoch.
    pub fn since(wall: Duration) -> Self {
        Self {
            last_successful: AtomicBool::new(true),
            last_success: AtomicU64::new(microseconds(wall)),
            reloads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Whether the file as it was last judged is in force.
    pub fn last_successful(&self) -> bool {
        self.last_successful.load(Ordering::Relaxed)
    }

    /// When a file last came into force or was found to be, since the epoch.
    pub fn last_success(&self) -> Duration {
        Duration::from_micros(self.last_success.load(Ordering::Relaxed))
    }

    /// How many times a file was read again and is in force.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How many times a file was refused. One that stays wrong counts once.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn succeed(&self, wall: Duration) {
        self.last_successful.store(true, Ordering::Relaxed);
        self.last_success.store(microseconds(wall), Ordering::Relaxed);
        self.reloads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self) {
        self.last_successful.store(false, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

fn microseconds(wall: Duration) -> u64 {
    u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)
}
