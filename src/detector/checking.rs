//! Which links are tried now though nothing is due from them: one is in trouble, here or in the row of another, and all
//! links of a cut are to fall within a few windows of each other.
//!
//! In a large cut every row and every link says so again. They are noted, and looked at together.

use super::Detector;
use super::bits::Bits;
use super::settings::Timing;
use super::time::Now;

/// Who is to be looked at, and when that was done last.
#[derive(Debug, Default)]
pub(super) struct Checking {
    everybody: bool,
    noted: Bits,
    looked: Option<Now>,
}

impl Checking {
    /// Whoever has been silent for a while.
    pub(super) fn everybody(&mut self) {
        self.everybody = true;
    }

    /// Some, as far as they have been silent for a while.
    pub(super) fn some(&mut self, of: Bits) {
        if self.noted.is_empty() {
            self.noted = of;
        } else {
            self.noted.add(&of);
        }
    }

    /// Places have moved.
    pub(super) fn reshape(&mut self) {
        self.everybody |= !self.noted.is_empty();
        self.noted = Bits::default();
    }

    fn is_wanted(&self) -> bool {
        self.everybody || !self.noted.is_empty()
    }

    /// When there is something to be looked at: at once, and then at most every d/16, which is little beside a window.
    pub(super) fn next(&self, timing: &Timing) -> Option<Now> {
        let rested = self.looked.map_or(Now::START, |looked| looked + timing.confirm_period / 16);
        self.is_wanted().then_some(rested)
    }
}

impl Detector {
    /// Tries those who were noted.
    pub(super) fn check_the_noted(&mut self, now: Now) {
        if self.checking.next(&self.timing).is_none_or(|due| now < due) {
            return;
        }
        let Checking { everybody, noted, .. } = std::mem::take(&mut self.checking);
        self.checking.looked = Some(now);
        for place in 0..self.peers.len() {
            if everybody || noted.has(place) {
                self.check(place, now);
            }
        }
        // Who is tried gets its first poll now.
        self.run_turns(now);
    }

    pub(super) fn check(&mut self, place: usize, now: Now) {
        let timing = self.timing;
        if place == self.me || timing.polls_per_window == 0 {
            return;
        }
        let peer = &mut self.peers[place];
        let deaf_pace = peer.deaf_pace();
        if peer.link.check(now, deaf_pace, &timing) {
            peer.update_pace(self.down_pace, now, &timing);
            self.hasten_turn(place);
        }
    }
}
