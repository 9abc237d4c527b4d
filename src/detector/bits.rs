//! A set of roster positions, one bit each: what the verdict computes with.

/// A fixed number of bits. Bits at or beyond the length are never set.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

/// One that is derived would take new memory to become another.
impl Clone for Bits {
    fn clone(&self) -> Self {
        Self { words: self.words.clone(), len: self.len }
    }

    fn clone_from(&mut self, other: &Self) {
        self.words.clone_from(&other.words);
        self.len = other.len;
    }
}

impl Bits {
    /// `len` bits, none set.
    pub fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// `len` bits, all set.
    pub fn all(len: usize) -> Self {
        let mut bits = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        bits.trim();
        bits
    }

    /// Bits from their words; what lies beyond `len` is dropped.
    pub fn from_words(words: Vec<u64>, len: usize) -> Self {
        let mut bits = Self { words, len };
        bits.words.resize(len.div_ceil(64), 0);
        bits.trim();
        bits
    }

    fn trim(&mut self) {
        if let (Some(last), used @ 1..) = (self.words.last_mut(), self.len % 64) {
            *last &= u64::MAX >> (64 - used);
        }
    }

    /// How many bits there are, set or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no bit is set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// How many bits are set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether the bit at `index` is set.
    pub fn has(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Sets the bit at `index`, which must be below the length.
    pub fn set(&mut self, index: usize) {
        debug_assert!(index < self.len, "bit {index} of {}", self.len);
        self.words[index / 64] |= 1 << (index % 64);
    }

    /// Clears the bit at `index`.
    pub fn clear(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
    }

    /// The indices of the set bits, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    at * 64 + bit
                })
            })
        })
    }

    /// The lowest set bit.
    pub fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// The only set bit, if it is one alone.
    pub fn only(&self) -> Option<usize> {
        let mut set = self.iter();
        set.next().filter(|_| set.next().is_none())
    }

    /// The words, lowest bits first.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine | theirs);
    }

    /// Keeps what is in `other` too.
    pub fn keep(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine & theirs);
    }

    /// Removes what is in `other`.
    pub fn remove(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine & !theirs);
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut bits = self.clone();
        bits.remove(other);
        bits
    }

    /// Whether a bit is set in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(mine, theirs)| mine & theirs != 0)
    }

    /// Whether all of `other` is here.
    pub fn covers(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).all(|(mine, theirs)| theirs & !mine == 0)
    }

    /// The same set over another roster: `places` says for each new place where it was before.
    #[must_use]
    pub fn reshaped(&self, places: &[Option<usize>]) -> Self {
        let mut bits = Self::none(places.len());
        bits.extend((0..places.len()).filter(|&place| places[place].is_some_and(|before| self.has(before))));
        bits
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        debug_assert_eq!(self.len, other.len, "sets over different rosters");
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine = with(*mine, *theirs);
        }
    }
}

impl Extend<usize> for Bits {
    fn extend<I: IntoIterator<Item = usize>>(&mut self, indices: I) {
        indices.into_iter().for_each(|index| self.set(index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_length_are_never_set() {
        assert_eq!(Bits::all(70).count(), 70);
        assert_eq!(Bits::all(64).count(), 64);
        assert_eq!(Bits::from_words(vec![u64::MAX; 4], 3).count(), 3);
    }

    #[test]
    fn indices_come_in_order() {
        let mut bits = Bits::none(200);
        bits.extend([199, 3, 64]);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 64, 199]);
    }
}
