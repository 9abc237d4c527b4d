//! What is wrong with a configuration, as an operator reads it: `file:line:column: message`, the line itself, a caret
//! below the culprit, and a hint that says what to do.

use std::fmt;

use serde::Serialize;
use serde_yaml::Location;

use super::secret::without_secrets;

/// How much of a long line is shown to the left and to the right of the caret.
const SHOWN_AROUND: usize = 60;

/// All that is wrong with one file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Errors(pub(super) Vec<Problem>);

impl Errors {
    /// One problem of `file` as a whole.
    pub fn about(file: &str, refusal: Refusal) -> Self {
        Self(vec![refusal.at(file, "", None)])
    }

    /// Each problem, in order of its place.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// One thing that is wrong, or odd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Where in it; `None` if it is about the file as a whole.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => write!(f, "{}: {}", self.file, self.message)?,
            Some(place) => {
                writeln!(f, "{}:{}:{}: {}", self.file, place.line, place.column, self.message)?;
                write!(f, "{place}")?;
            }
        }
        write!(f, "\n  hint: {}", self.hint)
    }
}

/// A place in a file, with the line that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// How many characters are meant.
    #[serde(skip)]
    pub width: usize,
    /// The whole line, or what of it comes before a secret.
    #[serde(rename = "source")]
    pub text: String,
}

impl Place {
    fn new(text: &str, location: Location) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        let (line, column) = (number(location.line()), number(location.column()));
        let text = without_secrets(text.lines().nth(line - 1).unwrap_or_default().trim_start_matches('\u{feff}'));
        let rest = text.trim_end().chars().count().saturating_sub(column - 1);
        let width = number(location.span().len()).min(rest).max(1);
        Self { line, column, width, text }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.to_string();
        let from = (self.column - 1).saturating_sub(SHOWN_AROUND);
        let shown = self.text.chars().skip(from).take(2 * SHOWN_AROUND).map(printable).collect::<String>();
        let cut = if from == 0 { "" } else { "…" };
        writeln!(f, "  {line} | {cut}{}", shown.trim_end())?;
        let indent = " ".repeat(self.column - 1 - from + cut.chars().count());
        write!(f, "  {} | {indent}{}", " ".repeat(line.len()), "^".repeat(self.width.min(2 * SHOWN_AROUND)))
    }
}

/// A terminal obeys control characters, and a tab would move the caret.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Why one value is refused, before it is known where it stands: "…the value `x` *is not a duration*".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong with the value, to follow its name.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Refusal {
    /// A refusal from its two halves.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    pub(super) fn at(self, file: &str, text: &str, location: Option<Location>) -> Problem {
        let known = location.filter(|location| *location != Location::UNKNOWN);
        let place = known.map(|location| Place::new(text, location));
        Problem { file: file.to_owned(), place, message: self.message, hint: self.hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, column: usize, width: usize) -> String {
        Place { line: 7, column, width, text: text.to_owned() }.to_string()
    }

    #[test]
    fn the_caret_stands_below_the_culprit() {
        assert_eq!(place("a: bad", 4, 3), "  7 | a: bad\n    |    ^^^");
    }

    #[test]
    fn a_tab_does_not_move_the_caret() {
        assert_eq!(place("a:\tbad", 4, 3), "  7 | a: bad\n    |    ^^^");
    }

    #[test]
    fn a_file_cannot_give_orders_to_a_terminal() {
        assert!(!place("a: \u{1b}[2J", 4, 1).contains('\u{1b}'));
    }

    #[test]
    fn of_a_long_line_the_part_around_the_caret_is_shown() {
        let line = format!("{}bad{}", "x".repeat(500), "y".repeat(500));
        let shown = place(&line, 501, 3);
        let (above, below) = shown.split_once('\n').unwrap();
        let caret = below.chars().position(|c| c == '^').unwrap();
        assert_eq!(above.chars().skip(caret).take(3).collect::<String>(), "bad");
        assert!(above.chars().count() < 140);
    }
}
