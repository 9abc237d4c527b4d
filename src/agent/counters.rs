//! What the shell counts: datagrams that were refused before they came to the detector, and troubles of its own.
//! Anybody may read while the agent counts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::detector::histogram::{Bounds, Histogram};
use crate::identity::{Incarnation, NodeId, Sequence};
use crate::wire::{Newer, Refusal};

const NEWER: Refusal = Refusal::NewerVersion(Newer {
    version: 0,
    sender: NodeId::ANYONE,
    incarnation: Incarnation(0),
    sequence: Sequence(0),
});

/// Every reason of the wire, and the one of the shell.
const REASONS: [&str; 10] = [
    "rate",
    Refusal::TooShort.as_str(),
    Refusal::TooLong.as_str(),
    Refusal::Version.as_str(),
    NEWER.as_str(),
    Refusal::Kind.as_str(),
    Refusal::Receiver.as_str(),
    Refusal::Key.as_str(),
    Refusal::Tag.as_str(),
    Refusal::Malformed.as_str(),
];

/// Why the shell refused a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(usize);

impl Reason {
    /// Too many came from addresses that are not in the roster.
    pub const RATE: Self = Self(0);

    /// The wire's reason.
    pub fn of(refusal: Refusal) -> Self {
        Self(match refusal {
            Refusal::TooShort => 1,
            Refusal::TooLong => 2,
            Refusal::Version => 3,
            Refusal::NewerVersion(_) => 4,
            Refusal::Kind => 5,
            Refusal::Receiver => 6,
            Refusal::Key => 7,
            Refusal::Tag => 8,
            Refusal::Malformed => 9,
        })
    }

    /// The reason as the label of a metric; stable.
    pub fn as_str(self) -> &'static str {
        REASONS.get(self.0).copied().unwrap_or_default()
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    refused: [AtomicU64; REASONS.len()],
    receive_errors: AtomicU64,
    clocks_ahead: AtomicU64,
    keys: AtomicU64,
    key_reloads: AtomicU64,
    key_reload_failures: AtomicU64,
    keys_lacked: AtomicU64,
    verdicts: Mutex<Histogram>,
    delays: Mutex<Histogram>,
}

/// The bounds of the histogram of verdict durations: up to 50 ms at 5,000 nodes, by section 17 of the design.
pub const VERDICT_BOUNDS: Bounds = [10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 250_000];

/// The bounds of the histogram of delays: a quarter of the timeout is 25 ms in the fast profile and 125 ms by default.
pub const DELAY_BOUNDS: Bounds =
    [1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 125_000, 250_000, 500_000, 1_000_000, 5_000_000];

impl Counters {
    pub(super) fn of_keys(keys: usize) -> Self {
        let counters = Self::default();
        counters.hold_keys(keys);
        counters
    }

    /// How many datagrams were refused, by reason; every reason is there from the start.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.into_iter().zip(&self.refused).map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }

    /// How often reading the socket failed.
    pub fn receive_errors(&self) -> u64 {
        self.receive_errors.load(Ordering::Relaxed)
    }

    /// How many datagrams came from a clock so far ahead that its stamp was left out.
    pub fn clocks_ahead(&self) -> u64 {
        self.clocks_ahead.load(Ordering::Relaxed)
    }

    /// How many keys vouch for datagrams now; 0 without authentication.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// How often other keys took the place of those of before.
    pub fn key_reloads(&self) -> u64 {
        self.key_reloads.load(Ordering::Relaxed)
    }

    /// How often the keys could not be read again, and those of before stayed.
    pub fn key_reload_failures(&self) -> u64 {
        self.key_reload_failures.load(Ordering::Relaxed)
    }

    /// How often a peer was found to hold a newest key that this agent lacks: once for each peer and key.
    pub fn keys_lacked(&self) -> u64 {
        self.keys_lacked.load(Ordering::Relaxed)
    }

    /// How long the detector took whenever it judged the matrix.
    pub fn verdicts(&self) -> Histogram {
        self.verdicts.lock().map(|verdicts| verdicts.clone()).unwrap_or_default()
    }

    /// How late the loop came to what was due: heartbeats above all.
    pub fn delays(&self) -> Histogram {
        self.delays.lock().map(|delays| delays.clone()).unwrap_or_default()
    }

    /// As [`judged`](Self::judged).
    pub(super) fn came_late(&self, by: Duration) {
        if let Ok(mut delays) = self.delays.try_lock() {
            delays.observe(by, &DELAY_BOUNDS);
        }
    }

    /// A reader holds the lock for one copy of a hundred bytes; what is measured meanwhile is left out, not waited for.
    pub(super) fn judged(&self, duration: Duration) {
        if let Ok(mut verdicts) = self.verdicts.try_lock() {
            verdicts.observe(duration, &VERDICT_BOUNDS);
        }
    }

    pub(super) fn reloaded_keys(&self, keys: usize) {
        self.key_reloads.fetch_add(1, Ordering::Relaxed);
        self.hold_keys(keys);
    }

    pub(super) fn failed_to_reload_keys(&self) {
        self.key_reload_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lacked_a_key(&self) {
        self.keys_lacked.fetch_add(1, Ordering::Relaxed);
    }

    fn hold_keys(&self, keys: usize) {
        self.keys.store(u64::try_from(keys).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, reason: Reason) {
        if let Some(count) = self.refused.get(reason.0) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn receive_failed(&self) {
        self.receive_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn saw_clock_ahead(&self) {
        self.clocks_ahead.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_under_its_own_name() {
        let all = [
            Refusal::TooShort,
            Refusal::TooLong,
            Refusal::Version,
            NEWER,
            Refusal::Kind,
            Refusal::Receiver,
            Refusal::Key,
            Refusal::Tag,
            Refusal::Malformed,
        ];
        assert_eq!(Reason::RATE.as_str(), "rate");
        for refusal in all {
            assert_eq!(Reason::of(refusal).as_str(), refusal.as_str());
        }
    }
}
