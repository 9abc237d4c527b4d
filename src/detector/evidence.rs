//! Evidence beside the heartbeat: what the detector asks about a silent peer, and what it may be told.
//!
//! A second opinion never declares anything by itself. It tells a dead agent from a dead node, and both from a cut.

use std::net::{IpAddr, SocketAddr};

use super::event::AgentDownCause;
use crate::identity::NodeId;

/// Look whether anything else of this peer answers, within one confirm period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whom it is about.
    pub peer: NodeId,
    /// Where to send an echo request: the host's own address, or the agent's where that is not known.
    pub host: IpAddr,
    /// The agent's HTTP port, if it ever said one.
    pub port: Option<SocketAddr>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Whom it is about.
    pub peer: NodeId,
    /// What the host said.
    pub host: HostAnswer,
    /// What the agent's port said.
    pub port: PortAnswer,
}

/// What came of an echo request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAnswer {
    /// An echo reply; nothing else counts.
    Replied,
    /// Nothing within the time.
    Silent,
    /// It could not be asked: the kernel refused, or there is no route from here.
    NotAsked,
}

/// What came of a connection to the agent's HTTP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortAnswer {
    /// An HTTP answer: the agent runs, and the network carries TCP. Not the one that says that its loop does not turn.
    Answered,
    /// Accepted, and no such answer: the agent is there and does not run.
    Accepted,
    /// Refused: the network works, and no agent listens.
    Refused,
    /// Nothing within the time.
    Silent,
    /// It could not be asked: the port is not known, or this machine did not let it.
    NotAsked,
}

/// What evidence means for the life of an agent that is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The agent runs: only its datagrams do not arrive.
    Runs,
    /// The agent does not run, on a machine that does.
    AgentDown(AgentDownCause),
    /// Nothing answered, or nothing could be asked.
    Nothing,
}

impl Evidence {
    /// What it means. The port knows more of the agent than the host.
    pub fn sign(&self) -> Sign {
        match (self.port, self.host) {
            (PortAnswer::Answered, _) => Sign::Runs,
            (PortAnswer::Refused, _) => Sign::AgentDown(AgentDownCause::Stopped),
            (PortAnswer::Accepted, _) => Sign::AgentDown(AgentDownCause::Stalled),
            (_, HostAnswer::Replied) => Sign::AgentDown(AgentDownCause::HostAnswers),
            (PortAnswer::Silent | PortAnswer::NotAsked, HostAnswer::Silent | HostAnswer::NotAsked) => Sign::Nothing,
        }
    }
}
