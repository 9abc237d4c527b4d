//! A record: an event as it leaves the agent, with who says it and when. One JSON object.

use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::Moment;
use crate::calendar::Calendar;
use crate::detector::event::Event;
use crate::detector::settings::Settings;
use crate::detector::time::Now;
use crate::hlc::Stamp;
use crate::identity::Incarnation;

/// An event with the fields that all have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// When it was said, by the clock that is not shown.
    #[serde(skip)]
    pub at: Now,
    /// The time of day.
    #[serde(serialize_with = "microseconds")]
    pub time: Timestamp,
    /// The hybrid logical clock: records of different nodes sort by it in causal order.
    #[serde(serialize_with = "text")]
    pub hlc: Stamp,
    /// The cluster.
    #[serde(serialize_with = "text")]
    pub cluster: Arc<str>,
    /// The node that says it.
    #[serde(serialize_with = "text")]
    pub node: Arc<str>,
    /// Which run of its agent.
    pub incarnation: Incarnation,
    /// What happened.
    #[serde(flatten)]
    pub event: Happening,
    /// Of a partition: when it opened and closed.
    #[serde(flatten)]
    pub times: Option<PartitionTimes>,
}

/// The time of day of a partition's beginning and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionTimes {
    /// When it opened.
    #[serde(serialize_with = "microseconds")]
    pub opened_at: Timestamp,
    /// When it closed; none while it is open.
    #[serde(serialize_with = "maybe_microseconds")]
    pub closed_at: Option<Timestamp>,
}

impl PartitionTimes {
    /// Those of a happening that is about a partition.
    fn of(happening: &Happening, calendar: Calendar) -> Option<Self> {
        let (partition, is_over) = match happening {
            Happening::Decision(Event::PartitionOpened(partition) | Event::PartitionChanged(partition)) => {
                (partition, false)
            }
            Happening::Decision(Event::PartitionClosed { partition, .. }) => (partition, true),
            _ => return None,
        };
        let closed_at = is_over.then(|| calendar.at(calendar.now));
        Some(Self { opened_at: calendar.at(partition.opened), closed_at })
    }
}

impl Record {
    /// What the detector said, if it is that.
    pub fn decision(&self) -> Option<&Event> {
        match &self.event {
            Happening::Decision(event) => Some(event),
            Happening::Shell(_) => None,
        }
    }
}

/// What a record tells.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Happening {
    /// What the detector decided.
    Decision(Event),
    /// What befell the agent around it.
    Shell(ShellEvent),
}

/// What befell the agent around the detector, which knows nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ShellEvent {
    /// Other settings hold from now on.
    ConfigReloaded {
        /// The keys that changed, as `section.key`, sorted.
        changed: Vec<String>,
    },
    /// There was no room for so many records, and they are gone.
    EventsLost {
        /// How many.
        count: u64,
    },
}

impl From<Event> for Happening {
    fn from(event: Event) -> Self {
        Self::Decision(event)
    }
}

impl From<ShellEvent> for Happening {
    fn from(event: ShellEvent) -> Self {
        Self::Shell(event)
    }
}

/// Takes records, in order. It must not wait: the loop that detects stands still meanwhile.
pub trait EventSink {
    /// Takes one.
    fn accept(&mut self, record: Record);
}

impl<F: FnMut(Record)> EventSink for F {
    fn accept(&mut self, record: Record) {
        self(record);
    }
}

/// Who speaks in an agent's records.
pub(super) struct Identity {
    cluster: Arc<str>,
    node: Arc<str>,
}

impl Identity {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { cluster: settings.cluster.as_str().into(), node: settings.node.name.as_str().into() }
    }

    pub(super) fn record(
        &self,
        event: impl Into<Happening>,
        incarnation: Incarnation,
        hlc: Stamp,
        moment: Moment,
    ) -> Record {
        let event = event.into();
        let calendar = Calendar { now: moment.now, wall: moment.wall };
        Record {
            at: moment.now,
            time: calendar.at(moment.now),
            hlc,
            cluster: Arc::clone(&self.cluster),
            node: Arc::clone(&self.node),
            incarnation,
            times: PartitionTimes::of(&event, calendar),
            event,
        }
    }
}

fn microseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn maybe_microseconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => microseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

fn text<S: Serializer>(text: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::GoodbyeReason;

    #[test]
    fn a_record_is_one_flat_json_object_with_the_common_fields_first() {
        let identity = Identity { cluster: "production".into(), node: "node-1".into() };
        let wall = Duration::from_hours(498_684) + Duration::from_micros(1_500);
        let moment = Moment { now: Now::START, wall };
        let event = Event::AgentStopped { reason: GoodbyeReason::Stopped };
        let record = identity.record(event, Incarnation(7), Stamp::from_bits(0x1f), moment);
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"time":"2026-11-21T12:00:00.001500Z","hlc":"000000000000001f","cluster":"production","node":"node-1","incarnation":7,"event":"agent_stopped","reason":"stopped"}"#
        );
    }

    #[test]
    fn no_key_is_there_twice_when_a_run_is_renumbered() {
        let identity = Identity { cluster: "production".into(), node: "node-1".into() };
        let moment = Moment { now: Now::START, wall: Duration::ZERO };
        let event = Event::IncarnationAdopted { incarnation: Incarnation(8) };
        let text = serde_json::to_string(&identity.record(event, Incarnation(8), Stamp::from_bits(0), moment)).unwrap();
        assert_eq!(text.matches("\"incarnation\":").count(), 1, "{text}");
        assert!(text.ends_with(r#""event":"incarnation_adopted","adopted":8}"#), "{text}");
    }
}
