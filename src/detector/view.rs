//! The view: an immutable picture of what the agent knows, for everybody who reads.
//!
//! Readers never touch the detector; they hold an `Arc<View>` as long as they like.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::endpoints::reach::Reach;
use super::endpoints::settings::EndpointSettings;
use super::endpoints::watch::{Breaker, EndpointState};
use super::event::{AgentDownCause, BlindCause};
use super::histogram::{Bounds, Histogram};
use super::link::LinkState;
use super::mode::Mode;
use super::overruling::Override;
use super::partition::{Closed, Partition, PartitionKind};
use super::row::Cells;
use super::settings::{Member, ModePolicy};
use super::time::Now;
use crate::identity::{Digest, Epoch, Incarnation, NodeId};

/// What the agent knew at one instant.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
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
    /// Since when.
    pub mode_since: Now,
    /// What an operator put in the place of the mode, which is what this agent judges all the same.
    pub overridden: Option<Override>,
    /// By which rules the mode was decided.
    pub policy: ModePolicy,
    /// Whether this side has a majority of every electorate that counts. None while that cannot be told.
    pub quorum: Option<bool>,
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
    /// Partitions that are over, the newest first; the last 32 of this run.
    pub recent: Vec<Arc<Closed>>,
    /// The endpoints, in order of name.
    pub endpoints: Vec<EndpointView>,
    /// This agent probes endpoints, and none of them answers.
    pub reaches_nothing: bool,
    /// The highest epoch known.
    pub epoch: Epoch,
    /// This agent distrusts its own row.
    pub impaired: bool,
    /// This agent cannot judge: nobody was ever heard, UDP is blocked, or its socket drops what arrives.
    pub blind: bool,
    /// Why it cannot.
    pub blind_cause: Option<BlindCause>,
    /// It may say what the matrix means: it has done so since its start, not within a bound of a stall, and is not blind.
    pub judged: bool,
    /// How often each peer gets a heartbeat: longer than configured where the cap on heartbeats a second makes it so.
    pub period: Duration,
    /// How long after its time a heartbeat is waited for. What is told by a view that is older is not to be relied on.
    pub timeout: Duration,
    /// The bound within which a silent link is declared down.
    pub detection_bound: Duration,
    /// What was counted since the start.
    pub counters: Counters,
}

impl View {
    /// What an operator put in the place of the mode, if its time is not over by now.
    pub fn overriding(&self, now: Now) -> Option<&Override> {
        self.overridden.as_ref().filter(|held| held.until > now)
    }

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
    /// It loses too many: since 10 %, until 3 %.
    pub is_degraded: bool,
    /// The verified run of its agent.
    pub incarnation: Option<Incarnation>,
    /// Nobody hears it, and nothing else shows life.
    pub unheard: bool,
    /// Nobody hears its agent, which does not run, and what shows that.
    pub agent_down: Option<AgentDownCause>,
    /// Its row, if it is valid now.
    pub row: Option<RowView>,
}

/// One endpoint, as seen from here.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// What an operator chose for it.
    pub settings: Arc<EndpointSettings>,
    /// Whether this agent probes it: of some only a sample does.
    pub is_probed: bool,
    /// What this agent's probes come to.
    pub state: EndpointState,
    /// For how long; none if it does not probe it.
    pub state_for: Option<Duration>,
    /// Failures in a row.
    pub failures: u8,
    /// Where its circuit breaker stands; none if it does not probe it.
    pub breaker: Option<Breaker>,
    /// How long ago a probe ended that says something.
    pub judged_before: Option<Duration>,
    /// Who reaches it and who does not, as far as this agent hears.
    pub reach: Arc<Reach>,
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
    /// It came by way of another node: its owner is not heard here.
    pub relayed: bool,
}

/// The bounds of the histogram of detection times: around the 2.5 s of the defaults, and the 41 s of the slow profile.
pub const DETECTION_BOUNDS: Bounds = [
    250_000, 500_000, 1_000_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000, 5_000_000, 10_000_000,
    30_000_000, 60_000_000,
];

/// The bounds of the histogram of round trip times: from one rack to the other side of the world.
pub const RTT_BOUNDS: Bounds =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

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
    /// How often the matrix was judged.
    pub verdicts: u64,
    /// Partitions opened, by the kind that they had then.
    pub partitions: BTreeMap<PartitionKind, u64>,
    /// For how long partitions were open that are over.
    pub partitioned: Duration,
    /// From the last datagram over the links that were cut to the decision, of each partition that opened.
    pub detections: Histogram,
    /// Round trip times.
    pub rtts: Histogram,
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
    /// Every reason, in the order of the enum.
    pub const ALL: [Self; 7] = [
        Self::Own,
        Self::UnknownSender,
        Self::Unverified,
        Self::StaleIncarnation,
        Self::Replayed,
        Self::WrongName,
        Self::TooManyStrangers,
    ];

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
