//! Peers by the time since which something is so of them, the first of them at hand: it is asked for with every datagram.

use std::collections::{BTreeMap, VecDeque};

use super::time::Now;
use crate::identity::NodeId;

/// Peers, and since when.
#[derive(Debug, Default)]
pub(super) struct ByAge {
    since: BTreeMap<NodeId, Now>,
    /// In order of time. Who was taken out, or came again, is skipped; never the first.
    order: VecDeque<(Now, NodeId)>,
}

impl ByAge {
    /// So it is from now on, whatever was so before.
    pub(super) fn insert(&mut self, peer: NodeId, now: Now) {
        self.since.insert(peer, now);
        self.order.push_back((now, peer));
        self.drop_first();
    }

    /// It is so no longer.
    pub(super) fn remove(&mut self, peer: NodeId) {
        if self.since.remove(&peer).is_some() {
            self.drop_first();
        }
    }

    pub(super) fn contains(&self, peer: NodeId) -> bool {
        self.since.contains_key(&peer)
    }

    pub(super) fn len(&self) -> usize {
        self.since.len()
    }

    /// Since when it has been so of whom it has been so for longest.
    pub(super) fn oldest(&self) -> Option<Now> {
        self.order.front().map(|&(since, _)| since)
    }

    /// Of whom it has been so since a time that is long ago.
    pub(super) fn since(&self, is_long_ago: impl Fn(Now) -> bool) -> Vec<NodeId> {
        let old = self.order.iter().take_while(|&&(since, _)| is_long_ago(since));
        old.filter(|entry| self.holds(entry)).map(|&(_, peer)| peer).collect()
    }

    /// In order of id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, Now)> + '_ {
        self.since.iter().map(|(&peer, &since)| (peer, since))
    }

    fn holds(&self, &(since, peer): &(Now, NodeId)) -> bool {
        self.since.get(&peer) == Some(&since)
    }

    fn drop_first(&mut self) {
        while self.order.front().is_some_and(|first| !self.holds(first)) {
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_whose_oldest_are_known(steps in proptest::collection::vec((0..6_u64, any::<bool>()), 0..60)) {
            let (mut ages, mut map) = (ByAge::default(), BTreeMap::new());
            for (second, (peer, comes)) in (0..).zip(steps) {
                let (peer, now) = (NodeId(peer), Now::at(Duration::from_secs(second)));
                if comes {
                    ages.insert(peer, now);
                    map.insert(peer, now);
                } else {
                    ages.remove(peer);
                    map.remove(&peer);
                }
                prop_assert_eq!(ages.oldest(), map.values().min().copied());
                prop_assert!(ages.iter().eq(map.iter().map(|(&peer, &since)| (peer, since))));
                prop_assert_eq!((ages.len(), ages.contains(peer)), (map.len(), map.contains_key(&peer)));
                let limit = Now::at(Duration::from_secs(second / 2));
                let mut old = ages.since(|since| since <= limit);
                old.sort_unstable();
                let expected: Vec<NodeId> = map.iter().filter(|&(_, since)| *since <= limit).map(|(&peer, _)| peer).collect();
                prop_assert_eq!(old, expected);
            }
        }
    }
}
