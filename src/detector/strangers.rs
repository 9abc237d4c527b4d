//! Authentic senders that no discovery has named: they get acquainted by hello, and belong once they have answered a
//! challenge.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use super::Detector;
use super::receive::Arrived;
use super::roster::MOST_NODES;
use super::session::{Admission, Proof, Session};
use super::settings::Member;
use super::time::Now;
use super::transmit::{Asked, fitting, fresh_nonce};
use super::view::Refusal;
use crate::identity::{NodeId, Sequence};
use crate::wire::{Block, Datagram, Hello};

/// How many strangers may be in acquaintance at once: each is there for seconds only.
const MOST: usize = 64;
/// After this time without an answer a stranger is forgotten.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Who said hello and has not answered yet.
#[derive(Default)]
pub(super) struct Strangers(Vec<Stranger>);

struct Stranger {
    id: NodeId,
    member: Member,
    session: Session,
    sequence: Sequence,
    since: Now,
}

impl Strangers {
    fn find(&mut self, id: NodeId) -> Option<usize> {
        self.0.iter().position(|stranger| stranger.id == id)
    }

    /// The stranger who said this hello, new or known. None if there is no room.
    fn meet(&mut self, id: NodeId, hello: &Hello, address: SocketAddr, now: Now) -> Option<&mut Stranger> {
        self.0.retain(|stranger| now.since(stranger.since) < PATIENCE);
        let index = match self.find(id) {
            Some(index) => index,
            None if self.0.len() >= MOST => return None,
            None => {
                let (name, zone, host) = (hello.name.clone(), hello.zone.clone(), hello.host);
                let http_port = hello.http_port.map(NonZeroU16::get);
                let member = Member { name, zone, address, host, http_port };
                let session = Session::default();
                self.0.push(Stranger { id, member, session, sequence: Sequence::default(), since: now });
                self.0.len() - 1
            }
        };
        self.0.get_mut(index)
    }
}

impl Detector {
    pub(super) fn receive_from_stranger(&mut self, arrived: &Arrived<'_>, now: Now) {
        let Arrived { datagram, handshake, .. } = arrived;
        if let Some(index) = self.strangers.find(datagram.sender) {
            let stranger = &mut self.strangers.0[index];
            let proof = handshake.answer.map_or(Proof::None, Proof::Answer);
            let admission = stranger.session.admit(datagram.incarnation, datagram.sequence, proof);
            if matches!(admission, Admission::Verified { .. }) {
                return self.welcome(index, now);
            }
        }
        match handshake.hello {
            None => self.refuse(Refusal::UnknownSender),
            Some(hello) if NodeId::of(&self.settings.cluster, &hello.name) != datagram.sender => {
                self.refuse(Refusal::WrongName);
            }
            Some(hello) => {
                if let Some(address) = arrived.found_at {
                    return self.take_in(arrived, hello, address, now);
                }
                let address = reachable(hello.address, arrived.from);
                self.greet(datagram.sender, hello, arrived.asks(), address, now);
            }
        }
    }

    /// Answers a stranger's hello: our own, its challenge solved, and a challenge for it.
    fn greet(&mut self, sender: NodeId, hello: &Hello, asked: Asked, address: SocketAddr, now: Now) {
        let has_room = self.peers.len() < MOST_NODES;
        let Some(stranger) = self.strangers.meet(sender, hello, address, now).filter(|_| has_room) else {
            return self.refuse(Refusal::TooManyStrangers);
        };
        let random = &mut self.random;
        let nonce = stranger.session.challenge(|| fresh_nonce(random));
        stranger.sequence = Sequence(stranger.sequence.0 + 1);
        let sequence = stranger.sequence;
        self.refuse(Refusal::Unverified);
        let wanted = [asked.challenge.map(Block::Answer), Some(Block::Challenge(nonce)), Some(self.hello())];
        let blocks = fitting(wanted.into_iter().flatten(), asked.size);
        self.send_to_stranger(address, sender, sequence, blocks);
    }

    /// A stranger solved the challenge that was put at an address: it is there, and belongs to the roster from now on.
    fn take_in(&mut self, arrived: &Arrived<'_>, hello: &Hello, address: SocketAddr, now: Now) {
        if self.peers.len() >= MOST_NODES {
            return self.refuse(Refusal::TooManyStrangers);
        }
        let member = Member::new(hello.name.clone(), hello.zone.clone(), address);
        let Some(place) = self.admit(member, now) else { return };
        let Datagram { incarnation, sequence, .. } = *arrived.datagram;
        self.peers[place].session.admit(incarnation, sequence, Proof::AtAddress);
        self.accept(place, arrived, now);
    }

    /// A stranger answered: it belongs to the roster from now on.
    fn welcome(&mut self, index: usize, now: Now) {
        let stranger = self.strangers.0.swap_remove(index);
        if let Some(place) = self.admit(stranger.member, now) {
            let peer = &mut self.peers[place];
            peer.session = stranger.session;
            peer.sequence = stranger.sequence;
            self.send_heartbeat(place, now);
        }
    }
}

/// Where a stranger is answered: the address inside its authentic hello, or the one it came from where that says
/// only "any".
pub(super) fn reachable(said: SocketAddr, seen: IpAddr) -> SocketAddr {
    if said.ip().is_unspecified() { SocketAddr::new(seen, said.port()) } else { said }
}

#[cfg(test)]
mod tests {
    use super::super::saved::Saved;
    use super::super::settings::{ModePolicy, Settings, Timing};
    use super::super::{Input, Listing, Output};
    use super::*;
    use crate::identity::{Digest, Epoch, Incarnation, RowVersion};
    use crate::wire::{Echo, Flags, HELLO_SIZE, Kind};
    use std::time::Duration;

    fn member(number: usize) -> Member {
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap());
        let address = SocketAddr::from((ip, 7475));
        Member::new(format!("n{number}"), "", address)
    }

    /// An agent among this many, itself included.
    fn agent_among(nodes: usize) -> Detector {
        let timing = Timing::of_period(Duration::from_secs(1));
        let settings = Settings { cluster: "c".into(), node: member(0), timing, mode: ModePolicy::default() };
        let mut detector = Detector::new(settings, Saved::default(), Incarnation(9), [7; 32], Now::START);
        detector.handle(Input::Listing(Listing::of((0..nodes).map(member).collect())), Now::START);
        while detector.poll_output().is_some() {}
        detector
    }

    /// What the agent answers to the hello of a stranger.
    fn answer(mut detector: Detector) -> Option<Datagram> {
        let stranger = member(9_999);
        let (name, zone) = (stranger.name.clone(), stranger.zone.clone());
        let (host, http_port) = (None, None);
        let hello = Hello { name, zone, address: stranger.address, host, http_port, version: "1".into() };
        let datagram = Datagram {
            kind: Kind::Hello,
            flags: Flags::default(),
            sender: NodeId::of("c", &stranger.name),
            receiver: detector.id(),
            incarnation: Incarnation(5),
            sequence: Sequence(1),
            pace: Duration::from_secs(1),
            echo: Echo::default(),
            row_version: RowVersion(0),
            row_digest: Digest::NONE,
            held_digest: Digest::NONE,
            roster_digest: Digest::NONE,
            electorate_digest: Digest::NONE,
            epoch: Epoch(0),
            blocks: vec![Block::Hello(Box::new(hello))],
        };
        detector.handle(Input::Datagram { datagram, from: stranger.address, size: HELLO_SIZE }, Now::START);
        std::iter::from_fn(|| detector.poll_output()).find_map(|output| match output {
            Output::Transmit { to, datagram } if to == stranger.address => Some(datagram),
            _ => None,
        })
    }

    #[test]
    fn a_stranger_is_answered_with_a_challenge_and_a_hello() {
        let answer = answer(agent_among(3)).expect("an answer");
        assert!(answer.blocks.iter().any(|block| matches!(block, Block::Challenge(_))));
        assert!(answer.blocks.iter().any(|block| matches!(block, Block::Hello(_))));
    }

    #[test]
    fn a_roster_that_no_row_could_tell_of_takes_nobody_in() {
        assert!(answer(agent_among(MOST_NODES)).is_none());
    }
}
