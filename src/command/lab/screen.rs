//! Where the lab shows itself: in place on a terminal, in plain lines elsewhere, nowhere for `--json`.
//!
//! A reader that went away ends the show and nothing else: the exit code still tells how it went.

use std::io::{self, IsTerminal, Write};

use crate::command::page;

/// A picture that is taller than a small terminal cannot be drawn over.
const TALLEST: usize = 20;

const NO_WRAP: &str = "\u{1b}[?7l";
const WRAP: &str = "\u{1b}[?7h";

/// The stage.
pub(super) struct Screen<W> {
    out: W,
    manner: Manner,
    is_coloured: bool,
    /// Lines of the picture that the next one is drawn over.
    drawn: usize,
    last_progress: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    InPlace,
    Lines,
    Silent,
}

impl Screen<io::Stdout> {
    /// Standard output, or nothing.
    pub(super) fn standard(is_silent: bool) -> Self {
        let out = io::stdout();
        let manner = match (is_silent, out.is_terminal()) {
            (true, _) => Manner::Silent,
            (false, true) => Manner::InPlace,
            (false, false) => Manner::Lines,
        };
        Self::new(super::super::diagnostics::is_coloured(&out), manner, out)
    }
}

impl<W: Write> Screen<W> {
    fn new(is_coloured: bool, manner: Manner, out: W) -> Self {
        Self { out, manner, is_coloured, drawn: 0, last_progress: String::new() }
    }

    /// Whether nobody watches.
    pub(super) fn is_silent(&self) -> bool {
        self.manner == Manner::Silent
    }

    /// Shows text that stays: whole lines, with their newlines.
    pub(super) fn say(&mut self, text: &str) {
        let text = format!("{}{}", self.erase(), self.painted(text));
        self.write(&text);
    }

    /// Shows how it stands: a picture with the progress below it, drawn over the last one; or, in plain lines, the
    /// progress alone, if it is another.
    pub(super) fn show(&mut self, picture: &str, progress: &str) {
        match self.manner {
            Manner::InPlace if picture.lines().count() < TALLEST => {
                let text = format!("{}{NO_WRAP}{}{progress}\n{WRAP}", self.erase(), self.painted(picture));
                self.drawn = picture.lines().count() + 1;
                self.write(&text);
            }
            _ if progress != self.last_progress => {
                progress.clone_into(&mut self.last_progress);
                self.write(&format!("{progress}\n"));
            }
            _ => {}
        }
    }

    /// What goes back to where the last picture began.
    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}A\u{1b}[J"),
        }
    }

    fn painted(&self, text: &str) -> String {
        if self.is_coloured { page::painted(text) } else { text.to_owned() }
    }

    fn write(&mut self, text: &str) {
        if self.manner != Manner::Silent && self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_err()
        {
            self.manner = Manner::Silent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(manner: Manner, is_coloured: bool, act: impl FnOnce(&mut Screen<Vec<u8>>)) -> String {
        let mut screen = Screen::new(is_coloured, manner, Vec::new());
        act(&mut screen);
        String::from_utf8(screen.out).unwrap()
    }

    #[test]
    fn elsewhere_than_on_a_terminal_there_are_plain_lines_and_none_twice() {
        let text = written(Manner::Lines, false, |screen| {
            screen.show("a ✓\n", "0 of 5");
            screen.show("a ✗\n", "0 of 5");
            screen.show("a ✗\n", "5 of 5");
            screen.say("done\n");
        });
        assert_eq!(text, "0 of 5\n5 of 5\ndone\n");
    }

    #[test]
    fn on_a_terminal_a_picture_is_drawn_over_the_last_one() {
        let text = written(Manner::InPlace, true, |screen| {
            screen.show("a ✓\nb ✗\n", "0 of 5");
            screen.say("done\n");
        });
        assert!(text.contains("\u{1b}[32m✓\u{1b}[0m") && text.contains("\u{1b}[31m✗\u{1b}[0m"));
        assert!(text.ends_with("\u{1b}[3A\u{1b}[Jdone\n"), "{text:?}");
    }

    #[test]
    fn for_json_nothing_is_shown() {
        assert_eq!(written(Manner::Silent, false, |screen| screen.say("hello\n")), "");
    }
}
