//! What a command writes on: how wide it is, whether colours are welcome, and whether somebody still reads it.
//!
//! Names and texts come from elsewhere (another agent, a log file): what could steer the terminal is taken out here.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Context;

use super::diagnostics;

/// How wide a page is where nobody can tell: in a pipe, in a file.
const USUAL: usize = 80;

/// Narrower is no table.
const NARROWEST: usize = 40;

const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const PLAIN: &str = "\u{1b}[0m";

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// Of the terminal, if it is one.
    terminal: Option<usize>,
    is_coloured: bool,
}

/// Whether the reader of a page is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// As far as one can tell.
    Reads,
    /// It went away, as `head` does when it has enough.
    Gone,
}

impl Page {
    /// Standard output as it is.
    pub(super) fn standard() -> Self {
        let out = io::stdout();
        let width = || terminal_size::terminal_size_of(&out).map_or(USUAL, |(width, _)| usize::from(width.0));
        let terminal = out.is_terminal().then(|| width().max(NARROWEST));
        Self { terminal, is_coloured: diagnostics::is_coloured(&out) }
    }

    /// How wide lines may be.
    pub(super) fn width(&self) -> usize {
        self.terminal.unwrap_or(USUAL)
    }

    /// How wide lines may be that somebody might want to search, one for each thing: in a pipe as wide as they are.
    pub(super) fn width_of_records(&self) -> usize {
        self.terminal.unwrap_or(usize::MAX)
    }

    /// Writes text: whole lines, with their newlines.
    pub(super) fn write(&self, text: &str) -> anyhow::Result<Reader> {
        let text = tame(text);
        write_raw(&if self.is_coloured { painted(&text) } else { text })
    }
}

/// Writes to standard output what programs read: as it is.
pub(super) fn write_raw(text: &str) -> anyhow::Result<Reader> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::Reads),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// Says something beside the answer, on standard error. Where that is closed there is nobody left to tell.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", tame(text));
}

/// Text without what would steer a terminal.
pub(super) fn tame(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() && !['\n', '\t'].contains(&letter) { '\u{fffd}' } else { letter })
        .collect()
}

/// Text whose marks are green and red.
pub(super) fn painted(text: &str) -> String {
    text.replace('✗', &format!("{RED}✗{PLAIN}")).replace('✓', &format!("{GREEN}✓{PLAIN}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_taken_out() {
        assert_eq!(tame("a\u{1b}[2Jb\rc\u{9b}d\n\te✓"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\n\te✓");
    }
}
