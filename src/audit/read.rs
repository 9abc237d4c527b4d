//! A log as whoever reads it afterwards sees it: all its files, the oldest first, line by line. Nothing is loaded whole,
//! and nothing that stands there can make it fail but the disk.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{beside, identity};
use super::line::Head;

/// How much of a line is kept: more than any has. Of what is longer, the rest is passed over.
const LARGEST: u64 = 32 << 20;

/// How often the files are opened anew because they were moved meanwhile.
const ATTEMPTS: usize = 10;

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no audit log at {}: give the path that audit.path has in the configuration of the agent", .0.display())]
    Missing(PathBuf),
    /// The disk does not give it out.
    #[error("cannot read {}: {cause}", .file.display())]
    Failed {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file that it stands in.
    pub file: Arc<Path>,
    /// Which line of that it is, counted from 1.
    pub number: u64,
    /// What stands there, without the newline.
    pub bytes: Vec<u8>,
    /// Whether it has its newline: only the last one of all may have none, and then it is torn or being written.
    pub is_terminated: bool,
}

impl Line {
    /// The number of the event in it; none if it is no line of a log.
    pub fn seq(&self) -> Option<u64> {
        Head::of(&self.bytes).map(|head| head.seq)
    }
}

/// The lines of a log, the oldest first. After an error there is nothing more.
pub struct Lines {
    /// The oldest last.
    files: Vec<(Arc<Path>, Source)>,
    number: u64,
}

type Source = Box<dyn BufRead + Send>;

/// All lines of the log at this path, those of its older files first.
///
/// # Errors
/// There is no log, or it cannot be opened.
pub fn lines(path: &Path) -> Result<Lines, ReadError> {
    let mut files = Vec::new();
    for _ in 0..ATTEMPTS {
        files = open(path)?;
        let mut seen = BTreeSet::new();
        // They are opened with the youngest first. One that was moved on meanwhile would be there twice.
        if files.iter().all(|(_, _, identity)| seen.insert(*identity)) {
            break;
        }
    }
    if files.is_empty() {
        return Err(ReadError::Missing(path.to_owned()));
    }
    let source = |file| -> Source { Box::new(BufReader::new(file)) };
    Ok(Lines { files: files.into_iter().map(|(path, file, _)| (path.into(), source(file))).collect(), number: 0 })
}

type Opened = (PathBuf, File, super::disk::Identity);

/// All files, the youngest first. That is opened before the others are looked for, so that whatever is moved on meanwhile
/// is there twice, and not missing.
fn open(path: &Path) -> Result<Vec<Opened>, ReadError> {
    let mut files = Vec::from_iter(open_file(path.to_owned())?);
    let older = numbers(path).map_err(|cause| ReadError::Failed { file: path.to_owned(), cause })?;
    for number in older {
        files.extend(open_file(beside(path, &format!(".{number}")))?);
    }
    Ok(files)
}

/// None if there is no such file.
fn open_file(file: PathBuf) -> Result<Option<Opened>, ReadError> {
    let opened = fs::metadata(&file).and_then(|metadata| {
        if !metadata.is_file() {
            // To open a pipe would wait for somebody who writes into it.
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        let opened = File::open(&file)?;
        Ok((identity(&opened.metadata()?), opened))
    });
    match opened {
        Ok((identity, opened)) => Ok(Some((file, opened, identity))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ReadError::Failed { file, cause }),
    }
}

/// The numbers of the older files, the smallest first.
fn numbers(path: &Path) -> io::Result<BTreeSet<u64>> {
    let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(BTreeSet::new()) };
    let mut numbers = BTreeSet::new();
    match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(entries) => {
            for entry in entries {
                let entry = entry?.file_name();
                let number = entry.to_str().and_then(|entry| entry.strip_prefix(name)?.strip_prefix('.'));
                let is_plain = |digits: &&str| !digits.starts_with(['0', '+']);
                numbers.extend(number.filter(is_plain).and_then(|digits| digits.parse::<u64>().ok()));
            }
        }
    }
    Ok(numbers)
}

impl Lines {
    /// The lines of what is given instead of files: the youngest first, as they are opened.
    pub fn of(sources: Vec<(PathBuf, Box<dyn BufRead + Send>)>) -> Self {
        Self { files: sources.into_iter().map(|(path, source)| (path.into(), source)).collect(), number: 0 }
    }

    /// The files that are still to be read, the one that is read now among them; the oldest first.
    pub fn files(&self) -> Vec<Arc<Path>> {
        self.files.iter().rev().map(|(path, _)| Arc::clone(path)).collect()
    }
}

impl Iterator for Lines {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (file, source) = self.files.last_mut()?;
            match read_line(source) {
                Ok(Some((bytes, is_terminated))) => {
                    self.number += 1;
                    return Some(Ok(Line { file: Arc::clone(file), number: self.number, bytes, is_terminated }));
                }
                Ok(None) => {
                    self.files.pop();
                    self.number = 0;
                }
                Err(cause) => {
                    let file = file.to_path_buf();
                    self.files.clear();
                    return Some(Err(ReadError::Failed { file, cause }));
                }
            }
        }
    }
}

/// The next line, and whether it had a newline; none at the end.
fn read_line(source: &mut Source) -> io::Result<Option<(Vec<u8>, bool)>> {
    let mut bytes = Vec::new();
    source.take(LARGEST).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut is_terminated = bytes.last() == Some(&b'\n');
    if is_terminated {
        bytes.pop();
    } else if u64::try_from(bytes.len()).is_ok_and(|length| length >= LARGEST) {
        is_terminated = skip_line(source)?;
    }
    Ok(Some((bytes, is_terminated)))
}

/// Passes over the rest of a line. Whether it had a newline.
fn skip_line(source: &mut Source) -> io::Result<bool> {
    loop {
        let bytes = match source.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        };
        let (length, end) = (bytes.len(), bytes.iter().position(|byte| *byte == b'\n'));
        source.consume(end.map_or(length, |end| end + 1));
        if end.is_some() || length == 0 {
            return Ok(end.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &Path) -> Vec<(String, u64, String, bool)> {
        lines(path)
            .unwrap()
            .map(|line| {
                let Line { file, number, bytes, is_terminated } = line.unwrap();
                let name = file.file_name().unwrap().to_str().unwrap().to_owned();
                (name, number, String::from_utf8(bytes).unwrap(), is_terminated)
            })
            .collect()
    }

    #[test]
    fn the_files_are_read_from_the_oldest_to_the_youngest_whatever_else_lies_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for (suffix, text) in [
            ("", "e\nf"),
            (".1", "d\n"),
            (".2", ""),
            (".10", "b\nc\n"),
            (".torn", "x\n"),
            (".lock", ""),
            (".foreign-1", "x\n"),
            (".01", "x\n"),
            ("s.1", "x\n"),
        ] {
            fs::write(beside(&path, suffix), text).unwrap();
        }
        let line = |file: &str, number, text: &str, whole| (file.to_owned(), number, text.to_owned(), whole);
        let expected = [
            line("log.10", 1, "b", true),
            line("log.10", 2, "c", true),
            line("log.1", 1, "d", true),
            line("log", 1, "e", true),
            line("log", 2, "f", false),
        ];
        assert_eq!(texts(&path), expected);
    }

    #[test]
    fn older_files_are_a_log_when_the_youngest_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert!(matches!(lines(&path), Err(ReadError::Missing(missing)) if missing == path));
        fs::write(beside(&path, ".1"), "a\n").unwrap();
        assert_eq!(texts(&path).len(), 1);
    }

    #[test]
    fn a_line_without_an_end_is_cut_off_and_passed_over() {
        let long = io::repeat(b'x').take(LARGEST + 5);
        let source: Source = Box::new(BufReader::new(long.chain(&b"\nnext\n"[..])));
        let read: Vec<Line> = Lines::of(vec![("log".into(), source)]).map(Result::unwrap).collect();
        let lengths: Vec<_> = read.iter().map(|line| (line.bytes.len(), line.is_terminated)).collect();
        assert_eq!(lengths, [(32 << 20, true), (4, true)]);
    }
}
