//! Whose heartbeat is sent when: phases, jitter, paces.
//!
//! In the regular pace heartbeat k goes at phase + k·Q + u with Q = ⅞ P and u uniform in [0, P/8]: every interval lies
//! in [¾ P, P], phases hold, nobody bursts. A faster pace has a fixed interval, and begins at once; a slower one is
//! announced in three heartbeats that still come at the faster one, so that no single loss makes a peer wait in vain.
//! Another period is another pace: a shorter one begins at once, a longer one is announced.

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

/// Whose turn it is when everybody has one in the same stretch of time.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// How many have theirs before.
    pub before: u32,
    /// How many there are.
    pub of: u32,
}

impl Turn {
    /// How far into the stretch the turn begins.
    pub fn begins_in(self, stretch: Duration) -> Duration {
        stretch * self.before / self.of.max(1)
    }

    /// How far into the stretch it ends: never at once.
    pub fn ends_in(self, stretch: Duration) -> Duration {
        stretch * (self.before + 1) / self.of.max(1)
    }
}

/// The points in time of a regular pace; jitter is added to them and does not add up.
#[derive(Clone, Copy, Debug)]
struct Grid {
    period: Duration,
    /// The last one, and so its phase.
    at: Now,
}

impl Grid {
    /// Moves on to the point after `now`, wherever it was left by a faster pace or a stall, and adds jitter to it.
    fn next(&mut self, now: Now, jitter: f64) -> Now {
        let step = self.period / 8 * 7;
        let steps =
            |distance: Duration| u32::try_from(distance.as_nanos() / step.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.at = if self.at > now {
            self.at - step * steps(self.at.since(now))
        } else {
            self.at + step * (steps(now.since(self.at)) + 1)
        };
        self.at + (self.period / 8).mul_f64(jitter)
    }
}

/// A pace with all that it takes to keep it.
#[derive(Clone, Copy, Debug)]
enum Beat {
    Regular(Grid),
    Every(Duration),
}

impl Beat {
    /// The longest interval.
    fn interval(self) -> Duration {
        match self {
            Self::Regular(grid) => grid.period,
            Self::Every(interval) => interval,
        }
    }

    /// Whether a peer could not tell the two apart.
    fn is_like(self, other: Self) -> bool {
        matches!(self, Self::Regular(_)) == matches!(other, Self::Regular(_)) && self.interval() == other.interval()
    }
}

/// A slower pace under announcement.
#[derive(Clone, Copy, Debug)]
struct Slowing {
    to: Beat,
    /// How many heartbeats still announce it.
    left: u8,
}

impl Slowing {
    fn has_begun(self) -> bool {
        self.left < ANNOUNCEMENTS
    }

    /// Whether it is announced before `wanted` is: each of many periods, one longer than the other, would otherwise put
    /// off the first step for good.
    fn comes_before(self, wanted: Beat) -> bool {
        let both_regular = matches!((self.to, wanted), (Beat::Regular(_), Beat::Regular(_)));
        both_regular && self.has_begun() && self.to.interval() < wanted.interval()
    }
}

/// The schedule towards one peer.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The regular pace as it is wanted: one that still holds may be another.
    regular: Grid,
    beat: Beat,
    next: Now,
    slowing: Option<Slowing>,
}

impl Schedule {
    /// A schedule whose first heartbeat goes at `first`, at `pace`, and whose regular grid goes through `grid`.
    pub fn new(period: Duration, grid: Now, first: Now, pace: Pace) -> Self {
        let regular = Grid { period, at: grid };
        let beat = match pace {
            Pace::Regular => Beat::Regular(regular),
            Pace::Every(interval) => Beat::Every(interval),
        };
        Self { regular, beat, next: first, slowing: None }
    }

    /// When the next heartbeat is due.
    pub fn next(&self) -> Now {
        self.next
    }

    /// The next heartbeat waits until then: more has to go out than may.
    pub fn put_off(&mut self, until: Now) {
        self.next = self.next.max(until);
    }

    /// The regular pace has this period from now on, and a grid through `first`, which is when it begins if it is the
    /// faster one.
    pub fn change_period(&mut self, period: Duration, first: Now) {
        self.regular = Grid { period, at: first };
        if matches!(self.beat, Beat::Regular(_)) {
            self.want(Pace::Regular, first);
        }
    }

    /// The pace wanted from now on. A faster one begins at `at`, which is at once; a slower one is announced first.
    pub fn want(&mut self, pace: Pace, at: Now) {
        let wanted = match pace {
            Pace::Regular => Beat::Regular(self.regular),
            Pace::Every(interval) => Beat::Every(interval),
        };
        if wanted.interval() < self.beat.interval() {
            self.slowing = None;
            self.beat = wanted;
            self.next = self.next.min(at);
        } else if wanted.is_like(self.beat) {
            self.slowing = None;
        } else if self.slowing.is_none_or(|slowing| !slowing.to.is_like(wanted) && !slowing.comes_before(wanted)) {
            self.slowing = Some(Slowing { to: wanted, left: ANNOUNCEMENTS });
        }
    }

    /// A heartbeat goes out now. Returns the pace to announce in it. `jitter` is uniform in [0, 1).
    pub fn sent(&mut self, now: Now, jitter: f64) -> Duration {
        let announced = self.slowing.map(|slowing| slowing.to.interval());
        match &mut self.slowing {
            Some(Slowing { to, left: 0 | 1 }) => {
                self.beat = *to;
                self.slowing = None;
            }
            Some(Slowing { left, .. }) => *left -= 1,
            None => {}
        }
        self.next = match &mut self.beat {
            Beat::Every(interval) => now + *interval,
            Beat::Regular(grid) => grid.next(now, jitter),
        };
        announced.unwrap_or_else(|| self.until_next_at_the_latest(now))
    }

    /// What a datagram out of turn announces: how long until the next heartbeat at the latest.
    pub fn until_next_at_the_latest(&self, now: Now) -> Duration {
        match (self.beat, self.slowing) {
            // Once the slower pace is being announced, everything announces it: the last word may be the one heard.
            (_, Some(slowing)) if slowing.has_begun() => slowing.to.interval(),
            (Beat::Every(interval), _) => interval,
            (Beat::Regular(grid), _) => (grid.at + grid.period / 8).since(now),
        }
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

    #[test]
    fn a_shorter_period_begins_at_once() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Regular);
        schedule.sent(at(0), 0.0);
        schedule.change_period(PERIOD / 5, at(150));
        schedule.want(Pace::Regular, at(50));
        assert_eq!(schedule.next(), at(150), "in the phase that it was given");
        assert!(schedule.sent(at(150), 0.5) <= PERIOD / 5);
        assert!(schedule.next() <= at(350));
    }

    #[test]
    fn a_shorter_period_puts_nothing_off() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Regular);
        schedule.sent(at(0), 0.0);
        schedule.change_period(PERIOD / 5, at(960));
        assert_eq!(schedule.next(), at(875));
    }

    #[test]
    fn a_longer_period_is_announced_in_three_heartbeats_at_the_shorter_one() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Regular);
        schedule.sent(at(0), 0.0);
        schedule.change_period(PERIOD * 5, at(2_000));
        assert!(schedule.until_next_at_the_latest(at(10)) <= PERIOD, "not announced yet");
        for _ in 0..3 {
            let now = schedule.next();
            assert!(now.since(at(0)) <= PERIOD * 3);
            assert_eq!(schedule.sent(now, 0.0), PERIOD * 5);
        }
        let gap = schedule.next().since(at(2_625));
        assert!(gap > PERIOD && gap <= PERIOD * 5, "{gap:?}");
    }

    #[test]
    fn a_longer_period_again_waits_until_the_first_step_is_done() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Regular);
        schedule.sent(at(0), 0.0);
        let mut announced = Vec::new();
        for step in 1..=8 {
            schedule.change_period(PERIOD + PERIOD / 10 * step, at(0));
            schedule.want(Pace::Regular, at(0));
            let now = schedule.next();
            announced.push(schedule.sent(now, 0.0).as_millis());
            schedule.want(Pace::Regular, now);
        }
        assert_eq!(announced, [1100, 1100, 1100, 1400, 1400, 1400, 1700, 1700]);
    }

    #[test]
    fn a_period_changed_under_suspicion_holds_from_the_end_of_the_suspicion_on() {
        let mut schedule = Schedule::new(PERIOD, at(0), at(0), Pace::Every(PERIOD / 6));
        schedule.change_period(PERIOD * 5, at(500));
        schedule.want(Pace::Regular, at(0));
        for _ in 0..3 {
            let now = schedule.next();
            assert_eq!(schedule.sent(now, 0.0), PERIOD * 5);
        }
    }
}
