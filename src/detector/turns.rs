//! Peers' turns: what is due from a peer is judged, what is due to it is sent, and what a changed link sets off.

use std::cmp::Reverse;

use super::Detector;
use super::link::Change;
use super::time::Now;

impl Detector {
    pub(super) fn run_turns(&mut self, now: Now) {
        while let Some(&Reverse((due, place))) = self.turns.peek() {
            if due > now {
                break;
            }
            self.turns.pop();
            if self.peers[place].wake == due {
                self.turn(place, now);
            }
        }
    }

    /// One peer's turn: what is due from it is judged, what is due to it is sent.
    pub(super) fn turn(&mut self, place: usize, now: Now) {
        let timing = self.timing;
        let peer = &mut self.peers[place];
        let deaf_pace = peer.deaf_pace();
        if let Some(change) = peer.link.judge(now, deaf_pace, &timing) {
            self.link_changed(place, change, now);
        }
        self.peers[place].update_pace(now, &timing);
        if self.peers[place].schedule.next() <= now {
            self.send_heartbeat(place, now);
        } else if self.peers[place].next_extra_poll().is_some_and(|due| due <= now) {
            self.send_poll(place, now);
        }
        self.schedule_turn(place);
    }

    /// Puts the next turn of a peer into the heap.
    pub(super) fn schedule_turn(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        peer.wake = peer.next_turn();
        self.turns.push(Reverse((peer.wake, place)));
    }

    /// As `schedule_turn`, but only if the turn is earlier than the one in the heap: a deadline that moves away costs
    /// nothing until the old one comes.
    pub(super) fn hasten_turn(&mut self, place: usize) {
        if self.peers[place].next_turn() < self.peers[place].wake {
            self.schedule_turn(place);
        }
    }

    pub(super) fn link_changed(&mut self, place: usize, change: Change, now: Now) {
        self.row.touch();
        self.publication.touch();
        let peer = self.name_of(place);
        match change {
            Change::Heard | Change::Recovered => {
                self.publication.links.came_up(peer, now);
                self.peers[place].up_since = Some(now);
                self.remember_heard(place, now);
            }
            Change::Down { silent_for } => {
                self.publication.links.went_down(peer, silent_for, now);
                self.keeping.want_by(now + self.timing.confirm_period);
                self.check_the_silent(now);
                self.inquire(place, now);
                self.judge_udp(now);
            }
            Change::Failed { failures, checked } => {
                self.counters.missed += u64::from(failures == 1);
                if failures >= 2 || checked {
                    self.check_the_silent(now);
                    self.inquire(place, now);
                }
            }
            Change::Absent => {}
        }
    }

    pub(super) fn remember_heard(&mut self, place: usize, now: Now) {
        let (id, heard) = (self.peers[place].id, self.micros(now));
        if self.keeping.heard.insert(id, heard).is_none() {
            self.keeping.want_by(now + self.timing.confirm_period);
        }
    }

    /// One link is in trouble: every other that has been silent for a while is tried now, so that all links of a cut
    /// fall within a few windows of each other.
    pub(super) fn check_the_silent(&mut self, now: Now) {
        for place in 0..self.peers.len() {
            self.check(place, now);
        }
    }

    pub(super) fn check(&mut self, place: usize, now: Now) {
        let timing = self.timing;
        if place == self.me || timing.polls_per_window == 0 {
            return;
        }
        let peer = &mut self.peers[place];
        let deaf_pace = peer.deaf_pace();
        if peer.link.check(now, deaf_pace, &timing) {
            peer.update_pace(now, &timing);
            self.hasten_turn(place);
        }
    }
}
