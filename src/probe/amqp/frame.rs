//! The frames of AMQP 0-9-1 (specification, section 2.3), and what is read of the methods of class `connection` (1.4).
//!
//! Lengths are checked, nothing is trusted, and a field whose type nobody knows ends the reading of its table.
#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::probe::report::Fault;
use crate::probe::words::words;

/// What a client says first: the protocol and its version.
pub(super) const HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// The largest frame that is read: RabbitMQ's own limit for a connection that stands. What is read here has 500 bytes.
const LARGEST: u32 = 128 * 1024;

/// The octet at the end of each frame.
const END: u8 = 0xCE;

/// The class of all methods that are spoken here.
const CONNECTION: u16 = 10;

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A method of the connection, and its arguments.
    Method(u16, Vec<u8>),
    /// A sign of life.
    Heartbeat,
}

/// The next frame. Where the header of another protocol comes instead, the fault says which.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Frame, Fault> {
    let kind = stream.read_u8().await?;
    if HEADER.first() == Some(&kind) {
        return Err(other_protocol(stream).await);
    }
    if ![1, 8].contains(&kind) {
        return Err(Fault::protocol(format!("a frame of type {kind}: this is no AMQP 0-9-1")));
    }
    let (channel, size) = (stream.read_u16().await?, stream.read_u32().await?);
    if channel != 0 || size > LARGEST {
        return Err(Fault::protocol(format!("a frame of {size} bytes on channel {channel}: this is no AMQP 0-9-1")));
    }
    let mut payload = Vec::new();
    stream.take(u64::from(size)).read_to_end(&mut payload).await?;
    if stream.read_u8().await? != END {
        return Err(Fault::protocol("a frame does not end where it should"));
    }
    if kind == 8 {
        return Ok(Frame::Heartbeat);
    }
    let mut arguments = Arguments(&payload);
    match (arguments.u16(), arguments.u16()) {
        (Ok(CONNECTION), Ok(method)) => Ok(Frame::Method(method, arguments.0.to_vec())),
        _ => Err(Fault::protocol("a method that is not about the connection")),
    }
}

/// A server that does not speak this version answers with the header of one that it does (section 2.2.4).
async fn other_protocol(stream: &mut (impl AsyncRead + Unpin)) -> Fault {
    let mut rest = [0; 7];
    if let Err(error) = stream.read_exact(&mut rest).await {
        return error.into();
    }
    let spoken = match rest {
        [b'M', b'Q', b'P', 0, 0, 9, 1] => "AMQP 0-9-1, and closes all the same".to_owned(),
        [b'M', b'Q', b'P', 0, 1, 0, 0] => "AMQP 1.0".to_owned(),
        [b'M', b'Q', b'P', 2, 1, 0, 0] => "AMQP 1.0, and wants TLS first".to_owned(),
        [b'M', b'Q', b'P', 3, 1, 0, 0] => "AMQP 1.0, and wants SASL first".to_owned(),
        [b'M', b'Q', b'P', id, major, minor, revision] => format!("AMQP of version {id}-{major}-{minor}-{revision}"),
        _ => return Fault::protocol("this is no AMQP"),
    };
    Fault::protocol(format!("it does not take AMQP 0-9-1: it speaks {spoken}"))
}

/// A sign of life, as a frame (section 4.2.7).
pub(super) const HEARTBEAT: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, END];

/// A method of the connection, as a frame.
pub(super) fn method(number: u16, arguments: &[u8]) -> Vec<u8> {
    let size = u32::try_from(arguments.len()).unwrap_or(u32::MAX).saturating_add(4);
    let mut frame = vec![1, 0, 0];
    frame.extend(size.to_be_bytes());
    frame.extend(CONNECTION.to_be_bytes());
    frame.extend(number.to_be_bytes());
    frame.extend(arguments);
    frame.push(END);
    frame
}

/// A text of up to 255 bytes; a longer one is a fault of the configuration.
pub(super) fn short(text: &str) -> Result<Vec<u8>, Fault> {
    let size = u8::try_from(text.len()).map_err(|_| Fault::local("a text for AMQP is longer than 255 bytes"))?;
    Ok([&[size], text.as_bytes()].concat())
}

/// A text of any length.
pub(super) fn long(text: &[u8]) -> Vec<u8> {
    let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&size.to_be_bytes(), text].concat()
}

/// The arguments of a method, of which each reading takes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments<'a>(pub(super) &'a [u8]);

impl<'a> Arguments<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, size: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A text of up to 255 bytes.
    pub(super) fn short(&mut self) -> Result<&'a [u8], Fault> {
        let size = self.u8()?;
        self.bytes(usize::from(size))
    }

    /// A text of any length; a table and an array are written as one, too.
    pub(super) fn long(&mut self) -> Result<&'a [u8], Fault> {
        let size = usize::try_from(self.u32()?).map_err(|_| cut_off())?;
        self.bytes(size)
    }

    /// A field table.
    pub(super) fn table(&mut self) -> Result<Table<'a>, Fault> {
        self.long().map(Table)
    }
}

fn cut_off() -> Fault {
    Fault::protocol("a method is shorter than it says")
}

/// A field table that has not been read yet: each look goes through it once, and into no table inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a>(&'a [u8]);

/// The value of a field, as far as anybody here asks for it.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Text(&'a [u8]),
    Flag(bool),
    Table(Table<'a>),
    Other,
}

impl<'a> Table<'a> {
    /// The text of this name, fit to be shown.
    pub(super) fn text(self, name: &str) -> Option<String> {
        match self.find(name)? {
            Value::Text(text) => Some(words(text)),
            _ => None,
        }
    }

    /// Whether there is a flag of this name, and it is set.
    pub(super) fn flag(self, name: &str) -> bool {
        matches!(self.find(name), Some(Value::Flag(true)))
    }

    /// The table of this name.
    pub(super) fn table(self, name: &str) -> Option<Table<'a>> {
        match self.find(name)? {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    fn find(self, name: &str) -> Option<Value<'a>> {
        let mut rest = Arguments(self.0);
        while !rest.0.is_empty() {
            let field = rest.short().ok()?;
            let value = value(&mut rest).ok()?;
            if field == name.as_bytes() {
                return Some(value);
            }
        }
        None
    }
}

/// The types as brokers and clients use them, which is not quite as the specification has them
/// (<https://www.rabbitmq.com/amqp-0-9-1-errata>, section 3).
fn value<'a>(rest: &mut Arguments<'a>) -> Result<Value<'a>, Fault> {
    let size = match rest.u8()? {
        b't' => return Ok(Value::Flag(rest.u8()? != 0)),
        b'S' => return Ok(Value::Text(rest.long()?)),
        b'F' => return Ok(Value::Table(rest.table()?)),
        b'A' | b'x' => return rest.long().map(|_| Value::Other),
        b'V' => 0,
        b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        kind => return Err(Fault::protocol(format!("a field of type {kind}, which nobody knows"))),
    };
    rest.bytes(size).map(|_| Value::Other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(mut bytes: &[u8]) -> Result<Frame, Fault> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(read(&mut bytes))
    }

    #[test]
    fn a_frame_that_is_written_reads_the_same() {
        assert_eq!(read_all(&method(51, b"abc")), Ok(Frame::Method(51, b"abc".to_vec())));
    }

    #[test]
    fn a_sign_of_life_is_one() {
        assert_eq!(read_all(b"\x08\0\0\0\0\0\0\xce"), Ok(Frame::Heartbeat));
    }

    #[test]
    fn a_broker_of_another_version_is_told_by_its_header() {
        for (header, spoken) in
            [(b"AMQP\0\x01\0\0", "AMQP 1.0"), (b"AMQP\x03\x01\0\0", "SASL"), (b"AMQP\x01\x01\0\x0a", "1-1-0-10")]
        {
            let fault = read_all(header).unwrap_err();
            assert!(fault == Fault::protocol(&*fault.detail) && fault.detail.contains(spoken), "{fault:?}");
        }
    }

    #[test]
    fn what_is_no_frame_is_no_amqp() {
        for bytes in [&b"HTTP/1.1 400"[..], b"\x01\0\x01\0\0\0\x04", b"\x01\0\0\xff\xff\xff\xff", b"Amqp1234"] {
            let fault = read_all(bytes).unwrap_err();
            assert!(fault == Fault::protocol(&*fault.detail), "{fault:?}");
        }
    }

    /// Every type of field, and after them one that is looked for.
    #[test]
    fn a_table_is_read_past_fields_of_all_types() {
        let fields: &[&[u8]] = &[
            b"\x01at\x01",
            b"\x01bb\x01",
            b"\x01cB\x01",
            b"\x01ds\0\x01",
            b"\x01eu\0\x01",
            b"\x01fI\0\0\0\x01",
            b"\x01gi\0\0\0\x01",
            b"\x01hl\0\0\0\0\0\0\0\x01",
            b"\x01if\0\0\0\0",
            b"\x01jd\0\0\0\0\0\0\0\0",
            b"\x01kD\x02\0\0\0\x01",
            b"\x01lS\0\0\0\x02hi",
            b"\x01mA\0\0\0\x02t\x01",
            b"\x01nT\0\0\0\0\0\0\0\x01",
            b"\x01oF\0\0\0\x04\x01at\x01",
            b"\x01pV",
            b"\x01qx\0\0\0\x01\0",
            b"\x01rL\0\0\0\0\0\0\0\x01",
            b"\x07versionS\0\0\0\x013",
        ];
        let bytes = fields.concat();
        let table = Table(&bytes);
        assert_eq!((table.text("version"), table.text("l")), (Some("3".to_owned()), Some("hi".to_owned())));
        assert!(table.flag("a") && !table.flag("b") && !table.flag("nothing"));
        assert!(table.table("o").unwrap().flag("a") && table.table("a").is_none());
    }

    #[test]
    fn a_field_of_no_known_type_ends_its_table() {
        assert_eq!(Table(b"\x01a?\x07versionS\0\0\0\x013").text("version"), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&bytes);
            let _ = (Table(&bytes).text("version"), Table(&bytes).flag("a"));
        }
    }
}
