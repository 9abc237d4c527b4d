//! The picture of what the HTTP API answers: what somebody else's agent knows.
//!
//! The answers may be of different moments: what one of them does not name is unknown.

use std::collections::BTreeMap;

use super::{Arrival, Node, Picture};
use crate::api::{Link, Matrix, ModeAnswer, Partitions, Peer, Peers};

/// The answers of one agent.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    /// Who hears whom.
    pub matrix: &'a Matrix,
    /// The roster, as the agent sees it.
    pub peers: &'a Peers,
    /// What its side may do.
    pub mode: &'a ModeAnswer,
    /// The cuts that it knows of.
    pub partitions: &'a Partitions,
}

impl<'a> Answers<'a> {
    /// What they make for a table; it borrows the matrix.
    pub fn picture(self) -> Picture<'a> {
        let peers: BTreeMap<&str, &Peer> = self.peers.peers.iter().map(|peer| (peer.name.as_str(), peer)).collect();
        let node = |name: &String| {
            let peer = peers.get(name.as_str()).copied();
            Node {
                name: name.clone(),
                zone: peer.map(|peer| peer.zone.clone()).unwrap_or_default(),
                status: peer.map_or_else(|| "unknown".to_owned(), |peer| self.status(peer)),
            }
        };
        let rows: BTreeMap<&str, &[u8]> =
            self.matrix.rows.iter().map(|row| (row.node.as_str(), row.cells.as_bytes())).collect();
        let rows: Vec<Option<&[u8]>> = self.matrix.nodes.iter().map(|name| rows.get(name.as_str()).copied()).collect();
        Picture::new(self.matrix.nodes.iter().map(node).collect(), move |from, to| {
            match rows.get(from).copied().flatten().and_then(|cells| cells.get(to)) {
                Some(b'.') => Arrival::Arrives,
                Some(b'X') => Arrival::Broken,
                _ => Arrival::Unknown,
            }
        })
    }

    fn status(self, peer: &Peer) -> String {
        let mode = self.mode.mode.as_str();
        let text = match peer.link {
            Link::Itself => mode,
            Link::Left => "left",
            Link::Absent => "never heard",
            _ if peer.agent_down.is_some() => "agent down",
            _ if peer.unheard => "heard by nobody",
            link if self.is_beyond_a_cut(peer, link) => "not reachable from here",
            Link::Unknown => "unknown",
            Link::Down => return super::silent(peer.silent_seconds.map(whole)),
            Link::Up | Link::Suspect => mode,
        };
        text.to_owned()
    }

    fn is_beyond_a_cut(self, peer: &Peer, link: Link) -> bool {
        let me = self.peers.peers.iter().find(|peer| peer.link == Link::Itself);
        let me = me.map(|me| me.name.as_str()).unwrap_or_default();
        let cuts = self.partitions.open.iter().filter(|partition| partition.endpoint.is_none());
        let sides = cuts.map(|partition| partition.sides.as_slice());
        super::is_beyond(sides, me, &peer.name, matches!(link, Link::Up | Link::Suspect))
    }
}

/// Seconds without their fraction.
fn whole(seconds: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(seconds).map(|duration| duration.as_secs()).unwrap_or_default()
}
