//! What is right to say about one cut between two sets of nodes, whoever else reaches both: its kind, its sides, its
//! bridges, its direction. Said by each agent, and nothing else on the way.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::laboratory::agent::name;
use crate::laboratory::cluster::{Cluster, any_verdict, names};
use crate::laboratory::words::Word;

/// A cut, as all who can know call it.
#[derive(Clone, Copy, Debug)]
pub struct Cut<'a> {
    pub kind: &'a str,
    pub sides: [&'a [usize]; 2],
    pub bridges: &'a [usize],
    /// The side whose datagrams do not arrive, where that is known.
    pub from: Option<&'a [usize]>,
    /// What it may be called before its kind is certain.
    pub before: &'a str,
}

impl<'a> Cut<'a> {
    /// One that lets nothing pass either way.
    pub fn partial(sides: [&'a [usize]; 2], bridges: &'a [usize]) -> Self {
        Self { kind: "partial", sides, bridges, from: None, before: "partial" }
    }

    /// One that nobody reaches both sides of.
    pub fn complete(kind: &'a str, sides: [&'a [usize]; 2]) -> Self {
        Self { kind, sides, bridges: &[], from: None, before: "complete" }
    }

    /// The same when only what this side sends does not arrive.
    pub fn one_way(self, from: &'a [usize]) -> Self {
        Self { kind: "simplex", from: Some(from), before: self.kind, ..self }
    }

    /// Waits until these agents say it, and checks that they said nothing else, then and for as long as a wrong verdict
    /// takes.
    #[track_caller]
    pub fn is_told_by(&self, cluster: &Cluster, nodes: impl IntoIterator<Item = usize> + Clone) {
        for node in nodes.clone() {
            let last_is_right = |said: &[&Word]| {
                said.iter().rfind(|word| word.is_verdict()).is_some_and(|word| self.is_right(&word.line))
            };
            cluster.wait_for(node, &format!("{self:?}"), last_is_right);
        }
        cluster.listen(any_verdict());
        self.check(cluster, nodes);
    }

    #[track_caller]
    fn check(&self, cluster: &Cluster, nodes: impl IntoIterator<Item = usize>) {
        let mut ids = BTreeSet::new();
        for node in nodes {
            let (verdicts, said) = (cluster.verdicts_of(node), cluster.said(node));
            let opened: Vec<&Word> = verdicts.iter().filter(|word| word.is("partition_opened")).collect();
            assert_eq!(opened.len(), 1, "{} opens {self:?} once:{said}", name(node));
            for word in &verdicts {
                let is_on_the_way = word.line["kind"] == self.before && word.line["direction"].is_null();
                assert!(self.has_its_sides(&word.line), "{} names {self:?}:{said}", name(node));
                assert!(is_on_the_way || self.is_right(&word.line), "{} says nothing but {self:?}:{said}", name(node));
                ids.insert(word.text("id").to_owned());
            }
            assert!(verdicts.last().is_some_and(|word| self.is_right(&word.line)), "{said}");
        }
        assert_eq!(ids.len(), 1, "all call it the same");
    }

    fn is_right(&self, line: &Value) -> bool {
        let direction = self.from.map(|from| {
            let is_first = line["sides"][0]["nodes"] == json!(names(from));
            if is_first { "from_first" } else { "to_first" }
        });
        self.has_its_sides(line) && line["kind"] == self.kind && line["direction"] == json!(direction)
    }

    fn has_its_sides(&self, line: &Value) -> bool {
        let sides = [&line["sides"][0]["nodes"], &line["sides"][1]["nodes"]];
        let right = self.sides.map(|side| json!(names(side)));
        let are_right = sides == [&right[0], &right[1]] || sides == [&right[1], &right[0]];
        let is_certain = line["certain"] == true && line["exceptions"] == json!([]);
        are_right && is_certain && line["bridges"] == json!(names(self.bridges))
    }
}

/// After the heal these agents close what they opened, once, as healed, say nothing else, and are normal again.
#[track_caller]
pub fn is_healed_for(cluster: &Cluster, nodes: impl IntoIterator<Item = usize> + Clone) {
    cluster.wait_for_all(nodes.clone(), "partition_closed");
    cluster.wait_for_normal();
    for node in nodes {
        let (verdicts, said) = (cluster.verdicts_of(node), cluster.said(node));
        let closed: Vec<&Word> = verdicts.iter().filter(|word| word.is("partition_closed")).collect();
        assert!(closed.len() == 1 && closed[0].text("cause") == "healed", "{} closes it:{said}", name(node));
        assert!(!verdicts.iter().any(|word| word.is("partition_opened")), "{} opens nothing:{said}", name(node));
    }
}
