//! The others: what became of the links from them, by state and by zone, and the names of those not heard.

use std::collections::BTreeMap;

use super::collector::Scrape;
use super::family::Family;
use super::sheet::Sheet;
use crate::api::Link;
use crate::detector::link::LinkState;
use crate::detector::row::Cell;
use crate::detector::view::{NodeView, RowView, View};

/// How many nodes that are not heard are named at most.
pub const NAMED: usize = 50;

/// How many zones are named at most.
pub const ZONES: usize = 8;

/// What all other zones are called together.
const OTHER: &str = "other";

const PEERS: Family = Family::gauge(
    "netsplit_peers",
    &["state"],
    "Other nodes of the roster, by the state of the link from them to this agent",
);
const LINKS: Family = Family::gauge(
    "netsplit_links",
    &["state"],
    "Links to this agent as its row tells them to all others: over all agents the whole matrix",
);
const ZONE_LINKS: Family = Family::gauge(
    "netsplit_zone_links",
    &["source_zone", "destination_zone", "state"],
    "Links from each zone to this agent, in its own zone, as the matrix shows them: over all agents the matrix of zones",
);
const PEER_DOWN: Family = Family::gauge(
    "netsplit_peer_down",
    &["peer", "zone", "cause"],
    "1 for each node that this agent does not hear; at most 50, in order of name",
);
const PEERS_DOWN: Family =
    Family::gauge("netsplit_peers_down", &["cause"], "Nodes that this agent does not hear, named or not");

pub(super) const FAMILIES: &[Family] = &[PEERS, LINKS, ZONE_LINKS, PEER_DOWN, PEERS_DOWN];

/// The states of links from other nodes, as `/v1/peers` calls them.
const PEER_STATES: [(Link, &str); 6] = [
    (Link::Up, "up"),
    (Link::Suspect, "suspect"),
    (Link::Down, "down"),
    (Link::Left, "left"),
    (Link::Unknown, "unknown"),
    (Link::Absent, "absent"),
];

/// The cells of a row.
const CELLS: [(Cell, &str); 6] = [
    (Cell::Up, "up"),
    (Cell::Late, "late"),
    (Cell::Down, "down"),
    (Cell::DownAgent, "down_agent"),
    (Cell::Unknown, "unknown"),
    (Cell::Absent, "absent"),
];

/// What a cell of the matrix says.
#[derive(Clone, Copy)]
enum Verdict {
    Ok,
    Broken,
    Unknown,
}

/// The names of the verdicts, in order.
const VERDICTS: [&str; 3] = ["ok", "broken", "unknown"];

/// Fills in as many names as leave no more than `room` series in all.
pub(super) fn fill(sheet: &mut Sheet, scrape: &Scrape<'_>, room: usize) {
    let view = &*scrape.view;
    let states = count(&PEER_STATES, others(view).map(|(_, node)| Link::of(node)));
    sheet.each(&PEERS, states.map(|(state, count)| ([state], count)));
    let me = view.nodes.get(view.me);
    let row = me.and_then(|node| node.row.as_ref());
    let cells = count(&CELLS, others(view).map(|(place, _)| cell(row, place)));
    sheet.each(&LINKS, cells.map(|(state, count)| ([state], count)));
    let here = me.map(|node| node.member.zone.as_str()).unwrap_or_default();
    let zones = by_zone(view, row);
    let zones = zones.iter().flat_map(|(zone, counts)| VERDICTS.iter().zip(counts).map(move |pair| (*zone, pair)));
    sheet.each(&ZONE_LINKS, zones.map(|(zone, (state, count))| ([zone, here, state], *count)));
    name_the_silent(sheet, view, room);
}

fn name_the_silent(sheet: &mut Sheet, view: &View, room: usize) {
    let mut silent: Vec<(usize, &NodeView)> =
        view.nodes.iter().enumerate().filter(|(_, node)| node.link == Some(LinkState::Down)).collect();
    // Evidence is in the own row before it is published; a label that changes would be two alerts.
    let row = view.nodes.get(view.me).and_then(|node| node.row.as_ref());
    let is_agent = |place: usize, node: &NodeView| {
        node.agent_down.is_some() || row.is_some_and(|row| row.cells.get(place) == Cell::DownAgent)
    };
    let agents = silent.iter().filter(|(place, node)| is_agent(*place, node)).count();
    sheet.each(&PEERS_DOWN, [(["agent"], agents), (["network"], silent.len() - agents)]);
    let named = NAMED.min(room.saturating_sub(sheet.series())).min(silent.len());
    if named < silent.len() {
        silent.select_nth_unstable_by_key(named, |(_, node)| &node.member.name);
        silent.truncate(named);
    }
    let names = silent.iter().map(|(place, node)| {
        let cause = if is_agent(*place, node) { "agent" } else { "network" };
        ([&*node.member.name, &*node.member.zone, cause], true)
    });
    sheet.each(&PEER_DOWN, names);
}

fn others(view: &View) -> impl Iterator<Item = (usize, &NodeView)> {
    view.nodes.iter().enumerate().filter(|(place, _)| *place != view.me)
}

fn cell(row: Option<&RowView>, place: usize) -> Cell {
    row.map_or(Cell::Unknown, |row| row.cells.get(place))
}

/// How often each state is there.
fn count<S: PartialEq + Copy, const N: usize>(
    names: &[(S, &'static str); N],
    states: impl Iterator<Item = S>,
) -> [(&'static str, u64); N] {
    let mut counts = names.map(|(_, name)| (name, 0));
    for state in states {
        let place = names.iter().position(|(named, _)| *named == state);
        if let Some((_, count)) = place.and_then(|place| counts.get_mut(place)) {
            *count += 1;
        }
    }
    counts
}

/// What the cells mean, zone by zone; the zones that come last by name go together if there are too many.
fn by_zone<'a>(view: &'a View, row: Option<&RowView>) -> BTreeMap<&'a str, [u64; VERDICTS.len()]> {
    let mut zones: BTreeMap<&str, [u64; VERDICTS.len()]> = BTreeMap::new();
    for (place, node) in others(view) {
        let verdict = match row {
            Some(row) => verdict(row, place),
            None => Verdict::Unknown,
        };
        zones.entry(&node.member.zone).or_default()[verdict as usize] += 1;
    }
    let rest = zones.keys().nth(ZONES).copied().map(|first| zones.split_off(first)).unwrap_or_default();
    for (sum, count) in rest.values().flat_map(|counts| counts.iter().enumerate()) {
        zones.entry(OTHER).or_default()[sum] += count;
    }
    zones
}

/// As the matrix shows it: an agent that distrusts its own row blames nobody.
fn verdict(row: &RowView, place: usize) -> Verdict {
    match row.cells.get(place) {
        Cell::Up | Cell::Late => Verdict::Ok,
        Cell::Down | Cell::DownAgent if !row.impaired => Verdict::Broken,
        _ => Verdict::Unknown,
    }
}
