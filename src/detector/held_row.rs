//! A row of a peer as it is held here, ready to be judged by.

use std::sync::Arc;

use super::bits::Bits;
use super::row::{Cell, Cells};
use crate::identity::{Digest, Incarnation, RowVersion};
use crate::wire::EndpointStates;

/// A row of a peer, in the order of our own roster.
#[derive(Clone, Debug)]
pub struct HeldRow {
    /// The run of its owner.
    pub incarnation: Incarnation,
    /// Its version.
    pub version: RowVersion,
    /// Its digest as its owner computes it.
    pub digest: Digest,
    /// The cells.
    pub cells: Arc<Cells>,
    /// Where it is up or late.
    pub ok: Bits,
    /// Where it is down.
    pub broken: Bits,
    /// Where it is down and the agent's host or port answered; most rows show that nowhere.
    pub down_agents: Option<Bits>,
    /// Where it is late.
    pub late: Bits,
    /// Where it is absent.
    pub absent: Bits,
}

impl HeldRow {
    /// A row of these cells.
    pub fn new(incarnation: Incarnation, version: RowVersion, digest: Digest, cells: Cells) -> Self {
        let (ok, broken, late, absent) = (cells.ok(), cells.broken(), cells.late(), cells.absent_ones());
        let down_agents = Some(cells.down_agents()).filter(|agents| !agents.is_empty());
        Self { incarnation, version, digest, cells: Arc::new(cells), ok, broken, down_agents, late, absent }
    }

    /// Whether a row of this run and version replaces the one that is held. The newest wins, whatever the order in which
    /// rows arrive, and however often: merging is commutative, associative and idempotent.
    pub fn is_news(incarnation: Incarnation, version: RowVersion, held: Option<&Self>) -> bool {
        held.is_none_or(|held| (held.incarnation, held.version) < (incarnation, version))
    }

    /// The same row over another roster: `places` says for each new place where it was before.
    #[must_use]
    pub fn reshaped(&self, places: &[Option<usize>]) -> Self {
        let mut cells = Cells::absent(places.len());
        for (place, &before) in places.iter().enumerate() {
            cells.set(place, before.map_or(Cell::Absent, |before| self.cells.get(before)));
        }
        Self::new(self.incarnation, self.version, self.digest, cells)
    }
}

/// What the probes of a peer come to, as it is held here.
#[derive(Clone, Debug)]
pub struct HeldStates {
    /// The run of its owner.
    pub incarnation: Incarnation,
    /// As it came.
    pub block: Arc<EndpointStates>,
}

impl HeldStates {
    /// The version of the row with which it came.
    pub fn version(&self) -> RowVersion {
        self.block.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is held after these rows have arrived, in this order.
    fn merged(rows: &[(u64, u32)]) -> Option<(Incarnation, RowVersion)> {
        let mut held: Option<HeldRow> = None;
        for &(incarnation, version) in rows {
            let (incarnation, version) = (Incarnation(incarnation), RowVersion(version));
            if HeldRow::is_news(incarnation, version, held.as_ref()) {
                held = Some(HeldRow::new(incarnation, version, Digest::NONE, Cells::absent(1)));
            }
        }
        held.map(|row| (row.incarnation, row.version))
    }

    proptest! {
        #[test]
        fn rows_merge_to_the_newest_in_any_order_and_however_often(
            rows in proptest::collection::vec((0..4_u64, 0..5_u32), 1..12),
            (order, again) in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle().prop_flat_map(|order| {
                (Just(order), proptest::collection::vec(0..12_usize, 0..12))
            }),
        ) {
            let newest = rows.iter().max().map(|&(incarnation, version)| (Incarnation(incarnation), RowVersion(version)));
            let places = order.iter().chain(&again);
            let shuffled: Vec<_> = places.filter_map(|&place| rows.get(place).copied()).collect();
            prop_assert_eq!(merged(&rows), newest);
            prop_assert_eq!(merged(&shuffled), newest);
        }
    }
}
