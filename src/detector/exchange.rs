//! How rows travel: on whatever datagram goes to a peer, again every d/2 until it says that it holds them. When they go
//! by themselves is `row_turns`' matter.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::held_row::HeldRow;
use super::row::{Cell, Cells};
use super::row_parts::Assembly;
use super::time::Now;
use super::{Detector, roster};
use crate::identity::Digest;
use crate::wire::{
    Block, Datagram, Flags, Kind, MAX_DATAGRAM, MIN_DATAGRAM, PartWanted, RosterPart, RowBlock, RowPart, block_size,
};

/// How many rosters of others are kept before those that nobody uses any more are forgotten.
const ROSTERS_KEPT: usize = 32;

impl Detector {
    /// Puts our row on a datagram if it is due to that peer, or as much of it as goes in the first. True if it did.
    pub(super) fn attach_row(&mut self, place: usize, flags: Flags, blocks: &mut Vec<Block>, now: Now) -> bool {
        let (digest, changed) = (self.row.digest, self.row.changed);
        let peer = &mut self.peers[place];
        let due = peer.row_due(digest, changed, now, &self.timing);
        let Some(row) = self.row.datagrams.first().filter(|_| due.is_some_and(|due| due <= now)) else { return false };
        let size = MIN_DATAGRAM + blocks.iter().chain(row).map(block_size).sum::<usize>();
        if flags.goodbye.is_some() || size > MAX_DATAGRAM {
            return false;
        }
        peer.row_sent = Some(now);
        blocks.extend_from_slice(row);
        true
    }

    /// Whether datagram `index` of our row asks for an answer, which acknowledges it: the last one does.
    pub(super) fn row_is_poll(&self, index: usize) -> bool {
        self.timing.polls_per_window > 0 && index + 1 == self.row.datagrams.len()
    }

    /// What of our row did not fit the datagram that left just now.
    pub(super) fn send_other_parts(&mut self, place: usize, now: Now) {
        for index in 1..self.row.datagrams.len() {
            let Some(blocks) = self.row.datagrams.get(index).cloned() else { return };
            let flags = Flags { poll: self.row_is_poll(index), ..Flags::default() };
            let pace = self.peers[place].schedule.until_next_at_the_latest(now);
            self.send_no_more_than(place, Kind::Heartbeat, flags, pace, blocks, now);
        }
    }

    /// A peer sent a part of its row.
    pub(super) fn receive_row_part(&mut self, place: usize, datagram: &Datagram, part: &RowPart, now: Now) {
        let peer = &mut self.peers[place];
        if !HeldRow::is_news(datagram.incarnation, part.version, peer.row().map(AsRef::as_ref)) {
            return;
        }
        if let Some(row) = Assembly::add(&mut peer.row_under_way, datagram.incarnation, part) {
            self.receive_row(place, datagram, &row, now);
        }
    }

    /// A peer sent its row: it is held if it is newer and its roster is known.
    pub(super) fn receive_row(&mut self, place: usize, datagram: &Datagram, block: &RowBlock, now: Now) {
        let held = self.peers[place].row().map(AsRef::as_ref);
        if !HeldRow::is_news(datagram.incarnation, block.version, held) {
            return;
        }
        let Some(cells) = self.translate(block) else {
            self.peers[place].roster_wanted = Some(block.roster);
            return;
        };
        let digest = block.cells.digest(datagram.sender, datagram.incarnation, block.version, block.roster);
        let row = HeldRow::new(datagram.incarnation, block.version, digest, cells);
        let before = self.peers[place].hold(Some(Arc::new(row)));
        self.peers[place].roster_wanted = None;
        self.publication.touch();
        self.learn_from_row(place, before.as_deref(), now);
    }

    /// What a new row makes this agent do: try the links that it shows in trouble, and know whom it has heard.
    fn learn_from_row(&mut self, place: usize, before: Option<&HeldRow>, now: Now) {
        let Some(row) = self.peers[place].row().cloned() else { return };
        let mut troubled = row.late.clone();
        troubled.add(&row.broken);
        if let Some(before) = before {
            troubled.remove(&before.late);
            troubled.remove(&before.broken);
        }
        self.checking.some(troubled);
        let timing = self.timing;
        let mut heard = row.ok.clone();
        heard.add(&row.broken);
        heard.keep(&self.unmet);
        heard.clear(self.me);
        // Who no longer counts is no longer known by having been lost: it has to be heard again.
        let known: Vec<usize> = heard.iter().filter(|&other| row.ok.has(other) || !self.is_removed(other)).collect();
        for other in known {
            self.peers[other].link.learn_known(now, &timing);
            self.unmet.clear(other);
            self.hasten_turn(other);
        }
        self.row.touch();
    }

    /// The cells of a row in the order of our own roster; none if the roster of its owner is not known.
    pub(super) fn translate(&self, block: &RowBlock) -> Option<Cells> {
        if block.roster == self.roster_digest {
            return (block.cells.len() == self.peers.len()).then(|| block.cells.clone());
        }
        let ids = self.rosters.get(&block.roster)?.complete()?;
        if ids.len() != block.cells.len() {
            return None;
        }
        // Of a node that its owner does not list a row says nothing, not even that it belongs: absent, not unknown.
        let mut cells = Cells::absent(self.peers.len());
        for (place, peer) in self.peers.iter().enumerate() {
            let cell = ids.binary_search(&peer.id).map_or(Cell::Absent, |index| block.cells.get(index));
            cells.set(place, cell);
        }
        Some(cells)
    }

    /// Asks for the roster that a peer's row is about, or for the next part of it.
    pub(super) fn ask_for_roster(&mut self, place: usize, now: Now) {
        let Some(digest) = self.peers[place].roster_wanted else { return };
        let from = self.rosters.get(&digest).map_or(0, roster::Foreign::received);
        let wanted = vec![Block::RosterWanted(PartWanted { digest, from })];
        self.send_out_of_turn(place, Flags { poll: true, ..Flags::default() }, wanted, now);
    }

    /// A peer asked for our roster.
    pub(super) fn send_roster(&mut self, place: usize, wanted: PartWanted, now: Now) {
        if wanted.digest != self.roster_digest {
            return;
        }
        let rest = self.ids.get(usize::from(wanted.from)..).unwrap_or_default();
        let part = RosterPart {
            digest: wanted.digest,
            total: u16::try_from(self.ids.len()).unwrap_or(u16::MAX),
            from: wanted.from,
            ids: rest.iter().take(roster::IDS_IN_A_PART).copied().collect(),
        };
        self.send_out_of_turn(place, Flags::default(), vec![Block::Roster(Arc::new(part))], now);
    }

    /// A part of a roster arrived: the next is asked for at once, but only if this one was of use.
    pub(super) fn receive_roster(&mut self, place: usize, part: &RosterPart, now: Now) {
        if self.peers[place].roster_wanted != Some(part.digest) {
            return;
        }
        if !self.rosters.contains_key(&part.digest) {
            self.forget_unused_rosters();
        }
        let foreign = self.rosters.entry(part.digest).or_default();
        let before = foreign.received();
        foreign.add(part);
        if foreign.complete().is_some() {
            // The row comes again by itself: it was not acknowledged.
            self.peers[place].roster_wanted = None;
        } else if foreign.received() > before {
            self.ask_for_roster(place, now);
        }
    }

    /// Keeps only rosters that some peer uses, once there are many: at 5,000 nodes one has 40 kB, and each node that joins or
    /// leaves makes another.
    fn forget_unused_rosters(&mut self) {
        if self.rosters.len() < ROSTERS_KEPT {
            return;
        }
        let used = self.peers.iter().flat_map(|peer| [Some(peer.roster), peer.roster_wanted]).flatten();
        let used: BTreeSet<Digest> = used.filter(|&digest| digest != self.roster_digest).collect();
        self.rosters.retain(|digest, _| used.contains(digest));
    }
}

/// Blocks in as few datagrams as they fit in this order, with so many bytes left in each.
pub(super) fn packed(blocks: Vec<Block>, left: usize) -> Vec<Vec<Block>> {
    let (mut datagrams, mut room): (Vec<Vec<Block>>, usize) = (Vec::new(), 0);
    for block in blocks {
        let size = block_size(&block);
        if let Some(datagram) = datagrams.last_mut().filter(|_| size <= room) {
            datagram.push(block);
        } else {
            datagrams.push(vec![block]);
            room = MAX_DATAGRAM - MIN_DATAGRAM - left;
        }
        room = room.saturating_sub(size);
    }
    datagrams
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::super::saved::Saved;
    use super::super::settings::{Member, ModePolicy, Settings, Timing};
    use super::super::{Input, Listing};
    use super::*;
    use crate::identity::{Incarnation, NodeId};

    fn detector(nodes: u16) -> Detector {
        let member = |number: u16| Member::new(format!("n{number}"), "", (Ipv4Addr::LOCALHOST, 7000 + number).into());
        let settings = Settings {
            cluster: "test".into(),
            node: member(0),
            timing: Timing::of_period(Duration::from_secs(1)).into(),
            mode: ModePolicy::default(),
            endpoints: Vec::new(),
        };
        let mut detector = Detector::new(settings, Saved::default(), Incarnation(1), [7; 32], Now::START);
        detector.handle(Input::Listing(Listing::of((0..nodes).map(member).collect())), Now::START);
        detector
    }

    #[test]
    fn rosters_that_nobody_uses_any_more_are_forgotten() {
        let mut detector = detector(200);
        for change in 1..=150 {
            let ids = vec![NodeId(change)];
            let digest = Digest::of_ids(ids.iter().copied());
            // The first peer keeps the first one, the second changes all the time.
            let place = if change == 1 { 1 } else { 2 };
            detector.peers[place].roster = digest;
            detector.peers[place].roster_wanted = Some(digest);
            detector.receive_roster(place, &RosterPart { digest, total: 1, from: 0, ids }, Now::START);
            assert!(detector.rosters[&digest].complete().is_some());
            assert!(detector.rosters.len() <= ROSTERS_KEPT);
        }
        assert!(detector.rosters.contains_key(&detector.peers[1].roster));
    }
}
