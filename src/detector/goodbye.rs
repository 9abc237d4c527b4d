//! The goodbye: said three times, with its reason, before the agent stops.

use std::time::Duration;

use super::event::Event;
use super::time::Now;
use super::{Detector, Output};
use crate::wire::GoodbyeReason;

/// How many goodbyes are said, and over which time: one loss must not make a polite stop look like a crash.
const GOODBYES: u8 = 3;
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
            self.emit(Output::Event(Event::AgentStopped { reason }));
            self.leaving = Some(Leaving { reason, left: GOODBYES, next: now });
            self.say_goodbye(now);
        }
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
