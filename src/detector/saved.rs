//! What outlives a run of the agent: handed out as [`super::Output::Save`], handed in at the next start.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::electorate::Electorate;
use super::mode::Mode;
use super::settings::Member;
use crate::identity::{Epoch, Incarnation};

/// The number of a state that was handed out: a larger one contains all that a smaller one does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(pub u64);

/// Microseconds on the scale of incarnations, which only grows: the time of day of a run's start, and what has passed
/// since. It says how long ago something was even after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Micros(pub u64);

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The highest epoch known.
    pub epoch: Epoch,
    /// The run that saved it: the next one is larger.
    pub incarnation: Incarnation,
    /// Everybody who belongs, this node included, in order of id.
    pub roster: Vec<SavedNode>,
    /// The electorate, and after it those that it replaced a moment ago. None: no electorate is known.
    pub electorates: Vec<Electorate>,
    /// The mode at a clean stop, and when that was.
    pub stopped: Option<SavedStop>,
}

/// One node of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedNode {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Where its agent listens.
    pub address: SocketAddr,
    /// The address of its host, if it is known.
    pub host: Option<IpAddr>,
    /// The port of its agent's HTTP server, if it is known.
    pub http_port: Option<u16>,
    /// When any run of this agent heard it last; none if none ever did.
    pub heard: Option<Micros>,
}

/// A clean stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedStop {
    /// The mode before.
    pub mode: Mode,
    /// When.
    pub at: Micros,
}

impl Saved {
    /// What is left where the state cannot be written any more: an old electorate that could not follow the changes
    /// must not elect anybody, so this agent takes it from its peers, as one without state does.
    #[must_use]
    pub fn without_electorate(self) -> Self {
        Self { electorates: Vec::new(), stopped: None, ..self }
    }
}

impl From<&SavedNode> for Member {
    fn from(node: &SavedNode) -> Self {
        Self {
            host: node.host,
            http_port: node.http_port,
            ..Self::new(node.name.clone(), node.zone.clone(), node.address)
        }
    }
}
