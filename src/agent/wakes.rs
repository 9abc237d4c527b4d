//! How often datagrams may wake the loop up: at once as long as they are few, together when they are many.
//!
//! To wake up costs several times what it costs to read a datagram and refuse it. Without this a flood of ten thousand
//! a second would wake the agent up ten thousand times.

use std::time::Duration;

use crate::detector::time::Now;

/// How often a second. The heartbeats of a thousand peers wait for nothing.
const A_SECOND: u32 = 1000;

/// How many in a row: an answer whose round trip is measured is not kept waiting.
const AT_ONCE: u32 = 50;

/// A token bucket.
pub(super) struct Wakes {
    /// When it would be full.
    full: Now,
}

impl Wakes {
    pub(super) fn new(now: Now) -> Self {
        Self { full: now }
    }

    /// Whether the loop may be woken up by the next datagram.
    pub(super) fn take(&mut self, now: Now) -> bool {
        let one = Duration::from_secs(1) / A_SECOND;
        let full = self.full.max(now) + one;
        let may = full.since(now) <= one * AT_ONCE;
        if may {
            self.full = full;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(microseconds: u64) -> Now {
        Now::at(Duration::from_micros(microseconds))
    }

    #[test]
    fn as_many_as_come_now_and_then_are_let_through_at_once() {
        let mut wakes = Wakes::new(at(0));
        assert!((0..5000).all(|turn| wakes.take(at(turn * 1000))));
    }

    #[test]
    fn of_a_flood_as_many_as_there_may_be_a_second() {
        let mut wakes = Wakes::new(at(0));
        let woken = (0..10_000).filter(|turn| wakes.take(at(turn * 100))).count();
        assert!((1000..=1050).contains(&woken), "{woken}");
    }
}
