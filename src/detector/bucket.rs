//! The token bucket of what goes out beside the heartbeats in turn: early rows, relays, polls of links that are down.
//!
//! Five times as much a second as heartbeats may go (no cap on these: no limit). What goes beyond waits, and nothing is lost
//! by that: relays wait first, then refreshes, then rows, then polls of links that are down; each of them leaves a part of
//! the bucket to those behind it. Polls of suspects neither wait nor draw: what they decide has a bound. Answers to polls
//! are as many as others ask for, within their limits.
//!
//! A bucket that holds an eighth of the limit and fills with seven eighths of it a second lets out no more than the limit in
//! any second. It is kept as one time: when it is full again.

use std::num::NonZeroU32;
use std::time::Duration;

use super::time::Now;

/// How many times the heartbeats a second.
const TIMES_THE_CAP: u32 = 5;

/// How long an empty bucket takes to fill: an eighth, at seven eighths a second.
const DEPTH: Duration = Duration::from_nanos(1_000_000_000 / 7);

/// What goes beside the heartbeats in turn, in the order in which it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extra {
    /// Rows of others.
    Relay,
    /// Word that rows of others have not changed.
    Refresh,
    /// Our own row, early or again.
    Row,
    /// A heartbeat to a peer whose link is down.
    Poll,
}

impl Extra {
    /// How empty the bucket may be afterwards.
    fn share(self) -> Duration {
        match self {
            Self::Relay => DEPTH / 4,
            Self::Refresh => DEPTH / 2,
            Self::Row => DEPTH / 4 * 3,
            Self::Poll => DEPTH,
        }
    }
}

/// The bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// The time in which one datagram flows in; zero without a limit.
    cost: Duration,
    full: Now,
}

impl Bucket {
    /// A full bucket for an agent that sends so many heartbeats a second at most.
    pub(super) fn of(max_heartbeats_per_second: Option<NonZeroU32>, now: Now) -> Self {
        Self { cost: Self::cost(max_heartbeats_per_second), full: now }
    }

    /// Another cap holds from now on; what was drawn stays drawn.
    pub(super) fn change(&mut self, max_heartbeats_per_second: Option<NonZeroU32>) {
        self.cost = Self::cost(max_heartbeats_per_second);
    }

    fn cost(cap: Option<NonZeroU32>) -> Duration {
        cap.map_or(Duration::ZERO, |cap| Duration::from_secs(8) / 7 / cap.get().saturating_mul(TIMES_THE_CAP))
    }

    /// Draws for so many datagrams.
    ///
    /// # Errors
    ///
    /// There is not enough: the time from which on there will be, if nobody draws before.
    pub(super) fn draw(&mut self, what: Extra, datagrams: usize, now: Now) -> Result<(), Now> {
        let cost = self.cost * u32::try_from(datagrams).unwrap_or(u32::MAX);
        // What is more than the bucket holds goes when it is full.
        let slack = what.share().saturating_sub(cost);
        if self.full.since(now) > slack {
            return Err(self.full - slack);
        }
        self.full = self.full.max(now) + cost;
        Ok(())
    }

    /// The fastest pace at which so many links may be polled that half of the limit is left to rows and relays.
    pub(super) fn pace_of(&self, links: usize) -> Duration {
        self.cost / 8 * 7 * 2 * u32::try_from(links).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    fn bucket() -> Bucket {
        Bucket::of(NonZeroU32::new(250), at(0))
    }

    #[test]
    fn no_second_sees_more_than_five_times_the_cap() {
        for what in [Extra::Relay, Extra::Refresh, Extra::Row, Extra::Poll] {
            let mut bucket = bucket();
            let sent: Vec<Now> = (0..5_000)
                .map(at)
                .flat_map(|now| {
                    std::iter::repeat_with(|| bucket.draw(what, 1, now).ok().map(|()| now))
                        .map_while(|sent| sent)
                        .collect::<Vec<_>>()
                })
                .collect();
            for (index, first) in sent.iter().enumerate() {
                let within =
                    sent[index..].iter().take_while(|sent| sent.since(*first) < Duration::from_secs(1)).count();
                assert!(within <= 1250, "{what:?}: {within} in the second from {first:?}");
            }
            assert!(sent.len() > 5 * 1000, "{what:?}: {} in five seconds", sent.len());
        }
    }

    #[test]
    fn what_waits_first_leaves_room_to_all_behind_it() {
        let mut bucket = bucket();
        let mut drawn = Vec::new();
        for what in [Extra::Relay, Extra::Refresh, Extra::Row, Extra::Poll] {
            let count = std::iter::from_fn(|| bucket.draw(what, 1, at(0)).ok()).count();
            drawn.push(count);
        }
        // An eighth of 1,250 in four parts.
        assert!(drawn.iter().all(|count| (38..=40).contains(count)), "{drawn:?}");
        assert!(bucket.draw(Extra::Poll, 1, at(0)).is_err());
    }

    #[test]
    fn who_waits_as_long_as_it_is_told_draws() {
        let mut bucket = bucket();
        while bucket.draw(Extra::Row, 3, at(10)).is_ok() {}
        let again = bucket.draw(Extra::Row, 3, at(10)).expect_err("it has not enough");
        assert!(again > at(10));
        assert_eq!(bucket.draw(Extra::Row, 3, again), Ok(()));
    }

    #[test]
    fn what_is_more_than_it_holds_goes_when_it_is_full() {
        let mut bucket = Bucket::of(NonZeroU32::new(1), at(0));
        assert_eq!(bucket.draw(Extra::Relay, 24, at(0)), Ok(()));
        let again = bucket.draw(Extra::Relay, 1, at(0)).expect_err("it is empty");
        assert!(again.since(at(0)) > Duration::from_secs(5), "24 of them at 35/8 a second");
    }

    #[test]
    fn without_a_cap_nothing_waits() {
        let mut bucket = Bucket::of(None, at(0));
        assert!((0..100_000).all(|_| bucket.draw(Extra::Relay, 100, at(0)).is_ok()));
        assert_eq!(bucket.pace_of(5_000), Duration::ZERO);
    }

    #[test]
    fn polls_of_links_that_are_down_take_half_of_the_limit() {
        // 500 links at half of 1,250 a second.
        let pace = bucket().pace_of(500).as_secs_f64();
        assert!((pace - 0.8).abs() < 1e-3, "{pace}");
    }
}
