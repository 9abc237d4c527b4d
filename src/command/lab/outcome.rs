//! How the piece went, and the JSON that says so.

use std::time::Duration;

use netsplit::detector::partition::PartitionKind;
use serde::Serialize;

use super::logs::Checked;

/// How it went.
pub(super) struct Outcome {
    pub(super) sides: Vec<Vec<String>>,
    pub(super) kind: PartitionKind,
    /// Every agent named its own side while the cut lasted.
    pub(super) named: bool,
    /// Every agent saw the end, and that the others had lived through it.
    pub(super) closed: bool,
    pub(super) link_down: (Option<Duration>, Duration),
    pub(super) partition: (Option<Duration>, Duration),
    pub(super) closing: Option<Duration>,
    /// What was found in the audit logs.
    pub(super) logs: Checked,
}

impl Outcome {
    pub(super) fn is_correct(&self) -> bool {
        self.named && self.closed && self.logs.is_whole()
    }

    /// All of it as one object.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let times = |(max, bound): (Option<Duration>, Duration)| Times { max: max.map(rounded), bound: rounded(bound) };
        serde_json::to_string(&Report {
            correct: self.is_correct(),
            kind: self.kind,
            sides: &self.sides,
            link_down_seconds: times(self.link_down),
            partition_seconds: times(self.partition),
            closed_seconds: Closed { max: self.closing.map(rounded) },
            audit: Audit { events: self.logs.events, whole: self.logs.is_whole() },
        })
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    correct: bool,
    kind: PartitionKind,
    sides: &'a [Vec<String>],
    link_down_seconds: Times,
    partition_seconds: Times,
    closed_seconds: Closed,
    audit: Audit,
}

#[derive(Serialize)]
struct Audit {
    /// How many stand in all logs together.
    events: u64,
    /// Whether every log has all that its agent told, and its chain holds.
    whole: bool,
}

#[derive(Serialize)]
struct Times {
    /// The longest that any agent took; null if none got there.
    max: Option<f64>,
    bound: f64,
}

#[derive(Serialize)]
struct Closed {
    max: Option<f64>,
}

/// Seconds to the millisecond.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}
