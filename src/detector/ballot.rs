//! Which electorates this agent counts by: the one it keeps, a newer one that is not durable yet, and those that were
//! replaced a moment ago. A side needs a majority of every one of them.
//!
//! An electorate replaces another only when it is durable; until then it can forbid and not allow. One that was replaced
//! goes on counting until everybody must have heard of the change, and if a cut opens meanwhile, until that cut closes:
//! without this two sides can hold majorities of different electorates.

use std::time::Duration;

use super::bits::Bits;
use super::electorate::Electorate;
use super::saved::Serial;
use super::time::Now;
use crate::identity::{Digest, NodeId};

/// How many replaced ones are remembered; while there are so many the electorate does not change.
pub(super) const MOST_FORMER: usize = 32;

/// An electorate, ready to be counted by.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) electorate: Electorate,
    pub(super) digest: Digest,
    /// n.
    pub(super) size: usize,
    /// The places of its members in the roster.
    pub(super) places: Bits,
    /// Some of its members are not in the roster.
    pub(super) has_unknown: bool,
}

/// The electorates.
#[derive(Clone, Debug, Default)]
pub(super) struct Ballot {
    current: Option<Counted>,
    pending: Option<(Counted, Serial)>,
    former: Vec<(Counted, Now)>,
}

impl Ballot {
    /// The electorate that is kept.
    pub(super) fn current(&self) -> Option<&Counted> {
        self.current.as_ref()
    }

    /// The newest decision, durable or not: what peers are told.
    pub(super) fn newest(&self) -> Option<&Counted> {
        self.pending.as_ref().map(|(pending, _)| pending).or(self.current.as_ref())
    }

    /// Whether one waits to be durable.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// How many that were replaced count still.
    pub(super) fn replaced(&self) -> usize {
        self.former.len()
    }

    /// Whether there is no room for another change.
    pub(super) fn is_full(&self) -> bool {
        self.former.len() >= MOST_FORMER
    }

    /// All that count, the newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Counted> {
        let pending = self.pending.iter().map(|(pending, _)| pending);
        pending.chain(&self.current).chain(self.former.iter().map(|(former, _)| former))
    }

    /// What was kept by the run before. It may have been replaced just before the end.
    pub(super) fn restore(&mut self, electorates: Vec<Electorate>, ids: &[NodeId], until: Now) {
        // Whoever wrote the file may have written them in another order.
        let in_order = |kept: Electorate| Electorate::of(kept.electors().to_vec(), kept.floor());
        let mut counted = electorates.into_iter().map(|kept| Counted::new(in_order(kept), ids));
        self.current = counted.next();
        counted.for_each(|former| self.retire(Some(former), until));
    }

    /// A newer electorate, which is kept under this number.
    pub(super) fn propose(&mut self, electorate: Electorate, serial: Serial, ids: &[NodeId], until: Now) {
        // One that was not durable was told to others all the same, who may count by it already.
        let before = self.pending.replace((Counted::new(electorate, ids), serial));
        self.retire(before.map(|(before, _)| before), until);
    }

    /// One that never was whole allowed nobody anything.
    fn retire(&mut self, before: Option<Counted>, until: Now) {
        let founded = before.filter(|before| !before.electorate.is_in_foundation());
        self.former.extend(founded.map(|before| (before, until)));
    }

    /// These count for a peer beside its newest, so they count here too.
    pub(super) fn count_too(&mut self, also: impl Iterator<Item = Electorate>, ids: &[NodeId], until: Now) {
        for electorate in also {
            self.retire(Some(Counted::new(electorate, ids)), until);
        }
    }

    /// Everything up to this number is durable. True if the electorate changed.
    pub(super) fn become_durable(&mut self, serial: Serial, until: Now) -> bool {
        let Some((pending, _)) = self.pending.take_if(|(_, wanted)| *wanted <= serial) else { return false };
        let before = self.current.replace(pending);
        self.retire(before, until);
        true
    }

    /// Forgets those whose time is over, unless a cut is open. True if there were any.
    pub(super) fn expire(&mut self, now: Now, is_cut: bool) -> bool {
        let before = self.former.len();
        if !is_cut {
            self.former.retain(|&(_, until)| now < until);
        }
        self.former.len() < before
    }

    /// It takes so much longer until everybody must have heard of a change, those under way included.
    pub(super) fn wait_longer(&mut self, by: Duration) {
        for (_, until) in &mut self.former {
            *until = *until + by;
        }
    }

    /// The roster has another shape.
    pub(super) fn reshape(&mut self, ids: &[NodeId]) {
        let pending = self.pending.iter_mut().map(|(pending, _)| pending);
        for counted in pending.chain(&mut self.current).chain(self.former.iter_mut().map(|(former, _)| former)) {
            counted.place(ids);
        }
    }
}

impl Counted {
    fn new(electorate: Electorate, ids: &[NodeId]) -> Self {
        let (digest, size) = (electorate.digest(), electorate.size());
        let mut counted = Self { electorate, digest, size, places: Bits::default(), has_unknown: false };
        counted.place(ids);
        counted
    }

    fn place(&mut self, ids: &[NodeId]) {
        self.places = Bits::none(ids.len());
        self.places.extend(self.electorate.members().filter_map(|id| ids.binary_search(&id).ok()));
        self.has_unknown = self.places.count() < self.electorate.names();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn electorate<const N: usize>(ids: [u64; N]) -> Electorate {
        Electorate::first(ids.map(NodeId), 0).founded()
    }

    fn at(seconds: u64) -> Now {
        Now::at(Duration::from_secs(seconds))
    }

    fn sizes(ballot: &Ballot) -> Vec<usize> {
        ballot.all().map(|counted| counted.size).collect()
    }

    #[test]
    fn a_new_electorate_forbids_at_once_and_replaces_only_when_it_is_durable() {
        let mut ballot = Ballot::default();
        ballot.restore(vec![electorate([1, 2, 3])], &[], at(0));
        ballot.propose(electorate([1, 2, 3, 4]), Serial(7), &[], at(9));
        assert_eq!((sizes(&ballot), ballot.current().map(|counted| counted.size)), (vec![4, 3], Some(3)));
        assert!(!ballot.become_durable(Serial(6), at(9)));
        assert!(ballot.become_durable(Serial(7), at(9)));
        assert_eq!((sizes(&ballot), ballot.current().map(|counted| counted.size)), (vec![4, 3], Some(4)));
    }

    #[test]
    fn a_replaced_electorate_counts_for_a_while_and_as_long_as_a_cut_is_open() {
        let mut ballot = Ballot::default();
        ballot.restore(vec![electorate([1, 2]), electorate([1])], &[], at(5));
        ballot.expire(at(4), false);
        assert_eq!(sizes(&ballot), [2, 1]);
        ballot.expire(at(60), true);
        assert_eq!(sizes(&ballot), [2, 1]);
        ballot.expire(at(60), false);
        assert_eq!(sizes(&ballot), [2]);
    }

    #[test]
    fn where_it_takes_longer_to_tell_a_cut_a_replaced_electorate_counts_for_longer() {
        let mut ballot = Ballot::default();
        ballot.restore(vec![electorate([1, 2]), electorate([1])], &[], at(5));
        ballot.wait_longer(Duration::from_secs(10));
        ballot.expire(at(14), false);
        assert_eq!(sizes(&ballot), [2, 1]);
        ballot.expire(at(15), false);
        assert_eq!(sizes(&ballot), [2]);
    }
}
