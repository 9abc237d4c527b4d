//! The view: an immutable picture of what the agent knows, for everybody who reads.
//!
//! Readers never touch the detector; they hold an `Arc<View>` as long as they like.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::event::AgentDownCause;
use super::link::LinkState;
use super::mode::Mode;
use super::partition::Partition;
use super::row::Cells;
use super::settings::Member;
use super::time::Now;
use crate::identity::{Digest, Epoch, Incarnation, NodeId};

/// What the agent knew at one instant.
#[derive(Clone, Debug)]
pub struct View {
    /// When.
    pub at: Now,
    /// The cluster.
    pub cluster: String,
    /// This run of the agent.
    pub incarnation: Incarnation,
    /// The position of this node in `nodes`.
    pub me: usize,
    /// The roster, itself included, in the order of rows and cells: sorted by id.
    pub nodes: Vec<NodeView>,
    /// What this side may do.
    pub mode: Mode,
    /// Members of the electorate joined to this node, itself included.
    pub members: usize,
    /// The size of the electorate.
    pub electorate: usize,
    /// The digest of the electorate.
    pub electorate_digest: Digest,
    /// Whom the cluster waits for before anybody may write, by name, at most ten; listed addresses without a name are the
    /// last. Nobody once the electorate was founded.
    pub awaited: Vec<String>,
    /// Raised by every change of who is in the roster and where.
    pub roster_version: u64,
    /// The mode before a clean stop within the last minute, as long as the mode is starting.
    pub mode_before: Option<Mode>,
    /// Open partitions.
    pub partitions: Vec<Partition>,
    /// The highest epoch known.
    pub epoch: Epoch,
    /// This agent distrusts its own row.
    pub impaired: bool,
    /// This agent cannot judge: nobody was ever heard, UDP is blocked, or its socket drops what arrives.
    pub blind: bool,
    /// The bound within which a silent link is declared down.
    pub detection_bound: Duration,
    /// How often each peer gets a heartbeat: longer than configured where the cap on heartbeats a second makes it so.
    pub period: Duration,
    /// What was counted since the start.
    pub counters: Counters,
}

impl View {
    /// The share of the roster's other nodes that this agent hears, 0 to 1. Alone it is 1.
    pub fn coverage(&self) -> f64 {
        let others = self.nodes.len().saturating_sub(1);
        if others == 0 {
            return 1.0;
        }
        let heard = self.nodes.iter().filter(|node| node.link == Some(LinkState::Up)).count();
        #[expect(clippy::cast_precision_loss, reason = "a roster has a few thousand nodes")]
        let share = heard as f64 / others as f64;
        share
    }
}

/// One node of the roster, as seen from here.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Its id.
    pub id: NodeId,
    /// Its name, zone and address.
    pub member: Arc<Member>,
    /// The link from it to this agent; none for this agent itself.
    pub link: Option<LinkState>,
    /// Failures in a row while the link is up.
    pub failures: u8,
    /// Time since its last datagram.
    pub silent_for: Option<Duration>,
    /// Smoothed round trip time.
    pub rtt: Option<Duration>,
    /// Smoothed share of lost datagrams.
    pub loss: f64,
    /// The verified run of its agent.
    pub incarnation: Option<Incarnation>,
    /// Nobody hears it, and nothing else shows life.
    pub unheard: bool,
    /// Nobody hears its agent, which does not run, and what shows that.
    pub agent_down: Option<AgentDownCause>,
    /// Its row, if it is valid now.
    pub row: Option<RowView>,
}

/// One row, as held here.
#[derive(Clone, Debug)]
pub struct RowView {
    /// The cells, in the order of the view's nodes.
    pub cells: Arc<Cells>,
    /// Time since its owner was heard to stand by it.
    pub age: Duration,
    /// Its owner distrusts it.
    pub impaired: bool,
}

/// What was counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received that were authentic and fresh.
    pub received: u64,
    /// Deadlines missed: first failures.
    pub missed: u64,
    /// Datagrams refused after they proved authentic, by reason.
    pub refused: BTreeMap<Refusal, u64>,
    /// Times that this agent did not run.
    pub stalls: u64,
    /// For how long in all.
    pub stalled: Duration,
    /// Datagrams that its socket dropped.
    pub dropped: u64,
    /// Errors on sending: local facts, which blame nobody.
    pub send_errors: u64,
}

/// Why the detector refuses a datagram that is authentic. The wire has its own reasons, before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It came from this agent itself, or from another that uses its name.
    Own,
    /// Its sender is not in the roster and did not say hello.
    UnknownSender,
    /// Its incarnation has not answered a challenge.
    Unverified,
    /// Its incarnation is older than the one known.
    StaleIncarnation,
    /// Its number was seen before, or is too old to tell.
    Replayed,
    /// Its hello names a node whose id is not the sender's.
    WrongName,
    /// There is no room for one more stranger.
    TooManyStrangers,
}

impl Refusal {
    /// The name of the reason in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::UnknownSender => "unknown_sender",
            Self::Unverified => "unverified",
            Self::StaleIncarnation => "stale_incarnation",
            Self::Replayed => "replayed",
            Self::WrongName => "wrong_name",
            Self::TooManyStrangers => "too_many_strangers",
        }
    }
}
