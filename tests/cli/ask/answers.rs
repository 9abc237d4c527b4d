//! What agents answer, by hand: the design says what each situation looks like from inside.

use netsplit::api::{
    AuditStatus, AuthenticationStatus, DiscoveryStatus, Endpoint, Endpoints, HeldConnection, LastClose, LastProbe,
    Link, Matrix, MatrixRow, Method, ModeAnswer, Names, PartitionAnswer, Partitions, Peer, Peers, PhaseTimes,
    ProbeAnswer, ProbeOutcome, SideAnswer, State, StateStatus, Status, UnreachedEndpoints,
};
use netsplit::detector::endpoints::reach::UnreachedFrom;
use netsplit::detector::endpoints::watch::Breaker;
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
    pub(crate) endpoints: Endpoints,
}

pub(crate) fn names(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|number| format!("node-{number}")).collect()
}

pub(crate) fn mode(mode: Mode, nodes: usize, of: usize) -> ModeAnswer {
    ModeAnswer {
        mode,
        service_level: mode.service_level(false),
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
        endpoint: None,
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
        endpoints: Endpoints::default(),
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
        endpoints_unreached: UnreachedEndpoints::default(),
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

/// An endpoint that all five nodes reach.
pub(crate) fn endpoint(name: &str, kind: &str) -> Endpoint {
    let phases = PhaseTimes { connect_seconds: Some(0.00042), exchange_seconds: Some(0.0011), ..PhaseTimes::default() };
    let found = ProbeAnswer {
        outcome: ProbeOutcome::Success,
        cause: None,
        ailment: None,
        detail: String::new(),
        address: Some("10.0.0.7:6379".to_owned()),
        took_seconds: 0.0016,
        phases,
        facts: serde_json::Map::new(),
    };
    let probe = LastProbe { at: "2026-11-21T11:59:48.000Z".to_owned(), found };
    Endpoint {
        name: name.to_owned(),
        kind: kind.to_owned(),
        partition: false,
        probed: true,
        state: State::Up,
        since: Some("2026-11-21T08:40:00.000Z".to_owned()),
        cause: None,
        ailment: None,
        failures: 0,
        breaker: Some(Breaker::Closed),
        probe: Some(probe),
        connection: None,
        unreached_from: UnreachedFrom::Nowhere,
        unreached: 0,
        nodes: Vec::new(),
        zones: Vec::new(),
        reached: 5,
        undecided: 0,
    }
}

/// A connection that stands.
fn held() -> HeldConnection {
    HeldConnection {
        up: Some(true),
        since: "2026-11-21T08:40:01.000Z".to_owned(),
        address: Some("10.0.0.7:6379".to_owned()),
        cause: None,
        ailment: None,
        detail: String::new(),
        established: 1,
        lost: 0,
        last_close: None,
    }
}

/// The same, down on this node for this cause, and on these nodes in all.
pub(crate) fn endpoint_down(name: &str, kind: &str, cause: &str, from: UnreachedFrom, nodes: Vec<String>) -> Endpoint {
    let sound = endpoint(name, kind);
    let mut probe = sound.probe.clone().unwrap();
    probe.found.outcome = ProbeOutcome::Failure;
    probe.found.cause = Some(cause.to_owned());
    probe.found.detail = "it took longer than the timeout".into();
    Endpoint {
        state: State::Down,
        since: Some(BEFORE.to_owned()),
        cause: Some(cause.to_owned()),
        failures: 31,
        breaker: Some(Breaker::Open),
        probe: Some(probe),
        unreached_from: from,
        unreached: nodes.len(),
        reached: 5 - nodes.len(),
        nodes,
        ..sound
    }
}

/// A cluster that leans on six endpoints, of which three are not reached from everywhere.
pub(crate) fn leaning() -> Situation {
    let mut situation = healthy(5);
    let mut unwell = endpoint_down("stock", "redis", "unhealthy", UnreachedFrom::Everywhere, names(1..=5));
    unwell.ailment = Some("replication_down".to_owned());
    let mut database = endpoint_down(
        "orders-database",
        "postgres",
        "timeout",
        UnreachedFrom::SomeNodes,
        vec!["node-1".to_owned(), "node-5".to_owned()],
    );
    (database.zones, database.partition) = (vec!["west".to_owned()], true);
    database.connection = Some(HeldConnection {
        up: Some(false),
        since: BEFORE.to_owned(),
        address: None,
        cause: Some("timeout".to_owned()),
        detail: "it took longer than the timeout".to_owned(),
        lost: 2,
        last_close: Some(LastClose {
            at: BEFORE.to_owned(),
            lasted_seconds: 10_921.4,
            cause: Some("unhealthy".to_owned()),
            ailment: Some("not_serving".to_owned()),
            detail: "terminating connection due to administrator command (57P01)".to_owned(),
        }),
        ..held()
    });
    let mut elsewhere = endpoint("cache", "redis");
    elsewhere.connection = Some(held());
    (elsewhere.unreached_from, elsewhere.unreached, elsewhere.reached) = (UnreachedFrom::SomeNodes, 1, 4);
    elsewhere.nodes = names(2..=2);
    let mut new = endpoint("queue", "amqp");
    (new.state, new.probe, new.unreached_from, new.reached) = (State::Unknown, None, UnreachedFrom::Unknown, 0);
    new.connection = Some(HeldConnection { up: None, address: None, ..held() });
    let mut others = endpoint("registry", "registry");
    (others.probed, others.state, others.since, others.probe, others.breaker) =
        (false, State::Unknown, None, None, None);
    others.reached = 3;
    let detail = "/run/secrets/stock cannot be read: No such file or directory (os error 2)".to_owned();
    unwell.connection = Some(HeldConnection { up: None, address: None, detail, lost: 1, ..held() });
    let mut sound = endpoint("central-prometheus", "http");
    if let Some(probe) = &mut sound.probe {
        probe.found.facts.insert("status".to_owned(), 200.into());
        probe.found.facts.insert("certificate_expires".to_owned(), "2027-01-15T08:00:00Z".into());
    }
    situation.endpoints.endpoints = vec![elsewhere, sound, database, new, others, unwell];
    situation
}

/// A cut in which this side has the API server and Prometheus, and two members of etcd that follow one beyond it.
pub(crate) fn cut_with_landmarks() -> Situation {
    let mut situation = cut(5, 1..=3, Mode::Majority);
    let member = |name, leads| {
        let mut member = endpoint(name, "etcd");
        if let Some(probe) = &mut member.probe {
            probe.found.facts.extend([("leader".to_owned(), true.into()), ("leads".to_owned(), leads)]);
        }
        member
    };
    let beyond = endpoint_down("etcd-4", "etcd", "timeout", UnreachedFrom::ThisSide, names(1..=3));
    let mut monitoring = endpoint("central-prometheus", "http");
    (monitoring.unreached_from, monitoring.unreached, monitoring.reached) = (UnreachedFrom::SomeNodes, 1, 2);
    let orders = endpoint("orders", "postgres");
    let members = [member("etcd-1", false.into()), member("etcd-2", false.into()), beyond];
    situation.endpoints.endpoints =
        [vec![monitoring], members.into(), vec![endpoint("kube-api", "kubernetes"), orders]].concat();
    situation
}

/// As before, but the second member leads.
pub(crate) fn cut_with_leader() -> Situation {
    let mut situation = cut_with_landmarks();
    if let Some(probe) = &mut situation.endpoints.endpoints[2].probe {
        probe.found.facts.insert("leads".to_owned(), true.into());
    }
    situation
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
