//! Called as `cat`: the image has no other program, and the runbooks say `kubectl exec POD -- cat /var/log/partition-events.log`.
//!
//! It prints files below `/var/log` and no others, since what else there is to read in the image are keys.

use std::env;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::{Exit, page};

/// What may be printed.
const LOGS: &str = "/var/log";

/// Why a file is not printed.
#[derive(Debug, thiserror::Error)]
enum CatError {
    #[error("{0}: {1}")]
    Failed(PathBuf, io::Error),
    #[error("{0}: not printed: this is netsplit, which prints files below {LOGS} only")]
    Elsewhere(PathBuf),
    #[error("{0}: this is netsplit, which knows no options of cat: name files below {LOGS}")]
    Unknown(PathBuf),
}

/// Whether the program was called by that name.
pub(crate) fn is_called() -> bool {
    env::args_os().next().is_some_and(|name| Path::new(&name).file_name().is_some_and(|name| name == "cat"))
}

/// Prints the files that are named, as far as that may be.
pub(crate) fn run() -> Exit {
    let files: Vec<OsString> = env::args_os().skip(1).filter(|argument| argument != "--").collect();
    if files.is_empty() {
        page::note(&format!("cat: this is netsplit, which prints files below {LOGS}: name one"));
        return Exit::Wrong;
    }
    let mut exit = Exit::Fine;
    for error in files.iter().filter_map(|file| print(Path::new(file)).err()) {
        page::note(&format!("cat: {error}"));
        exit = Exit::Negative;
    }
    exit
}

fn print(path: &Path) -> Result<(), CatError> {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        return Err(CatError::Unknown(path.to_owned()));
    }
    let failed = |error| CatError::Failed(path.to_owned(), error);
    // A pipe to which nobody writes must not be waited for.
    let flags = (OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    // Where the file is that is open, wherever links led.
    let place = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(failed)?;
    if !place.starts_with(LOGS) || !file.metadata().map_err(failed)?.is_file() {
        return Err(CatError::Elsewhere(path.to_owned()));
    }
    match io::copy(&mut file, &mut io::stdout().lock()) {
        // Whoever read it has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map(drop).map_err(failed),
    }
}
