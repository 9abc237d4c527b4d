//! `alerts`: thresholds that the shipped alerts compare with. The agent only exports them.

use std::ops::RangeInclusive;

use super::error::Refusal;
use super::reader::{Reader, Setting};
use super::schema::Alerts;

/// What the threshold is if neither the file nor the environment says it.
const USUAL: u64 = 10_000;

/// Where the environment says it.
const VARIABLE: &str = "KAFKA_CONSUMER_LAG_ALERT_THRESHOLD";

/// A gauge holds whole numbers up to 2^53.
const MESSAGES: RangeInclusive<u64> = 1..=1_000_000_000_000;

/// Reads `alerts.kafka_consumer_lag`. `None` if it is wrong, which was said.
pub(super) fn kafka_consumer_lag(alerts: Option<&Alerts>, reader: &mut Reader<'_>) -> Option<u64> {
    let given = alerts.and_then(|alerts| alerts.kafka_consumer_lag.as_ref());
    match reader.read("alerts.kafka_consumer_lag", given, messages) {
        Setting::Given(lag, _) => return Some(lag),
        Setting::Refused => return None,
        Setting::Absent => {}
    }
    let Some(text) = reader.environment().variable(VARIABLE).filter(|text| !text.is_empty()) else {
        return Some(USUAL);
    };
    match messages(text) {
        Ok(lag) => Some(lag),
        Err(Refusal { message, hint }) => {
            let message = format!("the environment variable {VARIABLE} {message}");
            reader.refuse_whole(Refusal::new(message, hint));
            None
        }
    }
}

fn messages(text: &str) -> Result<u64, Refusal> {
    let number = text.parse().ok().filter(|number| MESSAGES.contains(number));
    let hint = "write a number of messages, or leave it out for 10000";
    number.ok_or_else(|| Refusal::new("is not a whole number from 1 to 1000000000000", hint))
}
