//! Time as the detector knows it: what the caller says it is.

use std::ops::{Add, Sub};
use std::time::Duration;

/// An instant: time since the agent's clock started (`CLOCK_BOOTTIME`, so that a suspended machine shows).
///
/// The detector never reads a clock. Whoever calls it says what time it is, and never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now(Duration);

impl Now {
    /// Where the clock starts.
    pub const START: Self = Self(Duration::ZERO);

    /// The instant that lies `since_start` after the clock's start.
    pub const fn at(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// How long after the clock's start this instant is.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Now {
    type Output = Self;

    fn add(self, later_by: Duration) -> Self {
        Self(self.0.saturating_add(later_by))
    }
}

impl Sub<Duration> for Now {
    type Output = Self;

    fn sub(self, earlier_by: Duration) -> Self {
        Self(self.0.saturating_sub(earlier_by))
    }
}
