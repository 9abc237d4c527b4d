//! Rows that are alike as one: what makes a matrix of a thousand nodes a table of a few lines.

use super::{Node, Pair, Picture};

/// Nodes that share a row of the table.
pub(super) struct Group {
    /// The first of them stands for all.
    pub(super) first: usize,
    pub(super) count: usize,
    /// What they are to each other.
    pub(super) inner: Pair,
}

impl Group {
    pub(super) fn of_one(picture: &Picture, place: usize) -> Self {
        Self { first: place, count: 1, inner: picture.pair(place, place) }
    }

    /// Its name at the head of a column.
    pub(super) fn title(&self, picture: &Picture) -> String {
        let name = picture.nodes[self.first].name.as_str();
        match self.count {
            1 => name.to_owned(),
            count => format!("{name}… [{count}]"),
        }
    }

    /// Its name at the head of a row.
    pub(super) fn label(&self, picture: &Picture) -> String {
        let Node { name, zone, .. } = &picture.nodes[self.first];
        let zone = if zone.is_empty() { String::new() } else { format!(" ({zone})") };
        match self.count {
            1 => format!("{name}{zone}"),
            count => format!("{count} nodes{zone}: {name}…"),
        }
    }

    pub(super) fn status<'a>(&self, picture: &'a Picture) -> &'a str {
        &picture.nodes[self.first].status
    }
}

/// Every node joins the first group to which it is alike: same zone, same status, same cells towards everybody else.
pub(super) fn alike(picture: &Picture, order: &[usize]) -> Vec<Group> {
    let sums = Sums::of(picture, order);
    let mut groups: Vec<Group> = Vec::new();
    for &place in order {
        match groups.iter_mut().find(|group| fits(picture, order, &sums, group, place)) {
            Some(group) => {
                group.inner = picture.pair(group.first, place);
                group.count += 1;
            }
            None => groups.push(Group::of_one(picture, place)),
        }
    }
    groups
}

fn fits(picture: &Picture, order: &[usize], sums: &Sums, group: &Group, place: usize) -> bool {
    let (one, other) = (&picture.nodes[group.first], &picture.nodes[place]);
    let (there, back) = (picture.pair(group.first, place), picture.pair(place, group.first));
    let inner_fits = there == back && (group.count == 1 || group.inner == there);
    inner_fits
        && one.zone == other.zone
        && one.status == other.status
        && sums.may_be_alike(picture, group.first, place)
        && are_alike(picture, order, group.first, place)
}

/// Whether everybody else is the same to both of them, and they to everybody else.
fn are_alike(picture: &Picture, order: &[usize], a: usize, b: usize) -> bool {
    let mut others = order.iter().filter(|&&other| other != a && other != b);
    others.all(|&other| {
        picture.pair(a, other) == picture.pair(b, other) && picture.pair(other, a) == picture.pair(other, b)
    })
}

/// What each node is to all others, as one number: two that are alike have the same, but for what they are to each other.
/// So most that are not are told apart at once, where to compare them cell by cell would take minutes for 5,000 nodes that
/// all differ.
struct Sums(Vec<u64>);

impl Sums {
    fn of(picture: &Picture, order: &[usize]) -> Self {
        let mut sums = vec![0_u64; picture.nodes.len()];
        for &place in order {
            let others = order.iter().filter(|&&other| other != place);
            sums[place] = others.fold(0, |sum, &other| sum.wrapping_add(part(picture, place, other)));
        }
        Self(sums)
    }

    fn may_be_alike(&self, picture: &Picture, a: usize, b: usize) -> bool {
        self.0[a].wrapping_sub(part(picture, a, b)) == self.0[b].wrapping_sub(part(picture, b, a))
    }
}

/// What a node is to another, as a number of which the sum tells all: the finalizer of `SplitMix64` (Steele, Lea and Flood,
/// OOPSLA 2014).
fn part(picture: &Picture, place: usize, other: usize) -> u64 {
    let (there, back) = (picture.pair(place, other) as u64, picture.pair(other, place) as u64);
    let mut mixed = (other as u64 + 1) << 4 | there << 2 | back;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
