//! The matrix of zones: of all pairs of nodes in two zones, how many are joined, broken, unknown.
//!
//! It fits a screen at any number of nodes, and shows at a glance what a list of nodes hides: that one zone is cut off from
//! another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::order::natural;
use super::{Cells, Pair, Picture};

/// What nodes without a zone are called in a table.
const NO_ZONE: &str = "(no zone)";

/// The matrix of zones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zones {
    /// The zones, sorted as people count; the empty name is that of nodes without a zone.
    pub zones: Vec<Zone>,
    /// One entry for every zone and every zone, sorted by both.
    pub links: Vec<ZoneLinks>,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// How many nodes of the roster are in it.
    pub nodes: usize,
}

/// The pairs of nodes of two zones, or the links from the one to the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneLinks {
    /// From here…
    pub source_zone: String,
    /// …to here. Of pairs, the entry of the two zones the other way round says the same.
    pub destination_zone: String,
    /// How many are joined.
    pub joined: u64,
    /// How many are broken.
    pub broken: u64,
    /// Of how many that cannot be told.
    pub unknown: u64,
}

impl ZoneLinks {
    fn between(source_zone: &str, destination_zone: &str) -> Self {
        let (source_zone, destination_zone) = (source_zone.to_owned(), destination_zone.to_owned());
        Self { source_zone, destination_zone, joined: 0, broken: 0, unknown: 0 }
    }

    fn count(&mut self, pair: Pair) {
        match pair {
            Pair::Itself => {}
            Pair::Joined => self.joined += 1,
            Pair::Broken => self.broken += 1,
            Pair::Unknown => self.unknown += 1,
        }
    }

    /// As the table shows it: nothing that is zero, and a dash where there is no pair at all.
    fn text(&self) -> String {
        let parts = [(self.joined, Pair::Joined), (self.broken, Pair::Broken), (self.unknown, Pair::Unknown)];
        let shown: Vec<String> = parts
            .into_iter()
            .filter(|&(count, _)| count > 0)
            .map(|(count, pair)| format!("{count} {}", pair.symbol()))
            .collect();
        if shown.is_empty() { "–".to_owned() } else { shown.join(" ") }
    }
}

impl Zones {
    pub(super) fn of(picture: &Picture<'_>) -> Self {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &picture.nodes {
            *sizes.entry(&node.zone).or_default() += 1;
        }
        let mut zones: Vec<Zone> =
            sizes.into_iter().map(|(name, nodes)| Zone { name: name.to_owned(), nodes }).collect();
        zones.sort_by_cached_key(|zone| natural(&zone.name));
        let place_of: BTreeMap<&str, usize> = (0..).zip(&zones).map(|(at, zone)| (zone.name.as_str(), at)).collect();
        let places: Vec<usize> =
            picture.nodes.iter().map(|node| place_of.get(node.zone.as_str()).copied().unwrap_or_default()).collect();
        let sources = zones.iter().flat_map(|source| zones.iter().map(move |destination| (source, destination)));
        let mut links: Vec<ZoneLinks> =
            sources.map(|(source, destination)| ZoneLinks::between(&source.name, &destination.name)).collect();
        for (from, &source) in places.iter().enumerate() {
            for (to, &destination) in places.iter().enumerate() {
                // A pair within one zone is one pair.
                let is_counted_already = picture.cells == Cells::Pairs && source == destination && to < from;
                if let Some(entry) = links.get_mut(source * zones.len() + destination).filter(|_| !is_counted_already) {
                    entry.count(picture.pair(from, to));
                }
            }
        }
        Self { zones, links }
    }

    /// The table: one line a zone, each with its newline. Where it would be wider than `width`, one line for each
    /// entry of which not all is joined.
    pub fn draw(&self, width: usize) -> String {
        let square = self.square();
        let fits = square.lines().all(|line| line.chars().count() <= width);
        if fits { square } else { self.list() }
    }

    fn row(&self, at: usize) -> &[ZoneLinks] {
        self.links.chunks(self.zones.len().max(1)).nth(at).unwrap_or_default()
    }

    fn square(&self) -> String {
        let labels: Vec<String> =
            self.zones.iter().map(|zone| format!("{} [{}]", title(&zone.name), zone.nodes)).collect();
        let mut table: Vec<Vec<String>> = vec![["Source\\Target".to_owned()].into_iter().collect()];
        table[0].extend(self.zones.iter().map(|zone| title(&zone.name).to_owned()));
        for (at, label) in labels.into_iter().enumerate() {
            table.push([label].into_iter().chain(self.row(at).iter().map(ZoneLinks::text)).collect());
        }
        aligned(&table)
    }

    fn list(&self) -> String {
        let mut table = vec![["Source", "Target", "Links"].map(str::to_owned).to_vec()];
        let in_trouble = self.links.iter().filter(|links| links.broken + links.unknown > 0);
        table.extend(in_trouble.map(|links| {
            let zones = [&links.source_zone, &links.destination_zone].map(|zone| title(zone).to_owned());
            zones.into_iter().chain([links.text()]).collect()
        }));
        if table.len() == 1 {
            return format!("All nodes of {} zones are joined.\n", self.zones.len());
        }
        format!("{}All others of {} zones are joined.\n", aligned(&table), self.zones.len())
    }
}

fn title(zone: &str) -> &str {
    if zone.is_empty() { NO_ZONE } else { zone }
}

/// Columns as wide as the widest of their cells.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
