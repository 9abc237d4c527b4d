//! Lines to standard output, by a thread of its own: whoever reads there slowly costs lines (counted, and said), whoever
//! went away costs all further ones, and neither costs the log or the agent anything.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::counters::Counters;
use super::queue::{BYTES, Line, RECORDS};

/// The end of the queue that takes lines. It has the bounds of the queue for the disk.
pub(super) struct Outlet {
    queue: SyncSender<Arc<str>>,
    /// What is in the queue.
    bytes: Arc<AtomicUsize>,
    counters: Arc<Counters>,
}

/// The end that writes them.
pub(super) struct Out<W> {
    queue: Receiver<Arc<str>>,
    bytes: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    out: W,
}

pub(super) fn pair<W: Write>(out: W, counters: &Arc<Counters>) -> (Outlet, Out<W>) {
    let (sender, receiver) = sync_channel(RECORDS);
    let bytes = Arc::<AtomicUsize>::default();
    let outlet = Outlet { queue: sender, bytes: Arc::clone(&bytes), counters: Arc::clone(counters) };
    (outlet, Out { queue: receiver, bytes, counters: Arc::clone(counters), out })
}

impl Outlet {
    pub(super) fn put(&self, line: &Line) {
        let length = line.text.len();
        let has_room = self.bytes.fetch_add(length, Ordering::Relaxed) < BYTES;
        if has_room && self.queue.try_send(Arc::clone(&line.text)).is_ok() {
            return;
        }
        self.bytes.fetch_sub(length, Ordering::Relaxed);
        if self.counters.lose_on_stdout() == 0 {
            tracing::warn!("nobody takes the events from standard output fast enough: some are lost there");
        }
    }
}

impl<W: Write> Out<W> {
    pub(super) fn write_all(mut self) {
        let mut has_failed = false;
        while let Ok(line) = self.queue.recv() {
            self.bytes.fetch_sub(line.len(), Ordering::Relaxed);
            match self.write(&line) {
                Ok(()) => has_failed = false,
                Err(error) => {
                    self.counters.lose_on_stdout();
                    if !has_failed && error.kind() == ErrorKind::BrokenPipe {
                        tracing::warn!("whoever read the events on standard output went away; the agent goes on");
                    } else if !has_failed {
                        tracing::warn!(%error, "cannot write events to standard output");
                    }
                    has_failed = true;
                }
            }
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(format!("{line}\n").as_bytes())?;
        self.out.flush()
    }
}
