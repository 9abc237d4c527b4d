//! What is played: who there is, what happens to them, for how long, and under which settings.

use std::ops::Range;
use std::time::Duration;

use netsplit::detector::settings::{ConfiguredTiming, ModePolicy, Timing};
use netsplit::simulation::Conditions;

use super::cut::Cut;
use super::nodes::Nodes;
use super::truth::Truth;

/// All that decides what comes out, but the settings.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) nodes: Nodes,
    pub(super) conditions: Conditions,
    pub(super) faults: Vec<Fault>,
    pub(super) rhythm: Rhythm,
    pub(super) throttles: Vec<Throttle>,
    /// For how long each run is judged at least.
    pub(super) length: Duration,
    pub(super) seeds: Range<u64>,
}

/// Something that happens to the cluster.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// Nothing passes between some nodes.
    Cut(Cut),
    /// The agent of a node does not run for so long.
    Stall { node: usize, length: Duration },
}

/// When faults come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Each once, one after another; a cut lasts so long.
    Once(Duration),
    /// Cuts come and go, in turn, until the time is over.
    Flapping { on: Duration, off: Duration },
}

/// The agents of these nodes run for the first part of every stretch only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Throttle {
    pub(super) text: String,
    pub(super) nodes: Vec<usize>,
    pub(super) run: Duration,
    pub(super) of: Duration,
}

/// The settings that are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) timing: ConfiguredTiming,
    pub(super) mode: ModePolicy,
}

impl Judged {
    /// What the timing comes to among so many nodes.
    pub(super) fn timing_at(&self, nodes: &Nodes) -> Timing {
        self.timing.at(nodes.len())
    }
}

impl Fault {
    pub(super) fn truth(&self, nodes: &Nodes, timing: &Timing) -> Truth {
        match self {
            Self::Cut(cut) => Truth::of_cut(cut, nodes, timing),
            Self::Stall { node, .. } => Truth::of_stall(*node, nodes, timing),
        }
    }

    /// For how long it lasts.
    pub(super) fn length(&self, rhythm: Rhythm) -> Duration {
        match (self, rhythm) {
            (Self::Stall { length, .. }, _) => *length,
            (Self::Cut(_), Rhythm::Once(length) | Rhythm::Flapping { on: length, .. }) => length,
        }
    }
}
