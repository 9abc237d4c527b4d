//! The cluster that is played: names, zones, keys, and who sits where in it.

use std::net::SocketAddr;

use netsplit::detector::settings::{Member, ModePolicy, Settings, Timing};
use netsplit::identity::{Digest, NodeId};
use netsplit::wire::{Key, Keys};
use std::time::Duration;

const NAME: &str = "bench";

/// The default period.
pub const PERIOD: Duration = Duration::from_secs(1);

/// The mean interval of heartbeats: ⅞ of a period.
pub const STEP: Duration = Duration::from_millis(875);

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

pub fn settings(node: Member) -> Settings {
    Settings { cluster: NAME.to_owned(), node, timing: Timing::of_period(PERIOD).into(), mode: ModePolicy::default() }
}
