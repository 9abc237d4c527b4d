//! What an operator chose, in the detector's own terms.

use std::net::{IpAddr, SocketAddr};

pub use super::endpoints::settings::{EndpointSettings, From, ProbeSchedule};
pub use super::timing::{ConfiguredTiming, Timing};

/// All that the detector is told before it starts. Timing, mode and endpoints may change while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of the cluster; part of every id.
    pub cluster: String,
    /// This agent's own node.
    pub node: Member,
    /// The paces and thresholds of a link.
    pub timing: ConfiguredTiming,
    /// What a side without a majority may do.
    pub mode: ModePolicy,
    /// What is probed beside the peers, in any order; the names differ.
    pub endpoints: Vec<EndpointSettings>,
}

/// A node as a discovery or a hello tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The node's name: never its address.
    pub name: String,
    /// Its zone; empty if it has none.
    pub zone: String,
    /// Where its agent listens.
    pub address: SocketAddr,
    /// The address of its host, where that is another than the agent's and is known.
    pub host: Option<IpAddr>,
    /// The port of its agent's HTTP server, at the agent's address; its hello says it.
    pub http_port: Option<u16>,
}

impl Member {
    /// A member of which no more is known.
    pub fn new(name: impl Into<String>, zone: impl Into<String>, address: SocketAddr) -> Self {
        Self { name: name.into(), zone: zone.into(), address, host: None, http_port: None }
    }
}

/// What this agent's side may do when it is not a majority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModePolicy {
    /// Consistency or availability.
    pub policy: Policy,
    /// Who wins when the electorate is cut into exact halves.
    pub tie: Tie,
    /// How many members a writing side needs.
    pub write_quorum: WriteQuorum,
}

/// Whether a minority may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Consistency first: only a majority writes.
    #[default]
    Cp,
    /// Availability first: a minority writes too, and its data is "eventual".
    Ap,
}

/// Who wins an exact half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tie {
    /// Nobody: both halves are minorities.
    #[default]
    Minority,
    /// The half with the lowest name of the electorate.
    Lowest,
}

/// How many members of the electorate a writing side needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteQuorum {
    /// More than half.
    #[default]
    Majority,
    /// At least this many, and more than half.
    AtLeast(u16),
}
