//! The hybrid logical clock: stamps that sort the events of different nodes in causal order and stay close to the time
//! of day (Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed Databases", 2014).
//!
//! Pure: the caller brings the time of day. It orders what people read, and decides nothing.

use std::fmt;
use std::time::Duration;

/// How far a peer's stamp may be ahead of this node's own time of day. One node whose clock is a year off would
/// otherwise drag every other's stamps along.
pub const MAX_AHEAD: Duration = Duration::from_mins(1);

const COUNTER_BITS: u32 = 16;
const MAX_MILLISECONDS: u64 = u64::MAX >> COUNTER_BITS;

/// One reading of a hybrid logical clock: 48 bits of milliseconds since the epoch, 16 bits of counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// The stamp of its 64 bits, as they stand in a datagram.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its 64 bits. They sort as the stamps do.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The first stamp of a moment, which is given since the epoch, and counts in whole milliseconds.
    fn at(wall: Duration) -> Self {
        let milliseconds = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        Self(milliseconds.min(MAX_MILLISECONDS) << COUNTER_BITS)
    }

    /// The time part, since the epoch.
    pub const fn time(self) -> Duration {
        Duration::from_millis(self.0 >> COUNTER_BITS)
    }

    /// How many stamps of the same millisecond came before it.
    pub const fn counter(self) -> u64 {
        self.0 & ((1 << COUNTER_BITS) - 1)
    }

    /// The next larger one. A counter that is full carries into the milliseconds: order matters more than time.
    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Stamp {
    /// 16 hex digits: sorts as text, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A peer's stamp is further ahead of the own time of day than [`MAX_AHEAD`]; one of the two clocks is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer's clock is {} s ahead of this node's: check that both are synchronised", self.0.as_secs())]
pub struct TooFarAhead(pub Duration);

/// The clock of one agent. Every reading is larger than the one before and than all that were merged.
#[derive(Clone, Copy, Debug, Default)]
pub struct HybridClock(Stamp);

impl HybridClock {
    /// The stamp of something that happens or is sent now; `wall` is the time of day since the epoch.
    pub fn stamp(&mut self, wall: Duration) -> Stamp {
        self.0 = self.0.next().max(Stamp::at(wall));
        self.0
    }

    /// Takes note of a stamp that came with an authentic datagram, so that what is stamped from now on sorts after it.
    ///
    /// A stamp that is too far ahead changes nothing; count it, and go on with the datagram.
    pub fn merge(&mut self, remote: Stamp, wall: Duration) -> Result<Stamp, TooFarAhead> {
        let ahead = remote.time().saturating_sub(Stamp::at(wall).time());
        if ahead > MAX_AHEAD {
            return Err(TooFarAhead(ahead));
        }
        self.0 = self.0.max(remote);
        Ok(self.stamp(wall))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // 2026-11-21T12:00:00Z.
    const NOON: Duration = Duration::from_hours(498_684);

    fn parts(stamp: Stamp) -> (Duration, u64) {
        (stamp.time(), stamp.counter())
    }

    #[test]
    fn time_that_moves_resets_the_counter() {
        let mut clock = HybridClock::default();
        assert_eq!(parts(clock.stamp(NOON)), (NOON, 0));
        assert_eq!(parts(clock.stamp(NOON)), (NOON, 1));
        let later = NOON + Duration::from_millis(1);
        assert_eq!(parts(clock.stamp(later)), (later, 0));
    }

    #[test]
    fn what_is_received_happened_before_what_is_stamped_next() {
        // The four cases of the paper's receive rule: theirs ahead, equal times, mine ahead, the wall ahead.
        let ahead = NOON + Duration::from_secs(5);
        let (mut mine, mut theirs) = (HybridClock::default(), HybridClock::default());
        mine.stamp(NOON);
        theirs.stamp(ahead);
        let sent = theirs.stamp(ahead);
        assert_eq!(mine.merge(sent, NOON).map(parts), Ok((ahead, 2)));
        assert_eq!(mine.merge(sent, NOON).map(parts), Ok((ahead, 3)));
        assert_eq!(mine.merge(Stamp::at(NOON), NOON).map(parts), Ok((ahead, 4)));
        let wall = ahead + Duration::from_secs(1);
        assert_eq!(mine.merge(sent, wall).map(parts), Ok((wall, 0)));
    }

    #[test]
    fn a_wall_clock_set_back_does_not_set_stamps_back() {
        let mut clock = HybridClock::default();
        let before = clock.stamp(NOON);
        let after = clock.stamp(NOON.checked_sub(Duration::from_hours(1)).unwrap_or_default());
        assert!(after > before);
        assert_eq!(after.time(), NOON);
    }

    #[test]
    fn a_stamp_a_minute_ahead_is_merged_and_one_further_ahead_changes_nothing() {
        let mut clock = HybridClock::default();
        let far = MAX_AHEAD + Duration::from_millis(1);
        let before = clock.stamp(NOON);
        assert_eq!(clock.merge(Stamp::at(NOON + far), NOON), Err(TooFarAhead(far)));
        assert_eq!(clock.stamp(NOON), before.next());
        assert_eq!(clock.merge(Stamp::at(NOON + MAX_AHEAD), NOON).map(Stamp::time), Ok(NOON + MAX_AHEAD));
    }

    #[test]
    fn a_full_counter_carries_into_the_milliseconds() {
        let mut clock = HybridClock::default();
        let full = Stamp::from_bits(Stamp::at(NOON).to_bits() | 0xffff);
        assert_eq!(clock.merge(full, NOON).map(parts), Ok((NOON + Duration::from_millis(1), 0)));
    }

    proptest! {
        #[test]
        fn stamps_grow_whatever_the_wall_clock_does(walls in prop::collection::vec(any::<u32>(), 1..50)) {
            let mut clock = HybridClock::default();
            let stamps: Vec<_> = walls.iter().map(|&wall| clock.stamp(Duration::from_millis(wall.into()))).collect();
            prop_assert!(stamps.is_sorted_by(|a, b| a < b));
        }

        #[test]
        fn no_stamp_runs_further_ahead_of_a_steady_wall_than_allowed(seconds in prop::collection::vec(0..200u64, 1..50)) {
            let mut clock = HybridClock::default();
            for seconds in seconds {
                let remote = Stamp::at(NOON + Duration::from_secs(seconds));
                match clock.merge(remote, NOON) {
                    Ok(stamp) => prop_assert!(stamp > remote && stamp.time() <= NOON + MAX_AHEAD),
                    Err(TooFarAhead(ahead)) => prop_assert!(ahead > MAX_AHEAD),
                }
            }
        }
    }
}
