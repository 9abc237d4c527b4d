//! How electorates travel: every datagram says the digest of its sender's, and who has another one asks for it.
//!
//! One is fetched at a time, part after part; each heartbeat of a peer that differs is an occasion to ask again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Detector;
use super::electorate::{Elector, Electorate, Floor};
use super::time::Now;
use crate::identity::{Digest, NodeId};
use crate::wire::{Block, ElectoratePart, Flags, Introduction, RosterWanted, block_size};

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

#[derive(Debug)]
struct UnderWay {
    digest: Digest,
    electors: Vec<Elector>,
    floor: Floor,
    asked: Now,
}

impl ElectorateFetch {
    fn remember(&mut self, digest: Digest) {
        self.merged.push_back(digest);
        if self.merged.len() > MERGED {
            self.merged.pop_front();
        }
    }

    /// Adds the next part. Returns the electorate once it is whole and its digest is right.
    fn add(&mut self, part: &ElectoratePart) -> Option<Electorate> {
        let wanted = self.under_way.as_mut().filter(|wanted| wanted.digest == part.digest)?;
        if usize::from(part.from) != wanted.electors.len() {
            return None;
        }
        wanted.electors.extend(&part.electors);
        wanted.floor = part.floor;
        if wanted.electors.len() < usize::from(part.total) && !part.electors.is_empty() {
            return None;
        }
        let whole = self.under_way.take()?;
        let electorate = Electorate::of(whole.electors, whole.floor);
        (electorate.digest() == whole.digest).then_some(electorate)
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
        let fetch = &mut self.electorate_fetch;
        let patience = self.settings.timing.confirm_period;
        if fetch.merged.contains(&digest)
            || fetch.under_way.as_ref().is_some_and(|under_way| now.since(under_way.asked) < patience)
        {
            return;
        }
        let begun = fetch.under_way.take_if(|under_way| under_way.digest == digest);
        let fresh = UnderWay { digest, electors: Vec::new(), floor: Floor::default(), asked: now };
        fetch.under_way = Some(UnderWay { asked: now, ..begun.unwrap_or(fresh) });
        self.ask_for_electorate(place, now);
    }

    fn ask_for_electorate(&mut self, place: usize, now: Now) {
        let Some(wanted) = &mut self.electorate_fetch.under_way else { return };
        wanted.asked = now;
        let from = u16::try_from(wanted.electors.len()).unwrap_or(u16::MAX);
        let wanted = Block::ElectorateWanted(RosterWanted { digest: wanted.digest, from });
        self.send_out_of_turn(place, Flags { last: true, ..Flags::default() }, vec![wanted], now);
    }

    /// A peer asked for our electorate.
    pub(super) fn send_electorate(&mut self, place: usize, wanted: RosterWanted, now: Now) {
        let Some(newest) = self.ballot.newest().filter(|newest| newest.digest == wanted.digest) else { return };
        let electors = newest.electorate.electors();
        let rest = electors.get(usize::from(wanted.from)..).unwrap_or_default();
        let part = ElectoratePart {
            digest: newest.digest,
            floor: newest.electorate.floor(),
            total: u16::try_from(electors.len()).unwrap_or(u16::MAX),
            from: wanted.from,
            electors: rest.iter().take(ELECTORS_IN_A_PART).copied().collect(),
        };
        let flags = Flags { last: true, ..Flags::default() };
        self.send_out_of_turn(place, flags, vec![Block::Electorate(Arc::new(part))], now);
    }

    /// A part of an electorate arrived: the next is asked for at once, but only if this one was of use.
    pub(super) fn receive_electorate(&mut self, place: usize, part: &ElectoratePart, now: Now) {
        let received = |fetch: &ElectorateFetch| fetch.under_way.as_ref().map(|under_way| under_way.electors.len());
        let before = received(&self.electorate_fetch);
        if let Some(electorate) = self.electorate_fetch.add(part) {
            self.merge_electorate(&electorate, now);
        } else if received(&self.electorate_fetch) > before {
            self.ask_for_electorate(place, now);
        }
    }

    fn merge_electorate(&mut self, other: &Electorate, now: Now) {
        if self.ballot.is_full() {
            return;
        }
        self.electorate_fetch.remember(other.digest());
        let merged = self.ballot.newest().map_or_else(|| other.clone(), |newest| newest.electorate.merged(other));
        self.adopt_electorate(merged, now);
    }

    /// A peer that counts by the same electorate may know the members whom this agent has not met.
    fn ask_for_unknown_members(&mut self, place: usize, now: Now) {
        let Some(newest) = self.ballot.newest() else { return };
        if !newest.has_unknown || self.peers[place].electorate != Some(newest.digest) {
            return;
        }
        let patience = self.settings.timing.confirm_period;
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

    fn fetching(digest: Digest) -> ElectorateFetch {
        let under_way = UnderWay { digest, electors: Vec::new(), floor: Floor::default(), asked: Now::START };
        ElectorateFetch { under_way: Some(under_way), ..ElectorateFetch::default() }
    }

    #[test]
    fn an_electorate_is_whole_when_its_parts_add_up_to_its_digest() {
        let electorate = Electorate::first((1..=5).map(NodeId), 7);
        let mut fetch = fetching(electorate.digest());
        assert_eq!(fetch.add(&part(&electorate, 0, 3)), None);
        assert_eq!(fetch.add(&part(&electorate, 0, 3)), None, "a repeated part adds nothing");
        assert_eq!(fetch.add(&part(&electorate, 3, 3)), Some(electorate));
    }

    #[test]
    fn what_does_not_add_up_is_thrown_away() {
        let electorate = Electorate::first((1..=3).map(NodeId), 0);
        let mut forged = part(&electorate, 0, 3);
        forged.floor = Floor { stamp: 9, members: 0 };
        assert_eq!(fetching(electorate.digest()).add(&forged), None);
    }
}
