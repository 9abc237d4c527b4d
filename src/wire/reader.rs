//! Reading bytes that a stranger wrote: every step either takes what is there or says [`Malformed`], and none panics.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

/// The bytes do not say what their layout promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The bytes not read yet.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self.0.split_at_checked(size).ok_or(Malformed)?;
        self.0 = left;
        Ok(taken)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, left) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = left;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// A duration of 32 bits of microseconds.
    pub(super) fn micros(&mut self) -> Result<Duration, Malformed> {
        Ok(Duration::from_micros(self.u32()?.into()))
    }

    /// UTF-8 of at most `limit` bytes, its length in one byte before it.
    pub(super) fn text(&mut self, limit: usize) -> Result<&'a str, Malformed> {
        let size = usize::from(self.u8()?);
        if size > limit {
            return Err(Malformed);
        }
        std::str::from_utf8(self.take(size)?).map_err(|_| Malformed)
    }
}

/// A duration as 32 bits of microseconds; more than 71 minutes are 71 minutes.
pub(super) fn short_micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// A duration as 64 bits of microseconds.
pub(super) fn long_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
