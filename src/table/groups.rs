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
    let mut groups: Vec<Group> = Vec::new();
    for &place in order {
        match groups.iter_mut().find(|group| fits(picture, order, group, place)) {
            Some(group) => {
                group.inner = picture.pair(group.first, place);
                group.count += 1;
            }
            None => groups.push(Group::of_one(picture, place)),
        }
    }
    groups
}

fn fits(picture: &Picture, order: &[usize], group: &Group, place: usize) -> bool {
    let (one, other) = (&picture.nodes[group.first], &picture.nodes[place]);
    let (there, back) = (picture.pair(group.first, place), picture.pair(place, group.first));
    let inner_fits = there == back && (group.count == 1 || group.inner == there);
    inner_fits && one.zone == other.zone && one.status == other.status && are_alike(picture, order, group.first, place)
}

/// Whether everybody else is the same to both of them, and they to everybody else.
fn are_alike(picture: &Picture, order: &[usize], a: usize, b: usize) -> bool {
    let mut others = order.iter().filter(|&&other| other != a && other != b);
    others.all(|&other| {
        picture.pair(a, other) == picture.pair(b, other) && picture.pair(other, a) == picture.pair(other, b)
    })
}
