//! The picture of a view: what this agent knows itself.

use super::{Arrival, Node, Picture};
use crate::detector::link::LinkState;
use crate::detector::row::Cell;
use crate::detector::view::{NodeView, View};

/// The picture; it borrows the rows.
pub(super) fn picture(view: &View) -> Picture<'_> {
    let nodes = view.nodes.iter().map(|node| Node {
        name: node.member.name.clone(),
        zone: node.member.zone.clone(),
        status: status(view, node),
    });
    Picture::new(nodes.collect(), |from, to| arrival(view, from, to))
}

/// What the row of the one who hears says. What its own owner distrusts breaks nothing.
fn arrival(view: &View, from: usize, to: usize) -> Arrival {
    let Some(row) = view.nodes.get(to).and_then(|owner| owner.row.as_ref()) else { return Arrival::Unknown };
    match row.cells.get(from) {
        Cell::Up | Cell::Late => Arrival::Arrives,
        Cell::Down | Cell::DownAgent if !row.impaired => Arrival::Broken,
        _ => Arrival::Unknown,
    }
}

fn status(view: &View, node: &NodeView) -> String {
    let text = match node.link {
        None => view.mode.as_str(),
        Some(LinkState::Left(_)) => "left",
        Some(LinkState::Absent) => "never heard",
        Some(_) if node.agent_down.is_some() => "agent down",
        Some(_) if node.unheard => "heard by nobody",
        Some(link) if is_beyond_a_cut(view, node, link) => "not reachable from here",
        Some(LinkState::Unknown) => "unknown",
        Some(LinkState::Down) => return super::silent(node.silent_for.map(|silence| silence.as_secs())),
        Some(LinkState::Up) => view.mode.as_str(),
    };
    text.to_owned()
}

fn is_beyond_a_cut(view: &View, node: &NodeView, link: LinkState) -> bool {
    let me = view.nodes.get(view.me).map(|me| me.member.name.as_str()).unwrap_or_default();
    let cuts = view.partitions.iter().filter(|partition| partition.endpoint.is_none());
    let sides = cuts.map(|partition| partition.sides.as_slice());
    super::is_beyond(sides, me, &node.member.name, link == LinkState::Up)
}
