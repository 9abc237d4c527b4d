//! A configuration with nothing left out, printed: as YAML that loads as the same configuration, or as JSON.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use serde::{Serialize, Serializer};
use serde_yaml::FlowMap;

use super::duration::Human;
use super::endpoints::Shown;
use super::{Authentication, Config, Expose, Size};
use crate::detector::settings::{Member, Policy, Tie, WriteQuorum};
use crate::discovery::{DnsSettings, KubernetesSettings};

/// The keys of a configuration with all their values.
#[derive(Clone, Debug, Serialize)]
pub struct Effective {
    cluster: String,
    node: FlowMap<Node>,
    listen: SocketAddr,
    http: FlowMap<Http>,
    peers: Peers,
    authentication: Keys,
    mode: Mode,
    endpoints: Vec<FlowMap<Shown>>,
    alerts: Alerts,
    audit: Audit,
    state: State,
}

#[derive(Clone, Debug, Serialize)]
struct Node {
    name: String,
    zone: String,
    pod_address: String,
    host_address: String,
}

#[derive(Clone, Debug, Serialize)]
struct Http {
    listen: SocketAddr,
    expose: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Peers {
    period: String,
    /// Left out where it goes with the period, which goes with the number of nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    /// Likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_period: Option<String>,
    failure_threshold: u8,
    success_threshold: u8,
    #[serde(serialize_with = "cap")]
    max_heartbeats_per_second: Option<NonZeroU32>,
    source_ports: u8,
    discovery: Discovery,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Discovery {
    Static(Vec<FlowMap<Entry>>),
    Dns(FlowMap<Dns>),
    Kubernetes(FlowMap<Kubernetes>),
}

#[derive(Clone, Debug, Serialize)]
struct Dns {
    name: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<SocketAddr>,
}

#[derive(Clone, Debug, Serialize)]
struct Kubernetes {
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubeconfig: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Entry {
    name: String,
    address: SocketAddr,
    zone: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Keys {
    Keys(String),
    Insecure,
}

#[derive(Clone, Debug, Serialize)]
struct Mode {
    policy: &'static str,
    tie: &'static str,
    #[serde(serialize_with = "quorum")]
    write_quorum: WriteQuorum,
}

#[derive(Clone, Debug, Serialize)]
struct Alerts {
    kafka_consumer_lag: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Audit {
    path: String,
    max_size: String,
    keep: usize,
    stdout: bool,
}

#[derive(Clone, Debug, Serialize)]
struct State {
    directory: String,
}

impl Effective {
    /// What `config` says, key by key.
    pub fn of(config: &Config) -> Self {
        let settings = &config.settings;
        Self {
            cluster: plain(&settings.cluster),
            node: FlowMap(node(config)),
            listen: config.listen,
            http: FlowMap(http(config)),
            peers: peers(config),
            authentication: match &config.authentication {
                Authentication::Keys(directory) => Keys::Keys(plain(&directory.display().to_string())),
                Authentication::Insecure => Keys::Insecure,
            },
            mode: Mode {
                policy: match settings.mode.policy {
                    Policy::Cp => "cp",
                    Policy::Ap => "ap",
                },
                tie: match settings.mode.tie {
                    Tie::Minority => "minority",
                    Tie::Lowest => "lowest",
                },
                write_quorum: settings.mode.write_quorum,
            },
            endpoints: config.endpoints.iter().map(|endpoint| FlowMap(Shown::of(endpoint))).collect(),
            alerts: Alerts { kafka_consumer_lag: config.kafka_consumer_lag },
            audit: Audit {
                path: plain(&config.audit.path.display().to_string()),
                max_size: Size(config.audit.max_size).to_string(),
                keep: config.audit.keep,
                stdout: config.audit.stdout,
            },
            state: State { directory: plain(&config.state_directory.display().to_string()) },
        }
    }

    /// As YAML.
    ///
    /// # Errors
    /// Only if the serializer finds something that YAML cannot say; nothing here is of that kind.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::ser::Error> {
        serde_yaml::to_string(self)
    }
}

fn http(config: &Config) -> Http {
    let expose = match config.http_expose {
        Expose::Minimal => "minimal",
        Expose::All => "all",
    };
    Http { listen: config.http_listen, expose }
}

fn node(config: &Config) -> Node {
    let node = &config.settings.node;
    let given = |address: Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
    Node {
        name: plain(&node.name),
        zone: plain(&node.zone),
        pod_address: given(config.pod_address),
        host_address: given(node.host),
    }
}

fn peers(config: &Config) -> Peers {
    let timing = config.settings.timing;
    Peers {
        period: Human(timing.period).to_string(),
        timeout: timing.timeout.map(|timeout| Human(timeout).to_string()),
        confirm_period: timing.confirm_period.map(|confirm| Human(confirm).to_string()),
        failure_threshold: timing.failure_threshold.get(),
        success_threshold: timing.success_threshold.get(),
        max_heartbeats_per_second: timing.max_heartbeats_per_second,
        source_ports: config.source_ports.get(),
        discovery: discovery(&config.discovery),
    }
}

fn discovery(discovery: &super::Discovery) -> Discovery {
    let entry =
        |member: &Member| Entry { name: plain(&member.name), address: member.address, zone: plain(&member.zone) };
    match discovery {
        super::Discovery::Static(list) => Discovery::Static(list.iter().map(|member| FlowMap(entry(member))).collect()),
        super::Discovery::Dns(DnsSettings { name, port, server }) => {
            Discovery::Dns(FlowMap(Dns { name: plain(name), port: *port, server: *server }))
        }
        super::Discovery::Kubernetes(KubernetesSettings { service, namespace, kubeconfig }) => {
            let kubeconfig = kubeconfig.as_ref().map(|file| plain(&file.display().to_string()));
            let (service, namespace) = (plain(service), namespace.as_deref().map(plain));
            Discovery::Kubernetes(FlowMap(Kubernetes { service, namespace, kubeconfig }))
        }
    }
}

/// A value as the file would have it: a dollar is two there.
pub(super) fn plain(text: &str) -> String {
    text.replace('$', "$$")
}

// The signature is serde's.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn quorum<S: Serializer>(quorum: &WriteQuorum, serializer: S) -> Result<S::Ok, S::Error> {
    match quorum {
        WriteQuorum::Majority => serializer.serialize_str("majority"),
        WriteQuorum::AtLeast(number) => serializer.serialize_u16(*number),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "serde hands a reference")]
fn cap<S: Serializer>(cap: &Option<NonZeroU32>, serializer: S) -> Result<S::Ok, S::Error> {
    match cap {
        Some(number) => serializer.serialize_u32(number.get()),
        None => serializer.serialize_str("unlimited"),
    }
}
