//! The paces and thresholds of `peers`: each in its range, and all of them fit for each other.

use std::num::{NonZeroU8, NonZeroU32};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration::{Human, parse};
use super::error::Refusal;
use super::reader::{Reader, Setting};
use super::schema::{Peers, Text};
use crate::detector::settings::{ConfiguredTiming, Timing};
use crate::detector::timing::USUAL_CAP;

const PERIOD: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);

/// Below this the scheduler of the machine is slower than the network.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

const THRESHOLD: RangeInclusive<u8> = 1..=20;

const MOST_HEARTBEATS: RangeInclusive<u32> = 1..=1_000_000;

/// A set of defaults.
#[derive(Clone, Copy, Debug)]
struct Profile {
    period: Duration,
    cap: Option<NonZeroU32>,
}

const DEFAULT: Profile = Profile { period: Duration::from_secs(1), cap: Some(USUAL_CAP) };

const FAST: Profile = Profile { period: Duration::from_millis(200), cap: None };

const RELAXED: Profile = Profile { period: Duration::from_secs(30), ..DEFAULT };

const BY_NAME: [(&str, Profile); 3] = [("default", DEFAULT), ("fast", FAST), ("relaxed", RELAXED)];

/// The profiles by name, each with the timing that it alone makes.
pub fn profiles() -> [(&'static str, ConfiguredTiming); 3] {
    BY_NAME.map(|(name, profile)| (name, profile.timing()))
}

impl Profile {
    fn timing(self) -> ConfiguredTiming {
        ConfiguredTiming { max_heartbeats_per_second: self.cap, ..ConfiguredTiming::of_period(self.period) }
    }
}

/// Reads the timing of `peers`. Where something is wrong the reader knows, and what is returned is not used.
pub(super) fn read(peers: &Peers, reader: &mut Reader<'_>) -> ConfiguredTiming {
    let profile = reader.word("peers.profile", peers.profile.as_ref(), &BY_NAME);
    let period = reader.read("peers.period", peers.period.as_ref(), period);
    warn_of_idle_profile(&profile, &period, peers, reader);
    let profile = profile.or(DEFAULT);
    let period = profile.and_then(|profile| period.or(profile.period));
    let timeout = timeout(peers, period, reader);
    let confirm_period = confirm_period(peers, period, &timeout, reader);
    let usual = ConfiguredTiming::of_period(period.unwrap_or(DEFAULT.period));
    let failure = threshold("peers.failure_threshold", peers.failure_threshold.as_ref(), reader);
    let success = threshold("peers.success_threshold", peers.success_threshold.as_ref(), reader);
    let cap = reader.read("peers.max_heartbeats_per_second", peers.max_heartbeats_per_second.as_ref(), cap);
    ConfiguredTiming {
        timeout: timeout.given().map(|(timeout, _)| timeout),
        confirm_period: confirm_period.given().map(|(confirm, _)| confirm),
        failure_threshold: failure.or(usual.failure_threshold).unwrap_or(usual.failure_threshold),
        success_threshold: success.or(usual.success_threshold).unwrap_or(usual.success_threshold),
        max_heartbeats_per_second: cap.or(profile.unwrap_or(DEFAULT).cap).unwrap_or_default(),
        ..usual
    }
}

fn cap(text: &str) -> Result<Option<NonZeroU32>, Refusal> {
    if text == "unlimited" {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| MOST_HEARTBEATS.contains(number)).and_then(NonZeroU32::new);
    let hint =
        "write how many heartbeats each agent may send in a second, 250 in most clusters, or the word `unlimited`";
    number.map(Some).ok_or_else(|| Refusal::new("is neither a whole number from 1 to 1000000 nor `unlimited`", hint))
}

fn period(text: &str) -> Result<Duration, Refusal> {
    let period = parse(text)?;
    if PERIOD.contains(&period) {
        return Ok(period);
    }
    let hint = "1s suits most clusters, 200ms is fast, 30s is relaxed";
    Err(Refusal::new("is not between 10ms and 10m", hint))
}

fn timeout(peers: &Peers, period: Option<Duration>, reader: &mut Reader<'_>) -> Setting<Duration> {
    let setting = reader.read("peers.timeout", peers.timeout.as_ref(), |text| {
        let timeout = parse(text)?;
        let hint = "write more than the network's worst delay, or leave the key out for half the period";
        if timeout < MIN_TIMEOUT { Err(Refusal::new("is shorter than 1ms", hint)) } else { Ok(timeout) }
    });
    match (setting, period) {
        (Setting::Given(timeout, place), Some(period)) if timeout >= period => {
            reader.refuse(place, too_long_to_wait(timeout, period));
            Setting::Refused
        }
        (setting, _) => setting,
    }
}

fn too_long_to_wait(timeout: Duration, period: Duration) -> Refusal {
    let message = format!("peers.timeout `{}` is not shorter than the period, {}", Human(timeout), Human(period));
    let hint = "a heartbeat is late before the next one is due: write less than";
    let default = Timing::of_period(period).timeout;
    Refusal::new(message, format!("{hint} {}, or leave the key out for {}", Human(period), Human(default)))
}

/// d is T or longer, because polls are answered within T; and P or shorter, because it is the faster pace.
fn confirm_period(
    peers: &Peers,
    period: Option<Duration>,
    timeout: &Setting<Duration>,
    reader: &mut Reader<'_>,
) -> Setting<Duration> {
    let setting = reader.read("peers.confirm_period", peers.confirm_period.as_ref(), parse);
    let usual = period.map(Timing::of_period);
    let timeout = usual.and_then(|usual| timeout.clone().or(usual.timeout));
    let (Some(period), Some(timeout), Setting::Given(confirm, place)) = (period, timeout, &setting) else {
        return setting;
    };
    let default = timeout.max((period / 6).min(Duration::from_secs(5)));
    if *confirm < timeout {
        reader.refuse(*place, too_short_to_confirm(*confirm, timeout, default));
    } else if *confirm > period {
        reader.refuse(*place, too_long_to_confirm(*confirm, period, default));
    }
    setting
}

fn too_short_to_confirm(confirm: Duration, timeout: Duration, default: Duration) -> Refusal {
    let message = format!("peers.confirm_period `{}` is shorter than the timeout, {}", Human(confirm), Human(timeout));
    let hint = "a window must outlast an answer that is only slow: write";
    Refusal::new(message, format!("{hint} {} or more, or leave the key out for {}", Human(timeout), Human(default)))
}

fn too_long_to_confirm(confirm: Duration, period: Duration, default: Duration) -> Refusal {
    let message = format!("peers.confirm_period `{}` is longer than the period, {}", Human(confirm), Human(period));
    let hint = "a suspect is tried faster than a healthy peer: write";
    Refusal::new(message, format!("{hint} {} or less, or leave the key out for {}", Human(period), Human(default)))
}

fn threshold(what: &str, text: Option<&Text>, reader: &mut Reader<'_>) -> Setting<NonZeroU8> {
    reader.read(what, text, |text| {
        let number = text.parse().ok().filter(|number| THRESHOLD.contains(number));
        let refusal =
            || Refusal::new("is not a whole number from 1 to 20", "write such a number, or leave the key out for 3");
        number.and_then(NonZeroU8::new).ok_or_else(refusal)
    })
}

fn warn_of_idle_profile(
    profile: &Setting<Profile>,
    period: &Setting<Duration>,
    peers: &Peers,
    reader: &mut Reader<'_>,
) {
    let (Setting::Given(by_profile, place), Setting::Given(period, _)) = (profile, period) else { return };
    let by_profile = &by_profile.period;
    if by_profile == period || *by_profile == DEFAULT.period {
        return;
    }
    let profile = peers.profile.as_ref().map_or("", |text| text.value.as_str());
    let (period, by_profile) = (Human(*period), Human(*by_profile));
    let message = format!("peers.period says {period}, so peers.profile `{profile}` does not make it {by_profile}");
    reader.warn(*place, Refusal::new(message, "keep one of the two"));
}
