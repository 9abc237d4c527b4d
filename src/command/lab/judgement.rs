//! What each agent ought to say, told from the cut alone (sections 4, 5 and 8 of the design), and whether it does.

use std::collections::BTreeSet;

use netsplit::detector::event::{CloseCause, Event};
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::{Partition, PartitionId, PartitionKind};
use netsplit::detector::view::View;

/// The right verdict of one agent, while the cut lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    verdict: Verdict,
    mode: Mode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// A partition of this kind, with my own side first and everybody else as the other.
    Partition { kind: PartitionKind, mine: BTreeSet<String>, others: BTreeSet<String> },
    /// One node is silent, which may as well be dead: no partition.
    Unheard(String),
}

impl Expected {
    /// What an agent of the side `own` ought to say.
    pub(super) fn on_side(sides: &[Vec<String>], own: usize) -> Self {
        let of = |is_mine: bool| {
            let chosen = sides.iter().enumerate().filter(move |&(side, _)| (side == own) == is_mine);
            chosen.flat_map(|(_, names)| names.iter().cloned()).collect::<BTreeSet<_>>()
        };
        let (mine, others) = (of(true), of(false));
        let has_majority = mine.len() > others.len();
        let (kind, mode) = match mine.len() {
            1 => (PartitionKind::Isolation, Mode::Isolated),
            _ if has_majority => (PartitionKind::Complete, Mode::Majority),
            _ => (PartitionKind::Complete, Mode::Minority),
        };
        match others.first() {
            Some(lost) if mine.len() > 1 && others.len() == 1 => {
                Self { verdict: Verdict::Unheard(lost.clone()), mode: Mode::Degraded }
            }
            _ => Self { verdict: Verdict::Partition { kind, mine, others }, mode },
        }
    }

    /// Whether this agent says it.
    pub(super) fn is_met_by(&self, view: &View) -> bool {
        let unheard = view.nodes.iter().filter(|node| node.unheard).map(|node| node.member.name.as_str());
        let unheard: Vec<&str> = unheard.collect();
        let verdict_met = match (&self.verdict, view.partitions.as_slice()) {
            (Verdict::Unheard(node), []) => unheard == [node.as_str()],
            (Verdict::Partition { kind, mine, others }, [partition]) => {
                unheard.is_empty() && partition.kind == *kind && sides_of(partition) == [mine, others].map(Clone::clone)
            }
            _ => false,
        };
        verdict_met && view.mode == self.mode
    }

    /// Whether this record says something else: a wrong word on the way counts, whatever is said in the end.
    pub(super) fn is_contradicted_by(&self, event: &Event) -> bool {
        match (&self.verdict, event) {
            (Verdict::Partition { kind, mine, others }, Event::PartitionOpened(partition)) => {
                partition.kind != *kind || sides_of(partition) != [mine, others].map(Clone::clone)
            }
            (Verdict::Unheard(lost), Event::NodeUnheard { peer: node }) => node != lost,
            (_, Event::PartitionOpened(_) | Event::PartitionChanged(_)) => true,
            (_, Event::NodeUnheard { .. } | Event::AgentDown { .. }) => true,
            _ => false,
        }
    }

    /// Whether this line of the metrics is the one that an alert has to see.
    pub(super) fn is_shown_by(&self, line: &str) -> bool {
        match &self.verdict {
            Verdict::Partition { kind, .. } => {
                line == format!("netsplit_partition_active{{kind=\"{}\"}} 1", kind.as_str())
            }
            Verdict::Unheard(lost) => {
                let labels = [format!("peer=\"{lost}\""), "cause=\"network\"".to_owned()];
                line.starts_with("netsplit_peer_down{") && labels.iter().all(|label| line.contains(label))
            }
        }
    }

    /// The kind of the partition, if there ought to be one.
    pub(super) fn kind(&self) -> Option<PartitionKind> {
        match self.verdict {
            Verdict::Partition { kind, .. } => Some(kind),
            Verdict::Unheard(_) => None,
        }
    }

    /// Whether this record says that it is over, and that whoever was lost lived through it.
    pub(super) fn is_ended_by(&self, event: &Event) -> bool {
        match (&self.verdict, event) {
            (Verdict::Partition { .. }, Event::PartitionClosed { cause, confirmed, .. }) => {
                *cause == CloseCause::Healed && *confirmed == Some(true)
            }
            (Verdict::Unheard(lost), Event::NodeHeard { peer: node, cause, confirmed }) => {
                node == lost && *cause == CloseCause::Healed && *confirmed == Some(true)
            }
            _ => false,
        }
    }
}

fn sides_of(partition: &Partition) -> Vec<BTreeSet<String>> {
    partition.sides.iter().map(|side| side.nodes.iter().cloned().collect()).collect()
}

/// Whether all agents that say a partition say the same one.
pub(super) fn agree<'a>(views: impl IntoIterator<Item = &'a View>) -> bool {
    let ids: BTreeSet<PartitionId> =
        views.into_iter().flat_map(|view| view.partitions.iter().map(|partition| partition.id)).collect();
    ids.len() <= 1
}

/// Whether an agent is at ease: it hears everybody and has nothing to tell.
pub(super) fn is_whole(view: &View) -> bool {
    view.mode == Mode::Normal && view.partitions.is_empty() && view.nodes.iter().all(|node| !node.unheard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(cut: &str, own: usize) -> (Option<PartitionKind>, Mode) {
        let sides = cut.parse::<super::super::cut::Sides>().unwrap().names();
        let expected = Expected::on_side(&sides, own);
        (expected.kind(), expected.mode)
    }

    #[test]
    fn each_side_of_a_cut_has_its_right_verdict() {
        use PartitionKind::{Complete, Isolation};
        for (cut, own, kind, mode) in [
            ("3|2", 0, Some(Complete), Mode::Majority),
            ("3|2", 1, Some(Complete), Mode::Minority),
            ("2|2", 0, Some(Complete), Mode::Minority),
            ("2|2|1", 0, Some(Complete), Mode::Minority),
            ("2|2|1", 2, Some(Isolation), Mode::Isolated),
            ("4|1", 0, None, Mode::Degraded),
            ("4|1", 1, Some(Isolation), Mode::Isolated),
            ("1|1", 0, Some(Isolation), Mode::Isolated),
            ("3|1|1", 0, Some(Complete), Mode::Majority),
        ] {
            assert_eq!(expected(cut, own), (kind, mode), "{cut}, side {own}");
        }
    }
}
