//! The log on its disk: lines are put behind those that are there, and a batch is durable or it is not there.
//!
//! What failed is undone before anything else is written: the file is cut back to what was durable, and the same lines are
//! written again. So nothing is there twice, nothing is missing, and a crash at any byte leaves at most a torn end. When
//! the file is no longer the one that was written (removed, replaced, cut off), it is looked at anew, or made anew.

use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Arc;

use super::chain::{End, LineHash};
use super::counters::Counters;
use super::disk::{About, Disk, File, Locked, Name};
use super::line::Head;
use super::past::{Found, Past, past};
use super::queue::Line;
use super::rotation::rotate;
use super::settings::Knobs;
use crate::clock::Clock;

/// What is kept of torn ends: the newest ones.
const TORN: u64 = 1 << 20;

/// How many files that were no log are kept, each under a name of its own, before nothing is moved aside any more.
const FOREIGN: usize = 100;

/// Lines were not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The log belongs to another agent that runs.
    #[error("another agent writes this log")]
    InUse,
    /// The disk refused a step.
    #[error("cannot {0}: {1}")]
    Failed(&'static str, io::Error),
    /// Somebody else changed the file while it was written.
    #[error("the file was moved, removed or changed by somebody else meanwhile")]
    Changed,
}

/// What the run before left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// No log.
    Nothing,
    /// A log that ends so.
    Log(End),
    /// Something that is no log.
    Unreadable,
}

/// The log's place on a disk.
pub(super) struct Log<D: Disk> {
    disk: D,
    /// As people name it.
    place: String,
    knobs: Arc<Knobs>,
    counters: Arc<Counters>,
    clock: Clock,
    open: Option<D::File>,
    /// The file that is written, as it is without what failed.
    good: Option<Good>,
    /// There may be more in the file, and it is ours.
    failed: bool,
    /// The oldest file is to go once there is a line in the new one.
    drops_last: bool,
}

#[derive(Clone, Copy, Debug)]
struct Good {
    about: About,
    /// The hash of its last line; none if it has none.
    last: Option<LineHash>,
}

impl<D: Disk> Log<D> {
    pub(super) fn new(disk: D, place: String, knobs: Arc<Knobs>, counters: Arc<Counters>, clock: Clock) -> Self {
        Self { disk, place, knobs, counters, clock, open: None, good: None, failed: false, drops_last: false }
    }

    /// What the run before left. Nothing of it is changed. That another agent writes there is said here already: what
    /// this one would read is not the end for long.
    pub(super) fn before(&mut self) -> Result<Before, Fault> {
        // A disk that takes no lock may be read all the same.
        if matches!(self.claim(), Err(Fault::InUse)) {
            return Err(Fault::InUse);
        }
        let mut read = |name| past(&mut self.disk, name).map_err(|error| Fault::Failed("read the log", error));
        let found = match read(Name::Log)?.map(|past| past.found) {
            None | Some(Found::NoLine) => read(Name::Older(1))?.map(|past| past.found),
            other => other,
        };
        Ok(match found {
            None => Before::Nothing,
            Some(Found::Lines { end, .. }) => Before::Log(end),
            Some(Found::NoLine | Found::Foreign) => Before::Unreadable,
        })
    }

    /// Makes the first of these lines durable, as many as fit into one file; how many. Their numbers and hashes are fixed
    /// already, so it is the same lines that are tried again.
    pub(super) fn append(&mut self, lines: &[Line]) -> Result<usize, Fault> {
        let result = self.try_append(lines);
        if let Err(fault) = &result {
            self.give_up(fault);
        }
        result
    }

    /// Leaves nothing half written behind, if the disk lets us: the next attempt sees to it in any case.
    fn give_up(&mut self, fault: &Fault) {
        let is_ours = matches!(fault, Fault::Failed(..)) && !self.failed;
        if let (Some(mut file), Some(good), true) = (self.open.take(), self.good, is_ours) {
            let _ = file.cut(good.about.length);
        }
        // What somebody else wrote meanwhile is not ours to cut off.
        self.failed = matches!(fault, Fault::Failed(..));
    }

    fn try_append(&mut self, lines: &[Line]) -> Result<usize, Fault> {
        let Some(first) = lines.first() else { return Ok(0) };
        let good = self.place_for(first)?;
        let room = self.knobs.max_size().saturating_sub(good.about.length);
        let (bytes, count) = joined(lines, room);
        let file = self.open.as_mut().ok_or(Fault::Changed)?;
        file.write_all(&bytes).map_err(|error| Fault::Failed("write to it", error))?;
        let before = self.clock.now();
        file.sync().map_err(|error| Fault::Failed("make it durable", error))?;
        self.counters.synced(self.clock.now().since(before));
        let about = About { length: good.about.length + size(&bytes), ..good.about };
        if self.look(Name::Log)? != Some(about) {
            return Err(Fault::Changed);
        }
        let last = lines.get(count - 1).map(|line| LineHash::of(line.text.as_bytes()));
        self.good = Some(Good { about, last });
        if std::mem::take(&mut self.drops_last) {
            // Should it fail, the next rotation gets rid of it.
            let _ = self.disk.remove(Name::Older(1));
        }
        Ok(count)
    }

    /// Has the file open that this line goes to, and nothing in it behind what is good.
    fn place_for(&mut self, line: &Line) -> Result<Good, Fault> {
        let good = self.current()?;
        let Some(last) = good.last else { return Ok(good) };
        let follows = Head::of(line.text.as_bytes()).is_some_and(|head| head.prev == last);
        let is_full = good.about.length + size(line.text.as_bytes()) >= self.knobs.max_size();
        if follows && !is_full {
            return Ok(good);
        }
        if !follows {
            tracing::warn!(
                log = self.place,
                "the log does not end where the events of this run go on: they go to a new file, and what is there is \
                 kept as an older one"
            );
        }
        self.begin_next_file()
    }

    /// The file that is written, open, with nothing in it behind what is good.
    fn current(&mut self) -> Result<Good, Fault> {
        let about = if self.open.is_some() { self.look(Name::Log)? } else { None };
        if let Some(good) = self.good.filter(|good| Some(good.about) == about && !self.failed) {
            return Ok(good);
        }
        self.open = None;
        self.claim()?;
        let Some(about) = self.look(Name::Log)? else { return self.make() };
        let is_the_same = |good: &Good| good.about.identity == about.identity && good.about.length <= about.length;
        let good = match self.good.filter(is_the_same) {
            Some(good) => good,
            None => match past(&mut self.disk, Name::Log).map_err(|error| Fault::Failed("read it", error))? {
                None => return self.make(),
                Some(Past { found: Found::Foreign, .. }) => {
                    self.move_foreign_aside()?;
                    return self.make();
                }
                Some(Past { about, found: Found::NoLine }) => Good { about: About { length: 0, ..about }, last: None },
                Some(Past { about, found: Found::Lines { end, whole } }) => {
                    Good { about: About { length: whole, ..about }, last: Some(end.hash) }
                }
            },
        };
        self.reopen(good, about)
    }

    /// Opens a file that is there, and takes away what is in it behind what is good. What is not ours is kept elsewhere.
    fn reopen(&mut self, good: Good, about: About) -> Result<Good, Fault> {
        let mut file = self.disk.open(Name::Log).map_err(|error| Fault::Failed("open it", error))?;
        if file.about().map_err(|error| Fault::Failed("look at it", error))? != about {
            return Err(Fault::Changed);
        }
        let is_ours = self.failed && self.good.is_some_and(|known| known.about == good.about);
        if about.length > good.about.length {
            if !is_ours {
                self.move_torn_aside(good.about.length, about.length)?;
            }
            // Made durable at once: new lines over the remains of old ones would look like what was altered.
            let cut = file.cut(good.about.length).and_then(|()| file.sync());
            cut.map_err(|error| Fault::Failed("cut off what is not whole", error))?;
        }
        // A file that an earlier attempt made may not have its name for good.
        self.sync_names()?;
        Ok(self.goes_on(file, good))
    }

    /// A new file, which has its name for good.
    fn make(&mut self) -> Result<Good, Fault> {
        let file = self.disk.open(Name::Log).map_err(|error| Fault::Failed("make it", error))?;
        let about = file.about().map_err(|error| Fault::Failed("look at it", error))?;
        if about.length > 0 {
            return Err(Fault::Changed);
        }
        self.sync_names()?;
        Ok(self.goes_on(file, Good { about, last: None }))
    }

    fn goes_on(&mut self, file: D::File, good: Good) -> Good {
        self.open = Some(file);
        self.good = Some(good);
        self.failed = false;
        good
    }

    fn begin_next_file(&mut self) -> Result<Good, Fault> {
        let keep = NonZero::new(self.knobs.keep()).unwrap_or(NonZero::<usize>::MIN);
        self.open = None;
        rotate(&mut self.disk, keep).map_err(|error| Fault::Failed("begin the next file", error))?;
        self.good = None;
        self.drops_last = keep == NonZero::<usize>::MIN;
        self.make()
    }

    /// Keeps what is not whole, for whoever wants to know: nothing that somebody wrote is destroyed.
    fn move_torn_aside(&mut self, from: u64, to: u64) -> Result<(), Fault> {
        let failed = |error| Fault::Failed("move a torn line aside", error);
        let mut bytes = self.disk.read(Name::Log, from, (to - from).min(TORN)).map_err(failed)?;
        bytes.push(b'\n');
        let mut torn = self.disk.open(Name::Torn).map_err(failed)?;
        if torn.about().map_err(failed)?.length + size(&bytes) > TORN {
            torn.cut(0).map_err(failed)?;
        }
        torn.write_all(&bytes).and_then(|()| torn.sync()).map_err(failed)?;
        self.sync_names()?;
        self.counters.tore();
        tracing::warn!(
            log = self.place,
            bytes = to - from,
            "the end of the audit log was torn, as by a crash while it was written; it was moved to a file beside it \
             with .torn behind the name, and the log goes on after the last whole line"
        );
        Ok(())
    }

    fn move_foreign_aside(&mut self) -> Result<(), Fault> {
        let mut name = None;
        for number in 1..=FOREIGN {
            if self.look(Name::Foreign(number))?.is_none() {
                name = Some(Name::Foreign(number));
                break;
            }
        }
        let failed = |error| Fault::Failed("move a file aside that is no audit log", error);
        let name = name.ok_or_else(|| failed(io::ErrorKind::AlreadyExists.into()))?;
        self.disk.rename(Name::Log, name).map_err(failed)?;
        self.sync_names()?;
        tracing::warn!(
            log = self.place,
            moved_to = format!("{}{name}", self.place),
            "what stood in the place of the audit log is none: it was moved aside, and a new log begins; look whether \
             audit.path is right"
        );
        Ok(())
    }

    fn claim(&mut self) -> Result<(), Fault> {
        self.disk.prepare().map_err(|error| Fault::Failed("make its directory", error))?;
        match self.disk.lock().map_err(|error| Fault::Failed("lock it", error))? {
            Locked::Ours => Ok(()),
            Locked::InUse => Err(Fault::InUse),
        }
    }

    fn look(&mut self, name: Name) -> Result<Option<About>, Fault> {
        self.disk.look(name).map_err(|error| Fault::Failed("look at it", error))
    }

    fn sync_names(&mut self) -> Result<(), Fault> {
        self.disk.sync_names().map_err(|error| Fault::Failed("make its directory durable", error))
    }
}

/// The first of these lines as bytes, as many as have room, but at least one; how many.
fn joined(lines: &[Line], room: u64) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut count = 0;
    for line in lines {
        if count > 0 && size(&bytes) + size(line.text.as_bytes()) >= room {
            break;
        }
        bytes.extend_from_slice(line.text.as_bytes());
        bytes.push(b'\n');
        count += 1;
    }
    (bytes, count)
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
