//! `/v1/mode`: what this side may do.

use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::detector::mode::{Consistency, Mode, ServiceLevel};
use crate::detector::view::View;

/// The header of every answer while an operator overrides the mode of the node: the mode, and until when.
pub const OVERRIDE: &str = "netsplit-override";

/// What this side may do, for applications that ask at the time of the write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeAnswer {
    /// The mode.
    pub mode: Mode,
    /// What an application may expect of this side.
    pub service_level: ServiceLevel,
    /// Whether this side may answer reads; how far they can be trusted, `consistency` says.
    pub reads: bool,
    /// Whether this side may take writes.
    pub writes: bool,
    /// What a reader of this side may miss.
    pub consistency: Consistency,
    /// Since when this mode holds.
    pub since: String,
    /// How many count, and how many of them are on this side.
    pub side: SideAnswer,
    /// The id of the open partition; null if there is none.
    pub partition: Option<String>,
    /// An operator put the mode in the place of the one that the agent judges; null if nobody did.
    #[serde(rename = "override")]
    pub overridden: Option<OverrideAnswer>,
    /// The mode is that of before a clean stop within the last minute: this run cannot tell yet.
    pub stale: bool,
}

/// How many count for the majority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideAnswer {
    /// Members of the electorate on this side, this node included.
    pub nodes: usize,
    /// The size of the electorate.
    pub of: usize,
}

/// What an operator put in the place of the mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideAnswer {
    /// The mode that the agent judges all the same.
    pub judged: Mode,
    /// Until when it is overruled.
    pub until: String,
    /// Why, in the operator's words.
    pub reason: String,
}

/// Whether the agent has judged lately. Who stalled knows neither what its side may do nor whether the time of an override
/// is over.
pub(crate) fn is_fresh(view: &View, calendar: Calendar) -> bool {
    calendar.now.since(view.at) <= view.timeout
}

impl ModeAnswer {
    /// The mode that the agent judges, whatever an operator put in its place.
    pub fn judged(&self) -> Mode {
        self.overridden.as_ref().map_or(self.mode, |overridden| overridden.judged)
    }

    /// The same without times: they are others when the clock was set.
    #[must_use]
    pub fn timeless(&self) -> Self {
        let mut timeless = Self { since: String::new(), ..self.clone() };
        timeless.overridden.iter_mut().for_each(|overridden| overridden.until.clear());
        timeless
    }

    /// The answer from a view. One that is older than the timeout is of an agent that stalled: it answers `starting`.
    pub fn of(view: &View, calendar: Calendar) -> Self {
        let is_fresh = is_fresh(view, calendar);
        let before = view.mode_before.filter(|_| is_fresh && view.mode == Mode::Starting);
        let judged = if is_fresh { before.unwrap_or(view.mode) } else { Mode::Starting };
        // Who stalled does not know whether its time is over.
        let overridden = view.overriding(calendar.now).filter(|_| is_fresh);
        let mode = overridden.map_or(judged, |overridden| overridden.mode);
        let since = overridden.map_or(view.mode_since, |overridden| overridden.since);
        let stale = before.is_some() && overridden.is_none();
        Self {
            mode,
            // A cut may have come since: then the other side writes.
            service_level: match mode.service_level(view.reaches_nothing) {
                ServiceLevel::Full if stale => ServiceLevel::ReadOnly,
                level => level,
            },
            reads: mode.may_read(),
            writes: !stale && mode.may_write(view.policy.policy),
            consistency: if stale { Consistency::Unknown } else { mode.consistency() },
            since: calendar.text(if is_fresh { since } else { view.at }),
            side: SideAnswer { nodes: view.members, of: view.electorate },
            partition: view.partitions.first().map(|partition| partition.id.to_string()),
            overridden: overridden.map(|overridden| OverrideAnswer {
                judged,
                until: calendar.text(overridden.until),
                reason: overridden.reason.clone(),
            }),
            stale,
        }
    }
}
