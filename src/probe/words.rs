//! What a stranger says of itself, fit to be shown: one line, not long, and nothing in it that moves a terminal.

/// More than any name or version that is meant to be read.
const LONGEST: usize = 200;

/// The text in `bytes`.
pub(super) fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(LONGEST).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_says_stays_on_its_line_and_is_not_long() {
        assert_eq!(words(b"RabbitMQ 3.10\n\x1b[2J\xff"), "RabbitMQ 3.10\u{fffd}\u{fffd}[2J\u{fffd}");
        assert_eq!(words(&[b'x'; 1000]).len(), LONGEST);
    }
}
