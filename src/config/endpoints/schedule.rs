//! When and by whom an endpoint is asked, and what follows from its answers: the keys that every type has.

use std::num::{NonZeroU8, NonZeroU16};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_yaml::Location;

use super::super::duration::Human;
use super::super::error::Refusal;
use super::super::reader::{Reader, Setting};
use super::super::schema::Text;
use super::entry::{duration, truth};
use super::schema;
pub use crate::detector::settings::From;
use crate::detector::settings::ProbeSchedule;

/// How often at most, and at least: a database that is asked ten times a second by each of a thousand agents has little
/// time for anything else.
const PERIOD: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// How long a probe may be given. Below this the scheduler of the machine is slower than the network; above it nobody waits.
pub const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);

const THRESHOLD: RangeInclusive<u8> = 1..=20;

/// How many agents a sample has at most; a cluster that has fewer samples all.
const MOST: u16 = 1000;

const USUAL_PERIOD: Duration = Duration::from_secs(30);

pub(super) const USUAL_TIMEOUT: Duration = Duration::from_secs(5);

const USUAL_CONFIRM_PERIOD: Duration = Duration::from_secs(5);

/// When and by whom an endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How often an agent asks it.
    pub period: Duration,
    /// How long one probe may take. Shorter than the period.
    pub timeout: Duration,
    /// How many failures in a row make it down.
    pub failure_threshold: NonZeroU8,
    /// How many successes in a row make it up again.
    pub success_threshold: NonZeroU8,
    /// From the start of a probe to that of the next while it is not judged: not longer than the period. It may be
    /// shorter than the timeout: what is refused is confirmed at this pace, what hangs as fast as probes end, since no two
    /// are under way at once.
    pub confirm_period: Duration,
    /// Which agents ask it.
    pub from: From,
    /// Whether a side that cannot reach it is a partition.
    pub partition: bool,
    /// Whether each agent that probes it holds a connection to it, too.
    pub keep: bool,
}

impl Schedule {
    /// As much of it as the detector keeps time by.
    pub(super) fn of_probes(&self) -> ProbeSchedule {
        let &Self { period, timeout, confirm_period, failure_threshold, success_threshold, .. } = self;
        ProbeSchedule { period, timeout, confirm_period, failure_threshold, success_threshold }
    }

    /// How many of `nodes` in `zones` ask it.
    pub fn probers(&self, nodes: u32, zones: u32) -> u32 {
        match self.from {
            From::All => nodes,
            From::Sample(agents) => u32::from(agents.get()).max(zones).min(nodes),
        }
    }
}

/// Reads the keys that every type has. `None` if something is wrong with them, which was said.
pub(super) fn read(keys: &schema::Endpoint, reader: &mut Reader<'_>) -> Option<Schedule> {
    let hint = "30s suits most endpoints: each agent asks once in this time";
    let period = reader.read("the period", keys.period.as_ref(), |text| duration(text, &PERIOD, hint)).or(USUAL_PERIOD);
    let timeout = timeout(keys.timeout.as_ref(), period, reader);
    let confirm_period = confirm_period(keys.confirm_period.as_ref(), period, reader);
    let failure = threshold("failure_threshold", keys.failure_threshold.as_ref(), 3, reader);
    let success = threshold("success_threshold", keys.success_threshold.as_ref(), 2, reader);
    let from = reader.read("from", keys.from.as_ref(), from).or(From::All);
    let partition = truth("partition", keys.partition.as_ref(), reader).or(false);
    let keep = truth("keep", keys.keep.as_ref(), reader).or(false);
    Some(Schedule {
        period: period?,
        timeout: timeout?,
        failure_threshold: failure?,
        success_threshold: success?,
        confirm_period: confirm_period?,
        from: from?,
        partition: partition?,
        keep: keep?,
    })
}

fn timeout(text: Option<&Text>, period: Option<Duration>, reader: &mut Reader<'_>) -> Option<Duration> {
    let hint = "5s suits most endpoints: name, connection, TLS and answer together";
    let read = reader.read("the timeout", text, |text| duration(text, &TIMEOUT, hint));
    let usual = period.map_or(USUAL_TIMEOUT, |period| USUAL_TIMEOUT.min(period / 2));
    match (read, period) {
        (Setting::Given(timeout, place), Some(period)) if timeout >= period => {
            let message = format!("the timeout `{}` is not shorter than the period, {}", Human(timeout), Human(period));
            let hint = format!("a probe has ended before the next one is due: write less than {}", Human(period));
            refused(place, Refusal::new(message, hint), reader)
        }
        (read, _) => read.or(usual),
    }
}

fn confirm_period(text: Option<&Text>, period: Option<Duration>, reader: &mut Reader<'_>) -> Option<Duration> {
    let hint = "5s suits most endpoints: the pace at which a failure is confirmed";
    let read = reader.read("the confirm_period", text, |text| duration(text, &PERIOD, hint));
    let usual = period.map_or(USUAL_CONFIRM_PERIOD, |period| USUAL_CONFIRM_PERIOD.min(period));
    match (read, period) {
        (Setting::Given(confirm, place), Some(period)) if confirm > period => {
            let message =
                format!("the confirm_period `{}` is longer than the period, {}", Human(confirm), Human(period));
            let hint = format!("a failure is confirmed at a faster pace: write {} or less", Human(period));
            refused(place, Refusal::new(message, hint), reader)
        }
        (read, _) => read.or(usual),
    }
}

fn refused<T>(place: Location, refusal: Refusal, reader: &mut Reader<'_>) -> Option<T> {
    reader.refuse(place, refusal);
    None
}

fn threshold(what: &str, text: Option<&Text>, usual: u8, reader: &mut Reader<'_>) -> Option<NonZeroU8> {
    let read = reader.read(what, text, |text| {
        let number = text.parse().ok().filter(|number| THRESHOLD.contains(number)).and_then(NonZeroU8::new);
        let hint = format!("write such a number, or leave the key out for {usual}");
        number.ok_or_else(|| Refusal::new("is not a whole number from 1 to 20", hint))
    });
    read.or(NonZeroU8::new(usual)?)
}

fn from(text: &str) -> Result<From, Refusal> {
    if text == "all" {
        return Ok(From::All);
    }
    let inside = text.strip_prefix("sample(").and_then(|rest| rest.strip_suffix(')'));
    let number = inside.and_then(|inside| inside.trim().parse().ok());
    let number = number.filter(|number| (1..=MOST).contains(number)).and_then(NonZeroU16::new);
    let hint = "write `all`, or `sample(3)` for three agents: 1 to 1000, and one in each zone in any case";
    number.map(From::Sample).ok_or_else(|| Refusal::new("is neither `all` nor a sample of agents", hint))
}
