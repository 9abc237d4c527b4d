//! Which way a cut lets nothing through: what the rows say, and since when they say it.
//!
//! A cut that is falling both ways looks one way for a moment. So nothing is stated until the rows have said the same for
//! (N + 1)·d, and the way that is open was said to be open by rows heard after that began.

use std::time::Duration;

use super::bits::Bits;
use super::partition::Direction;
use super::time::Now;
use super::verdict::RowBits;

/// What the rows say of the pairs across a cut, each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    pairs: usize,
    /// Pairs that are down from the first side, and ok to it.
    only_from_first: usize,
    /// Pairs that are down to the first side, and ok from it.
    only_to_first: usize,
    /// Cells that are down from the first side.
    from_first: usize,
    /// Cells that are down to the first side.
    to_first: usize,
}

impl Ways {
    /// Counts pairs; rows that `stands` does not hold for say nothing of what is ok.
    pub(super) fn of(rows: &[Option<RowBits<'_>>], sides: [&Bits; 2], stands: impl Fn(usize) -> bool) -> Self {
        let [first, second] = sides;
        let mut ways = Self { pairs: first.count() * second.count(), ..Self::default() };
        let from_first = one_way(rows, first, second, &stands);
        let to_first = one_way(rows, second, first, &stands);
        (ways.from_first, ways.only_from_first) = from_first;
        (ways.to_first, ways.only_to_first) = to_first;
        ways
    }

    /// The way that nine tenths of the pairs are cut in, and in no other.
    pub(super) fn direction(self) -> Option<Direction> {
        let most = |count: usize| self.pairs > 0 && count * 10 >= self.pairs * 9;
        if most(self.only_from_first) {
            Some(Direction::FromFirst)
        } else if most(self.only_to_first) {
            Some(Direction::ToFirst)
        } else {
            None
        }
    }

    /// Whether more than a tenth of the pairs is cut the other way, too.
    fn speak_against(self, direction: Direction) -> bool {
        let down = match direction {
            Direction::FromFirst => self.to_first,
            Direction::ToFirst => self.from_first,
        };
        down * 10 > self.pairs
    }
}

/// Of the pairs from `senders` to `receivers`: how many are down, and how many of these are ok the other way.
fn one_way(
    rows: &[Option<RowBits<'_>>],
    senders: &Bits,
    receivers: &Bits,
    stands: &impl Fn(usize) -> bool,
) -> (usize, usize) {
    let (mut down, mut only) = (0, 0);
    // Of whom nothing is known nothing can be known to be ok: in a cut both ways these are all of them.
    let mut telling = Bits::none(senders.len());
    telling.extend(senders.iter().filter(|&sender| rows[sender].is_some() && stands(sender)));
    for receiver in receivers.iter() {
        let Some(broken) = rows[receiver].and_then(|row| row.broken) else { continue };
        let mut silent = broken.clone();
        silent.keep(senders);
        down += silent.count();
        silent.keep(&telling);
        let hears = |sender: &usize| rows[*sender].is_some_and(|row| row.ok.has(receiver));
        only += silent.iter().filter(hears).count();
    }
    (down, only)
}

/// The direction of one cut, as it is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// What the rows say, and since when without a break.
    said: Option<(Direction, Now)>,
    stated: Option<Direction>,
    /// Since when the rows speak against what is stated.
    against: Option<Now>,
}

impl Watch {
    /// What may be told now. `confirmed` counts only rows that were heard after the time it is given.
    pub(super) fn look(
        &mut self,
        ways: Ways,
        after: Duration,
        now: Now,
        confirmed: impl FnOnce(Now) -> Ways,
    ) -> Option<Direction> {
        let direction = ways.direction();
        if self.said.map(|(said, _)| said) != direction {
            self.said = direction.map(|direction| (direction, now));
        }
        if let Some(stated) = self.stated {
            let against = ways.speak_against(stated).then(|| self.against.unwrap_or(now));
            self.against = against;
            if against.is_some_and(|since| now.since(since) >= after) {
                self.stated = None;
            }
        } else if let Some((said, since)) = self.said.filter(|&(_, since)| now.since(since) >= after) {
            self.stated = (confirmed(since).direction() == Some(said)).then_some(said);
        }
        self.stated
    }

    /// The sides have changed places.
    pub(super) fn reverse(&mut self) {
        self.stated = self.stated.map(Direction::reversed);
        self.said = self.said.map(|(said, since)| (said.reversed(), since));
    }

    /// Whether something is said that is not stated, or spoken against: it is looked at again by the mere passing of time.
    pub(super) fn is_undecided(&self) -> bool {
        self.said.map(|(said, _)| said) != self.stated && self.said.is_some() || self.against.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(2);

    fn at(seconds: u64) -> Now {
        Now::at(Duration::from_secs(seconds))
    }

    fn ways(only_from_first: usize, to_first: usize) -> Ways {
        Ways { pairs: 10, only_from_first, from_first: 10, to_first, only_to_first: 0 }
    }

    #[test]
    fn a_direction_is_stated_once_it_was_said_for_long_enough_and_confirmed_since() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(ways(9, 1), AFTER, at(1), |_| ways(9, 1)), None);
        assert_eq!(watch.look(ways(9, 1), AFTER, at(3), |_| ways(8, 1)), None, "a row is not confirmed yet");
        assert_eq!(watch.look(ways(9, 1), AFTER, at(4), |_| ways(9, 1)), Some(Direction::FromFirst));
    }

    #[test]
    fn a_cut_that_falls_both_ways_states_nothing() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(ways(9, 1), AFTER, at(1), |_| ways(9, 1)), None);
        assert_eq!(watch.look(ways(8, 2), AFTER, at(2), |_| ways(8, 2)), None);
        assert_eq!(watch.look(ways(9, 1), AFTER, at(3), |_| ways(9, 1)), None, "it begins anew");
    }

    #[test]
    fn what_is_stated_stays_while_it_heals_and_goes_when_the_other_way_is_cut_too() {
        let mut watch = Watch::default();
        watch.look(ways(10, 0), AFTER, at(1), |_| ways(10, 0));
        watch.look(ways(10, 0), AFTER, at(3), |_| ways(10, 0));
        assert_eq!(watch.look(ways(2, 0), AFTER, at(9), |_| ways(2, 0)), Some(Direction::FromFirst));
        assert_eq!(watch.look(ways(0, 10), AFTER, at(10), |_| ways(0, 10)), Some(Direction::FromFirst));
        assert_eq!(watch.look(ways(0, 10), AFTER, at(12), |_| ways(0, 10)), None);
    }
}
