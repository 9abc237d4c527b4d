//! The matrix as an operator wants it: who hears whom, in one table of characters.
//!
//! A [`Picture`] is what there is to draw; an agent's view (`of_view`) and the API's answers (`of_answers`) both make one,
//! so that the lab, the server and the command show the same. A pair is one cell in two places, and is broken when either
//! direction is: every protocol that answers needs both. Beyond [`MOST_SINGLE`] nodes those that are alike are shown as
//! one group (`groups`), and columns that are too wide for the reader have numbers instead of names (`layout`). At any
//! number of nodes the [`Zones`] fit a screen.

mod groups;
mod layout;
mod of_answers;
mod of_view;
mod order;
mod zones;

pub use of_answers::Answers;
pub use order::natural;
pub use zones::{Zone, ZoneLinks, Zones};

use crate::detector::partition::Side;
use crate::detector::view::View;
use crate::table::groups::Group;

/// How many nodes have a row each.
pub const MOST_SINGLE: usize = 40;

/// Whether what one node sends arrives at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It does.
    Arrives,
    /// It does not.
    Broken,
    /// Nobody who can tell says so.
    Unknown,
}

/// What a cell shows of two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    Itself,
    Joined,
    Broken,
    Unknown,
}

impl Pair {
    const fn symbol(self) -> char {
        match self {
            Self::Itself => '·',
            Self::Joined => '✓',
            Self::Broken => '✗',
            Self::Unknown => '?',
        }
    }
}

/// What a cell stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cells {
    /// Both directions of a pair: broken when either is.
    #[default]
    Pairs,
    /// What the node of the row sends to that of the column.
    Directed,
}

/// One node, as the table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its zone; empty if it has none.
    pub zone: String,
    /// What is said of it at the end of its row.
    pub status: String,
}

/// What there is to draw.
pub struct Picture<'a> {
    nodes: Vec<Node>,
    /// From whom, to whom: positions in `nodes`.
    arrives: Box<dyn Fn(usize, usize) -> Arrival + 'a>,
    cells: Cells,
}

impl<'a> Picture<'a> {
    /// The picture of `nodes`, of which `arrives(from, to)` tells whether what one sends arrives at the other.
    pub fn new(nodes: Vec<Node>, arrives: impl Fn(usize, usize) -> Arrival + 'a) -> Self {
        Self { nodes, arrives: Box::new(arrives), cells: Cells::default() }
    }

    /// The same with other cells.
    #[must_use]
    pub fn showing(self, cells: Cells) -> Self {
        Self { cells, ..self }
    }

    /// Draws the table: one line a row, each with its newline. Lines are no wider than `width` where that can be.
    pub fn draw(&self, width: usize) -> String {
        let order = self.order();
        let single: Vec<Group> = order.iter().map(|&place| Group::of_one(self, place)).collect();
        if order.len() <= MOST_SINGLE
            && let Some(table) = layout::fitting(self, &single, width)
        {
            return table;
        }
        let groups = groups::alike(self, &order);
        layout::fitting(self, &groups, width).unwrap_or_else(|| layout::narrowest(self, &groups))
    }

    /// The same, zone by zone.
    pub fn zones(&self) -> Zones {
        Zones::of(self)
    }

    /// Positions in the order of names.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_cached_key(|&place| natural(&self.nodes[place].name));
        order
    }

    /// What the cell of two nodes shows.
    fn pair(&self, row: usize, column: usize) -> Pair {
        if row == column {
            return Pair::Itself;
        }
        let there = (self.arrives)(row, column);
        let back = match self.cells {
            Cells::Directed => there,
            Cells::Pairs => (self.arrives)(column, row),
        };
        match (there, back) {
            (Arrival::Broken, _) | (_, Arrival::Broken) => Pair::Broken,
            (Arrival::Arrives, _) | (_, Arrival::Arrives) => Pair::Joined,
            _ => Pair::Unknown,
        }
    }
}

/// The table of what an agent knows, for somebody whose screen is as wide as it has to be.
pub fn render(view: &View) -> String {
    of_view::picture(view).draw(usize::MAX)
}

/// The matrix of zones of what an agent knows.
pub fn zones(view: &View, cells: Cells) -> Zones {
    of_view::picture(view).showing(cells).zones()
}

/// Whether a node is on another side of a cut than this one, `me`. Sides name so many nodes and count the rest: whoever
/// is silent and not named anywhere is then one of those that are only counted over there.
fn is_beyond<'a>(sides: impl Iterator<Item = &'a [Side]>, me: &str, name: &str, is_heard: bool) -> bool {
    let names = |side: &Side, name: &str| side.nodes.iter().any(|named| named == name);
    let is_cut_short = |side: &Side| side.nodes.len() < side.count;
    let mut cuts = sides.filter_map(|sides| sides.split_first());
    cuts.any(|(own, others)| {
        let takes_part = names(own, me) || is_cut_short(own);
        let is_named = others.iter().any(|side| names(side, name));
        let is_counted = !is_heard && !names(own, name) && others.iter().any(is_cut_short);
        takes_part && (is_named || is_counted)
    })
}

/// What is said of a link that is down.
fn silent(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "silent".to_owned(), |seconds| format!("silent for {seconds} s"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::api::{Matrix, ModeAnswer, Partitions, Peers};
    use crate::calendar::Calendar;
    use crate::detector::event::AgentDownCause;
    use crate::detector::link::LinkState;
    use crate::detector::mode::Mode;
    use crate::detector::partition::{Partition, PartitionId, PartitionKind};
    use crate::detector::row::{Cell, Cells as Row};
    use crate::detector::settings::{Member, ModePolicy};
    use crate::detector::time::Now;
    use crate::detector::view::{Counters, NodeView, RowView};
    use crate::identity::{Digest, Epoch, Incarnation, NodeId};

    /// What node-1 sees of a cluster that is cut after its first `near` nodes: the rows of its own side.
    fn view(nodes: usize, near: usize) -> View {
        let mut view = whole(nodes);
        for (place, node) in view.nodes.iter_mut().enumerate() {
            let mut cells = Row::absent(nodes);
            (0..nodes).for_each(|of| cells.set(of, if of < near { Cell::Up } else { Cell::Down }));
            let (cells, age) = (cells.into(), Duration::ZERO);
            node.row = (place < near).then_some(RowView { cells, age, impaired: false, relayed: false });
            node.link = match place {
                0 => None,
                place if place < near => Some(LinkState::Up),
                _ => Some(LinkState::Down),
            };
        }
        let side = |places: std::ops::Range<usize>, seen| {
            Side::new(places.map(|place| view.nodes[place].member.name.clone()).collect(), seen)
        };
        if near < nodes {
            let sides = vec![side(0..near, true), side(near..nodes, false)];
            view.partitions.push(partition(sides));
            view.mode = Mode::Majority;
        }
        view
    }

    fn whole(nodes: usize) -> View {
        let node = |place: usize| NodeView {
            id: NodeId(u64::try_from(place).unwrap()),
            member: Arc::new(Member::new(
                format!("node-{}", place + 1),
                if place * 5 < nodes * 3 { "east" } else { "west" },
                ([127, 0, 0, 1], 7475).into(),
            )),
            link: None,
            failures: 0,
            silent_for: Some(Duration::from_millis(7300)),
            rtt: None,
            loss: 0.0,
            is_degraded: false,
            incarnation: None,
            unheard: false,
            agent_down: None,
            row: None,
        };
        View {
            awaited: Vec::new(),
            blind_cause: None,
            judged: true,
            roster_version: 0,
            mode_before: None,
            at: Now::START,
            cluster: "test".to_owned(),
            incarnation: Incarnation(1),
            me: 0,
            nodes: (0..nodes).map(node).collect(),
            mode: Mode::Normal,
            mode_since: Now::START,
            overridden: None,
            policy: ModePolicy::default(),
            quorum: Some(true),
            members: nodes,
            electorate: nodes,
            electorate_digest: Digest::NONE,
            partitions: Vec::new(),
            recent: Vec::new(),
            endpoints: Vec::new(),
            reaches_nothing: false,
            epoch: Epoch(0),
            impaired: false,
            blind: false,
            period: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            detection_bound: Duration::from_millis(2500),
            counters: Counters::default(),
        }
    }

    fn partition(sides: Vec<Side>) -> Partition {
        let id = PartitionId::complete("test", Epoch(0));
        let (bridges, exceptions) = (Vec::new(), Vec::new());
        let (kind, detection) = (PartitionKind::Complete, Duration::from_secs(3));
        let (epoch, electorate_digest) = (Epoch(0), Digest::NONE);
        let direction = None;
        Partition {
            id,
            kind,
            endpoint: None,
            certain: true,
            sides,
            bridges,
            exceptions,
            own_side: true,
            zones: Vec::new(),
            direction,
            witness: None,
            opened: Now::START,
            detection,
            epoch,
            quorum: true,
            electorate_digest,
            roster_digest: Digest::NONE,
        }
    }

    fn row_of(view: &mut View, place: usize) -> &mut Row {
        Arc::make_mut(&mut view.nodes[place].row.as_mut().unwrap().cells)
    }

    #[test]
    fn a_healthy_cluster_is_joined_everywhere() {
        insta::assert_snapshot!(render(&view(3, 3)), @r"
        Source\Target node-1 node-2 node-3  Status
        node-1 (east) ·      ✓      ✓       normal
        node-2 (east) ✓      ·      ✓       normal
        node-3 (west) ✓      ✓      ·       normal
        ");
    }

    #[test]
    fn a_cut_shows_what_is_broken_and_what_cannot_be_known() {
        insta::assert_snapshot!(render(&view(5, 3)), @r"
        Source\Target node-1 node-2 node-3 node-4 node-5  Status
        node-1 (east) ·      ✓      ✓      ✗      ✗       majority
        node-2 (east) ✓      ·      ✓      ✗      ✗       majority
        node-3 (east) ✓      ✓      ·      ✗      ✗       majority
        node-4 (west) ✗      ✗      ✗      ·      ?       not reachable from here
        node-5 (west) ✗      ✗      ✗      ?      ·       not reachable from here
        ");
    }

    #[test]
    fn a_pair_is_broken_in_both_places_when_one_direction_is() {
        let mut view = view(3, 3);
        row_of(&mut view, 1).set(2, Cell::Down);
        insta::assert_snapshot!(render(&view), @r"
        Source\Target node-1 node-2 node-3  Status
        node-1 (east) ·      ✓      ✓       normal
        node-2 (east) ✓      ·      ✗       normal
        node-3 (west) ✓      ✗      ·       normal
        ");
    }

    #[test]
    fn what_an_impaired_row_says_breaks_nothing() {
        let mut view = view(3, 3);
        row_of(&mut view, 1).set(2, Cell::Down);
        view.nodes[1].row.as_mut().unwrap().impaired = true;
        assert!(!render(&view).contains('✗'));
    }

    #[test]
    fn whoever_is_not_there_is_told_apart() {
        let mut view = view(6, 6);
        view.mode = Mode::Degraded;
        view.nodes[5].agent_down = Some(AgentDownCause::Stopped);
        for (place, link) in [
            (1, LinkState::Left(crate::wire::GoodbyeReason::Stopped)),
            (2, LinkState::Absent),
            (3, LinkState::Unknown),
            (4, LinkState::Down),
            (5, LinkState::Down),
        ] {
            view.nodes[place].link = Some(link);
            view.nodes[place].row = None;
            view.nodes[place].member = Arc::new(Member { zone: String::new(), ..(*view.nodes[place].member).clone() });
            let cell = match place {
                4 => Cell::Down,
                5 => Cell::DownAgent,
                _ => Cell::Unknown,
            };
            row_of(&mut view, 0).set(place, cell);
        }
        insta::assert_snapshot!(render(&view), @r"
        Source\Target node-1 node-2 node-3 node-4 node-5 node-6  Status
        node-1 (east) ·      ?      ?      ?      ✗      ✗       degraded
        node-2        ?      ·      ?      ?      ?      ?       left
        node-3        ?      ?      ·      ?      ?      ?       never heard
        node-4        ?      ?      ?      ·      ?      ?       unknown
        node-5        ✗      ?      ?      ?      ·      ?       silent for 7 s
        node-6        ✗      ?      ?      ?      ?      ·       agent down
        ");
    }

    #[test]
    fn beyond_forty_nodes_those_that_are_alike_are_one_group() {
        insta::assert_snapshot!(render(&view(50, 30)), @r"
        Source\Target             node-1… [30] node-31… [20]  Status
        30 nodes (east): node-1…  ✓            ✗              majority
        20 nodes (west): node-31… ✗            ?              not reachable from here
        ");
    }

    /// The table that the command draws from what the server answers.
    fn from_answers(view: &View, cells: Cells, width: usize) -> String {
        let calendar = Calendar { now: view.at, wall: Duration::from_hours(498_684) };
        let mode = ModeAnswer::of(view, calendar);
        let (matrix, peers, partitions) = (Matrix::of(view), Peers::of(view), Partitions::of(view, calendar));
        let answers = Answers { matrix: &matrix, peers: &peers, mode: &mode, partitions: &partitions };
        answers.picture().showing(cells).draw(width)
    }

    #[test]
    fn the_answers_of_the_server_make_the_same_table_as_the_view() {
        for (nodes, near) in [(3, 3), (5, 3), (12, 12), (40, 7), (50, 30), (250, 120)] {
            let view = view(nodes, near);
            assert_eq!(from_answers(&view, Cells::Pairs, usize::MAX), render(&view), "{nodes} {near}");
        }
        let mut view = view(5, 3);
        view.nodes[1].row = None;
        view.nodes[1].link = Some(LinkState::Unknown);
        view.nodes[2].unheard = true;
        view.nodes[3].agent_down = Some(AgentDownCause::Stalled);
        row_of(&mut view, 0).set(2, Cell::Late);
        assert_eq!(from_answers(&view, Cells::Pairs, usize::MAX), render(&view));
    }

    #[test]
    fn each_direction_by_itself_shows_who_does_not_hear_whom() {
        let mut view = view(3, 3);
        // node-3 does not hear node-2; node-2 hears node-3.
        row_of(&mut view, 2).set(1, Cell::Down);
        insta::assert_snapshot!(from_answers(&view, Cells::Directed, 80), @r"
        Source\Target node-1 node-2 node-3  Status
        node-1 (east) ·      ✓      ✓       normal
        node-2 (east) ✓      ·      ✗       normal
        node-3 (west) ✓      ✓      ·       normal
        ");
    }

    #[test]
    fn columns_that_are_too_wide_have_numbers() {
        insta::assert_snapshot!(of_view::picture(&view(8, 5)).draw(72), @r"
        Source\Target   1 2 3 4 5 6 7 8  Status
        1 node-1 (east) · ✓ ✓ ✓ ✓ ✗ ✗ ✗  majority
        2 node-2 (east) ✓ · ✓ ✓ ✓ ✗ ✗ ✗  majority
        3 node-3 (east) ✓ ✓ · ✓ ✓ ✗ ✗ ✗  majority
        4 node-4 (east) ✓ ✓ ✓ · ✓ ✗ ✗ ✗  majority
        5 node-5 (east) ✓ ✓ ✓ ✓ · ✗ ✗ ✗  majority
        6 node-6 (west) ✗ ✗ ✗ ✗ ✗ · ? ?  not reachable from here
        7 node-7 (west) ✗ ✗ ✗ ✗ ✗ ? · ?  not reachable from here
        8 node-8 (west) ✗ ✗ ✗ ✗ ✗ ? ? ·  not reachable from here
        ");
    }

    #[test]
    fn numbers_that_are_too_wide_stand_upright() {
        insta::assert_snapshot!(of_view::picture(&view(12, 7)).draw(58), @r"
                                   111
        Source\Target     123456789012  Status
         1 node-1 (east)  ·✓✓✓✓✓✓✗✗✗✗✗  majority
         2 node-2 (east)  ✓·✓✓✓✓✓✗✗✗✗✗  majority
         3 node-3 (east)  ✓✓·✓✓✓✓✗✗✗✗✗  majority
         4 node-4 (east)  ✓✓✓·✓✓✓✗✗✗✗✗  majority
         5 node-5 (east)  ✓✓✓✓·✓✓✗✗✗✗✗  majority
         6 node-6 (east)  ✓✓✓✓✓·✓✗✗✗✗✗  majority
         7 node-7 (east)  ✓✓✓✓✓✓·✗✗✗✗✗  majority
         8 node-8 (east)  ✗✗✗✗✗✗✗·????  not reachable from here
         9 node-9 (west)  ✗✗✗✗✗✗✗?·???  not reachable from here
        10 node-10 (west) ✗✗✗✗✗✗✗??·??  not reachable from here
        11 node-11 (west) ✗✗✗✗✗✗✗???·?  not reachable from here
        12 node-12 (west) ✗✗✗✗✗✗✗????·  not reachable from here
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_screen_whatever_the_number_of_nodes() {
        for nodes in 2..=120 {
            let table = of_view::picture(&view(nodes, nodes * 3 / 5)).draw(80);
            assert!(table.lines().all(|line| line.chars().count() <= 80), "{nodes}:\n{table}");
        }
    }

    #[test]
    fn a_side_too_long_to_be_named_in_full_is_beyond_the_cut_all_the_same() {
        let view = view(500, 150);
        assert_eq!(view.partitions[0].sides[1].nodes.len(), 100);
        let table = render(&view);
        let row = table.lines().find(|line| line.starts_with("200 nodes (west): node-301…"));
        assert!(row.is_some_and(|row| row.ends_with("not reachable from here")), "{table}");
        assert!(!table.contains("silent for"), "{table}");
    }

    /// The plainest way to say what a group is.
    #[test]
    fn whoever_is_in_one_group_is_alike_to_everybody_else() {
        let nodes = |count: usize| {
            let node = |place| Node { name: format!("n{place}"), zone: String::new(), status: String::new() };
            (0..count).map(node).collect::<Vec<_>>()
        };
        // Every third does not hear every fifth; one pair more is broken.
        let arrives = |from: usize, to: usize| {
            let is_cut = from.is_multiple_of(5) && to.is_multiple_of(3) || (from, to) == (7, 8);
            if is_cut { Arrival::Broken } else { Arrival::Arrives }
        };
        // Divisible by 15, by 5, by 3, by neither; the odd pair is alike but for its direction.
        for (cells, expected) in [(Cells::Pairs, 5), (Cells::Directed, 6)] {
            let picture = Picture::new(nodes(60), arrives).showing(cells);
            let groups = groups::alike(&picture, &picture.order());
            assert_eq!(groups.iter().map(|group| group.count).sum::<usize>(), 60);
            assert_eq!(groups.len(), expected, "{}", picture.draw(200));
        }
    }

    #[test]
    fn two_thousand_nodes_that_all_differ_are_told_apart_in_no_time() {
        let node = |place| Node { name: format!("n{place}"), zone: String::new(), status: String::new() };
        // Each does not hear the next one.
        let arrives = |from: usize, to: usize| if to == from + 1 { Arrival::Broken } else { Arrival::Arrives };
        let picture = Picture::new((0..2_000).map(node).collect(), arrives);
        assert_eq!(groups::alike(&picture, &picture.order()).len(), 2_000);
    }

    #[test]
    fn zones_show_how_many_pairs_of_theirs_are_joined_broken_and_unknown() {
        // Three in the east and two in the west, which are cut off; of what they hear nothing is known.
        insta::assert_snapshot!(zones(&view(5, 3), Cells::Pairs).draw(80), @r"
        Source\Target  east  west
        east [3]       3 ✓   6 ✗
        west [2]       6 ✗   1 ?
        ");
        insta::assert_snapshot!(zones(&view(5, 3), Cells::Directed).draw(80), @r"
        Source\Target  east  west
        east [3]       6 ✓   6 ?
        west [2]       6 ✗   2 ?
        ");
    }

    #[test]
    fn a_pair_is_counted_once_and_once_more_the_other_way_round() {
        for (nodes, near) in [(5, 3), (12, 12), (50, 20)] {
            let found = zones(&view(nodes, near), Cells::Pairs);
            let sum = |links: &ZoneLinks| usize::try_from(links.joined + links.broken + links.unknown).unwrap();
            for links in &found.links {
                let of = |name: &str| found.zones.iter().find(|zone| zone.name == name).unwrap().nodes;
                let (source, destination) = (of(&links.source_zone), of(&links.destination_zone));
                let is_one = links.source_zone == links.destination_zone;
                let expected = if is_one { source * (source - 1) / 2 } else { source * destination };
                assert_eq!(sum(links), expected, "{links:?}");
                let turned = found.links.iter().find(|other| {
                    (&other.source_zone, &other.destination_zone) == (&links.destination_zone, &links.source_zone)
                });
                assert_eq!(sum(turned.unwrap()), expected);
            }
        }
    }

    #[test]
    fn more_zones_than_a_screen_is_wide_are_a_list_of_those_that_are_not_joined() {
        let mut view = view(40, 40);
        for (place, node) in view.nodes.iter_mut().enumerate() {
            let zone = if place == 39 { String::new() } else { format!("zone-{}", place / 2 + 1) };
            node.member = Arc::new(Member { zone, ..(*node.member).clone() });
        }
        row_of(&mut view, 0).set(39, Cell::Down);
        insta::assert_snapshot!(zones(&view, Cells::Pairs).draw(80), @r"
        Source     Target     Links
        (no zone)  zone-1     1 ✓ 1 ✗
        zone-1     (no zone)  1 ✓ 1 ✗
        All others of 21 zones are joined.
        ");
        assert_eq!(zones(&view, Cells::Pairs).draw(usize::MAX).lines().count(), 22);
        row_of(&mut view, 0).set(39, Cell::Up);
        assert_eq!(zones(&view, Cells::Pairs).draw(80), "All nodes of 21 zones are joined.\n");
    }

    #[test]
    fn a_bridge_of_a_partial_cut_is_beyond_nothing() {
        let mut view = view(3, 3);
        view.mode = Mode::Degraded;
        let side = |place: usize| Side::new(vec![view.nodes[place].member.name.clone()], true);
        let sides = vec![side(1), side(2)];
        view.partitions.push(Partition { kind: PartitionKind::Partial, ..partition(sides) });
        row_of(&mut view, 1).set(2, Cell::Down);
        assert!(!render(&view).contains("not reachable"), "{}", render(&view));
    }
}
