//! The thread that writes states, and the two ends that others hold of it: [`Keeper`] hands states in and hears which
//! are durable, [`Closing`] waits for the last one.
//!
//! Between them is room for one state: a newer one replaces it, since it contains all that the older does. So a disk that
//! hangs costs one state in memory and delays nobody.

use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;

use super::counters::Counters;
use super::disk::Disk;
use super::open::PATIENCE;
use super::store::{Fault, Store};
use crate::clock::Clock;
use crate::detector::saved::{Saved, Serial};
use crate::detector::time::Now;

/// After this time without an answer of the disk an operator is told.
const HUNG: Duration = Duration::from_secs(10);

/// The first and the longest wait after a failure; jitter shortens each to no less than its half.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The agent's end: hands states in, hears which are durable. When it is dropped, the thread writes what it has and ends.
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    durable: watch::Receiver<Serial>,
    counters: Arc<Counters>,
    said_that_it_ended: bool,
}

/// The end for whoever waits until the last state is written.
#[derive(Debug)]
pub struct Closing(pub(super) Receiver<()>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    pending: Option<(Serial, Box<Saved>)>,
    /// Since when the thread has been at the disk.
    busy_since: Option<Now>,
    said_hung: bool,
    /// There will be no more states.
    ending: bool,
    /// The attempt under way began after that: there is none after it.
    is_last: bool,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, durable: watch::Receiver<Serial>, counters: Arc<Counters>) -> Self {
        Self { shared, durable, counters, said_that_it_ended: false }
    }

    /// Hands in a state that contains all that were handed in before. Never waits for the disk.
    pub fn keep(&self, serial: Serial, state: Box<Saved>, now: Now) {
        let mut slot = self.shared.lock();
        slot.pending = Some((serial, state));
        let is_hung = slot.busy_since.is_some_and(|since| now.since(since) >= HUNG);
        if is_hung && !slot.said_hung {
            slot.said_hung = true;
            tracing::warn!(
                "the state directory has not answered for ten seconds: the agent detects on, but a restart would \
                 not know what was learnt since; look at the disk below it"
            );
        }
        drop(slot);
        self.shared.changed.notify_all();
    }

    /// The number of the last state that became durable, once that is another. Cancel safe.
    pub async fn next_durable(&mut self) -> Serial {
        if self.durable.changed().await.is_ok() {
            return *self.durable.borrow_and_update();
        }
        if !self.said_that_it_ended {
            self.said_that_it_ended = true;
            tracing::error!("the thread that keeps the state has ended: this is a fault in netsplit, please report it");
        }
        std::future::pending().await
    }

    /// What became of the states so far.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.changed.notify_all();
    }
}

impl Closing {
    /// Waits until the last state is written, for a second at most. The [`Keeper`] must be gone. Whether it was in time.
    pub fn finish(self) -> bool {
        let in_time = self.0.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout);
        if !in_time {
            tracing::warn!("the state directory does not answer: the last state was not written");
        }
        in_time
    }
}

impl Shared {
    /// The thread goes to the disk before anything is handed in: it reads first.
    pub(super) fn reading_since(now: Now) -> Self {
        Self { slot: Mutex::new(Slot { busy_since: Some(now), ..Slot::default() }), ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Whoever panicked with it left a slot that is as good as any.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next state to write; none when there will be no more.
    fn take(&self, clock: Clock) -> Option<(Serial, Box<Saved>)> {
        let waiting = |slot: &mut Slot| slot.pending.is_none() && !slot.ending;
        let mut slot = self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        slot.busy_since = Some(clock.now());
        slot.is_last = slot.ending;
        slot.pending.take()
    }

    /// The thread is back from the disk. Whether somebody was told that it hung.
    fn done(&self) -> bool {
        let mut slot = self.lock();
        slot.busy_since = None;
        std::mem::take(&mut slot.said_hung)
    }

    /// A state that was not written waits again, unless a newer one does. The end cuts the wait short: then there is one
    /// more attempt. Whether there is to be another.
    fn try_later(&self, state: (Serial, Box<Saved>), delay: Duration) -> bool {
        let mut slot = self.lock();
        if slot.is_last {
            return false;
        }
        slot.pending.get_or_insert(state);
        // A newer state does not end the wait: the disk is to be left alone.
        drop(self.changed.wait_timeout_while(slot, delay, |slot| !slot.ending));
        true
    }
}

/// What the thread does for the rest of its life.
pub(super) struct Writer<D> {
    pub(super) store: Store<D>,
    /// As people name the directory.
    pub(super) place: String,
    pub(super) shared: Arc<Shared>,
    pub(super) durable: watch::Sender<Serial>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Clock,
}

impl<D: Disk> Writer<D> {
    /// Writes states until there are no more; `first` is told how the first attempt went.
    pub(super) fn write_all(mut self, first: SyncSender<Result<(), ErrorKind>>) {
        let mut first = Some(first);
        let mut delays = delays();
        let mut said = None;
        while let Some((serial, state)) = self.shared.take(self.clock) {
            let saved = self.store.save(&state);
            self.account(serial, &saved, &mut said);
            if let Some(first) = first.take() {
                // Whoever started us may have lost patience, and knows all the same.
                let _ = first.try_send(saved.as_ref().map_err(Fault::kind).copied());
            }
            if saved.is_ok() {
                delays = self::delays();
            } else if !self.shared.try_later((serial, state), delays.next().unwrap_or(LONGEST_RETRY)) {
                return;
            }
        }
    }

    /// Counts what became of a state, and says it as far as it is news.
    fn account(&self, serial: Serial, saved: &Result<(), Fault>, said: &mut Option<ErrorKind>) {
        let was_hung = self.shared.done();
        match saved {
            Ok(()) => {
                self.counters.wrote(self.clock.wall());
                self.durable.send_replace(serial);
                if said.take().is_some() || was_hung {
                    tracing::info!(directory = self.place, "the state is kept again");
                }
            }
            Err(fault) => {
                self.counters.failed();
                self.tell(fault, said);
            }
        }
    }

    /// Says it once, and again when it is another kind of fault.
    fn tell(&self, fault: &Fault, said: &mut Option<ErrorKind>) {
        let directory = &self.place;
        if said.replace(fault.kind()) == Some(fault.kind()) {
            tracing::debug!(directory, %fault, "the state was not written again");
        } else {
            tracing::warn!(
                directory,
                %fault,
                "the state is not kept: the agent detects on and tries again, but a restart would not know what was \
                 learnt since; see to the directory, or set state.directory to another"
            );
        }
    }
}

impl Fault {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::InUse => ErrorKind::ResourceBusy,
            Self::Failed(_, error) => error.kind(),
        }
    }
}

/// The jitter of the library adds up to the delay itself, so that is half of what is wanted.
fn delays() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY / 2)
        .with_max_delay(LONGEST_RETRY / 2)
        .without_max_times()
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_is_tried_after_a_second_and_then_ever_less_often_down_to_each_half_minute() {
        for _ in 0..100 {
            let delays: Vec<Duration> = delays().take(100).collect();
            for (index, &delay) in delays.iter().enumerate() {
                let longest = FIRST_RETRY.saturating_mul(1 << index.min(20)).min(LONGEST_RETRY);
                assert!(delay >= longest / 2 && delay <= longest, "retry {index} after {delay:?}");
            }
        }
    }

    #[test]
    fn only_the_newest_state_waits() {
        let shared = Arc::new(Shared::default());
        let keeper = Keeper::new(Arc::clone(&shared), watch::channel(Serial(0)).1, Arc::default());
        for serial in 1..=1000 {
            keeper.keep(Serial(serial), Box::default(), Now::START);
        }
        let taken = shared.take(Clock::start()).unwrap();
        assert_eq!(taken.0, Serial(1000));
        keeper.keep(Serial(1001), Box::default(), Now::START);
        drop(keeper);
        assert!(shared.try_later(taken, Duration::from_secs(3600)), "the end cuts the wait short");
        let newest = shared.take(Clock::start()).unwrap();
        assert_eq!(newest.0, Serial(1001), "the newest is written at the end");
        assert!(!shared.try_later(newest, Duration::from_secs(3600)), "and tried once");
        assert!(shared.take(Clock::start()).is_none());
    }
}
