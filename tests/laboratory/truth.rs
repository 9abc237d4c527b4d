//! What is right to say about a cut, agent by agent, and whether it was said, once, and nothing else on the way.

use std::collections::BTreeSet;

use serde_json::json;

use super::agent::name;
use super::cluster::{Cluster, any_verdict, names};
use super::words::Word;

/// The true sides of a complete cut.
pub struct Truth<'a>(pub &'a [&'a [usize]]);

/// What one agent should say.
#[derive(Debug)]
enum Right {
    Cut {
        kind: &'static str,
        mine: Vec<String>,
        others: Vec<String>,
    },
    /// One silent node is no partition for those who hear each other.
    Unheard(String),
}

impl Truth<'_> {
    fn side_of(&self, node: usize) -> &[usize] {
        self.0.iter().find(|side| side.contains(&node)).expect("every node is on a side")
    }

    fn others_of(&self, node: usize) -> Vec<usize> {
        self.0.iter().filter(|side| !side.contains(&node)).flat_map(|side| side.iter().copied()).collect()
    }

    fn right(&self, node: usize) -> Right {
        let (mine, others) = (self.side_of(node), self.others_of(node));
        match (mine.len(), others.as_slice()) {
            (2.., &[lone]) => Right::Unheard(name(lone)),
            (1, _) => Right::Cut { kind: "isolation", mine: names(mine), others: names(&others) },
            _ => Right::Cut { kind: "complete", mine: names(mine), others: names(&others) },
        }
    }

    /// The mode of a node while the cut is open.
    fn mode(&self, node: usize) -> &'static str {
        let (mine, others) = (self.side_of(node).len(), self.others_of(node).len());
        match (mine, others) {
            (2.., 1) => "degraded",
            _ if mine > others => "majority",
            (1, _) => "isolated",
            _ => "minority",
        }
    }

    /// Waits until every agent has said what is right; then nobody says anything else for as long as a wrong verdict
    /// would take.
    pub fn is_told(&self, cluster: &Cluster) {
        self.opens(cluster);
        cluster.listen(any_verdict());
        self.check(cluster);
    }

    /// Waits until every agent has said what is right, and checks that it said nothing else.
    pub fn opens(&self, cluster: &Cluster) {
        for node in cluster.all() {
            let event = if matches!(self.right(node), Right::Unheard(_)) { "node_unheard" } else { "partition_opened" };
            cluster.wait_for_all([node], event);
            cluster.wait_for_mode(node, self.mode(node));
        }
        self.check(cluster);
    }

    fn check(&self, cluster: &Cluster) {
        let mut ids = BTreeSet::new();
        for node in cluster.all() {
            let (right, said) = (self.right(node), cluster.said(node));
            let verdicts = cluster.verdicts_of(node);
            let [verdict] = &verdicts[..] else { panic!("{} should say {right:?} once, said{said}", name(node)) };
            check_one(&right, verdict);
            ids.extend(verdict.line["id"].as_str().map(str::to_owned));
            assert_eq!(cluster.modes_of(node), [self.mode(node)], "the modes of {}:{said}", name(node));
        }
        assert!(ids.len() <= 1, "all sides call the cut the same: {ids:?}");
    }

    /// After the heal every agent closes what it opened, once, as healed and confirmed, and is normal again.
    pub fn is_healed(&self, cluster: &Cluster) {
        for node in cluster.all() {
            let closing = if matches!(self.right(node), Right::Unheard(_)) { "node_heard" } else { "partition_closed" };
            cluster.wait_for_all([node], closing);
            cluster.wait_for_mode(node, "normal");
        }
        for node in cluster.all() {
            let (verdicts, said) = (cluster.verdicts_of(node), cluster.said(node));
            let [closed] = &verdicts[..] else { panic!("{} should close once, said{said}", name(node)) };
            assert_eq!((&closed.line["cause"], &closed.line["confirmed"]), (&json!("healed"), &json!(true)), "{said}");
            let modes = cluster.modes_of(node);
            assert!(modes.iter().all(|mode| mode == "normal" || mode == "degraded"), "on the way back:{said}");
        }
    }
}

fn check_one(right: &Right, verdict: &Word) {
    let told = verdict.told();
    match right {
        Right::Cut { kind, mine, others } => {
            assert!(verdict.is("partition_opened"), "{right:?}: {told}");
            assert_eq!((&verdict.line["kind"], &verdict.line["certain"]), (&json!(kind), &json!(true)), "{told}");
            let sides = json!([
                {"nodes": mine, "count": mine.len(), "seen": true},
                {"nodes": others, "count": others.len(), "seen": false},
            ]);
            assert_eq!(verdict.line["sides"], sides, "{told}");
        }
        Right::Unheard(lone) => {
            assert!(verdict.is("node_unheard"), "{right:?}: {told}");
            assert_eq!(verdict.about(), lone, "{told}");
        }
    }
}
