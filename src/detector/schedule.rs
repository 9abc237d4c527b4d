//! Whose heartbeat is sent when: phases, jitter, paces.
//!
//! In the regular pace heartbeat k goes at phase + k·Q + u with Q = ⅞ P and u uniform in [0, P/8]: every interval lies
//! in [¾ P, P], phases hold, nobody bursts. A faster pace has a fixed interval, and begins at once; a slower one is
//! announced in three heartbeats that still come at the faster one, so that no single loss makes a peer wait in vain.

use std::time::Duration;

use super::time::Now;

/// How many heartbeats announce a slower pace before it begins.
const ANNOUNCEMENTS: u8 = 3;

/// How often a peer gets a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Once per period, with jitter.
    Regular,
    /// In fixed intervals shorter than a period.
    Every(Duration),
}

/// The schedule towards one peer.
#[derive(Clone, Debug)]
pub struct Schedule {
    period: Duration,
    /// Where the regular grid stands; jitter is added to it and does not add up.
    grid: Now,
    next: Now,
    pace: Pace,
    /// The slower pace under announcement, and how many heartbeats still announce it.
    slowing: Option<(Pace, u8)>,
}

impl Schedule {
    /// A schedule whose first heartbeat goes at `first`, at `pace`, and whose regular grid goes through `grid`.
    pub fn new(period: Duration, grid: Now, first: Now, pace: Pace) -> Self {
        Self { period, grid, next: first, pace, slowing: None }
    }

    /// When the next heartbeat is due.
    pub fn next(&self) -> Now {
        self.next
    }

    /// The longest interval of a pace.
    fn interval(&self, pace: Pace) -> Duration {
        match pace {
            Pace::Regular => self.period,
            Pace::Every(interval) => interval,
        }
    }

    /// The pace wanted from now on. A faster one begins at once; a slower one is announced first.
    pub fn want(&mut self, pace: Pace, now: Now) {
        if self.interval(pace) < self.interval(self.pace) {
            self.slowing = None;
            self.pace = pace;
            self.next = self.next.min(now);
        } else if pace == self.pace {
            self.slowing = None;
        } else if self.slowing.is_none_or(|(target, _)| target != pace) {
            self.slowing = Some((pace, ANNOUNCEMENTS));
        }
    }

    /// A heartbeat goes out now. Returns the pace to announce in it. `jitter` is uniform in [0, 1).
    pub fn sent(&mut self, now: Now, jitter: f64) -> Duration {
        let announced = match self.slowing {
            None => None,
            Some((target, 0 | 1)) => {
                self.slowing = None;
                self.pace = target;
                Some(self.interval(target))
            }
            Some((target, left)) => {
                self.slowing = Some((target, left - 1));
                Some(self.interval(target))
            }
        };
        self.next = match self.pace {
            Pace::Every(interval) => now + interval,
            Pace::Regular => self.next_on_grid(now, jitter),
        };
        announced.unwrap_or_else(|| self.until_next_at_the_latest(now))
    }

    /// What a datagram out of turn announces: how long until the next heartbeat at the latest.
    pub fn until_next_at_the_latest(&self, now: Now) -> Duration {
        match (self.pace, self.slowing) {
            // Once the slower pace is being announced, everything announces it: the last word may be the one heard.
            (_, Some((target, left))) if left < ANNOUNCEMENTS => self.interval(target),
            (Pace::Every(interval), _) => interval,
            (Pace::Regular, _) => (self.grid + self.period / 8).since(now),
        }
    }

    /// The grid point after `now`, wherever the grid was left by a faster pace or a stall, and jitter on it.
    fn next_on_grid(&mut self, now: Now, jitter: f64) -> Now {
        let step = self.period / 8 * 7;
        let steps =
            |distance: Duration| u32::try_from(distance.as_nanos() / step.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.grid = if self.grid > now {
            self.grid - step * steps(self.grid.since(now))
        } else {
            self.grid + step * (steps(now.since(self.grid)) + 1)
        };
        self.grid + (self.period / 8).mul_f64(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    #[test]
    fn regular_intervals_lie_between_three_quarters_of_a_period_and_a_period() {
        let mut schedule = Schedule::new(PERIOD, at(100), at(100), Pace::Regular);
        let mut now = at(100);
        schedule.sent(now, 0.0);
        for jitter in [0.999, 0.0, 0.5, 0.0, 0.999, 0.999] {
            let announced = now + schedule.until_next_at_the_latest(now);
            let next = schedule.next();
            assert!(next <= announced, "a heartbeat never comes later than announced");
            assert!(next.since(now) >= PERIOD / 4 * 3 && next.since(now) <= PERIOD);
            now = next;
            schedule.sent(now, jitter);
        }
    }

    #[test]
    fn phases_hold_over_many_heartbeats() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Regular);
        for _ in 0..1000 {
            let now = schedule.next();
            schedule.sent(now, 0.7);
        }
        let drift = schedule.next().since(at(0)).as_millis() % 875;
        assert_eq!(drift, 87, "1000 steps of 7/8 s and one jitter of 0.7/8 s");
    }

    #[test]
    fn a_faster_pace_begins_at_once() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Regular);
        schedule.sent(at(0), 0.0);
        schedule.want(Pace::Every(Duration::from_millis(100)), at(300));
        assert_eq!(schedule.next(), at(300));
        assert_eq!(schedule.sent(at(300), 0.0), Duration::from_millis(100));
        assert_eq!(schedule.next(), at(400));
    }

    #[test]
    fn a_slower_pace_is_announced_three_times_at_the_faster_one() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Every(Duration::from_millis(100)));
        schedule.sent(at(0), 0.0);
        schedule.want(Pace::Regular, at(10));
        for now in [100, 200, 300] {
            assert_eq!(schedule.next(), at(now));
            assert_eq!(schedule.sent(at(now), 0.0), PERIOD);
        }
        assert!(schedule.next() > at(300) && schedule.next() <= at(1300));
    }
}
