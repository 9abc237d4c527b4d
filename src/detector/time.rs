//! Time as the detector knows it: what the caller says it is.

use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

/// An instant: time since the agent's clock started (`CLOCK_BOOTTIME`, so that a suspended machine shows).
///
/// The detector never reads a clock. Whoever calls it says what time it is, and never goes back.
///
/// Kept as nanoseconds, in half the room of a [`Duration`]: a detector keeps twenty instants of every peer, and compares
/// some with every datagram. One more than they are, so that an instant that may be missing takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now(NonZeroU64);

impl Default for Now {
    fn default() -> Self {
        Self::START
    }
}

impl Now {
    /// Where the clock starts.
    pub const START: Self = Self(NonZeroU64::MIN);

    /// The instant that lies `since_start` after the clock's start. More than 584 years are 584 years.
    pub const fn at(since_start: Duration) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanoseconds(since_start)))
    }

    /// How long after the clock's start this instant is.
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

const fn nanoseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

impl Add<Duration> for Now {
    type Output = Self;

    fn add(self, later_by: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(later_by)))
    }
}

impl Sub<Duration> for Now {
    type Output = Self;

    fn sub(self, earlier_by: Duration) -> Self {
        let since = self.0.get().saturating_sub(nanoseconds(earlier_by));
        NonZeroU64::new(since).map_or(Self::START, Self)
    }
}
