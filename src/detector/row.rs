//! A row: what one owner observes of every node of its roster, three bits a cell, in three bit planes.
//!
//! The planes make the verdict's questions (what is ok? what is broken?) a few word operations for any roster.

use std::fmt;

use super::bits::Bits;
use crate::identity::{Digest, Hash, Incarnation, NodeId, RowVersion};

/// What an owner says of its link from one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Never heard by anybody whom the owner knows, or gone politely.
    #[default]
    Absent,
    /// Cannot be told now.
    Unknown,
    /// Heard.
    Up,
    /// Not heard when it should have been, and not declared down yet.
    Late,
    /// Not heard for N failures in a row.
    Down,
    /// As `Down`, but its host or its port answered.
    DownAgent,
}

impl Cell {
    const fn code(self) -> u64 {
        match self {
            Self::Absent => 0b000,
            Self::Unknown => 0b001,
            Self::Up => 0b010,
            Self::Late => 0b011,
            Self::Down => 0b100,
            Self::DownAgent => 0b101,
        }
    }

    /// The cell of a three-bit code. The codes that mean nothing yet read as unknown.
    const fn of_code(code: u64) -> Self {
        match code {
            0b000 => Self::Absent,
            0b010 => Self::Up,
            0b011 => Self::Late,
            0b100 => Self::Down,
            0b101 => Self::DownAgent,
            _ => Self::Unknown,
        }
    }
}

/// The cells of one row, one for each node of a roster in order of id.
#[derive(Clone, PartialEq, Eq)]
pub struct Cells {
    planes: [Vec<u64>; 3],
    len: usize,
}

impl Cells {
    /// `len` cells, all absent.
    pub fn absent(len: usize) -> Self {
        Self { planes: std::array::from_fn(|_| vec![0; len.div_ceil(64)]), len }
    }

    /// Cells from the words of their planes, lowest bit of the code first.
    pub fn from_planes(planes: [Vec<u64>; 3], len: usize) -> Self {
        Self { planes: planes.map(|words| Bits::from_words(words, len).words().to_vec()), len }
    }

    /// The words of the planes, lowest bit of the code first.
    pub fn planes(&self) -> &[Vec<u64>; 3] {
        &self.planes
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no cell at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The cell at `index`; unknown beyond the end.
    pub fn get(&self, index: usize) -> Cell {
        if index >= self.len {
            return Cell::Unknown;
        }
        let bit = |plane: &Vec<u64>| plane[index / 64] >> (index % 64) & 1;
        Cell::of_code(bit(&self.planes[0]) | bit(&self.planes[1]) << 1 | bit(&self.planes[2]) << 2)
    }

    /// Writes the cell at `index`, which must be below the length.
    pub fn set(&mut self, index: usize, cell: Cell) {
        for (position, plane) in self.planes.iter_mut().enumerate() {
            let word = &mut plane[index / 64];
            *word = *word & !(1 << (index % 64)) | (cell.code() >> position & 1) << (index % 64);
        }
    }

    /// All cells in order.
    pub fn iter(&self) -> impl Iterator<Item = Cell> + '_ {
        (0..self.len).map(|index| self.get(index))
    }

    fn select(&self, with: impl Fn(u64, u64, u64) -> u64) -> Bits {
        let [low, middle, high] = &self.planes;
        let words = low.iter().zip(middle).zip(high).map(|((&a, &b), &c)| with(a, b, c)).collect();
        Bits::from_words(words, self.len)
    }

    /// Where the cell is up or late.
    pub fn ok(&self) -> Bits {
        self.select(|_, middle, high| middle & !high)
    }

    /// Where the cell is down, whatever the agent's host said.
    pub fn broken(&self) -> Bits {
        self.select(|_, middle, high| high & !middle)
    }

    /// Where the cell is down, and the agent's host or port answered.
    pub fn down_agents(&self) -> Bits {
        self.select(|low, middle, high| low & !middle & high)
    }

    /// Where the cell is late.
    pub fn late(&self) -> Bits {
        self.select(|low, middle, high| low & middle & !high)
    }

    /// Where the node is absent.
    pub fn absent_ones(&self) -> Bits {
        self.select(|low, middle, high| !low & !middle & !high)
    }

    /// The digest of a row with these cells.
    pub fn digest(&self, owner: NodeId, incarnation: Incarnation, version: RowVersion, roster: Digest) -> Digest {
        let mut hash = Hash::new()
            .field(&owner.0.to_be_bytes())
            .field(&incarnation.0.to_be_bytes())
            .field(&version.0.to_be_bytes())
            .field(&roster.0.to_be_bytes());
        for plane in &self.planes {
            let bytes: Vec<u8> = plane.iter().flat_map(|word| word.to_le_bytes()).collect();
            hash = hash.field(bytes.get(..self.len.div_ceil(8)).unwrap_or(&bytes));
        }
        hash.digest()
    }
}

impl fmt::Debug for Cells {
    /// One letter a cell: `.` absent, `?` unknown, `u` up, `l` late, `d` down, `a` down, but its host answered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|cell| {
            f.write_str(match cell {
                Cell::Absent => ".",
                Cell::Unknown => "?",
                Cell::Up => "u",
                Cell::Late => "l",
                Cell::Down => "d",
                Cell::DownAgent => "a",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Cell; 6] = [Cell::Absent, Cell::Unknown, Cell::Up, Cell::Late, Cell::Down, Cell::DownAgent];

    #[test]
    fn a_cell_reads_back_as_it_was_written() {
        let mut cells = Cells::absent(130);
        for index in 0..130 {
            cells.set(index, ALL[index % 6]);
        }
        assert!(cells.iter().enumerate().all(|(index, cell)| cell == ALL[index % 6]));
    }

    #[test]
    fn up_and_late_are_ok_and_both_kinds_of_down_are_broken() {
        let mut cells = Cells::absent(6);
        ALL.iter().enumerate().for_each(|(index, &cell)| cells.set(index, cell));
        assert_eq!(cells.ok().iter().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(cells.broken().iter().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(cells.down_agents().iter().collect::<Vec<_>>(), [5]);
        assert_eq!(cells.late().iter().collect::<Vec<_>>(), [3]);
        assert_eq!(cells.absent_ones().iter().collect::<Vec<_>>(), [0]);
    }
}
