//! Peers' turns: what is due from a peer is judged, what is due to it is sent, and what a changed link sets off.

use std::cmp::Reverse;

use super::Detector;
use super::bucket::Extra;
use super::link::{Change, LinkState};
use super::time::Now;

impl Detector {
    pub(super) fn run_turns(&mut self, now: Now) {
        while let Some(&Reverse((due, place))) = self.turns.peek() {
            if due > now {
                break;
            }
            if self.peers[place].wake == due {
                self.turn(place, now);
                self.move_turn(place, due);
            } else {
                self.turns.pop();
            }
        }
    }

    /// One peer's turn: what is due from it is judged, what is due to it is sent.
    pub(super) fn turn(&mut self, place: usize, now: Now) {
        let timing = self.timing;
        let peer = &mut self.peers[place];
        let deaf_pace = peer.deaf_pace();
        if let Some(change) = peer.link.judge(now, deaf_pace, &timing) {
            let change = self.take_the_word_of_others(place, change);
            self.link_changed(place, change, now);
        }
        self.peers[place].update_pace(self.down_pace, now, &timing);
        if self.peers[place].schedule.next() <= now && self.may_send_heartbeat(place, now) {
            self.send_heartbeat(place, now);
        } else if self.peers[place].next_extra_poll().is_some_and(|due| due <= now) {
            self.send_poll(place, now);
        }
    }

    /// A peer fell silent of which nobody else waits for a word: it said goodbye, and this agent slept, or had not started.
    fn take_the_word_of_others(&mut self, place: usize, change: Change) -> Change {
        if !matches!(change, Change::Down { .. }) || !self.is_absent_for_all_others(place) {
            return change;
        }
        self.peers[place].link.forget();
        self.unmet.set(place);
        Change::Absent
    }

    /// Whether some valid rows say so, and none another thing. Who uses another roster, or has not run for long enough, may
    /// not know yet.
    fn is_absent_for_all_others(&self, place: usize) -> bool {
        let last_heard = self.peers[place].link.last_heard();
        let others = self.peers.iter().enumerate().filter(|&(other, _)| other != self.me && other != place);
        let mut rows = others.filter_map(|(_, peer)| Some((peer, peer.valid_row()?)));
        let mut is_absent = false;
        let is_known = rows.any(|(peer, row)| {
            let ran_then = last_heard.is_some_and(|heard| peer.up_since.is_some_and(|up| up < heard));
            let may_know = ran_then || row.incarnation < self.incarnation;
            is_absent |= may_know && peer.roster == self.roster_digest && row.absent.has(place);
            row.ok.has(place) || row.broken.has(place)
        });
        is_absent && !is_known
    }

    /// A turn is over: its entry becomes that of the next, in its place if it is the first still, which is half the work.
    /// If not, it is skipped later.
    fn move_turn(&mut self, place: usize, over: Now) {
        let peer = &mut self.peers[place];
        peer.wake = peer.next_turn();
        let next = Reverse((peer.wake, place));
        if let Some(mut first) = self.turns.peek_mut().filter(|first| **first == Reverse((over, place))) {
            *first = next;
        } else {
            self.turns.push(next);
        }
    }

    /// Whether the heartbeat of a peer may go now. One whose link is down may have to wait a little for others.
    fn may_send_heartbeat(&mut self, place: usize, now: Now) -> bool {
        let peer = &mut self.peers[place];
        if peer.link.state() != LinkState::Down || !peer.is_acquainted() {
            return true;
        }
        let drawn = self.bucket.draw(Extra::Poll, 1, now);
        if let Err(later) = drawn {
            // Not all who wait at once again.
            let spread = self.down_pace.mul_f64(self.jitter() / 4.0);
            self.peers[place].schedule.put_off(later + spread);
        }
        drawn.is_ok()
    }

    /// The pace towards peers whose links are down: d/3, or so many times as long that they leave half of what may go
    /// beside the heartbeats to rows, but no longer than a period. Whole multiples, so that it is not announced anew all
    /// the time.
    pub(super) fn update_down_pace(&mut self) {
        let pace = self.timing.poll_pace();
        let least = self.bucket.pace_of(self.row.held.broken.count());
        let times = least.as_nanos().div_ceil(pace.as_nanos().max(1)).max(1);
        let slower = pace.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
        self.down_pace = slower.min(self.timing.period.max(pace));
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
        self.touch_cell(place);
        if !matches!(change, Change::Failed { .. }) {
            self.publication.touch();
            self.who_probes_may_change(now);
        }
        let peer = self.name_of(place);
        match change {
            Change::Heard | Change::Recovered => {
                self.publication.links.came_up(peer, now);
                self.peers[place].up_since = Some(now);
                self.unmet.clear(place);
                self.remember_heard(place, now);
                self.drop_relayed(self.peers[place].id);
            }
            Change::Down { silent_for } => {
                self.publication.links.went_down(peer, silent_for, now);
                self.keeping.want_soon(now);
                self.checking.everybody();
                self.inquire(place, now);
                self.judge_udp(now);
                self.seek_relays(now);
            }
            Change::Failed { failures, checked } => {
                self.counters.missed += u64::from(failures == 1);
                if failures >= 2 || checked {
                    self.checking.everybody();
                    self.inquire(place, now);
                }
            }
            Change::Absent => {}
        }
    }

    pub(super) fn remember_heard(&mut self, place: usize, now: Now) {
        let (id, heard) = (self.peers[place].id, self.micros(now));
        if self.keeping.heard.insert(id, heard).is_none() {
            self.keeping.want_soon(now);
        }
    }
}
