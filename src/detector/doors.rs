//! The doors of the detector: what goes in, and what comes out.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::event::Event;
use super::settings::Member;
use crate::identity::{Epoch, Incarnation, NodeId, Sequence};
use crate::wire::{Datagram, GoodbyeReason};

/// What the shell tells the detector.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram that opened: it is authentic, but not yet known to be fresh.
    Datagram {
        /// What it says.
        datagram: Datagram,
        /// Where it came from. Never a reason to refuse it.
        from: SocketAddr,
        /// Its size in bytes: an answer to a stranger is no larger.
        size: usize,
    },
    /// An authentic datagram of a version that this agent cannot read.
    NewerVersion {
        /// Who sent it.
        sender: NodeId,
        /// Which run of the sender.
        incarnation: Incarnation,
        /// Its number.
        sequence: Sequence,
    },
    /// Who belongs, as the discovery says, this node included.
    Roster(Vec<Member>),
    /// Something went wrong here, which is no peer's fault.
    LocalFault(LocalFault),
    /// Say goodbye and stop.
    Stop(GoodbyeReason),
}

/// Something that went wrong on this machine. A late tick needs no telling: the detector sees it by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFault {
    /// The socket dropped datagrams that had arrived.
    Drops {
        /// How many more.
        datagrams: u64,
    },
    /// A datagram could not be sent.
    Send,
}

/// What the detector tells the shell.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this.
    Transmit {
        /// Where to.
        to: SocketAddr,
        /// What to seal and send.
        datagram: Datagram,
    },
    /// Something happened.
    Event(Event),
    /// Keep this durably.
    Save(Saved),
    /// The view changed: take it with [`super::Detector::view`].
    View,
    /// The goodbye is said: there is nothing more to do.
    Stopped,
}

/// What outlives a run of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The highest epoch known.
    pub epoch: Epoch,
    /// The run that saved it: the next one is larger.
    pub incarnation: Incarnation,
    /// Whom any run of this agent ever heard.
    pub heard: BTreeSet<NodeId>,
}
