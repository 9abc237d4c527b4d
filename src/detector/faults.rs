//! What went wrong here: stalls, drops, errors on sending. They void what this agent missed, and blame nobody.

use std::time::Duration;

use super::event::{BlindCause, Event};
use super::time::Now;
use super::{Detector, LocalFault};

impl Detector {
    pub(super) fn stalled(&mut self, length: Duration, now: Now) {
        self.counters.stalls += 1;
        self.counters.stalled += length;
        self.health.stall(now, length, self.timing.detection_bound());
        self.emit_event(Event::Stalled { length });
        self.void_deadlines(now);
    }

    pub(super) fn void_deadlines(&mut self, now: Now) {
        for peer in &mut self.peers {
            peer.link.void(now, &self.timing);
            peer.quality.forgive();
        }
        self.void_inquiries();
        self.endpoints.slept();
        self.row.touch();
        self.publication.touch();
    }

    pub(super) fn local_fault(&mut self, fault: LocalFault, now: Now) {
        match fault {
            LocalFault::Send => self.counters.send_errors += 1,
            LocalFault::Drops { datagrams } => {
                self.counters.dropped += datagrams;
                if self.health.drop(now, self.timing.detection_bound()) {
                    self.emit_event(Event::Blind { cause: BlindCause::Drops });
                }
                self.void_deadlines(now);
            }
        }
    }
}
