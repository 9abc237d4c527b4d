//! What agents answer, by hand: the design says what each situation looks like from inside.

use netsplit::api::{
    AuditStatus, AuthenticationStatus, DiscoveryStatus, Link, Matrix, MatrixRow, Method, ModeAnswer, Names,
    PartitionAnswer, Partitions, Peer, Peers, SideAnswer, StateStatus, Status,
};
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::{PartitionKind, Side, Witness};
use netsplit::detector::settings::Policy;

/// When the agent answers.
pub(crate) const NOW: &str = "2026-11-21T12:00:00.000Z";
/// Twelve and a half minutes before.
pub(crate) const BEFORE: &str = "2026-11-21T11:47:30.000Z";

/// All that an agent answers in one situation.
#[derive(Clone)]
pub(crate) struct Situation {
    pub(crate) status: Status,
    pub(crate) mode: ModeAnswer,
    pub(crate) peers: Peers,
    pub(crate) matrix: Matrix,
    pub(crate) partitions: Partitions,
}

pub(crate) fn names(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|number| format!("node-{number}")).collect()
}

pub(crate) fn mode(mode: Mode, nodes: usize, of: usize) -> ModeAnswer {
    ModeAnswer {
        mode,
        service_level: mode.service_level(),
        reads: mode.may_read(),
        writes: mode.may_write(Policy::Cp),
        consistency: mode.consistency(),
        since: BEFORE.to_owned(),
        side: SideAnswer { nodes, of },
        partition: None,
        overridden: None,
        stale: false,
    }
}

pub(crate) fn peer(name: &str, zone: &str, link: Link) -> Peer {
    let is_heard = matches!(link, Link::Up | Link::Suspect);
    Peer {
        name: name.to_owned(),
        zone: zone.to_owned(),
        link,
        silent_seconds: match link {
            Link::Itself | Link::Absent => None,
            Link::Up => Some(0.4),
            _ => Some(752.5),
        },
        rtt_seconds: is_heard.then_some(0.00031),
        loss_ratio: if is_heard { 0.0 } else { 1.0 },
        degraded: false,
        incarnation: Some(7),
        unheard: false,
        agent_down: None,
    }
}

pub(crate) fn partition(kind: PartitionKind, sides: Vec<Side>) -> PartitionAnswer {
    PartitionAnswer {
        id: "c796305927519af9".to_owned(),
        kind,
        certain: true,
        sides,
        bridges: Vec::new(),
        own_side: true,
        zones: Vec::new(),
        exceptions: Vec::new(),
        direction: None,
        witness: None,
        quorum: true,
        opened_at: BEFORE.to_owned(),
        closed_at: None,
        detection_seconds: 3.08,
        cause: None,
        confirmed: None,
    }
}

/// Every node hears every other, as node-1 sees it. The first three fifths are in the east.
pub(crate) fn healthy(count: usize) -> Situation {
    cut(count, 1..=count, Mode::Normal)
}

/// The cluster is cut around the nodes of `near`, as the first of them sees it: of the others it has no rows.
pub(crate) fn cut(count: usize, near: std::ops::RangeInclusive<usize>, own_mode: Mode) -> Situation {
    let me = *near.start();
    let zone = |number: usize| if (number - 1) * 5 < count * 3 { "east" } else { "west" };
    let peers = (1..=count).map(|number| {
        let link = match number {
            number if number == me => Link::Itself,
            number if near.contains(&number) => Link::Up,
            _ => Link::Down,
        };
        peer(&format!("node-{number}"), zone(number), link)
    });
    let mut peers: Vec<Peer> = peers.collect();
    peers.sort_by(|one, other| one.name.cmp(&other.name));
    let far: Vec<String> = (1..=count).filter(|number| !near.contains(number)).map(|n| format!("node-{n}")).collect();
    let open = if far.is_empty() {
        Vec::new()
    } else {
        let kind = if near.clone().count() == 1 { PartitionKind::Isolation } else { PartitionKind::Complete };
        let quorum = near.clone().count() * 2 > count;
        let sides = vec![Side::new(names(near.clone()), true), Side::new(far.clone(), false)];
        vec![PartitionAnswer { quorum, ..partition(kind, sides) }]
    };
    let mut mode = mode(own_mode, near.clone().count(), count);
    mode.partition = open.first().map(|partition| partition.id.clone());
    let order: Vec<String> = peers.iter().map(|peer| peer.name.clone()).collect();
    let is_near = |name: &str| names(near.clone()).iter().any(|near| near == name);
    let rows = order.iter().map(|from| MatrixRow {
        node: from.clone(),
        age_seconds: is_near(from).then_some(0.2),
        impaired: is_near(from).then_some(false),
        cells: order.iter().map(|to| cell(from == to, is_near(from), is_near(to))).collect(),
    });
    let heard = near.clone().count() - 1;
    let status = status(&peers[order.iter().position(|name| *name == format!("node-{me}")).unwrap()], &mode, &open);
    Situation {
        status: Status {
            links_down: Names { count: far.len(), nodes: far },
            coverage_ratio: if count == 1 { 1.0 } else { heard as f64 / (count - 1) as f64 },
            roster_size: count,
            ..status
        },
        mode,
        matrix: Matrix { rows: rows.collect(), nodes: order.clone() },
        peers: Peers { peers },
        partitions: Partitions { open, recent: Vec::new() },
    }
}

/// Of what comes to the other side nothing is known.
fn cell(is_itself: bool, from_near: bool, to_near: bool) -> char {
    match (is_itself, from_near, to_near) {
        (true, _, _) => '-',
        (_, _, false) => '?',
        (_, true, true) => '.',
        (_, false, true) => 'X',
    }
}

fn status(me: &Peer, mode: &ModeAnswer, open: &[PartitionAnswer]) -> Status {
    Status {
        cluster: "production".to_owned(),
        node: me.name.clone(),
        zone: me.zone.clone(),
        version: "0.1.0".to_owned(),
        incarnation: 7,
        time: NOW.to_owned(),
        started_at: "2026-11-20T12:00:00.000Z".to_owned(),
        uptime_seconds: 86_400.0,
        age_seconds: 0.05,
        mode: mode.clone(),
        quorum: Some(mode.writes),
        partitions: open.to_vec(),
        unheard: Names::default(),
        agents_down: Names::default(),
        links_down: Names::default(),
        links_degraded: Names::default(),
        awaited: Vec::new(),
        coverage_ratio: 1.0,
        blind: false,
        impaired: false,
        roster_size: 0,
        electorate_digest: "0badcafe".to_owned(),
        period_seconds: 1.0,
        detection_bound_seconds: 2.5,
        authentication: AuthenticationStatus { method: Method::Keys, keys: 1 },
        discovery: DiscoveryStatus { up: Some(true), last_success_at: Some(BEFORE.to_owned()) },
        audit: Some(AuditStatus { failing: false, queued: 0, lost: 0, last_seq: Some(41) }),
        state: Some(StateStatus { writes: 3, errors: 0, last_success_at: Some(BEFORE.to_owned()) }),
        configuration: None,
    }
}

/// Node-1 hears nobody: the others do not know it yet, or UDP is blocked.
pub(crate) fn deaf(count: usize) -> Situation {
    let mut situation = cut(count, 1..=1, Mode::Starting);
    situation.partitions.open.clear();
    situation.status.partitions.clear();
    situation.mode.partition = None;
    situation.status.mode.partition = None;
    situation
}

/// node-3 does not hear node-1, which hears it: node-1 knows it from the row of node-3.
pub(crate) fn one_way() -> Situation {
    let mut situation = healthy(3);
    "-.X".clone_into(&mut situation.matrix.rows[0].cells);
    let sides = vec![Side::new(names(1..=1), true), Side::new(names(3..=3), true)];
    situation.partitions.open = vec![PartitionAnswer {
        bridges: names(2..=2),
        direction: Some(netsplit::detector::partition::Direction::FromFirst),
        witness: Some(Witness::Http),
        ..partition(PartitionKind::Simplex, sides)
    }];
    situation
}
