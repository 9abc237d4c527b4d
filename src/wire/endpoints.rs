//! What the probes of an agent come to, as it goes with its row.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use super::EndpointStates;
use super::codec::TooLarge;
use super::reader::{Malformed, Reader};
use crate::detector::endpoint_states::States;
use crate::identity::{Digest, RowVersion};

pub(super) fn size(block: &EndpointStates) -> usize {
    10 + block.states.planes().iter().map(Vec::len).sum::<usize>()
}

pub(super) fn write(block: &EndpointStates, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    let (size, limit) = (block.states.len(), usize::from(u16::MAX));
    let count = u16::try_from(size).map_err(|_| TooLarge { what: "endpoints", size, limit })?;
    out.extend_from_slice(&block.version.0.to_be_bytes());
    out.extend_from_slice(&block.list.0.to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    block.states.planes().iter().for_each(|plane| out.extend_from_slice(plane));
    Ok(())
}

pub(super) fn read(body: &mut Reader<'_>) -> Result<EndpointStates, Malformed> {
    let (version, list, count) = (RowVersion(body.u32()?), Digest(body.u32()?), usize::from(body.u16()?));
    let mut plane = || body.take(count.div_ceil(8)).map(<[u8]>::to_vec);
    let planes = [plane()?, plane()?];
    let states = States::from_planes(planes, count).ok_or(Malformed)?;
    Ok(EndpointStates { version, list, states })
}
