//! What the run before left: the end of a file of the log, read from its end, and how much of it is whole.
//!
//! Only what was not durable can be torn, and that is at most one batch: so the end is all that has to be read, however
//! long the file is. Nothing is changed here.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::io;

use super::chain::{End, LineHash};
use super::disk::{About, Disk, Name};
use super::line::Head;

/// How much is read at first: several batches.
const WINDOW: u64 = 512 << 10;

/// More than any line has. What has no newline in so many bytes is no log.
const LARGEST: u64 = 32 << 20;

/// How a file of a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) about: About,
    pub(super) found: Found,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No line, and nothing that could not be the beginning of the first one, which was torn.
    NoLine,
    /// Lines.
    Lines {
        /// The last whole one.
        end: End,
        /// Where that ends, with its newline. What comes after it was torn.
        whole: u64,
    },
    /// Something that is no log.
    Foreign,
}

/// Reads the end of a file; none if there is no such file.
pub(super) fn past(disk: &mut impl Disk, name: Name) -> io::Result<Option<Past>> {
    let Some(about) = disk.look(name)? else { return Ok(None) };
    let mut window = WINDOW;
    loop {
        let from = about.length.saturating_sub(window);
        let bytes = disk.read(name, from, about.length - from)?;
        match found(&bytes, from) {
            Some(found) => return Ok(Some(Past { about, found })),
            None if window >= LARGEST => return Ok(Some(Past { about, found: Found::Foreign })),
            None => window *= 8,
        }
    }
}

/// What the bytes from this offset to the end of a file tell. None: more are needed.
fn found(bytes: &[u8], from: u64) -> Option<Found> {
    // Unless it is the beginning of the file, the first line of the window has lost its beginning.
    let (mut offset, mut rest) =
        if from == 0 { (0, bytes) } else { next_line(bytes).map(|(line, rest)| (line.len(), rest))? };
    let mut last = None;
    while let Some((line, after)) = next_line(rest) {
        offset += line.len();
        rest = after;
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        match Head::of(text) {
            Some(head) => last = Some((End { seq: head.seq, hash: LineHash::of(text) }, offset)),
            // A file system leaves zeros where it did not come to write: all from there on was not durable.
            None if line.contains(&0) => break,
            // One that was altered is for `verify` to tell. The last one of a file is not whole.
            None => {}
        }
    }
    match last {
        Some((end, whole)) => Some(Found::Lines { end, whole: from.saturating_add(u64::try_from(whole).ok()?) }),
        None if from > 0 => None,
        None if may_begin_a_line(bytes) => Some(Found::NoLine),
        None => Some(Found::Foreign),
    }
}

/// Whether these bytes, as far as they were written, may be the first of a line.
fn may_begin_a_line(bytes: &[u8]) -> bool {
    let written = bytes.iter().take_while(|byte| **byte != 0);
    written.zip(BEGINNING).all(|(byte, expected)| byte == expected)
}

/// How every line begins.
const BEGINNING: &[u8] = b"{\"seq\":";

/// The first line, with its newline, and what comes after it.
fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.split_at_checked(end + 1)
}

#[cfg(test)]
#[expect(clippy::as_conversions, reason = "a test counts to a few hundred")]
mod tests {
    use proptest::prelude::*;

    use super::super::line::{line, tests::record};
    use super::*;
    use crate::detector::event::Event;

    /// Lines that follow each other, each with its newline, and the end of each.
    fn some_lines(count: usize) -> Vec<(Vec<u8>, End)> {
        let mut end = End::NOTHING;
        let event = |roster| record(Event::AgentStarted { roster });
        (0..count)
            .map(|roster| {
                let (text, next) = line(&event(roster), end).unwrap();
                end = next;
                (format!("{text}\n").into_bytes(), end)
            })
            .collect()
    }

    fn bytes(lines: &[(Vec<u8>, End)]) -> Vec<u8> {
        lines.iter().flat_map(|(line, _)| line).copied().collect()
    }

    fn after(lines: &[(Vec<u8>, End)]) -> Found {
        let whole = bytes(lines).len() as u64;
        lines.last().map_or(Found::NoLine, |(_, end)| Found::Lines { end: *end, whole })
    }

    #[test]
    fn a_log_cut_off_at_any_byte_ends_with_its_last_whole_line() {
        let lines = some_lines(3);
        let all = bytes(&lines);
        for cut in 0..=all.len() {
            let whole = (0..=3).rev().find(|&count| bytes(&lines[..count]).len() <= cut).unwrap();
            assert_eq!(found(&all[..cut], 0), Some(after(&lines[..whole])), "cut at {cut}");
        }
    }

    #[test]
    fn what_comes_after_a_hole_was_not_durable() {
        let lines = some_lines(4);
        let start = bytes(&lines[..2]).len();
        for hole in [start..start + 1, start + 5..start + 60, start..start + lines[2].0.len()] {
            let mut all = bytes(&lines);
            all[hole.clone()].fill(0);
            assert_eq!(found(&all, 0), Some(after(&lines[..2])), "{hole:?}");
        }
        for written in [0, 3, 7, 30] {
            let mut first = bytes(&lines);
            first[written..100].fill(0);
            assert_eq!(found(&first, 0), Some(Found::NoLine), "{written} bytes of the first line");
        }
    }

    #[test]
    fn what_was_altered_is_left_where_it_is_and_what_was_added_at_the_end_is_not_ours() {
        let lines = some_lines(3);
        let mut altered = bytes(&lines);
        altered[3] = b'x';
        assert_eq!(found(&altered, 0), Some(after(&lines)));
        let mut added = bytes(&lines);
        added.extend(b"somebody was here\n");
        assert_eq!(found(&added, 0), Some(after(&lines)));
    }

    #[test]
    fn a_file_of_something_else_is_foreign() {
        for text in ["root:x:0:0\n", "{\"level\":\"info\"}\n", "\n", "x"] {
            assert_eq!(found(text.as_bytes(), 0), Some(Found::Foreign), "{text}");
        }
    }

    #[test]
    fn a_window_without_a_whole_line_is_too_small() {
        let lines = some_lines(3);
        let all = bytes(&lines);
        let from = all.len() - lines[2].0.len();
        assert_eq!(found(&all[from + 1..], from as u64 + 1), None);
        assert_eq!(found(&all[from - 1..], from as u64 - 1), Some(after(&lines)));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            from in prop_oneof![Just(0), any::<u64>()],
            noise in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut all = bytes(&some_lines(3));
            for (index, byte) in cuts {
                let index = index.index(all.len());
                all[index] = byte;
            }
            let _ = found(&all, from);
            let _ = found(&noise, from);
            if let Some(Found::Lines { whole, .. }) = found(&all, 0) {
                prop_assert!(whole <= all.len() as u64);
            }
        }
    }
}
