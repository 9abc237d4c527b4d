//! From where an endpoint is reached, and from where it is not: what the probes of all agents that are heard come to.
//!
//! "It is down" and "this side cannot reach it" look the same from one node. Who probes it tells all others with its row, so
//! that the two are told apart: where everybody who belongs to the cluster is heard and nobody reaches it, it is down
//! everywhere, as far as the cluster can tell; where some are cut off or their word is missing, only this side is known.

use serde::{Deserialize, Serialize};

use crate::detector::bits::Bits;
use crate::detector::endpoint_states::{SharedState, States};

/// How many names are listed; the rest is counted.
const NAMED: usize = 100;

/// From where an endpoint is not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreachedFrom {
    /// Nobody who is heard knows.
    #[default]
    Unknown,
    /// Whoever probes it reaches it.
    Nowhere,
    /// Some reach it and some do not.
    SomeNodes,
    /// Nobody who is heard reaches it, and not everybody is heard.
    ThisSide,
    /// Nobody reaches it, and everybody is heard.
    Everywhere,
}

impl UnreachedFrom {
    /// Every value, in the order of the enum.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Nowhere, Self::SomeNodes, Self::ThisSide, Self::Everywhere];

    /// Its name in metrics and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Nowhere => "nowhere",
            Self::SomeNodes => "some_nodes",
            Self::ThisSide => "this_side",
            Self::Everywhere => "everywhere",
        }
    }
}

/// Who reaches an endpoint and who does not, among the nodes whose word this agent has, itself included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// From where it is not reached.
    pub unreached_from: UnreachedFrom,
    /// How many nodes do not reach it.
    pub unreached: usize,
    /// Their names, sorted; at most 100.
    pub nodes: Vec<String>,
    /// Their zones, where nobody in these zones reaches it and everybody else does; empty where zones do not explain it.
    pub zones: Vec<String>,
    /// How many nodes reach it.
    pub reached: usize,
    /// How many probe it and do not know yet.
    pub undecided: usize,
}

/// Who says what of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detector) struct Votes {
    pub(in crate::detector) up: Bits,
    pub(in crate::detector) down: Bits,
    pub(in crate::detector) undecided: Bits,
}

impl Votes {
    /// What these nodes say of the endpoint at `index`.
    pub(in crate::detector) fn of(index: usize, states: &[Option<&States>]) -> Self {
        let none = || Bits::none(states.len());
        let mut votes = Self { up: none(), down: none(), undecided: none() };
        for (place, states) in states.iter().enumerate() {
            match states.map_or(SharedState::NotProbed, |states| states.get(index)) {
                SharedState::NotProbed => {}
                SharedState::Undecided => votes.undecided.set(place),
                SharedState::Up => votes.up.set(place),
                SharedState::Down => votes.down.set(place),
            }
        }
        votes
    }

    /// Whether at least half of those who probe it do not reach it, or more than half do; none if neither is known. `silent`
    /// may probe it and say nothing now. Who does not know counts neither as one that has lost it nor as one that reaches it:
    /// so neither a restart nor an update opens or closes anything.
    pub(in crate::detector) fn is_lost(&self, silent: usize) -> Option<bool> {
        let (up, down) = (self.up.count(), self.down.count());
        let all = up + down + self.undecided.count() + silent;
        if down > 0 && down * 2 >= all {
            Some(true)
        } else if up * 2 > all {
            Some(false)
        } else {
            None
        }
    }

    /// What that comes to. `all_heard`: the word of everybody who belongs to the cluster is among these.
    pub(in crate::detector) fn unreached_from(&self, all_heard: bool) -> UnreachedFrom {
        match (self.up.is_empty(), self.down.is_empty()) {
            (true, true) => UnreachedFrom::Unknown,
            (false, true) => UnreachedFrom::Nowhere,
            (false, false) => UnreachedFrom::SomeNodes,
            (true, false) if all_heard && self.undecided.is_empty() => UnreachedFrom::Everywhere,
            (true, false) => UnreachedFrom::ThisSide,
        }
    }

    /// The same with names. `node`: name and zone of each.
    pub(in crate::detector) fn reach<'a>(&self, all_heard: bool, node: impl Fn(usize) -> (&'a str, &'a str)) -> Reach {
        let mut nodes: Vec<&str> = self.down.iter().map(|place| node(place).0).collect();
        if nodes.len() > NAMED {
            // Thousands of endpoints may be lost by thousands of nodes at once.
            nodes.select_nth_unstable(NAMED);
            nodes.truncate(NAMED);
        }
        nodes.sort_unstable();
        Reach {
            unreached_from: self.unreached_from(all_heard),
            unreached: self.down.count(),
            nodes: nodes.into_iter().map(str::to_owned).collect(),
            zones: self.zones(|place| node(place).1),
            reached: self.up.count(),
            undecided: self.undecided.count(),
        }
    }

    /// The zones in which nobody reaches it, if all who do not are in them.
    fn zones<'a>(&self, zone: impl Fn(usize) -> &'a str) -> Vec<String> {
        let mut zones: Vec<&str> = self.down.iter().map(&zone).collect();
        zones.sort_unstable();
        zones.dedup();
        let reaches = |place: usize| zones.contains(&zone(place));
        let explained = !self.up.is_empty() && !zones.contains(&"") && !self.up.iter().any(reaches);
        if explained { zones.into_iter().map(str::to_owned).collect() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a letter for each node: `u` up, `d` down, `?` undecided, `.` not probed from there, `-` not heard.
    fn votes(letters: &str) -> Votes {
        let states: Vec<Option<States>> = letters.chars().map(states_of).collect();
        let states: Vec<Option<&States>> = states.iter().map(Option::as_ref).collect();
        Votes::of(0, &states)
    }

    fn states_of(letter: char) -> Option<States> {
        let state = match letter {
            'u' => SharedState::Up,
            'd' => SharedState::Down,
            '?' => SharedState::Undecided,
            '.' => SharedState::NotProbed,
            _ => return None,
        };
        Some(States::of([state].into_iter()))
    }

    #[test]
    fn from_where_it_is_not_reached_follows_from_who_reaches_it_and_who_is_heard() {
        use UnreachedFrom::{Everywhere, Nowhere, SomeNodes, ThisSide, Unknown};
        for (letters, all_heard, expected) in [
            ("...", true, Unknown),
            ("??.", true, Unknown),
            ("uu.", true, Nowhere),
            ("u?-", false, Nowhere),
            ("uud", true, SomeNodes),
            ("ud-", false, SomeNodes),
            ("ddd", true, Everywhere),
            ("d..", true, Everywhere),
            ("dd?", true, ThisSide),
            ("dd-", false, ThisSide),
        ] {
            assert_eq!(votes(letters).unreached_from(all_heard), expected, "{letters}, {all_heard}");
        }
    }

    #[test]
    fn it_is_lost_when_half_of_those_who_probe_it_do_not_reach_it() {
        for (letters, silent, expected) in [
            ("...", 0, None),
            ("???", 0, None),
            ("uuuu", 0, Some(false)),
            ("uudd", 0, Some(true)),
            ("uuud", 0, Some(false)),
            ("dd..", 0, Some(true)),
            ("d???", 0, None),
            ("d---", 0, Some(true)),
            ("uudd-", 1, None),
            ("uuu??", 0, Some(false)),
            ("uu??", 0, None),
            ("uuud-", 1, Some(false)),
            ("dd---", 3, None),
        ] {
            assert_eq!(votes(letters).is_lost(silent), expected, "{letters}, {silent} silent");
        }
    }

    #[test]
    fn zones_are_named_where_they_explain_who_does_not_reach_it() {
        let zones = |letters: &str, zones: [&'static str; 4]| {
            let names = ["n0", "n1", "n2", "n3"];
            votes(letters).reach(true, |place| (names[place], zones[place])).zones
        };
        assert_eq!(zones("uudd", ["a", "a", "b", "b"]), ["b"]);
        assert_eq!(zones("uddd", ["a", "c", "b", "b"]), ["b", "c"]);
        assert!(zones("uuud", ["a", "a", "b", "b"]).is_empty(), "one of that zone reaches it");
        assert!(zones("dddd", ["a", "a", "b", "b"]).is_empty(), "nobody does: zones explain nothing");
        assert!(zones("uudd", ["", "", "", ""]).is_empty());
    }
}
