//! What each agent ought to say of a fault, told from the fault alone (sections 4 and 8 of the design).
//!
//! Of a cut without bridges each agent names its own side, and all others as those that it cannot reach; of one with
//! bridges everybody names the two sides and the bridges. A single node that nobody reaches may as well be dead: the others
//! say that it is unheard. Of an agent that does not run the others say that it is down or unheard.

use std::collections::BTreeSet;
use std::time::Duration;

use netsplit::detector::partition::{Direction, Partition, PartitionKind, Side};
use netsplit::detector::settings::Timing;

use super::cut::{Cut, Way};
use super::nodes::Nodes;
use crate::command::budget::partition_budget;

/// What an agent may say while a fault lasts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Claim {
    /// Nothing at all.
    Nothing,
    /// This node is unheard.
    Unheard(usize),
    /// This node is unheard, or its agent is down.
    Gone(usize),
    /// A partition.
    Partition(Box<Shape>),
}

/// A partition as it ought to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    kinds: Vec<PartitionKind>,
    sides: [Side; 2],
    /// Whether the first side has to be told first: it is the agent's own.
    in_order: bool,
    /// Who reaches both sides.
    bridges: Side,
    /// The side of which nothing arrives at the other, if the cut is one-way.
    sender: Option<Side>,
    /// All of it, as people say it.
    words: String,
}

/// What is true of one fault.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// For each node, the place of its claim.
    of: Vec<usize>,
    claims: Vec<Claim>,
    /// Directed pairs over which nothing arrives.
    pairs: Vec<(usize, usize)>,
    /// For each node, from whom nothing arrives.
    silent: Vec<BTreeSet<usize>>,
    /// How long it must last until an agent has to have told it, for each claim.
    owed_after: Vec<Duration>,
}

impl Truth {
    /// Of a cut.
    pub(super) fn of_cut(cut: &Cut, nodes: &Nodes, timing: &Timing) -> Self {
        let (of, claims) = if cut.bridges.is_empty() {
            complete(cut, nodes)
        } else {
            (vec![0; nodes.len()], vec![partial(cut, nodes)])
        };
        let budget = partition_budget(timing);
        let is_one_pair = !cut.bridges.is_empty() && cut.sides.iter().all(|side| side.len() == 1);
        // A cut of one pair is a link's affair until it has lasted for four bounds.
        let patience = if is_one_pair { timing.detection_bound() * 4 } else { Duration::ZERO };
        // Of a single node the others say one bound after it was lost that it is unheard: it may yet be heard by others.
        let lone =
            |claim: &Claim| if matches!(claim, Claim::Unheard(_)) { timing.detection_bound() } else { Duration::ZERO };
        let owed_after = claims.iter().map(|claim| budget + patience + lone(claim)).collect();
        Self::new(of, claims, cut.pairs().collect(), owed_after)
    }

    /// Of an agent that does not run.
    pub(super) fn of_stall(node: usize, nodes: &Nodes, timing: &Timing) -> Self {
        let of = (0..nodes.len()).map(|other| usize::from(other != node)).collect();
        let pairs = (0..nodes.len()).filter(|&other| other != node).map(|other| (node, other)).collect();
        // That a host answers is told one bound after the node was lost.
        let owed_after = partition_budget(timing) + timing.detection_bound();
        Self::new(of, vec![Claim::Nothing, Claim::Gone(node)], pairs, vec![owed_after; 2])
    }

    fn new(of: Vec<usize>, claims: Vec<Claim>, pairs: Vec<(usize, usize)>, owed_after: Vec<Duration>) -> Self {
        let mut silent = vec![BTreeSet::new(); of.len()];
        for &(from, to) in &pairs {
            silent[to].insert(from);
        }
        Self { of, claims, pairs, silent, owed_after }
    }

    /// What an agent ought to say.
    pub(super) fn claim(&self, agent: usize) -> &Claim {
        self.of.get(agent).and_then(|&place| self.claims.get(place)).unwrap_or(&Claim::Nothing)
    }

    /// How long it must last until this agent has to have told it.
    pub(super) fn owed_after(&self, agent: usize) -> Duration {
        self.of.get(agent).and_then(|&place| self.owed_after.get(place)).copied().unwrap_or(Duration::MAX)
    }

    /// How long it must last until everybody has to have told it.
    pub(super) fn bound(&self) -> Duration {
        self.owed_after.iter().max().copied().unwrap_or_default()
    }

    /// Whether nothing of `from` arrives at `to`.
    pub(super) fn silences(&self, from: usize, to: usize) -> bool {
        self.silent.get(to).is_some_and(|silent| silent.contains(&from))
    }

    /// Directed pairs over which nothing arrives.
    pub(super) fn pairs(&self) -> &[(usize, usize)] {
        &self.pairs
    }

    /// What is right to say, in words, each once.
    pub(super) fn words(&self, nodes: &Nodes) -> Vec<String> {
        self.claims.iter().filter(|claim| **claim != Claim::Nothing).map(|claim| claim.words(nodes)).collect()
    }
}

/// Each side has a claim: its own nodes, and all others.
fn complete(cut: &Cut, nodes: &Nodes) -> (Vec<usize>, Vec<Claim>) {
    let mut of = vec![0; nodes.len()];
    let mut claims = Vec::new();
    for (place, mine) in cut.sides.iter().enumerate() {
        for &node in mine {
            of[node] = place;
        }
        let others: Vec<usize> = (0..nodes.len()).filter(|node| !mine.contains(node)).collect();
        // Who is deaf is heard all the same, and so shows that it lives.
        let hears_the_others = cut.way == Way::OneWay && place == 0;
        claims.push(match others.as_slice() {
            [lost] if mine.len() > 1 && !hears_the_others => Claim::Unheard(*lost),
            _ => Claim::Partition(Box::new(complete_shape(cut, place, &others, nodes))),
        });
    }
    (of, claims)
}

fn complete_shape(cut: &Cut, place: usize, others: &[usize], nodes: &Nodes) -> Shape {
    let mine = &cut.sides[place];
    let lone = mine.len() == 1 || others.len() == 1;
    let kind = if lone { PartitionKind::Isolation } else { PartitionKind::Complete };
    shape(kind, cut, [mine, others], nodes)
}

fn partial(cut: &Cut, nodes: &Nodes) -> Claim {
    let side = |place: usize| cut.sides.get(place).map_or(&[][..], Vec::as_slice);
    Claim::Partition(Box::new(shape(PartitionKind::Partial, cut, [side(0), side(1)], nodes)))
}

fn shape(kind: PartitionKind, cut: &Cut, sides: [&[usize]; 2], nodes: &Nodes) -> Shape {
    let kinds = kinds(cut, kind);
    let via = if cut.bridges.is_empty() { String::new() } else { format!(" via {}", nodes.told_group(&cut.bridges)) };
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let words = format!("{}: {}{via}", names.join(" or "), sides.map(|side| nodes.told_group(side)).join(" | "));
    Shape {
        kinds,
        sides: sides.map(|side| Side::new(nodes.names(side), true)),
        in_order: kind != PartitionKind::Partial,
        bridges: Side::new(nodes.names(&cut.bridges), true),
        sender: sender(cut, nodes),
        words,
    }
}

/// That a cut is one-way shows later than the cut, and to those who hear the other side only.
fn kinds(cut: &Cut, kind: PartitionKind) -> Vec<PartitionKind> {
    if cut.way == Way::OneWay { vec![kind, PartitionKind::Simplex] } else { vec![kind] }
}

fn sender(cut: &Cut, nodes: &Nodes) -> Option<Side> {
    let first = cut.sides.first().filter(|_| cut.way == Way::OneWay)?;
    Some(Side::new(nodes.names(first), true))
}

impl Claim {
    /// Whether a partition is told as it ought to be.
    pub(super) fn is_met_by(&self, partition: &Partition) -> bool {
        let Self::Partition(shape) = self else { return false };
        let same = |one: &Side, other: &Side| one.count == other.count && one.nodes == other.nodes;
        let [first, second] = partition.sides.as_slice() else { return false };
        let [mine, others] = &shape.sides;
        let in_order = same(first, mine) && same(second, others);
        let sides = in_order || !shape.in_order && same(first, others) && same(second, mine);
        let direction = partition.direction.is_none_or(|told| match &shape.sender {
            Some(sender) => told == if same(first, sender) { Direction::FromFirst } else { Direction::ToFirst },
            None => false,
        });
        let bridges = partition.bridges == shape.bridges.nodes && partition.exceptions.is_empty();
        sides && direction && bridges && partition.certain && shape.kinds.contains(&partition.kind)
    }

    /// Whether it may be said of a node that nobody hears it.
    pub(super) fn allows_unheard(&self, node: usize) -> bool {
        matches!(self, Self::Unheard(lost) | Self::Gone(lost) if *lost == node)
    }

    /// Whether it may be said of a node that its agent is down.
    pub(super) fn allows_down(&self, node: usize) -> bool {
        matches!(self, Self::Gone(gone) if *gone == node)
    }

    /// In words.
    fn words(&self, nodes: &Nodes) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Unheard(node) => format!("node_unheard {}", nodes.name(*node)),
            Self::Gone(node) => format!("agent_down {}", nodes.name(*node)),
            Self::Partition(shape) => shape.words.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(cut: &str) -> (Truth, Nodes) {
        let nodes = Nodes::of(5, None).unwrap();
        let cut = cut.parse::<super::super::cut::CutText>().unwrap().among(&nodes).unwrap();
        (Truth::of_cut(&cut, &nodes, &Timing::of_period(Duration::from_secs(1))), nodes)
    }

    fn words(cut: &str) -> Vec<String> {
        let (truth, nodes) = truth(cut);
        truth.words(&nodes)
    }

    #[test]
    fn each_side_of_a_cut_names_itself_first() {
        assert_eq!(words("3|2"), ["complete: n1 n2 n3 | n4 n5", "complete: n4 n5 | n1 n2 n3"]);
        let three = ["complete: n1 n2 | n3 n4 n5", "complete: n3 n4 | n1 n2 n5", "isolation: n5 | n1 n2 n3 n4"];
        assert_eq!(words("2|2|1"), three);
    }

    #[test]
    fn a_lone_node_may_as_well_be_dead_unless_it_is_heard() {
        assert_eq!(words("4|1"), ["node_unheard n5", "isolation: n5 | n1 n2 n3 n4"]);
        assert_eq!(words("n5>rest"), ["isolation or simplex: n5 | n1 n2 n3 n4", "node_unheard n5"]);
        let deaf = ["isolation or simplex: n1 n2 n3 n4 | n5", "isolation or simplex: n5 | n1 n2 n3 n4"];
        assert_eq!(words("rest>n5"), deaf);
    }

    #[test]
    fn everybody_names_both_sides_and_the_bridges_of_a_partial_cut() {
        assert_eq!(words("n1,n2|n3"), ["partial: n1 n2 | n3 via n4 n5"]);
        assert_eq!(words("n1>n2"), ["partial or simplex: n1 | n2 via n3 n4 n5"]);
    }

    #[test]
    fn one_pair_is_owed_four_bounds_later() {
        let owed = |cut| truth(cut).0.bound();
        assert_eq!(owed("3|2"), Duration::from_millis(4700));
        assert_eq!(owed("n1|n2"), Duration::from_millis(14_700));
        assert_eq!(owed("n1|n2,n3"), Duration::from_millis(4700));
    }

    #[test]
    fn that_a_single_node_is_unheard_is_owed_one_bound_later_than_its_own_isolation() {
        let (truth, _) = truth("n1|rest");
        assert_eq!(truth.owed_after(0), Duration::from_millis(4700));
        assert_eq!((truth.owed_after(4), truth.bound()), (Duration::from_millis(7200), Duration::from_millis(7200)));
    }

    #[test]
    fn a_one_way_cut_silences_one_way() {
        let (truth, _) = truth("n1>n2");
        assert!(truth.silences(0, 1) && !truth.silences(1, 0) && !truth.silences(0, 2));
    }

    #[test]
    fn of_a_stall_only_the_others_have_something_to_tell() {
        let nodes = Nodes::of(3, None).unwrap();
        let truth = Truth::of_stall(1, &nodes, &Timing::of_period(Duration::from_secs(1)));
        assert_eq!((truth.claim(0), truth.claim(1)), (&Claim::Gone(1), &Claim::Nothing));
        assert!(truth.claim(0).allows_unheard(1) && !truth.claim(0).allows_down(2));
    }
}
