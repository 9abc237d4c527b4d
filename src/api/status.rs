//! `/v1/status`: what matters at 3 AM, in one answer.

use serde::{Deserialize, Serialize};

use super::{Endpoint, ModeAnswer, PartitionAnswer, Partitions, is_fresh, of_day, seconds};
use crate::calendar::Calendar;
use crate::detector::endpoints::reach::UnreachedFrom;
use crate::detector::link::LinkState;
use crate::detector::time::Now;
use crate::detector::view::{NodeView, View};
use crate::sources::Sources;

/// How many names a list of this answer has; the rest is counted.
pub const MOST_NAMES: usize = 50;

/// How the cluster stands as this agent sees it, and how the agent fares itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The cluster.
    pub cluster: String,
    /// The node that answers.
    pub node: String,
    /// Its zone; empty if it has none.
    pub zone: String,
    /// The version of netsplit.
    pub version: String,
    /// This run of the agent.
    pub incarnation: u64,
    /// When this was answered.
    pub time: String,
    /// When the agent started.
    pub started_at: String,
    /// How long ago that was.
    pub uptime_seconds: f64,
    /// How old what is told here is. Large: the agent stalled.
    pub age_seconds: f64,
    /// What this side may do, as `/v1/mode` answers.
    pub mode: ModeAnswer,
    /// Whether this side has a majority of the electorate; null while that cannot be told.
    pub quorum: Option<bool>,
    /// The open partitions, as `/v1/partitions` answers.
    pub partitions: Vec<PartitionAnswer>,
    /// Nodes that nobody on this side hears, without any other sign of life.
    pub unheard: Names,
    /// Nodes whose agent does not run though the machine does.
    pub agents_down: Names,
    /// Nodes that this one does not hear.
    pub links_down: Names,
    /// Nodes of whose datagrams too many are lost.
    pub links_degraded: Names,
    /// Endpoints that somebody does not reach, this node or another.
    pub endpoints_unreached: UnreachedEndpoints,
    /// Whom the cluster waits for before anybody may write, at most ten names.
    pub awaited: Vec<String>,
    /// The share of the other nodes that this one hears, 0 to 1.
    pub coverage_ratio: f64,
    /// This agent cannot judge.
    pub blind: bool,
    /// This agent distrusts what it observes: it did not run, or lost datagrams.
    pub impaired: bool,
    /// How many nodes belong to the cluster, this one included.
    pub roster_size: usize,
    /// Which electorate counts: sides that parted with the same one never both write.
    pub electorate_digest: String,
    /// How often each peer gets a heartbeat.
    pub period_seconds: f64,
    /// Within which time a silent link is declared down.
    pub detection_bound_seconds: f64,
    /// What vouches for heartbeats.
    pub authentication: AuthenticationStatus,
    /// How the discovery fares.
    pub discovery: DiscoveryStatus,
    /// How the audit log fares; null if there is none.
    pub audit: Option<AuditStatus>,
    /// How the state directory fares; null if nothing is kept.
    pub state: Option<StateStatus>,
    /// How the configuration fares; null if it cannot be reloaded.
    pub configuration: Option<ConfigurationStatus>,
}

/// Some nodes, of whom the first are named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// How many there are.
    pub count: usize,
    /// Their names, sorted; at most 50.
    pub nodes: Vec<String>,
}

/// Some endpoints, of which the first are named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreachedEndpoints {
    /// How many there are.
    pub count: usize,
    /// Those that are named, by name; at most 50.
    pub endpoints: Vec<UnreachedEndpoint>,
}

/// One endpoint that somebody does not reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreachedEndpoint {
    /// Its name.
    pub name: String,
    /// From where it is not reached; unknown, if only this node is known not to reach it.
    pub unreached_from: UnreachedFrom,
}

/// What vouches for heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationStatus {
    /// How heartbeats prove that they are of this cluster.
    pub method: Method,
    /// How many keys are accepted.
    pub keys: u64,
}

/// How heartbeats prove that they are of this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By a key.
    Keys,
    /// Not at all: whoever reaches the port can forge one.
    Insecure,
}

/// How the discovery fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryStatus {
    /// Whether its last answer was one; null before the first.
    pub up: Option<bool>,
    /// When it answered last; null if it never did.
    pub last_success_at: Option<String>,
}

/// How the audit log fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStatus {
    /// The last attempt to write failed, or hangs.
    pub failing: bool,
    /// How many events are not on the disk yet.
    pub queued: u64,
    /// How many events were lost since the start.
    pub lost: u64,
    /// The number of the newest event; null before the first.
    pub last_seq: Option<u64>,
}

/// How the state directory fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateStatus {
    /// How many states became durable since the start.
    pub writes: u64,
    /// How many attempts to write one failed since the start.
    pub errors: u64,
    /// When one became durable last; null before the first.
    pub last_success_at: Option<String>,
}

/// How the configuration fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationStatus {
    /// Whether the file as it is now holds. False: it was refused, and the one before stays.
    pub last_reload_successful: bool,
    /// When a file began to hold.
    pub last_success_at: String,
}

impl Status {
    /// The answer of an agent.
    pub fn of(sources: &Sources) -> Self {
        let view = sources.view();
        let calendar = sources.calendar();
        let me = view.nodes.get(view.me).map(|node| &*node.member);
        let started = Now::START;
        Self {
            cluster: view.cluster.clone(),
            node: me.map(|me| me.name.clone()).unwrap_or_default(),
            zone: me.map(|me| me.zone.clone()).unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: view.incarnation.0,
            time: calendar.text(calendar.now),
            started_at: calendar.text(started),
            uptime_seconds: seconds(calendar.now.since(started)),
            age_seconds: seconds(calendar.now.since(view.at)),
            mode: ModeAnswer::of(&view, calendar),
            quorum: view.quorum.filter(|_| is_fresh(&view, calendar)),
            partitions: Partitions::of(&view, calendar).open,
            unheard: Names::of(&view, |node| node.unheard),
            agents_down: Names::of(&view, |node| node.agent_down.is_some()),
            links_down: Names::of(&view, |node| node.link == Some(LinkState::Down)),
            links_degraded: Names::of(&view, |node| node.is_degraded),
            endpoints_unreached: UnreachedEndpoints::of(&view, calendar),
            awaited: view.awaited.clone(),
            coverage_ratio: view.coverage(),
            blind: view.blind,
            impaired: view.impaired,
            roster_size: view.nodes.len(),
            electorate_digest: format!("{:08x}", view.electorate_digest.0),
            period_seconds: seconds(view.period),
            detection_bound_seconds: seconds(view.detection_bound),
            authentication: AuthenticationStatus::of(sources.counters.keys()),
            discovery: DiscoveryStatus::of(sources),
            audit: AuditStatus::of(sources),
            state: StateStatus::of(sources),
            configuration: ConfigurationStatus::of(sources),
        }
    }
}

impl Names {
    fn of(view: &View, is_one: impl Fn(&NodeView) -> bool) -> Self {
        let mut nodes: Vec<&str> =
            view.nodes.iter().filter(|node| is_one(node)).map(|node| node.member.name.as_str()).collect();
        nodes.sort_unstable();
        Self { count: nodes.len(), nodes: nodes.into_iter().take(MOST_NAMES).map(str::to_owned).collect() }
    }
}

impl UnreachedEndpoints {
    fn of(view: &View, calendar: Calendar) -> Self {
        let all = view.endpoints.iter().map(|endpoint| Endpoint::of(endpoint, view, None, calendar));
        let mut all = all.filter(Endpoint::is_in_trouble);
        let named = all.by_ref().take(MOST_NAMES);
        let endpoints: Vec<UnreachedEndpoint> = named
            .map(|endpoint| UnreachedEndpoint { name: endpoint.name, unreached_from: endpoint.unreached_from })
            .collect();
        Self { count: endpoints.len() + all.count(), endpoints }
    }
}

impl AuthenticationStatus {
    fn of(keys: u64) -> Self {
        Self { method: if keys == 0 { Method::Insecure } else { Method::Keys }, keys }
    }
}

impl DiscoveryStatus {
    fn of(sources: &Sources) -> Self {
        let status = sources.discovery.borrow().clone();
        Self { up: status.up, last_success_at: status.last_success.map(of_day) }
    }
}

impl AuditStatus {
    fn of(sources: &Sources) -> Option<Self> {
        let readers = sources.audit.as_ref()?;
        let newest = readers.tail.since(u64::MAX, 0).newest;
        let counters = &readers.counters;
        Some(Self {
            failing: counters.is_failing(),
            queued: counters.queued(),
            lost: counters.lost(),
            last_seq: (newest > 0).then_some(newest),
        })
    }
}

impl StateStatus {
    fn of(sources: &Sources) -> Option<Self> {
        let kept = sources.state.as_ref()?;
        let last_success_at = kept.last_success().map(of_day);
        Some(Self { writes: kept.writes(), errors: kept.errors(), last_success_at })
    }
}

impl ConfigurationStatus {
    fn of(sources: &Sources) -> Option<Self> {
        let reloads = sources.reloads.as_ref()?;
        let last_success_at = of_day(reloads.last_success());
        Some(Self { last_reload_successful: reloads.last_successful(), last_success_at })
    }
}
