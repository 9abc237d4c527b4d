//! `/v1/partitions`: the cuts that are open, and those that were.

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::calendar::Calendar;
use crate::detector::event::CloseCause;
use crate::detector::partition::{Closed, Direction, Partition, PartitionKind, Side, Witness};
use crate::detector::view::View;

/// The cuts that this agent knows of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partitions {
    /// Those that are open.
    pub open: Vec<PartitionAnswer>,
    /// Those of this run that are over, the newest first, at most 32.
    pub recent: Vec<PartitionAnswer>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionAnswer {
    /// The same on all its sides; new for a cut that comes back.
    pub id: String,
    /// What kind of cut it is, or was at last.
    pub kind: PartitionKind,
    /// The endpoint that is lost, where it is one: its first side does not reach it, the second does. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether no unknown link could join the sides.
    pub certain: bool,
    /// The sides: this agent's own first, if it is on one.
    pub sides: Vec<Side>,
    /// Whether the first side is this agent's own; else it is on neither side of a partial cut.
    pub own_side: bool,
    /// The zones of each side where the cut runs between zones; empty where it does not.
    pub zones: Vec<Vec<String>>,
    /// Who reaches both sides of a partial cut.
    pub bridges: Vec<String>,
    /// Pairs across a partial cut that are joined all the same.
    pub exceptions: Vec<(String, String)>,
    /// Which way a one-way cut is cut; null if both ways, or not known.
    pub direction: Option<Direction>,
    /// What shows, beside the heartbeats, that the other side lives; null if nothing does.
    pub witness: Option<Witness>,
    /// Whether this side has a majority of the electorate.
    pub quorum: bool,
    /// When it was published first.
    pub opened_at: String,
    /// When it closed; null while it is open.
    pub closed_at: Option<String>,
    /// From the last datagram over the links that were cut to the decision.
    pub detection_seconds: f64,
    /// What ended it; null while it is open.
    pub cause: Option<CloseCause>,
    /// Whether nodes across the cut lived through it; null while it is open, and if it cannot be told.
    pub confirmed: Option<bool>,
}

impl Partitions {
    /// The answer from a view.
    pub fn of(view: &View, calendar: Calendar) -> Self {
        let open = view.partitions.iter().map(|partition| PartitionAnswer::open(partition, calendar)).collect();
        Self { open, recent: view.recent.iter().map(|closed| PartitionAnswer::over(closed, calendar)).collect() }
    }
}

impl PartitionAnswer {
    fn open(partition: &Partition, calendar: Calendar) -> Self {
        Self {
            id: partition.id.to_string(),
            kind: partition.kind,
            endpoint: partition.endpoint.clone(),
            certain: partition.certain,
            sides: partition.sides.clone(),
            own_side: partition.own_side,
            zones: partition.zones.clone(),
            bridges: partition.bridges.clone(),
            exceptions: partition.exceptions.clone(),
            direction: partition.direction,
            witness: partition.witness,
            quorum: partition.quorum,
            opened_at: calendar.text(partition.opened),
            closed_at: None,
            detection_seconds: seconds(partition.detection),
            cause: None,
            confirmed: None,
        }
    }

    fn over(closed: &Closed, calendar: Calendar) -> Self {
        Self {
            closed_at: Some(calendar.text(closed.at)),
            cause: Some(closed.cause),
            confirmed: closed.confirmed,
            ..Self::open(&closed.partition, calendar)
        }
    }
}
