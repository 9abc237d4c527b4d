//! `--cut 3|2`: how many nodes stand on each side, and by that who they are: node-1 and on, side by side.

use std::fmt;
use std::str::FromStr;

/// How many agents one process plays at most: each talks to each, 2,500 heartbeats a second at 50.
pub(super) const MOST_NODES: usize = 50;

/// The sizes of the sides: at least two, none of them empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sides(Vec<usize>);

/// What is wrong with a cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CutError {
    #[error(
        "`{0}` is not the size of a side: write the numbers of nodes with bars between them, such as '3|2' or '2|2|1'"
    )]
    NotANumber(String),
    #[error("a side has no node: write at least 1 for each")]
    EmptySide,
    #[error("one side is no cut: write at least two, such as '3|2'")]
    OneSide,
    #[error("the sides have {0} nodes in all: write at most {MOST_NODES}")]
    TooMany(usize),
    #[error("the sides of --cut '{cut}' have {} nodes in all, and --nodes says {nodes}: leave out one of the two, or let them agree", .cut.nodes())]
    OtherSum { cut: Sides, nodes: usize },
}

impl Sides {
    /// The sides that were asked for. Without a word about the cut, the larger half and the smaller.
    pub(super) fn of(nodes: Option<usize>, cut: Option<Self>) -> Result<Self, CutError> {
        match (nodes, cut) {
            (None, None) => Ok(Self(vec![3, 2])),
            (Some(nodes), None) => Ok(Self(vec![nodes.div_ceil(2), nodes / 2])),
            (Some(nodes), Some(cut)) if nodes != cut.nodes() => Err(CutError::OtherSum { cut, nodes }),
            (_, Some(cut)) => Ok(cut),
        }
    }

    /// How many nodes there are in all.
    pub(super) fn nodes(&self) -> usize {
        self.0.iter().sum()
    }

    /// The names of the nodes of each side.
    pub(super) fn names(&self) -> Vec<Vec<String>> {
        let mut next = 0;
        let mut side = |size: &usize| {
            let first = next + 1;
            next += size;
            (first..=next).map(|number| format!("node-{number}")).collect()
        };
        self.0.iter().map(&mut side).collect()
    }
}

impl FromStr for Sides {
    type Err = CutError;

    fn from_str(text: &str) -> Result<Self, CutError> {
        let size = |part: &str| part.trim().parse().map_err(|_| CutError::NotANumber(part.trim().to_owned()));
        let sizes = text.split('|').map(size).collect::<Result<Vec<usize>, _>>()?;
        let sum = sizes.iter().copied().fold(0, usize::saturating_add);
        match sizes.as_slice() {
            sizes if sizes.contains(&0) => Err(CutError::EmptySide),
            [_] => Err(CutError::OneSide),
            _ if sum > MOST_NODES => Err(CutError::TooMany(sum)),
            _ => Ok(Self(sizes)),
        }
    }
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&sizes.join("|"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<usize>, String> {
        text.parse().map(|Sides(sizes)| sizes).map_err(|error: CutError| error.to_string())
    }

    #[test]
    fn sides_are_numbers_with_bars_between_them() {
        assert_eq!(parsed("3|2"), Ok(vec![3, 2]));
        assert_eq!(parsed(" 2 | 2 | 1 "), Ok(vec![2, 2, 1]));
        assert_eq!(parsed("1|1"), Ok(vec![1, 1]));
        assert_eq!(parsed("49|1"), Ok(vec![49, 1]));
    }

    #[test]
    fn what_is_no_cut_is_refused_with_what_to_write() {
        for (text, said) in [
            ("", "`` is not the size of a side"),
            ("3", "one side is no cut"),
            ("3|", "`` is not the size of a side"),
            ("3|x", "`x` is not the size of a side"),
            ("3|-2", "`-2` is not the size of a side"),
            ("3,2", "`3,2` is not the size of a side"),
            ("3|0", "a side has no node"),
            ("50|1", "51 nodes in all"),
            ("18446744073709551615|2", "at most 50"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn the_number_of_nodes_and_the_cut_make_each_other_up() {
        let of =
            |nodes, cut: Option<&str>| Sides::of(nodes, cut.map(|cut| cut.parse().unwrap())).map(|s| s.to_string());
        assert_eq!(of(None, None).as_deref(), Ok("3|2"));
        assert_eq!(of(Some(7), None).as_deref(), Ok("4|3"));
        assert_eq!(of(Some(2), None).as_deref(), Ok("1|1"));
        assert_eq!(of(None, Some("2|2|1")).as_deref(), Ok("2|2|1"));
        assert_eq!(of(Some(5), Some("4|1")).as_deref(), Ok("4|1"));
        let error = of(Some(5), Some("4|2")).unwrap_err().to_string();
        assert!(error.contains("--cut '4|2' have 6 nodes in all, and --nodes says 5"), "{error}");
    }

    #[test]
    fn nodes_are_numbered_through_the_sides() {
        let names = Sides(vec![2, 1]).names();
        assert_eq!(names, [vec!["node-1", "node-2"], vec!["node-3"]]);
    }
}
