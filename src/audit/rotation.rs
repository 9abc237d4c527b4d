//! The next file: each older one gets the next number, the log becomes number 1. One name at a time is changed and made
//! durable, the oldest first, so that a crash between any two steps leaves every file there once, at most with a number
//! that nobody has.

use std::io;
use std::num::NonZero;

use super::disk::{Disk, Name};

/// Moves the files on, so that there is room for a new log among `keep` files in all. Of the files with lines one stays in
/// any case: where the log ends must not be forgotten before there is a line in the new file.
pub(super) fn rotate(disk: &mut impl Disk, keep: NonZero<usize>) -> io::Result<()> {
    let last = keep.get().saturating_sub(1).max(1);
    let mut free = 1;
    while disk.look(Name::Older(free))?.is_some() {
        free += 1;
    }
    // Those that would have no place are gone before they would need room.
    while free > last {
        free -= 1;
        disk.remove(Name::Older(free))?;
        disk.sync_names()?;
    }
    for number in (1..free).rev() {
        disk.rename(Name::Older(number), Name::Older(number + 1))?;
        disk.sync_names()?;
    }
    disk.rename(Name::Log, Name::Older(1))?;
    disk.sync_names()
}
