//! What is right to say about a cut, host by host, and whether it was said, and nothing else on the way.

use std::collections::BTreeSet;

use netsplit::detector::event::{CloseCause, Event};
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::{Direction, PartitionId, PartitionKind, Side};
use netsplit::detector::time::Now;
use netsplit::simulation::World;

/// The true sides of a complete cut.
pub struct Truth {
    pub sides: Vec<Vec<usize>>,
    /// Hosts that show life although nobody of the other side can talk with them: they hear, or are heard, one way.
    pub alive: Vec<usize>,
    /// The links of a node may all be down a window before those of the next: then the mode is degraded first, since
    /// a member is known to be out of reach and no cut is certain yet. So it is where a window is long.
    pub stepwise: bool,
    /// The side that is heard by nobody of the others, and hears them: it alone can know which way the cut is.
    pub one_way_from: Option<usize>,
    /// The network between the agents is cut, and that between their hosts is not.
    pub overlay: bool,
}

/// What one agent should say.
#[derive(Debug, PartialEq, Eq)]
enum Right {
    Cut { kind: PartitionKind, mine: Vec<String>, others: Vec<String> },
    Unheard(String),
}

/// How many names a side lists; the rest is counted.
const NAMED: usize = 100;

/// What is said of a side: its names, as far as they are listed, and how many there are.
pub fn as_said(side: &Side) -> (Vec<String>, usize) {
    (side.nodes.clone(), side.count)
}

/// What should be said of a side with these names.
pub fn as_named(names: &[String]) -> (Vec<String>, usize) {
    (names.iter().take(NAMED).cloned().collect(), names.len())
}

impl Truth {
    pub fn of(sides: Vec<Vec<usize>>) -> Self {
        Self { sides, alive: Vec::new(), stepwise: false, one_way_from: None, overlay: false }
    }

    fn right(&self, world: &World, host: usize) -> Right {
        let side = self.sides.iter().find(|side| side.contains(&host)).expect("every host is on a side");
        let others: Vec<usize> = self.sides.iter().flatten().copied().filter(|other| !side.contains(other)).collect();
        let names = |hosts: &[usize]| hosts.iter().map(|&host| world.name(host).to_owned()).collect::<BTreeSet<_>>();
        if side.len() > 1 && others.len() == 1 && !self.alive.contains(&others[0]) {
            return Right::Unheard(world.name(others[0]).to_owned());
        }
        let lone = side.len() == 1 || others.len() == 1;
        let kind = match (lone, self.overlay) {
            (true, _) => PartitionKind::Isolation,
            (false, true) => PartitionKind::Overlay,
            (false, false) => PartitionKind::Complete,
        };
        Right::Cut { kind, mine: names(side).into_iter().collect(), others: names(&others).into_iter().collect() }
    }

    /// The mode of a host's side while the cut is open.
    pub fn mode(&self, host: usize) -> Mode {
        let side = self.sides.iter().find(|side| side.contains(&host)).expect("every host is on a side");
        let all = self.sides.iter().map(Vec::len).sum::<usize>();
        match side.len() {
            k if 2 * k > all && all - k == 1 && !self.alive.iter().any(|node| !side.contains(node)) => Mode::Degraded,
            k if 2 * k > all => Mode::Majority,
            1 => Mode::Isolated,
            _ => Mode::Minority,
        }
    }

    /// Every agent said what is right, once, and nothing else. Returns, for each partition, the time from
    /// the last datagram over any link that was cut to the decision.
    pub fn check(&self, world: &World, label: &str) -> Vec<f64> {
        let mut ids: BTreeSet<PartitionId> = BTreeSet::new();
        let mut detections = Vec::new();
        let crossed = world.last_crossing(&self.sides);
        for host in 0..world.size() {
            let mut said: Vec<&Event> = verdicts_of(world, host);
            let right = self.right(world, host);
            self.take_direction(host, &mut said, label);
            assert_eq!(said.len(), 1, "{label}: {} should say {right:?} once, said {said:?}", world.name(host));
            match (said[0], &right) {
                (Event::PartitionOpened(partition), Right::Cut { kind, mine, others }) => {
                    assert_eq!((&partition.kind, partition.certain), (kind, true), "{label}: {said:?}");
                    let sides: Vec<_> = partition.sides.iter().map(as_said).collect();
                    assert_eq!(sides, [as_named(mine), as_named(others)], "{label}");
                    ids.insert(partition.id);
                    detections.push(opened_at(world, host).since(crossed).as_secs_f64());
                }
                (Event::NodeUnheard { peer: node }, Right::Unheard(unheard)) => assert_eq!(node, unheard, "{label}"),
                (said, right) => panic!("{label}: {} said {said:?} and not {right:?}", world.name(host)),
            }
            self.check_modes(world, host, label);
        }
        assert!(ids.len() <= 1, "{label}: all sides call the cut the same: {ids:?}");
        detections
    }

    /// Who hears the others and is not heard says so in the end, and nobody else does.
    fn take_direction(&self, host: usize, said: &mut Vec<&Event>, label: &str) {
        let knows = self.one_way_from.is_some_and(|side| self.sides[side].contains(&host));
        let Some(Event::PartitionChanged(changed)) = said.get(1) else {
            let opened = matches!(said[..], [Event::PartitionOpened(_)]);
            assert!(!knows || !opened, "{label}: {host} states no direction: {said:?}");
            return;
        };
        let lone = changed.sides.iter().any(|side| side.count == 1);
        let kind = if lone { PartitionKind::Isolation } else { PartitionKind::Simplex };
        let right = knows && (changed.direction, changed.kind) == (Some(Direction::FromFirst), kind);
        assert!(right, "{label}: {host} changed {changed:?}");
        said.remove(1);
    }

    fn check_modes(&self, world: &World, host: usize, label: &str) {
        let said: Vec<Mode> = modes_of(world, host);
        let right = self.mode(host);
        assert_eq!(said.last(), Some(&right), "{label}: the mode of {}: {said:?}", world.name(host));
        let before = &said[..said.len() - 1];
        let right = before.is_empty() || self.stepwise && before == [Mode::Degraded];
        assert!(right, "{label}: {} said {said:?} on the way", world.name(host));
    }

    /// After the heal every agent closed what it had opened, as healed and confirmed, and is normal again.
    pub fn check_healed(world: &World, label: &str) {
        for host in 0..world.size() {
            let said = verdicts_of(world, host);
            assert_eq!(said.len(), 1, "{label}: {} should close once, said {said:?}", world.name(host));
            match said[0] {
                Event::PartitionClosed { cause, confirmed, .. } | Event::NodeHeard { cause, confirmed, .. } => {
                    assert_eq!((*cause, *confirmed), (CloseCause::Healed, Some(true)), "{label}: {said:?}");
                }
                said => panic!("{label}: {} said {said:?}", world.name(host)),
            }
            assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{label}: {}", world.name(host));
        }
    }
}

/// When a host opened a partition.
fn opened_at(world: &World, host: usize) -> Now {
    let mut told = world.told().iter().filter(|told| told.host == host);
    told.find(|told| matches!(told.event, Event::PartitionOpened(_))).expect("it opened one").at
}

/// What a host said of partitions, silent nodes and agents that are down.
pub fn verdicts_of(world: &World, host: usize) -> Vec<&Event> {
    let said = world.told().iter().filter(|told| told.host == host).map(|told| &told.event);
    said.filter(|event| is_verdict(event)).collect()
}

/// Whether an event says something of partitions, of silent nodes or of agents that are down.
pub fn is_verdict(event: &Event) -> bool {
    matches!(
        event,
        Event::PartitionOpened(_)
            | Event::PartitionChanged(_)
            | Event::PartitionClosed { .. }
            | Event::NodeUnheard { .. }
            | Event::NodeHeard { .. }
            | Event::AgentDown { .. }
            | Event::AgentUp { .. }
    )
}

/// The modes that a host took, in order.
pub fn modes_of(world: &World, host: usize) -> Vec<Mode> {
    let said = world.told().iter().filter(|told| told.host == host);
    said.filter_map(|told| if let Event::ModeChanged { to, .. } = told.event { Some(to) } else { None }).collect()
}
