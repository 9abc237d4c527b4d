//! Passing rows on: what a peer is answered that asks for the rows of others.
//!
//! Only what this agent heard itself is passed on, while it hears the owner, and as long as the owner has announced nothing
//! newer: so the age that goes with it is true. A row that the peer has is a line in a list; others go as they fit, a few
//! at once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Detector;
use super::bucket::Extra;
use super::exchange::packed;
use super::relay::MOST_ASKED;
use super::row_parts::parts_of;
use super::time::Now;
use crate::identity::NodeId;
use crate::wire::{Block, Flags, Kind, RelayBlock, RowUnchanged, RowWanted};

/// How many rows answer one question. The others are asked for again a period later.
const ROWS_AT_ONCE: usize = 4;

/// How many lines about rows that have not changed fit one datagram.
const UNCHANGED_AT_ONCE: usize = 36;

/// Answers that wait until they may go: of each kind one for each asker, since whoever asks again asks for all of it.
#[derive(Debug, Default)]
pub(super) struct Relaying {
    refreshes: VecDeque<(NodeId, Vec<RowWanted>)>,
    relays: VecDeque<(NodeId, Vec<NodeId>)>,
    rests_until: Option<Now>,
}

impl Relaying {
    /// When the next may go.
    pub(super) fn next(&self) -> Option<Now> {
        self.rests_until
    }

    fn forget(&mut self, asker: NodeId) {
        self.refreshes.retain(|&(other, _)| other != asker);
        self.relays.retain(|&(other, _)| other != asker);
    }
}

impl Detector {
    /// A peer asks for the rows of others.
    pub(super) fn answer_rows_wanted(&mut self, place: usize, wanted: &[RowWanted], now: Now) {
        let (mut unchanged, mut changed) = (Vec::new(), Vec::new());
        for &wanted in wanted.iter().take(MOST_ASKED) {
            match self.answer_about(wanted, now) {
                Some(About::Unchanged(_)) => unchanged.push(wanted),
                Some(About::Changed) if changed.len() < ROWS_AT_ONCE => changed.push(wanted.owner),
                _ => {}
            }
        }
        let asker = self.peers[place].id;
        self.relaying.forget(asker);
        if !unchanged.is_empty() {
            self.relaying.refreshes.push_back((asker, unchanged));
        }
        if !changed.is_empty() {
            self.relaying.relays.push_back((asker, changed));
        }
        self.send_answers(now);
    }

    /// Sends the answers that may go, refreshes first; each says how old it is when it goes.
    pub(super) fn send_answers(&mut self, now: Now) {
        if self.relaying.rests_until.is_some_and(|until| now < until) {
            return;
        }
        self.relaying.rests_until = None;
        while let Some((asker, wanted)) = self.relaying.refreshes.pop_front() {
            let lines = self.lines_about(&wanted, now);
            let blocks = lines.chunks(UNCHANGED_AT_ONCE).map(|lines| Block::RowsUnchanged(lines.to_vec())).collect();
            if !self.answer(asker, blocks, Extra::Refresh, now) {
                return self.relaying.refreshes.push_front((asker, wanted));
            }
        }
        while let Some((asker, owners)) = self.relaying.relays.pop_front() {
            let places = owners.iter().filter_map(|&owner| self.place_of(owner));
            let blocks = places.flat_map(|owner| self.relays_of(owner, now)).collect();
            if !self.answer(asker, blocks, Extra::Relay, now) {
                return self.relaying.relays.push_front((asker, owners));
            }
        }
    }

    fn lines_about(&self, wanted: &[RowWanted], now: Now) -> Vec<RowUnchanged> {
        let line = |&wanted: &RowWanted| match self.answer_about(wanted, now)? {
            About::Unchanged(line) => Some(line),
            About::Changed => None,
        };
        wanted.iter().filter_map(line).collect()
    }

    /// Sends blocks to a peer, if that many datagrams may go now. To one that is not heard any more nothing goes.
    fn answer(&mut self, asker: NodeId, blocks: Vec<Block>, what: Extra, now: Now) -> bool {
        let Some(place) = self.place_of(asker).filter(|&place| self.peers[place].link.is_up()) else { return true };
        let datagrams = packed(blocks, 0);
        if datagrams.is_empty() {
            return true;
        }
        if let Err(later) = self.bucket.draw(what, datagrams.len(), now) {
            self.relaying.rests_until = Some(later);
            return false;
        }
        for blocks in datagrams {
            let pace = self.peers[place].schedule.until_next_at_the_latest(now);
            self.send_no_more_than(place, Kind::Heartbeat, Flags::default(), pace, blocks, now);
        }
        true
    }

    fn answer_about(&self, wanted: RowWanted, now: Now) -> Option<About> {
        let owner = self.place_of(wanted.owner).filter(|&owner| owner != self.me)?;
        let peer = &self.peers[owner];
        let row = peer.valid_row().filter(|_| !peer.owes_a_row())?;
        let (held, known) = ((row.incarnation, row.version), (wanted.incarnation, wanted.version));
        if held < known {
            return None;
        }
        if held > known {
            return Some(About::Changed);
        }
        let (heard, came) = peer.newest;
        let (age, impaired) = (now.since(came), peer.impaired);
        let (owner, incarnation, version) = (wanted.owner, row.incarnation, row.version);
        Some(About::Unchanged(RowUnchanged { owner, incarnation, version, heard, age, impaired }))
    }

    /// The row of a peer in the order of our own roster, which the asker knows or can ask for.
    fn relays_of(&self, owner: usize, now: Now) -> Vec<Block> {
        let peer = &self.peers[owner];
        let Some(row) = peer.valid_row() else { return Vec::new() };
        let (heard, came) = peer.newest;
        let parts = parts_of(row.version, self.roster_digest, &row.cells);
        let relay = |row_part| RelayBlock {
            owner: peer.id,
            incarnation: row.incarnation,
            heard,
            age: now.since(came),
            impaired: peer.impaired,
            row: row_part,
        };
        parts.map(|part| Block::Relay(Arc::new(relay(part)))).collect()
    }
}

/// What is known of a row that was asked for.
enum About {
    Unchanged(RowUnchanged),
    /// It is newer than what the asker holds.
    Changed,
}
