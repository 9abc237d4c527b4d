//! What agents say to each other of the rows of third ones: which are wanted, and which have not changed.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use super::reader::{Malformed, Reader, short_micros};
use super::{RowUnchanged, RowWanted};
use crate::identity::{Incarnation, NodeId, RowVersion, Sequence};

/// The size of an entry that asks for a row, in bytes.
pub(super) const WANTED: usize = 20;
/// The size of an entry about a row that has not changed, in bytes.
pub(super) const UNCHANGED: usize = 29;

const IMPAIRED: u8 = 1;

pub(super) fn write_wanted(wanted: &[RowWanted], out: &mut Vec<u8>) {
    for row in wanted {
        out.extend_from_slice(&row.owner.0.to_be_bytes());
        out.extend_from_slice(&row.incarnation.0.to_be_bytes());
        out.extend_from_slice(&row.version.0.to_be_bytes());
    }
}

pub(super) fn read_wanted(body: &mut Reader<'_>) -> Result<Vec<RowWanted>, Malformed> {
    let mut wanted = Vec::new();
    while !body.is_empty() {
        let (owner, incarnation) = (NodeId(body.u64()?), Incarnation(body.u64()?));
        wanted.push(RowWanted { owner, incarnation, version: RowVersion(body.u32()?) });
    }
    Ok(wanted)
}

pub(super) fn write_unchanged(unchanged: &[RowUnchanged], out: &mut Vec<u8>) {
    for row in unchanged {
        out.extend_from_slice(&row.owner.0.to_be_bytes());
        out.extend_from_slice(&row.incarnation.0.to_be_bytes());
        out.extend_from_slice(&row.version.0.to_be_bytes());
        out.extend_from_slice(&row.heard.0.to_be_bytes());
        out.extend_from_slice(&short_micros(row.age).to_be_bytes());
        out.push(if row.impaired { IMPAIRED } else { 0 });
    }
}

pub(super) fn read_unchanged(body: &mut Reader<'_>) -> Result<Vec<RowUnchanged>, Malformed> {
    let mut unchanged = Vec::new();
    while !body.is_empty() {
        let (owner, incarnation, version) = (NodeId(body.u64()?), Incarnation(body.u64()?), RowVersion(body.u32()?));
        let (heard, age, bits) = (Sequence(body.u32()?), body.micros()?, body.u8()?);
        unchanged.push(RowUnchanged { owner, incarnation, version, heard, age, impaired: bits & IMPAIRED != 0 });
    }
    Ok(unchanged)
}
