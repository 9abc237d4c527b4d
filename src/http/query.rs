//! The parameters behind the `?`: what is not known, given twice or out of range is told, and never passed over.

use std::time::Duration;

use super::answer::Refusal;
use crate::config::{Human, parse_duration};

/// The parameters of one request.
#[derive(Debug, Default)]
pub(super) struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    /// Reads what is behind the `?` of `path`, where only `known` may stand. Nothing that may stand there needs an escape.
    pub(super) fn read(path: &str, text: &'a str, known: &[&str]) -> Result<Self, Refusal> {
        let mut parameters: Vec<(&str, &str)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !known.contains(&name) {
                return Err(unknown(path, name, known));
            }
            if parameters.iter().any(|(before, _)| *before == name) {
                return Err(Refusal::Parameter(format!("`{name}` is there twice: leave one of them out")));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A whole number from `range`.
    pub(super) fn number(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        let bounds = if *most == u64::MAX { format!("{least} or more") } else { format!("{least} to {most}") };
        let refusal = || Refusal::Parameter(format!("`{name}={}` is no whole number from {bounds}", shown(text)));
        number.ok_or_else(refusal).map(Some)
    }

    /// A duration of at most `most`.
    pub(super) fn duration(&self, name: &str, most: Duration) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let refused = |why: &str, hint: &str| Refusal::Parameter(format!("`{name}={}` {why}: {hint}", shown(text)));
        let duration = parse_duration(text).map_err(|refusal| refused(&refusal.message, &refusal.hint))?;
        if duration > most {
            return Err(refused("is too long", &format!("{} at most", Human(most))));
        }
        Ok(Some(duration))
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let meant = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        let list = || words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        let refusal = || Refusal::Parameter(format!("`{name}={}` is not {}", shown(text), list()));
        meant.ok_or_else(refusal).map(Some)
    }
}

fn unknown(path: &str, name: &str, known: &[&str]) -> Refusal {
    let near =
        known.iter().filter(|known| strsim::damerau_levenshtein(known, name) <= 2).min_by_key(|known| known.len());
    let hint = match (near, known) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, []) => "it has none".to_owned(),
        (None, known) => format!("known here: {}", known.join(", ")),
    };
    Refusal::Parameter(format!("{path} has no parameter `{}`: {hint}", shown(name)))
}

/// What somebody wrote, but not without end.
fn shown(text: &str) -> &str {
    text.get(..text.floor_char_boundary(40)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 2] = ["since", "limit"];

    fn refused<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> String {
        answer.unwrap_err().to_string()
    }

    #[test]
    fn a_slip_is_told_what_was_meant() {
        let told = refused(Query::read("/v1/events", "sicne=3", &KNOWN));
        assert_eq!(told, "/v1/events has no parameter `sicne`: did you mean `since`?");
        let told = refused(Query::read("/v1/events", "from=3", &KNOWN));
        assert_eq!(told, "/v1/events has no parameter `from`: known here: since, limit");
        assert_eq!(refused(Query::read("/v1/peers", "x", &[])), "/v1/peers has no parameter `x`: it has none");
    }

    #[test]
    fn a_parameter_is_there_once() {
        let told = refused(Query::read("/v1/events", "since=3&since=4", &KNOWN));
        assert_eq!(told, "`since` is there twice: leave one of them out");
    }

    #[test]
    fn a_number_is_one_of_its_range() {
        let query = Query::read("/v1/events", "since=7&limit=1001&", &KNOWN).unwrap();
        assert_eq!(query.number("since", 0..=u64::MAX), Ok(Some(7)));
        assert_eq!(query.number("other", 0..=u64::MAX), Ok(None));
        let told = refused(query.number("limit", 1..=1000));
        assert_eq!(told, "`limit=1001` is no whole number from 1 to 1000");
        let query = Query::read("/v1/events", "since=-1", &KNOWN).unwrap();
        assert_eq!(refused(query.number("since", 0..=u64::MAX)), "`since=-1` is no whole number from 0 or more");
    }

    #[test]
    fn a_duration_is_told_its_unit_and_its_bound() {
        let minute = Duration::from_secs(60);
        let of = |text| Query(vec![("wait", text)]).duration("wait", minute);
        assert_eq!(of("1m"), Ok(Some(minute)));
        let told = refused(of("30"));
        assert_eq!(told, "`wait=30` has no unit: write `30s` for seconds or `30ms` for milliseconds");
        assert_eq!(refused(of("61s")), "`wait=61s` is too long: 1m at most");
    }

    #[test]
    fn a_word_is_one_of_those_there_are() {
        let words = [("writes", 1), ("reads", 2)];
        let of = |text| Query(vec![("require", text)]).word("require", &words);
        assert_eq!(of("reads"), Ok(Some(2)));
        assert_eq!(refused(of("write")), "`require=write` is not `writes` or `reads`");
    }
}
