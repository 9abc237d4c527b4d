//! The audit log: every event as one line of JSON in a file that survives a crash, chained, rotated, and shown meanwhile.
//!
//! The way of a record: [`Sink`] takes it from the loop that detects, and fixes its number, its place in the chain and its
//! bytes (`line`, `chain`); `queue` holds it, within bounds. One thread (`writer`) puts it on the disk (`log`, `rotation`),
//! and tries again what fails; another (`show`) gives it to the [`Tail`] that HTTP reads and to a third, which writes
//! standard output, once it is durable or has waited for 200 ms. At the start `past` reads where the log ends. [`Disk`] is
//! the seam to the real files; a test's disk forgets what was not synced.
//!
//! Beside that stand [`read`] and [`mod@verify`], for whoever has a log and no agent. `docs/events.md` says what is in a line.

mod chain;
mod counters;
mod disk;
mod files;
mod line;
mod log;
mod past;
mod queue;
pub mod read;
mod rotation;
mod settings;
mod show;
mod sink;
mod start;
mod stdout;
mod tail;
pub mod verify;
mod writer;

pub use counters::{Counters, SYNC_BOUNDS, Syncs};
pub use disk::{About, Disk, File, Identity, Locked, Name};
pub use files::Files;
pub use queue::{BYTES, RECORDS, SHOW_AFTER};
pub use settings::Settings;
pub use sink::Sink;
pub use start::{Closing, PATIENCE, Readers, start, start_on};
pub use tail::{Page, Shown, Tail};
pub use verify::verify;
