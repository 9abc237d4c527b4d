//! A record as one readable line: the JSON of the log, shortened, with the time since the cut.

use netsplit::agent::Record;
use netsplit::detector::partition::Partition;
use netsplit::detector::time::Now;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::command::wording;

/// The line of a record.
pub(super) fn line(record: &Record, cut: Now) -> String {
    let at = record.at.since_start().as_secs_f64() - cut.since_start().as_secs_f64();
    let event = fields(&record.event);
    format!("{at:+7.2} s  {:<8} {:<17} {}", record.node, wording::kind(&event), wording::told(&event))
}

/// What a partition says: its id, its kind, its sides.
pub(super) fn told(partition: &Partition) -> String {
    wording::partition(&fields(partition)).unwrap_or_default()
}

fn fields(told: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(told) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}
