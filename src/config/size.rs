//! Sizes as people write them: `64KiB`, `16MiB`, `1GiB`. A bare number is refused, as it is for durations: 16 might be
//! meant as bytes or as MiB, and both are wrong in silence.

use std::fmt;

use super::error::Refusal;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The units, the largest first.
const UNITS: [(&str, u64); 3] = [("GiB", GIB), ("MiB", MIB), ("KiB", KIB)];

/// Reads a size, in bytes.
///
/// # Errors
/// What is no whole number of KiB, MiB or GiB, or has no unit.
pub fn parse(text: &str) -> Result<u64, Refusal> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default().trim_start();
    let refusal = || Refusal::new("is not a size", "write a whole number and its unit: `512KiB`, `16MiB` or `1GiB`");
    let number: u64 = digits.parse().map_err(|_| refusal())?;
    if unit.is_empty() {
        return Err(Refusal::new("has no unit", format!("write {}", with_a_unit(number))));
    }
    match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => number.checked_mul(*bytes).ok_or_else(refusal),
        None => Err(meant(number, unit).unwrap_or_else(refusal)),
    }
}

/// A number that was most likely meant as bytes, or as one of two units.
fn with_a_unit(number: u64) -> String {
    if number >= KIB && number.is_multiple_of(KIB) {
        return format!("`{}`, if these are bytes", Size(number));
    }
    format!("`{number}MiB` or `{number}KiB`")
}

/// What somebody meant who writes `16Mi`, `16M`, `16MB` or `16mib`.
fn meant(number: u64, unit: &str) -> Option<Refusal> {
    let is_a_unit = matches!(
        unit.to_lowercase().as_str(),
        "k" | "ki" | "kb" | "kib" | "m" | "mi" | "mb" | "mib" | "g" | "gi" | "gb" | "gib"
    );
    let first = unit.chars().next().filter(|_| is_a_unit)?.to_ascii_uppercase();
    Some(Refusal::new(format!("has the unit `{unit}`"), format!("write `{number}{first}iB`")))
}

/// A size that prints as people write it, and reads back as it was: in the largest unit of which it is a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes)) {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_units_are_those_of_the_documentation() {
        for (text, bytes) in [("512KiB", 524_288), ("16MiB", 16_777_216), ("1GiB", 1_073_741_824), (" 64 KiB ", 65_536)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_unit_of_another_kind_is_told_the_right_one() {
        for unit in ["M", "Mi", "MB", "mib", "mb"] {
            assert_eq!(parse(&format!("16{unit}")).unwrap_err().hint, "write `16MiB`", "{unit}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for bad in
            ["", "MiB", "-1MiB", "1.5MiB", "16", "1 TiB", "16MiB later", "9999999999999999999GiB", "16m\u{e9}", "1M1"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_size_reads_back(kib in 1u64..1 << 40) {
            prop_assert_eq!(parse(&Size(kib << 10).to_string()), Ok(kib << 10));
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
