//! The fixed part of a datagram: 80 bytes, big-endian, each field at its offset in `docs/protocol.md`.
//!
//! A field's place is its turn in [`write`] and [`read`]; a test holds both against the table in the document.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use super::reader::{Malformed, Reader, short_micros};
use super::{Block, Datagram, Echo, Flags, GoodbyeReason, Hearing, Kind};
use crate::hlc::Stamp;
use crate::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};

/// The wire version that this code speaks.
pub const VERSION: u8 = 1;

/// The size of the fixed part, in bytes.
pub const HEADER_SIZE: usize = 80;

/// The first byte of SHA-256 of a key: which key it may be, never which key it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u8);

/// What sealing adds to a datagram beside the tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    /// The key that made the tag.
    pub(super) key: KeyId,
    /// The newest key that the sender holds.
    pub(super) newest_key: KeyId,
    /// The sender's hybrid logical clock.
    pub(super) stamp: Stamp,
}

/// What stands at the same place in every wire version, so that an older agent can tell whose datagram it is.
pub(super) struct Prelude {
    pub(super) version: u8,
    /// Still a number: a newer version may have kinds that this one has not.
    pub(super) kind: u8,
    pub(super) key: KeyId,
    pub(super) sender: NodeId,
    pub(super) receiver: NodeId,
    pub(super) incarnation: Incarnation,
    pub(super) sequence: Sequence,
}

impl Prelude {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let first = reader.u8()?;
        let key = KeyId(reader.u8()?);
        reader.take(6)?;
        Ok(Self {
            version: first >> 4,
            kind: first & 0x0f,
            key,
            sender: NodeId(reader.u64()?),
            receiver: NodeId(reader.u64()?),
            incarnation: Incarnation(reader.u64()?),
            sequence: Sequence(reader.u32()?),
        })
    }
}

/// Appends the header.
pub(super) fn write(datagram: &Datagram, envelope: Envelope, out: &mut Vec<u8>) {
    out.push(VERSION << 4 | kind_code(datagram.kind));
    out.push(envelope.key.0);
    out.extend_from_slice(&flag_bits(datagram).to_be_bytes());
    out.push(envelope.newest_key.0);
    out.push(reason_code(datagram.flags.goodbye));
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&datagram.sender.0.to_be_bytes());
    out.extend_from_slice(&datagram.receiver.0.to_be_bytes());
    out.extend_from_slice(&datagram.incarnation.0.to_be_bytes());
    out.extend_from_slice(&datagram.sequence.0.to_be_bytes());
    out.extend_from_slice(&short_micros(datagram.pace).to_be_bytes());
    out.extend_from_slice(&datagram.echo.sequence.0.to_be_bytes());
    out.extend_from_slice(&short_micros(datagram.echo.delay).to_be_bytes());
    out.extend_from_slice(&datagram.row_version.0.to_be_bytes());
    out.extend_from_slice(&datagram.row_digest.0.to_be_bytes());
    out.extend_from_slice(&datagram.held_digest.0.to_be_bytes());
    out.extend_from_slice(&datagram.roster_digest.0.to_be_bytes());
    out.extend_from_slice(&datagram.electorate_digest.0.to_be_bytes());
    out.extend_from_slice(&datagram.epoch.0.to_be_bytes());
    out.extend_from_slice(&envelope.stamp.to_bits().to_be_bytes());
}

/// Takes the header off. The datagram has no blocks yet.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<(Datagram, Envelope), Malformed> {
    let kind = kind_of(reader.u8()? & 0x0f).ok_or(Malformed)?;
    let key = KeyId(reader.u8()?);
    let bits = reader.u16()?;
    let newest_key = KeyId(reader.u8()?);
    let flags = flags_of(bits, reader.u8()?);
    reader.take(2)?;
    let datagram = Datagram {
        kind,
        flags,
        sender: NodeId(reader.u64()?),
        receiver: NodeId(reader.u64()?),
        incarnation: Incarnation(reader.u64()?),
        sequence: Sequence(reader.u32()?),
        pace: reader.micros()?,
        echo: Echo { sequence: Sequence(reader.u32()?), delay: reader.micros()? },
        row_version: RowVersion(reader.u32()?),
        row_digest: Digest(reader.u32()?),
        held_digest: Digest(reader.u32()?),
        roster_digest: Digest(reader.u32()?),
        electorate_digest: Digest(reader.u32()?),
        epoch: Epoch(reader.u32()?),
        blocks: Vec::new(),
    };
    Ok((datagram, Envelope { key, newest_key, stamp: Stamp::from_bits(reader.u64()?) }))
}

fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Heartbeat => 0,
        Kind::Hello => 1,
    }
}

/// The kind of a code; none if this version has no such kind.
pub(super) fn kind_of(code: u8) -> Option<Kind> {
    match code {
        0 => Some(Kind::Heartbeat),
        1 => Some(Kind::Hello),
        _ => None,
    }
}

const POLL: u16 = 1;
const FINAL: u16 = 1 << 1;
const GOODBYE: u16 = 1 << 2;
const IMPAIRED: u16 = 1 << 3;
const ROW: u16 = 1 << 4;
const RELAY: u16 = 1 << 5;
const HEARING_SHIFT: u32 = 6;
const CUT: u16 = 1 << 8;

fn flag_bits(datagram: &Datagram) -> u16 {
    let flags = datagram.flags;
    let has = |is: fn(&Block) -> bool| datagram.blocks.iter().any(is);
    let hearing = match flags.hearing {
        Hearing::Unknown => 0,
        Hearing::Heard => 1,
        Hearing::Silent => 2,
    };
    [
        (POLL, flags.poll),
        (FINAL, flags.last),
        (GOODBYE, flags.goodbye.is_some()),
        (IMPAIRED, flags.impaired),
        (ROW, has(|block| matches!(block, Block::Row(_) | Block::RowPart(_)))),
        (RELAY, has(|block| matches!(block, Block::Relay(_)))),
        (CUT, flags.cut),
    ]
    .into_iter()
    .filter(|&(_, set)| set)
    .fold(hearing << HEARING_SHIFT, |bits, (bit, _)| bits | bit)
}

/// The flags of their bits. Row and relay are for people with a packet capture: here the blocks themselves speak.
fn flags_of(bits: u16, reason: u8) -> Flags {
    Flags {
        poll: bits & POLL != 0,
        last: bits & FINAL != 0,
        goodbye: (bits & GOODBYE != 0).then(|| reason_of(reason)),
        impaired: bits & IMPAIRED != 0,
        hearing: match bits >> HEARING_SHIFT & 0b11 {
            1 => Hearing::Heard,
            2 => Hearing::Silent,
            _ => Hearing::Unknown,
        },
        cut: bits & CUT != 0,
    }
}

fn reason_code(goodbye: Option<GoodbyeReason>) -> u8 {
    match goodbye {
        None => 0,
        Some(GoodbyeReason::Stopped) => 1,
        Some(GoodbyeReason::Restarting) => 2,
    }
}

/// A reason that a newer agent may have is read as the plainest one: that it leaves is what counts.
fn reason_of(code: u8) -> GoodbyeReason {
    match code {
        2 => GoodbyeReason::Restarting,
        _ => GoodbyeReason::Stopped,
    }
}
