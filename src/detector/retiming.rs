//! Timing that changes while the detector runs: by an operator, or by the cap as the roster grows and shrinks.
//!
//! What is under way keeps the time that it was given, or gets more: no change declares anything by itself. A faster pace
//! begins at once and a slower one is announced (`schedule`), so no peer misses anything either.

use std::time::Duration;

use super::Detector;
use super::settings::Settings;
use super::time::Now;
use super::timing::Timing;

/// How much of the period the roster may change unheeded: peers are told each new pace.
const SLACK: u32 = 32;

impl Detector {
    /// Whether one bound has passed since the start.
    pub(super) fn has_begun(&self, now: Now) -> bool {
        now >= self.begins
    }

    /// An operator chose other settings.
    pub(super) fn change_settings(&mut self, settings: Settings, now: Now) {
        let Settings { timing, mode, .. } = settings;
        (self.settings.timing, self.settings.mode) = (timing, mode);
        self.publication.touch();
        self.view_is_old = true;
        let timing = timing.at(self.peers.len());
        if timing != self.timing {
            self.adopt_timing(timing, now);
            self.change_paces(now);
        }
    }

    /// The roster comes to have so many nodes. True if with that the timing changes, and with it the paces of all peers.
    pub(super) fn fit_timing(&mut self, nodes: usize, now: Now) -> bool {
        let (timing, before) = (self.settings.timing.at(nodes), self.timing.period);
        let by = timing.period.abs_diff(before);
        let fits = by <= before / SLACK;
        if !fits {
            self.adopt_timing(timing, now);
        }
        !fits
    }

    /// Everything but the schedules.
    fn adopt_timing(&mut self, timing: Timing, now: Now) {
        let before = std::mem::replace(&mut self.timing, timing);
        let bound = timing.detection_bound().saturating_sub(before.detection_bound());
        let window = timing.confirm_period.saturating_sub(before.confirm_period);
        self.wait_longer(bound, window, now);
        self.membership.look_by(now + timing.detection_bound() / 2);
        self.contacts.hasten(now + timing.period);
        self.rows_due = Some(now);
        self.publication.touch();
        self.view_is_old = true;
    }

    /// Bound and window are so much longer than before.
    fn wait_longer(&mut self, bound: Duration, window: Duration, now: Now) {
        for peer in &mut self.peers {
            peer.link.wait_longer(bound);
        }
        if !self.has_begun(now) {
            self.begins = self.begins + bound;
        }
        // As `until_everybody_knows`, and for what the run before kept one bound more.
        self.ballot.wait_longer(bound * 3 + window * 4);
    }

    fn change_paces(&mut self, now: Now) {
        let timing = self.timing;
        for place in (0..self.peers.len()).filter(|&place| place != self.me).collect::<Vec<_>>() {
            let turn = self.turn_of(place);
            self.peers[place].change_paces(turn, now, &timing);
            self.hasten_turn(place);
        }
    }
}
