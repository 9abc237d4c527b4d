//! The seam between the log and the disk: the log's files, and the single steps that can be done with them.
//!
//! The steps are as small as what a crash can come between, so that a test can come between them too.

use std::fmt;
use std::io;

/// Where a log is. One agent writes there at a time.
pub trait Disk: Send + 'static {
    /// A file that is open to be written at its end.
    type File: File + Send;

    /// Makes the directory, if it is not there.
    fn prepare(&mut self) -> io::Result<()>;

    /// Keeps other agents out until this is dropped. That another one is in is no error, but an answer.
    fn lock(&mut self) -> io::Result<Locked>;

    /// What is to be known of a file; none if there is no such file.
    fn look(&mut self, name: Name) -> io::Result<Option<About>>;

    /// At most `limit` bytes of a file, from an offset on. Fewer only at its end.
    fn read(&mut self, name: Name, from: u64, limit: u64) -> io::Result<Vec<u8>>;

    /// Opens a file, which is made if it is not there.
    fn open(&mut self, name: Name) -> io::Result<Self::File>;

    /// Gives a file another name, in place of whatever has that.
    fn rename(&mut self, from: Name, to: Name) -> io::Result<()>;

    /// Removes a file.
    fn remove(&mut self, name: Name) -> io::Result<()>;

    /// Makes durable which names there are.
    fn sync_names(&mut self) -> io::Result<()>;
}

/// A file that is open: what is written goes to its end.
pub trait File: io::Write {
    /// What is to be known of it, whatever name it has by now.
    fn about(&self) -> io::Result<About>;

    /// Cuts it off behind its first `length` bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Makes durable what was written and cut.
    fn sync(&mut self) -> io::Result<()>;
}

/// What is to be known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Which file it is, whatever its name.
    pub identity: Identity,
    /// Its length in bytes.
    pub length: u64,
}

/// Which file it is, whatever its name: the device and the number of its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(pub u64, pub u64);

/// The files of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// The one that is written.
    Log,
    /// One that was written before; 1 is the youngest.
    Older(usize),
    /// What crashes left of lines.
    Torn,
    /// A file that had the log's name, and was none.
    Foreign(usize),
}

impl fmt::Display for Name {
    /// What stands behind the log's own name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => Ok(()),
            Self::Older(number) => write!(f, ".{number}"),
            Self::Torn => f.write_str(".torn"),
            Self::Foreign(number) => write!(f, ".foreign-{number}"),
        }
    }
}

/// Whether the log is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It is, as far as this disk can tell: one that knows no locks lets everybody in.
    Ours,
    /// Another process has it.
    InUse,
}
