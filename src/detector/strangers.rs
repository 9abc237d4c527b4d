//! Authentic senders that no discovery has named: they get acquainted by hello, and belong once they have answered a
//! challenge.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use super::Detector;
use super::receive::Arrived;
use super::roster::MOST_NODES;
use super::session::{Admission, Proof, Session};
use super::settings::Member;
use super::time::Now;
use super::transmit::{Asked, fitting, fresh_nonce};
use super::view::Refusal;
use crate::identity::{NodeId, Sequence};
use crate::wire::{Block, Hello};

/// How many strangers may be in acquaintance at once: each is there for seconds only.
const MOST: usize = 256;
/// After this time without an answer a stranger is forgotten.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who said hello and does not belong yet.
#[derive(Default)]
pub(super) struct Strangers {
    met: Vec<Stranger>,
    /// When those who have answered are taken in: together, for each change of the roster costs as much as the roster is
    /// large, here and at every peer.
    next_welcome: Option<Now>,
    welcomed: Option<Now>,
}

struct Stranger {
    id: NodeId,
    member: Member,
    session: Session,
    sequence: Sequence,
    since: Now,
    /// It has answered.
    proven: bool,
}

impl Strangers {
    /// When those who have answered are taken in.
    pub(super) fn next_welcome(&self) -> Option<Now> {
        self.next_welcome
    }

    fn find(&self, id: NodeId) -> Option<usize> {
        self.met.iter().position(|stranger| stranger.id == id)
    }

    /// Somebody has answered: it is taken in at once, or soon if others were a moment ago.
    fn prove(&mut self, index: usize, pause: Duration, now: Now) {
        if let Some(stranger) = self.met.get_mut(index) {
            stranger.proven = true;
        }
        let earliest = self.welcomed.map_or(now, |welcomed| (welcomed + pause).max(now));
        self.next_welcome.get_or_insert(earliest);
    }

    /// Those who have answered.
    fn take_proven(&mut self, now: Now) -> Vec<Stranger> {
        (self.next_welcome, self.welcomed) = (None, Some(now));
        let (proven, others) = std::mem::take(&mut self.met).into_iter().partition(|stranger| stranger.proven);
        self.met = others;
        proven
    }

    /// The stranger who said this hello, new or known. None if there is no room.
    fn meet(&mut self, id: NodeId, hello: &Hello, address: SocketAddr, now: Now) -> Option<&mut Stranger> {
        self.met.retain(|stranger| stranger.proven || now.since(stranger.since) < PATIENCE);
        let index = match self.find(id) {
            Some(index) => index,
            None if self.met.len() >= MOST => return None,
            None => {
                let (name, zone, host) = (hello.name.clone(), hello.zone.clone(), hello.host);
                let http_port = hello.http_port.map(NonZeroU16::get);
                let member = Member { name, zone, address, host, http_port };
                let session = Session::default();
                let sequence = Sequence::default();
                self.met.push(Stranger { id, member, session, sequence, since: now, proven: false });
                self.met.len() - 1
            }
        };
        self.met.get_mut(index)
    }
}

impl Detector {
    pub(super) fn receive_from_stranger(&mut self, arrived: &Arrived<'_>, now: Now) {
        let Arrived { datagram, handshake, .. } = arrived;
        if let Some(index) = self.strangers.find(datagram.sender) {
            let stranger = &mut self.strangers.met[index];
            if stranger.proven {
                return self.refuse(Refusal::Unverified);
            }
            let proof = handshake.answer.map_or(Proof::None, Proof::Answer);
            let admission = stranger.session.admit(datagram.incarnation, datagram.sequence, proof);
            if matches!(admission, Admission::Verified { .. }) {
                return self.strangers.prove(index, self.timing.confirm_period / 4, now);
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

    /// A stranger solved the challenge that was put at an address: it is there.
    fn take_in(&mut self, arrived: &Arrived<'_>, hello: &Hello, address: SocketAddr, now: Now) {
        let has_room = self.peers.len() < MOST_NODES;
        let sender = arrived.datagram.sender;
        let Some(stranger) = self.strangers.meet(sender, hello, address, now).filter(|_| has_room) else {
            return self.refuse(Refusal::TooManyStrangers);
        };
        stranger.member.address = address;
        stranger.session.admit(arrived.datagram.incarnation, arrived.datagram.sequence, Proof::AtAddress);
        if let Some(index) = self.strangers.find(sender) {
            self.strangers.prove(index, self.timing.confirm_period / 4, now);
        }
    }

    /// Those who have answered belong to the roster from now on.
    pub(super) fn welcome_strangers(&mut self, now: Now) {
        if self.strangers.next_welcome.is_none_or(|due| now < due) {
            return;
        }
        let proven = self.strangers.take_proven(now);
        self.admit(proven.iter().map(|stranger| stranger.member.clone()).collect(), now);
        for stranger in proven {
            // The discovery may have listed it meanwhile, and it may have spoken since.
            let Some(place) = self.place_of(stranger.id) else { continue };
            let peer = &mut self.peers[place];
            if peer.session.verified().is_some() {
                continue;
            }
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
    use crate::wire::{Datagram, Echo, Flags, HELLO_SIZE, Kind};
    fn member(number: usize) -> Member {
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap());
        let address = SocketAddr::from((ip, 7475));
        Member::new(format!("n{number}"), "", address)
    }

    /// An agent among this many, itself included.
    fn agent_among(nodes: usize) -> Detector {
        let timing = Timing::of_period(Duration::from_secs(1));
        let settings = Settings {
            cluster: "c".into(),
            node: member(0),
            timing: timing.into(),
            mode: ModePolicy::default(),
            endpoints: Vec::new(),
        };
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
