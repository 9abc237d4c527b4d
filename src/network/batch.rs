//! Datagrams as they arrive, many at once, in memory that is taken once and used again.

use std::net::SocketAddr;
use std::time::Duration;

use crate::wire::MAX_DATAGRAM;

/// How many datagrams one system call brings at most. More save nothing measurable, and cost memory for good.
pub const BATCH: usize = 32;

/// The room of one datagram, in bytes: enough to see that one is too long.
pub const SLOT_SIZE: usize = MAX_DATAGRAM + 1;

/// Up to [`BATCH`] datagrams with where they came from.
pub struct Batch {
    bytes: Box<[u8]>,
    arrived: Vec<Arrived>,
}

#[derive(Clone, Copy)]
struct Arrived {
    slot: usize,
    length: usize,
    from: SocketAddr,
    /// The time of day at which it arrived, if the kernel said so.
    at: Option<Duration>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { bytes: vec![0; BATCH * SLOT_SIZE].into_boxed_slice(), arrived: Vec::with_capacity(BATCH) }
    }
}

impl Batch {
    /// The datagrams in order of arrival. One that was longer than its room is cut to it.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.stamped().map(|(from, bytes, _)| (from, bytes))
    }

    /// The same, each with the time of day at which it arrived, if that is known.
    pub fn stamped(&self) -> impl Iterator<Item = (SocketAddr, &[u8], Option<Duration>)> {
        self.arrived.iter().filter_map(|arrived| {
            let start = arrived.slot * SLOT_SIZE;
            Some((arrived.from, self.bytes.get(start..start + arrived.length)?, arrived.at))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.arrived.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Keeps only what came from where `keep` says.
    pub fn retain(&mut self, keep: impl Fn(SocketAddr) -> bool) {
        self.arrived.retain(|arrived| keep(arrived.from));
    }

    /// The rooms, to be written into; what was there is forgotten.
    pub(super) fn slots(&mut self) -> (impl Iterator<Item = &mut [u8]>, Filling<'_>) {
        self.arrived.clear();
        (self.bytes.chunks_exact_mut(SLOT_SIZE), Filling(&mut self.arrived))
    }
}

/// Says which rooms were filled.
pub(super) struct Filling<'a>(&'a mut Vec<Arrived>);

impl Filling<'_> {
    pub(super) fn push(&mut self, slot: usize, length: usize, from: SocketAddr, at: Option<Duration>) {
        self.0.push(Arrived { slot, length: length.min(SLOT_SIZE), from, at });
    }
}
