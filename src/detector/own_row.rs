//! This agent's own row: written from its links, versioned, and ready to send.

use std::sync::Arc;

use super::exchange::packed;
use super::row::{Cell, Cells};
use super::row_parts;
use super::time::Now;
use super::{Detector, held_row::HeldRow};
use crate::identity::{Digest, RowVersion};
use crate::wire::{Block, EndpointStates, RowBlock};

/// What an agent that slept says beside its row, in bytes.
const SLEPT: usize = 19;

/// The own row, as published to the peers.
pub(super) struct OwnRow {
    pub(super) held: Arc<HeldRow>,
    /// What the probes of endpoints come to: it goes with the cells, under the same version.
    pub(super) states: Arc<EndpointStates>,
    /// The digest of both.
    pub(super) digest: Digest,
    /// As it goes out: the blocks of each datagram that it takes.
    pub(super) datagrams: Vec<Vec<Block>>,
    roster: Digest,
    /// When it changed last.
    pub(super) changed: Now,
    stale: bool,
}

impl OwnRow {
    pub(super) fn new(now: Now) -> Self {
        let cells = Cells::absent(0);
        let held = HeldRow::new(crate::identity::Incarnation(0), RowVersion(0), Digest::NONE, cells);
        Self {
            held: Arc::new(held),
            states: Arc::default(),
            digest: Digest::NONE,
            datagrams: Vec::new(),
            roster: Digest::NONE,
            changed: now,
            stale: true,
        }
    }

    /// Some link or endpoint may have changed.
    pub(super) fn touch(&mut self) {
        self.stale = true;
    }
}

impl Detector {
    /// A link may have changed: what the row says of it is compared, as most first failures are nobody's business.
    pub(super) fn touch_cell(&mut self, place: usize) {
        let cells = &self.row.held.cells;
        if place >= cells.len() || cells.get(place) != self.peers[place].cell() {
            self.row.touch();
        }
    }

    /// Writes the own row anew if a cell changed, or what the probes of endpoints come to.
    pub(super) fn update_row(&mut self, now: Now) {
        if self.next_row_update().is_none_or(|due| now < due) {
            return;
        }
        self.row.stale = false;
        let cells = self.own_cells();
        let (list, states) = (self.endpoints.digest(), self.endpoints.states());
        let same_states = self.row.states.list == list && self.row.states.states == states;
        let same = *self.row.held.cells == cells && self.row.held.incarnation == self.incarnation;
        if same && same_states && self.row.roster == self.roster_digest {
            return;
        }
        if !same_states {
            self.endpoints.touch();
        }
        let version = RowVersion(self.row.held.version.0 + 1);
        let digest = cells.digest(self.id, self.incarnation, version, self.roster_digest);
        self.row.digest = states.digest_with(digest, list);
        self.row.states = Arc::new(EndpointStates { version, list, states });
        let block = RowBlock { version, roster: self.roster_digest, cells: cells.clone() };
        let mut blocks = row_parts::blocks_of(&Arc::new(block));
        if !self.row.states.states.is_empty() {
            blocks.push(Block::EndpointStates(Arc::clone(&self.row.states)));
        }
        (self.row.datagrams, self.row.roster) = (packed(blocks, SLEPT), self.roster_digest);
        self.row.held = Arc::new(HeldRow::new(self.incarnation, version, digest, cells));
        self.row.changed = now;
        self.update_down_pace();
        self.schedule_rows(now);
        self.publication.touch();
    }

    /// When the row may be written again: at most every d/8, so that a hundred links that fall one after another
    /// are a few versions and not a hundred.
    pub(super) fn next_row_update(&self) -> Option<Now> {
        let row = &self.row;
        row.stale.then(|| {
            // A row over the roster as it was cannot be judged by.
            let first = row.held.version == RowVersion(0) || row.held.cells.len() != self.peers.len();
            if first { Now::START } else { row.changed + self.timing.confirm_period / 8 }
        })
    }

    fn own_cells(&self) -> Cells {
        let mut cells = Cells::absent(self.peers.len());
        let down = self.agents_found_down();
        for (place, peer) in self.peers.iter().enumerate() {
            cells.set(
                place,
                match peer.cell() {
                    _ if place == self.me => Cell::Up,
                    Cell::Down if down.has(place) => Cell::DownAgent,
                    cell => cell,
                },
            );
        }
        cells
    }
}
