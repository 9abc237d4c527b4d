//! A configuration with nothing left out, printed: as YAML that loads as the same configuration, or as JSON.

use std::net::SocketAddr;

use serde::{Serialize, Serializer};
use serde_yaml::FlowMap;

use super::duration::Human;
use super::{Authentication, Config};
use crate::detector::settings::{Member, Policy, Tie, WriteQuorum};

/// The keys of a configuration with all their values.
#[derive(Clone, Debug, Serialize)]
pub struct Effective {
    cluster: String,
    node: FlowMap<Node>,
    listen: SocketAddr,
    peers: Peers,
    authentication: Keys,
    mode: Mode,
    state: State,
}

#[derive(Clone, Debug, Serialize)]
struct Node {
    name: String,
    zone: String,
}

#[derive(Clone, Debug, Serialize)]
struct Peers {
    period: String,
    timeout: String,
    confirm_period: String,
    failure_threshold: u8,
    success_threshold: u8,
    discovery: Discovery,
}

#[derive(Clone, Debug, Serialize)]
struct Discovery {
    #[serde(rename = "static")]
    list: Vec<FlowMap<Entry>>,
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
struct State {
    directory: String,
}

impl Effective {
    /// What `config` says, key by key.
    pub fn of(config: &Config) -> Self {
        let settings = &config.settings;
        Self {
            cluster: plain(&settings.cluster),
            node: FlowMap(Node { name: plain(&settings.node.name), zone: plain(&settings.node.zone) }),
            listen: config.listen,
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

fn peers(config: &Config) -> Peers {
    let timing = config.settings.timing;
    let entry =
        |member: &Member| Entry { name: plain(&member.name), address: member.address, zone: plain(&member.zone) };
    Peers {
        period: Human(timing.period).to_string(),
        timeout: Human(timing.timeout).to_string(),
        confirm_period: Human(timing.confirm_period).to_string(),
        failure_threshold: timing.failure_threshold.get(),
        success_threshold: timing.success_threshold.get(),
        discovery: Discovery { list: config.roster.iter().map(|member| FlowMap(entry(member))).collect() },
    }
}

/// A value as the file would have it: a dollar is two there.
fn plain(text: &str) -> String {
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
