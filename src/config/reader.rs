//! Takes values out of a parsed file, one by one: replaces `${NAME}`, has them judged, and collects what is wrong, so that
//! an operator sees all of it at once.

use serde_yaml::{Location, Spanned};

use super::Environment;
use super::error::{Problem, Refusal};
use super::expand::expand;
use super::schema::Text;
use super::secret::without_secrets;
use super::unknown::closest;

/// How much of a value an error repeats.
const SHOWN: usize = 80;

/// A value of the file after it was judged.
#[derive(Clone, Debug)]
pub(super) enum Setting<T> {
    /// It is not in the file.
    Absent,
    /// It is wrong, and that has been said.
    Refused,
    /// It is good, and stands there.
    Given(T, Location),
}

impl<T> Setting<T> {
    /// The value or its default; `None` where it is wrong, so that nothing is judged by it.
    pub(super) fn or(self, default: T) -> Option<T> {
        match self {
            Self::Absent => Some(default),
            Self::Refused => None,
            Self::Given(value, _) => Some(value),
        }
    }

    /// The value and its place, if it was given and is good.
    pub(super) fn given(self) -> Option<(T, Location)> {
        match self {
            Self::Given(value, location) => Some((value, location)),
            _ => None,
        }
    }
}

/// One reading of one file.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    environment: &'a Environment,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, environment: &'a Environment) -> Self {
        Self { file, text, environment, problems: Vec::new(), warnings: Vec::new() }
    }

    /// The problems and the warnings.
    pub(super) fn into_findings(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.warnings)
    }

    pub(super) fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// A wrong value, or one that is missing where `location` is.
    pub(super) fn refuse(&mut self, location: Location, refusal: Refusal) {
        self.problems.push(refusal.at(self.file, self.text, Some(location)));
    }

    /// A wrong value that did not come from the file.
    pub(super) fn refuse_whole(&mut self, refusal: Refusal) {
        self.problems.push(refusal.at(self.file, self.text, None));
    }

    /// Something odd.
    pub(super) fn warn(&mut self, location: Location, refusal: Refusal) {
        self.warnings.push(refusal.at(self.file, self.text, Some(location)));
    }

    /// One value: expanded, then judged by `parse`. `what` names it in errors.
    pub(super) fn read<T>(
        &mut self,
        what: &str,
        text: Option<&Text>,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Setting<T> {
        let Some(Spanned { value, referenced, .. }) = text else { return Setting::Absent };
        let parsed = expand(value, self.environment)
            .map_err(|refusal| name_alone(what, refusal))
            .and_then(|expanded| parse(&expanded).map_err(|refusal| name_value(what, &expanded, refusal)));
        match parsed {
            Ok(value) => Setting::Given(value, *referenced),
            Err(refusal) => {
                self.refuse(*referenced, refusal);
                Setting::Refused
            }
        }
    }

    /// As [`Reader::read`], for a value that may not be left out: then `missing` is said of the place `within`.
    pub(super) fn required<T>(
        &mut self,
        what: &str,
        text: Option<&Text>,
        (within, missing): (Location, Refusal),
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<(T, Location)> {
        if text.is_none() {
            self.refuse(within, missing);
        }
        self.read(what, text, parse).given()
    }

    /// One of a closed set of words.
    pub(super) fn word<T: Copy>(&mut self, what: &str, text: Option<&Text>, words: &[(&str, T)]) -> Setting<T> {
        self.read(what, text, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| not_a_word(text, words))
        })
    }
}

fn name_alone(what: &str, refusal: Refusal) -> Refusal {
    Refusal { message: format!("{what} {}", refusal.message), ..refusal }
}

fn name_value(what: &str, value: &str, refusal: Refusal) -> Refusal {
    if value.is_empty() {
        return Refusal { message: format!("{what} is empty"), ..refusal };
    }
    let value: String = without_secrets(value).chars().take(SHOWN).flat_map(char::escape_debug).collect();
    Refusal { message: format!("{what} `{value}` {}", refusal.message), ..refusal }
}

fn not_a_word<T>(text: &str, words: &[(&str, T)]) -> Refusal {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let hint = match closest(text, &words) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write one of: {}", words.join(", ")),
    };
    Refusal::new("is not known", hint)
}
