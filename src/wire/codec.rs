//! Datagrams to bytes and back, all but the tag: the header, the blocks, the padding of a hello.
//!
//! Who vouches for the bytes is `seal`'s business. In the steady state (no blocks, a buffer used before) nothing is
//! allocated on either way.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use super::blocks;
use super::header::{self, Envelope, HEADER_SIZE};
use super::reader::{Malformed, Reader};
use super::{Datagram, HELLO_SIZE, Kind, MAX_DATAGRAM};
use crate::identity::NodeId;

/// The size of the tag at the end of every datagram, in bytes.
pub const TAG_SIZE: usize = 16;

/// Something does not fit where it should stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot send a {what} of {size} bytes: at most {limit} fit; send it in parts or shorten it")]
pub struct TooLarge {
    /// What does not fit: datagram, hello, name, zone, ...
    pub what: &'static str,
    /// How large it is, in bytes.
    pub size: usize,
    /// How large it may be, in bytes.
    pub limit: usize,
}

/// How many bytes of UDP payload a datagram takes when sealed: 96 without blocks, [`HELLO_SIZE`] for every hello
/// that fits.
///
/// What does not fit gives a number larger than [`MAX_DATAGRAM`] (than [`HELLO_SIZE`] for a hello).
pub fn sealed_size(datagram: &Datagram) -> usize {
    let size = HEADER_SIZE + datagram.blocks.iter().map(blocks::size).sum::<usize>() + TAG_SIZE;
    match datagram.kind {
        Kind::Heartbeat => size,
        Kind::Hello => size.max(HELLO_SIZE),
    }
}

/// Writes all but the tag into `out`, which it empties first, and which stays empty if something does not fit.
pub(super) fn encode(datagram: &Datagram, envelope: Envelope, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    out.clear();
    let size = sealed_size(datagram);
    // A hello has one size only: whatever answers it as a hello is exactly as large, and no hello amplifies.
    let (what, limit) = match datagram.kind {
        Kind::Heartbeat => ("datagram", MAX_DATAGRAM),
        Kind::Hello => ("hello", HELLO_SIZE),
    };
    if size > limit {
        return Err(TooLarge { what, size, limit });
    }
    out.reserve(MAX_DATAGRAM);
    header::write(datagram, envelope, out);
    if let Err(error) = datagram.blocks.iter().try_for_each(|block| blocks::write(block, out)) {
        out.clear();
        return Err(error);
    }
    out.resize(size - TAG_SIZE, 0);
    Ok(())
}

/// Reads all but the tag. The version is taken as checked.
pub(super) fn decode(bytes: &[u8]) -> Result<(Datagram, Envelope), Malformed> {
    let mut reader = Reader::new(bytes);
    let (mut datagram, envelope) = header::read(&mut reader)?;
    if datagram.sender == NodeId::ANYONE {
        return Err(Malformed);
    }
    datagram.blocks = blocks::read_all(&mut reader)?;
    Ok((datagram, envelope))
}
