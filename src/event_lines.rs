//! Records as lines of JSON, written by a thread of its own: the loop that detects never waits for whoever reads them.
//!
//! A reader that is slow costs records (counted, and said), one that went away costs all further ones, and neither costs
//! the agent anything. Until the audit log's issue this is the only place where events go.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::agent::{EventSink, Record};

/// How many records wait at most: minutes of a bad day. They are kept in memory, some hundred bytes each.
const QUEUE: usize = 4096;

/// How long the end waits for a reader that does not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// The end of the queue that takes records.
pub struct EventLines {
    queue: SyncSender<Record>,
    lost: Arc<AtomicU64>,
}

/// The end that writes them.
pub struct Writing(Receiver<()>);

/// Starts the thread that writes into `out`.
///
/// # Errors
/// The system has no thread to give.
pub fn start(out: impl Write + Send + 'static) -> io::Result<(EventLines, Writing)> {
    let (queue, records) = sync_channel(QUEUE);
    // Nothing is ever sent: that its sender is gone says that the thread has ended, however it ended.
    let (running, ended) = sync_channel(0);
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    thread::Builder::new().name("event-lines".to_owned()).spawn(move || {
        let _running: SyncSender<()> = running;
        write_all(&records, out, &counted);
    })?;
    Ok((EventLines { queue, lost }, Writing(ended)))
}

impl EventSink for EventLines {
    fn accept(&mut self, record: Record) {
        if self.queue.try_send(record).is_err() && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("nobody takes the events from standard output fast enough: some are lost there");
        }
    }
}

impl Writing {
    /// Waits until all is written, for a second at most. The taking end must be gone.
    pub fn finish(self) {
        if self.0.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("nobody reads standard output: the last events were not written");
        }
    }
}

fn write_all(records: &Receiver<Record>, mut out: impl Write, lost: &AtomicU64) {
    let mut has_failed = false;
    for record in records {
        match write_one(&record, &mut out) {
            Ok(()) => has_failed = false,
            Err(error) => {
                lost.fetch_add(1, Ordering::Relaxed);
                if !has_failed && error.kind() != ErrorKind::BrokenPipe {
                    tracing::warn!(%error, "cannot write events to standard output");
                } else if !has_failed {
                    tracing::warn!("whoever read the events on standard output went away; the agent goes on");
                }
                has_failed = true;
            }
        }
    }
}

fn write_one(record: &Record, out: &mut impl Write) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}
