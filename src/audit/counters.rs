//! What became of the records. Anybody may read while the threads of the log count.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The bounds of the buckets in which the times of `fdatasync` are counted: from a fast disk to one that hangs.
pub const SYNC_BOUNDS: [Duration; 10] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
];

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    records: AtomicU64,
    errors: AtomicU64,
    queued: AtomicU64,
    lost: AtomicU64,
    stdout_lost: AtomicU64,
    torn: AtomicU64,
    failing: AtomicBool,
    hung: AtomicBool,
    sync_buckets: [AtomicU64; SYNC_BOUNDS.len() + 1],
    sync_nanoseconds: AtomicU64,
}

/// How long the disk took to make batches durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syncs {
    /// How many took at most as long as each of [`SYNC_BOUNDS`].
    pub within: [u64; SYNC_BOUNDS.len()],
    /// How many there were.
    pub count: u64,
    /// How long they took together.
    pub sum: Duration,
}

impl Counters {
    /// How many records became durable.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// How many attempts to write failed.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// How many records are in memory and not durable yet.
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// How many records were not accepted, because too many waited for the disk.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How many lines did not go to standard output, because nobody took them fast enough or at all.
    pub fn stdout_lost(&self) -> u64 {
        self.stdout_lost.load(Ordering::Relaxed)
    }

    /// How often the end of the log was torn and moved aside.
    pub fn torn(&self) -> u64 {
        self.torn.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to write failed, or the one under way has hung for ten seconds.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed) || self.hung.load(Ordering::Relaxed)
    }

    /// How long the disk took.
    pub fn syncs(&self) -> Syncs {
        let mut count = 0;
        let mut within = [0; SYNC_BOUNDS.len()];
        for (within, bucket) in within.iter_mut().zip(&self.sync_buckets) {
            count += bucket.load(Ordering::Relaxed);
            *within = count;
        }
        count += self.sync_buckets.last().map_or(0, |longest| longest.load(Ordering::Relaxed));
        Syncs { within, count, sum: Duration::from_nanos(self.sync_nanoseconds.load(Ordering::Relaxed)) }
    }

    pub(super) fn wrote(&self, records: usize) {
        self.records.fetch_add(u64::try_from(records).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.failing.store(false, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
    }

    pub(super) fn hangs(&self, hung: bool) {
        self.hung.store(hung, Ordering::Relaxed);
    }

    pub(super) fn queue(&self, records: usize) {
        self.queued.store(u64::try_from(records).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were lost before it.
    pub(super) fn lose_on_stdout(&self) -> u64 {
        self.stdout_lost.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn tore(&self) {
        self.torn.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn synced(&self, took: Duration) {
        let bucket = SYNC_BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(SYNC_BOUNDS.len());
        if let Some(bucket) = self.sync_buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sync_nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_counts_in_every_bucket_that_it_fits_in() {
        let counters = Counters::default();
        for took in [Duration::from_millis(1), Duration::from_micros(1_001), Duration::from_mins(1)] {
            counters.synced(took);
        }
        let Syncs { within, count, sum } = counters.syncs();
        assert_eq!(within, [0, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!((count, sum), (3, Duration::from_micros(60_002_001)));
    }
}
