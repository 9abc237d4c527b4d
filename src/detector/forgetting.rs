//! An operator's word that a node will not return.

use super::Detector;
use super::event::{Event, ForgetRefusal, LeaveReason};
use super::time::Now;
use crate::identity::NodeId;

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
        self.strike_off(id, now);
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

    fn strike_off(&mut self, id: NodeId, now: Now) {
        if let Some(newest) = self.ballot.newest().filter(|newest| newest.electorate.has(id)) {
            let mut changed = newest.electorate.changed(&[], &[id]);
            if changed.is_in_foundation() {
                changed = changed.with_lower_floor();
                self.membership.forgotten.insert(id);
            }
            self.adopt_electorate(changed, now);
        } else if self.place_of(id).is_some() {
            self.part_from(id, LeaveReason::Removed);
            if self.is_listed(id) { self.begin_again(&[id], now) } else { self.withdraw(&[id], now) }
        }
    }
}
