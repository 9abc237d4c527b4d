//! The paces and thresholds of `peers`: each in its range, and all of them fit for each other.

use std::num::NonZeroU8;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration::{Human, parse};
use super::error::Refusal;
use super::reader::{Reader, Setting};
use super::schema::{Peers, Text};
use crate::detector::settings::Timing;

const PERIOD: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);

/// Below this the scheduler of the machine is slower than the network.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

const THRESHOLD: RangeInclusive<u8> = 1..=20;

const PROFILES: [(&str, Duration); 3] =
    [("default", Duration::from_secs(1)), ("fast", Duration::from_millis(200)), ("relaxed", Duration::from_secs(30))];

/// Reads the timing of `peers`. Where something is wrong the reader knows, and what is returned is not used.
pub(super) fn read(peers: &Peers, reader: &mut Reader<'_>) -> Timing {
    let profile = reader.word("peers.profile", peers.profile.as_ref(), &PROFILES);
    let period = reader.read("peers.period", peers.period.as_ref(), period);
    warn_of_idle_profile(&profile, &period, peers, reader);
    let period = profile.or(PROFILES[0].1).and_then(|profile| period.or(profile));
    let timeout = timeout(peers, period, reader);
    let confirm = confirm_period(peers, period, timeout, reader);
    let mut timing = Timing::of_period(period.unwrap_or(PROFILES[0].1));
    timing.timeout = timeout.unwrap_or(timing.timeout);
    timing.confirm_period = confirm.unwrap_or(timing.confirm_period);
    let failure = threshold("peers.failure_threshold", peers.failure_threshold.as_ref(), reader);
    timing.failure_threshold = failure.or(timing.failure_threshold).unwrap_or(timing.failure_threshold);
    let success = threshold("peers.success_threshold", peers.success_threshold.as_ref(), reader);
    timing.success_threshold = success.or(timing.success_threshold).unwrap_or(timing.success_threshold);
    timing
}

fn period(text: &str) -> Result<Duration, Refusal> {
    let period = parse(text)?;
    if PERIOD.contains(&period) {
        return Ok(period);
    }
    let hint = "1s suits most clusters, 200ms is fast, 30s is relaxed";
    Err(Refusal::new("is not between 10ms and 10m", hint))
}

fn timeout(peers: &Peers, period: Option<Duration>, reader: &mut Reader<'_>) -> Option<Duration> {
    let setting = reader.read("peers.timeout", peers.timeout.as_ref(), |text| {
        let timeout = parse(text)?;
        let hint = "write more than the network's worst delay, or leave the key out for half the period";
        if timeout < MIN_TIMEOUT { Err(Refusal::new("is shorter than 1ms", hint)) } else { Ok(timeout) }
    });
    let default = period.map(|period| Timing::of_period(period).timeout);
    match (setting, period, default) {
        (Setting::Given(timeout, place), Some(period), Some(default)) if timeout >= period => {
            let message =
                format!("peers.timeout `{}` is not shorter than the period, {}", Human(timeout), Human(period));
            let hint = format!(
                "a heartbeat is late before the next one is due: write less than {}, or leave the key out for {}",
                Human(period),
                Human(default)
            );
            reader.refuse(place, Refusal::new(message, hint));
            None
        }
        (Setting::Absent, _, default) => default,
        (setting, ..) => setting.given().map(|(timeout, _)| timeout),
    }
}

/// d is T or longer, because polls are answered within T; and P or shorter, because it is the faster pace.
fn confirm_period(
    peers: &Peers,
    period: Option<Duration>,
    timeout: Option<Duration>,
    reader: &mut Reader<'_>,
) -> Option<Duration> {
    let setting = reader.read("peers.confirm_period", peers.confirm_period.as_ref(), parse);
    let (period, timeout) = (period?, timeout?);
    let default = timeout.max((period / 6).min(Duration::from_secs(5)));
    let Setting::Given(confirm, place) = setting else { return setting.or(default) };
    if confirm < timeout {
        reader.refuse(place, too_short_to_confirm(confirm, timeout, default));
    } else if confirm > period {
        reader.refuse(place, too_long_to_confirm(confirm, period, default));
    }
    Some(confirm)
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
    profile: &Setting<Duration>,
    period: &Setting<Duration>,
    peers: &Peers,
    reader: &mut Reader<'_>,
) {
    let (Setting::Given(by_profile, place), Setting::Given(period, _)) = (profile, period) else { return };
    if by_profile == period || *by_profile == PROFILES[0].1 {
        return;
    }
    let profile = peers.profile.as_ref().map_or("", |text| text.value.as_str());
    let (period, by_profile) = (Human(*period), Human(*by_profile));
    let message = format!("peers.period says {period}, so peers.profile `{profile}` does not make it {by_profile}");
    reader.warn(*place, Refusal::new(message, "keep one of the two"));
}
