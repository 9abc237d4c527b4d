//! The matrix as an operator wants it: who hears whom, in one table of characters.
//!
//! A pair is one cell in two places, and is broken when either direction is: every protocol that answers needs both.
//! Beyond [`MOST_SINGLE`] nodes those that are alike are shown as one group.

use std::fmt::Write;
use std::time::Duration;

use crate::detector::link::LinkState;
use crate::detector::row::Cell;
use crate::detector::view::{NodeView, View};

/// How many nodes have a row each.
pub const MOST_SINGLE: usize = 40;

const CORNER: &str = "Source\\Target";

/// What a pair of nodes is to each other.
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

/// Draws the table: one line a row, each with its newline.
pub fn render(view: &View) -> String {
    let mut order: Vec<usize> = (0..view.nodes.len()).collect();
    order.sort_by(|&a, &b| natural(&view.nodes[a].member.name).cmp(&natural(&view.nodes[b].member.name)));
    let groups = if order.len() > MOST_SINGLE { alike(view, &order) } else { each_alone(view, &order) };
    draw(view, &groups)
}

/// Nodes that share a row of the table.
struct Group {
    /// The first of them stands for all.
    first: usize,
    last: usize,
    count: usize,
    /// What they are to each other.
    inner: Pair,
    status: String,
}

impl Group {
    fn title(&self, view: &View) -> String {
        let name = |place: usize| view.nodes[place].member.name.as_str();
        match self.count {
            1 => name(self.first).to_owned(),
            count => format!("{}…{} [{count}]", name(self.first), name(self.last)),
        }
    }

    fn label(&self, view: &View) -> String {
        let zone = &view.nodes[self.first].member.zone;
        let title = self.title(view);
        if zone.is_empty() { title } else { format!("{title} ({zone})") }
    }
}

fn alone(view: &View, place: usize) -> Group {
    Group { first: place, last: place, count: 1, inner: Pair::Itself, status: status(view, place) }
}

fn each_alone(view: &View, order: &[usize]) -> Vec<Group> {
    order.iter().map(|&place| alone(view, place)).collect()
}

/// Every node joins the first group to which it is alike: same zone, same status, same cells towards everybody else.
fn alike(view: &View, order: &[usize]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for &place in order {
        let own = status(view, place);
        let fits = |group: &Group| {
            let between = pair(view, group.first, place);
            let inner_fits = group.count == 1 || group.inner == between;
            inner_fits && group.status == own && are_alike(view, order, group.first, place)
        };
        match groups.iter_mut().find(|group| fits(group)) {
            Some(group) => {
                group.inner = pair(view, group.first, place);
                group.count += 1;
                group.last = place;
            }
            None => groups.push(alone(view, place)),
        }
    }
    groups
}

fn are_alike(view: &View, order: &[usize], a: usize, b: usize) -> bool {
    let others = order.iter().filter(|&&other| other != a && other != b);
    view.nodes[a].member.zone == view.nodes[b].member.zone
        && others.into_iter().all(|&other| pair(view, a, other) == pair(view, b, other))
}

fn draw(view: &View, groups: &[Group]) -> String {
    let labels: Vec<String> = groups.iter().map(|group| group.label(view)).collect();
    let titles: Vec<String> = groups.iter().map(|group| group.title(view)).collect();
    let first = labels.iter().map(|label| width(label)).max().unwrap_or_default().max(width(CORNER));
    let mut table = String::new();
    line(&mut table, first, CORNER, titles.iter().map(|title| (title.clone(), width(title))), "Status");
    for (row, label) in groups.iter().zip(&labels) {
        let cells = groups.iter().zip(&titles).map(|(column, title)| {
            let pair = if row.first == column.first { row.inner } else { pair(view, row.first, column.first) };
            (pair.symbol().to_string(), width(title))
        });
        line(&mut table, first, label, cells, &row.status);
    }
    table
}

fn line(table: &mut String, first: usize, label: &str, cells: impl Iterator<Item = (String, usize)>, status: &str) {
    // Writing to a string does not fail.
    let _ = write!(table, "{label:first$}");
    for (cell, width) in cells {
        let _ = write!(table, " {cell:width$}");
    }
    let _ = writeln!(table, "  {status}");
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// What two nodes are to each other, as their valid rows say. What a row says that its owner distrusts breaks nothing.
fn pair(view: &View, a: usize, b: usize) -> Pair {
    if a == b {
        return Pair::Itself;
    }
    let says = |owner: usize, of: usize| view.nodes[owner].row.as_ref().map(|row| (row.cells.get(of), row.impaired));
    let both = [says(a, b), says(b, a)];
    let is_broken = |&(cell, impaired): &(Cell, bool)| matches!(cell, Cell::Down | Cell::DownAgent) && !impaired;
    let is_ok = |&(cell, _): &(Cell, bool)| matches!(cell, Cell::Up | Cell::Late);
    if both.iter().flatten().any(is_broken) {
        Pair::Broken
    } else if both.iter().flatten().any(is_ok) {
        Pair::Joined
    } else {
        Pair::Unknown
    }
}

fn status(view: &View, place: usize) -> String {
    let node = &view.nodes[place];
    let text = match node.link {
        None => view.mode.as_str(),
        Some(LinkState::Left(_)) => "left",
        Some(LinkState::Absent) => "never heard",
        Some(_) if node.agent_down.is_some() => "agent down",
        Some(_) if node.unheard => "heard by nobody",
        Some(_) if is_beyond_a_cut(view, node) => "not reachable from here",
        Some(LinkState::Unknown) => "unknown",
        Some(LinkState::Down) => return silent(node.silent_for),
        Some(LinkState::Up) => view.mode.as_str(),
    };
    text.to_owned()
}

fn silent(silence: Option<Duration>) -> String {
    silence.map_or_else(|| "silent".to_owned(), |silence| format!("silent for {} s", silence.as_secs()))
}

fn is_beyond_a_cut(view: &View, node: &NodeView) -> bool {
    let beyond = view.partitions.iter().flat_map(|partition| partition.sides.iter().skip(1));
    let mut names = beyond.flat_map(|side| &side.nodes);
    names.any(|name| *name == node.member.name)
}

/// Sorts `node-2` before `node-10`: digits by their number, the rest as it is.
fn natural(name: &str) -> Vec<(String, u64, usize)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(digits);
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(end);
        parts.push((text.to_owned(), number.parse().unwrap_or(u64::MAX), number.len()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::detector::event::AgentDownCause;
    use crate::detector::mode::Mode;
    use crate::detector::partition::{Partition, PartitionId, PartitionKind, Side};
    use crate::detector::row::Cells;
    use crate::detector::settings::{Member, ModePolicy};
    use crate::detector::time::Now;
    use crate::detector::view::{Counters, RowView};
    use crate::identity::{Digest, Epoch, Incarnation, NodeId};

    /// What node-1 sees of a cluster that is cut after its first `near` nodes: the rows of its own side.
    fn view(nodes: usize, near: usize) -> View {
        let mut view = whole(nodes);
        for (place, node) in view.nodes.iter_mut().enumerate() {
            let mut cells = Cells::absent(nodes);
            (0..nodes).for_each(|of| cells.set(of, if of < near { Cell::Up } else { Cell::Down }));
            node.row = (place < near).then(|| RowView { cells: cells.into(), age: Duration::ZERO, impaired: false });
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
            policy: ModePolicy::default(),
            quorum: Some(true),
            members: nodes,
            electorate: nodes,
            electorate_digest: Digest::NONE,
            partitions: Vec::new(),
            recent: Vec::new(),
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
            certain: true,
            sides,
            bridges,
            exceptions,
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

    fn row_of(view: &mut View, place: usize) -> &mut Cells {
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
        Source\Target               node-1…node-30 [30] node-31…node-50 [20]  Status
        node-1…node-30 [30] (east)  ✓                   ✗                     majority
        node-31…node-50 [20] (west) ✗                   ?                     not reachable from here
        ");
    }

    #[test]
    fn names_sort_by_their_numbers() {
        let mut names = ["node-10", "node-9", "a", "node-1", "node-01b"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["a", "node-1", "node-01b", "node-9", "node-10"]);
    }
}
