//! The chain: every line carries the SHA-256 of the line before it, so that what is altered, removed or inserted shows.
//!
//! It is not keyed: whoever may write the log may write a whole new one. `docs/events.md` says what that means.

use std::fmt;
use std::time::Duration;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// The SHA-256 of a line without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineHash([u8; SHA256_OUTPUT_LEN]);

impl LineHash {
    /// What the first line of a chain has in place of the hash of a line before it.
    pub(super) const NONE: Self = Self([0; SHA256_OUTPUT_LEN]);

    /// That of these bytes.
    pub(super) fn of(line: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, line).as_ref());
        Self(bytes)
    }

    /// Reads 64 small hex digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut digits = text.bytes().map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        for byte in &mut bytes {
            *byte = digits.next()?? << 4 | digits.next()??;
        }
        digits.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a chain ends: what the next line has to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The number of the last line. 0: there is none.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: LineHash,
}

impl End {
    /// Before the very first line.
    pub(super) const NOTHING: Self = Self { seq: 0, hash: LineHash::NONE };

    /// Before a chain whose predecessor cannot be read. Its numbers begin at the microseconds since the epoch: after all
    /// that were ever given, so that whoever asks for what came after a number misses nothing.
    pub(super) fn unknown(wall: Duration) -> Self {
        Self { seq: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX / 2), hash: LineHash::NONE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_sha256_that_everybody_knows_and_reads_back() {
        // FIPS 180-2, appendix B.1.
        let hash = LineHash::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(LineHash::parse(text), Some(hash));
    }

    #[test]
    fn what_is_not_64_small_hex_digits_is_no_hash() {
        let zeros = "0".repeat(64);
        assert_eq!(LineHash::parse(&zeros), Some(LineHash::NONE));
        for wrong in ["", "0", &zeros[1..], &format!("{zeros}0"), &zeros.replacen('0', "A", 1), &"é".repeat(32)] {
            assert_eq!(LineHash::parse(wrong), None, "{wrong}");
        }
    }
}
