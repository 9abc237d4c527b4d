//! Files that probes need: passwords, tokens, certificates. They are read anew for each probe and gone with it.
//!
//! A disk that hangs keeps whoever reads from it, so other threads do that, and of those there are so many at most: the
//! probes whose files are on other disks, or which need none, go on.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::report::Fault;

/// The largest file that is read. A token of Kubernetes has about a thousand bytes.
const LARGEST: usize = 64 * 1024;

/// How many files are read at once. Who has a file on a disk that hangs keeps its place for as long as that takes.
static READERS: Semaphore = Semaphore::const_new(16);

/// A password or token, never shown.
pub(super) struct Secret(String);

impl Secret {
    /// What a file holds, less the end of its line.
    pub(super) fn of(text: Vec<u8>, path: &Path) -> Result<Self, Fault> {
        let text = String::from_utf8(text).map_err(|_| unreadable(path, &"it is not UTF-8"))?;
        Ok(Self(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// For the protocol, and for nobody else.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Who reads which file now: one at a time, or the trials of one endpoint would take all places.
static FILES: Mutex<BTreeMap<PathBuf, Arc<Turn>>> = Mutex::new(BTreeMap::new());

/// Whose turn it is with one file.
type Turn = tokio::sync::Mutex<()>;

/// What is in a file that the configuration names. A file that is not there is a fault of this machine.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let turn = turn_with(path).lock_owned().await;
    let place = READERS.acquire().await.map_err(|error| unreadable(path, &error))?;
    let owned = path.to_owned();
    let read = spawn_blocking(move || {
        let _until_it_is_read = (turn, place);
        read_here(&owned)
    });
    read.await.map_err(|error| unreadable(path, &error))?
}

/// Files that nobody reads are forgotten.
fn turn_with(path: &Path) -> Arc<Turn> {
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    files.retain(|_, turn| Arc::strong_count(turn) > 1);
    Arc::clone(files.entry(path.to_owned()).or_default())
}

fn read_here(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut text));
    read.map_err(|error| unreadable(path, &error))?;
    if text.len() > LARGEST {
        return Err(unreadable(path, &"it is larger than 64 KiB"));
    }
    Ok(text)
}

fn unreadable(path: &Path, why: &dyn fmt::Display) -> Fault {
    Fault::local(format!("{} cannot be read: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;
    use std::time::Duration;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;
    use crate::clock::Clock;
    use crate::detector::outcome::Outcome;
    use crate::probe::registry::Registry;
    use crate::probe::tcp::Tcp;
    use crate::probe::web::{Authorization, Web};
    use crate::probe::{Address, Check, Host, Target, probe};

    #[test]
    fn a_secret_is_the_file_without_the_end_of_its_line_and_is_never_shown() {
        let secret = Secret::of(b"correct horse \r\n".to_vec(), Path::new("password")).unwrap();
        assert_eq!((secret.expose(), format!("{secret:?}").contains("horse")), ("correct horse ", false));
    }

    /// A disk that hangs is like a pipe to which nobody writes.
    #[tokio::test]
    async fn a_file_on_a_disk_that_hangs_is_a_fault_of_this_machine_and_delays_no_other_probe() {
        let directory = tempfile::tempdir().unwrap();
        let hung = directory.path().join("token");
        mkfifo(&hung, Mode::S_IRWXU).unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address { host: Host::Ip([127, 0, 0, 1].into()), port: server.local_addr().unwrap().port() };
        let authorization = Some(Authorization::Bearer(hung.clone()));
        let web = Web { address: address.clone(), tls: None, path: String::new(), authorization };
        let timeout = Duration::from_millis(200);
        let waiting = Target { check: Check::Registry(Registry { web }), timeout };
        let tcp = Tcp { address, tls: None, send: None, expect: None };
        let other = Target { check: Check::Tcp(tcp), timeout: Duration::from_secs(60) };
        let (waiting, other) = tokio::join!(probe(&waiting, Clock::start(), 0), probe(&other, Clock::start(), 0));
        assert_eq!((waiting.outcome, other.outcome), (Outcome::Inconclusive, Outcome::Success));
        assert_eq!(waiting.detail, format!("{} was not read in time: does its disk hang?", hung.display()));
        // Whoever reads goes on now: the runtime waits for it.
        fs::write(&hung, "open sesame").unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_missing_or_too_large_is_a_fault_of_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let large = directory.path().join("large");
        fs::write(&large, vec![b'x'; 65 * 1024]).unwrap();
        for path in [directory.path().join("missing"), large] {
            let fault = read(&path).await.unwrap_err();
            assert_eq!(fault.cause, None);
            assert!(fault.detail.contains(path.to_str().unwrap()), "{}", fault.detail);
        }
    }
}
