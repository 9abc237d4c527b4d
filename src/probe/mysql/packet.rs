//! Packets of MySQL's protocol, and what stands in them: integers of the little end, text with its length before it or a
//! zero behind it. Nothing here believes a length.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::probe::report::Fault;
use crate::probe::stream::Stream;

/// The largest packet: a row of SHOW REPLICA STATUS holds error messages and sets of GTIDs.
const LARGEST: usize = 64 * 1024;

/// A connection as packets, each with its number within a command.
pub(super) struct Packets {
    pub(super) stream: Stream,
    number: u8,
}

impl Packets {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, number: 0 }
    }

    /// The same conversation over what is made of its connection: the numbers go on.
    pub(super) async fn over<E>(self, secure: impl AsyncFnOnce(Stream) -> Result<Stream, E>) -> Result<Self, E> {
        Ok(Self { stream: secure(self.stream).await?, number: self.number })
    }

    pub(super) async fn next(&mut self) -> Result<Vec<u8>, Fault> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).await?;
        let [low, middle, high, number] = header;
        let length = usize::try_from(u32::from_le_bytes([low, middle, high, 0])).unwrap_or(usize::MAX);
        if length == 0 || length > LARGEST {
            return Err(Fault::protocol("the length of a packet is none, or above 64 KiB"));
        }
        self.number = number.wrapping_add(1);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }

    pub(super) async fn say(&mut self, body: &[u8]) -> Result<(), Fault> {
        let packet = packet(self.number, body)?;
        self.number = self.number.wrapping_add(1);
        self.stream.write_all(&packet).await?;
        Ok(self.stream.flush().await?)
    }

    /// Begins a command: its packets are numbered from zero.
    pub(super) async fn command(&mut self, body: &[u8]) -> Result<(), Fault> {
        self.number = 0;
        self.say(body).await
    }
}

/// What is said here is short; a name or password of 16 MiB is not.
fn packet(number: u8, body: &[u8]) -> Result<Vec<u8>, Fault> {
    let too_long = || Fault::local("a name or password is too long");
    let length = u32::try_from(body.len()).map_err(|_| too_long())?;
    let [low, middle, high, 0] = length.to_le_bytes() else { return Err(too_long()) };
    Ok([&[low, middle, high, number], body].concat())
}

/// What stands in a column of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Text(&'a [u8]),
}

/// The fields of a packet, one after the other; none where it ends too soon.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// So many bytes as a number.
    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.number().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.number().map(u16::from_le_bytes)
    }

    pub(super) fn until_zero(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(length)?;
        self.take(1)?;
        Some(text)
    }

    /// A length-encoded integer. 0xfb is NULL and 0xff an error: neither is a length.
    pub(super) fn length(&mut self) -> Option<usize> {
        let mut wide = [0; 8];
        let size = match self.u8()? {
            small @ ..=0xfa => return Some(small.into()),
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            _ => return None,
        };
        wide.get_mut(..size)?.copy_from_slice(self.take(size)?);
        usize::try_from(u64::from_le_bytes(wide)).ok()
    }

    /// Text with its length before it.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// The same, or NULL.
    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        if self.0.first() == Some(&0xfb) {
            return self.take(1).map(|_| Value::Null);
        }
        self.text().map(Value::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // "Integer types" and "String types" in MySQL's protocol documentation.
    #[test]
    fn lengths_have_four_sizes() {
        let cases: [(&[u8], Option<usize>); 7] = [
            (&[0xfa], Some(250)),
            (&[0xfc, 0xfb, 0x00], Some(251)),
            (&[0xfd, 0x00, 0x00, 0x01], Some(65_536)),
            (&[0xfe, 0, 0, 0, 1, 0, 0, 0, 0], Some(16_777_216)),
            (&[0xfb], None),
            (&[0xff], None),
            (&[0xfc, 0xfb], None),
        ];
        for (bytes, length) in cases {
            assert_eq!(Fields(bytes).length(), length, "{bytes:x?}");
        }
    }

    #[test]
    fn a_text_is_never_longer_than_its_packet() {
        assert_eq!(Fields(b"\x03abc").text(), Some(&b"abc"[..]));
        assert_eq!(Fields(b"\x04abc").text(), None);
        assert_eq!(Fields(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffabc").text(), None);
        assert_eq!(Fields(b"\xfb\x01a").value(), Some(Value::Null));
        assert_eq!(Fields(b"abc").until_zero(), None);
    }

    #[test]
    fn a_packet_has_its_length_and_number_before_it() {
        assert_eq!(packet(3, b"\x01").unwrap(), [1, 0, 0, 3, 1]);
        assert_eq!(packet(0, &[0; 300]).unwrap()[..4], [44, 1, 0, 0]);
        assert!(packet(0, &vec![0; 1 << 24]).is_err());
    }
}
