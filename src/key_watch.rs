//! The key directory while the agent runs: a thread reads it every five seconds, and at once when told to, and hands the
//! agent the keys when they are others. It compares content, since a projected volume changes without changing a file.
//!
//! A directory that is bad or empty takes no key away: the agent goes on with those of before. The thread ends when
//! the last [`KeyWatch`] is dropped.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::agent::AgentHandle;
use crate::keys::{KeysError, read_directory};
use crate::panics::TellsOfAPanic;
use crate::wire::Keys;

/// How often the directory is read.
const EVERY: Duration = Duration::from_secs(5);

/// When it is read again after a failure that may be no more than a change under way: a file that is being written, a
/// volume that is being swapped.
const SOON: Duration = Duration::from_secs(1);

/// Tells the thread to look. Dropped, it lets it end.
#[derive(Clone, Debug)]
pub struct KeyWatch {
    looks: SyncSender<()>,
    moved: Arc<Moved>,
}

/// Where to look from now on, until the thread has taken it: a newer place replaces an older one.
#[derive(Debug, Default)]
struct Moved(Mutex<Option<(PathBuf, Keys)>>);

impl Moved {
    fn put(&self, directory: PathBuf, keys: Keys) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((directory, keys));
    }

    fn take(&self) -> Option<(PathBuf, Keys)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl KeyWatch {
    /// Looks now, not in up to five seconds.
    pub fn look(&self) {
        // A full queue holds a look that is still to come, and a thread that ended has said so.
        let _ = self.looks.try_send(());
    }

    /// From now on the keys are those of `directory`, where `keys` were found.
    pub fn move_to(&self, directory: PathBuf, keys: Keys) {
        self.moved.put(directory, keys);
        self.look();
    }
}

/// Watches `directory`, whose keys were `keys` when the agent got them.
///
/// # Errors
/// The system has no thread to give.
pub fn start(directory: PathBuf, keys: Keys, agent: AgentHandle) -> io::Result<KeyWatch> {
    let (look, looks) = sync_channel(1);
    let moved = Arc::<Moved>::default();
    let watch = Watch { directory, keys, agent, failure: Failure::None, moved: Arc::clone(&moved) };
    thread::Builder::new().name("keys".to_owned()).spawn(move || {
        let _told = TellsOfAPanic("the thread that reads the keys has ended; they stay as they are until a restart");
        watch.run(&looks);
    })?;
    Ok(KeyWatch { looks: look, moved })
}

struct Watch {
    directory: PathBuf,
    keys: Keys,
    agent: AgentHandle,
    failure: Failure,
    moved: Arc<Moved>,
}

/// What is known of a directory that cannot be used.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    None,
    /// It may be under way.
    New,
    Said(String),
}

impl Watch {
    fn run(mut self, looks: &Receiver<()>) {
        let mut delay = EVERY;
        while looks.recv_timeout(delay) != Err(RecvTimeoutError::Disconnected) {
            // Here and nowhere else, so that what was read in the old place never replaces what came from the new one.
            if let Some((directory, keys)) = self.moved.take() {
                self.move_to(directory, keys);
            }
            delay = self.take(read_directory(&self.directory));
        }
    }

    fn move_to(&mut self, directory: PathBuf, keys: Keys) {
        self.directory = directory;
        self.failure = Failure::None;
        if keys != self.keys {
            self.change(keys);
        }
    }

    /// Takes what a look brought, and says when to look again.
    fn take(&mut self, read: Result<Keys, KeysError>) -> Duration {
        match read {
            Err(error) => {
                self.agent.keys_not_reloaded();
                return self.failure.tell(&error.to_string());
            }
            Ok(keys) => {
                let was_said = matches!(std::mem::replace(&mut self.failure, Failure::None), Failure::Said(_));
                if keys != self.keys {
                    self.change(keys);
                } else if was_said {
                    tracing::info!(directory = %self.directory.display(), "the keys can be read again: they are as before");
                }
            }
        }
        EVERY
    }

    fn change(&mut self, keys: Keys) {
        let (directory, newest) = (self.directory.display(), keys.newest());
        tracing::info!(%directory, keys = keys.len(), newest = format_args!("{:02x}", newest.0), "the keys are others now");
        if !keys.share_one_with(&self.keys) {
            tracing::warn!(
                %directory,
                "none of the keys of before is left: agents that have not got a new one yet do not understand this one; \
                 to change keys without a gap, add the new one first, and remove the old one when it is everywhere"
            );
        }
        self.keys = keys.clone();
        self.agent.replace_keys(keys);
    }
}

impl Failure {
    /// Says a failure once it has come twice, and when it becomes another; and when to look again.
    fn tell(&mut self, error: &str) -> Duration {
        match self {
            Self::None => {
                *self = Self::New;
                return SOON;
            }
            Self::Said(said) if said == error => {}
            Self::New | Self::Said(_) => {
                tracing::warn!("the keys of before stay in use: {error}");
                *self = Self::Said(error.to_owned());
            }
        }
        EVERY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: &str) -> Failure {
        Failure::Said(error.to_owned())
    }

    #[test]
    fn a_failure_is_said_when_it_stays_and_again_only_when_it_changes() {
        let mut failure = Failure::None;
        assert_eq!((failure.tell("empty"), &failure), (SOON, &Failure::New), "it may be a change under way");
        assert_eq!((failure.tell("empty"), &failure), (EVERY, &said("empty")));
        assert_eq!((failure.tell("empty"), &failure), (EVERY, &said("empty")));
        assert_eq!((failure.tell("half a key"), &failure), (EVERY, &said("half a key")));
    }
}
