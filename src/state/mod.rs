//! What outlives a run of the agent, on disk: one file in one directory that belongs to one agent.
//!
//! Nothing here decides. The detector hands out its state and is told when that is durable; between the two stands a
//! thread of its own ([`Keeper`] is the agent's end of it), for a disk may hang, and detection may not. The way of a
//! state: `keeper` takes it, `format` makes it bytes, `store` puts them in place step by step so that a crash leaves the old
//! or the new one, and [`Disk`] is what does each step; a test's disk forgets what was not synced.
//! [`open`] is the start: it reads what the run before left, and has the number of this run written before it is used.

mod counters;
mod directory;
mod disk;
mod format;
mod keeper;
mod memory;
mod open;
mod store;

pub use counters::Counters;
pub use directory::Directory;
pub use disk::{Disk, File, Locked};
pub use format::{Flaw, Whose, decode, encode};
pub use keeper::{Closing, Keeper};
pub use memory::Memory;
pub use open::{Beginning, Found, Opened, PATIENCE, StateError, open};
pub use store::{LOCK, LOST, STATE, TEMPORARY};
