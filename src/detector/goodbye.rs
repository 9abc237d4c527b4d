//! The goodbye: said three times, with its reason, before the agent stops.

use std::time::Duration;

use super::event::Event;
use super::mode::Mode;
use super::saved::SavedStop;
use super::time::Now;
use super::{Detector, Output};
use crate::wire::GoodbyeReason;

/// How many goodbyes are said, and over which time: one loss must not make a polite stop look like a crash.
const GOODBYES: u8 = 3;

/// For how long the mode before a clean stop is told.
const REMEMBERED: Duration = Duration::from_secs(60);

const GOODBYE_INTERVAL: Duration = Duration::from_millis(50);

/// A goodbye under way.
pub(super) struct Leaving {
    pub(super) reason: GoodbyeReason,
    pub(super) left: u8,
    pub(super) next: Now,
}

impl Detector {
    pub(super) fn stop(&mut self, reason: GoodbyeReason, now: Now) {
        if self.leaving.is_none() {
            self.emit_event(Event::AgentStopped { reason });
            self.stopped = Some(SavedStop { mode: self.mode, at: self.micros(now) });
            self.keeping.want();
            self.leaving = Some(Leaving { reason, left: GOODBYES, next: now });
            self.say_goodbye(now);
        }
    }

    /// The run before stopped cleanly: what it said last holds for a minute, as a hint.
    pub(super) fn remember_stop(&mut self, stopped: Option<SavedStop>) {
        self.stopped_before = stopped.filter(|stopped| stopped.mode != Mode::Starting);
    }

    /// The mode before a clean stop within the last minute, as long as there is no newer one.
    pub(super) fn mode_before(&self, now: Now) -> Option<Mode> {
        let stopped = self.stopped_before.filter(|_| self.mode == Mode::Starting)?;
        // A stop that is still to come says that the clock was set back, and not when it was.
        let ago = Duration::from_micros(self.micros(now).0.checked_sub(stopped.at.0)?);
        (ago <= REMEMBERED).then_some(stopped.mode)
    }

    pub(super) fn say_goodbye(&mut self, now: Now) {
        let Some(leaving) = &mut self.leaving else { return };
        if leaving.left == 0 || now < leaving.next {
            return;
        }
        leaving.left -= 1;
        leaving.next = now + GOODBYE_INTERVAL;
        let done = leaving.left == 0;
        for place in 0..self.peers.len() {
            self.send_goodbye(place, now);
        }
        if done {
            self.emit(Output::Stopped);
        }
    }
}
