//! Which events are meant: since when, and how many of the last.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use netsplit::clock::Clock;
use netsplit::config::parse_duration;

use super::showing::Told;

/// With how many events following begins.
const CONTEXT: usize = 10;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// After the event of this number.
    Number(u64),
    /// So long ago.
    Ago(Duration),
    /// At this time of day.
    Time(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let too_large = |_| "no event has so large a number".to_owned();
            return text.parse().map(Self::Number).map_err(too_large);
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        parse_duration(text).map(Self::Ago).map_err(|_| {
            "write the number of an event (42), a duration (10m, 1h30m) or a time with its zone (2026-11-21T12:00:00Z)"
                .to_owned()
        })
    }
}

/// Which events are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    since: Option<Since>,
    /// Of a duration: when it began.
    start: Option<Timestamp>,
    limit: Option<usize>,
}

impl Selection {
    pub(super) fn new(since: Option<Since>, limit: Option<usize>, follow: bool) -> Self {
        let start = match since {
            Some(Since::Ago(time)) => {
                let start = Clock::start().wall().saturating_sub(time);
                Some(i64::try_from(start.as_micros()).ok().and_then(|start| Timestamp::from_microsecond(start).ok()))
            }
            Some(Since::Time(time)) => Some(Some(time)),
            _ => None,
        };
        let context = (follow && since.is_none()).then_some(CONTEXT);
        Self { since, start: start.flatten(), limit: limit.or(context) }
    }

    /// The number after which events are meant; 0 if any may be.
    pub(super) fn after(&self) -> u64 {
        if let Some(Since::Number(number)) = self.since { number } else { 0 }
    }

    /// Whether somebody asked for events that old, so that missing ones matter.
    /// Whether events from before this time are meant, too; of events without a time they may be.
    pub(super) fn reaches_before(&self, time: Option<Timestamp>) -> bool {
        self.since.is_some() && self.start.is_none_or(|start| time.is_none_or(|time| start < time))
    }

    /// Whether an event is meant. One that does not say what is asked for may be.
    pub(super) fn admits(&self, event: &Told) -> bool {
        let is_later = self.start.is_none_or(|start| event.time().is_none_or(|time| time >= start));
        is_later && (self.after() == 0 || event.seq().is_none_or(|seq| seq > self.after()))
    }

    /// What holds back all but the last of them, if that is asked for.
    pub(super) fn last(&self) -> Last {
        Last { limit: self.limit, held: VecDeque::new() }
    }
}

/// The last of many.
pub(super) struct Last {
    limit: Option<usize>,
    held: VecDeque<Told>,
}

impl Last {
    /// Takes one. Gives out what is to be shown at once.
    pub(super) fn take(&mut self, event: Told) -> Option<Told> {
        let Some(limit) = self.limit else { return Some(event) };
        self.held.push_back(event);
        if self.held.len() > limit {
            self.held.pop_front();
        }
        None
    }

    /// What was held back, the oldest first.
    pub(super) fn rest(self) -> impl Iterator<Item = Told> {
        self.held.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_number_a_duration_or_a_time() {
        assert_eq!("42".parse(), Ok(Since::Number(42)));
        assert_eq!("10m".parse(), Ok(Since::Ago(Duration::from_mins(10))));
        assert_eq!("1h30m".parse(), Ok(Since::Ago(Duration::from_mins(90))));
        let noon = Timestamp::from_second(498_684 * 3600).unwrap();
        assert_eq!("2026-11-21T12:00:00Z".parse(), Ok(Since::Time(noon)));
        assert_eq!("2026-11-21T13:00:00.000+01:00".parse(), Ok(Since::Time(noon)));
        for wrong in ["", "yesterday", "-1m", "2026-11-21T12:00:00", "99999999999999999999"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
