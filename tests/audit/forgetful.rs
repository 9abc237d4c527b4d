//! A disk in memory whose power can be cut after any step. What was not synced it may forget: of the bytes any part, torn
//! anywhere or with holes in it, and of the names any that were not made durable.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Cursor, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use netsplit::audit::read::Lines;
use netsplit::audit::{About, Disk, File, Identity, Locked, Name};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Its copies are the same disk.
#[derive(Clone)]
pub(crate) struct Forgetful(Arc<Mutex<Medium>>);

struct Medium {
    /// Steps that are left before the power is cut.
    steps: usize,
    inodes: Vec<Inode>,
    /// What processes see.
    seen: BTreeMap<Name, usize>,
    /// What is durable.
    durable: BTreeMap<Name, usize>,
    /// What was done to names since.
    changes: Vec<Change>,
    luck: ChaCha8Rng,
}

#[derive(Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Step>,
}

#[derive(Clone)]
enum Step {
    Append(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Clone, Copy)]
enum Change {
    Made(Name, usize),
    Renamed(Name, Name),
    Removed(Name),
}

/// How a cut of the power treats bytes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// What was written first survives, to any byte.
    Torn,
    /// Any blocks of it survive.
    Scattered,
}

/// A number below `bound`.
pub(crate) fn below(luck: &mut ChaCha8Rng, bound: usize) -> usize {
    usize::try_from(luck.next_u64() % u64::try_from(bound.max(1)).unwrap()).unwrap()
}

impl Forgetful {
    pub(crate) fn new(luck: ChaCha8Rng) -> Self {
        Self(Arc::new(Mutex::new(Medium {
            steps: usize::MAX,
            inodes: Vec::new(),
            seen: BTreeMap::new(),
            durable: BTreeMap::new(),
            changes: Vec::new(),
            luck,
        })))
    }

    /// The power is cut after so many steps.
    pub(crate) fn allow(&self, steps: usize) {
        self.0.lock().unwrap().steps = steps;
    }

    /// The power is cut now, and comes back.
    pub(crate) fn cut(&self, cut: Cut) {
        let medium = &mut *self.0.lock().unwrap();
        for change in std::mem::take(&mut medium.changes) {
            if below(&mut medium.luck, 2) == 0 {
                apply(&mut medium.durable, change);
            }
        }
        medium.seen.clone_from(&medium.durable);
        for inode in &mut medium.inodes {
            inode.durable = match cut {
                Cut::Torn => inode.torn(&mut medium.luck),
                Cut::Scattered => inode.scattered(&mut medium.luck),
            };
            inode.seen.clone_from(&inode.durable);
            inode.changes.clear();
        }
        medium.steps = usize::MAX;
    }

    /// The lines of the log as whoever reads it sees them.
    pub(crate) fn lines(&self) -> Lines {
        let medium = self.0.lock().unwrap();
        let source = |(name, inode): (&Name, &usize)| -> Option<(PathBuf, Box<dyn BufRead + Send>)> {
            let is_read = matches!(name, Name::Log | Name::Older(_));
            let bytes = medium.inodes[*inode].seen.clone();
            is_read.then(|| (format!("log{name}").into(), Box::new(Cursor::new(bytes)) as Box<dyn BufRead + Send>))
        };
        Lines::of(medium.seen.iter().filter_map(source).collect())
    }

    /// How many files of the log there are.
    pub(crate) fn files(&self) -> usize {
        self.lines().files().len()
    }

    fn step(&self) -> io::Result<MutexGuard<'_, Medium>> {
        let mut medium = self.0.lock().unwrap();
        medium.steps = medium.steps.checked_sub(1).ok_or_else(|| io::Error::other("the power is cut"))?;
        Ok(medium)
    }
}

fn apply(names: &mut BTreeMap<Name, usize>, change: Change) {
    match change {
        Change::Made(name, inode) => drop(names.insert(name, inode)),
        Change::Renamed(from, to) => {
            // Of a file whose name was forgotten there is nothing to rename.
            if let Some(inode) = names.remove(&from) {
                names.insert(to, inode);
            }
        }
        Change::Removed(name) => drop(names.remove(&name)),
    }
}

impl Inode {
    fn change(&mut self, change: Step) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    fn torn(&self, luck: &mut ChaCha8Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let whole = below(luck, self.changes.len() + 1);
        self.changes[..whole].iter().for_each(|change| change.apply(&mut bytes));
        if let Some(Step::Append(at, written)) = self.changes.get(whole) {
            let part = below(luck, written.len() + 1);
            Step::Append(*at, written[..part].to_vec()).apply(&mut bytes);
        }
        bytes
    }

    fn scattered(&self, luck: &mut ChaCha8Rng) -> Vec<u8> {
        const BLOCK: usize = 64;
        let mut bytes = self.durable.clone();
        for change in &self.changes {
            match change {
                Step::Append(at, written) => {
                    let blocks = written.chunks(BLOCK).enumerate();
                    let survive = blocks.filter(|_| below(luck, 2) == 0);
                    survive.for_each(|(index, block)| {
                        Step::Append(at + index * BLOCK, block.to_vec()).apply(&mut bytes);
                    });
                }
                cut @ Step::Cut(_) if below(luck, 2) == 0 => cut.apply(&mut bytes),
                Step::Cut(_) => {}
            }
        }
        bytes
    }
}

impl Step {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Append(at, written) => {
                let end = at + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(written);
            }
            Self::Cut(length) => bytes.truncate(*length),
        }
    }
}

/// A file of it that is open.
pub(crate) struct Open(Forgetful, usize);

impl Write for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut medium = self.0.step()?;
        let part = 1 + below(&mut medium.luck, bytes.len());
        let inode = &mut medium.inodes[self.1];
        inode.change(Step::Append(inode.seen.len(), bytes[..part].to_vec()));
        Ok(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl File for Open {
    fn about(&self) -> io::Result<About> {
        let medium = self.0.step()?;
        Ok(about(&medium, self.1))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.step()?.inodes[self.1].change(Step::Cut(usize::try_from(length).unwrap()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut medium = self.0.step()?;
        let inode = &mut medium.inodes[self.1];
        inode.durable.clone_from(&inode.seen);
        inode.changes.clear();
        Ok(())
    }
}

fn about(medium: &Medium, inode: usize) -> About {
    let identity = Identity(0, u64::try_from(inode).unwrap());
    About { identity, length: u64::try_from(medium.inodes[inode].seen.len()).unwrap() }
}

impl Medium {
    fn change(&mut self, change: Change) {
        apply(&mut self.seen, change);
        self.changes.push(change);
    }
}

impl Disk for Forgetful {
    type File = Open;

    fn prepare(&mut self) -> io::Result<()> {
        self.step().map(drop)
    }

    fn lock(&mut self) -> io::Result<Locked> {
        self.step().map(|_| Locked::Ours)
    }

    fn look(&mut self, name: Name) -> io::Result<Option<About>> {
        let medium = self.step()?;
        Ok(medium.seen.get(&name).map(|inode| about(&medium, *inode)))
    }

    fn read(&mut self, name: Name, from: u64, limit: u64) -> io::Result<Vec<u8>> {
        let medium = self.step()?;
        let inode = medium.seen.get(&name).ok_or(io::ErrorKind::NotFound)?;
        let bytes = medium.inodes[*inode].seen.iter().skip(usize::try_from(from).unwrap());
        Ok(bytes.take(usize::try_from(limit).unwrap()).copied().collect())
    }

    fn open(&mut self, name: Name) -> io::Result<Open> {
        let mut medium = self.step()?;
        if let Some(inode) = medium.seen.get(&name) {
            return Ok(Open(self.clone(), *inode));
        }
        medium.inodes.push(Inode::default());
        let inode = medium.inodes.len() - 1;
        medium.change(Change::Made(name, inode));
        Ok(Open(self.clone(), inode))
    }

    fn rename(&mut self, from: Name, to: Name) -> io::Result<()> {
        let mut medium = self.step()?;
        if !medium.seen.contains_key(&from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        medium.change(Change::Renamed(from, to));
        Ok(())
    }

    fn remove(&mut self, name: Name) -> io::Result<()> {
        self.step()?.change(Change::Removed(name));
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        let mut medium = self.step()?;
        medium.changes.clear();
        medium.durable = medium.seen.clone();
        Ok(())
    }
}
