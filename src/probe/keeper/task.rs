//! The task that holds one connection: it opens it, waits for what comes and asks for signs of life, opens it anew after a pause
//! when it is lost, and takes leave when it is wanted no more.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SystemRandom, generate};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Hold;
use super::connection::Connection;
use super::held::Held;
use crate::clock::Clock;
use crate::detector::endpoints::pauses;
use crate::detector::outcome::Cause;
use crate::detector::time::Now;
use crate::probe::attempt::Attempt;
use crate::probe::prober::Desk;
use crate::probe::report::Fault;

/// How long what is under way may still take once the end is wanted, and how long the leave may take after it. Together they are
/// less than the thread has for its end.
const HURRY: Duration = Duration::from_millis(500);
const LEAVE: Duration = Duration::from_secs(1);

/// How many messages that nobody asked for are taken between two signs of life. A consumer that asks for nothing gets a few; a
/// stranger that never stops talking is not listened to for ever.
const MOST_UNASKED: u32 = 1024;

/// What a keeper waits for: its end.
#[derive(Clone, Debug)]
pub(super) struct End(watch::Receiver<()>);

impl End {
    /// The end is when whoever sends is gone.
    pub(super) fn at(gone: watch::Receiver<()>) -> Self {
        Self(gone)
    }

    fn has_come(&self) -> bool {
        self.0.has_changed().is_err()
    }

    async fn comes(&self) {
        let mut gone = self.0.clone();
        while gone.changed().await.is_ok() {}
    }

    /// What comes of some work; none if the end comes first, and the work does not hurry.
    async fn hurry<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => Some(done),
            () = self.comes() => timeout(HURRY, work).await.ok(),
        }
    }
}

/// How often in a row it failed, and so how long the next pause may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Trials(u32);

impl Trials {
    /// A connection was lost that had stood this long. One that never stands for long is as one that is never there: else a
    /// server that takes connections and ends them would be asked each second.
    fn lost(&mut self, lasted: Duration) {
        self.0 = if lasted >= pauses::LONGEST { 0 } else { self.0.saturating_add(1) };
    }

    fn failed(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    fn limit(self) -> Duration {
        // The first trial after a loss goes within a second; those after it twice as far apart each.
        pauses::limit(self.0)
    }
}

/// The task.
pub(super) struct Keeper {
    name: String,
    hold: Hold,
    desk: Arc<Desk>,
    clock: Clock,
    end: End,
    trials: Trials,
    /// Which of several addresses comes first.
    turn: usize,
}

impl Keeper {
    pub(super) fn new(name: String, hold: Hold, desk: Arc<Desk>, clock: Clock, end: End) -> Self {
        Self { name, hold, desk, clock, end, trials: Trials::default(), turn: 0 }
    }

    /// Holds it until the end; begins after a pause of up to this long.
    pub(super) async fn run(mut self, first_pause: Duration) {
        let mut pause = first_pause;
        while self.rests(drawn(pause)).await {
            let Some(opened) = self.open().await else { break };
            match opened {
                Ok(held) => {
                    if self.stay(held).await.is_none() {
                        break;
                    }
                }
                Err(fault) => self.note_failure(fault),
            }
            pause = self.trials.limit();
        }
    }

    /// Waits; whether it is still wanted after that.
    async fn rests(&self, pause: Duration) -> bool {
        tokio::select! {
            () = self.end.comes() => false,
            () = sleep(pause) => true,
        }
    }

    /// None if the end came before it was open.
    async fn open(&mut self) -> Option<Result<Held, Fault>> {
        let patience = self.hold.target.timeout;
        let mut attempt = Attempt::new(self.clock, patience, self.turn);
        self.turn = self.turn.wrapping_add(1);
        let opened = self.end.hurry(timeout(patience, Held::open(&self.hold, &mut attempt))).await?;
        let opened = opened.unwrap_or_else(|_| Err(attempt.too_late()));
        if opened.is_ok() {
            let address = attempt.address;
            self.note(|connection, now| connection.establish(address, now));
            tracing::debug!(endpoint = self.name, "a connection is held to an endpoint");
        }
        Some(opened)
    }

    fn note_failure(&mut self, fault: Fault) {
        self.trials.failed();
        tracing::debug!(endpoint = self.name, cause = ?fault.cause, "no connection to an endpoint");
        self.note(|connection, _| connection.fail(fault.into()));
    }

    /// After the end nothing is noted any more.
    fn note(&self, change: impl FnOnce(&mut Connection, Now)) {
        if self.end.has_come() {
            return;
        }
        self.desk.change_connection(&self.name, self.clock.now(), change);
    }

    /// Stays until it is lost; none if the end came.
    async fn stay(&mut self, mut held: Held) -> Option<()> {
        let begun = self.clock.now();
        let Some(fault) = self.listen(&mut held).await else {
            held.leave(LEAVE).await;
            return None;
        };
        drop(held);
        let lasted = self.clock.now().since(begun);
        self.trials.lost(lasted);
        tracing::info!(
            endpoint = self.name,
            cause = fault.cause.map(Cause::as_str),
            lasted_seconds = lasted.as_secs(),
            "the connection that is held to an endpoint was lost"
        );
        self.note(|connection, now| connection.lose(fault.into(), now));
        Some(())
    }

    /// Why it was lost; none if the end came.
    async fn listen(&self, held: &mut Held) -> Option<Fault> {
        let pace = held.pace(self.hold.every);
        let mut due = pin!(sleep(pace));
        let mut unasked = 0;
        loop {
            let came = tokio::select! {
                biased;
                () = self.end.comes() => return None,
                stirred = held.stirs() => Some(stirred),
                () = &mut due => None,
            };
            let done = match came {
                Some(Err(fault)) => return Some(fault),
                Some(Ok(())) if unasked == MOST_UNASKED => {
                    return Some(Fault::protocol("it says more than anybody asked for"));
                }
                Some(Ok(())) => {
                    unasked += 1;
                    self.end.hurry(timeout(self.hold.target.timeout, held.hear())).await?
                }
                None => {
                    let done = self.end.hurry(timeout(self.hold.target.timeout, held.beat())).await?;
                    unasked = 0;
                    due.set(sleep(pace));
                    done
                }
            };
            match done {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => return Some(fault),
                Err(_) => return Some(Fault::too_late()),
            }
        }
    }
}

/// A pause of up to this long. Where the machine gives no random numbers it is the longest: no agent is faster than it may be.
fn drawn(limit: Duration) -> Duration {
    let jitter = generate::<[u8; 4]>(&SystemRandom::new()).map(|bytes| u32::from_le_bytes(bytes.expose()));
    limit.mul_f64(jitter.map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_trials_fail_and_begin_anew_after_a_connection_that_stood() {
        let mut trials = Trials::default();
        let mut limits = Vec::new();
        for _ in 0..7 {
            trials.failed();
            limits.push(trials.limit().as_secs());
        }
        assert_eq!(limits, [2, 4, 8, 16, 30, 30, 30]);
        trials.lost(Duration::from_secs(29));
        assert_eq!(trials.limit().as_secs(), 30, "one that is ended at once is as one that is never there");
        trials.lost(Duration::from_secs(30));
        assert_eq!(trials.limit().as_secs(), 1);
    }

    #[test]
    fn a_pause_is_drawn_from_nothing_to_its_limit() {
        let limit = Duration::from_secs(30);
        let drawn: Vec<Duration> = (0..1000).map(|_| drawn(limit)).collect();
        assert!(drawn.iter().all(|pause| *pause <= limit));
        // A thousand times the same half: once in 10^301.
        assert!(drawn.iter().any(|pause| *pause < limit / 2) && drawn.iter().any(|pause| *pause > limit / 2));
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    #[test]
    fn what_is_under_way_at_the_end_may_come_to_its_own() {
        let (until, end) = watch::channel(());
        let end = End::at(end);
        assert!(!end.has_come());
        drop(until);
        let soon = async {
            tokio::task::yield_now().await;
            7
        };
        assert!(end.has_come());
        assert_eq!(run(end.hurry(soon)), Some(7));
        assert_eq!(run(end.hurry(std::future::pending::<()>())), None);
    }
}
