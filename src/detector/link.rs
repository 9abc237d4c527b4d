//! One link: what arrives here from one peer, judged in virtual time.
//!
//! ```text
//! unknown ──first heartbeat──▶ up ──deadline missed (failure 1)──▶ suspect ──failure N──▶ down
//!                              ▲ ◀──────any heartbeat──────────────┘                       │
//!                              └────────────── M heartbeats in a row ◀─────────────────────┘
//! ```
//!
//! The link counts failures and says what changed; whoever owns it sends the polls that a window needs.

use std::time::Duration;

use super::row::Cell;
use super::settings::Timing;
use super::time::Now;
use crate::wire::GoodbyeReason;

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Never heard, by nobody known: counts in coverage, not in a partition.
    Absent,
    /// Cannot be told: not heard yet, or a new incarnation that has not answered a challenge.
    Unknown,
    /// Heard; suspect if windows are being counted.
    Up,
    /// N failures in a row.
    Down,
    /// Said goodbye.
    Left(GoodbyeReason),
}

/// What a heartbeat, a deadline or a check did to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// From unknown, absent or left to up.
    Heard,
    /// From down to up.
    Recovered,
    /// One more failure, not yet enough. The owner polls now.
    Failed {
        /// How many in a row so far.
        failures: u8,
        /// Whether it was under check before its own deadline.
        checked: bool,
    },
    /// Declared down.
    Down {
        /// Time since the last datagram that arrived, if one ever did.
        silent_for: Option<Duration>,
    },
    /// Nobody is known to have heard this peer.
    Absent,
}

/// Consecutive failures of a link, and the window that decides on the next.
#[derive(Clone, Copy, Debug)]
struct Confirm {
    failures: u8,
    window_ends: Now,
    checked: bool,
}

/// Heartbeats counted towards recovery.
#[derive(Clone, Copy, Debug, Default)]
struct Recovery {
    heartbeats: u8,
    last: Now,
}

/// The link from one peer to this agent.
#[derive(Clone, Debug)]
pub struct Link {
    state: LinkState,
    /// Up: when failure 1 is due. Unknown: when it is judged.
    deadline: Now,
    last_heard: Option<Now>,
    pace: Duration,
    confirm: Option<Confirm>,
    recovery: Recovery,
    known: bool,
    /// This agent did not run when it might have heard the peer, and has not heard it for a bound: what was heard before
    /// is no word on what is.
    doubted: bool,
}

impl Link {
    /// A link of which nothing is known yet. `known`: somebody is known to have heard the peer.
    pub fn new(known: bool, now: Now, timing: &Timing) -> Self {
        Self {
            state: LinkState::Unknown,
            deadline: now + timing.detection_bound(),
            last_heard: None,
            pace: timing.period,
            confirm: None,
            recovery: Recovery::default(),
            known,
            doubted: false,
        }
    }

    /// Where the link stands.
    pub fn state(&self) -> LinkState {
        self.state
    }

    /// Whether the owner counts on what the peer says: up, suspect or not.
    pub fn is_up(&self) -> bool {
        self.state == LinkState::Up
    }

    /// Whether somebody is known to have heard the peer.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Failures in a row while up.
    pub fn failures(&self) -> u8 {
        self.confirm.map_or(0, |confirm| confirm.failures)
    }

    /// Whether windows are being counted: under check or suspect.
    pub fn is_confirming(&self) -> bool {
        self.confirm.is_some()
    }

    /// When the last authentic datagram of this peer arrived.
    pub fn last_heard(&self) -> Option<Now> {
        self.last_heard
    }

    /// The interval that the peer announced last.
    pub fn pace(&self) -> Duration {
        self.pace
    }

    /// What the row says of this link. Failure 1 is private unless the link was under check: at 1 % loss it would
    /// multiply the traffic of rows by 13.
    pub fn cell(&self) -> Cell {
        match self.state {
            LinkState::Absent | LinkState::Left(_) => Cell::Absent,
            // Else each start of an agent would make the others judge nodes that nobody ever heard.
            LinkState::Unknown if !self.known => Cell::Absent,
            LinkState::Unknown => Cell::Unknown,
            LinkState::Down => Cell::Down,
            LinkState::Up if self.doubted => Cell::Unknown,
            LinkState::Up => match self.confirm {
                Some(confirm) if confirm.failures >= 2 || confirm.failures == 1 && confirm.checked => Cell::Late,
                _ => Cell::Up,
            },
        }
    }

    /// When [`Self::judge`] has something to say.
    pub fn next_deadline(&self) -> Option<Now> {
        match (self.state, self.confirm) {
            (LinkState::Up, Some(Confirm { failures: 1.., window_ends, .. })) => Some(window_ends),
            (LinkState::Up, Some(confirm)) => Some(confirm.window_ends.min(self.deadline)),
            (LinkState::Up | LinkState::Unknown, _) => Some(self.deadline),
            _ => None,
        }
    }

    /// An authentic, fresh datagram arrived. `counts`: it is not an answer to a poll, so it counts for recovery.
    pub fn heard(&mut self, now: Now, pace: Duration, counts: bool, timing: &Timing) -> Option<Change> {
        let gap = self.last_heard.map(|last| now.since(last));
        let broke_off = gap.is_none_or(|gap| gap > self.pace + timing.timeout);
        self.known = true;
        self.doubted = false;
        self.pace = pace;
        self.last_heard = Some(now);
        self.deadline = now + pace + timing.timeout;
        self.confirm = None;
        match self.state {
            LinkState::Up => None,
            LinkState::Down => self.recover(now, counts, broke_off, timing),
            LinkState::Absent | LinkState::Unknown | LinkState::Left(_) => {
                self.state = LinkState::Up;
                Some(Change::Heard)
            }
        }
    }

    /// Counts heartbeats that are at least a quarter of d apart: the pace under suspicion is d/3, and delay varies.
    fn recover(&mut self, now: Now, counts: bool, broke_off: bool, timing: &Timing) -> Option<Change> {
        if broke_off {
            self.recovery = Recovery::default();
        }
        let apart = self.recovery.heartbeats == 0 || now.since(self.recovery.last) >= timing.confirm_period / 4;
        if !counts || !apart {
            return None;
        }
        self.recovery = Recovery { heartbeats: self.recovery.heartbeats + 1, last: now };
        if self.recovery.heartbeats < timing.success_threshold.get() {
            return None;
        }
        self.state = LinkState::Up;
        Some(Change::Recovered)
    }

    /// Starts the confirm windows now, before the deadline. True if there was something to start.
    pub fn check(&mut self, now: Now, deaf_pace: Option<Duration>, timing: &Timing) -> bool {
        let silent =
            self.last_heard.is_some_and(|last| now.since(last) >= timing.confirm_period.min(timing.period / 2));
        if self.state != LinkState::Up || self.confirm.is_some() || !silent {
            return false;
        }
        self.confirm = Some(Confirm { failures: 0, window_ends: now + timing.window(deaf_pace), checked: true });
        true
    }

    /// Judges what is due at `now`. `deaf_pace`: the pace of a peer that said it does not hear us.
    pub fn judge(&mut self, now: Now, deaf_pace: Option<Duration>, timing: &Timing) -> Option<Change> {
        if self.next_deadline().is_none_or(|due| now < due) {
            return None;
        }
        if self.state == LinkState::Unknown {
            return Some(self.judge_unknown(now));
        }
        let before = self.confirm.unwrap_or(Confirm { failures: 0, window_ends: now, checked: false });
        let failures = before.failures + 1;
        if failures >= timing.failure_threshold.get() {
            return Some(self.declare_down(now));
        }
        // A window counts from now, when its first poll is really sent, and not from when it should have been.
        self.confirm = Some(Confirm { failures, window_ends: now + timing.window(deaf_pace), ..before });
        Some(Change::Failed { failures, checked: before.checked })
    }

    fn judge_unknown(&mut self, now: Now) -> Change {
        if self.known {
            return self.declare_down(now);
        }
        self.state = LinkState::Absent;
        Change::Absent
    }

    fn declare_down(&mut self, now: Now) -> Change {
        self.state = LinkState::Down;
        self.doubted = false;
        self.confirm = None;
        self.recovery = Recovery::default();
        Change::Down { silent_for: self.last_heard.map(|last| now.since(last)) }
    }

    /// Somebody is known to have heard this peer: silence means something now, whatever a list said.
    pub fn learn_known(&mut self, now: Now, timing: &Timing) {
        self.known = true;
        if self.state == LinkState::Absent || self.is_seen_off() {
            self.expect(now, timing);
        }
    }

    /// A new incarnation speaks that has not answered a challenge yet. True if the state changed.
    pub fn become_unknown(&mut self, now: Now, timing: &Timing) -> bool {
        let changes = matches!(self.state, LinkState::Up | LinkState::Down);
        if changes {
            self.state = LinkState::Unknown;
            self.deadline = now + timing.detection_bound();
            self.confirm = None;
        }
        changes
    }

    /// The peer speaks a language that cannot be read: it is there, and that is all that can be told.
    pub fn speaks_unreadably(&mut self, now: Now, timing: &Timing) {
        self.state = LinkState::Unknown;
        self.deadline = now + timing.detection_bound();
        self.confirm = None;
        self.known = true;
    }

    /// The bound is so much longer from now on: silence alone says as much less of a peer that was not heard yet. A
    /// deadline that a heartbeat set stands, for the peer's own pace rules it.
    pub fn wait_longer(&mut self, by: Duration) {
        if self.state == LinkState::Unknown {
            self.deadline = self.deadline + by;
        }
    }

    /// Nobody knows the peer any more.
    pub fn forget(&mut self) {
        self.state = LinkState::Absent;
        self.known = false;
    }

    /// A list says that the agent of a peer that nobody is known to have heard is being ended.
    pub fn see_off(&mut self) {
        if !self.known && matches!(self.state, LinkState::Absent | LinkState::Unknown) {
            self.state = LinkState::Left(GoodbyeReason::Stopped);
        }
    }

    /// Whether a list said goodbye for it, and not it itself.
    pub fn is_seen_off(&self) -> bool {
        matches!(self.state, LinkState::Left(_)) && self.last_heard.is_none()
    }

    /// A peer that said goodbye runs again: it is waited for.
    pub fn expect(&mut self, now: Now, timing: &Timing) {
        self.state = LinkState::Unknown;
        self.deadline = now + timing.detection_bound();
    }

    /// The peer said goodbye.
    pub fn leave(&mut self, reason: GoodbyeReason, now: Now) {
        self.state = LinkState::Left(reason);
        self.last_heard = Some(now);
        self.confirm = None;
    }

    /// This agent did not run: what passed meanwhile says nothing of the peer. Every deadline starts again.
    pub fn void(&mut self, now: Now, timing: &Timing) {
        match self.state {
            LinkState::Up => {
                self.confirm = None;
                self.deadline = self.deadline.max(now + self.pace + timing.timeout);
                self.doubted |= self.last_heard.is_some_and(|heard| now.since(heard) > timing.detection_bound());
            }
            LinkState::Unknown => self.deadline = self.deadline.max(now + timing.detection_bound()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    fn timing() -> Timing {
        Timing::of_period(Duration::from_secs(1))
    }

    fn link_heard_at(now: Now) -> Link {
        let mut link = Link::new(false, Now::START, &timing());
        assert_eq!(link.heard(now, Duration::from_secs(1), true, &timing()), Some(Change::Heard));
        link
    }

    #[test]
    fn three_failures_in_a_row_are_down_and_not_one_earlier() {
        let mut link = link_heard_at(at(0));
        assert_eq!(link.judge(at(1499), None, &timing()), None);
        assert_eq!(link.judge(at(1500), None, &timing()), Some(Change::Failed { failures: 1, checked: false }));
        assert_eq!(link.judge(at(1999), None, &timing()), None);
        assert_eq!(link.judge(at(2000), None, &timing()), Some(Change::Failed { failures: 2, checked: false }));
        let down = Change::Down { silent_for: Some(timing().detection_bound()) };
        assert_eq!(link.judge(at(2500), None, &timing()), Some(down));
    }

    #[test]
    fn a_lost_datagram_never_counts_twice() {
        let mut link = link_heard_at(at(0));
        link.judge(at(1500), None, &timing());
        link.heard(at(1600), Duration::from_secs(1), false, &timing());
        assert_eq!(link.failures(), 0);
        assert_eq!(link.next_deadline(), Some(at(3100)));
    }

    #[test]
    fn the_first_failure_is_private_and_the_second_is_late() {
        let mut link = link_heard_at(at(0));
        link.judge(at(1500), None, &timing());
        assert_eq!(link.cell(), Cell::Up);
        link.judge(at(2000), None, &timing());
        assert_eq!(link.cell(), Cell::Late);
    }

    #[test]
    fn a_checked_link_shows_its_first_failure_and_is_down_after_three_silent_windows() {
        let mut link = link_heard_at(at(0));
        assert!(!link.check(at(499), None, &timing()), "heard too recently");
        assert!(link.check(at(600), None, &timing()));
        assert_eq!(link.judge(at(1100), None, &timing()), Some(Change::Failed { failures: 1, checked: true }));
        assert_eq!(link.cell(), Cell::Late);
        link.judge(at(1600), None, &timing());
        assert!(matches!(link.judge(at(2100), None, &timing()), Some(Change::Down { .. })));
    }

    #[test]
    fn a_check_never_moves_the_first_failure_beyond_the_deadline() {
        let mut link = link_heard_at(at(0));
        link.check(at(1400), None, &timing());
        assert_eq!(link.next_deadline(), Some(at(1500)));
    }

    #[test]
    fn recovery_takes_three_heartbeats_that_are_no_answers_and_not_a_burst() {
        let mut link = link_heard_at(at(0));
        for now in [1500, 2000, 2500] {
            link.judge(at(now), None, &timing());
        }
        let pace = Duration::from_millis(167);
        assert_eq!(link.heard(at(9000), pace, true, &timing()), None);
        assert_eq!(link.heard(at(9001), pace, true, &timing()), None, "a burst counts once");
        assert_eq!(link.heard(at(9100), pace, false, &timing()), None, "an answer does not count");
        assert_eq!(link.heard(at(9167), pace, true, &timing()), None);
        assert_eq!(link.heard(at(9334), pace, true, &timing()), Some(Change::Recovered));
    }

    #[test]
    fn heartbeats_with_a_gap_between_them_are_not_in_a_row() {
        let mut link = link_heard_at(at(0));
        for now in [1500, 2000, 2500] {
            link.judge(at(now), None, &timing());
        }
        let pace = Duration::from_millis(167);
        for now in [9000, 9167, 12_000] {
            assert_eq!(link.heard(at(now), pace, true, &timing()), None);
        }
    }

    #[test]
    fn a_peer_that_nobody_ever_heard_is_absent_and_never_down() {
        let mut link = Link::new(false, Now::START, &timing());
        assert_eq!(link.judge(at(2500), None, &timing()), Some(Change::Absent));
        assert_eq!(link.cell(), Cell::Absent);
    }

    #[test]
    fn a_peer_that_was_heard_once_is_down_one_bound_after_it_became_unknown() {
        let mut link = Link::new(true, Now::START, &timing());
        assert_eq!(link.judge(at(2499), None, &timing()), None);
        assert_eq!(link.judge(at(2500), None, &timing()), Some(Change::Down { silent_for: None }));
    }

    #[test]
    fn a_stall_voids_what_was_due() {
        let mut link = link_heard_at(at(0));
        link.judge(at(1500), None, &timing());
        link.void(at(9000), &timing());
        assert_eq!(link.failures(), 0);
        assert_eq!(link.judge(at(9000), None, &timing()), None);
    }

    #[test]
    fn a_longer_bound_holds_for_a_peer_not_heard_yet_and_not_for_one_whose_pace_is_known() {
        let more = Duration::from_secs(10);
        let mut unknown = Link::new(true, Now::START, &timing());
        unknown.wait_longer(more);
        assert_eq!(unknown.judge(at(12_499), None, &timing()), None);
        assert!(matches!(unknown.judge(at(12_500), None, &timing()), Some(Change::Down { .. })));
        let mut heard = link_heard_at(Now::START);
        heard.wait_longer(more);
        assert!(heard.judge(at(1500), None, &timing()).is_some());
    }
}
