//! One endpoint, as this agent's probes find it: up after a success, down after N failures in a row, up again after M
//! successes; and when the next probe goes.
//!
//! ```text
//! unknown ──success──▶ up ──N failures──▶ down (breaker open) ──success──▶ (half open) ──M successes──▶ up
//!    └──N failures──▶ down                  ▲                                  │
//!                                           └───────────── failure ────────────┘
//! ```
//!
//! While it is down a circuit breaker is open: trials go one at a time, each after a pause of its own ([`pauses`]). After a
//! success the breaker is half open: the trials that confirm it go at the confirm period, and a failure opens it again where
//! it was. What says nothing of the endpoint, a fault of this machine, counts neither way.

use serde::{Deserialize, Serialize};

use super::super::outcome::{Cause, Outcome};
use super::super::time::Now;
use super::pauses;
use super::settings::ProbeSchedule;

/// What is known of an endpoint from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// Not judged yet, or not for longer than it takes to judge.
    Unknown,
    /// Reached.
    Up,
    /// Not reached, N times in a row.
    Down(Cause),
}

/// Where the circuit breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// Probes go as they are scheduled.
    Closed,
    /// Trials go one at a time, and less and less often.
    Open,
    /// A trial succeeded: the next ones decide.
    HalfOpen,
}

impl Breaker {
    /// Its name in metrics and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What the end of a probe changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Declared down.
    Down {
        /// What the last failure was.
        cause: Cause,
        /// When the first of these failures began.
        since: Now,
    },
    /// Reached again, or for the first time.
    Up {
        /// Since when it was down; none if it was not.
        down_since: Option<Now>,
    },
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Now,
    /// This agent did not run meanwhile: that nothing came in time, or nobody waited for it, is its own doing.
    slept: bool,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Watch {
    schedule: ProbeSchedule,
    /// A point of the grid on which probes go while all is well.
    grid: Now,
    state: EndpointState,
    /// Since when.
    since: Now,
    breaker: Breaker,
    /// How many trials went since the breaker opened.
    trials: u32,
    failures: u8,
    /// When the first of the failures in a row began.
    failing_since: Option<Now>,
    successes: u8,
    /// When the last probe ended that says something.
    judged: Option<Now>,
    /// Since when it is down, as it was told.
    down_since: Option<Now>,
    next: Now,
    /// When its probe was moved forward last, because others lost it.
    hastened: Option<Now>,
    asked: Option<Asked>,
}

impl Watch {
    /// An endpoint of which nothing is known. `place` in [0, 1): where in the period its probes go.
    pub fn new(schedule: ProbeSchedule, place: f64, now: Now) -> Self {
        let first = now + schedule.period.mul_f64(place.clamp(0.0, 1.0));
        Self {
            schedule,
            grid: first,
            state: EndpointState::Unknown,
            since: now,
            breaker: Breaker::Closed,
            trials: 0,
            failures: 0,
            failing_since: None,
            successes: 0,
            judged: None,
            down_since: None,
            next: first,
            hastened: None,
            asked: None,
        }
    }

    /// What is known of it.
    pub fn state(&self) -> EndpointState {
        self.state
    }

    /// Since when.
    pub fn since(&self) -> Now {
        self.since
    }

    /// Where the breaker stands.
    pub fn breaker(&self) -> Breaker {
        self.breaker
    }

    /// Failures in a row.
    pub fn failures(&self) -> u8 {
        self.failures
    }

    /// Since when it fails, if it does: when the first of these probes began.
    pub fn failing_since(&self) -> Option<Now> {
        self.down_since.or(self.failing_since)
    }

    /// When the last probe ended that says something.
    pub fn judged(&self) -> Option<Now> {
        self.judged
    }

    /// Whether all is well with it, as far as is known.
    pub fn is_sound(&self) -> bool {
        self.failures == 0 && self.breaker == Breaker::Closed
    }

    /// When the next probe is due; none while one is under way.
    pub fn next(&self) -> Option<Now> {
        self.asked.is_none().then_some(self.next)
    }

    /// Another agent lost it: the next probe goes no later than this, if all is well from here. Once in a period: where it
    /// stays well, a thousand agents that lose it one after another are not a thousand probes. Returns when that is, if it
    /// is sooner.
    pub fn hasten(&mut self, until: Now, now: Now) -> Option<Now> {
        let is_again = self.hastened.is_some_and(|before| now.since(before) < self.schedule.period);
        if is_again || !self.is_sound() || self.asked.is_some() || self.next <= until {
            return None;
        }
        (self.next, self.hastened) = (until, Some(now));
        Some(until)
    }

    /// A probe begins.
    pub fn begin(&mut self, now: Now) {
        self.asked = Some(Asked { at: now, slept: false });
    }

    /// When the probe that is under way began.
    pub fn asked(&self) -> Option<Now> {
        self.asked.map(|asked| asked.at)
    }

    /// This agent did not run for a while.
    pub fn slept(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.slept = true;
        }
    }

    /// The probe that is under way has ended. `jitter` in [0, 1).
    pub fn end(&mut self, outcome: Outcome, jitter: f64, now: Now) -> Option<Change> {
        let asked = self.asked.take()?;
        let change = match outcome {
            // Its name servers and the endpoint itself may have given it up meanwhile.
            Outcome::Failure(Cause::Timeout | Cause::Dns | Cause::Reset) if asked.slept => None,
            Outcome::Inconclusive => None,
            Outcome::Success => self.succeeded(now),
            Outcome::Failure(cause) => self.failed(cause, asked.at, now),
        };
        self.next = self.next_after(asked.at, jitter, now);
        change
    }

    fn succeeded(&mut self, now: Now) -> Option<Change> {
        self.judged = Some(now);
        (self.failures, self.failing_since) = (0, None);
        match self.breaker {
            Breaker::Closed if self.state == EndpointState::Up => None,
            Breaker::Closed => Some(self.came_up(now)),
            Breaker::Open | Breaker::HalfOpen => {
                self.breaker = Breaker::HalfOpen;
                self.successes = self.successes.saturating_add(1);
                if self.successes >= self.schedule.success_threshold.get() { Some(self.came_up(now)) } else { None }
            }
        }
    }

    fn came_up(&mut self, now: Now) -> Change {
        (self.state, self.since) = (EndpointState::Up, now);
        (self.breaker, self.trials, self.successes) = (Breaker::Closed, 0, 0);
        Change::Up { down_since: self.down_since.take() }
    }

    fn failed(&mut self, cause: Cause, began: Now, now: Now) -> Option<Change> {
        self.judged = Some(now);
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(began);
        match self.breaker {
            Breaker::Closed if self.failures < self.schedule.failure_threshold.get() => None,
            Breaker::Closed => {
                self.breaker = Breaker::Open;
                self.goes_down(cause, since, now)
            }
            Breaker::Open | Breaker::HalfOpen => {
                self.breaker = Breaker::Open;
                self.trials = self.trials.saturating_add(1);
                // What it is down of may be another thing by now.
                self.goes_down(cause, since, now)
            }
        }
    }

    fn goes_down(&mut self, cause: Cause, since: Now, now: Now) -> Option<Change> {
        if !matches!(self.state, EndpointState::Down(_)) {
            self.since = now;
        }
        self.state = EndpointState::Down(cause);
        if self.down_since.is_some() {
            return None;
        }
        self.down_since = Some(since);
        Some(Change::Down { cause, since })
    }

    /// Nothing was found out for longer than it takes to judge: then nothing is known. Returns whether that is new.
    pub fn forget(&mut self, now: Now) -> bool {
        let last = self.judged.unwrap_or(self.since);
        let is_old = now.since(last) > self.schedule.detection_bound() + pauses::LONGEST;
        let forgets = is_old && self.state != EndpointState::Unknown;
        if forgets {
            (self.state, self.since) = (EndpointState::Unknown, now);
        }
        forgets
    }

    fn next_after(&self, began: Now, jitter: f64, now: Now) -> Now {
        match self.breaker {
            Breaker::Open => now + pauses::pause(self.trials, jitter),
            Breaker::HalfOpen => (began + self.schedule.confirm_period).max(now),
            Breaker::Closed if self.failures > 0 => (began + self.schedule.confirm_period).max(now),
            Breaker::Closed => self.next_on_grid(began, jitter, now),
        }
    }

    /// As heartbeats: at phase + k · ⅞ P, and up to P/8 later, so that no pause is longer than a period.
    fn next_on_grid(&self, began: Now, jitter: f64, now: Now) -> Now {
        let (period, step) = (self.schedule.period, self.schedule.period / 8 * 7);
        let passed = began.since(self.grid).as_nanos() / step.as_nanos().max(1);
        let steps = u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(u32::from(began >= self.grid));
        (self.grid + step.saturating_mul(steps) + (period / 8).mul_f64(jitter)).max(now)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn schedule() -> ProbeSchedule {
        ProbeSchedule {
            period: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            confirm_period: Duration::from_secs(5),
            failure_threshold: NonZeroU8::new(3).unwrap(),
            success_threshold: NonZeroU8::new(2).unwrap(),
        }
    }

    fn at(seconds: f64) -> Now {
        Now::at(Duration::from_secs_f64(seconds))
    }

    const FAILED: Outcome = Outcome::Failure(Cause::Refused);

    /// Probes as they are due until `end`, each taking `takes`; `outcome` says what comes of one that began then. Returns
    /// when each began, and what changed.
    fn run(
        watch: &mut Watch,
        end: Now,
        takes: Duration,
        mut outcome: impl FnMut(Now) -> Outcome,
        mut jitter: impl FnMut() -> f64,
    ) -> (Vec<Now>, Vec<(Now, Change)>) {
        let (mut began, mut changes) = (Vec::new(), Vec::new());
        while let Some(due) = watch.next().filter(|&due| due <= end) {
            watch.begin(due);
            assert_eq!(watch.next(), None, "one at a time");
            began.push(due);
            let over = due + takes;
            changes.extend(watch.end(outcome(due), jitter(), over).map(|change| (over, change)));
        }
        (began, changes)
    }

    fn always(value: f64) -> impl FnMut() -> f64 {
        move || value
    }

    const SHORT: Duration = Duration::from_millis(10);

    #[test]
    fn an_endpoint_is_up_after_one_success_and_then_probed_once_a_period_at_most() {
        let mut watch = Watch::new(schedule(), 0.5, at(0.0));
        let mut turn = 0;
        let jitter = || {
            turn += 1;
            f64::from(turn % 8) / 8.0
        };
        let (began, changes) = run(&mut watch, at(1000.0), SHORT, |_| Outcome::Success, jitter);
        assert_eq!(changes, [(at(15.01), Change::Up { down_since: None })]);
        let pauses: Vec<Duration> = began.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        let right = |pause: &Duration| (22.5..=30.0).contains(&pause.as_secs_f64());
        assert!(pauses.iter().all(right), "{pauses:?}");
    }

    #[test]
    fn it_is_down_after_three_failures_within_the_bound_and_is_told_once() {
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        run(&mut watch, at(0.0), SHORT, |_| Outcome::Success, always(0.9));
        let gone = at(0.5);
        let (_, changes) = run(&mut watch, at(300.0), schedule().timeout, |_| FAILED, always(0.5));
        let [(declared, Change::Down { cause: Cause::Refused, .. })] = changes[..] else { panic!("{changes:?}") };
        assert!(declared.since(gone) <= schedule().detection_bound(), "{declared:?}");
        assert_eq!(watch.state(), EndpointState::Down(Cause::Refused));
    }

    #[test]
    fn one_failure_or_two_between_successes_are_no_outage() {
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        let mut turn = 0;
        let outcome = |_| {
            turn += 1;
            if turn % 3 == 0 { Outcome::Success } else { FAILED }
        };
        let (_, changes) = run(&mut watch, at(1000.0), SHORT, outcome, always(0.5));
        assert!(matches!(changes[..], [(_, Change::Up { down_since: None })]), "{changes:?}");
    }

    #[test]
    fn pauses_between_trials_grow_from_one_second_to_thirty_and_are_drawn_from_all_of_that() {
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        let (began, _) = run(&mut watch, at(200.0), SHORT, |_| FAILED, always(1.0));
        let pauses: Vec<f64> = began.windows(2).map(|pair| pair[1].since(pair[0] + SHORT).as_secs_f64()).collect();
        assert_eq!(pauses[2..9], [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        let (began, _) = run(&mut watch, at(60.0), SHORT, |_| FAILED, always(0.25));
        let pauses: Vec<f64> = began.windows(2).map(|pair| pair[1].since(pair[0] + SHORT).as_secs_f64()).collect();
        assert_eq!(pauses[2..6], [0.25, 0.5, 1.0, 2.0]);
    }

    #[test]
    fn a_trial_that_fails_after_one_that_succeeded_opens_the_breaker_where_it_was() {
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        run(&mut watch, at(60.0), SHORT, |_| FAILED, always(1.0));
        let (trials, due) = (watch.trials, watch.next().unwrap());
        run(&mut watch, due, SHORT, |_| Outcome::Success, always(1.0));
        assert_eq!((watch.breaker(), watch.state()), (Breaker::HalfOpen, EndpointState::Down(Cause::Refused)));
        assert_eq!(watch.next(), Some(due + schedule().confirm_period));
        let (began, changes) = run(&mut watch, due + schedule().confirm_period, SHORT, |_| FAILED, always(1.0));
        assert_eq!((began.len(), changes, watch.breaker(), watch.trials), (1, vec![], Breaker::Open, trials + 1));
    }

    #[test]
    fn what_says_nothing_of_the_endpoint_counts_neither_way_and_in_the_end_nothing_is_known() {
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        run(&mut watch, at(0.0), SHORT, |_| Outcome::Success, always(0.5));
        let (_, changes) = run(&mut watch, at(200.0), SHORT, |_| Outcome::Inconclusive, always(0.5));
        assert_eq!((changes, watch.state()), (vec![], EndpointState::Up));
        assert!(watch.forget(at(200.0)) && !watch.forget(at(201.0)));
        assert_eq!(watch.state(), EndpointState::Unknown);
    }

    #[test]
    fn a_timeout_while_this_agent_did_not_run_is_its_own() {
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        for turn in 0..9 {
            let due = watch.next().unwrap();
            watch.begin(due);
            watch.slept();
            let outcome = Outcome::Failure(if turn % 2 == 0 { Cause::Timeout } else { Cause::Refused });
            watch.end(outcome, 0.5, due + SHORT);
            assert_eq!(watch.failures(), turn / 2 + turn % 2, "a refusal is one all the same");
        }
    }

    #[test]
    fn another_cause_of_the_same_outage_is_shown_and_not_told_again() {
        let mut watch = Watch::new(schedule(), 0.0, at(0.0));
        let mut turn = 0;
        let outcome = |_| {
            turn += 1;
            Outcome::Failure(if turn < 5 { Cause::Timeout } else { Cause::Auth })
        };
        let (_, changes) = run(&mut watch, at(200.0), SHORT, outcome, always(0.5));
        assert_eq!((changes.len(), watch.state()), (1, EndpointState::Down(Cause::Auth)));
    }

    fn outcomes() -> impl Strategy<Value = Vec<(Outcome, f64)>> {
        let outcome = prop_oneof![
            4 => Just(Outcome::Success),
            4 => Just(FAILED),
            2 => Just(Outcome::Failure(Cause::Timeout)),
            1 => Just(Outcome::Inconclusive),
        ];
        proptest::collection::vec((outcome, 0.0..1.0_f64), 1..200)
    }

    proptest! {
        /// Whatever comes: down and up are told in turn, no pause between probes is longer than a period, and while the
        /// breaker is open there is one trial between one pause and the next.
        #[test]
        fn down_and_up_take_turns_and_pauses_keep_their_limits(outcomes in outcomes(), place in 0.0..1.0_f64) {
            let mut watch = Watch::new(schedule(), place, at(0.0));
            let (mut is_down, mut last) = (false, at(0.0));
            for (outcome, jitter) in outcomes {
                let due = watch.next().unwrap();
                let (was, limit) = (watch.breaker(), pauses::limit(watch.trials));
                prop_assert!(due.since(last) <= schedule().period);
                if was == Breaker::Open {
                    prop_assert!(due.since(last) <= limit, "{:?} of {limit:?}", due.since(last));
                }
                watch.begin(due);
                let trials = watch.trials;
                last = due + SHORT;
                match watch.end(outcome, jitter, last) {
                    Some(Change::Down { .. }) => { prop_assert!(!is_down); is_down = true; }
                    Some(Change::Up { down_since }) => { prop_assert_eq!(is_down, down_since.is_some()); is_down = false; }
                    None => {}
                }
                prop_assert_eq!(is_down, matches!(watch.state(), EndpointState::Down(_)));
                prop_assert!(watch.trials <= trials + 1);
            }
        }

        /// From wherever it stands, an endpoint that answers again is up within the last pause and M confirm periods.
        #[test]
        fn an_endpoint_that_returns_is_up_within_the_last_pause_and_the_confirming_probes(
            outcomes in outcomes(), jitter in 0.0..1.0_f64,
        ) {
            let mut watch = Watch::new(schedule(), 0.0, at(0.0));
            for (outcome, jitter) in outcomes {
                let due = watch.next().unwrap();
                watch.begin(due);
                watch.end(outcome, jitter, due + SHORT);
            }
            prop_assume!(matches!(watch.state(), EndpointState::Down(_)));
            let returned = watch.asked.map_or(watch.next - pauses::limit(watch.trials), |asked| asked.at);
            let limit = pauses::limit(watch.trials).max(schedule().confirm_period) + (schedule().confirm_period + SHORT) * 2;
            let (_, changes) = run(&mut watch, returned + limit, SHORT, |_| Outcome::Success, always(jitter));
            prop_assert!(matches!(changes[..], [(up, Change::Up { .. })] if up.since(returned) <= limit), "{changes:?}");
        }
    }
}
