//! Event: the only way a decision leaves the detector, beside the view.
//!
//! An event names nodes by name, never by address, and causes from closed sets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::outcome::Cause;
use super::partition::Partition;
use super::seconds::{maybe_seconds, seconds};
use crate::identity::{Digest, Incarnation};
use crate::wire::GoodbyeReason;

/// A thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// This agent began.
    AgentStarted {
        /// How many nodes its roster has, itself included.
        roster: usize,
    },
    /// This agent said goodbye.
    AgentStopped {
        /// Why.
        reason: GoodbyeReason,
    },
    /// A node that is not in the discovery's list proved that it belongs to the cluster.
    PeerJoined {
        /// Its name.
        peer: String,
    },
    /// A peer said goodbye, or no longer belongs.
    PeerLeft {
        /// Its name.
        peer: String,
        /// Why it left.
        reason: LeaveReason,
    },
    /// Two agents use one name, and both answer.
    RosterConflict {
        /// The name.
        peer: String,
    },
    /// A new run of a known peer answered a challenge.
    PeerRestarted {
        /// Its name.
        peer: String,
    },
    /// One node that nobody hears, without any sign of life. No partition.
    NodeUnheard {
        /// Its name.
        peer: String,
    },
    /// Such a node is heard again.
    NodeHeard {
        /// Its name.
        peer: String,
        /// What its silence was.
        cause: CloseCause,
        /// Whether it lived through its silence; null if it cannot be told.
        confirmed: Option<bool>,
    },
    /// An agent that nobody hears does not run, on a machine that does. No partition.
    AgentDown {
        /// The name of its node.
        peer: String,
        /// What shows it.
        cause: AgentDownCause,
    },
    /// Such an agent is heard again.
    AgentUp {
        /// The name of its node.
        peer: String,
        /// What its silence was.
        cause: CloseCause,
        /// Whether it lived through its silence; null if it cannot be told.
        confirmed: Option<bool>,
    },
    /// Links that were declared down within one settle time.
    LinkDown {
        /// The links to this node, by the name of the peer.
        links: Vec<LinkRecord>,
    },
    /// Links that came up, for the first time or again, within one settle time.
    LinkUp {
        /// The links to this node, by the name of the peer.
        links: Vec<LinkRecord>,
    },
    /// A link loses at least 10 % of its datagrams.
    LinkDegraded {
        /// The peer whose datagrams are lost.
        peer: String,
    },
    /// It loses no more than 3 % again.
    LinkRecovered {
        /// The peer.
        peer: String,
    },
    /// An endpoint is not reached from here, N times in a row.
    EndpointDown {
        /// Its name.
        endpoint: String,
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// Why the last probe failed.
        #[serde(flatten)]
        cause: Cause,
        /// For how long, from the beginning of the first of these probes.
        #[serde(rename = "failing_seconds", serialize_with = "seconds")]
        failing_for: Duration,
    },
    /// It is reached again.
    EndpointUp {
        /// Its name.
        endpoint: String,
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// For how long it was not.
        #[serde(rename = "down_seconds", serialize_with = "seconds")]
        down_for: Duration,
    },
    /// A verdict with a cut held through the settle time.
    PartitionOpened(Partition),
    /// The same partition, with other sides or another kind.
    PartitionChanged(Partition),
    /// A pair across the cut is seen joined again.
    PartitionClosed {
        /// The partition as it was published last.
        #[serde(flatten)]
        partition: Partition,
        /// What ended it.
        cause: CloseCause,
        /// For how long it was open.
        #[serde(rename = "duration_seconds", serialize_with = "seconds")]
        duration: Duration,
        /// Whether nodes across the cut lived through it; null if it cannot be told.
        confirmed: Option<bool>,
    },
    /// What this side may do changed.
    ModeChanged {
        /// The mode before.
        from: Mode,
        /// The mode now.
        to: Mode,
        /// The members of the electorate joined to this node, itself included.
        members: usize,
        /// The size of the electorate.
        electorate: usize,
        /// Which electorate: sides that parted with the same one never both write.
        electorate_digest: Digest,
    },
    /// An operator put another mode in the place of the one that this agent judges.
    ModeOverridden {
        /// The mode that holds instead.
        mode: Mode,
        /// For how long.
        #[serde(rename = "lasts_seconds", serialize_with = "seconds")]
        lasts: Duration,
        /// Why, in the operator's words.
        reason: String,
    },
    /// That is over.
    ModeOverrideEnded {
        /// The mode that held instead.
        mode: Mode,
        /// What ended it.
        cause: OverrideEnd,
    },
    /// An operator said that a node will not return: it no longer counts.
    NodeForgotten {
        /// Its name.
        peer: String,
    },
    /// An operator said so of a node that counts on.
    ForgetRefused {
        /// Its name.
        peer: String,
        /// Why.
        cause: ForgetRefusal,
    },
    /// This agent did not run, and blames nobody for what it missed.
    Stalled {
        /// For how long.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        length: Duration,
    },
    /// This agent cannot judge.
    Blind {
        /// Why.
        cause: BlindCause,
    },
    /// A peer knew a later run of this node than this one: the clock was set back. The run was renumbered.
    IncarnationAdopted {
        /// The number from now on. Every record has an `incarnation` already.
        #[serde(rename = "adopted")]
        incarnation: Incarnation,
    },
}

/// One link in a record of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkRecord {
    /// The peer whose datagrams arrive, or do not.
    pub peer: String,
    /// Down: the time from the last datagram that arrived to the declaration. Absent if none ever arrived.
    #[serde(rename = "silent_seconds", serialize_with = "maybe_seconds", skip_serializing_if = "Option::is_none")]
    pub silent_for: Option<Duration>,
}

/// What ended a partition, or the silence of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// The network works again.
    Healed,
    /// The other side did not run meanwhile, and said so on its return.
    Stalled,
    /// The other side's agents are new runs: they were down.
    Restarted,
    /// The other side said goodbye.
    Left,
    /// The other side no longer belongs to the cluster.
    Removed,
    /// Evidence came late: the other side's agents do not run.
    AgentDown,
    /// Another cut, or the silence of a node, covers it now.
    Superseded,
}

impl CloseCause {
    /// The name of the cause in events and in text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Stalled => "stalled",
            Self::Restarted => "restarted",
            Self::Left => "left",
            Self::Removed => "removed",
            Self::AgentDown => "agent_down",
            Self::Superseded => "superseded",
        }
    }
}

/// Why a peer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// It said that it was told to stop.
    Stopped,
    /// It said that it stops to start anew.
    Restarting,
    /// It is silent, and no longer counts: the discovery or an operator took it out.
    Removed,
}

impl From<GoodbyeReason> for LeaveReason {
    fn from(reason: GoodbyeReason) -> Self {
        match reason {
            GoodbyeReason::Stopped => Self::Stopped,
            GoodbyeReason::Restarting => Self::Restarting,
        }
    }
}

/// Why a node that an operator wants forgotten counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgetRefusal {
    /// It is this node.
    Itself,
    /// It is heard: it is there.
    Heard,
    /// No node of this name belongs to the cluster.
    Unknown,
}

/// What ended an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideEnd {
    /// Its time was over.
    Expired,
    /// An operator took it back.
    Cleared,
    /// An operator put another in its place.
    Replaced,
}

/// What shows that an agent does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentDownCause {
    /// Its port refuses connections: no process listens.
    Stopped,
    /// Its port takes connections, and nobody answers.
    Stalled,
    /// Its host answers; no more is known here.
    HostAnswers,
}

impl AgentDownCause {
    /// The name of the cause in events and in text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Stalled => "stalled",
            Self::HostAnswers => "host_answers",
        }
    }
}

/// Why an agent cannot judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlindCause {
    /// Its own socket drops what arrives.
    Drops,
    /// Nobody was ever heard.
    NeverHeard,
    /// Many peers fell silent at once, and their ports go on taking connections.
    Udp,
}

impl BlindCause {
    /// Every cause, in the order of the enum.
    pub const ALL: [Self; 3] = [Self::Drops, Self::NeverHeard, Self::Udp];

    /// The name of the cause in metrics and in text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drops => "drops",
            Self::NeverHeard => "never_heard",
            Self::Udp => "udp",
        }
    }
}
