//! Who is simulated: nodes by name and zone, and how the command line speaks of them.

use std::fmt;
use std::str::FromStr;

use netsplit::simulation::Machine;

use crate::command::words;

/// More would need more memory than a workstation has: each agent holds every other's row.
pub(super) const MOST_NODES: usize = 5_000;

/// How many zones an answer names.
const NAMED_ZONES: usize = 5;

/// The nodes of the virtual cluster, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nodes(Vec<Machine>);

/// `--zones a,b,c` or `--zones a=3,b=2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zones {
    names: Vec<String>,
    /// How many nodes each has, if that was said.
    sizes: Option<Vec<usize>>,
}

/// What is wrong with the nodes or their zones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NodesError {
    #[error("a zone in `{0}` has no name: write names with commas between them, such as 'a,b,c' or 'a=3,b=2'")]
    NamelessZone(String),
    #[error("zone `{0}` is there twice: write it once")]
    TwiceTheZone(String),
    #[error("`{0}` is not how many nodes a zone has: write a whole number from 1, such as 'a=3'")]
    NotASize(String),
    #[error("`{0}` says of some zones how many nodes they have, and of others not: write it of all or of none")]
    SomeSizes(String),
    #[error(
        "--zones '{zones}' have {sum} nodes in all, and there are to be {nodes}: leave out one of the two, or let them agree"
    )]
    OtherSum { zones: Zones, sum: usize, nodes: usize },
    #[error("--zones '{zones}' are {count}, and there are {nodes} nodes: write at most as many zones as nodes")]
    MoreZonesThanNodes { zones: Zones, count: usize, nodes: usize },
    #[error("these are {0} nodes: write from 2 to {MOST_NODES}")]
    TooMany(usize),
    #[error("no node is named `{name}`: the nodes are {known}")]
    NoSuchNode { name: String, known: String },
    #[error("no zone is named `{name}`: {known}")]
    NoSuchZone { name: String, known: String },
    #[error("`{0}` is a node and a zone: write `node:{0}` or `zone:{0}`")]
    NodeOrZone(String),
}

impl Nodes {
    /// So many nodes, n1 and on, spread over the zones if there are any.
    pub(super) fn of(count: usize, zones: Option<&Zones>) -> Result<Self, NodesError> {
        if !(2..=MOST_NODES).contains(&count) {
            return Err(NodesError::TooMany(count));
        }
        let width = count.to_string().len();
        let of_each = zones.map(|zones| zones.spread(count)).transpose()?;
        let zone_names = of_each.into_iter().flatten().flat_map(|(name, size)| std::iter::repeat_n(name, size));
        let zone_names = zone_names.chain(std::iter::repeat(String::new()));
        let machine = |(number, zone)| Machine { name: format!("n{number:0width$}"), zone };
        Ok(Self((1..=count).zip(zone_names).map(machine).collect()))
    }

    /// The nodes of a list that somebody has.
    pub(super) fn listed(machines: Vec<Machine>) -> Result<Self, NodesError> {
        if !(2..=MOST_NODES).contains(&machines.len()) {
            return Err(NodesError::TooMany(machines.len()));
        }
        Ok(Self(machines))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn machines(&self) -> &[Machine] {
        &self.0
    }

    pub(super) fn name(&self, node: usize) -> &str {
        self.0.get(node).map_or("", |machine| &machine.name)
    }

    /// The names of these nodes.
    pub(super) fn names(&self, nodes: &[usize]) -> Vec<String> {
        nodes.iter().map(|&node| self.name(node).to_owned()).collect()
    }

    /// The node of a name. A number may be written with or without its leading zeros.
    pub(super) fn node(&self, name: &str) -> Result<usize, NodesError> {
        let number = |name: &str| name.strip_prefix('n')?.parse::<usize>().ok();
        let same = |machine: &Machine| machine.name == name;
        let alike = |machine: &Machine| number(&machine.name).is_some() && number(&machine.name) == number(name);
        let found = self.0.iter().position(same).or_else(|| self.0.iter().position(alike));
        found.ok_or_else(|| NodesError::NoSuchNode { name: name.to_owned(), known: self.told() })
    }

    /// The nodes of a zone.
    pub(super) fn zone(&self, name: &str) -> Result<Vec<usize>, NodesError> {
        let inside = |(node, machine): (usize, &Machine)| (machine.zone == name).then_some(node);
        let nodes: Vec<usize> = self.0.iter().enumerate().filter_map(inside).collect();
        if name.is_empty() || nodes.is_empty() {
            return Err(NodesError::NoSuchZone { name: name.to_owned(), known: self.told_zones() });
        }
        Ok(nodes)
    }

    /// A node or a whole zone, whichever has this name.
    pub(super) fn node_or_zone(&self, name: &str) -> Result<Vec<usize>, NodesError> {
        match (self.node(name), self.zone(name)) {
            (Ok(_), Ok(_)) => Err(NodesError::NodeOrZone(name.to_owned())),
            (Ok(node), _) => Ok(vec![node]),
            (_, Ok(nodes)) => Ok(nodes),
            (Err(error), _) => Err(error),
        }
    }

    /// The zones in order, each with how many nodes it has.
    pub(super) fn zones(&self) -> Vec<(&str, usize)> {
        let mut zones: Vec<(&str, usize)> = Vec::new();
        for machine in self.0.iter().filter(|machine| !machine.zone.is_empty()) {
            match zones.iter_mut().find(|(name, _)| *name == machine.zone) {
                Some((_, size)) => *size += 1,
                None => zones.push((&machine.zone, 1)),
            }
        }
        zones
    }

    /// Nodes in words: as zones, where they are all nodes of some zones.
    pub(super) fn told_group(&self, group: &[usize]) -> String {
        let is_whole = |zone: &str| {
            let mut nodes = self.0.iter().enumerate().filter(|(_, machine)| machine.zone == zone);
            nodes.all(|(node, _)| group.binary_search(&node).is_ok())
        };
        let zones: Vec<(&str, usize)> = self.zones().into_iter().filter(|(zone, _)| is_whole(zone)).collect();
        let inside: usize = zones.iter().map(|(_, size)| size).sum();
        if inside == group.len() && inside > zones.len() {
            let names: Vec<&str> = zones.iter().map(|(zone, _)| *zone).collect();
            return format!("zone {} ({inside})", words::names(&names, names.len(), " "));
        }
        words::names(&self.names(group), group.len(), " ")
    }

    fn told(&self) -> String {
        let ends = (self.0.first(), self.0.last());
        let (Some(first), Some(last)) = ends else { return "none".to_owned() };
        let zones = self.told_zones();
        format!("{} to {}, and {zones}", first.name, last.name)
    }

    fn told_zones(&self) -> String {
        let zones: Vec<&str> = self.zones().into_iter().map(|(name, _)| name).collect();
        match zones.len() {
            0 => "there are no zones (--zones a,b makes some)".to_owned(),
            count if count > NAMED_ZONES => format!("there are {count} zones, {}, …", zones[..NAMED_ZONES].join(", ")),
            _ => format!("the zones are {}", zones.join(", ")),
        }
    }
}

impl Zones {
    /// How many nodes they have, if they say so.
    pub(super) fn nodes(&self) -> Option<usize> {
        self.sizes.as_ref().map(|sizes| sizes.iter().copied().fold(0, usize::saturating_add))
    }

    /// The first ones have one node more where it does not come out even.
    fn spread(&self, nodes: usize) -> Result<Vec<(String, usize)>, NodesError> {
        let count = self.names.len();
        let sizes = match (&self.sizes, self.nodes()) {
            (Some(_), Some(sum)) if sum != nodes => {
                return Err(NodesError::OtherSum { zones: self.clone(), sum, nodes });
            }
            (Some(sizes), _) => sizes.clone(),
            (None, _) if count > nodes => {
                return Err(NodesError::MoreZonesThanNodes { zones: self.clone(), count, nodes });
            }
            (None, _) => (0..count).map(|zone| nodes / count + usize::from(zone < nodes % count)).collect(),
        };
        Ok(self.names.iter().cloned().zip(sizes).collect())
    }
}

impl FromStr for Zones {
    type Err = NodesError;

    fn from_str(text: &str) -> Result<Self, NodesError> {
        let (mut names, mut sizes) = (Vec::new(), Vec::new());
        for part in text.split(',') {
            let (name, size) = part.split_once('=').map_or((part, None), |(name, size)| (name, Some(size.trim())));
            let name = name.trim();
            if name.is_empty() {
                return Err(NodesError::NamelessZone(text.to_owned()));
            }
            if names.iter().any(|known| known == name) {
                return Err(NodesError::TwiceTheZone(name.to_owned()));
            }
            names.push(name.to_owned());
            let read = |size: &str| size.parse::<usize>().ok().filter(|&size| size > 0).ok_or_else(|| size.to_owned());
            sizes.extend(size.map(read).transpose().map_err(NodesError::NotASize)?);
        }
        match sizes.len() {
            0 => Ok(Self { names, sizes: None }),
            said if said == names.len() => Ok(Self { names, sizes: Some(sizes) }),
            _ => Err(NodesError::SomeSizes(text.to_owned())),
        }
    }
}

impl fmt::Display for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.sizes.iter().flatten().map(Some).chain(std::iter::repeat(None));
        let told = |(name, size): (&String, Option<&usize>)| size.map_or(name.clone(), |size| format!("{name}={size}"));
        f.write_str(&self.names.iter().zip(sizes).map(told).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize, zones: &str) -> Nodes {
        Nodes::of(count, Some(&zones.parse().unwrap())).unwrap()
    }

    fn refused(zones: &str) -> String {
        zones.parse::<Zones>().unwrap_err().to_string()
    }

    #[test]
    fn nodes_are_spread_evenly_over_zones() {
        assert_eq!(nodes(10, "a,b,c").zones(), [("a", 4), ("b", 3), ("c", 3)]);
        assert_eq!(nodes(5, "a=3, b=2").zones(), [("a", 3), ("b", 2)]);
        assert_eq!(Nodes::of(5, None).unwrap().zones(), []);
    }

    #[test]
    fn names_sort_as_numbers_do_and_are_found_with_and_without_zeros() {
        let nodes = Nodes::of(100, None).unwrap();
        assert_eq!((nodes.name(0), nodes.name(99)), ("n001", "n100"));
        assert_eq!((nodes.node("n7"), nodes.node("n007")), (Ok(6), Ok(6)));
        let error = nodes.node("n101").unwrap_err().to_string();
        assert!(error.contains("no node is named `n101`: the nodes are n001 to n100"), "{error}");
    }

    #[test]
    fn a_word_is_a_node_or_a_zone_and_never_both() {
        let nodes = nodes(4, "a,n1");
        assert_eq!(nodes.node_or_zone("a"), Ok(vec![0, 1]));
        assert_eq!(nodes.node_or_zone("n2"), Ok(vec![1]));
        assert_eq!(nodes.node_or_zone("n1"), Err(NodesError::NodeOrZone("n1".to_owned())));
        let error = nodes.zone("b").unwrap_err().to_string();
        assert_eq!(error, "no zone is named `b`: the zones are a, n1");
    }

    #[test]
    fn whole_zones_are_told_by_their_names() {
        let nodes = nodes(6, "a=3,b=2,c=1");
        let told =
            [&[0, 1, 2][..], &[0, 1, 2, 3, 4], &[0, 1], &[5], &[0, 1, 2, 3]].map(|group| nodes.told_group(group));
        assert_eq!(told, ["zone a (3)", "zone a b (5)", "n1 n2", "n6", "n1 n2 n3 n4"]);
    }

    #[test]
    fn zones_that_cannot_be_are_refused_with_what_to_write() {
        for (zones, said) in [
            ("", "has no name"),
            ("a,,b", "has no name"),
            ("a,a", "`a` is there twice"),
            ("a=0,b=2", "`0` is not how many nodes"),
            ("a=x", "`x` is not how many nodes"),
            ("a=1,b", "of all or of none"),
        ] {
            assert!(refused(zones).contains(said), "{zones}: {}", refused(zones));
        }
        let of = |count, zones: &str| Nodes::of(count, Some(&zones.parse().unwrap())).unwrap_err().to_string();
        assert!(of(6, "a=3,b=2").contains("--zones 'a=3,b=2' have 5 nodes in all, and there are to be 6"));
        assert!(of(2, "a,b,c").contains("at most as many zones as nodes"));
        assert!(of(1, "a").contains("from 2 to 5000"));
    }
}
