//! What one agent's probes come to, of all endpoints, as it travels with its row: two bits for each, in order of name.

use crate::identity::{Digest, Hash};

/// What an agent tells the others of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedState {
    /// It does not probe it.
    #[default]
    NotProbed,
    /// It probes it, and does not know yet.
    Undecided,
    /// It reaches it.
    Up,
    /// It does not, N times in a row.
    Down,
}

impl SharedState {
    /// The bits of the two planes.
    fn bits(self) -> [bool; 2] {
        match self {
            Self::NotProbed => [false, false],
            Self::Undecided => [true, false],
            Self::Up => [false, true],
            Self::Down => [true, true],
        }
    }

    fn of_bits(bits: [bool; 2]) -> Self {
        match bits {
            [false, false] => Self::NotProbed,
            [true, false] => Self::Undecided,
            [false, true] => Self::Up,
            [true, true] => Self::Down,
        }
    }
}

/// The states of all endpoints, as one agent knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    planes: [Vec<u8>; 2],
    len: usize,
}

impl States {
    /// These, in order of the endpoints' names.
    pub fn of(states: impl ExactSizeIterator<Item = SharedState>) -> Self {
        let len = states.len();
        let mut planes = [vec![0; len.div_ceil(8)], vec![0; len.div_ceil(8)]];
        for (index, state) in states.enumerate() {
            for (plane, bit) in planes.iter_mut().zip(state.bits()) {
                if let Some(byte) = plane.get_mut(index / 8) {
                    *byte |= u8::from(bit) << (index % 8);
                }
            }
        }
        Self { planes, len }
    }

    /// As they came in a datagram; none if these are not two planes for so many, or bits are set behind the last.
    pub fn from_planes(planes: [Vec<u8>; 2], len: usize) -> Option<Self> {
        let used = len % 8;
        let beyond = |plane: &Vec<u8>| used > 0 && plane.last().is_some_and(|&last| last >> used != 0);
        let right = planes.iter().all(|plane| plane.len() == len.div_ceil(8) && !beyond(plane));
        right.then_some(Self { planes, len })
    }

    /// The two planes, the lowest bit first.
    pub fn planes(&self) -> &[Vec<u8>; 2] {
        &self.planes
    }

    /// How many endpoints these are of.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The state of the endpoint at `index`; not probed beyond the last.
    pub fn get(&self, index: usize) -> SharedState {
        let bit = |plane: &Vec<u8>| plane.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1);
        SharedState::of_bits([bit(&self.planes[0]), bit(&self.planes[1])])
    }

    /// Which of them are down.
    pub fn down(&self) -> impl Iterator<Item = usize> + '_ {
        let both = self.planes[0].iter().zip(&self.planes[1]).map(|(one, other)| one & other);
        both.enumerate()
            .filter(|&(_, byte)| byte != 0)
            .flat_map(|(at, byte)| (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| at * 8 + bit))
    }

    /// The digest of a row that these go with: that of the row alone, if there are none.
    pub fn digest_with(&self, row: Digest, list: Digest) -> Digest {
        if self.is_empty() {
            return row;
        }
        let planes = self.planes.iter().fold(Hash::new().field(b"endpoints"), |hash, plane| hash.field(plane));
        planes.field(&row.0.to_be_bytes()).field(&list.0.to_be_bytes()).digest()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [SharedState; 4] = [SharedState::NotProbed, SharedState::Undecided, SharedState::Up, SharedState::Down];

    proptest! {
        #[test]
        fn states_are_what_they_were_made_of(picks in proptest::collection::vec(0..4_usize, 0..70)) {
            let states = States::of(picks.iter().map(|&pick| ALL[pick]));
            let again = States::from_planes(states.planes().clone(), states.len()).unwrap();
            prop_assert_eq!(&again, &states);
            for (index, &pick) in picks.iter().enumerate() {
                prop_assert_eq!(again.get(index), ALL[pick]);
            }
            prop_assert_eq!(again.get(picks.len()), SharedState::NotProbed);
            let down: Vec<usize> = (0..picks.len()).filter(|&index| picks[index] == 3).collect();
            prop_assert_eq!(again.down().collect::<Vec<_>>(), down);
        }
    }

    #[test]
    fn planes_of_another_length_and_bits_behind_the_last_are_refused() {
        for (planes, len) in [([vec![0], vec![]], 3), ([vec![0, 0], vec![0, 0]], 8), ([vec![8], vec![0]], 3)] {
            assert_eq!(States::from_planes(planes.clone(), len), None, "{planes:?}, {len}");
        }
    }

    #[test]
    fn without_endpoints_the_digest_is_that_of_the_row() {
        let (row, list) = (Digest(7), Digest(9));
        assert_eq!(States::default().digest_with(row, list), row);
        let down = States::of([SharedState::Down].into_iter());
        let up = States::of([SharedState::Up].into_iter());
        assert_ne!(down.digest_with(row, list), up.digest_with(row, list));
        assert_ne!(up.digest_with(row, list), up.digest_with(row, Digest(10)), "of other endpoints");
    }
}
