//! The only reader of time. Everybody else takes `now` from whoever calls, so that tests and the simulator can say it.
//!
//! Two times: [`Now`], of `CLOCK_BOOTTIME`, by which everything is decided (it goes on while the machine is suspended,
//! and nobody sets it), and the time of day, which only stamps what people read.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::detector::time::Now;

/// A clock that starts at zero. Its copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Duration,
}

impl Clock {
    /// Starts a clock.
    pub fn start() -> Self {
        Self { start: read(ClockId::CLOCK_BOOTTIME) }
    }

    /// How long ago it was started, suspended time included.
    pub fn now(&self) -> Now {
        Now::at(read(ClockId::CLOCK_BOOTTIME).saturating_sub(self.start))
    }

    /// The time of day, since the epoch. It may jump, in both directions.
    pub fn wall(&self) -> Duration {
        read(ClockId::CLOCK_REALTIME)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place where time is read")]
#[expect(clippy::expect_used, reason = "Linux has both clocks since 2.6.39; there is no running without time")]
fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).expect("a clock that every Linux has").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back_and_its_copies_agree() {
        let clock = Clock::start();
        let copy = clock;
        let (first, second, third) = (clock.now(), copy.now(), clock.now());
        assert!(first <= second && second <= third);
    }

    #[test]
    fn the_time_of_day_counts_from_the_epoch() {
        let written = Duration::from_hours(498_684);
        assert!(Clock::start().wall() > written / 2, "the clock of this machine is decades off");
    }
}
