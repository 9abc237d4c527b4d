//! Passing rows on: what a peer is answered that asks for the rows of others.
//!
//! Only what this agent heard itself is passed on, while it hears the owner, and as long as the owner has announced nothing
//! newer: so the age that goes with it is true. A row that the peer has is a line in a list; others go as they fit, a few
//! at once.

use std::sync::Arc;

use super::Detector;
use super::relay::MOST_ASKED;
use super::row_parts::parts_of;
use super::time::Now;
use crate::wire::{Block, Flags, Kind, MAX_DATAGRAM, MIN_DATAGRAM, RelayBlock, RowUnchanged, RowWanted, block_size};

/// How many rows answer one question. The others are asked for again a period later.
const ROWS_AT_ONCE: usize = 4;

/// How many lines about rows that have not changed fit one datagram.
const UNCHANGED_AT_ONCE: usize = 36;

impl Detector {
    /// A peer asks for the rows of others.
    pub(super) fn answer_rows_wanted(&mut self, place: usize, wanted: &[RowWanted], now: Now) {
        let (mut unchanged, mut relays) = (Vec::new(), Vec::new());
        for wanted in wanted.iter().take(MOST_ASKED) {
            match self.answer_about(wanted, now) {
                Some(About::Unchanged(row)) => unchanged.push(row),
                Some(About::Changed(owner)) if relays.len() < ROWS_AT_ONCE => relays.push(owner),
                _ => {}
            }
        }
        let unchanged = unchanged.chunks(UNCHANGED_AT_ONCE).map(|rows| Block::RowsUnchanged(rows.to_vec()));
        let blocks: Vec<Block> =
            unchanged.chain(relays.into_iter().flat_map(|owner| self.relays_of(owner, now))).collect();
        self.send_packed(place, blocks, now);
    }

    fn answer_about(&self, wanted: &RowWanted, now: Now) -> Option<About> {
        let owner = self.place_of(wanted.owner).filter(|&owner| owner != self.me)?;
        let peer = &self.peers[owner];
        let row = peer.valid_row().filter(|_| !peer.owes_a_row())?;
        let (held, known) = ((row.incarnation, row.version), (wanted.incarnation, wanted.version));
        if held < known {
            return None;
        }
        if held > known {
            return Some(About::Changed(owner));
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

    /// Sends blocks in as few datagrams as they fit in this order.
    fn send_packed(&mut self, place: usize, blocks: Vec<Block>, now: Now) {
        let mut blocks = blocks.into_iter().peekable();
        while blocks.peek().is_some() {
            let (mut packed, mut size) = (Vec::new(), MIN_DATAGRAM);
            while let Some(block) = blocks.next_if(|next| packed.is_empty() || size + block_size(next) <= MAX_DATAGRAM)
            {
                size += block_size(&block);
                packed.push(block);
            }
            let pace = self.peers[place].schedule.until_next_at_the_latest(now);
            self.send_no_more_than(place, Kind::Heartbeat, Flags::default(), pace, packed, now);
        }
    }
}

/// What is known of a row that was asked for.
enum About {
    Unchanged(RowUnchanged),
    /// It is newer than what the asker holds: the place of its owner.
    Changed(usize),
}
