//! The thread that shows lines: to the tail, and to standard output. It is not that of the disk, so a disk that hangs
//! does not silence it.

use std::sync::Arc;

use super::queue::{Queue, Showing};
use super::settings::Knobs;
use super::stdout::Outlet;
use super::tail::Tail;
use crate::clock::Clock;

/// What the thread needs.
pub(super) struct Show {
    pub(super) queue: Arc<Queue>,
    pub(super) tail: Tail,
    pub(super) outlet: Outlet,
    pub(super) knobs: Arc<Knobs>,
    pub(super) clock: Clock,
    /// As people name the log.
    pub(super) place: String,
}

/// Says when the thread ends that should not: nobody would notice otherwise.
struct TellsOfAPanic;

impl Show {
    /// Shows until there is no more to show.
    pub(super) fn show_all(self) {
        let _told = TellsOfAPanic;
        while let Some(showing) = self.queue.next_to_show(self.clock) {
            match showing {
                Showing::Lines(lines) => {
                    self.tail.show(lines.iter().map(|line| (line.seq, Arc::clone(&line.text))));
                    for line in lines.iter().filter(|_| self.knobs.stdout()) {
                        self.outlet.put(line);
                    }
                }
                Showing::Hung => tracing::error!(
                    log = self.place,
                    "the disk of the audit log has not answered for ten seconds: the agent detects on, shows its events \
                     and keeps them in memory within bounds; look at the disk"
                ),
            }
        }
    }
}

impl Drop for TellsOfAPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the thread that shows events ended: this is a fault in netsplit, please report it");
        }
    }
}
