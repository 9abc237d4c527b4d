//! A partition: a cut that held through the settle time, with its identity.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::event::CloseCause;
use super::seconds::seconds;
use super::time::Now;
use crate::identity::{Digest, Epoch, Hash};

/// How many names a side lists; the rest is counted.
pub(super) const NAMED: usize = 100;

/// What both sides of a split call it, though they cannot talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u64);

impl PartitionId {
    /// The id of a complete cut that opened in `epoch`: the same on all its sides.
    pub fn complete(cluster: &str, epoch: Epoch) -> Self {
        let hash = Hash::new().field(cluster.as_bytes()).field(&epoch.0.to_be_bytes()).field(b"complete");
        Self(u64::from_be_bytes(hash.first()))
    }

    /// The id of a partition from an endpoint that opened in `epoch`: the same for everybody who lost it.
    pub fn service(cluster: &str, epoch: Epoch, endpoint: &str) -> Self {
        let hash = Hash::new().field(cluster.as_bytes()).field(&epoch.0.to_be_bytes()).field(b"service");
        Self(u64::from_be_bytes(hash.field(endpoint.as_bytes()).first()))
    }

    /// The id of a partial cut with these sides, which opened in `epoch`: the same for everybody who sees it so.
    pub fn partial(cluster: &str, epoch: Epoch, mut sides: [Vec<String>; 2]) -> Self {
        for side in &mut sides {
            side.sort();
        }
        sides.sort();
        let hash = Hash::new().field(cluster.as_bytes()).field(&epoch.0.to_be_bytes()).field(b"partial");
        let side = |hash: Hash, names: &Vec<String>| {
            let hash = hash.field(&(names.len() as u64).to_be_bytes());
            names.iter().fold(hash, |hash, name| hash.field(name.as_bytes()))
        };
        Self(u64::from_be_bytes(sides.iter().fold(hash, side).first()))
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for PartitionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What kind of cut it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionKind {
    /// No node of one side reaches any of the other.
    Complete,
    /// Others reach both sides.
    Partial,
    /// Cut in one direction.
    Simplex,
    /// One node on a side.
    Isolation,
    /// The overlay is cut, the hosts are not.
    Overlay,
    /// An endpoint that the cluster must not lose.
    Service,
}

impl PartitionKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 6] =
        [Self::Complete, Self::Partial, Self::Simplex, Self::Isolation, Self::Overlay, Self::Service];

    /// The name of the kind in metrics and in text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Simplex => "simplex",
            Self::Isolation => "isolation",
            Self::Overlay => "overlay",
            Self::Service => "service",
        }
    }
}

/// What shows, beside the heartbeats, that the other side lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The HTTP server of an agent over there answered.
    Http,
}

/// Which way a one-way cut lets nothing through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// What the first side sends does not arrive.
    FromFirst,
    /// What the first side should hear does not arrive.
    ToFirst,
}

impl Direction {
    /// The same, seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::FromFirst => Self::ToFirst,
            Self::ToFirst => Self::FromFirst,
        }
    }
}

/// A set of nodes that can reach each other, as far as it can be seen from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// How many nodes there are.
    pub count: usize,
    /// The names, sorted; at most 100.
    pub nodes: Vec<String>,
    /// Whether this agent sees that they reach each other; otherwise they are only "not reachable from here".
    pub seen: bool,
}

impl Side {
    /// A side of these nodes, in order of name.
    pub fn new(mut nodes: Vec<String>, seen: bool) -> Self {
        nodes.sort();
        let count = nodes.len();
        nodes.truncate(NAMED);
        Self { nodes, count, seen }
    }
}

/// A partition as this agent publishes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Partition {
    /// The same on all sides; new for a cut that comes back.
    pub id: PartitionId,
    /// What kind of cut it is now.
    pub kind: PartitionKind,
    /// The endpoint that is lost, where it is one: kind `service`. Then the first side does not reach it, and the second does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether no unknown link could join the sides.
    pub certain: bool,
    /// The sides: this agent's own first, if it is on one.
    pub sides: Vec<Side>,
    /// Whether the first side is this agent's own. Else it is on neither side of a partial cut.
    pub own_side: bool,
    /// The zones of each side, where the cut runs between zones; empty where it does not.
    pub zones: Vec<Vec<String>>,
    /// Who reaches both sides of a partial cut, by name; at most 100.
    pub bridges: Vec<String>,
    /// Pairs across a partial cut that are not broken, by name; at most 100.
    pub exceptions: Vec<(String, String)>,
    /// Which way a one-way cut is cut, once that is certain.
    pub direction: Option<Direction>,
    /// What shows that the other side lives; none if only its silence is known.
    pub witness: Option<Witness>,
    /// When it was published first.
    #[serde(skip)]
    pub opened: Now,
    /// From the last datagram that arrived over the links that were cut to the decision; where none of them is this
    /// agent's own, from the first row that showed it.
    #[serde(rename = "detection_seconds", serialize_with = "seconds")]
    pub detection: Duration,
    /// The epoch in which it opened.
    pub epoch: Epoch,
    /// Whether this agent's side has a majority of the electorate.
    pub quorum: bool,
    /// The electorate by which this agent counted when it opened.
    pub electorate_digest: Digest,
    /// The roster that it is about.
    pub roster_digest: Digest,
}

/// A partition that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// As it was published last.
    pub partition: Partition,
    /// When it closed.
    pub at: Now,
    /// What ended it.
    pub cause: CloseCause,
    /// Whether nodes across the cut lived through it; none if it cannot be told.
    pub confirmed: Option<bool>,
}
