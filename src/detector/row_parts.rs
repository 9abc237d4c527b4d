//! Rows that one datagram does not hold: taken apart by their owner, put together by whoever hears it.
//!
//! A part begins at a multiple of 64 cells, so that taking apart and putting together are copies of words. The parts of one
//! version may come in any order, and again; those of a newer one replace them, whole or not. So what a peer costs is
//! bounded: one row that is held, and one that is on its way.

use std::sync::Arc;

use super::bits::Bits;
use super::row::Cells;
use crate::identity::{Digest, Incarnation, RowVersion};
use crate::wire::{Block, RowBlock, RowPart};

/// How many cells a part has at most: what fits one datagram as a relayed row, and as an own one beside what an agent says
/// of its sleep.
pub(super) const CELLS_IN_A_PART: usize = 2_816;

const CELLS_IN_A_WORD: usize = 64;

/// A row as blocks, one for each datagram that it takes.
pub(super) fn blocks_of(row: &Arc<RowBlock>) -> Vec<Block> {
    if row.cells.len() <= CELLS_IN_A_PART {
        return vec![Block::Row(Arc::clone(row))];
    }
    parts_of(row.version, row.roster, &row.cells).map(|part| Block::RowPart(part.into())).collect()
}

/// A row in as few parts as it takes, in order; one if it fits one datagram.
pub(super) fn parts_of(version: RowVersion, roster: Digest, cells: &Cells) -> impl Iterator<Item = RowPart> + '_ {
    let total = cells.len().min(usize::from(u16::MAX));
    (0..total.max(1)).step_by(CELLS_IN_A_PART).map(move |from| {
        let len = (total - from).min(CELLS_IN_A_PART);
        let words = from / CELLS_IN_A_WORD..(from + len).div_ceil(CELLS_IN_A_WORD);
        let plane = |plane: usize| cells.planes()[plane].get(words.clone()).unwrap_or_default().to_vec();
        RowPart {
            version,
            roster,
            total: u16::try_from(total).unwrap_or(u16::MAX),
            from: u16::try_from(from).unwrap_or(u16::MAX),
            cells: Cells::from_planes([plane(0), plane(1), plane(2)], len),
        }
    })
}

/// A row of which some parts have come.
#[derive(Clone, Debug)]
pub(super) struct Assembly {
    incarnation: Incarnation,
    version: RowVersion,
    roster: Digest,
    planes: [Vec<u64>; 3],
    total: usize,
    /// Which words of the planes are there.
    there: Bits,
}

impl Assembly {
    fn begin(incarnation: Incarnation, part: &RowPart) -> Self {
        let total = usize::from(part.total);
        let words = total.div_ceil(CELLS_IN_A_WORD);
        Self {
            incarnation,
            version: part.version,
            roster: part.roster,
            planes: std::array::from_fn(|_| vec![0; words]),
            total,
            there: Bits::none(words),
        }
    }

    /// A part came, of a row of this run of its owner. Returns the row once all of it is there.
    pub(super) fn add(under_way: &mut Option<Box<Self>>, incarnation: Incarnation, part: &RowPart) -> Option<RowBlock> {
        if under_way.as_ref().is_some_and(|row| (row.incarnation, row.version) > (incarnation, part.version)) {
            return None;
        }
        let same = under_way.take().filter(|row| row.is_of(incarnation, part));
        let mut row = same.unwrap_or_else(|| Box::new(Self::begin(incarnation, part)));
        row.take_in(part);
        if row.there.count() < row.there.len() {
            *under_way = Some(row);
            return None;
        }
        let Self { version, roster, planes, total, .. } = *row;
        Some(RowBlock { version, roster, cells: Cells::from_planes(planes, total) })
    }

    fn is_of(&self, incarnation: Incarnation, part: &RowPart) -> bool {
        let about = (self.roster, self.total) == (part.roster, usize::from(part.total));
        about && (self.incarnation, self.version) == (incarnation, part.version)
    }

    fn take_in(&mut self, part: &RowPart) {
        let first = usize::from(part.from) / CELLS_IN_A_WORD;
        let words = part.cells.len().div_ceil(CELLS_IN_A_WORD);
        for (mine, theirs) in self.planes.iter_mut().zip(part.cells.planes()) {
            // A part that reaches beyond its whole is refused where datagrams are read.
            if let Some(place) = mine.get_mut(first..first + words) {
                place.copy_from_slice(theirs);
            }
        }
        let all = self.there.len();
        self.there.extend((first..first + words).filter(|&word| word < all));
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Cell;
    use super::*;
    use proptest::prelude::*;

    const ROSTER: Digest = Digest(7);

    fn cells(count: usize, seed: usize) -> Cells {
        const ALL: [Cell; 6] = [Cell::Absent, Cell::Unknown, Cell::Up, Cell::Late, Cell::Down, Cell::DownAgent];
        let mut cells = Cells::absent(count);
        (0..count).for_each(|index| cells.set(index, ALL[(index * 31 + index / 7 + seed) % 6]));
        cells
    }

    fn row(version: u32, count: usize) -> (RowVersion, Cells) {
        (RowVersion(version), cells(count, version as usize))
    }

    #[test]
    fn a_row_of_5000_nodes_is_two_parts_and_one_of_2816_is_whole() {
        for (nodes, datagrams) in [(0, 1), (100, 1), (2_816, 1), (2_817, 2), (5_000, 2), (65_535, 24)] {
            let block = RowBlock { version: RowVersion(1), roster: ROSTER, cells: cells(nodes, 0) };
            let blocks = blocks_of(&Arc::new(block));
            assert_eq!(blocks.len(), datagrams, "{nodes}");
            assert_eq!(matches!(blocks[0], Block::Row(_)), datagrams == 1, "{nodes}");
        }
    }

    #[test]
    fn parts_of_an_older_row_do_not_disturb_a_newer_one_under_way() {
        let parts = |version| {
            let (version, cells) = row(version, 5_000);
            parts_of(version, ROSTER, &cells).collect::<Vec<_>>()
        };
        let (old, new, mut under_way) = (parts(1), parts(2), None);
        assert_eq!(Assembly::add(&mut under_way, Incarnation(9), &new[0]), None);
        assert_eq!(Assembly::add(&mut under_way, Incarnation(9), &old[1]), None);
        assert_eq!(Assembly::add(&mut under_way, Incarnation(8), &new[1]), None, "of a run before");
        let whole = Assembly::add(&mut under_way, Incarnation(9), &new[1]).expect("both parts are there");
        assert_eq!((whole.version, whole.cells), row(2, 5_000));
        assert!(under_way.is_none());
    }

    proptest! {
        #[test]
        fn parts_in_any_order_and_mixture_make_the_newest_row_that_is_complete(
            count in 2_817..9_000usize,
            sent in proptest::collection::vec((1..4u32, 0..4usize), 1..30),
        ) {
            let parts: Vec<Vec<RowPart>> = (1..4).map(|version| {
                let (version, cells) = row(version, count);
                parts_of(version, ROSTER, &cells).collect()
            }).collect();
            let (mut under_way, mut newest): (_, Option<RowBlock>) = (None, None);
            // What the rule says, told another way: of each version, which parts came while none newer had.
            let (mut came, mut highest) = (std::collections::BTreeSet::new(), 0);
            let mut expected = None;
            for (version, part) in sent {
                let of_version = &parts[version as usize - 1];
                let index = part % of_version.len();
                if newest.as_ref().is_none_or(|newest| newest.version < RowVersion(version)) {
                    let whole = Assembly::add(&mut under_way, Incarnation(1), &of_version[index]);
                    newest = whole.or(newest);
                }
                if version >= highest {
                    highest = version;
                    came.insert((version, index));
                    if (0..of_version.len()).all(|index| came.contains(&(version, index))) {
                        expected = Some(version);
                    }
                }
            }
            prop_assert_eq!(newest.as_ref().map(|newest| newest.version.0), expected);
            if let Some(newest) = newest {
                prop_assert_eq!((newest.version, newest.cells), row(newest.version.0, count));
            }
        }
    }
}
