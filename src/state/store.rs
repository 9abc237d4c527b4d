//! The state's file, and the steps that replace it: a new file beside it is written and made durable, takes its name, and
//! then the name is made durable. A crash between any two of them leaves the old state or the new one.

use std::io::{self, Write};

use super::disk::{Disk, File, Locked};
use super::format::{Flaw, Whose, decode, encode};
use super::open::Found;
use crate::detector::saved::Saved;

/// The state.
pub const STATE: &str = "state.json";

/// The next state while it is being written. One that a crash left behind is replaced.
pub const TEMPORARY: &str = "state.json.tmp";

/// The last state that could not be read, for whoever wants to know why.
pub const LOST: &str = "state.json.corrupt";

/// The file that is locked: it stays, so that two agents never lock different ones.
pub const LOCK: &str = "lock";

/// More than any state has: that of 5,000 nodes is about one MiB.
const LARGEST: u64 = 16 << 20;

/// A state was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The directory belongs to another agent that runs.
    #[error("another agent has the directory")]
    InUse,
    /// The disk refused a step.
    #[error("cannot {0}: {1}")]
    Failed(&'static str, io::Error),
}

/// The state's place on a disk.
pub(super) struct Store<D> {
    disk: D,
    whose: Whose,
    is_ours: bool,
}

impl<D: Disk> Store<D> {
    pub(super) fn new(disk: D, whose: Whose) -> Self {
        Self { disk, whose, is_ours: false }
    }

    /// Makes the directory ours, if it is not yet. Nothing is changed in one that is not.
    pub(super) fn claim(&mut self) -> Result<(), Fault> {
        if self.is_ours {
            return Ok(());
        }
        self.disk.prepare().map_err(|error| Fault::Failed("make the directory", error))?;
        match self.disk.lock(LOCK).map_err(|error| Fault::Failed("lock the directory", error))? {
            Locked::InUse => Err(Fault::InUse),
            Locked::Ours => {
                self.is_ours = true;
                Ok(())
            }
        }
    }

    /// What the run before left. What is no state of ours is moved out of the way, if the directory is ours.
    pub(super) fn load(&mut self) -> Found {
        let flaw = match self.disk.read(STATE, LARGEST + 1) {
            Ok(None) => return Found::Nothing,
            Ok(Some(bytes)) if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) => Flaw::TooLarge,
            Ok(Some(bytes)) => match decode(&self.whose, &bytes) {
                Ok(saved) => return Found::State(Box::new(saved)),
                Err(flaw) => flaw,
            },
            Err(error) => Flaw::Unreadable(error),
        };
        let kept_as = (self.is_ours && self.disk.rename(STATE, LOST).is_ok()).then_some(LOST);
        Found::Lost { flaw, kept_as }
    }

    /// Puts this state in place of the one before. When it returns well, no crash undoes it.
    pub(super) fn save(&mut self, state: &Saved) -> Result<(), Fault> {
        self.claim()?;
        let bytes = encode(&self.whose, state).map_err(|error| Fault::Failed("encode the state", error))?;
        if let Err(fault) = self.write(&bytes) {
            // What is left would only use up the room that is missing.
            let _ = self.disk.remove(TEMPORARY);
            return Err(fault);
        }
        self.disk.rename(TEMPORARY, STATE).map_err(|error| Fault::Failed("put the new state in place", error))?;
        self.disk.sync_names().map_err(|error| Fault::Failed("make the directory durable", error))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut file = self.disk.create(TEMPORARY).map_err(|error| Fault::Failed("create the new state", error))?;
        file.write_all(bytes).map_err(|error| Fault::Failed("write the new state", error))?;
        file.sync().map_err(|error| Fault::Failed("make the new state durable", error))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::super::format::tests::{some_state, whose};
    use super::*;

    /// A disk that does a number of steps, and then no more. What was not synced it may forget.
    #[derive(Clone, Default)]
    struct Forgetful(Arc<Mutex<Medium>>);

    #[derive(Default)]
    struct Medium {
        /// Steps that are left before the crash.
        steps: usize,
        /// What processes see, by name.
        seen: BTreeMap<String, Arc<Mutex<Content>>>,
        /// What is durable, by name.
        durable: BTreeMap<String, Arc<Mutex<Content>>>,
    }

    #[derive(Default)]
    struct Content {
        written: Vec<u8>,
        synced: Vec<u8>,
    }

    /// What a crash does to what was not synced.
    #[derive(Clone, Copy, Debug)]
    struct Crash {
        names_survive: bool,
        /// Of the bytes that were written and not synced, in eighths.
        bytes_survive: usize,
    }

    impl Forgetful {
        fn step(&self) -> io::Result<std::sync::MutexGuard<'_, Medium>> {
            let mut medium = self.0.lock().unwrap();
            medium.steps = medium.steps.checked_sub(1).ok_or_else(|| io::Error::other("crashed"))?;
            Ok(medium)
        }

        fn allow(&self, steps: usize) {
            self.0.lock().unwrap().steps = steps;
        }

        /// The disk as the next start finds it.
        fn after(&self, crash: Crash) -> Self {
            let medium = self.0.lock().unwrap();
            let names = if crash.names_survive { &medium.seen } else { &medium.durable };
            let survive = |content: &Arc<Mutex<Content>>| {
                let Content { written, synced } = &*content.lock().unwrap();
                let kept = if synced.is_empty() { &written[..written.len() * crash.bytes_survive / 8] } else { synced };
                Arc::new(Mutex::new(Content { written: kept.to_vec(), synced: kept.to_vec() }))
            };
            let seen: BTreeMap<_, _> = names.iter().map(|(name, content)| (name.clone(), survive(content))).collect();
            Self(Arc::new(Mutex::new(Medium { steps: usize::MAX, durable: seen.clone(), seen })))
        }
    }

    struct Open(Forgetful, Arc<Mutex<Content>>);

    impl Write for Open {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _step = self.0.step()?;
            let part = bytes.len().div_ceil(3).max(1).min(bytes.len());
            self.1.lock().unwrap().written.extend_from_slice(&bytes[..part]);
            Ok(part)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl File for Open {
        fn sync(&mut self) -> io::Result<()> {
            let _step = self.0.step()?;
            let content = &mut *self.1.lock().unwrap();
            content.synced.clone_from(&content.written);
            Ok(())
        }
    }

    impl Disk for Forgetful {
        type File = Open;

        fn prepare(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn lock(&mut self, _: &str) -> io::Result<Locked> {
            Ok(Locked::Ours)
        }

        fn read(&mut self, name: &str, _: u64) -> io::Result<Option<Vec<u8>>> {
            Ok(self.step()?.seen.get(name).map(|content| content.lock().unwrap().written.clone()))
        }

        fn create(&mut self, name: &str) -> io::Result<Open> {
            let content = Arc::<Mutex<Content>>::default();
            self.step()?.seen.insert(name.to_owned(), Arc::clone(&content));
            Ok(Open(self.clone(), content))
        }

        fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
            let mut medium = self.step()?;
            let content = medium.seen.remove(from).ok_or(io::ErrorKind::NotFound)?;
            medium.seen.insert(to.to_owned(), content);
            Ok(())
        }

        fn remove(&mut self, name: &str) -> io::Result<()> {
            self.step()?.seen.remove(name);
            Ok(())
        }

        fn sync_names(&mut self) -> io::Result<()> {
            let mut medium = self.step()?;
            medium.durable = medium.seen.clone();
            Ok(())
        }
    }

    fn store(disk: &Forgetful) -> Store<Forgetful> {
        let mut store = Store::new(disk.clone(), whose());
        store.claim().unwrap();
        store
    }

    /// The run that the state on this disk is of.
    fn run_in(disk: &Forgetful) -> Option<u64> {
        match store(disk).load() {
            Found::State(saved) => {
                assert_eq!(*saved, some_state(saved.incarnation.0));
                Some(saved.incarnation.0)
            }
            Found::Nothing => None,
            Found::Lost { flaw, .. } => panic!("a crash made a state that is none: {flaw}"),
        }
    }

    const CRASHES: [Crash; 6] = [
        Crash { names_survive: false, bytes_survive: 0 },
        Crash { names_survive: false, bytes_survive: 5 },
        Crash { names_survive: false, bytes_survive: 8 },
        Crash { names_survive: true, bytes_survive: 0 },
        Crash { names_survive: true, bytes_survive: 5 },
        Crash { names_survive: true, bytes_survive: 8 },
    ];

    /// A disk on which run 1 was saved, and the save of run 2 ended after this many steps; whether that went well.
    fn cut_after(steps: usize) -> (Forgetful, bool) {
        let disk = Forgetful::default();
        disk.allow(usize::MAX);
        store(&disk).save(&some_state(1)).unwrap();
        disk.allow(steps);
        let saved = Store::new(disk.clone(), whose()).save(&some_state(2)).is_ok();
        (disk, saved)
    }

    #[test]
    fn a_crash_between_any_two_steps_leaves_the_old_state_or_the_new_one() {
        let whole = (0..100).find(|&steps| cut_after(steps).1).unwrap();
        assert!(whole >= 7, "create, write in parts, sync, rename, sync the names: {whole}");
        for (steps, crash) in (0..=whole).flat_map(|steps| CRASHES.map(|crash| (steps, crash))) {
            let (disk, saved) = cut_after(steps);
            let found = run_in(&disk.after(crash));
            let expected = if saved { &[Some(2)][..] } else { &[Some(1), Some(2)] };
            assert!(expected.contains(&found), "{found:?} after {steps} steps and {crash:?}");
        }
    }

    #[test]
    fn what_a_crash_left_behind_does_not_keep_the_next_run_from_saving() {
        for (steps, crash) in (0..10).flat_map(|steps| CRASHES.map(|crash| (steps, crash))) {
            let disk = cut_after(steps).0.after(crash);
            store(&disk).save(&some_state(3)).unwrap();
            assert_eq!(run_in(&disk.after(CRASHES[0])), Some(3));
        }
    }

    #[test]
    fn the_very_first_state_is_there_whole_or_not_at_all() {
        for (steps, crash) in (0..10).flat_map(|steps| CRASHES.map(|crash| (steps, crash))) {
            let disk = Forgetful::default();
            disk.allow(steps);
            let saved = store(&disk).save(&some_state(1)).is_ok();
            let found = run_in(&disk.after(crash));
            assert!(found == Some(1) || !saved && found.is_none(), "{found:?} after {steps} steps and {crash:?}");
        }
    }

    #[test]
    fn a_state_that_is_none_is_moved_aside_and_one_of_them_kept() {
        let disk = Forgetful::default();
        disk.allow(usize::MAX);
        for rubbish in [&b"first"[..], b"second"] {
            disk.clone().create(STATE).unwrap().write_all(rubbish).unwrap();
            assert!(matches!(store(&disk).load(), Found::Lost { flaw: Flaw::Torn, kept_as: Some(LOST) }));
            assert_eq!(disk.clone().read(LOST, 10).unwrap().unwrap(), rubbish);
            assert!(matches!(store(&disk).load(), Found::Nothing));
        }
    }
}
