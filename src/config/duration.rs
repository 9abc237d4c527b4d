//! Durations as people write them: `500ms`, `1s`, `2m`, `1h`, also `1.5s` and `1m30s`. jiff reads and prints them; this
//! file adds errors that say what to write instead.

use std::fmt;
use std::time::Duration;

use jiff::fmt::friendly::{FractionalUnit, Spacing, SpanParser, SpanPrinter};

use super::error::Refusal;

/// Reads a duration.
///
/// # Errors
/// What is no duration, has no unit, or is negative.
pub fn parse(text: &str) -> Result<Duration, Refusal> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(Refusal::new("is negative", "a duration is 0s or longer"));
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(Refusal::new("has no unit", format!("write `{text}s` for seconds or `{text}ms` for milliseconds")));
    }
    SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| Refusal::new("is not a duration", "write a number and its unit: `500ms`, `1s`, `2m` or `1h`"))
}

/// A duration that prints as people write it, and reads back as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Human(pub Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.0.as_nanos() {
            1..1_000_000 => FractionalUnit::Microsecond,
            1_000_000..1_000_000_000 => FractionalUnit::Millisecond,
            _ => FractionalUnit::Second,
        };
        let printer = SpanPrinter::new().spacing(Spacing::None).fractional(Some(unit));
        f.write_str(&printer.unsigned_duration_to_string(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_units_are_those_of_the_documentation() {
        for (text, milliseconds) in
            [("500ms", 500), ("1s", 1000), ("2m", 120_000), ("1h", 3_600_000), ("1.5s", 1500), ("1m30s", 90_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_told_which_it_could_have() {
        let refusal = parse("30").unwrap_err();
        assert_eq!((refusal.message.as_str(), refusal.hint.contains("`30s`")), ("has no unit", true));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for bad in ["", "s", "-1s", "1 parsec", "1d", "1s ago", "soon", "99999999999999999999h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_print_as_people_write_them() {
        for (text, duration) in [
            ("0s", Duration::ZERO),
            ("500ms", Duration::from_millis(500)),
            ("7.5ms", Duration::from_micros(7500)),
            ("2.5s", Duration::from_millis(2500)),
            ("1m30s", Duration::from_secs(90)),
            ("10m", Duration::from_secs(600)),
            ("1h", Duration::from_secs(3600)),
        ] {
            assert_eq!(Human(duration).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_printed_duration_reads_back(nanoseconds in 0u64..=u64::MAX / 4) {
            let duration = Duration::from_nanos(nanoseconds);
            prop_assert_eq!(parse(&Human(duration).to_string()).unwrap(), duration);
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
