//! The doors of the detector: what goes in, and what comes out.

use std::net::SocketAddr;
use std::time::Duration;

use super::endpoints::{ProbeOrder, Probed};
use super::event::Event;
use super::evidence::{Evidence, Question};
use super::overruling::Overruling;
use super::saved::{Saved, Serial};
use super::settings::{Member, Settings};
use crate::identity::{Incarnation, NodeId, Sequence};
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
    /// Who belongs, as the discovery says: a fresh answer, even if it is the same as before.
    Listing(Listing),
    /// What was found about a silent peer.
    Evidence(Evidence),
    /// What came of the probe of an endpoint.
    Probed(Probed),
    /// The state of this number is durable, and with it all that were handed out before.
    Saved(Serial),
    /// Other settings hold from now on: timing, mode and endpoints. Cluster and node are those of the start, whatever this says.
    Settings(Box<Settings>),
    /// This node will not return, an operator says: it no longer counts.
    Forget(String),
    /// An operator puts another mode in the place of the one that is judged, or takes that back.
    Overrule(Option<Overruling>),
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
    /// Something happened. Boxed: it is larger than a datagram, and there are a million datagrams to each.
    Event(Box<Event>),
    /// Look for other signs of life of a silent peer.
    Ask(Question),
    /// Probe an endpoint.
    Probe(ProbeOrder),
    /// The newest list of the discovery may be outdated: ask for another within this time, at a moment of the agent's own.
    /// A discovery that is asked often anyway has no use for it.
    List {
        /// Over which time the agents of a cluster spread their questions.
        within: Duration,
    },
    /// Keep this durably, and say so with [`Input::Saved`].
    Save(Serial, Box<Saved>),
    /// The view changed: take it with [`super::Detector::view`].
    View,
    /// The goodbye is said: there is nothing more to do.
    Stopped,
}

/// One successful answer of a discovery. What is empty or failed is no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The nodes that it names, with their addresses.
    pub members: Vec<Member>,
    /// Addresses of agents whose names it does not know: they tell by hello.
    pub addresses: Vec<SocketAddr>,
    /// Those of `members` whose agents are being ended.
    pub leaving: Vec<String>,
}

impl Listing {
    /// The answer of a discovery that knows names.
    pub fn of(members: Vec<Member>) -> Self {
        Self { members, ..Self::default() }
    }

    /// The answer of a discovery that knows addresses alone.
    pub fn of_addresses(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, ..Self::default() }
    }
}
