//! Whose turn it is to get our row by itself, if no heartbeat takes it along before.
//!
//! A row that changed is due to everybody at once. Sent in one turn, thousands of them would meet in the sockets of their
//! receivers with those of all others who saw the same: they go one after another, each agent beginning with the peer
//! behind its own place.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::Detector;
use super::bucket::Extra;
use super::schedule::Turn;
use super::time::Now;
use crate::wire::Flags;

/// How many leave at once: a wake-up for each would cost more than the sending.
const TOGETHER: u32 = 16;

/// For how long the next of them wait at most. A thousand peers and more share d/2.
const PAUSE: Duration = Duration::from_millis(4);

/// Peers by the time at which our row goes to them by itself; entries that a peer has moved away from are skipped.
#[derive(Debug, Default)]
pub(super) struct RowTurns {
    heap: BinaryHeap<Reverse<(Now, usize)>>,
    /// Nobody has a turn before: more has to go out than may.
    rests_until: Now,
}

impl RowTurns {
    /// When the first of them comes.
    pub(super) fn next(&self) -> Option<Now> {
        self.heap.peek().map(|&Reverse((due, _))| due.max(self.rests_until))
    }

    /// Places have moved.
    pub(super) fn clear(&mut self) {
        self.heap.clear();
    }
}

impl Detector {
    /// Sends our row to everybody whose turn has come.
    pub(super) fn send_due_rows(&mut self, now: Now) {
        if now < self.row_turns.rests_until {
            return;
        }
        while let Some(&Reverse((due, place))) = self.row_turns.heap.peek() {
            let is_current = self.peers[place].row_wake == Some(due);
            if is_current && due > now {
                break;
            }
            let goes = is_current && self.row_due_to(place, now).is_some_and(|due| due <= now);
            let drawn = if goes { self.bucket.draw(Extra::Row, self.row.datagrams.len(), now) } else { Ok(()) };
            if let Err(later) = drawn {
                self.row_turns.rests_until = later;
                break;
            }
            self.row_turns.heap.pop();
            if is_current {
                self.row_turn(place, now);
            }
        }
    }

    /// One peer's turn. It may hold our row by now, or a heartbeat took it along.
    fn row_turn(&mut self, place: usize, now: Now) {
        self.peers[place].row_wake = None;
        let Some(due) = self.row_due_to(place, now) else { return };
        if due <= now {
            self.send_out_of_turn(place, Flags::default(), Vec::new(), now);
        }
        // A row that did not fit is not tried again at once.
        let again = if due <= now { now + self.timing.confirm_period / 2 } else { due };
        self.wake_for_row(place, again);
    }

    /// Our row is another: it is due to everybody, in turn. Whose turn was about to come keeps it, or a row that
    /// changes again and again would never reach the last of them.
    pub(super) fn schedule_rows(&mut self, now: Now) {
        for place in 0..self.peers.len() {
            if let Some(due) = self.row_due_to(place, now).filter(|_| place != self.me) {
                let begins = now + begins_in(self.turn_of(place), self.timing.confirm_period / 2);
                self.wake_for_row(place, due.max(begins));
            }
        }
    }

    /// A peer said which row of ours it holds: if it is not this one, it is due again. A turn that comes within d/2
    /// anyway is soon enough.
    pub(super) fn note_row_due(&mut self, place: usize, now: Now) {
        let soon = now + self.timing.confirm_period / 2;
        if self.peers[place].row_wake.is_some_and(|wake| wake <= soon) {
            return;
        }
        if let Some(due) = self.row_due_to(place, now) {
            self.wake_for_row(place, due);
        }
    }

    fn row_due_to(&self, place: usize, now: Now) -> Option<Now> {
        // Without polls rows go with the heartbeats in turn.
        let timing = Some(&self.timing).filter(|timing| timing.polls_per_window > 0)?;
        self.peers[place].row_due(self.row.digest, self.row.changed, now, timing)
    }

    fn wake_for_row(&mut self, place: usize, at: Now) {
        let wake = &mut self.peers[place].row_wake;
        if wake.is_none_or(|wake| at < wake) {
            *wake = Some(at);
            self.row_turns.heap.push(Reverse((at, place)));
        }
    }
}

/// How long after a change of the row a turn begins, if all of them have to be over within `stretch`.
fn begins_in(turn: Turn, stretch: Duration) -> Duration {
    let groups = turn.of.div_ceil(TOGETHER).max(1);
    (stretch / groups).min(PAUSE) * (turn.before / TOGETHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRETCH: Duration = Duration::from_millis(250);

    fn all(peers: u32) -> Vec<Duration> {
        (0..peers).map(|before| begins_in(Turn { before, of: peers }, STRETCH)).collect()
    }

    #[test]
    fn a_few_rows_go_at_once() {
        assert!(all(TOGETHER).iter().all(Duration::is_zero));
    }

    #[test]
    fn no_row_waits_longer_than_half_a_confirm_period() {
        for peers in [1, 17, 100, 1000, 5000] {
            assert!(all(peers).iter().all(|&wait| wait <= STRETCH), "{peers}");
        }
    }

    #[test]
    fn thousands_of_rows_are_spread_evenly() {
        let waits = all(5000);
        for milliseconds in [50, 100, 150, 200, 250] {
            let gone = waits.iter().filter(|wait| **wait < Duration::from_millis(milliseconds)).count();
            let share = gone as f64 / waits.len() as f64;
            assert!(
                (share - f64::from(u32::try_from(milliseconds).unwrap()) / 250.0).abs() < 0.01,
                "{milliseconds}: {gone}"
            );
        }
    }
}
