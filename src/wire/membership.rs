//! The blocks by which agents agree on who counts: electorates in parts, and nodes introduced to those who lack them.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;

use super::blocks::{MAX_NAME, MAX_ZONE, read_socket_address, socket_address_size, write_socket_address, write_text};
use super::codec::TooLarge;
use super::reader::{Malformed, Reader};
use crate::detector::electorate::{Elector, Floor};
use crate::identity::{Digest, NodeId};

/// A part of an electorate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectoratePart {
    /// The digest of the whole.
    pub digest: Digest,
    /// How many members to count at least, while not all names are known.
    pub floor: Floor,
    /// How many entries the whole has.
    pub total: u16,
    /// The index of the first entry here.
    pub from: u16,
    /// The entries, in ascending order of id.
    pub electors: Vec<Elector>,
}

/// A node that the receiver asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its name.
    pub name: String,
    /// Its zone, or empty.
    pub zone: String,
    /// Where its agent was reached.
    pub address: SocketAddr,
}

/// The size of a part's body before its entries, and of each entry.
const PART: usize = 14;
const ELECTOR: usize = 13;
const REMOVED: u8 = 1;

pub(super) fn part_size(part: &ElectoratePart) -> usize {
    PART + ELECTOR * part.electors.len()
}

pub(super) fn write_part(part: &ElectoratePart, out: &mut Vec<u8>) {
    out.extend_from_slice(&part.digest.0.to_be_bytes());
    out.extend_from_slice(&part.floor.members.to_be_bytes());
    out.extend_from_slice(&part.floor.stamp.to_be_bytes());
    out.extend_from_slice(&part.total.to_be_bytes());
    out.extend_from_slice(&part.from.to_be_bytes());
    for elector in &part.electors {
        out.extend_from_slice(&elector.id.0.to_be_bytes());
        out.extend_from_slice(&elector.stamp.to_be_bytes());
        out.push(if elector.removed { REMOVED } else { 0 });
    }
}

pub(super) fn read_part(body: &mut Reader<'_>) -> Result<ElectoratePart, Malformed> {
    let digest = Digest(body.u32()?);
    let (members, stamp) = (body.u16()?, body.u32()?);
    let (total, from) = (body.u16()?, body.u16()?);
    let mut electors = Vec::new();
    while !body.is_empty() {
        let (id, stamp, bits) = (NodeId(body.u64()?), body.u32()?, body.u8()?);
        electors.push(Elector { id, stamp, removed: bits & REMOVED != 0 });
    }
    if usize::from(from) + electors.len() > usize::from(total) {
        return Err(Malformed);
    }
    Ok(ElectoratePart { digest, floor: Floor { stamp, members }, total, from, electors })
}

pub(super) fn read_ids(body: &mut Reader<'_>) -> Result<Vec<NodeId>, Malformed> {
    let mut ids = Vec::new();
    while !body.is_empty() {
        ids.push(NodeId(body.u64()?));
    }
    Ok(ids)
}

pub(super) fn read_digests(body: &mut Reader<'_>) -> Result<Vec<Digest>, Malformed> {
    let mut digests = Vec::new();
    while !body.is_empty() {
        digests.push(Digest(body.u32()?));
    }
    Ok(digests)
}

pub(super) fn introduction_size(node: &Introduction) -> usize {
    2 + node.name.len() + node.zone.len() + socket_address_size(node.address)
}

pub(super) fn write_introduction(node: &Introduction, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    write_text("name", &node.name, MAX_NAME, out)?;
    write_text("zone", &node.zone, MAX_ZONE, out)?;
    write_socket_address(node.address, out);
    Ok(())
}

pub(super) fn read_introduction(body: &mut Reader<'_>) -> Result<Introduction, Malformed> {
    let (name, zone) = (body.text(MAX_NAME)?.to_owned(), body.text(MAX_ZONE)?.to_owned());
    Ok(Introduction { name, zone, address: read_socket_address(body)? })
}
