//! `/v1/events`: the newest lines of the audit log.
//!
//! The server puts the answer together from the lines as they are, so that whoever likes can verify the chain: without its
//! last field, `durable`, an event is byte for byte the line in the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Some events, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Events {
    /// The events asked for.
    pub events: Vec<EventAnswer>,
    /// The number of the oldest event that can be asked for; null if there is none. Older ones are in the log.
    pub oldest: Option<u64>,
    /// The number of the newest event; 0 before the first.
    pub newest: u64,
}

/// A line of the log, with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventAnswer {
    /// Its number.
    pub seq: u64,
    /// All that the line says, but for its number.
    #[serde(flatten)]
    pub line: BTreeMap<String, Value>,
    /// Whether it is on the disk for good; it may become so later.
    pub durable: bool,
}
