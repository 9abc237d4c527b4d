//! A line: a record with its number and its place in the chain, as bytes. One JSON object, without its newline.
//!
//! The fields of every line come first and in one order (`seq`, `time`, `hlc`, `cluster`, `node`, `incarnation`, `event`,
//! `prev`), then those of the event.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::chain::{End, LineHash};
use crate::agent::Record;

/// What comes before the name of the event in a record. It occurs nowhere before its place: within a string every
/// quotation mark is escaped, and no field before it holds an object.
const EVENT: &str = r#","event":""#;

/// The record could not be written as a line: a fault in netsplit.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    #[error("it cannot be written as JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("it does not say which event it is")]
    NoEvent,
}

/// The line of this record after `end`, and where the chain ends then.
pub(super) fn line(record: &Record, end: End) -> Result<(Arc<str>, End), NoLine> {
    let text = serde_json::to_string(record)?;
    let (common, event) = text.split_once(EVENT).ok_or(NoLine::NoEvent)?;
    let (name, own) = event.split_once('"').ok_or(NoLine::NoEvent)?;
    let common = common.strip_prefix('{').ok_or(NoLine::NoEvent)?;
    let (seq, prev) = (end.seq.saturating_add(1), end.hash);
    let line = format!(r#"{{"seq":{seq},{common}{EVENT}{name}","prev":"{prev}"{own}"#);
    let hash = LineHash::of(line.as_bytes());
    Ok((line.into(), End { seq, hash }))
}

/// What of a line makes the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Head {
    /// Its number.
    pub(super) seq: u64,
    /// The hash of the line before it.
    #[serde(deserialize_with = "hash")]
    pub(super) prev: LineHash,
}

impl Head {
    /// That of a line; none if it is no line of a log.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let is_object = line.first() == Some(&b'{') && line.last() == Some(&b'}');
        is_object.then(|| serde_json::from_slice(line).ok()).flatten()
    }
}

fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LineHash, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    LineHash::parse(&text).ok_or_else(|| D::Error::custom("not 64 hex digits"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::agent::{Happening, ShellEvent};
    use crate::detector::event::Event;
    use crate::detector::time::Now;
    use crate::hlc::Stamp;
    use crate::identity::Incarnation;

    pub(crate) fn record(event: impl Into<Happening>) -> Record {
        Record {
            at: Now::START,
            time: Timestamp::from_microsecond(1_795_262_400_001_500).unwrap(),
            hlc: Stamp::from_bits(0x1f),
            cluster: "production".into(),
            node: "node-1".into(),
            incarnation: Incarnation(7),
            event: event.into(),
            times: None,
        }
    }

    #[test]
    fn a_line_has_the_common_fields_first_and_in_order_and_then_its_own() {
        let (line, end) = line(&record(Event::AgentStarted { roster: 5 }), End::NOTHING).unwrap();
        let zeros = "0".repeat(64);
        let expected = format!(
            r#"{{"seq":1,"time":"2026-11-21T12:00:00.001500Z","hlc":"000000000000001f","cluster":"production","node":"node-1","incarnation":7,"event":"agent_started","prev":"{zeros}","roster":5}}"#
        );
        assert_eq!((&*line, end.seq), (&*expected, 1));
        assert_eq!(end.hash, LineHash::of(expected.as_bytes()));
        assert_eq!(Head::of(line.as_bytes()), Some(Head { seq: 1, prev: LineHash::NONE }));
    }

    #[test]
    fn the_next_line_follows_it() {
        let (_, end) = line(&record(Event::AgentStarted { roster: 5 }), End::NOTHING).unwrap();
        let (next, _) = line(&record(ShellEvent::EventsLost { count: 3 }), end).unwrap();
        assert_eq!(Head::of(next.as_bytes()), Some(Head { seq: 2, prev: end.hash }));
    }

    #[test]
    fn names_that_look_like_json_do_not_mislead() {
        let mut odd = record(Event::PeerJoined { peer: r#"","event":"x"#.to_owned() });
        odd.cluster = r#"a","event":"agent_stopped","b"#.into();
        odd.node = "\\\",\"event\":\"".into();
        let (line, _) = line(&odd, End::NOTHING).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], "peer_joined");
        assert_eq!((value["cluster"].as_str(), value["node"].as_str()), (Some(&*odd.cluster), Some(&*odd.node)));
        assert_eq!((&value["peer"], &value["seq"]), (&r#"","event":"x"#.into(), &1.into()));
    }

    #[test]
    fn what_is_no_line_has_no_head() {
        let zeros = "0".repeat(64);
        for wrong in [
            String::new(),
            "{}".to_owned(),
            format!(r#"[1,"{zeros}"]"#),
            format!(r#"{{"seq":-1,"prev":"{zeros}"}}"#),
            format!(r#"{{"seq":1,"prev":"{}"}}"#, &zeros[1..]),
            format!(r#"{{"seq":1,"seq":2,"prev":"{zeros}"}}"#),
            format!(r#" {{"seq":1,"prev":"{zeros}"}}"#),
            format!(r#"{{"seq":1,"prev":"{zeros}","x":}}"#),
        ] {
            assert_eq!(Head::of(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_chain_without_a_known_predecessor_is_numbered_by_the_time_of_day() {
        let end = End::unknown(Duration::from_hours(498_684));
        let (line, _) = line(&record(Event::AgentStarted { roster: 5 }), end).unwrap();
        assert_eq!(Head::of(line.as_bytes()), Some(Head { seq: 1_795_262_400_000_001, prev: LineHash::NONE }));
    }
}
