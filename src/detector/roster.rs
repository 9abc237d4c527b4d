//! Who belongs: the roster of this agent, and rosters of others that differ.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Detector;
use super::bits::Bits;
use super::event::Event;
use super::peer::Peer;
use super::saved::{Saved, SavedNode};
use super::schedule::{Pace, Schedule, Turn};
use super::settings::Member;
use super::time::Now;
use crate::identity::{Digest, NodeId};
use crate::wire::RosterPart;

/// How large a roster may grow by strangers: what the agent's memory is measured for. A row over 65,536 nodes could not be
/// sent at all.
pub(super) const MOST_NODES: usize = 5_120;

/// How many ids one datagram carries.
pub(super) const IDS_IN_A_PART: usize = 120;

/// The roster of a peer, while it arrives in parts and after.
#[derive(Clone, Debug, Default)]
pub(super) struct Foreign {
    ids: Vec<NodeId>,
    whole: bool,
}

impl Foreign {
    /// The ids, once all are there and their digest is right.
    pub(super) fn complete(&self) -> Option<&[NodeId]> {
        self.whole.then_some(self.ids.as_slice())
    }

    /// How many ids are there: where the next part begins.
    pub(super) fn received(&self) -> u16 {
        u16::try_from(self.ids.len()).unwrap_or(u16::MAX)
    }

    /// Adds a part, if it is the next one. What does not add up to its digest is thrown away.
    pub(super) fn add(&mut self, part: &RosterPart) {
        if self.whole || self.received() != part.from {
            return;
        }
        self.ids.extend(&part.ids);
        if self.received() < part.total && !part.ids.is_empty() {
            return;
        }
        self.whole = self.ids.is_sorted() && Digest::of_ids(self.ids.iter().copied()) == part.digest;
        if !self.whole {
            self.ids.clear();
        }
    }
}

impl Detector {
    /// What the run before knew: this node, and whom it had in its roster.
    pub(super) fn restore(&mut self, saved: Saved, now: Now) {
        let cluster = self.settings.cluster.clone();
        let id_of = |node: &SavedNode| NodeId::of(&cluster, &node.name);
        self.keeping.heard = saved.roster.iter().filter_map(|node| Some((id_of(node), node.heard?))).collect();
        self.keeping.heard.remove(&self.id);
        let others = saved.roster.iter().map(Member::from).filter(|member| member.name != self.settings.node.name);
        let members = others.chain([self.settings.node.clone()]).collect();
        self.enroll(members, now);
        let until = now + self.timing.detection_bound() * 3 + self.timing.confirm_period * 4;
        self.ballot.restore(saved.electorates, &self.ids, until);
        self.remember_stop(saved.stopped);
    }

    /// Strangers proved that they belong.
    pub(super) fn admit(&mut self, members: Vec<Member>, now: Now) {
        for member in &members {
            self.emit_event(Event::PeerJoined { peer: member.name.clone() });
        }
        self.membership.relist.note_unlisted();
        self.enroll(members, now);
    }

    /// Adds the members that are not in the roster yet, and gives every row and set its new shape.
    pub(super) fn enroll(&mut self, members: Vec<Member>, now: Now) {
        let before = self.ids.clone();
        let cluster = self.settings.cluster.clone();
        let identified = members.into_iter().map(|member| (NodeId::of(&cluster, &member.name), member));
        let new: Vec<(NodeId, Member)> = identified.filter(|(id, _)| before.binary_search(id).is_err()).collect();
        if new.is_empty() {
            return;
        }
        let repaced = self.fit_timing(self.peers.len() + new.len(), now);
        for (id, member) in new {
            let peer = self.new_peer(id, member, now);
            self.peers.push(peer);
        }
        self.peers.sort_by_key(|peer| peer.id);
        self.peers.dedup_by_key(|peer| peer.id);
        self.reorder(&before, repaced, now);
    }

    /// Takes these nodes out of the roster.
    pub(super) fn withdraw(&mut self, gone: &[NodeId], now: Now) {
        if gone.is_empty() {
            return;
        }
        for id in gone {
            if let Some(place) = self.place_of(*id) {
                self.end_episode(place, now);
            }
            self.publication.outages.remove(id);
        }
        let before = self.ids.clone();
        self.peers.retain(|peer| !gone.contains(&peer.id));
        let repaced = self.fit_timing(self.peers.len(), now);
        self.reorder(&before, repaced, now);
    }

    /// From now on these nodes are as if they had never been heard.
    pub(super) fn begin_again(&mut self, gone: &[NodeId], now: Now) {
        for place in gone.iter().filter_map(|&id| self.place_of(id)).collect::<Vec<_>>() {
            let (id, member) = (self.peers[place].id, (*self.peers[place].member).clone());
            let (schedule, sequence) = (self.peers[place].schedule.clone(), self.peers[place].sequence);
            let peer = self.new_peer(id, member, now);
            self.peers[place] = peer;
            self.peers[place].schedule = schedule;
            // It may be there after all, and has seen the numbers before.
            self.peers[place].sequence = sequence;
            self.schedule_turn(place);
        }
        if !gone.is_empty() {
            self.note_the_unmet();
            self.row.touch();
            self.publication.touch();
        }
    }

    /// The roster changed: everybody's place is looked up anew. `repaced`: with it the timing changed.
    fn reorder(&mut self, before: &[NodeId], repaced: bool, now: Now) {
        self.ids = self.peers.iter().map(|peer| peer.id).collect();
        self.addresses = self.peers.iter().map(|peer| (peer.address, peer.id)).collect();
        self.me = self.place_of(self.id).unwrap_or(0);
        self.roster_version += 1;
        self.keeping.want();
        self.spread_phases(before, repaced, now);
        self.reshape(before, now);
    }

    fn new_peer(&mut self, id: NodeId, member: Member, now: Now) -> Peer {
        let timing = self.timing;
        let schedule = Schedule::new(timing.period, now, now, Pace::Every(timing.fallback_pace()));
        let known = self.keeping.heard.contains_key(&id);
        Peer::new(id, Arc::new(member), known, schedule, now, &timing)
    }

    /// Phases spread evenly, counted from our own place: so neither do we send to all at once, nor all to one.
    fn spread_phases(&mut self, before: &[NodeId], repaced: bool, now: Now) {
        let timing = self.timing;
        for place in 0..self.peers.len() {
            let turn = self.turn_of(place);
            let peer = &mut self.peers[place];
            if before.binary_search(&peer.id).is_ok() {
                if repaced {
                    peer.change_paces(turn, self.down_pace, now, &timing);
                }
                continue;
            }
            let fallback = timing.fallback_pace();
            let (grid, first) = (now + turn.begins_in(timing.period / 8 * 7), now + turn.begins_in(fallback));
            peer.schedule = Schedule::new(timing.period, grid, first, Pace::Every(fallback));
        }
    }

    /// A peer's turn in what goes to all of them.
    pub(super) fn turn_of(&self, place: usize) -> Turn {
        let count = self.peers.len();
        let after_me = (place + count - self.me) % count.max(1);
        Turn {
            before: u32::try_from(after_me.saturating_sub(1)).unwrap_or(u32::MAX),
            of: u32::try_from(count).unwrap_or(u32::MAX),
        }
    }

    /// Places have moved.
    fn reshape(&mut self, before: &[NodeId], now: Now) {
        self.roster_digest = Digest::of_ids(self.ids.iter().copied());
        let places: Vec<Option<usize>> = self.peers.iter().map(|peer| before.binary_search(&peer.id).ok()).collect();
        for peer in &mut self.peers {
            peer.reshape_row(&places);
        }
        self.relays.reshape(&places);
        self.publication.reshape(&places);
        self.endpoints.touch();
        self.close_emptied_partials(now);
        self.ballot.reshape(&self.ids);
        // Our row is about another roster now, and is due to everybody as soon as it is written.
        self.row_turns.clear();
        self.peers.iter_mut().for_each(|peer| peer.row_wake = None);
        self.turns.clear();
        for place in (0..self.peers.len()).filter(|&place| place != self.me) {
            let peer = &mut self.peers[place];
            peer.wake = peer.next_turn().max(now);
            self.turns.push(Reverse((peer.wake, place)));
        }
        self.note_the_unmet();
        self.who_probes_may_change(now);
        self.checking.reshape();
        self.row.touch();
    }

    fn note_the_unmet(&mut self) {
        self.unmet = Bits::none(self.peers.len());
        self.unmet.extend((0..self.peers.len()).filter(|&place| !self.peers[place].link.is_known()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(ids: &[u64], from: u16, total: u16, digest: Digest) -> RosterPart {
        RosterPart { digest, total, from, ids: ids.iter().copied().map(NodeId).collect() }
    }

    #[test]
    fn a_roster_is_whole_when_its_parts_add_up_to_its_digest() {
        let digest = Digest::of_ids([1, 2, 3].map(NodeId));
        let mut foreign = Foreign::default();
        foreign.add(&part(&[1, 2], 0, 3, digest));
        assert_eq!(foreign.complete(), None);
        foreign.add(&part(&[1, 2], 0, 3, digest));
        assert_eq!(foreign.received(), 2, "a repeated part adds nothing");
        foreign.add(&part(&[3], 2, 3, digest));
        assert_eq!(foreign.complete(), Some([1, 2, 3].map(NodeId).as_slice()));
    }

    #[test]
    fn a_roster_with_another_digest_is_thrown_away() {
        let mut foreign = Foreign::default();
        foreign.add(&part(&[1, 9, 3], 0, 3, Digest::of_ids([1, 2, 3].map(NodeId))));
        assert_eq!((foreign.complete(), foreign.received()), (None, 0));
    }
}
