//! The time of day of what the agent knows by its own clock, as people read it: RFC 3339, UTC.
//!
//! It goes by one reading of both clocks. A clock that is set moves all times that are shown afterwards.

use std::time::Duration;

use jiff::Timestamp;

use crate::detector::time::Now;

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// The agent's own.
    pub now: Now,
    /// The time of day, since the epoch.
    pub wall: Duration,
}

impl Calendar {
    /// When `then` was or will be, to the microsecond.
    pub fn at(&self, then: Now) -> Timestamp {
        let wall = (self.wall + then.since(self.now)).saturating_sub(self.now.since(then));
        let microseconds = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
    }

    /// The same as text, to the millisecond.
    pub fn text(&self, then: Now) -> String {
        format!("{:.3}", self.at(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_and_what_comes_after_have_their_times() {
        let now = Now::at(Duration::from_secs(100));
        let calendar = Calendar { now, wall: Duration::from_hours(498_684) };
        assert_eq!(calendar.text(now), "2026-11-21T12:00:00.000Z");
        assert_eq!(calendar.text(now - Duration::from_millis(1500)), "2026-11-21T11:59:58.500Z");
        assert_eq!(calendar.text(now + Duration::from_secs(60)), "2026-11-21T12:01:00.000Z");
    }
}
