//! The optional part of a datagram: blocks of a type (u8), a length (u16) and a body.
//!
//! A block of an unknown type is skipped, so that a newer agent may say more; a known one never grows: what it lacks
//! comes as a block of a new type. `docs/protocol.md` has the table.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use super::codec::TooLarge;
use super::reader::{Malformed, Reader, long_micros, short_micros};
use super::{
    Block, Hello, Nonce, PartWanted, RelayBlock, RosterPart, RowBlock, RowPart, Slept, endpoints, membership, relays,
};
use crate::detector::row::Cells;
use crate::identity::{Digest, Incarnation, NodeId, RowVersion, Sequence};

/// The longest name of a node in a hello, in bytes: that of a DNS name.
pub const MAX_NAME: usize = 253;
/// The longest zone in a hello, in bytes: that of a label's value in Kubernetes.
pub const MAX_ZONE: usize = 63;
/// The longest software version in a hello, in bytes.
pub const MAX_SOFTWARE_VERSION: usize = 64;

/// Type and length before each body.
const PREFIX: usize = 3;

/// Not a block but the end of them: zeros up to the tag, of any number, so that every size can be reached.
const PADDING: u8 = 0;
const ROW: u8 = 1;
const RELAY: u8 = 2;
const CHALLENGE: u8 = 3;
const ANSWER: u8 = 4;
const NEWEST_INCARNATION: u8 = 5;
const SLEPT: u8 = 6;
const HELLO: u8 = 7;
const ROSTER_WANTED: u8 = 8;
const ROSTER: u8 = 9;
const ELECTORATE_WANTED: u8 = 10;
const ELECTORATE: u8 = 11;
const NODES_WANTED: u8 = 12;
const INTRODUCTION: u8 = 13;
const ALSO_COUNTED: u8 = 14;
const ROWS_WANTED: u8 = 15;
const ROWS_UNCHANGED: u8 = 16;
const ENDPOINT_STATES: u8 = 17;

/// No address.
const NOWHERE: u8 = 0;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

fn code(block: &Block) -> u8 {
    match block {
        Block::Row(_) | Block::RowPart(_) => ROW,
        Block::Relay(_) => RELAY,
        Block::RowsWanted(_) => ROWS_WANTED,
        Block::RowsUnchanged(_) => ROWS_UNCHANGED,
        Block::EndpointStates(_) => ENDPOINT_STATES,
        Block::Challenge(_) => CHALLENGE,
        Block::Answer(_) => ANSWER,
        Block::NewestIncarnation(_) => NEWEST_INCARNATION,
        Block::Slept(_) => SLEPT,
        Block::Hello(_) => HELLO,
        Block::RosterWanted(_) => ROSTER_WANTED,
        Block::Roster(_) => ROSTER,
        Block::ElectorateWanted(_) => ELECTORATE_WANTED,
        Block::Electorate(_) => ELECTORATE,
        Block::NodesWanted(_) => NODES_WANTED,
        Block::Introduction(_) => INTRODUCTION,
        Block::AlsoCounted(_) => ALSO_COUNTED,
    }
}

/// How many bytes a block takes, its type and length included.
pub fn size(block: &Block) -> usize {
    PREFIX + body_size(block)
}

fn body_size(block: &Block) -> usize {
    match block {
        Block::Row(row) => row_size(&row.cells),
        Block::RowPart(part) => row_size(&part.cells),
        Block::Relay(relay) => 25 + row_size(&relay.row.cells),
        Block::RowsWanted(rows) => relays::WANTED * rows.len(),
        Block::RowsUnchanged(rows) => relays::UNCHANGED * rows.len(),
        Block::EndpointStates(states) => endpoints::size(states),
        Block::Challenge(_) | Block::Answer(_) | Block::Slept(_) => 16,
        Block::NewestIncarnation(_) => 8,
        Block::Hello(hello) => {
            let texts = 3 + hello.name.len() + hello.zone.len() + hello.version.len();
            texts + socket_address_size(hello.address) + address_size(hello.host) + 2
        }
        Block::RosterWanted(_) | Block::ElectorateWanted(_) => 6,
        Block::Roster(part) => 8 + 8 * part.ids.len(),
        Block::Electorate(part) => membership::part_size(part),
        Block::NodesWanted(ids) => 8 * ids.len(),
        Block::AlsoCounted(digests) => 4 * digests.len(),
        Block::Introduction(node) => membership::introduction_size(node),
    }
}

/// The family and the address.
fn address_size(address: Option<IpAddr>) -> usize {
    match address {
        None => 1,
        Some(IpAddr::V4(_)) => 5,
        Some(IpAddr::V6(_)) => 17,
    }
}

fn row_size(cells: &Cells) -> usize {
    12 + 3 * cells.len().div_ceil(8)
}

/// Appends one block.
pub(super) fn write(block: &Block, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    out.push(code(block));
    out.extend_from_slice(&short("block", body_size(block))?);
    match block {
        Block::Row(row) => write_row(row, out)?,
        Block::RowPart(part) => write_row_part(part, out),
        Block::Relay(relay) => write_relay(relay, out),
        Block::RowsWanted(rows) => relays::write_wanted(rows, out),
        Block::RowsUnchanged(rows) => relays::write_unchanged(rows, out),
        Block::EndpointStates(states) => endpoints::write(states, out)?,
        Block::Challenge(nonce) | Block::Answer(nonce) => out.extend_from_slice(&nonce.0),
        Block::NewestIncarnation(incarnation) => out.extend_from_slice(&incarnation.0.to_be_bytes()),
        Block::Slept(slept) => {
            out.extend_from_slice(&long_micros(slept.length).to_be_bytes());
            out.extend_from_slice(&long_micros(slept.ago).to_be_bytes());
        }
        Block::Hello(hello) => write_hello(hello, out)?,
        Block::Electorate(part) => membership::write_part(part, out),
        Block::NodesWanted(ids) => ids.iter().for_each(|id| out.extend_from_slice(&id.0.to_be_bytes())),
        Block::AlsoCounted(digests) => digests.iter().for_each(|it| out.extend_from_slice(&it.0.to_be_bytes())),
        Block::Introduction(node) => membership::write_introduction(node, out)?,
        Block::RosterWanted(wanted) | Block::ElectorateWanted(wanted) => {
            out.extend_from_slice(&wanted.digest.0.to_be_bytes());
            out.extend_from_slice(&wanted.from.to_be_bytes());
        }
        Block::Roster(part) => {
            out.extend_from_slice(&part.digest.0.to_be_bytes());
            out.extend_from_slice(&part.total.to_be_bytes());
            out.extend_from_slice(&part.from.to_be_bytes());
            part.ids.iter().for_each(|id| out.extend_from_slice(&id.0.to_be_bytes()));
        }
    }
    Ok(())
}

fn short(what: &'static str, size: usize) -> Result<[u8; 2], TooLarge> {
    let limit = usize::from(u16::MAX);
    u16::try_from(size).map(u16::to_be_bytes).map_err(|_| TooLarge { what, size, limit })
}

fn write_row(row: &RowBlock, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    out.extend_from_slice(&row.version.0.to_be_bytes());
    out.extend_from_slice(&row.roster.0.to_be_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&short("row", row.cells.len())?);
    write_cells(&row.cells, out);
    Ok(())
}

fn write_row_part(part: &RowPart, out: &mut Vec<u8>) {
    out.extend_from_slice(&part.version.0.to_be_bytes());
    out.extend_from_slice(&part.roster.0.to_be_bytes());
    out.extend_from_slice(&part.from.to_be_bytes());
    out.extend_from_slice(&part.total.to_be_bytes());
    write_cells(&part.cells, out);
}

fn write_cells(cells: &Cells, out: &mut Vec<u8>) {
    for plane in cells.planes() {
        out.extend(plane.iter().flat_map(|word| word.to_le_bytes()).take(cells.len().div_ceil(8)));
    }
}

fn write_relay(relay: &RelayBlock, out: &mut Vec<u8>) {
    out.extend_from_slice(&relay.owner.0.to_be_bytes());
    out.extend_from_slice(&relay.incarnation.0.to_be_bytes());
    out.extend_from_slice(&relay.heard.0.to_be_bytes());
    out.extend_from_slice(&short_micros(relay.age).to_be_bytes());
    out.push(relay.impaired.into());
    write_row_part(&relay.row, out);
}

fn write_hello(hello: &Hello, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    write_text("name", &hello.name, MAX_NAME, out)?;
    write_text("zone", &hello.zone, MAX_ZONE, out)?;
    write_socket_address(hello.address, out);
    write_address(hello.host, out);
    out.extend_from_slice(&hello.http_port.map_or(0, NonZeroU16::get).to_be_bytes());
    write_text("software version", &hello.version, MAX_SOFTWARE_VERSION, out)
}

fn write_address(address: Option<IpAddr>, out: &mut Vec<u8>) {
    match address {
        None => out.push(NOWHERE),
        Some(IpAddr::V4(address)) => {
            out.push(IPV4);
            out.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            out.push(IPV6);
            out.extend_from_slice(&address.octets());
        }
    }
}

/// The size of an address with its family and port.
pub(super) fn socket_address_size(address: SocketAddr) -> usize {
    address_size(Some(address.ip())) + 2
}

pub(super) fn write_socket_address(address: SocketAddr, out: &mut Vec<u8>) {
    write_address(Some(address.ip()), out);
    out.extend_from_slice(&address.port().to_be_bytes());
}

pub(super) fn read_socket_address(body: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    Ok(SocketAddr::new(read_address(body)?.ok_or(Malformed)?, body.u16()?))
}

pub(super) fn write_text(what: &'static str, text: &str, limit: usize, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    let size = text.len();
    let length = u8::try_from(size).ok().filter(|_| size <= limit).ok_or(TooLarge { what, size, limit })?;
    out.push(length);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Takes all blocks off, up to the end or the padding.
pub(super) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Block>, Malformed> {
    let mut blocks = Vec::new();
    while !reader.is_empty() {
        let code = reader.u8()?;
        if code == PADDING {
            // Anything else in the padding is a block that an encoder lost count of: say so, do not swallow it.
            return if reader.rest().iter().all(|&byte| byte == 0) { Ok(blocks) } else { Err(Malformed) };
        }
        let length = reader.u16()?;
        blocks.extend(read(code, reader.take(length.into())?)?);
    }
    Ok(blocks)
}

/// The block of a type and a body; none if it is one that this version skips.
fn read(code: u8, body: &[u8]) -> Result<Option<Block>, Malformed> {
    let mut body = Reader::new(body);
    let block = match code {
        ROW => Some(whole_or_part(read_row(&mut body)?)),
        RELAY => Some(Block::Relay(read_relay(&mut body)?.into())),
        ROWS_WANTED => Some(Block::RowsWanted(relays::read_wanted(&mut body)?)),
        ROWS_UNCHANGED => Some(Block::RowsUnchanged(relays::read_unchanged(&mut body)?)),
        ENDPOINT_STATES => Some(Block::EndpointStates(endpoints::read(&mut body)?.into())),
        CHALLENGE => Some(Block::Challenge(Nonce(body.array()?))),
        ANSWER => Some(Block::Answer(Nonce(body.array()?))),
        NEWEST_INCARNATION => Some(Block::NewestIncarnation(Incarnation(body.u64()?))),
        SLEPT => {
            let (length, ago) = (Duration::from_micros(body.u64()?), Duration::from_micros(body.u64()?));
            Some(Block::Slept(Slept { length, ago }))
        }
        HELLO => Some(Block::Hello(read_hello(&mut body)?.into())),
        ROSTER_WANTED => Some(Block::RosterWanted(read_wanted(&mut body)?)),
        ROSTER => Some(Block::Roster(Arc::new(read_roster(&mut body)?))),
        ELECTORATE_WANTED => Some(Block::ElectorateWanted(read_wanted(&mut body)?)),
        ELECTORATE => Some(Block::Electorate(Arc::new(membership::read_part(&mut body)?))),
        NODES_WANTED => Some(Block::NodesWanted(membership::read_ids(&mut body)?)),
        ALSO_COUNTED => Some(Block::AlsoCounted(membership::read_digests(&mut body)?)),
        INTRODUCTION => Some(Block::Introduction(membership::read_introduction(&mut body)?.into())),
        _ => return Ok(None),
    };
    if body.is_empty() { Ok(block) } else { Err(Malformed) }
}

fn whole_or_part(row: RowPart) -> Block {
    if row.cells.len() < usize::from(row.total) {
        return Block::RowPart(row.into());
    }
    let RowPart { version, roster, cells, .. } = row;
    Block::Row(RowBlock { version, roster, cells }.into())
}

/// A row or a part of one. Parts are of whole words of 64 cells, but for the last: so they are put together by copying.
fn read_row(body: &mut Reader<'_>) -> Result<RowPart, Malformed> {
    let (version, roster) = (RowVersion(body.u32()?), Digest(body.u32()?));
    let (from, total) = (body.u16()?, body.u16()?);
    let rest = usize::from(total.checked_sub(from).ok_or(Malformed)?);
    let bytes = body.rest();
    let plane_size = bytes.len() / 3;
    let reaches_the_end = plane_size == rest.div_ceil(8);
    let is_aligned = from.is_multiple_of(64) && (reaches_the_end || plane_size.is_multiple_of(8));
    let is_something = plane_size > 0 || total == 0;
    if !bytes.len().is_multiple_of(3) || plane_size > rest.div_ceil(8) || !is_aligned || !is_something {
        return Err(Malformed);
    }
    let mut bytes = Reader::new(bytes);
    let mut plane = || bytes.take(plane_size).map(words);
    let planes = [plane()?, plane()?, plane()?];
    let cells = Cells::from_planes(planes, rest.min(plane_size * 8));
    Ok(RowPart { version, roster, total, from, cells })
}

fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    bytes.chunks(8).map(word).collect()
}

fn read_relay(body: &mut Reader<'_>) -> Result<RelayBlock, Malformed> {
    let (owner, incarnation) = (NodeId(body.u64()?), Incarnation(body.u64()?));
    let (heard, age) = (Sequence(body.u32()?), body.micros()?);
    let impaired = body.u8()? & 1 != 0;
    Ok(RelayBlock { owner, incarnation, heard, age, impaired, row: read_row(body)? })
}

fn read_hello(body: &mut Reader<'_>) -> Result<Hello, Malformed> {
    let name = body.text(MAX_NAME)?.to_owned();
    let zone = body.text(MAX_ZONE)?.to_owned();
    let address = read_socket_address(body)?;
    let (host, http_port) = (read_address(body)?, NonZeroU16::new(body.u16()?));
    Ok(Hello { name, zone, address, host, http_port, version: body.text(MAX_SOFTWARE_VERSION)?.to_owned() })
}

fn read_address(body: &mut Reader<'_>) -> Result<Option<IpAddr>, Malformed> {
    match body.u8()? {
        NOWHERE => Ok(None),
        IPV4 => Ok(Some(Ipv4Addr::from_octets(body.array()?).into())),
        IPV6 => Ok(Some(Ipv6Addr::from_octets(body.array()?).into())),
        _ => Err(Malformed),
    }
}

fn read_wanted(body: &mut Reader<'_>) -> Result<PartWanted, Malformed> {
    Ok(PartWanted { digest: Digest(body.u32()?), from: body.u16()? })
}

fn read_roster(body: &mut Reader<'_>) -> Result<RosterPart, Malformed> {
    let (digest, total, from) = (Digest(body.u32()?), body.u16()?, body.u16()?);
    let ids = membership::read_ids(body)?;
    if usize::from(from) + ids.len() > usize::from(total) {
        return Err(Malformed);
    }
    Ok(RosterPart { digest, total, from, ids })
}
