//! The seam between the state and the disk: one directory, and the single steps that can be done in it.
//!
//! The steps are as small as what a crash can come between, so that a test can come between them too.

use std::io;

/// A directory that one agent has for itself. Every name is that of a file directly in it.
pub trait Disk: Send + 'static {
    /// A file that is being written.
    type File: File;

    /// Makes the directory, if it is not there.
    fn prepare(&mut self) -> io::Result<()>;

    /// Keeps other agents out until this is dropped. That another one is in is no error, but an answer.
    fn lock(&mut self, name: &str) -> io::Result<Locked>;

    /// The first `limit` bytes of a file; none if there is no such file.
    fn read(&mut self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>>;

    /// A new, empty file in place of whatever has that name.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, in place of whatever has that.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes durable which names there are.
    fn sync_names(&mut self) -> io::Result<()>;
}

/// A file that is being written.
pub trait File: io::Write {
    /// Makes durable what was written.
    fn sync(&mut self) -> io::Result<()>;
}

/// Whether the directory is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It is, as far as this disk can tell: one that knows no locks lets everybody in.
    Ours,
    /// Another process has it.
    InUse,
}
