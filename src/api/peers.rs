//! `/v1/peers`: the roster, and the link from each of its nodes to this one.

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::detector::link::LinkState;
use crate::detector::view::{NodeView, View};

/// The roster, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// Every node, this one included.
    pub peers: Vec<Peer>,
}

/// One node of the roster, as seen from here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its zone; empty if it has none.
    pub zone: String,
    /// The link from it to this node.
    pub link: Link,
    /// How long ago its last datagram came; null if none ever did, and for this node itself.
    pub silent_seconds: Option<f64>,
    /// The smoothed round trip time; null before the first.
    pub rtt_seconds: Option<f64>,
    /// The smoothed share of its datagrams that are lost, 0 to 1.
    pub loss_ratio: f64,
    /// The link loses too much: since 10 %, until 3 %.
    pub degraded: bool,
    /// Which run of its agent is heard; null if none is.
    pub incarnation: Option<u64>,
    /// Nobody on this side hears it, and nothing else shows that it lives.
    pub unheard: bool,
    /// Its agent does not run though its machine does, and what shows that; null otherwise.
    pub agent_down: Option<String>,
}

/// The state of a link to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// This node itself.
    Itself,
    /// Heard.
    Up,
    /// Heard until a moment ago: a deadline was missed, and it is being tried.
    Suspect,
    /// Not heard for as many failures in a row as make it down.
    Down,
    /// Cannot be told now.
    Unknown,
    /// Never heard by anybody.
    Absent,
    /// It said goodbye.
    Left,
}

impl Peers {
    /// The answer from a view.
    pub fn of(view: &View) -> Self {
        let mut peers: Vec<Peer> = view.nodes.iter().map(Peer::of).collect();
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        Self { peers }
    }
}

impl Peer {
    fn of(node: &NodeView) -> Self {
        Self {
            name: node.member.name.clone(),
            zone: node.member.zone.clone(),
            link: Link::of(node),
            silent_seconds: node.silent_for.filter(|_| node.link.is_some()).map(seconds),
            rtt_seconds: node.rtt.map(|rtt| rtt.as_secs_f64()),
            loss_ratio: node.loss,
            degraded: node.is_degraded,
            incarnation: node.incarnation.map(|incarnation| incarnation.0),
            unheard: node.unheard,
            agent_down: node.agent_down.map(|cause| cause.as_str().to_owned()),
        }
    }
}

impl Link {
    /// The state of the link from a node.
    pub fn of(node: &NodeView) -> Self {
        match node.link {
            None => Self::Itself,
            Some(LinkState::Up) if node.failures > 0 => Self::Suspect,
            Some(LinkState::Up) => Self::Up,
            Some(LinkState::Down) => Self::Down,
            Some(LinkState::Unknown) => Self::Unknown,
            Some(LinkState::Absent) => Self::Absent,
            Some(LinkState::Left(_)) => Self::Left,
        }
    }
}
