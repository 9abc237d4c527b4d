//! How commands put things: durations, lists of names, lines that fit.

use std::time::Duration;

use jiff::Timestamp;
use netsplit::clock::Clock;

/// How many names a list has; the rest is counted.
pub(super) const MOST_NAMES: usize = 10;

/// A duration as people say it, in the unit that matters: `0.4 s`, `12 s`, `5 min`, `3 h 20 min`, `2 d 7 h`.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 10 => format!("{:.1} s", duration.as_secs_f64()),
        () if minutes < 2 => format!("{seconds} s"),
        () if hours < 2 => format!("{minutes} min"),
        () if days < 2 => with_rest(hours, "h", minutes % 60, "min"),
        () => with_rest(days, "d", hours % 24, "h"),
    }
}

fn with_rest(whole: u64, unit: &str, rest: u64, rest_unit: &str) -> String {
    if rest == 0 { format!("{whole} {unit}") } else { format!("{whole} {unit} {rest} {rest_unit}") }
}

/// The same of seconds as the API has them.
pub(super) fn span_of_seconds(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// How long ago a time of day was, by this machine's clock; none if it is no time.
pub(super) fn since(time: &str, clock: Clock) -> Option<Duration> {
    let then: Timestamp = time.parse().ok()?;
    let then = Duration::try_from(then.duration_since(Timestamp::UNIX_EPOCH)).ok()?;
    Some(clock.wall().saturating_sub(then))
}

/// How long lay between two times of day.
pub(super) fn between(start: &str, end: &str) -> Option<Duration> {
    let (start, end): (Timestamp, Timestamp) = (start.parse().ok()?, end.parse().ok()?);
    Duration::try_from(end.duration_since(start)).ok()
}

/// Whether two times of day may be one: an agent takes ends that are up to two seconds apart for one, and reckons by a clock
/// of its own.
pub(super) fn may_be_one(time: &str, other: &str) -> bool {
    let apart = between(time, other).or_else(|| between(other, time));
    apart.is_some_and(|apart| apart < Duration::from_secs(3))
}

/// `one, two and 37 more`, of `count` in all.
pub(super) fn names<S: AsRef<str>>(names: &[S], count: usize, separator: &str) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMES).map(AsRef::as_ref).collect();
    let more = count.max(names.len()) - shown.len();
    match (shown.is_empty(), more) {
        (true, more) => format!("{more} that are not named"),
        (false, 0) => shown.join(separator),
        (false, more) => format!("{} and {more} more", shown.join(separator)),
    }
}

/// `1 node`, `2 nodes`.
pub(super) fn nodes(count: usize) -> String {
    if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") }
}

/// A count, to reckon with.
pub(super) fn as_number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// A head as it is, then the words of the text in lines no wider than `width` where a word is not wider by itself; lines
/// after the first begin with `indent` spaces. With its newline.
pub(super) fn fold(head: &str, text: &str, width: usize, indent: usize) -> String {
    let mut folded = head.to_owned();
    let mut used = head.chars().count();
    let mut is_at_the_start = true;
    for word in text.split_whitespace() {
        let letters = word.chars().count();
        if !is_at_the_start && used + 1 + letters > width {
            folded.push('\n');
            folded.push_str(&" ".repeat(indent));
            used = indent;
        } else if !is_at_the_start {
            folded.push(' ');
            used += 1;
        }
        folded.push_str(word);
        used += letters;
        is_at_the_start = false;
    }
    folded.truncate(folded.trim_end().len());
    folded.push('\n');
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_the_unit_that_matters() {
        for (seconds, told) in [
            (0.42, "0.4 s"),
            (12.9, "12 s"),
            (119.0, "119 s"),
            (300.0, "5 min"),
            (7_200.0, "2 h"),
            (12_000.0, "3 h 20 min"),
            (198_000.0, "2 d 7 h"),
            (-1.0, "0.0 s"),
        ] {
            assert_eq!(span_of_seconds(seconds), told);
        }
    }

    #[test]
    fn ten_names_are_told_and_the_rest_is_counted() {
        let all: Vec<String> = (1..=47).map(|number| format!("n{number}")).collect();
        assert_eq!(names(&all[..2], 2, ", "), "n1, n2");
        assert_eq!(names(&all, 47, " "), "n1 n2 n3 n4 n5 n6 n7 n8 n9 n10 and 37 more");
        assert_eq!(names(&all[..3], 500, " "), "n1 n2 n3 and 497 more");
        assert_eq!(names::<String>(&[], 3, " "), "3 that are not named");
    }

    #[test]
    fn lines_are_folded_between_words_and_long_words_stay_whole() {
        assert_eq!(fold("  a  ", "one two three", 12, 5), "  a  one two\n     three\n");
        assert_eq!(fold("", "immeasurable x", 5, 2), "immeasurable\n  x\n");
        assert_eq!(fold("head ", "", 5, 2), "head\n");
    }
}
