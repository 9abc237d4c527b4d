//! What some tests need and not every machine gives. Without it a test skips and says why; with `NETSPLIT_TEST_ALL=1`, as
//! CI sets it, it fails instead.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::Path;
use std::process::Command;

/// Says that the test is skipped, or fails.
pub(crate) fn skip(reason: &str) {
    let must_run = std::env::var_os("NETSPLIT_TEST_ALL").is_some_and(|all| all == "1");
    assert!(!must_run, "this test may not be skipped here: {reason}");
    eprintln!("skipped: {reason}");
}

/// A small file system of its own, unmounted at the end.
pub(crate) struct Mount(tempfile::TempDir);

impl Mount {
    /// A file system in memory of this size, as `mount` writes sizes. None if this test is to be skipped.
    pub(crate) fn of_size(size: &str) -> Option<Self> {
        let place = tempfile::tempdir().ok()?;
        let options = format!("size={size}");
        match mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], place.path()) {
            Ok(()) => Some(Self(place)),
            Err(reason) => {
                skip(&reason);
                None
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// From now on nothing can be written, or from now on it can.
    pub(crate) fn set_read_only(&self, read_only: bool) {
        let option = if read_only { "remount,ro" } else { "remount,rw" };
        mount(&["-o", option], self.path()).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], place: &Path) -> Result<(), String> {
    let done = Command::new("mount").args(arguments).arg(place).output();
    let done = done.map_err(|error| format!("mount cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    if done.status.success() { Ok(()) } else { Err(format!("a file system cannot be mounted without root: {said}")) }
}
