//! An operator's word that a node will not return.

use super::Detector;
use super::event::{Event, ForgetRefusal, LeaveReason};
use super::time::Now;
use crate::identity::NodeId;

/// How many electorates may be replaced one after the other before those who are forgotten are collected.
const SINGLY: usize = 8;

impl Detector {
    /// Whether it is heard, here or by others of this side.
    fn is_there(&self, place: usize) -> bool {
        self.peers[place].link.is_up() || self.publication.joined.has(place)
    }

    /// Orders that came before anybody could be heard.
    pub(super) fn forget_who_waits(&mut self, now: Now) {
        if self.has_begun(now) {
            for name in std::mem::take(&mut self.membership.to_forget) {
                self.forget(&name, now);
            }
        }
    }

    /// An operator says that a node will not return. One that is heard is there all the same, and stays.
    pub(super) fn forget(&mut self, name: &str, now: Now) {
        if !self.has_begun(now) {
            // Nobody was heard yet who may be there.
            self.membership.to_forget.insert(name.to_owned());
            return;
        }
        let (id, peer) = (NodeId::of(&self.settings.cluster, name), name.to_owned());
        if let Some(cause) = self.why_not_forgotten(id) {
            self.emit_event(Event::ForgetRefused { peer, cause });
            return;
        }
        self.emit_event(Event::NodeForgotten { peer });
        if self.ballot.newest().is_some_and(|newest| newest.electorate.has(id)) {
            self.membership.to_strike_off.insert(id);
            self.strike_off(now);
        } else if self.place_of(id).is_some() {
            self.part_from(id, LeaveReason::Removed);
            if self.is_listed(id) { self.begin_again(&[id], now) } else { self.withdraw(&[id], now) }
        }
        self.membership.look_by(now);
    }

    fn why_not_forgotten(&self, id: NodeId) -> Option<ForgetRefusal> {
        match self.place_of(id) {
            _ if id == self.id => Some(ForgetRefusal::Itself),
            Some(place) if self.is_there(place) => Some(ForgetRefusal::Heard),
            None if !self.ballot.newest().is_some_and(|newest| newest.electorate.has(id)) => {
                Some(ForgetRefusal::Unknown)
            }
            _ => None,
        }
    }

    /// Strikes those off the electorate who were forgotten, one by one as long as these are few; then many at once. Each
    /// electorate that was replaced counts until the cut closes, and there is room for so many only.
    pub(super) fn strike_off(&mut self, now: Now) {
        let last = self.membership.changed.filter(|_| self.ballot.replaced() >= SINGLY);
        if last.is_some_and(|last| now < self.until_everybody_knows(last)) || self.ballot.is_full() {
            return;
        }
        let ids = std::mem::take(&mut self.membership.to_strike_off);
        let is_there = |id: NodeId| self.place_of(id).is_some_and(|place| self.is_there(place));
        let Some(newest) = self.ballot.newest() else { return };
        // Another agent of this side may have been told the same.
        let ids: Vec<NodeId> = ids.into_iter().filter(|&id| newest.electorate.has(id) && !is_there(id)).collect();
        if ids.is_empty() {
            return;
        }
        let mut changed = newest.electorate.changed(&[], &ids);
        if changed.is_in_foundation() {
            changed = changed.with_lower_floor();
            self.membership.forgotten.extend(ids);
        }
        self.adopt_electorate(changed, now);
    }
}
