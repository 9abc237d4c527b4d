//! The thread that writes the log: batch by batch, and again after a while what failed. It says what it cannot do once,
//! and again when it is something else.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::counters::Counters;
use super::disk::Disk;
use super::log::{Fault, Log};
use super::queue::Queue;
use super::tail::Tail;
use crate::clock::Clock;

/// What is made durable at once at most: so that what a crash tears is little, and so that it is found soon by whoever
/// reads the end of the file.
const BATCH_BYTES: usize = 128 << 10;

/// The same, when a line could be written after a failure.
const AFTER_A_FAILURE: usize = 4 << 10;

/// The first and the longest wait after a failure; jitter shortens each to no less than its half.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// What the thread needs.
pub(super) struct Writer<D: Disk> {
    pub(super) log: Log<D>,
    /// As people name the log.
    pub(super) place: String,
    pub(super) queue: Arc<Queue>,
    pub(super) tail: Tail,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Clock,
}

/// Tells, however the thread ends, that it is no more.
struct Gone(Arc<Queue>);

impl<D: Disk> Writer<D> {
    /// Writes until there is no more to write.
    pub(super) fn write_all(mut self) {
        let _gone = Gone(Arc::clone(&self.queue));
        let mut delays = delays();
        let mut said = None;
        let mut bytes = BATCH_BYTES;
        while let Some(batch) = self.queue.next_batch(usize::MAX, bytes, self.clock) {
            let result = self.log.append(&batch.lines);
            let was_hung = self.queue.disk_answered();
            match result {
                Ok(count) => {
                    delays = self::delays();
                    bytes = bytes.saturating_mul(4).clamp(AFTER_A_FAILURE, BATCH_BYTES);
                    self.written(batch.lines.get(..count).and_then(<[_]>::last).map_or(0, |line| line.seq), count);
                    if said.take().is_some() || was_hung {
                        tracing::info!(log = self.place, "the audit log is written again");
                    }
                }
                Err(fault) => {
                    self.counters.failed();
                    self.tell(&fault, &mut said);
                    if batch.is_last {
                        return;
                    }
                    // Where there is no room for a batch there may be some for a line, and then for a few.
                    bytes = 0;
                    self.queue.leave_the_disk_alone(delays.next().unwrap_or(LONGEST_RETRY));
                }
            }
        }
    }

    fn written(&self, last: u64, count: usize) {
        self.counters.wrote(count);
        self.tail.became_durable(last);
        self.queue.became_durable(last);
    }

    fn tell(&self, fault: &Fault, said: &mut Option<ErrorKind>) {
        let log = &self.place;
        if said.replace(fault.kind()) == Some(fault.kind()) {
            tracing::debug!(log, %fault, "the audit log was not written again");
        } else {
            tracing::error!(
                log,
                %fault,
                "the audit log is not written: the agent detects on, shows its events, keeps them in memory within \
                 bounds, and tries again; see to the file and the disk below it, or set audit.path to another"
            );
        }
    }
}

impl Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::InUse => ErrorKind::ResourceBusy,
            Self::Failed(_, error) => error.kind(),
            Self::Changed => ErrorKind::Other,
        }
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let left = self.0.disk_is_gone();
        if std::thread::panicking() {
            tracing::error!("the thread of the audit log ended: this is a fault in netsplit, please report it");
        } else if left > 0 {
            tracing::warn!(events = left, "the last events are not in the audit log: the disk does not take them");
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
