//! The cluster that is played: names, zones, keys, and who sits where in it.

use std::net::SocketAddr;

use netsplit::detector::settings::{ConfiguredTiming, Member, ModePolicy, Settings, Timing};
use netsplit::identity::{Digest, NodeId};
use netsplit::wire::{Key, Keys};
use std::time::Duration;

const NAME: &str = "bench";

/// The default period.
pub const PERIOD: Duration = Duration::from_secs(1);

/// Whether the rate cap stretches the period of a large cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// The period is [`PERIOD`] at any size.
    Off,
    /// As by default.
    Usual,
}

impl Cap {
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Usual => "default",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Off, Self::Usual].into_iter().find(|cap| cap.name() == name)
    }

    fn configured(self) -> ConfiguredTiming {
        let usual = ConfiguredTiming::of_period(PERIOD);
        match self {
            Self::Off => ConfiguredTiming { max_heartbeats_per_second: None, ..usual },
            Self::Usual => usual,
        }
    }

    /// What everybody runs with among so many peers.
    pub fn timing(self, peers: usize) -> Timing {
        self.configured().at(peers + 1)
    }

    /// The mean interval of the heartbeats to one peer: ⅞ of a period.
    pub fn step(self, peers: usize) -> Duration {
        self.timing(peers).period / 8 * 7
    }
}

/// The size of a healthy heartbeat.
pub const HEARTBEAT_SIZE: usize = 96;

pub fn keys() -> Keys {
    Keys::oldest_first(vec![Key::new(&[7; 32])]).unwrap()
}

/// Peer 0, 1, …, beside the agent.
pub fn peer(index: usize, address: SocketAddr) -> Member {
    Member::new(format!("node-{index}"), format!("zone-{}", index % 3), address)
}

/// The node of the agent that is measured.
pub fn agent(address: SocketAddr) -> Member {
    Member::new("measured", "zone-0", address)
}

pub fn id(member: &Member) -> NodeId {
    NodeId::of(NAME, &member.name)
}

/// The digest of everybody's roster.
pub fn roster_digest(members: &[Member]) -> Digest {
    let mut ids: Vec<NodeId> = members.iter().map(id).collect();
    ids.sort();
    Digest::of_ids(ids)
}

pub fn settings(node: Member, cap: Cap) -> Settings {
    Settings {
        cluster: NAME.to_owned(),
        node,
        timing: cap.configured(),
        mode: ModePolicy::default(),
        endpoints: Vec::new(),
    }
}
