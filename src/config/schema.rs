//! The configuration file as it is written: every key, where it stands, and nothing judged yet.
//!
//! Every single value is a [`Text`], numbers and durations too: so `${NAME}` works everywhere, what is wrong with a
//! value is said in our words rather than the parser's, and all wrong values are told at once.
//! `validate` turns these into the detector's own terms. `docs/configuration.md` says the same for
//! operators, and a test compares the two.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_yaml::Spanned;

pub use super::endpoints::schema::Endpoint;

/// One value with its place. Null (`zone:` with nothing behind it) counts as not given.
pub type Text = Spanned<String>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The name of the cluster, part of every node's id. Agents of different clusters do not hear each other, so a
    /// change on one node alone cuts that node off; needs a restart.
    pub cluster: Option<Text>,
    /// Which node this agent speaks for.
    pub node: Option<Node>,
    /// Where heartbeats arrive (UDP). What the other agents have as this node's address must lead here; needs a restart.
    pub listen: Option<Text>,
    /// The HTTP server, which tells whether the agent is well, and what it knows.
    pub http: Option<Http>,
    /// Who the other nodes are and how closely they are watched.
    pub peers: Option<Spanned<Peers>>,
    /// How agents know each other's heartbeats from a stranger's. Required, so that nobody runs without by oversight.
    pub authentication: Option<Spanned<Authentication>>,
    /// What this agent's side may do when the cluster is cut.
    pub mode: Option<Mode>,
    /// What the cluster leans on, and is probed: databases, brokers, URLs.
    pub endpoints: Option<Spanned<Vec<Spanned<Endpoint>>>>,
    /// Thresholds that the shipped alerts compare with.
    pub alerts: Option<Alerts>,
    /// The audit log: what happened, one line each, durably.
    pub audit: Option<Audit>,
    /// What outlives a run of the agent.
    pub state: Option<State>,
}

/// `node`: which node this agent speaks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The node's name, never its address. Two agents of one name are a conflict, a new name is a new node; needs a
    /// restart.
    pub name: Option<Text>,
    /// The node's zone; empty means the zone of its entry in the list, that of the node in Kubernetes, and none where the
    /// nodes are looked up in the DNS. A wrong zone blames the wrong place for a cut.
    pub zone: Option<Text>,
    /// Where other agents reach this one, if not at the address of its entry in the list; the port is that of `listen`.
    /// Empty means not given; needs a restart.
    pub pod_address: Option<Text>,
    /// The address of the host, where that is another than the agent's: silent agents' hosts are pinged there. Empty
    /// means not given; needs a restart.
    pub host_address: Option<Text>,
}

/// `http`: the HTTP server.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where it listens (TCP). Peers that no longer hear this agent ask there for a sign of life; needs a restart.
    pub listen: Option<Text>,
    /// What it tells other machines: `minimal` (metrics, health and mode) or `all` (names and addresses of every node, and
    /// what happened, too).
    pub expose: Option<Text>,
}

/// `peers`: who the other nodes are and how closely they are watched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// A set of defaults: `default` (a heartbeat each second), `fast` (200 ms) or `relaxed` (30 s).
    pub profile: Option<Text>,
    /// How often each peer gets a heartbeat (P). Shorter detects sooner and costs traffic in proportion.
    pub period: Option<Text>,
    /// How long after its time a heartbeat is still waited for (T). Shorter than the network's worst delay makes
    /// false suspects.
    pub timeout: Option<Text>,
    /// How long one confirming window lasts (d). Shorter detects sooner, but has to cover a round trip with margin.
    pub confirm_period: Option<Text>,
    /// How many failures in a row make a link down (N). Each one less saves a confirm period and believes lost
    /// datagrams sooner.
    pub failure_threshold: Option<Text>,
    /// How many heartbeats in a row make it up again (M). More holds a partition open longer after the heal.
    pub success_threshold: Option<Text>,
    /// How many heartbeats each agent sends in a second at most, or `unlimited`. In a cluster that is too large for it the
    /// period is longer, and detection slower.
    pub max_heartbeats_per_second: Option<Text>,
    /// From how many source ports heartbeats leave in turn. More make a dead path among several show as loss.
    pub source_ports: Option<Text>,
    /// Where the list of nodes comes from. Required.
    pub discovery: Option<Spanned<Discovery>>,
}

/// `peers.discovery`: where the list of nodes comes from; exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The list itself: every node of the cluster, this one included, the same on every node.
    #[serde(rename = "static")]
    pub fixed: Option<Spanned<Vec<Spanned<Entry>>>>,
    /// A name in the DNS whose addresses are those of the agents.
    pub dns: Option<Spanned<Dns>>,
    /// A headless Service of Kubernetes whose endpoints are the agents.
    pub kubernetes: Option<Spanned<Kubernetes>>,
}

/// `peers.discovery.kubernetes`: a headless Service whose endpoints are the agents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// Its name. Required.
    pub service: Option<Text>,
    /// Its namespace, if that is not the agent's own.
    pub namespace: Option<Text>,
    /// A file that says where the API server is and as whom it is asked, for agents that do not run in a pod.
    pub kubeconfig: Option<Text>,
}

/// `peers.discovery.dns`: a name in the DNS whose addresses are those of the agents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The whole name, such as that of a headless service; search domains are not tried. Required.
    pub name: Option<Text>,
    /// Where agents listen: the same port on every node.
    pub port: Option<Text>,
    /// The IP address and port of the DNS server to ask, instead of those in /etc/resolv.conf.
    pub server: Option<Text>,
}

/// One entry of `peers.discovery.static`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The node's name, as that node has it in `node.name`.
    pub name: Option<Text>,
    /// Where its agent is reached: an IP address and a port.
    pub address: Option<Text>,
    /// Its zone; may be empty.
    pub zone: Option<Text>,
}

/// `authentication`: a directory of keys, or the word `insecure`.
#[derive(Debug)]
pub enum Authentication {
    /// `authentication: WORD`; only `insecure` means something.
    Word(String),
    /// `authentication: {keys: DIRECTORY}`.
    Keys(Keys),
}

/// The mapping below `authentication`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// A directory in which every file is a key; the last by name is the newest.
    pub keys: Option<Text>,
}

/// `mode`: what this agent's side may do when the cluster is cut.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// `cp`: only a majority may write. `ap`: a minority may too, and both sides' data has to be reconciled afterwards.
    pub policy: Option<Text>,
    /// Who may write when the cluster is cut into exact halves: `minority` (nobody) or `lowest` (the half that holds
    /// the lowest name).
    pub tie: Option<Text>,
    /// How many nodes a writing side needs: `majority`, or a larger number.
    pub write_quorum: Option<Text>,
}

/// `alerts`: thresholds that the shipped alerts compare with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// How many messages a consumer group of Kafka may be behind before that counts as a lag.
    pub kafka_consumer_lag: Option<Text>,
}

/// `audit`: the audit log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The file. Older ones lie beside it, with a number behind the name; needs a restart.
    pub path: Option<Text>,
    /// How large it grows before the next one begins. What it may take of the disk is this times `keep`.
    pub max_size: Option<Text>,
    /// How many files there are in all. Fewer forget sooner.
    pub keep: Option<Text>,
    /// Whether each line is on standard output, too.
    pub stdout: Option<Text>,
}

/// `state`: what outlives a run of the agent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// A directory that this agent has for itself. An agent that finds nothing there learns from its peers anew, and two
    /// agents never share one; needs a restart.
    pub directory: Option<Text>,
}

impl<'de> Deserialize<'de> for Authentication {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrKeys)
    }
}

struct WordOrKeys;

impl<'de> Visitor<'de> for WordOrKeys {
    type Value = Authentication;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`keys: DIRECTORY` or the word `insecure`")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Authentication, E> {
        Ok(Authentication::Word(word.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Authentication, A::Error> {
        Keys::deserialize(MapAccessDeserializer::new(map)).map(Authentication::Keys)
    }
}
