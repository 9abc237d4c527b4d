//! The electorate: who counts for the majority, name by name.
//!
//! What was decided last about a name wins: the larger stamp, and at equal stamps the removal. So agents that changed
//! their electorates apart agree as soon as they have told each other, whatever the order. It is a value: who may change
//! it, and when, is decided in `membership`; which ones an agent counts by in `ballot`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity::{Digest, Hash, NodeId};

/// What was decided last about one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elector {
    /// Who.
    pub id: NodeId,
    /// The larger stamp is the newer decision.
    pub stamp: u32,
    /// It was removed; otherwise it joined.
    pub removed: bool,
}

/// How many members an electorate in foundation must have at least: the discovery told of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Floor {
    /// The larger stamp is the newer decision.
    pub stamp: u32,
    /// How many; 0 once it is founded.
    pub members: u16,
}

/// How many removed names are remembered: the newest. A name that is forgotten too early and shown again by an agent
/// that was away counts again until it is removed again, which errs on the side of nobody writing.
const REMEMBERED: usize = 1024;

/// Who counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Electorate {
    /// The decisions, in order of id.
    electors: Vec<Elector>,
    floor: Floor,
}

impl Electorate {
    /// One in foundation: these names, and at least so many members.
    pub fn first(ids: impl IntoIterator<Item = NodeId>, floor: u16) -> Self {
        let joined = |id| Elector { id, stamp: 1, removed: false };
        Self::of(ids.into_iter().map(joined).collect(), Floor { stamp: 1, members: floor })
    }

    /// One with these decisions, in any order.
    pub fn of(electors: Vec<Elector>, floor: Floor) -> Self {
        Self { electors: Vec::new(), floor }.decided(electors)
    }

    /// The decisions, in order of id.
    pub fn electors(&self) -> &[Elector] {
        &self.electors
    }

    /// How many members to count at least, with the stamp of that decision.
    pub fn floor(&self) -> Floor {
        self.floor
    }

    /// Whether it says nothing about anybody.
    pub fn is_empty(&self) -> bool {
        self.electors.is_empty() && self.floor == Floor::default()
    }

    /// Who belongs, in order of id.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.electors.iter().filter(|elector| !elector.removed).map(|elector| elector.id)
    }

    /// How many names belong.
    pub fn names(&self) -> usize {
        self.members().count()
    }

    /// How many members there are to be counted: n.
    pub fn size(&self) -> usize {
        self.names().max(self.floor.members.into())
    }

    /// What was decided about a name, if anything was.
    pub fn get(&self, id: NodeId) -> Option<Elector> {
        let place = self.electors.binary_search_by_key(&id, |elector| elector.id).ok()?;
        self.electors.get(place).copied()
    }

    /// Whether a name belongs.
    pub fn has(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|elector| !elector.removed)
    }

    /// Whether a name was removed.
    pub fn has_removed(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|elector| elector.removed)
    }

    /// The digest by which agents see that they differ.
    pub fn digest(&self) -> Digest {
        if self.is_empty() {
            return Digest::NONE;
        }
        let floor = Hash::new().field(&self.floor.members.to_be_bytes()).field(&self.floor.stamp.to_be_bytes());
        let hash = self.electors.iter().fold(floor, |hash, elector| {
            let bits = [u8::from(elector.removed)];
            hash.field(&elector.id.0.to_be_bytes()).field(&elector.stamp.to_be_bytes()).field(&bits)
        });
        hash.digest()
    }

    /// With these names joined and those removed, by a decision newer than all before.
    #[must_use]
    pub fn changed(&self, joining: &[NodeId], leaving: &[NodeId]) -> Self {
        let stamp = self.next_stamp();
        let decided = |removed| move |&id: &NodeId| Elector { id, stamp, removed };
        self.decided(joining.iter().map(decided(false)).chain(leaving.iter().map(decided(true))).collect())
    }

    /// Whether it was never whole yet. Agents that do not hear everybody cannot know whether those whom they do not hear
    /// have had an electorate of their own for long, so until it was whole once nobody writes by it.
    pub fn is_in_foundation(&self) -> bool {
        self.floor.members > 0
    }

    /// Founded: it was whole.
    #[must_use]
    pub fn founded(&self) -> Self {
        Self { floor: Floor { stamp: self.next_stamp(), members: 0 }, ..self.clone() }
    }

    /// In foundation, with as many members as there are names.
    #[must_use]
    pub fn with_lower_floor(&self) -> Self {
        self.with_floor(self.names())
    }

    /// In foundation, with so many members at the least.
    #[must_use]
    pub fn with_floor(&self, members: usize) -> Self {
        let members = u16::try_from(members).unwrap_or(u16::MAX);
        Self { floor: Floor { stamp: self.next_stamp(), members }, ..self.clone() }
    }

    /// What both say: of each name the newest. But what is founded knows better than what is not: newcomers are let in,
    /// they do not let themselves in.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        match (self.is_in_foundation(), other.is_in_foundation()) {
            (false, true) if !self.is_empty() => self.clone(),
            (true, false) if !other.is_empty() => other.clone(),
            _ => Self { floor: self.floor.max(other.floor), ..self.decided(other.electors.clone()) },
        }
    }

    fn next_stamp(&self) -> u32 {
        let newest = self.electors.iter().map(|elector| elector.stamp).max().unwrap_or_default();
        newest.max(self.floor.stamp).saturating_add(1)
    }

    fn decided(&self, decisions: Vec<Elector>) -> Self {
        let mut all: BTreeMap<NodeId, Elector> = self.electors.iter().map(|elector| (elector.id, *elector)).collect();
        for new in decisions {
            let known = all.entry(new.id).or_insert(new);
            if (known.stamp, known.removed) < (new.stamp, new.removed) {
                *known = new;
            }
        }
        let mut electors: Vec<Elector> = all.into_values().collect();
        forget_old_removals(&mut electors);
        Self { electors, floor: self.floor }
    }
}

fn forget_old_removals(electors: &mut Vec<Elector>) {
    let mut removals: Vec<(u32, NodeId)> =
        electors.iter().filter(|elector| elector.removed).map(|elector| (elector.stamp, elector.id)).collect();
    if let Some(surplus) = removals.len().checked_sub(REMEMBERED).filter(|&surplus| surplus > 0) {
        removals.sort_unstable();
        let first_kept = removals[surplus];
        electors.retain(|elector| !elector.removed || (elector.stamp, elector.id) >= first_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids<const N: usize>(ids: [u64; N]) -> [NodeId; N] {
        ids.map(NodeId)
    }

    #[test]
    fn the_newest_decision_about_a_name_wins() {
        let first = Electorate::first(ids([1, 2, 3]), 0);
        let removed = first.changed(&[], &ids([3]));
        let rejoined = removed.changed(&ids([3]), &[]);
        assert!(!first.merged(&removed).has(NodeId(3)));
        assert!(rejoined.merged(&removed).merged(&first).has(NodeId(3)));
    }

    #[test]
    fn at_equal_stamps_the_removal_wins() {
        let first = Electorate::first(ids([1, 2]), 0);
        let (joined, removed) = (first.changed(&ids([3]), &[]), first.changed(&[], &ids([3])));
        assert!(!joined.merged(&removed).has(NodeId(3)) && !removed.merged(&joined).has(NodeId(3)));
    }

    #[test]
    fn while_names_are_missing_their_addresses_count() {
        let first = Electorate::first(ids([1, 2]), 6);
        assert_eq!(first.size(), 6);
        assert_eq!(first.changed(&ids([3, 4, 5, 6, 7]), &[]).size(), 7);
        assert_eq!(first.merged(&first.founded()).size(), 2);
    }

    #[test]
    fn who_founds_an_electorate_gives_it_up_for_one_that_is_founded() {
        let old = Electorate::first(ids([1, 2, 3]), 3).founded();
        let newcomers = Electorate::first(ids([1, 2, 3, 4, 5, 6, 7]), 7);
        assert_eq!(newcomers.merged(&old), old);
        assert_eq!(old.merged(&newcomers), old);
    }

    #[test]
    fn only_the_newest_removals_are_remembered() {
        let many: Vec<NodeId> = (0..2000).map(NodeId).collect();
        let electorate = Electorate::first(many.iter().copied(), 0).changed(&[], &many[..1500]);
        assert_eq!((electorate.names(), electorate.electors().len()), (500, 500 + REMEMBERED));
    }

    fn electorate() -> impl Strategy<Value = Electorate> {
        let elector = (0..6_u64, 0..4_u32, any::<bool>());
        let elector = elector.prop_map(|(id, stamp, removed)| Elector { id: NodeId(id), stamp, removed });
        let floor = (0..3_u32, 0..9_u16).prop_map(|(stamp, members)| Floor { stamp, members });
        (prop::collection::vec(elector, 0..8), floor).prop_map(|(electors, floor)| Electorate::of(electors, floor))
    }

    proptest! {
        #[test]
        fn electorates_merge_in_any_order_and_however_often(
            one in electorate(), two in electorate(), three in electorate(),
        ) {
            prop_assert_eq!(one.merged(&two), two.merged(&one));
            prop_assert_eq!(one.merged(&two).merged(&three), one.merged(&two.merged(&three)));
            prop_assert_eq!(one.merged(&one), one.clone());
            prop_assert_eq!(one.merged(&two).digest() == one.digest(), one.merged(&two) == one);
        }
    }
}
