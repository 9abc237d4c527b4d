//! Whether a log is what was written: the chain over all its files, and the first line that breaks it.
//!
//! A line tells the hash of the line before it, so a break lies between two lines; the lines around it tell which of them
//! is wrong. What no reader can see: that the end was cut off between two lines, that the oldest files are gone (which
//! rotation does, too), or that somebody who may write the log wrote all of it anew.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::chain::LineHash;
use super::line::Head;
use super::read::{Line, Lines, ReadError, lines};

/// What was found in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many whole lines were read: all of them, or those before the flaw.
    pub lines: u64,
    /// The number of the first event. Above 1 the older ones are gone, as rotation does it.
    pub first: Option<u64>,
    /// The number of the last event that was read.
    pub last: Option<u64>,
    /// Where a chain begins anew at the top of a file: there an agent could not read what was before.
    pub new_chains: Vec<Place>,
    /// The last line, if it is torn: by a crash, or because it is being written now. That is no flaw.
    pub torn: Option<Place>,
    /// The first thing that is wrong. Nothing behind it was looked at.
    pub flaw: Option<Flaw>,
}

/// A line in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Which line of it, counted from 1.
    pub line: u64,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// The line.
    #[serde(flatten)]
    pub place: Place,
    /// The number that it says it has; null if it says none.
    pub seq: Option<u64>,
    /// What is wrong with it.
    #[serde(flatten)]
    pub what: What,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// It is not what was written.
    Altered,
    /// It or the one after it, which is the last one, is not what was written.
    AlteredHereOrNext,
    /// It has zeros in it. A crash leaves them where the file system had not come to write; then the next start of the
    /// agent moves it aside, with all that comes after it.
    Zeros,
    /// It does not belong where it is.
    Inserted,
    /// Before it some are missing.
    Removed {
        /// The number of the first that is missing.
        from: u64,
        /// The number of the last.
        to: u64,
    },
}

impl Verified {
    /// Whether nothing is wrong that can be seen.
    pub fn is_whole(&self) -> bool {
        self.flaw.is_none()
    }

    fn count(&mut self, link: &Link, is_first: bool) {
        self.lines += 1;
        if is_first {
            self.first = link.seq();
        } else if link.begins_a_chain() {
            self.new_chains.push(link.place());
        }
        self.last = link.seq();
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for Flaw {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match self.seq {
            Some(seq) => write!(f, "event {seq} ")?,
            None => f.write_str("the line ")?,
        }
        match self.what {
            What::Altered => f.write_str("was altered"),
            What::AlteredHereOrNext => f.write_str("was altered, or the last line after it was"),
            What::Zeros => f.write_str(
                "has zeros in it: unless a crash left it so (then the next start of the agent moves it aside), it was \
                 altered",
            ),
            What::Inserted => f.write_str("was inserted, or moved here from elsewhere"),
            What::Removed { from, to } if from == to => {
                write!(f, "does not follow: event {from} before it was removed")
            }
            What::Removed { from, to } => write!(f, "does not follow: events {from} to {to} before it were removed"),
        }
    }
}

/// Verifies the log at this path, with all its older files.
///
/// # Errors
/// It cannot be read. That it was tampered with is no error, but [`Verified::flaw`].
pub fn verify(path: &Path) -> Result<Verified, ReadError> {
    verify_lines(lines(path)?)
}

/// Verifies these lines.
///
/// # Errors
/// They cannot be read.
pub fn verify_lines(lines: Lines) -> Result<Verified, ReadError> {
    let mut found = Verified::default();
    let mut torn = None;
    let mut links = Links { lines, torn: &mut torn }.peekable();
    let (mut second_last, mut last) = (None, None);
    while let Some(link) = links.next() {
        let link = link?;
        let next = links.peek().and_then(|next| next.as_ref().ok());
        found.flaw = flaw(second_last.as_ref(), last.as_ref(), &link, next);
        if found.flaw.is_some() {
            return Ok(found);
        }
        found.count(&link, last.is_none());
        second_last = last.replace(link);
    }
    Ok(Verified { torn, ..found })
}

/// A line as far as the chain is concerned.
#[derive(Clone, Debug)]
struct Link {
    file: Arc<Path>,
    number: u64,
    head: Option<Head>,
    hash: LineHash,
    has_zeros: bool,
}

impl Link {
    fn of(line: &Line) -> Self {
        let (head, hash) = (Head::of(&line.bytes), LineHash::of(&line.bytes));
        let has_zeros = line.bytes.contains(&0);
        Self { file: Arc::clone(&line.file), number: line.number, head, hash, has_zeros }
    }

    fn seq(&self) -> Option<u64> {
        self.head.map(|head| head.seq)
    }

    fn place(&self) -> Place {
        Place { file: self.file.to_path_buf(), line: self.number }
    }

    /// Whether this is the line after that one, by hash and number.
    fn follows(&self, before: &Self) -> bool {
        let number = before.seq().and_then(|seq| seq.checked_add(1));
        self.head.is_some_and(|head| head.prev == before.hash && Some(head.seq) == number)
    }

    fn names(&self, before: &Self) -> bool {
        self.head.is_some_and(|head| head.prev == before.hash)
    }

    fn begins_a_chain(&self) -> bool {
        self.number == 1 && self.head.is_some_and(|head| head.prev == LineHash::NONE)
    }

    fn is(&self, what: What) -> Flaw {
        Flaw { place: self.place(), seq: self.seq(), what }
    }
}

/// The lines as links. One without a newline at the very end is torn, and not given out.
struct Links<'a> {
    lines: Lines,
    torn: &'a mut Option<Place>,
}

impl Iterator for Links<'_> {
    type Item = Result<Link, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.lines.next()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let link = Link::of(&line);
        let is_in_the_last_file = self.lines.files().len() <= 1;
        if !line.is_terminated && is_in_the_last_file {
            *self.torn = Some(link.place());
            return None;
        }
        Some(Ok(link))
    }
}

/// What is wrong with this line or the one before it. Those before are as they should be, as far as this line does not say
/// otherwise.
fn flaw(second_last: Option<&Link>, last: Option<&Link>, link: &Link, next: Option<&Link>) -> Option<Flaw> {
    let next_skips_it = last.zip(next).is_some_and(|(last, next)| next.follows(last));
    let Some(seq) = link.seq() else {
        return Some(link.is(match (next_skips_it, link.has_zeros) {
            (true, _) => What::Inserted,
            (false, true) => What::Zeros,
            (false, false) => What::Altered,
        }));
    };
    let last = last?;
    if link.follows(last) || link.begins_a_chain() {
        return None;
    }
    if link.names(last) {
        // Whoever wrote it gave it the next number.
        return Some(link.is(What::Altered));
    }
    if next_skips_it || link.hash == last.hash {
        return Some(link.is(What::Inserted));
    }
    if second_last.is_some_and(|second_last| link.follows(second_last)) {
        return Some(last.is(What::Inserted));
    }
    let expected = last.seq().map_or(0, |seq| seq.saturating_add(1));
    let next_confirms_it = next.map(|next| next.names(link));
    let nothing_confirms_last = second_last.is_none() || last.begins_a_chain();
    Some(if seq < expected && nothing_confirms_last && next_confirms_it == Some(true) {
        last.is(What::Altered)
    } else if seq < expected {
        link.is(What::Inserted)
    } else if next_confirms_it == Some(false) {
        link.is(What::Altered)
    } else if seq > expected {
        link.is(What::Removed { from: expected, to: seq - 1 })
    } else if next_confirms_it == Some(true) {
        last.is(What::Altered)
    } else {
        last.is(What::AlteredHereOrNext)
    })
}

#[cfg(test)]
#[expect(clippy::as_conversions, reason = "a test counts to a few hundred")]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::chain::End;
    use super::super::line::{line, tests::record};
    use super::*;
    use crate::detector::event::Event;

    /// Lines that follow each other.
    fn some_lines(count: usize) -> Vec<String> {
        let mut end = End::NOTHING;
        let texts = (0..count).map(|roster| {
            let (text, next) = line(&record(Event::AgentStarted { roster }), end).unwrap();
            end = next;
            text.to_string()
        });
        texts.collect()
    }

    /// What is found in files of these bytes, the youngest first.
    fn verified(files: &[&[u8]]) -> Verified {
        let source = |(index, bytes): (usize, &&[u8])| -> (PathBuf, Box<dyn std::io::BufRead + Send>) {
            (format!("log.{index}").into(), Box::new(Cursor::new(bytes.to_vec())))
        };
        verify_lines(Lines::of(files.iter().enumerate().map(source).collect())).unwrap()
    }

    fn text(lines: &[String]) -> String {
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// The line and what is wrong with it, in a log of these lines.
    fn flaw_in(lines: &[String]) -> Option<(u64, What)> {
        let found = verified(&[text(lines).as_bytes()]);
        found.flaw.map(|flaw| (flaw.place.line, flaw.what))
    }

    #[test]
    fn what_was_written_is_whole_over_all_its_files() {
        let lines = some_lines(9);
        let found = verified(&[text(&lines[6..]).as_bytes(), b"", text(&lines[..6]).as_bytes()]);
        assert_eq!((found.lines, found.first, found.last), (9, Some(1), Some(9)));
        assert_eq!((found.is_whole(), found.new_chains, found.torn), (true, vec![], None));
        let rotated = verified(&[text(&lines[6..]).as_bytes(), text(&lines[3..6]).as_bytes()]);
        assert_eq!((rotated.is_whole(), rotated.first, rotated.lines), (true, Some(4), 6));
    }

    #[test]
    fn every_altered_byte_is_named_at_its_line() {
        let lines = some_lines(5);
        for (at, line) in lines.iter().enumerate().take(4) {
            for position in 0..line.len() {
                let mut altered = lines.clone();
                let mut bytes = line.clone().into_bytes();
                bytes[position] = if bytes[position] == b'7' { b'8' } else { b'7' };
                altered[at] = String::from_utf8(bytes).unwrap();
                let expected = if at < 3 { What::Altered } else { What::AlteredHereOrNext };
                let (line, what) = flaw_in(&altered).unwrap();
                assert_eq!(line, at as u64 + 1, "byte {position}: {}", altered[at]);
                assert!(what == expected || what == What::Altered, "byte {position}: {what:?}");
            }
        }
    }

    #[test]
    fn a_hash_altered_in_the_last_line_is_named_there_or_before() {
        let mut lines = some_lines(3);
        lines[2] = lines[2].replacen(r#""prev":""#, r#""prev":"0"#, 1).replacen(r#"","roster"#, r#"0","roster"#, 1);
        assert_eq!(flaw_in(&lines), Some((3, What::Altered)), "it is no hash");
        let mut lines = some_lines(3);
        let start = lines[2].find(r#""prev":""#).unwrap() + 8;
        let digit = if lines[2].as_bytes()[start] == b'0' { "1" } else { "0" };
        lines[2].replace_range(start..=start, digit);
        assert_eq!(flaw_in(&lines), Some((2, What::AlteredHereOrNext)));
    }

    #[test]
    fn lines_that_were_removed_are_named_where_they_are_missing() {
        for first in 1..5 {
            for count in 1..=5 - first {
                let mut lines = some_lines(6);
                lines.drain(first..first + count);
                let (from, to) = (first as u64 + 1, (first + count) as u64);
                assert_eq!(flaw_in(&lines), Some((from, What::Removed { from, to })));
            }
        }
    }

    #[test]
    fn a_file_that_was_removed_is_named_where_it_is_missing() {
        let lines = some_lines(6);
        let found = verified(&[text(&lines[4..]).as_bytes(), text(&lines[..2]).as_bytes()]);
        let flaw = found.flaw.unwrap();
        assert_eq!((flaw.place.line, flaw.what), (1, What::Removed { from: 3, to: 4 }));
        assert_eq!(flaw.to_string(), "log.0:1: event 5 does not follow: events 3 to 4 before it were removed");
    }

    #[test]
    fn a_line_that_was_inserted_is_named() {
        let lines = some_lines(5);
        for at in 1..5 {
            for copy in 0..5 {
                let mut inserted = lines.clone();
                inserted.insert(at, lines[copy].clone());
                // A copy next to its original cannot be told from it: the second of two is the inserted one.
                let expected = if copy == at { at + 1 } else { at };
                assert_eq!(flaw_in(&inserted), Some((expected as u64 + 1, What::Inserted)), "{copy} at {at}");
            }
            let mut garbage = lines.clone();
            garbage.insert(at, "somebody was here".to_owned());
            assert_eq!(flaw_in(&garbage), Some((at as u64 + 1, What::Inserted)));
        }
    }

    #[test]
    fn a_line_that_was_made_to_fit_is_named_when_the_next_does_not_follow_it() {
        let lines = some_lines(5);
        for at in 1..5 {
            let end = End { seq: at as u64, hash: LineHash::of(lines[at - 1].as_bytes()) };
            let (forged, _) = line(&record(Event::AgentStarted { roster: 77 }), end).unwrap();
            let mut inserted = lines.clone();
            inserted.insert(at, forged.to_string());
            assert_eq!(flaw_in(&inserted), Some((at as u64 + 1, What::Inserted)));
        }
    }

    #[test]
    fn lines_that_were_swapped_are_named_at_the_first() {
        for at in 1..4 {
            let mut lines = some_lines(5);
            lines.swap(at, at + 1);
            assert_eq!(flaw_in(&lines), Some((at as u64 + 1, What::Inserted)));
        }
    }

    #[test]
    fn a_torn_end_is_told_and_is_no_flaw_and_a_tail_cut_off_between_lines_cannot_be_seen() {
        let lines = some_lines(3);
        let all = text(&lines);
        let torn = verified(&[&all.as_bytes()[..all.len() - 10]]);
        assert_eq!((torn.is_whole(), torn.lines, torn.torn.map(|place| place.line)), (true, 2, Some(3)));
        let cut = verified(&[text(&lines[..2]).as_bytes()]);
        assert_eq!((cut.is_whole(), cut.lines, cut.torn), (true, 2, None));
        let older = verified(&[text(&lines[2..]).as_bytes(), text(&lines[..2]).trim_end().as_bytes()]);
        assert!(older.is_whole(), "it lost its newline only: nothing of it is missing");
    }

    #[test]
    fn zeros_are_told_from_what_somebody_altered() {
        let lines = some_lines(4);
        let mut bytes = text(&lines).into_bytes();
        let second = lines[0].len() + 1;
        bytes[second + 10..second + 50].fill(0);
        let flaw = verified(&[&bytes]).flaw.unwrap();
        assert_eq!((flaw.place.line, flaw.what), (2, What::Zeros));
    }

    #[test]
    fn a_new_chain_at_the_top_of_a_file_is_told_and_elsewhere_is_a_flaw() {
        let (lines, others) = (some_lines(3), some_lines(2));
        let found = verified(&[text(&others).as_bytes(), text(&lines).as_bytes()]);
        assert!(found.is_whole());
        assert_eq!(found.new_chains, [Place { file: "log.0".into(), line: 1 }]);
        assert_eq!(flaw_in(&[lines, others].concat()), Some((4, What::Inserted)));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
            noise in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut bytes = text(&some_lines(4)).into_bytes();
            for (index, byte, kind) in changes {
                let index = index.index(bytes.len());
                match kind {
                    0 => bytes[index] = byte,
                    1 => bytes.insert(index, byte),
                    _ => drop(bytes.remove(index)),
                }
            }
            verified(&[&bytes, &noise]);
            verified(&[&noise, &bytes]);
        }
    }
}
