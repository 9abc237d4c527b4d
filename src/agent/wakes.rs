//! How often the loop may wake up: at once as long as that is seldom, for all that came meanwhile when it is often.
//!
//! To wake up costs several times what it costs to read a datagram. Without this the heartbeats of a thousand peers would
//! wake the agent up two thousand times a second, and a flood ten thousand times. See docs/adr/0016.

use std::time::Duration;

use crate::detector::settings::Timing;
use crate::detector::time::Now;

/// How many in a row: what is seldom is not kept waiting.
const AT_ONCE: u32 = 50;

/// The longest time between two of many.
pub(super) const LONGEST: Duration = Duration::from_millis(8);

/// The shortest, and that of a flood: more than this many datagrams at once may fill the socket before the next.
const SHORTEST: Duration = Duration::from_millis(1);
const MANY: usize = 96;

/// How long the loop sleeps between two wakings, when they are many: little beside a window, and so beside a timeout. `taken`:
/// how many datagrams came with the last.
pub(super) fn pause(timing: &Timing, taken: usize) -> Duration {
    if taken > MANY { SHORTEST } else { (timing.confirm_period / 64).clamp(SHORTEST, LONGEST) }
}

/// A token bucket.
pub(super) struct Wakes {
    /// When it would be full.
    full: Now,
}

impl Wakes {
    pub(super) fn new(now: Now) -> Self {
        Self { full: now }
    }

    /// The loop is about to sleep, and to be woken up by whatever comes first; or it sleeps for as long as this says, and
    /// nothing wakes it up. One token for each `pause`.
    pub(super) fn take(&mut self, now: Now, pause: Duration) -> Option<Duration> {
        self.full = self.full.max(now) + pause;
        let lull = self.full.since(now).saturating_sub(pause * AT_ONCE);
        // Whoever went over the brim by another pause owes no more than one of these.
        self.full = self.full.min(now + pause * (AT_ONCE + 1));
        Some(lull.min(pause)).filter(|lull| !lull.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(8);

    fn at(microseconds: u64) -> Now {
        Now::at(Duration::from_micros(microseconds))
    }

    #[test]
    fn what_comes_now_and_then_is_let_through_at_once() {
        let mut wakes = Wakes::new(at(0));
        assert!((0..5000).all(|turn| wakes.take(at(turn * 8_000), PAUSE).is_none()));
    }

    #[test]
    fn what_comes_all_the_time_wakes_the_loop_up_once_in_a_pause() {
        let mut wakes = Wakes::new(at(0));
        let (mut now, mut woken) = (at(0), 0);
        while now < at(10_000_000) {
            woken += 1;
            // There is something after 100 µs, or after the lull.
            now = now + wakes.take(now, PAUSE).unwrap_or(Duration::from_micros(100));
        }
        assert!((1250..=1250 + AT_ONCE + 2).contains(&woken), "{woken}");
    }

    #[test]
    fn whoever_slept_for_long_is_let_through_again() {
        let mut wakes = Wakes::new(at(0));
        for turn in 0..1000 {
            let _ = wakes.take(at(turn), PAUSE);
        }
        let later = 1_000_000;
        assert!((0..u64::from(AT_ONCE)).all(|turn| wakes.take(at(later + turn), PAUSE).is_none()));
    }

    #[test]
    fn a_faster_profile_waits_less_and_a_flood_least() {
        let pause_at = |period, taken| pause(&Timing::of_period(Duration::from_millis(period)), taken);
        assert_eq!(pause_at(1000, 0), Duration::from_micros(7812) + Duration::from_nanos(500));
        assert_eq!(pause_at(30_000, 0), LONGEST);
        assert!(pause_at(200, 0) <= Duration::from_millis(2));
        assert_eq!(pause_at(1000, MANY + 1), SHORTEST);
    }
}
