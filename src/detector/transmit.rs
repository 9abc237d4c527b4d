//! What goes out: heartbeats, answers, goodbyes, and the rows that ride on them.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use rand_chacha::rand_core::Rng;

use super::time::Now;
use super::{Detector, Output};
use crate::identity::{Digest, NodeId, Sequence};
use crate::wire::{Block, Datagram, Flags, Hello, Kind, MIN_DATAGRAM, Nonce, block_size};

impl Detector {
    /// The scheduled heartbeat of a peer; a hello as long as one of the two does not know the other.
    pub(super) fn send_heartbeat(&mut self, place: usize, now: Now) {
        let jitter = self.jitter();
        let pace = self.peers[place].schedule.sent(now, jitter);
        let poll = self.peers[place].is_polled(&self.timing);
        let mut blocks = Vec::new();
        let kind = if self.peers[place].is_acquainted() {
            blocks.extend(self.rows_wanted_of(place));
            Kind::Heartbeat
        } else {
            blocks.push(self.hello());
            blocks.push(self.challenge(place));
            Kind::Hello
        };
        self.send(place, kind, Flags { poll, ..Flags::default() }, pace, blocks, now);
    }

    /// A poll between two heartbeats.
    pub(super) fn send_poll(&mut self, place: usize, now: Now) {
        self.send_out_of_turn(place, Flags { poll: true, ..Flags::default() }, Vec::new(), now);
    }

    /// An answer to a poll.
    pub(super) fn send_final(&mut self, place: usize, now: Now) {
        self.send_out_of_turn(place, Flags { last: true, ..Flags::default() }, Vec::new(), now);
    }

    /// A datagram beside the schedule: it announces the time until the next heartbeat in turn.
    pub(super) fn send_out_of_turn(&mut self, place: usize, flags: Flags, blocks: Vec<Block>, now: Now) {
        let pace = self.peers[place].schedule.until_next_at_the_latest(now);
        self.send(place, Kind::Heartbeat, flags, pace, blocks, now);
    }

    pub(super) fn send_goodbye(&mut self, place: usize, now: Now) {
        if place == self.me || self.peers[place].session.verified().is_none() {
            return;
        }
        let goodbye = self.leaving.as_ref().map(|leaving| leaving.reason);
        self.send_out_of_turn(place, Flags { goodbye, ..Flags::default() }, Vec::new(), now);
    }

    /// What a run that has not answered our challenge gets: what it needs to do so, and nothing larger than what it
    /// sent.
    pub(super) fn answer_unverified(&mut self, place: usize, asked: Asked, now: Now) {
        let newest = self.peers[place].session.verified().map(Block::NewestIncarnation);
        let wanted = [
            asked.challenge.map(Block::Answer),
            Some(self.challenge(place)),
            newest.filter(|_| asked.stale),
            asked.hello.then(|| self.hello()),
        ];
        let blocks = fitting(wanted.into_iter().flatten(), asked.size);
        if !blocks.is_empty() {
            let pace = self.peers[place].schedule.until_next_at_the_latest(now);
            self.send_no_more_than(place, Kind::Heartbeat, Flags { last: true, ..Flags::default() }, pace, blocks, now);
        }
    }

    pub(super) fn hello(&self) -> Block {
        let node = &self.settings.node;
        Block::Hello(Box::new(Hello {
            name: node.name.clone(),
            zone: node.zone.clone(),
            address: node.address,
            host: node.host,
            http_port: node.http_port.and_then(NonZeroU16::new),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }))
    }

    fn challenge(&mut self, place: usize) -> Block {
        let random = &mut self.random;
        Block::Challenge(self.peers[place].session.challenge(|| fresh_nonce(random)))
    }

    fn send(&mut self, place: usize, kind: Kind, flags: Flags, pace: Duration, mut blocks: Vec<Block>, now: Now) {
        // The row comes last, if there is room for it: a large one leaves none for anything else.
        blocks.extend(self.health.slept(now).map(Block::Slept));
        let has_row = self.attach_row(place, flags, &mut blocks, now);
        let poll = flags.poll || has_row && self.row_is_poll(0);
        self.send_no_more_than(place, kind, Flags { poll, ..flags }, pace, blocks, now);
        if has_row {
            self.send_other_parts(place, now);
        }
    }

    /// Sends these blocks and nothing beside them: to an unverified sender no answer is larger than its question.
    pub(super) fn send_no_more_than(
        &mut self,
        place: usize,
        kind: Kind,
        mut flags: Flags,
        pace: Duration,
        blocks: Vec<Block>,
        now: Now,
    ) {
        let peer = &mut self.peers[place];
        peer.sequence = Sequence(peer.sequence.0 + 1);
        peer.quality.sent(peer.sequence, now);
        if flags.poll {
            peer.polled = now;
        }
        flags.impaired = self.health.is_impaired(now);
        flags.hearing = peer.our_hearing();
        flags.cut = self.publication.cut.published().is_some();
        let (to, receiver, sequence, echo) = (peer.address, peer.id, peer.sequence, peer.echo(now));
        let held_digest = peer.held_digest();
        self.counters.sent += 1;
        let blank = self.blank(kind, receiver);
        let datagram = Datagram { flags, sequence, pace, echo, held_digest, blocks, ..blank };
        self.emit(Output::Transmit { to, datagram });
    }

    /// A datagram to somebody outside of the roster.
    pub(super) fn send_to_stranger(
        &mut self,
        to: SocketAddr,
        receiver: NodeId,
        sequence: Sequence,
        blocks: Vec<Block>,
    ) {
        self.counters.sent += 1;
        let datagram = Datagram { sequence, blocks, ..self.blank(Kind::Heartbeat, receiver) };
        self.emit(Output::Transmit { to, datagram });
    }

    /// A hello to an address where somebody may be.
    pub(super) fn send_hello_to(&mut self, to: SocketAddr, receiver: NodeId, sequence: Sequence, blocks: Vec<Block>) {
        self.counters.sent += 1;
        let datagram = Datagram { sequence, blocks, ..self.blank(Kind::Hello, receiver) };
        self.emit(Output::Transmit { to, datagram });
    }

    /// What every datagram of this agent says.
    fn blank(&self, kind: Kind, receiver: NodeId) -> Datagram {
        Datagram {
            kind,
            flags: Flags::default(),
            sender: self.id,
            receiver,
            incarnation: self.incarnation,
            sequence: Sequence::default(),
            pace: self.timing.period,
            echo: crate::wire::Echo::default(),
            row_version: self.row.held.version,
            row_digest: self.row.digest,
            held_digest: Digest::NONE,
            roster_digest: self.roster_digest,
            electorate_digest: self.electorate_digest(),
            epoch: self.epoch,
            blocks: Vec::new(),
        }
    }
}

/// As many of the blocks, in this order, as an answer to a question of `size` bytes may have.
pub(super) fn fitting(wanted: impl IntoIterator<Item = Block>, size: usize) -> Vec<Block> {
    let mut room = size.saturating_sub(MIN_DATAGRAM);
    let fits = |block: &Block| room.checked_sub(block_size(block)).inspect(|&left| room = left).is_some();
    wanted.into_iter().filter(fits).collect()
}

/// What an unverified sender asked for, and how large its question was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) size: usize,
    pub(super) challenge: Option<Nonce>,
    pub(super) hello: bool,
    pub(super) stale: bool,
}

pub(super) fn fresh_nonce(random: &mut impl Rng) -> Nonce {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    Nonce(bytes)
}
