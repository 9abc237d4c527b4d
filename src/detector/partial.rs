//! Broken pairs to partial cuts: what is broken among nodes that reach each other all the same, in as few cuts as can be.
//!
//! A function of the broken pairs, with no memory. Names break ties, so the same pairs give the same cuts everywhere.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::bits::Bits;
use super::verdict::RowBits;

/// How many pairs that are not broken, across one cut, are kept: a quarter of two hundred nodes by two hundred.
const MOST_GAPS: usize = 10_000;

/// How many cuts are told at once, and how many single links beside them: who reads of more reads none of them. All of
/// them are link events.
const MOST_CUTS: usize = 50;

/// Two sets of nodes with the links between them broken, and others that reach both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialCut {
    /// The two sets: the one with the lowest place first.
    pub sides: [Bits; 2],
    /// Pairs across that are not broken, in order of place; at most 10,000.
    pub gaps: Vec<(usize, usize)>,
}

impl PartialCut {
    fn new(one: Bits, other: Bits, pairs: &BrokenPairs) -> Self {
        let sides = if one.first() < other.first() { [one, other] } else { [other, one] };
        let unbroken = |from: usize, to: &Bits| pairs.of(from).map_or_else(|| to.clone(), |broken| to.without(broken));
        let gaps = if let Some(lone) = sides[1].only() {
            unbroken(lone, &sides[0]).iter().map(|from| (from, lone)).take(MOST_GAPS).collect()
        } else {
            let of = |from| unbroken(from, &sides[1]).iter().map(|to| (from, to)).collect::<Vec<_>>();
            sides[0].iter().flat_map(of).take(MOST_GAPS).collect()
        };
        Self { sides, gaps }
    }

    /// Who is on either side.
    pub fn nodes(&self) -> Bits {
        let mut nodes = self.sides[0].clone();
        nodes.add(&self.sides[1]);
        nodes
    }

    /// Whether it is one pair of nodes.
    pub fn is_single(&self) -> bool {
        self.sides.iter().all(|side| side.count() == 1)
    }

    /// Whether one node stands alone on a side.
    pub fn has_lone_node(&self) -> bool {
        self.sides.iter().any(|side| side.count() == 1)
    }

    /// How many pairs both are about.
    pub fn overlap(&self, other: &Self) -> usize {
        let common = |one: &Bits, other: &Bits| {
            one.words().iter().zip(other.words()).map(|(one, other)| (one & other).count_ones() as usize).sum::<usize>()
        };
        let [first, second] = &self.sides;
        let [one, two] = &other.sides;
        let pairs = |straight: usize, beside: [&Bits; 2]| match straight {
            0 => 0,
            nodes => nodes * common(beside[0], beside[1]),
        };
        pairs(common(first, one), [second, two]) + pairs(common(first, two), [second, one])
    }

    /// Whom a node of the first side is cut off from.
    pub fn broken_of(&self, node: usize) -> Bits {
        let mut broken = self.sides[1].clone();
        let begin = self.gaps.partition_point(|&(from, _)| from < node);
        for &(_, to) in self.gaps.iter().skip(begin).take_while(|&&(from, _)| from == node) {
            broken.clear(to);
        }
        broken
    }

    /// The pairs across that are broken.
    pub fn broken(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let across = self.sides[0].iter().flat_map(|from| self.sides[1].iter().map(move |to| (from, to)));
        across.filter(|pair| self.gaps.binary_search(pair).is_err())
    }

    /// The same over another roster; none once a side has nobody left.
    #[must_use]
    pub fn reshaped(&self, places: &[Option<usize>]) -> Option<Self> {
        let sides = [0, 1].map(|side: usize| self.sides[side].reshaped(places));
        let now_at = |before: usize| places.iter().position(|&place| place == Some(before));
        let mut gaps: Vec<(usize, usize)> =
            self.gaps.iter().filter_map(|&(from, to)| Some((now_at(from)?, now_at(to)?))).collect();
        let [one, other] = sides;
        if one.is_empty() || other.is_empty() {
            return None;
        }
        if one.first() < other.first() {
            return Some(Self { sides: [one, other], gaps });
        }
        gaps = gaps.into_iter().map(|(from, to)| (to, from)).collect();
        gaps.sort_unstable();
        Some(Self { sides: [other, one], gaps })
    }
}

/// Which pairs are broken, both ways round.
#[derive(Clone, Debug)]
pub struct BrokenPairs {
    of: Vec<Option<Bits>>,
    /// How many each node has.
    degrees: Vec<usize>,
    nodes: Bits,
}

impl BrokenPairs {
    /// None, among so many nodes.
    pub fn none(nodes: usize) -> Self {
        Self { of: vec![None; nodes], degrees: vec![0; nodes], nodes: Bits::none(nodes) }
    }

    /// What the rows of these nodes say of each other.
    pub fn among(rows: &[Option<RowBits<'_>>], nodes: &Bits) -> Self {
        let mut pairs = Self::none(rows.len());
        for owner in nodes.iter() {
            let Some(broken) = rows[owner].and_then(|row| row.broken).filter(|broken| broken.meets(nodes)) else {
                continue;
            };
            let mut peers = broken.clone();
            peers.keep(nodes);
            peers.clear(owner);
            for peer in peers.iter() {
                pairs.half(peer).set(owner);
            }
            pairs.half(owner).add(&peers);
        }
        pairs.degrees = pairs.of.iter().map(|broken| broken.as_ref().map_or(0, Bits::count)).collect();
        pairs
    }

    /// One more.
    pub fn set(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            let broken = self.half(from);
            let is_new = !broken.has(to);
            broken.set(to);
            self.degrees[from] += usize::from(is_new);
        }
    }

    fn half(&mut self, node: usize) -> &mut Bits {
        let len = self.of.len();
        self.nodes.set(node);
        self.of[node].get_or_insert_with(|| Bits::none(len))
    }

    /// Whom the pairs of a node are broken with.
    pub fn of(&self, node: usize) -> Option<&Bits> {
        self.of.get(node)?.as_ref()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Takes out all pairs of these nodes with those.
    fn remove(&mut self, ones: &Bits, others: &Bits) {
        for (from, to) in [(ones, others), (others, ones)] {
            let lone = to.only();
            for node in from.iter() {
                let Some(broken) = &mut self.of[node] else { continue };
                if let Some(lone) = lone {
                    self.degrees[node] -= usize::from(broken.has(lone));
                    broken.clear(lone);
                } else {
                    broken.remove(to);
                    self.degrees[node] = broken.count();
                }
                if self.degrees[node] == 0 {
                    self.of[node] = None;
                    self.nodes.clear(node);
                }
            }
        }
    }

    /// The nodes in connected groups, each in its two colours if it has no more.
    fn groups(&self) -> Vec<Option<[Bits; 2]>> {
        let mut left = self.nodes.clone();
        let mut groups = Vec::new();
        while let Some(start) = left.first() {
            let (colours, two) = self.coloured(start);
            for colour in &colours {
                left.remove(colour);
            }
            groups.push(two.then_some(colours));
        }
        groups
    }

    /// The group of a node, coloured so that as few pairs as can be are of one colour, and whether none is.
    fn coloured(&self, start: usize) -> ([Bits; 2], bool) {
        let mut colours = [Bits::none(self.of.len()), Bits::none(self.of.len())];
        colours[0].set(start);
        let (mut frontier, mut two) = (vec![(start, 0)], true);
        while let Some((node, colour)) = frontier.pop() {
            let Some(broken) = self.of(node) else { continue };
            two &= !broken.meets(&colours[colour]);
            let mut new = broken.without(&colours[0]);
            new.remove(&colours[1]);
            colours[1 - colour].add(&new);
            frontier.extend(new.iter().map(|node| (node, 1 - colour)));
        }
        (colours, two)
    }
}

/// What people call a node, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its zone; empty if it has none.
    pub zone: &'a str,
}

/// Explains the broken pairs among the nodes of one component.
pub fn explain(pairs: BrokenPairs, component: &Bits, labels: &[Label<'_>]) -> Vec<PartialCut> {
    let ranks = ranks_by_name(labels);
    let mut cover = Cover { all: pairs.clone(), left: pairs, component, labels, ranks, cuts: Vec::new() };
    cover.take_groups();
    let mut regroupings = 0..MOST_CUTS;
    while let Some(node) = cover.worst_node() {
        cover.take_node(node);
        // While a large cut begins, thousands of nodes may miss half of the others, each another half.
        if regroupings.next().is_some() {
            cover.take_groups();
        }
    }
    cover.take_groups();
    cover.take_zone_pairs();
    cover.take_single_links();
    told_at_once(cover.cuts, labels)
}

/// Where each node stands in the order of their names.
fn ranks_by_name(labels: &[Label<'_>]) -> Vec<usize> {
    let mut ordered: Vec<usize> = (0..labels.len()).collect();
    ordered.sort_unstable_by_key(|&node| labels[node].name);
    let mut ranks = vec![0; labels.len()];
    for (rank, node) in ordered.into_iter().enumerate() {
        ranks[node] = rank;
    }
    ranks
}

/// Of very many the largest, and of single links the first by name.
fn told_at_once(cuts: Vec<PartialCut>, labels: &[Label<'_>]) -> Vec<PartialCut> {
    if cuts.len() <= MOST_CUTS {
        return cuts;
    }
    let name = |side: &Bits| side.iter().map(|node| labels[node].name).min();
    let names = |cut: &PartialCut| {
        let mut names = [name(&cut.sides[0]), name(&cut.sides[1])];
        names.sort_unstable();
        names
    };
    let pairs = |cut: &PartialCut| cut.sides[0].count() * cut.sides[1].count();
    let (mut links, mut larger): (Vec<_>, Vec<_>) = cuts.into_iter().partition(PartialCut::is_single);
    links.sort_by_cached_key(names);
    larger.sort_by_cached_key(|cut| (Reverse(pairs(cut)), names(cut)));
    links.truncate(MOST_CUTS);
    larger.truncate(MOST_CUTS);
    larger.extend(links);
    larger
}

/// A greedy cover of the broken pairs by cuts.
struct Cover<'a> {
    all: BrokenPairs,
    left: BrokenPairs,
    component: &'a Bits,
    labels: &'a [Label<'a>],
    ranks: Vec<usize>,
    cuts: Vec<PartialCut>,
}

impl Cover<'_> {
    fn take(&mut self, one: Bits, other: Bits) {
        self.left.remove(&one, &other);
        self.cuts.push(PartialCut::new(one, other, &self.all));
    }

    /// Groups of two colours, three quarters of whose pairs are broken, are one cut each.
    fn take_groups(&mut self) {
        for [one, other] in self.left.groups().into_iter().flatten() {
            let broken: usize = one.iter().map(|node| self.left.degrees[node]).sum();
            if broken * 4 >= one.count() * other.count() * 3 {
                self.take(one, other);
            }
        }
    }

    /// The node that misses most, if it misses half of the others.
    fn worst_node(&self) -> Option<usize> {
        let others = self.component.count().saturating_sub(1);
        let degrees = &self.left.degrees;
        let missing = self.left.nodes.iter().filter(|&node| degrees[node] * 2 >= others);
        missing.min_by_key(|&node| (Reverse(degrees[node]), self.ranks[node]))
    }

    fn take_node(&mut self, node: usize) {
        if let Some(other) = self.left.of(node).cloned() {
            self.take(self.only(node), other);
        }
    }

    fn only(&self, node: usize) -> Bits {
        let mut bits = Bits::none(self.component.len());
        bits.set(node);
        bits
    }

    /// Two zones with nine tenths of at least four pairs broken between them, the most first.
    fn take_zone_pairs(&mut self) {
        let mut zones: BTreeMap<&str, Bits> = BTreeMap::new();
        for node in self.component.iter().filter(|&node| !self.labels[node].zone.is_empty()) {
            zones.entry(self.labels[node].zone).or_insert_with(|| Bits::none(self.component.len())).set(node);
        }
        let mut broken: Vec<(Reverse<usize>, &str, &str)> = Vec::new();
        for (name, zone) in &zones {
            for (other, others) in zones.range::<str, _>((std::ops::Bound::Excluded(*name), std::ops::Bound::Unbounded))
            {
                let count = self.broken_between(zone, others);
                let pairs = zone.count() * others.count();
                if pairs >= 4 && count * 10 >= pairs * 9 {
                    broken.push((Reverse(count), name, other));
                }
            }
        }
        broken.sort_unstable();
        for (_, one, other) in broken {
            self.take(zones[one].clone(), zones[other].clone());
        }
    }

    fn broken_between(&self, ones: &Bits, others: &Bits) -> usize {
        let of = ones.iter().filter_map(|node| self.left.of(node));
        of.map(|broken| {
            let mut across = broken.clone();
            across.keep(others);
            across.count()
        })
        .sum()
    }

    /// The first by name of what is left: there may be millions.
    fn take_single_links(&mut self) {
        let ranks = &self.ranks;
        let mut nodes: Vec<usize> = self.left.nodes.iter().collect();
        nodes.sort_unstable_by_key(|&node| ranks[node]);
        let links_of = |node: usize| {
            let later = self.left.of(node).into_iter().flat_map(Bits::iter).filter(|&other| ranks[node] < ranks[other]);
            let mut others: Vec<usize> = later.collect();
            others.sort_unstable_by_key(|&other| ranks[other]);
            others.into_iter().map(move |other| (node, other))
        };
        let links: Vec<(usize, usize)> = nodes.into_iter().flat_map(links_of).take(MOST_CUTS).collect();
        for (one, other) in links {
            self.take(self.only(one), self.only(other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

    fn cuts_in_zones(nodes: usize, broken: &[(usize, usize)], zone: impl Fn(usize) -> &'static str) -> Vec<String> {
        let labels: Vec<Label<'_>> = (0..nodes).map(|node| Label { name: NAMES[node], zone: zone(node) }).collect();
        let mut pairs = BrokenPairs::none(nodes);
        for &(one, other) in broken {
            pairs.set(one, other);
        }
        let side = |side: &Bits| side.iter().map(|node| NAMES[node]).collect::<String>();
        let gaps = |cut: &PartialCut| {
            let gap = |&(one, other): &(usize, usize)| [" -", NAMES[one], NAMES[other]].concat();
            cut.gaps.iter().map(gap).collect::<Vec<_>>().concat()
        };
        let cuts = explain(pairs, &Bits::all(nodes), &labels);
        cuts.iter().map(|cut| format!("{}|{}{}", side(&cut.sides[0]), side(&cut.sides[1]), gaps(cut))).collect()
    }

    fn cuts(nodes: usize, broken: &[(usize, usize)]) -> Vec<String> {
        cuts_in_zones(nodes, broken, |_| "")
    }

    fn across(ones: &[usize], others: &[usize]) -> Vec<(usize, usize)> {
        ones.iter().flat_map(|&one| others.iter().map(move |&other| (one, other))).collect()
    }

    #[test]
    fn two_thirds_cut_off_from_each_other_are_one_cut() {
        assert_eq!(cuts(6, &across(&[0, 1], &[2, 3])), ["ab|cd"]);
    }

    #[test]
    fn one_node_cut_off_from_some_and_one_link_are_cuts_of_their_own() {
        assert_eq!(cuts(8, &across(&[0], &[1, 2])), ["a|bc"]);
        assert_eq!(cuts(8, &[(2, 5), (0, 1)]), ["a|b", "c|f"]);
    }

    #[test]
    fn a_quarter_of_the_pairs_may_be_joined_and_are_named() {
        assert_eq!(cuts(5, &[(0, 2), (0, 3), (1, 2)]), ["ab|cd -bd"]);
    }

    #[test]
    fn a_chain_of_four_is_one_cut_and_of_five_two() {
        assert_eq!(cuts(4, &[(0, 2), (0, 3), (1, 3)]), ["ab|cd -bc"]);
        assert_eq!(cuts(5, &[(0, 2), (0, 3), (0, 4), (1, 3), (1, 4), (2, 4)]), ["a|cde", "bc|de -cd"]);
    }

    #[test]
    fn three_thirds_around_one_bridge_are_cuts_between_zones() {
        let mut broken = across(&[0, 1], &[2, 3, 4, 5]);
        broken.extend(across(&[2, 3], &[4, 5]));
        let zone = |node: usize| ["x", "x", "y", "y", "z", "z", "", "", "", "", ""][node];
        assert_eq!(cuts_in_zones(11, &broken, zone), ["ab|cd", "ab|ef", "cd|ef"]);
    }

    #[test]
    fn a_node_that_misses_half_is_told_apart_from_the_cut_beside_it() {
        let mut broken = across(&[0, 1], &[2, 3]);
        broken.extend(across(&[6], &[0, 2, 4, 5]));
        assert_eq!(cuts(8, &broken), ["acef|g", "ab|cd"]);
    }

    #[test]
    fn what_nothing_larger_explains_is_a_link_of_its_own() {
        // A triangle among many: no two colours, and nobody misses half.
        assert_eq!(cuts(12, &[(0, 1), (1, 2), (0, 2)]), ["a|b", "a|c", "b|c"]);
    }

    #[test]
    fn of_very_many_links_the_first_fifty_by_name_are_told_and_every_larger_cut_before_them() {
        let names: Vec<String> = (0..200).map(|node| format!("n{node:03}")).collect();
        let labels: Vec<Label<'_>> = names.iter().map(|name| Label { name, zone: "" }).collect();
        let mut pairs = BrokenPairs::none(200);
        // Each is a group by itself; the last node is cut off from two.
        for pair in 0..90 {
            pairs.set(2 * pair, 2 * pair + 1);
        }
        pairs.set(199, 196);
        pairs.set(199, 197);
        let cuts = explain(pairs, &Bits::all(200), &labels);
        let firsts: Vec<usize> = cuts.iter().filter_map(|cut| cut.sides[0].first()).collect();
        assert_eq!((cuts.len(), firsts[0], firsts[1], firsts[50]), (51, 196, 0, 98));
    }

    mod laws {
        use proptest::prelude::*;

        use super::super::*;
        use super::NAMES;

        fn explained(broken: &[(usize, usize)], order: &[usize]) -> (Vec<PartialCut>, BrokenPairs) {
            let place = |node: usize| order.iter().position(|&at| at == node).unwrap_or_default();
            let mut pairs = BrokenPairs::none(order.len());
            for &(one, other) in broken.iter().filter(|(one, other)| one != other) {
                pairs.set(place(one), place(other));
            }
            let zone = |node: usize| ["x", "y", "z", ""][node % 4];
            let labels: Vec<Label<'_>> =
                order.iter().map(|&node| Label { name: NAMES[node], zone: zone(node) }).collect();
            (explain(pairs.clone(), &Bits::all(order.len()), &labels), pairs)
        }

        fn by_name(cuts: &[PartialCut], order: &[usize]) -> Vec<[Vec<usize>; 2]> {
            let side = |side: &Bits| {
                let mut nodes: Vec<usize> = side.iter().map(|place| order[place]).collect();
                nodes.sort_unstable();
                nodes
            };
            let mut named: Vec<[Vec<usize>; 2]> = cuts
                .iter()
                .map(|cut| {
                    let mut sides = [side(&cut.sides[0]), side(&cut.sides[1])];
                    sides.sort_unstable();
                    sides
                })
                .collect();
            named.sort_unstable();
            named
        }

        proptest! {
            #[test]
            fn every_broken_pair_is_in_a_cut_and_most_pairs_of_a_cut_are_broken(
                broken in proptest::collection::vec((0..9_usize, 0..9_usize), 0..40),
            ) {
                let order: Vec<usize> = (0..9).collect();
                let (cuts, pairs) = explained(&broken, &order);
                for (one, other) in broken.into_iter().filter(|(one, other)| one != other) {
                    let is_across = |cut: &PartialCut| {
                        let [first, second] = &cut.sides;
                        first.has(one) && second.has(other) || first.has(other) && second.has(one)
                    };
                    prop_assert!(cuts.iter().any(is_across), "{one} {other}");
                }
                for cut in &cuts {
                    let all = cut.sides[0].count() * cut.sides[1].count();
                    prop_assert!(!cut.sides[0].meets(&cut.sides[1]));
                    prop_assert!(cut.gaps.len() * 4 <= all);
                    prop_assert!(cut.broken().all(|(one, other)| pairs.of(one).is_some_and(|of| of.has(other))));
                }
            }

            #[test]
            fn the_order_of_the_nodes_does_not_matter(
                broken in proptest::collection::vec((0..9_usize, 0..9_usize), 0..30),
                order in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle(),
            ) {
                let plain: Vec<usize> = (0..9).collect();
                let (one, other) = (explained(&broken, &plain).0, explained(&broken, &order).0);
                prop_assert_eq!(by_name(&one, &plain), by_name(&other, &order));
            }
        }
    }
}
