//! A log as it grows, across its rotation: as `tail -F` does it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netsplit::audit::read::{ReadError, lines};
use tokio::runtime::{Builder, Runtime};

use super::logs::Reading;
use super::selection::Selection;
use super::showing::{Showing, Told};
use crate::command::page::{Reader, note};

/// How often it is looked whether there is more.
const PAUSE: Duration = Duration::from_millis(250);

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// A line that is longer than any is passed over.
const LARGEST: usize = 32 << 20;

/// Shows the events of a log, and then what comes, until nobody reads.
pub(super) fn follow(path: &Path, selection: &Selection, showing: &Showing) -> anyhow::Result<()> {
    let runtime: Runtime = Builder::new_current_thread().enable_time().build()?;
    let mut tail = Tail::new(path);
    // Opened before the past is read, so that nothing is between the two; what is in both is shown once.
    tail.open().map_err(|cause| ReadError::Failed { file: path.to_owned(), cause })?;
    let (reader, last) = show_past(path, selection, showing)?;
    if reader == Reader::Gone {
        return Ok(());
    }
    let known = |event: &Told| last.is_some_and(|last| event.seq().is_none_or(|seq| seq <= last));
    tail.last = last;
    let mut reader = showing.show_all(tail.look()?.into_iter().skip_while(known))?;
    while reader == Reader::Reads {
        // A timer is made where there is a runtime to wake it.
        runtime.block_on(async { tokio::time::sleep(PAUSE).await });
        reader = showing.show_all(tail.look()?)?;
    }
    Ok(())
}

/// Shows what was. Whether somebody reads, and the number of the last event.
fn show_past(path: &Path, selection: &Selection, showing: &Showing) -> anyhow::Result<(Reader, Option<u64>)> {
    let mut reading = Reading::default();
    let mut last = selection.last();
    for line in lines(path)? {
        let event = reading.read(&line?).filter(|event| selection.admits(event));
        if let Some(event) = event.and_then(|event| last.take(event))
            && showing.show(&event)? == Reader::Gone
        {
            return Ok((Reader::Gone, None));
        }
    }
    Ok((showing.show_all(last.rest())?, reading.last))
}

/// The end of a file that grows, is moved away, and begins anew.
struct Tail {
    path: PathBuf,
    file: Option<Opened>,
    /// The number of the last event.
    last: Option<u64>,
}

struct Opened {
    file: File,
    /// How many bytes of whole lines were read.
    whole: u64,
    /// What was read behind them: the beginning of a line.
    begun: Vec<u8>,
}

impl Tail {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, last: None }
    }

    /// Opens the file at the path, from its beginning. While it is being rotated there is none.
    fn open(&mut self) -> io::Result<()> {
        match File::open(&self.path) {
            Ok(file) => self.file = Some(Opened { file, whole: 0, begun: Vec::new() }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What has come since the last time.
    fn look(&mut self) -> Result<Vec<Told>, ReadError> {
        let events = self.read_on().map_err(|cause| ReadError::Failed { file: self.path.clone(), cause })?;
        let events = self.with_missed(events)?;
        self.last = events.iter().rev().find_map(Told::seq).or(self.last);
        Ok(events)
    }

    /// A file that came and was moved away between two looks is read after all.
    fn with_missed(&self, mut events: Vec<Told>) -> Result<Vec<Told>, ReadError> {
        let mut last = self.last;
        let mut gaps = events.iter().enumerate().filter_map(|(at, event)| {
            let seq = event.seq().filter(|seq| self.last.is_none_or(|last| last < *seq))?;
            let first = last.replace(seq)?.saturating_add(1);
            (first < seq).then_some((at, first..seq))
        });
        let Some((at, missing)) = gaps.next() else { return Ok(events) };
        let mut missed = Vec::new();
        for line in lines(&self.path)? {
            let event = Reading::default().read(&line?);
            missed.extend(event.filter(|event| event.seq().is_some_and(|seq| missing.contains(&seq))));
        }
        let lost = (missing.end - missing.start).saturating_sub(u64::try_from(missed.len()).unwrap_or(u64::MAX));
        if lost > 0 {
            note(&format!("missing before event {}: {lost}; the log no longer has their file", missing.end));
        }
        events.splice(at..at, missed);
        Ok(events)
    }

    /// What was written into the files that are seen.
    fn read_on(&mut self) -> io::Result<Vec<Told>> {
        // Looked up first: what was written into the old file before it was moved away is then read below.
        let is_moved = self.is_moved()?;
        let mut events = Vec::new();
        if let Some(opened) = &mut self.file {
            opened.read_lines(&mut events)?;
        }
        if is_moved {
            self.open()?;
            if let Some(opened) = &mut self.file {
                opened.read_lines(&mut events)?;
            }
        }
        Ok(events)
    }

    /// Whether another file is at the path now than the one that is open.
    fn is_moved(&self) -> io::Result<bool> {
        let there = match self.path.metadata() {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(opened) = &self.file else { return Ok(true) };
        let here = opened.file.metadata()?;
        Ok((here.dev(), here.ino()) != (there.dev(), there.ino()))
    }
}

impl Opened {
    fn read_lines(&mut self, events: &mut Vec<Told>) -> io::Result<()> {
        self.step_back_if_cut()?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = match self.file.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                length => length?,
            };
            if length == 0 {
                return Ok(());
            }
            self.begun.extend_from_slice(chunk.get(..length).unwrap_or_default());
            self.take_lines(events);
            if self.begun.len() > LARGEST {
                self.whole += u64::try_from(self.begun.len()).unwrap_or_default();
                self.begun.clear();
            }
        }
    }

    /// A torn line is cut off when its agent starts anew; a file that is shorter than its whole lines was emptied.
    fn step_back_if_cut(&mut self) -> io::Result<()> {
        let begun = u64::try_from(self.begun.len()).unwrap_or(u64::MAX);
        let length = self.file.metadata()?.len();
        if length < self.whole.saturating_add(begun) {
            self.whole = if length < self.whole { 0 } else { self.whole };
            self.begun.clear();
            self.file.seek(SeekFrom::Start(self.whole))?;
        }
        Ok(())
    }

    fn take_lines(&mut self, events: &mut Vec<Told>) {
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        self.whole += u64::try_from(whole.len()).unwrap_or_default();
        let lines = whole.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        events.extend(lines.filter_map(Told::read));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    fn line(seq: u64) -> String {
        format!("{{\"seq\":{seq},\"event\":\"blind\"}}\n")
    }

    fn append(path: &Path, text: &str) {
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn new(tail: &mut Tail) -> Vec<u64> {
        tail.look().unwrap().iter().filter_map(Told::seq).collect()
    }

    #[test]
    fn lines_are_told_when_they_are_whole_and_across_a_rotation() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        append(&path, &line(1));
        let mut tail = Tail::new(&path);
        assert_eq!(new(&mut tail), [1], "it is opened when it is there");
        append(&path, &format!("{}{}", line(2), &line(3)[..5]));
        assert_eq!(new(&mut tail), [2]);
        append(&path, &line(3)[5..]);
        assert_eq!(new(&mut tail), [3]);
        append(&path, &line(4));
        fs::rename(&path, directory.path().join("log.1")).unwrap();
        assert_eq!(new(&mut tail), [4], "there is no other file yet");
        append(&path, &line(5));
        assert_eq!(new(&mut tail), [5]);
        assert_eq!(new(&mut tail), [0; 0]);
    }

    #[test]
    fn a_file_that_came_and_was_moved_away_between_two_looks_is_told_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let [path, older, oldest] = ["log", "log.1", "log.2"].map(|name| directory.path().join(name));
        let rotate = || {
            let _ = fs::rename(&older, &oldest);
            fs::rename(&path, &older).unwrap();
        };
        append(&path, &line(1));
        let mut tail = Tail::new(&path);
        assert_eq!(new(&mut tail), [1]);
        append(&path, &line(2));
        rotate();
        append(&path, &format!("{}{}", line(3), line(4)));
        rotate();
        append(&path, &line(5));
        assert_eq!(new(&mut tail), [2, 3, 4, 5]);
        rotate();
        append(&path, &line(6));
        rotate();
        append(&path, "");
        assert_eq!(new(&mut tail), [0; 0], "nothing says yet that there was another file");
        append(&path, &line(7));
        assert_eq!(new(&mut tail), [6, 7]);
        rotate();
        append(&path, &line(8));
        fs::remove_file(&path).unwrap();
        append(&path, &line(9));
        assert_eq!(new(&mut tail), [9], "what is gone is gone");
    }

    #[test]
    fn a_torn_line_that_is_cut_off_does_not_spoil_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        append(&path, &format!("{}{}", line(1), &line(2)[..9]));
        let mut tail = Tail::new(&path);
        assert_eq!(new(&mut tail), [1]);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(line(1).len() as u64).unwrap();
        assert_eq!(new(&mut tail), [0; 0]);
        append(&path, &line(2));
        assert_eq!(new(&mut tail), [2]);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, &line(7));
        assert_eq!(new(&mut tail), [7], "emptied, and begun anew");
    }
}
