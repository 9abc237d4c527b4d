//! Where this node stands: what the mode is computed from, and the event that says that it changed.

use super::Detector;
use super::event::{BlindCause, Event};
use super::mode::Standing;
use super::time::Now;

impl Detector {
    /// What this side may do, and an event if that changed.
    pub(super) fn update_mode(&mut self, now: Now) {
        let members = self.electors_among(self.publication.side.published());
        let electorate = self.electorate.ids.len();
        let mode = self.standing(members, now).mode(&self.settings.mode);
        if mode == self.mode {
            return;
        }
        let from = std::mem::replace(&mut self.mode, mode);
        self.view_is_old = true;
        self.emit_event(Event::ModeChanged { from, to: mode, members, electorate });
    }

    fn standing(&mut self, members: usize, now: Now) -> Standing {
        let bound = self.settings.timing.detection_bound();
        let blind = self.is_blind(now);
        if blind && !self.publication.said_blind && now >= self.started + bound && self.keeping.heard.is_empty() {
            self.publication.said_blind = true;
            self.emit_event(Event::Blind { cause: BlindCause::NeverHeard });
        }
        let side = self.publication.side.published();
        let lowest = self.electorate.lowest.and_then(|id| self.place_of(id));
        Standing {
            starting: now < self.started + bound || self.health.is_waking(now, bound) || blind || side.is_empty(),
            members,
            electorate: self.electorate.ids.len(),
            cut: self.publication.cut.published().is_some(),
            partition: false,
            lossy: self.peers.iter().any(|peer| peer.link.is_up() && peer.quality.is_degraded()),
            has_lowest: lowest.is_some_and(|place| side.has(place)),
        }
    }
}
