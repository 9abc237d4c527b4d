//! Which agents probe an endpoint that not all need to probe: those with the highest score by rendezvous hashing, so that
//! everybody who sees the same nodes names the same, and a node that comes or goes changes as little as can be.
//!
//! Thaler & Ravishankar, "Using name-based mappings to increase hit rates" (1998).

use std::collections::BTreeMap;

use crate::identity::{Hash, NodeId};

/// A node that may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: NodeId,
    /// Its zone; empty if it has none.
    pub zone: &'a str,
}

/// The number of an endpoint in scores.
pub fn seed_of(endpoint: &str) -> u64 {
    u64::from_be_bytes(Hash::new().field(b"endpoint").field(endpoint.as_bytes()).first())
}

/// Whether `me` is one of `count` that probe the endpoint of this seed: the best of each zone, and then the best of all.
pub fn is_chosen(me: NodeId, seed: u64, count: usize, candidates: &[Candidate<'_>]) -> bool {
    let mut best: BTreeMap<&str, (u64, NodeId)> = BTreeMap::new();
    for candidate in candidates {
        let score = (score(candidate.id, seed), candidate.id);
        let first = best.entry(candidate.zone).or_insert(score);
        *first = score.max(*first);
    }
    if best.values().any(|&(_, id)| id == me) {
        return true;
    }
    let rest = count.saturating_sub(best.len());
    let mine = (score(me, seed), me);
    let is_before = |candidate: &&Candidate<'_>| (score(candidate.id, seed), candidate.id) > mine;
    let is_of_a_zone = |candidate: &&Candidate<'_>| best.get(candidate.zone).is_some_and(|&(_, id)| id == candidate.id);
    rest > 0 && candidates.iter().filter(|one| !is_of_a_zone(one)).filter(is_before).count() < rest
}

/// Mixes the id of a node with the seed of an endpoint (the finalizer of splitmix64).
fn score(id: NodeId, seed: u64) -> u64 {
    let mut mixed = id.0 ^ seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ZONES: [&str; 3] = ["a", "b", "c"];

    fn nodes(count: usize) -> Vec<Candidate<'static>> {
        let id = |node: usize| NodeId::of("test", &format!("node-{node}"));
        (0..count).map(|node| Candidate { id: id(node), zone: ZONES[node % 3] }).collect()
    }

    fn chosen(count: usize, candidates: &[Candidate<'_>], endpoint: &str) -> BTreeSet<NodeId> {
        let seed = seed_of(endpoint);
        candidates.iter().map(|one| one.id).filter(|&me| is_chosen(me, seed, count, candidates)).collect()
    }

    #[test]
    fn as_many_as_are_wanted_are_chosen_and_one_in_each_zone() {
        let nodes = nodes(30);
        for (wanted, expected) in [(1, 3), (3, 3), (4, 4), (10, 10), (30, 30), (99, 30)] {
            let chosen = chosen(wanted, &nodes, "database");
            assert_eq!(chosen.len(), expected, "of {wanted}");
            let zones: BTreeSet<&str> =
                nodes.iter().filter(|node| chosen.contains(&node.id)).map(|node| node.zone).collect();
            assert_eq!(zones.len(), 3);
        }
    }

    #[test]
    fn a_node_that_goes_is_replaced_and_the_others_stay() {
        let all = nodes(30);
        let before = chosen(6, &all, "database");
        let gone = *before.first().unwrap();
        let left: Vec<_> = all.iter().copied().filter(|node| node.id != gone).collect();
        let after = chosen(6, &left, "database");
        assert_eq!((after.len(), before.difference(&after).count()), (6, 1));
    }

    #[test]
    fn different_endpoints_are_probed_by_different_nodes() {
        let nodes = nodes(100);
        let mut probes = BTreeMap::new();
        for endpoint in 0..500 {
            for node in chosen(5, &nodes, &format!("endpoint-{endpoint}")) {
                *probes.entry(node).or_insert(0) += 1;
            }
        }
        // 2,500 probes over a hundred nodes, 25 each if they were even.
        assert!(probes.len() == 100 && probes.values().all(|&count| count < 60), "{probes:?}");
    }
}
