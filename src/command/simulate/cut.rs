//! `--cut`: who no longer reaches whom. As it is written, and as it is among the nodes of a cluster.
//!
//! `A|B` and `A|B|C` let nothing through between the sides, `A>B` nothing of what A sends to B. Whoever is on no side still
//! reaches all: a bridge, which `via` may name. A side is a list of nodes and zones, `rest`, or how many nodes it has.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::nodes::{Nodes, NodesError};

/// A cut as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CutText {
    text: String,
    way: Way,
    sides: Vec<Group>,
    via: Option<Group>,
}

/// Whether anything passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing, either way.
    Neither,
    /// Nothing that the first side sends.
    OneWay,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    Rest,
    Size(usize),
    Words(Vec<Word>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Node(String),
    Zone(String),
    Either(String),
}

/// A cut among the nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// As it was written.
    pub(super) text: String,
    pub(super) way: Way,
    /// The sides, each in order; two or more, and no node on two of them.
    pub(super) sides: Vec<Vec<usize>>,
    /// Who is on no side, and reaches all.
    pub(super) bridges: Vec<usize>,
}

/// What is wrong with a cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CutError {
    #[error(
        "one side is no cut: write two with a bar between them, such as 'zone:a|rest' or '3|2', or 'n1>n2' for one way"
    )]
    OneSide,
    #[error("`{0}` has both `|` and `>`: write either, and two --cut for two cuts")]
    BothSigns(String),
    #[error("a cut of one way goes from one side to one other: write 'n1>n2' with one `>`")]
    ManyArrows,
    #[error("a side of '{0}' has nobody: write a node, a zone or `rest` on each")]
    EmptySide(String),
    #[error("`rest` stands there twice, or beside others: write it once, as a side of its own")]
    MisplacedRest,
    #[error("`via` goes with two sides: write 'a|b via c'")]
    ViaOfMany,
    #[error("--cut '{cut}': {problem}")]
    Unknown { cut: String, problem: NodesError },
    #[error("--cut '{cut}': {problem}. For one way write `>` without a dash, such as 'n1>n2'")]
    Arrow { cut: String, problem: NodesError },
    #[error(
        "--cut '{cut}': `{size}` is a number of nodes, and a zone has this name: write `zone:{size}` for the zone, or the names of the nodes, such as 'n1,n2|rest'"
    )]
    SizeOrZone { cut: String, size: usize },
    #[error("--cut '{cut}': {node} is there twice: each node is on one side")]
    Twice { cut: String, node: String },
    #[error("--cut '{cut}': nobody is left for `rest`: leave it out")]
    NobodyLeft { cut: String },
    #[error(
        "--cut '{cut}' has {sum} nodes, and there are {nodes}: write sides that have all of them, or names instead of numbers"
    )]
    OtherSum { cut: String, sum: usize, nodes: usize },
    #[error(
        "--cut '{cut}': {node} is neither on a side nor behind `via`, so it reaches both: write it on a side, or behind `via`"
    )]
    NotNamed { cut: String, node: String },
    #[error(
        "--cut '{cut}': {node} is on no side: a cut of more than two sides takes every node (`rest` is all others)"
    )]
    LeftOut { cut: String, node: String },
}

impl CutText {
    /// How many nodes its sides have, if it says numbers only.
    pub(super) fn nodes(&self) -> Option<usize> {
        let size = |group: &Group| if let Group::Size(size) = group { Some(*size) } else { None };
        self.sides.iter().map(size).try_fold(0, |sum: usize, size| Some(sum.saturating_add(size?)))
    }

    /// Who it is about.
    pub(super) fn among(&self, nodes: &Nodes) -> Result<Cut, CutError> {
        let mut sides = match self.nodes() {
            Some(_) => self.by_size(nodes)?,
            None => self.sides.iter().map(|side| self.group(side, nodes)).collect::<Result<Vec<_>, _>>()?,
        };
        let via = self.via.as_ref().map(|via| self.group(via, nodes)).transpose()?;
        self.refuse_twice(sides.iter().chain(&via), nodes)?;
        let named: BTreeSet<usize> = sides.iter().chain(&via).flatten().copied().collect();
        let others: Vec<usize> = (0..nodes.len()).filter(|node| !named.contains(node)).collect();
        if let Some(rest) = self.sides.iter().position(|side| *side == Group::Rest) {
            sides[rest] = self.somebody(others)?;
            return Ok(self.cut(sides, via.unwrap_or_default()));
        }
        let bridges = match (&self.via, via) {
            (Some(Group::Rest), _) => self.somebody(others)?,
            (_, Some(via)) => match others.first() {
                Some(&node) => {
                    return Err(CutError::NotNamed { cut: self.text.clone(), node: nodes.name(node).to_owned() });
                }
                None => via,
            },
            (_, None) => others,
        };
        match bridges.first() {
            Some(&node) if sides.len() > 2 => {
                Err(CutError::LeftOut { cut: self.text.clone(), node: nodes.name(node).to_owned() })
            }
            _ => Ok(self.cut(sides, bridges)),
        }
    }

    fn cut(&self, sides: Vec<Vec<usize>>, bridges: Vec<usize>) -> Cut {
        Cut { text: self.text.clone(), way: self.way, sides, bridges }
    }

    fn somebody(&self, nodes: Vec<usize>) -> Result<Vec<usize>, CutError> {
        if nodes.is_empty() { Err(CutError::NobodyLeft { cut: self.text.clone() }) } else { Ok(nodes) }
    }

    fn by_size(&self, nodes: &Nodes) -> Result<Vec<Vec<usize>>, CutError> {
        let sizes = self.sides.iter().filter_map(|side| if let Group::Size(size) = side { Some(*size) } else { None });
        let is_zone = |size: &usize| nodes.zone(&size.to_string()).is_ok();
        if let Some(size) = sizes.into_iter().find(is_zone) {
            return Err(CutError::SizeOrZone { cut: self.text.clone(), size });
        }
        let sum = self.nodes().unwrap_or_default();
        if sum != nodes.len() {
            return Err(CutError::OtherSum { cut: self.text.clone(), sum, nodes: nodes.len() });
        }
        let mut next = 0;
        let mut side = |group: &Group| {
            let first = next;
            next += if let Group::Size(size) = group { *size } else { 0 };
            (first..next).collect()
        };
        Ok(self.sides.iter().map(&mut side).collect())
    }

    /// The nodes of a group in order; those of `rest` are not known yet.
    fn group(&self, group: &Group, nodes: &Nodes) -> Result<Vec<usize>, CutError> {
        let Group::Words(words) = group else { return Ok(Vec::new()) };
        let found = words.iter().map(|word| match word {
            Word::Node(name) => nodes.node(name).map(|node| vec![node]),
            Word::Zone(name) => nodes.zone(name),
            Word::Either(name) => nodes.node_or_zone(name),
        });
        let found = found.collect::<Result<Vec<_>, _>>();
        let mut found = found.map_err(|problem| self.unknown(problem))?.concat();
        found.sort_unstable();
        Ok(found)
    }

    /// Many write an arrow for one way; a name may end with a dash all the same.
    fn unknown(&self, problem: NodesError) -> CutError {
        let cut = self.text.clone();
        if cut.contains("->") { CutError::Arrow { cut, problem } } else { CutError::Unknown { cut, problem } }
    }

    fn refuse_twice<'a>(&self, groups: impl Iterator<Item = &'a Vec<usize>>, nodes: &Nodes) -> Result<(), CutError> {
        let mut known = BTreeSet::new();
        match groups.flatten().find(|&&node| !known.insert(node)) {
            Some(&node) => Err(CutError::Twice { cut: self.text.clone(), node: nodes.name(node).to_owned() }),
            None => Ok(()),
        }
    }
}

impl FromStr for CutText {
    type Err = CutError;

    fn from_str(text: &str) -> Result<Self, CutError> {
        let text = text.trim().to_owned();
        let (sides, via) = match text.split_once(" via ") {
            Some((sides, via)) => (sides, Some(via)),
            None => (text.as_str(), None),
        };
        let (way, sign) = match (sides.contains('|'), sides.contains('>')) {
            (true, true) => return Err(CutError::BothSigns(text)),
            (false, false) => return Err(CutError::OneSide),
            (true, false) => (Way::Neither, '|'),
            (false, true) => (Way::OneWay, '>'),
        };
        let parts: Vec<&str> = sides.split(sign).collect();
        match parts.len() {
            len if len > 2 && way == Way::OneWay => return Err(CutError::ManyArrows),
            len if len > 2 && via.is_some() => return Err(CutError::ViaOfMany),
            _ => {}
        }
        let sizes: Option<Vec<usize>> = parts.iter().map(|part| part.trim().parse().ok()).collect();
        let sides = match sizes {
            Some(sizes) if sizes.contains(&0) => return Err(CutError::EmptySide(text)),
            Some(sizes) => sizes.into_iter().map(Group::Size).collect(),
            None => parts.iter().map(|part| group(part, &text)).collect::<Result<Vec<_>, _>>()?,
        };
        let via = via.map(|via| group(via, &text)).transpose()?;
        if sides.iter().chain(&via).filter(|group| **group == Group::Rest).count() > 1 {
            return Err(CutError::MisplacedRest);
        }
        Ok(Self { way, sides, via, text })
    }
}

fn group(text: &str, cut: &str) -> Result<Group, CutError> {
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    if words.iter().any(|word| word.is_empty()) {
        return Err(CutError::EmptySide(cut.to_owned()));
    }
    match words.as_slice() {
        ["rest"] => Ok(Group::Rest),
        words if words.contains(&"rest") => Err(CutError::MisplacedRest),
        words => Ok(Group::Words(words.iter().map(|word| Word::of(word)).collect())),
    }
}

impl Word {
    fn of(text: &str) -> Self {
        match text.split_once(':') {
            Some(("zone", name)) => Self::Zone(name.trim().to_owned()),
            Some(("node", name)) => Self::Node(name.trim().to_owned()),
            _ => Self::Either(text.to_owned()),
        }
    }
}

impl Cut {
    /// Every directed pair over which nothing passes.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let order = move |from: usize, to: usize| from != to && (self.way == Way::Neither || from < to);
        let sides = self.sides.iter().enumerate();
        let between = sides.flat_map(move |(from, one)| {
            let others = self.sides.iter().enumerate().filter(move |&(to, _)| order(from, to));
            others.map(move |(_, other)| (one, other))
        });
        between.flat_map(|(one, other)| one.iter().flat_map(move |&from| other.iter().map(move |&to| (from, to))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zones a (n1 to n3) and b (n4, n5), c (n6).
    fn nodes() -> Nodes {
        Nodes::of(6, Some(&"a=3,b=2,c=1".parse().unwrap())).unwrap()
    }

    fn cut(text: &str) -> Result<Cut, String> {
        let text: CutText = text.parse().map_err(|error: CutError| error.to_string())?;
        text.among(&nodes()).map_err(|error| error.to_string())
    }

    fn sides(text: &str) -> (Vec<Vec<usize>>, Vec<usize>) {
        let cut = cut(text).unwrap();
        (cut.sides, cut.bridges)
    }

    #[test]
    fn a_side_is_nodes_zones_the_rest_or_a_number() {
        assert_eq!(sides("zone:a|rest"), (vec![vec![0, 1, 2], vec![3, 4, 5]], vec![]));
        assert_eq!(sides("n4,a|rest"), (vec![vec![0, 1, 2, 3], vec![4, 5]], vec![]));
        assert_eq!(sides("a | node:n4, n5 | zone:c"), (vec![vec![0, 1, 2], vec![3, 4], vec![5]], vec![]));
        assert_eq!(sides("4|2"), (vec![vec![0, 1, 2, 3], vec![4, 5]], vec![]));
        assert_eq!(sides("2|2|2").0.len(), 3);
    }

    #[test]
    fn whoever_is_on_no_side_of_two_is_a_bridge() {
        assert_eq!(sides("a|b via c"), (vec![vec![0, 1, 2], vec![3, 4]], vec![5]));
        assert_eq!(sides("a|b"), sides("a|b via c"));
        assert_eq!(sides("n1|n2 via rest"), (vec![vec![0], vec![1]], vec![2, 3, 4, 5]));
        assert_eq!(sides("a|rest via n6"), (vec![vec![0, 1, 2], vec![3, 4]], vec![5]));
    }

    #[test]
    fn nothing_passes_either_way_or_one_way() {
        let pairs = |text| cut(text).unwrap().pairs().collect::<Vec<_>>();
        assert_eq!(pairs("n1>n2"), [(0, 1)]);
        assert_eq!(pairs("n2>n1"), [(1, 0)]);
        assert_eq!(pairs("n1|n2"), [(0, 1), (1, 0)]);
        assert_eq!(pairs("a|rest").len(), 18);
        assert_eq!(pairs("2|2|2").len(), 24);
    }

    #[test]
    fn a_number_that_is_a_zone_too_is_not_guessed_at() {
        let nodes = Nodes::of(3, Some(&"1=1,2=2".parse().unwrap())).unwrap();
        let among = |text: &str| text.parse::<CutText>().unwrap().among(&nodes);
        let error = among("1|2").unwrap_err().to_string();
        assert!(error.contains("`1` is a number of nodes, and a zone has this name: write `zone:1`"), "{error}");
        assert_eq!(among("zone:2|rest").unwrap().sides, [vec![1, 2], vec![0]]);
    }

    #[test]
    fn what_is_no_cut_is_refused_with_what_to_write() {
        for (text, said) in [
            ("", "one side is no cut"),
            ("a", "one side is no cut"),
            ("a|", "has nobody"),
            ("a,|b", "has nobody"),
            ("3|0", "has nobody"),
            ("a|b>c", "both `|` and `>`"),
            ("a>b>c", "with one `>`"),
            ("rest|rest", "`rest` stands there twice"),
            ("rest,n1|b", "`rest` stands there twice, or beside others"),
            ("a|b|c via n1", "`via` goes with two sides"),
            ("zone:x|rest", "--cut 'zone:x|rest': no zone is named `x`: the zones are a, b, c"),
            ("n1|n9", "no node is named `n9`: the nodes are n1 to n6"),
            ("a|n1", "n1 is there twice"),
            ("a|b,c,n4", "n4 is there twice"),
            ("a|b,c via rest", "nobody is left for `rest`"),
            ("a|b|c|rest", "nobody is left for `rest`"),
            ("3|2", "has 5 nodes, and there are 6"),
            ("n1|b via c", "n2 is neither on a side nor behind `via`"),
            ("n1|n2|n3", "n4 is on no side"),
            ("n1->n2", "`>` without a dash, such as 'n1>n2'"),
            ("18446744073709551615|18446744073709551615", "and there are 6"),
        ] {
            let error = cut(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
