//! How electorates travel: every datagram says the digest of its sender's, and who has another one asks for it.
//!
//! One is fetched at a time, part after part; each heartbeat of a peer that differs is an occasion to ask again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Detector;
use super::ballot::MOST_FORMER;
use super::electorate::{Elector, Electorate, Floor};
use super::time::Now;
use crate::identity::{Digest, NodeId};
use crate::wire::{Block, Datagram, ElectoratePart, Flags, Introduction, PartWanted, block_size};

/// How many entries one datagram carries.
const ELECTORS_IN_A_PART: usize = 70;

/// How many digests of electorates that were merged are remembered: peers that lag show them for a while.
const MERGED: usize = 64;

/// How many unknown members are asked for at once, and how many bytes of introductions answer.
const NODES_ASKED_FOR: usize = 32;
const ROOM_FOR_INTRODUCTIONS: usize = 900;

/// The electorate under way, and those that came before.
#[derive(Debug, Default)]
pub(super) struct ElectorateFetch {
    under_way: Option<UnderWay>,
    merged: VecDeque<Digest>,
    introductions_asked: Option<Now>,
}

/// An electorate that a peer shows, and then those that count beside it: whoever took only the newest would be bound by
/// less than those who gave it.
#[derive(Debug)]
struct UnderWay {
    shown: Digest,
    /// Which one is coming in now.
    wanted: Digest,
    electors: Vec<Elector>,
    floor: Floor,
    /// What is whole: the one that was shown, then the others.
    whole: Vec<Electorate>,
    left: Vec<Digest>,
    asked: Now,
    progress: Now,
}

impl UnderWay {
    fn of(shown: Digest, now: Now) -> Self {
        let (electors, whole, left) = (Vec::new(), Vec::new(), Vec::new());
        Self { shown, wanted: shown, electors, floor: Floor::default(), whole, left, asked: now, progress: now }
    }

    /// Adds the next part of the one that is wanted. What does not add up to its digest begins anew.
    fn add(&mut self, part: &ElectoratePart, now: Now) -> bool {
        if part.digest != self.wanted || usize::from(part.from) != self.electors.len() {
            return false;
        }
        self.electors.extend(&part.electors);
        self.floor = part.floor;
        self.progress = now;
        if self.electors.len() >= usize::from(part.total) || part.electors.is_empty() {
            let electorate = Electorate::of(std::mem::take(&mut self.electors), self.floor);
            if electorate.digest() == self.wanted {
                self.whole.push(electorate);
                self.go_on(now);
            }
        }
        true
    }

    /// The next one, if there is one left.
    fn go_on(&mut self, now: Now) {
        self.electors.clear();
        self.progress = now;
        self.wanted = self.left.pop().unwrap_or(Digest::NONE);
    }

    fn is_whole(&self) -> bool {
        self.wanted == Digest::NONE
    }
}

impl ElectorateFetch {
    fn remember(&mut self, digest: Digest) {
        self.merged.push_back(digest);
        if self.merged.len() > MERGED {
            self.merged.pop_front();
        }
    }
}

impl Detector {
    /// A peer that is heard shows the digest of its electorate.
    pub(super) fn compare_electorates(&mut self, place: usize, digest: Digest, now: Now) {
        self.peers[place].electorate = (digest != Digest::NONE).then_some(digest);
        let mine = self.ballot.newest().map(|newest| newest.digest);
        if digest == Digest::NONE || mine == Some(digest) {
            return self.ask_for_unknown_members(place, now);
        }
        let (patience, bound) = (self.timing.confirm_period, self.timing.detection_bound());
        let fetch = &mut self.electorate_fetch;
        let asked_lately = fetch.under_way.as_ref().is_some_and(|under_way| now.since(under_way.asked) < patience);
        if fetch.merged.contains(&digest) || asked_lately {
            return;
        }
        let begun = fetch.under_way.take_if(|under_way| under_way.shown == digest);
        let mut under_way = begun.unwrap_or_else(|| UnderWay::of(digest, now));
        if !under_way.whole.is_empty() && now.since(under_way.progress) >= bound {
            // Nobody who shows it has this one any more: it counts for nobody.
            under_way.go_on(now);
        }
        fetch.under_way = Some(under_way);
        self.fetch_on(place, now);
    }

    /// Asks for what is wanted next, or takes what is whole.
    fn fetch_on(&mut self, place: usize, now: Now) {
        if let Some(whole) = self.electorate_fetch.under_way.take_if(|under_way| under_way.is_whole()) {
            return self.merge_electorates(whole.whole, now);
        }
        let Some(under_way) = &mut self.electorate_fetch.under_way else { return };
        under_way.asked = now;
        let from = u16::try_from(under_way.electors.len()).unwrap_or(u16::MAX);
        let wanted = Block::ElectorateWanted(PartWanted { digest: under_way.wanted, from });
        self.send_out_of_turn(place, Flags { last: true, ..Flags::default() }, vec![wanted], now);
    }

    /// A peer asked for an electorate that counts for this agent.
    pub(super) fn send_electorate(&mut self, place: usize, wanted: PartWanted, now: Now) {
        let Some(counted) = self.ballot.all().find(|counted| counted.digest == wanted.digest) else { return };
        let electors = counted.electorate.electors();
        let rest = electors.get(usize::from(wanted.from)..).unwrap_or_default();
        let part = ElectoratePart {
            digest: counted.digest,
            floor: counted.electorate.floor(),
            total: u16::try_from(electors.len()).unwrap_or(u16::MAX),
            from: wanted.from,
            electors: rest.iter().take(ELECTORS_IN_A_PART).copied().collect(),
        };
        let others = self.ballot.all().map(|counted| counted.digest).filter(|&digest| digest != wanted.digest);
        let blocks = vec![Block::AlsoCounted(others.collect()), Block::Electorate(Arc::new(part))];
        self.send_out_of_turn(place, Flags { last: true, ..Flags::default() }, blocks, now);
    }

    /// What counts for a peer beside the electorate that it shows.
    pub(super) fn learn_also_counted(&mut self, datagram: &Datagram, digests: &[Digest]) {
        let Some(under_way) = &mut self.electorate_fetch.under_way else { return };
        let is_about_it = |block: &Block| matches!(block, Block::Electorate(part) if part.digest == under_way.shown);
        if under_way.wanted == under_way.shown && datagram.blocks.iter().any(is_about_it) {
            let held = |digest: &Digest| self.ballot.all().any(|counted| counted.digest == *digest);
            under_way.left = digests.iter().take(MOST_FORMER).filter(|digest| !held(digest)).copied().collect();
        }
    }

    /// A part of an electorate arrived: the next is asked for at once, but only if this one was of use.
    pub(super) fn receive_electorate(&mut self, place: usize, part: &ElectoratePart, now: Now) {
        if self.electorate_fetch.under_way.as_mut().is_some_and(|under_way| under_way.add(part, now)) {
            self.fetch_on(place, now);
        }
    }

    /// The electorate that a peer showed, and those that count beside it.
    fn merge_electorates(&mut self, whole: Vec<Electorate>, now: Now) {
        let mut whole = whole.into_iter();
        let Some(shown) = whole.next().filter(|_| !self.ballot.is_full()) else { return };
        self.electorate_fetch.remember(shown.digest());
        let until = self.until_everybody_knows(now);
        self.ballot.count_too(whole, &self.ids, until);
        let merged = self.ballot.newest().map_or_else(|| shown.clone(), |newest| newest.electorate.merged(&shown));
        self.adopt_electorate(merged, now);
    }

    /// A peer that counts by the same electorate may know the members whom this agent has not met.
    fn ask_for_unknown_members(&mut self, place: usize, now: Now) {
        let Some(newest) = self.ballot.newest() else { return };
        if !newest.has_unknown || self.peers[place].electorate != Some(newest.digest) {
            return;
        }
        let patience = self.timing.confirm_period;
        if self.electorate_fetch.introductions_asked.is_some_and(|asked| now.since(asked) < patience) {
            return;
        }
        let unknown = |id: &NodeId| self.place_of(*id).is_none() && !self.contacts.expects(*id);
        let unknown: Vec<NodeId> = newest.electorate.members().filter(unknown).take(NODES_ASKED_FOR).collect();
        self.electorate_fetch.introductions_asked = Some(now);
        if !unknown.is_empty() {
            let flags = Flags { last: true, ..Flags::default() };
            self.send_out_of_turn(place, flags, vec![Block::NodesWanted(unknown)], now);
        }
    }

    /// A peer wants to know nodes of which it has but the ids.
    pub(super) fn introduce(&mut self, place: usize, wanted: &[NodeId], now: Now) {
        let mut blocks = Vec::new();
        let mut room = ROOM_FOR_INTRODUCTIONS;
        for known in wanted.iter().filter_map(|&id| self.place_of(id)).filter(|&known| known != place) {
            let peer = &self.peers[known];
            let member = &peer.member;
            let block = Block::Introduction(Box::new(Introduction {
                name: member.name.clone(),
                zone: member.zone.clone(),
                address: peer.address,
            }));
            let Some(left) = room.checked_sub(block_size(&block)) else { break };
            room = left;
            blocks.push(block);
        }
        if !blocks.is_empty() {
            self.send_out_of_turn(place, Flags { last: true, ..Flags::default() }, blocks, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(electorate: &Electorate, from: usize, count: usize) -> ElectoratePart {
        let electors = electorate.electors();
        ElectoratePart {
            digest: electorate.digest(),
            floor: electorate.floor(),
            total: u16::try_from(electors.len()).unwrap(),
            from: u16::try_from(from).unwrap(),
            electors: electors.iter().skip(from).take(count).copied().collect(),
        }
    }

    #[test]
    fn an_electorate_is_whole_when_its_parts_add_up_to_its_digest() {
        let electorate = Electorate::first((1..=5).map(NodeId), 7);
        let mut fetch = UnderWay::of(electorate.digest(), Now::START);
        assert!(fetch.add(&part(&electorate, 0, 3), Now::START));
        assert!(!fetch.add(&part(&electorate, 0, 3), Now::START), "a repeated part adds nothing");
        assert!(fetch.add(&part(&electorate, 3, 3), Now::START));
        assert!(fetch.is_whole());
        assert_eq!(fetch.whole, [electorate]);
    }

    #[test]
    fn those_that_count_beside_it_come_after_it() {
        let newest = Electorate::first((1..=5).map(NodeId), 0);
        let former = Electorate::first((1..=3).map(NodeId), 0);
        let mut fetch = UnderWay { left: vec![former.digest()], ..UnderWay::of(newest.digest(), Now::START) };
        assert!(fetch.add(&part(&newest, 0, 5), Now::START));
        assert_eq!((fetch.is_whole(), fetch.wanted), (false, former.digest()));
        assert!(fetch.add(&part(&former, 0, 5), Now::START));
        assert_eq!((fetch.is_whole(), fetch.whole), (true, vec![newest, former]));
    }

    #[test]
    fn what_does_not_add_up_is_thrown_away() {
        let electorate = Electorate::first((1..=3).map(NodeId), 0);
        let mut forged = part(&electorate, 0, 3);
        forged.floor = Floor { stamp: 9, members: 0 };
        let mut fetch = UnderWay::of(electorate.digest(), Now::START);
        fetch.add(&forged, Now::START);
        assert_eq!((fetch.is_whole(), fetch.whole.len(), fetch.electors.len()), (false, 0, 0));
    }
}
