//! What comes in: who speaks, whether it is fresh, and what it says.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use super::quality::LossChange;
use super::session::{Admission, Proof};
use super::strangers::reachable;
use super::time::Now;
use super::transmit::Asked;
use super::view::{RTT_BOUNDS, Refusal};
use super::{Detector, Event};
use crate::identity::{Epoch, Incarnation, NodeId, Sequence};
use crate::wire::{Block, Datagram, Hello, Kind, Nonce, Slept};

/// No cluster closes this many partitions: a peer that says so talks nonsense, and would leave no room above it.
const LAST_EPOCH: Epoch = Epoch(u32::MAX / 2);

/// A later run of ours than this is believed to exist; beyond it a peer talks nonsense (the year 9999).
const LAST_INCARNATION: Incarnation = Incarnation(253_402_300_800_000_000);

impl Detector {
    /// An authentic datagram. Nothing that is not fresh changes any state.
    pub(super) fn receive(&mut self, datagram: &Datagram, from: SocketAddr, size: usize, now: Now) {
        if self.leaving.is_some() {
            return;
        }
        let handshake = Handshake::of(datagram);
        let found_at = handshake.answer.and_then(|answer| self.contacts.answered(answer, datagram.sender));
        let arrived = Arrived { datagram, handshake, found_at, from: from.ip(), size };
        match self.place_of(datagram.sender) {
            Some(place) if place == self.me => self.receive_own(&arrived, now),
            Some(place) => self.receive_from(place, &arrived, now),
            None => self.receive_from_stranger(&arrived, now),
        }
    }

    pub(super) fn refuse(&mut self, reason: Refusal) {
        *self.counters.refused.entry(reason).or_default() += 1;
    }

    /// What this agent said comes back from an address that is its own; or another agent uses its name.
    fn receive_own(&mut self, arrived: &Arrived<'_>, now: Now) {
        let Arrived { datagram, handshake, found_at, from, .. } = arrived;
        self.refuse(Refusal::Own);
        if datagram.incarnation == self.incarnation {
            handshake.challenge.map(|challenge| self.contacts.is_own_echo(challenge, self.id));
        } else if found_at.is_some() {
            self.note_rival(self.me, now);
        } else if let Some((challenge, hello)) = handshake.challenge.zip(handshake.hello) {
            let to = reachable(hello.address, *from);
            self.send_to_stranger(to, self.id, Sequence(1), vec![Block::Answer(challenge)]);
        }
    }

    fn receive_from(&mut self, place: usize, arrived: &Arrived<'_>, now: Now) {
        let Arrived { datagram, handshake, found_at, .. } = arrived;
        if handshake.hello.is_some_and(|hello| hello.name != self.peers[place].member.name) {
            return self.refuse(Refusal::WrongName);
        }
        let proof = match found_at {
            Some(_) => Proof::AtAddress,
            None => handshake.answer.map_or(Proof::None, Proof::Answer),
        };
        match self.peers[place].session.admit(datagram.incarnation, datagram.sequence, proof) {
            Admission::Replayed => self.receive_replayed(place, arrived, now),
            Admission::StaleIncarnation => self.receive_stale(place, arrived, now),
            Admission::Unverified => {
                self.refuse(Refusal::Unverified);
                self.doubt(place, datagram.incarnation, now);
                self.answer_unverified(place, arrived.asks(), now);
                self.follow(place, arrived, false, now);
            }
            Admission::Verified { before } => {
                self.begin_session(place, before, datagram.incarnation, now);
                self.accept(place, arrived, now);
            }
            Admission::Fresh => self.accept(place, arrived, now),
        }
    }

    /// Who says hello to whoever is at an address cannot number its datagrams to us: its challenge is answered, and
    /// nothing else comes of it.
    fn receive_replayed(&mut self, place: usize, arrived: &Arrived<'_>, now: Now) {
        self.refuse(Refusal::Replayed);
        if arrived.datagram.receiver == NodeId::ANYONE && arrived.handshake.challenge.is_some() {
            self.answer_unverified(place, arrived.asks(), now);
        }
    }

    /// A run older than the one that is verified: a recording, an agent whose clock was set back, or a second agent of
    /// the same name.
    fn receive_stale(&mut self, place: usize, arrived: &Arrived<'_>, now: Now) {
        self.refuse(Refusal::StaleIncarnation);
        match arrived.found_at {
            Some(_) if self.peers[place].link.is_up() => self.note_rival(place, now),
            // Nobody else is heard by that name: what it has to know goes where it proved to be.
            Some(address) => self.found_at(place, address),
            None => {}
        }
        self.answer_unverified(place, Asked { stale: true, ..arrived.asks() }, now);
        self.follow(place, arrived, true, now);
    }

    /// Looks for a peer where its hello says that it is.
    fn follow(&mut self, place: usize, arrived: &Arrived<'_>, is_rival: bool, now: Now) {
        if let Some(hello) = arrived.handshake.hello {
            self.look_where_it_says(place, hello, arrived.from, is_rival, now);
        }
    }

    fn note_rival(&mut self, place: usize, now: Now) {
        if self.rivalries.note(self.peers[place].id, now) {
            let peer = self.name_of(place);
            self.emit_event(Event::RosterConflict { peer });
        }
    }

    /// A datagram of a newer version: its link is unknown as long as such datagrams come, and never down meanwhile.
    /// Only a newer one than the last counts, so that none can be sent again to hide a silence.
    pub(super) fn receive_unreadable(&mut self, sender: NodeId, number: (Incarnation, Sequence), now: Now) {
        let Some(place) = self.place_of(sender).filter(|&place| place != self.me) else { return };
        let peer = &mut self.peers[place];
        let newest = peer.session.verified().map(|run| (run, peer.session.newest()));
        if number <= peer.unreadable || newest.is_some_and(|newest| number <= newest) {
            return self.refuse(Refusal::Replayed);
        }
        let has_left = matches!(peer.link.state(), super::link::LinkState::Left(_));
        if has_left && peer.session.verified() == Some(number.0) {
            return;
        }
        peer.unreadable = number;
        peer.link.speaks_unreadably(now, &self.timing);
        self.touch_cell(place);
        self.publication.touch();
        self.hasten_turn(place);
    }

    /// A run speaks that has not proved itself: the link is unknown, not down, until it has.
    fn doubt(&mut self, place: usize, run: Incarnation, now: Now) {
        let timing = self.timing;
        // Only a later run than the last: two recordings, sent in turn, would hide a silence for ever.
        if self.peers[place].doubted >= Some(run) {
            return;
        }
        self.peers[place].doubted = Some(run);
        if self.peers[place].link.become_unknown(now, &timing) {
            self.inquiry.speaks(self.peers[place].id, now);
            self.touch_cell(place);
            self.publication.touch();
            self.peers[place].update_pace(self.down_pace, now, &timing);
            self.hasten_turn(place);
        }
    }

    fn begin_session(&mut self, place: usize, before: Option<Incarnation>, run: Incarnation, now: Now) {
        let peer = &mut self.peers[place];
        peer.quality.restart();
        peer.doubted = None;
        peer.hold(None);
        peer.woke = None;
        let Some(before) = before else { return };
        // An agent that is told of a later run of its name takes the next number: once after its clock was set back, again
        // and again if there are two.
        if run.0 == before.0.saturating_add(1) {
            self.note_rival(place, now);
        }
        if !self.rivalries.suspects(self.peers[place].id, now) {
            let event = Event::PeerRestarted { peer: self.name_of(place) };
            self.emit_event(event);
        }
    }

    /// A fresh datagram of a verified run.
    pub(super) fn accept(&mut self, place: usize, arrived: &Arrived<'_>, now: Now) {
        let Arrived { datagram, handshake, found_at, .. } = arrived;
        self.counters.received += 1;
        if let Some(newest) = handshake.newest {
            self.adopt_incarnation(newest, now);
        }
        if let Some(reason) = datagram.flags.goodbye {
            return self.see_off(place, reason, now);
        }
        if matches!(self.peers[place].link.state(), super::link::LinkState::Left(_)) && !handshake.begins() {
            return;
        }
        if let Some(address) = *found_at {
            self.found_at(place, address);
        }
        self.learn_numbers(place, datagram, now);
        self.hear(place, datagram, now);
        self.compare_electorates(place, datagram.electorate_digest, now);
        self.note_row_due(place, now);
        for block in &datagram.blocks {
            self.receive_block(place, datagram, block, now);
        }
        if let Some(nonce) = handshake.challenge {
            let mut blocks = vec![Block::Answer(nonce)];
            blocks.extend(handshake.hello.map(|_| self.hello()));
            let flags = crate::wire::Flags { last: true, ..Default::default() };
            self.send_out_of_turn(place, flags, blocks, now);
        } else if datagram.flags.poll || datagram.kind == Kind::Hello {
            self.send_final(place, now);
        }
        if self.peers[place].roster_wanted.is_some() && datagram.flags.poll {
            self.ask_for_roster(place, now);
        }
        let timing = self.timing;
        self.peers[place].update_pace(self.down_pace, now, &timing);
        self.hasten_turn(place);
    }

    /// The link hears it.
    fn hear(&mut self, place: usize, datagram: &Datagram, now: Now) {
        let counts = !datagram.flags.last;
        let change = self.peers[place].link.heard(now, datagram.pace, counts, &self.timing);
        if let Some(change) = change {
            self.link_changed(place, change, now);
        } else {
            self.touch_cell(place);
        }
        if self.peers[place].link.is_up() {
            self.end_episode(place, now);
        } else {
            self.inquiry.speaks(self.peers[place].id, now);
        }
    }

    /// What every datagram says beside its blocks.
    fn learn_numbers(&mut self, place: usize, datagram: &Datagram, now: Now) {
        let is_across = self.publication.cut.published().as_ref().is_some_and(|cut| cut.others.has(place));
        let peer = &mut self.peers[place];
        if !peer.link.is_up() {
            peer.quality.resume(datagram.sequence);
        }
        let loss = peer.quality.arrived(datagram.sequence);
        if let Some(sample) = peer.quality.echoed(datagram.echo, now) {
            self.counters.rtts.observe(sample, &RTT_BOUNDS);
        }
        if datagram.sequence >= peer.newest.0 || datagram.sequence == peer.session.newest() {
            peer.newest = (datagram.sequence, now);
            peer.hearing = datagram.flags.hearing;
            if peer.announces(datagram.row_digest, now, &self.timing) {
                self.publication.touch();
            }
            if is_across && !peer.link.is_up() {
                peer.is_heard_across(now, &self.timing);
            }
            peer.roster = datagram.roster_digest;
            if peer.sees_cut != datagram.flags.cut {
                peer.sees_cut = datagram.flags.cut;
                self.publication.touch();
            }
            peer.acknowledged = datagram.held_digest;
            if peer.impaired != datagram.flags.impaired {
                peer.impaired = datagram.flags.impaired;
                self.publication.touch();
            }
        }
        if datagram.epoch > self.epoch && datagram.epoch < LAST_EPOCH {
            self.epoch = datagram.epoch;
            self.keeping.want();
        }
        if let Some(change) = loss {
            self.publication.touch();
            let peer = self.name_of(place);
            self.emit_event(match change {
                LossChange::Degraded => Event::LinkDegraded { peer },
                LossChange::Recovered => Event::LinkRecovered { peer },
            });
        }
    }

    fn receive_block(&mut self, place: usize, datagram: &Datagram, block: &Block, now: Now) {
        match block {
            Block::Row(row) => self.receive_row(place, datagram, row, now),
            Block::RowPart(part) => self.receive_row_part(place, datagram, part, now),
            Block::EndpointStates(states) => self.receive_endpoints(place, datagram, states, now),
            Block::RosterWanted(wanted) => self.send_roster(place, *wanted, now),
            Block::Roster(part) => self.receive_roster(place, part, now),
            Block::Slept(slept) => self.learn_slept(place, *slept, now),
            Block::Hello(hello) => self.learn_hello(place, hello),
            Block::ElectorateWanted(wanted) => self.send_electorate(place, *wanted, now),
            Block::AlsoCounted(digests) => self.learn_also_counted(datagram, digests),
            Block::Electorate(part) => self.receive_electorate(place, part, now),
            Block::NodesWanted(ids) => self.introduce(place, ids, now),
            Block::Introduction(node) => self.meet(node, now),
            Block::RowsWanted(wanted) => self.answer_rows_wanted(place, wanted, now),
            Block::Relay(relay) => self.receive_relay(place, relay, now),
            Block::RowsUnchanged(unchanged) => self.receive_unchanged(place, unchanged, now),
            // These were looked at before.
            Block::Challenge(_) | Block::Answer(_) | Block::NewestIncarnation(_) => {}
        }
    }

    fn learn_slept(&mut self, place: usize, slept: Slept, now: Now) {
        self.peers[place].woke = Some(now - slept.ago);
    }

    fn learn_hello(&mut self, place: usize, hello: &Hello) {
        let peer = &mut self.peers[place];
        let known = &*peer.member;
        // A discovery may know the host and the zone of an agent that was not told its own.
        let (host, http_port) = (hello.host.or(known.host), hello.http_port.map(NonZeroU16::get));
        let zone = if hello.zone.is_empty() { &known.zone } else { &hello.zone };
        if (&known.zone, known.host, known.http_port) != (zone, host, http_port) {
            let zone = zone.clone();
            peer.member = Arc::new(super::settings::Member { zone, host, http_port, ..known.clone() });
        }
    }

    fn see_off(&mut self, place: usize, reason: crate::wire::GoodbyeReason, now: Now) {
        if matches!(self.peers[place].link.state(), super::link::LinkState::Left(_)) {
            return;
        }
        self.peers[place].link.leave(reason, now);
        self.end_episode(place, now);
        self.peers[place].hold(None);
        self.row.touch();
        self.publication.touch();
        self.who_probes_may_change(now);
        let peer = self.name_of(place);
        self.emit_event(Event::PeerLeft { peer, reason: reason.into() });
    }

    /// A peer knows a later run of this node than this one: the clock was set back and the state lost.
    fn adopt_incarnation(&mut self, newest: Incarnation, now: Now) {
        if newest <= self.incarnation || newest >= LAST_INCARNATION {
            return;
        }
        self.incarnation = Incarnation(newest.0 + 1);
        self.row.touch();
        // A second agent of this name makes it happen again and again: once is enough to say.
        if !self.rivalries.suspects(self.id, now) {
            let incarnation = self.incarnation;
            self.emit_event(Event::IncarnationAdopted { incarnation });
        }
        self.note_rival(self.me, now);
        self.keeping.want();
    }
}

/// A datagram, and what it means beside what it says.
pub(super) struct Arrived<'a> {
    pub(super) datagram: &'a Datagram,
    pub(super) handshake: Handshake<'a>,
    /// The address at which its sender was challenged, if this is the answer.
    pub(super) found_at: Option<SocketAddr>,
    pub(super) from: IpAddr,
    pub(super) size: usize,
}

impl Arrived<'_> {
    /// What its sender asks for.
    pub(super) fn asks(&self) -> Asked {
        let Handshake { hello, challenge, .. } = self.handshake;
        Asked { size: self.size, challenge, hello: hello.is_some(), stale: false }
    }
}

/// The blocks of a datagram by which two agents get acquainted.
pub(super) struct Handshake<'a> {
    pub(super) hello: Option<&'a Hello>,
    pub(super) challenge: Option<Nonce>,
    pub(super) answer: Option<Nonce>,
    pub(super) newest: Option<Incarnation>,
}

impl<'a> Handshake<'a> {
    pub(super) fn of(datagram: &'a Datagram) -> Self {
        let mut found = Self { hello: None, challenge: None, answer: None, newest: None };
        for block in &datagram.blocks {
            match block {
                Block::Hello(hello) => found.hello = Some(hello),
                Block::Challenge(nonce) => found.challenge = Some(*nonce),
                Block::Answer(nonce) => found.answer = Some(*nonce),
                Block::NewestIncarnation(incarnation) => found.newest = Some(*incarnation),
                _ => {}
            }
        }
        found
    }

    /// Whether it belongs to the beginning of a session.
    fn begins(&self) -> bool {
        self.answer.is_some() || self.hello.is_some()
    }
}
