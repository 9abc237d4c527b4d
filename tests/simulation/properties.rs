//! The laws of the detector over random histories of everything at once: complete, partial and one-way cuts and single
//! pairs that overlap as they come, heals, goodbyes, crashes, restarts with and without state, stalls and loss, at 3 to 7
//! nodes.
//!
//! Each `Law` is asserted at every word that is said, or whenever the network has been still for long enough.
//! `random_histories` has the same for complete cuts with whole machines that die, `electorate_histories` for who may write.

use std::collections::BTreeSet;
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::Partition;
use netsplit::detector::settings::{Policy, Timing};
use netsplit::detector::time::Now;
use netsplit::simulation::{Told, World};
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::known_truth::KnownTruth;
use crate::{default_timing, histories, lossy, settled, verify};

/// What a cut does to hosts that have the numbers 0, 1 and 2.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Nothing passes between different numbers.
    Complete,
    /// Nothing passes between 0 and 1; 2 reaches all.
    Partial,
    /// Nothing passes from 0 to 1.
    OneWay,
}

impl Shape {
    fn cuts(self, from: u8, to: u8) -> bool {
        match self {
            Self::Complete => from != to,
            Self::Partial => matches!((from, to), (0, 1) | (1, 0)),
            Self::OneWay => (from, to) == (0, 1),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Happening {
    Cut { shape: Shape, numbers: Vec<u8> },
    Pair { one: usize, other: usize, one_way: bool },
    Heal,
    Stop(usize),
    Kill(usize),
    Start { host: usize, state: bool },
    Stall { host: usize, length: Duration },
    Loss(f64),
}

impl Happening {
    /// The links that it cuts.
    fn links(&self) -> Vec<(usize, usize)> {
        match self {
            Self::Cut { shape, numbers } => {
                let pairs = (0..numbers.len()).flat_map(|from| (0..numbers.len()).map(move |to| (from, to)));
                pairs.filter(|&(from, to)| from != to && shape.cuts(numbers[from], numbers[to])).collect()
            }
            Self::Pair { one, other, one_way: true } => vec![(*one, *other)],
            Self::Pair { one, other, one_way: false } => vec![(*one, *other), (*other, *one)],
            _ => Vec::new(),
        }
    }

    fn happen(&self, world: &mut World) {
        match self {
            Self::Cut { .. } | Self::Pair { .. } => {
                for (from, to) in self.links() {
                    world.block(from, to);
                }
            }
            Self::Heal => world.heal(),
            Self::Stop(host) => world.stop(*host),
            Self::Kill(host) => world.kill(*host),
            Self::Start { host, state } => {
                // The last run's goodbye may still be under way.
                world.kill(*host);
                world.start(*host, *state);
            }
            Self::Stall { host, length } => world.stall(*host, *length),
            Self::Loss(loss) => world.set_conditions(lossy(*loss)),
        }
    }
}

/// One happening, and how long it then stays as it is.
#[derive(Clone, Debug)]
pub struct Step {
    pub happening: Happening,
    pub wait: Duration,
}

/// What decides which step may come next.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub hosts: usize,
    pub seed: u64,
    pub running: Vec<bool>,
}

pub struct Histories;

impl ReferenceStateMachine for Histories {
    type State = Cluster;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Cluster> {
        let cluster = |(hosts, seed)| Cluster { hosts, seed, running: vec![true; hosts] };
        (3..=7_usize, any::<u64>()).prop_map(cluster).boxed()
    }

    fn transitions(cluster: &Cluster) -> BoxedStrategy<Step> {
        let hosts = cluster.hosts;
        let host = 0..hosts;
        let shape = prop::sample::select(vec![Shape::Complete, Shape::Partial, Shape::OneWay]);
        let numbers = prop::collection::vec(0..3_u8, hosts);
        let cut = (shape, numbers).prop_map(|(shape, numbers)| Happening::Cut { shape, numbers });
        let pair = (0..hosts, 1..hosts, any::<bool>()).prop_map(move |(one, further, one_way)| Happening::Pair {
            one,
            other: (one + further) % hosts,
            one_way,
        });
        let length = (100..12_000_u64).prop_map(Duration::from_millis);
        let happening = Union::new_weighted(vec![
            (6, cut.boxed()),
            (2, pair.boxed()),
            (5, Just(Happening::Heal).boxed()),
            (1, host.clone().prop_map(Happening::Stop).boxed()),
            (2, host.clone().prop_map(Happening::Kill).boxed()),
            (4, (host.clone(), any::<bool>()).prop_map(|(host, state)| Happening::Start { host, state }).boxed()),
            (2, (host, length).prop_map(|(host, length)| Happening::Stall { host, length }).boxed()),
            (1, prop::sample::select(vec![0.0, 0.01, 0.05]).prop_map(Happening::Loss).boxed()),
        ]);
        let wait = prop_oneof![0..3_000_u64, 3_000..40_000_u64].prop_map(Duration::from_millis);
        (happening, wait).prop_map(|(happening, wait)| Step { happening, wait }).boxed()
    }

    fn apply(mut cluster: Cluster, step: &Step) -> Cluster {
        match step.happening {
            Happening::Kill(host) | Happening::Stop(host) => cluster.running[host] = false,
            Happening::Start { host, .. } => cluster.running[host] = true,
            _ => {}
        }
        cluster
    }

    fn preconditions(cluster: &Cluster, step: &Step) -> bool {
        // A smaller cluster may be tried with the same steps.
        let runs = |host: &usize| cluster.running.get(*host).copied();
        match &step.happening {
            Happening::Kill(host) | Happening::Stop(host) | Happening::Stall { host, .. } => runs(host) == Some(true),
            Happening::Start { host, .. } => runs(host) == Some(false),
            Happening::Cut { numbers, .. } => numbers.len() == cluster.hosts,
            Happening::Pair { one, other, .. } => one != other && *one.max(other) < cluster.hosts,
            Happening::Heal | Happening::Loss(_) => true,
        }
    }
}

/// How long a link that is open again, or whose cut is open one way, takes to be seen as it is: a peer that does not hear
/// is waited for in windows of three paces.
fn longest_bound(timing: Timing) -> Duration {
    timing.period + timing.timeout + timing.period * 3 * (u32::from(timing.failure_threshold.get()) - 1)
}

/// From the last change until everybody has said what there is to say: the rows of the last links that fell are on
/// their way, and then it settles, with a bound for what is merely possible.
fn until_told(timing: Timing) -> Duration {
    longest_bound(timing) + timing.confirm_period * 4 + timing.detection_bound()
}

/// The longest wait before a closing.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// The world under test, what is true of it, and sometimes a second one that must say the same.
pub struct History {
    world: World,
    twin: Option<World>,
    truth: KnownTruth,
    checked: usize,
    loses: bool,
    /// When each agent said last that it had stalled.
    woke: Vec<Option<Now>>,
}

impl History {
    pub fn new(cluster: &Cluster) -> Self {
        let fresh = || {
            let mut world = World::started(cluster.hosts, default_timing(), lossy(0.0), cluster.seed);
            world.run_for(Duration::from_secs(6));
            world.forget_told();
            world
        };
        let world = fresh();
        Self {
            truth: KnownTruth::new(cluster.hosts, world.now()),
            twin: (cluster.seed.is_multiple_of(4)).then(fresh),
            checked: 0,
            loses: false,
            woke: vec![None; cluster.hosts],
            world,
        }
    }

    pub fn step(&mut self, step: &Step) {
        self.learn(&step.happening);
        for world in [Some(&mut self.world), self.twin.as_mut()].into_iter().flatten() {
            step.happening.happen(world);
            world.run_for(step.wait);
        }
        self.check_words();
        self.truth.hear(self.world.now());
        if self.is_still_for(until_told(default_timing())) {
            self.check_everybody();
        }
    }

    fn learn(&mut self, happening: &Happening) {
        let (now, truth) = (self.world.now(), &mut self.truth);
        match happening {
            Happening::Cut { .. } | Happening::Pair { .. } => truth.block(&happening.links(), now),
            Happening::Heal => truth.heal(now),
            Happening::Stop(host) => truth.leave(*host, !self.loses, now),
            Happening::Kill(host) => truth.kill(*host, now),
            Happening::Start { host, state } => truth.start(*host, *state, now),
            Happening::Stall { host, length } => truth.stall(*host, now + *length, now),
            Happening::Loss(loss) => self.loses = *loss > 0.0,
        }
    }

    fn is_still_for(&self, time: Duration) -> bool {
        let (now, since) = (self.world.now(), self.truth.still_since());
        now > since && now.since(since) > time
    }

    fn host(&self, name: &str) -> usize {
        (0..self.world.size()).find(|&host| self.world.name(host) == name).unwrap()
    }

    fn check_words(&mut self) {
        for at in self.checked..self.world.told().len() {
            let told = self.world.told()[at].clone();
            if let Event::Stalled { .. } = told.event {
                self.woke[told.host] = Some(told.at);
            }
            self.check_word(&told);
        }
        self.checked = self.world.told().len();
    }

    /// Safety: nobody is blamed who is there, and nothing is a partition without a pair that is, or just was, broken.
    fn check_word(&self, told: &Told) {
        match &told.event {
            Event::PartitionOpened(partition) => self.check_opened(partition, told),
            Event::NodeUnheard { peer } | Event::AgentDown { peer, .. } => {
                self.check_blamed(self.host(peer), told);
            }
            _ => {}
        }
    }

    fn check_opened(&self, partition: &Partition, told: &Told) {
        let timing = default_timing();
        let noticed = timing.detection_bound() * 2;
        let pairs = self.pairs(partition);
        let broken = pairs.iter().any(|&(one, other)| !self.truth.is_whole(one, other, told.at, noticed));
        assert!(broken, "no pair is broken: {told:?}");
        for &(one, other) in &pairs {
            if one == told.host || other == told.host {
                self.check_blamed(if one == told.host { other } else { one }, told);
            }
        }
        let still_since = self.truth.still_since();
        let is_still = told.at > still_since && told.at.since(still_since) > until_told(timing);
        if is_still && self.is_bound_by(told.host, partition) {
            let whole = pairs.iter().find(|&&(one, other)| self.truth.is_whole(one, other, told.at, noticed));
            assert_eq!(whole, None, "the network is still, and this pair is whole: {told:?}");
        }
    }

    fn check_blamed(&self, blamed: usize, told: &Told) {
        let bound = default_timing().detection_bound();
        let whole = self.truth.is_whole(told.host, blamed, told.at, bound * 2);
        assert!(!whole, "{blamed} is there: {told:?}");
        assert!(!self.truth.has_taken_leave(told.host, blamed), "{blamed} said goodbye: {told:?}");
        let awake = self.woke[told.host].is_none_or(|woke| told.at.since(woke) >= bound);
        assert!(awake, "it slept until just now: {told:?}");
    }

    /// The pairs that a partition says are broken.
    fn pairs(&self, partition: &Partition) -> Vec<(usize, usize)> {
        let side = |at: usize| partition.sides[at].nodes.iter().map(|name| self.host(name)).collect::<Vec<_>>();
        let excepted: BTreeSet<(usize, usize)> =
            partition.exceptions.iter().map(|(one, other)| (self.host(one), self.host(other))).collect();
        let (near, far) = (side(0), side(1));
        let all = near.iter().flat_map(|&one| far.iter().map(move |&other| (one, other)));
        all.filter(|&(one, other)| !excepted.contains(&(one, other)) && !excepted.contains(&(other, one))).collect()
    }

    /// The network has been still for long enough: everybody who runs has told what is cut, and one side may write.
    fn check_everybody(&self) {
        for host in (0..self.truth.hosts()).filter(|&host| self.truth.runs(host)) {
            self.check_complete_cut(host);
            self.check_partial_cuts(host);
        }
        self.check_writers();
    }

    /// Completeness: who is cut off entirely from a side is told so by everybody of it.
    fn check_complete_cut(&self, host: usize) {
        let side = self.truth.side_of(host);
        let outside = self.truth.outside(&side);
        let all_known = self.truth.have_heard(&side, &outside) && !self.truth.is_at_odds_about_who_left(&side);
        if outside.is_empty() || !self.sees_its_side(host) || !all_known {
            return;
        }
        let partition = self.world.detector(host).unwrap().partition();
        let beyond: BTreeSet<usize> =
            partition.iter().flat_map(|cut| &cut.sides[1].nodes).map(|name| self.host(name)).collect();
        for &other in &outside {
            let lone = !self.truth.is_heard_by(other, &side) && self.is_unheard(host, other);
            assert!(beyond.contains(&other) || lone, "{host} does not tell that {other} is cut off: {}", self.label());
        }
        let wrong: Vec<_> = side.intersection(&beyond).collect();
        assert!(wrong.is_empty(), "{host} takes {wrong:?} for cut off: {}", self.label());
    }

    fn is_unheard(&self, host: usize, other: usize) -> bool {
        let view = self.world.detector(host).unwrap().view(self.world.now());
        let name = self.world.name(other);
        view.nodes.iter().any(|node| node.member.name == name && node.unheard)
    }

    /// Every pair that is broken for long within a side is in a cut that those beside it tell.
    fn check_partial_cuts(&self, host: usize) {
        let timing = default_timing();
        // One pair is a link's matter for four bounds; then it settles.
        if !self.is_still_for(until_told(timing) + timing.detection_bound() * 4 + timing.confirm_period * 3) {
            return;
        }
        let side = self.truth.side_of(host);
        if !self.truth.is_close(&side) {
            return;
        }
        let told: BTreeSet<(usize, usize)> =
            self.world.detector(host).unwrap().partitions().flat_map(|partition| self.pairs(partition)).collect();
        for (one, other) in self.truth.broken_within(&side) {
            let is_told = told.contains(&(one, other)) || told.contains(&(other, one));
            let beside = self.truth.is_beside(host, (one, other));
            assert!(is_told || !beside, "{host} does not tell of {one} and {other}: {}", self.label());
        }
    }

    /// At most one side writes.
    fn check_writers(&self) {
        let may_write =
            |host: &usize| self.world.detector(*host).is_some_and(|detector| detector.mode().may_write(Policy::Cp));
        let sides: BTreeSet<BTreeSet<usize>> =
            (0..self.truth.hosts()).filter(may_write).map(|host| self.truth.side_of(host)).collect();
        assert!(sides.len() <= 1 || !sides.iter().all(|side| self.truth.is_close(side)), "{sides:?} write");
    }

    /// Everything is as it was said, long after the last change: nothing is open that is whole.
    fn check_what_is_open(&self) {
        let now = self.world.now();
        for host in (0..self.truth.hosts()).filter(|&host| self.truth.runs(host)) {
            let open = self.world.detector(host).unwrap().partitions();
            for partition in open.filter(|partition| self.is_bound_by(host, partition)) {
                let whole = self
                    .pairs(partition)
                    .into_iter()
                    .find(|&(one, other)| self.truth.is_whole(one, other, now, LONGEST_HOLD));
                assert_eq!(whole, None, "{host} still tells of {partition:?}");
            }
        }
    }

    /// Whether a host may be held to all that it says: a cut that is merely possible may be told, as such, where not all
    /// is in sight.
    fn is_bound_by(&self, host: usize, partition: &Partition) -> bool {
        partition.certain || self.sees_its_side(host)
    }

    /// Whether a host has in sight all that its side knows. From the end of a chain the other end is out of sight, and so
    /// is whom only others of the side hear.
    fn sees_its_side(&self, host: usize) -> bool {
        let side = self.truth.side_of(host);
        self.truth.is_close(&side) && self.truth.hears_what_its_side_hears(host, &side, &self.truth.outside(&side))
    }

    fn label(&self) -> String {
        let told: Vec<String> = self.world.told().iter().map(|told| format!("{told:?}")).collect();
        format!("at {:?}, {:?}, told\n{}", self.world.now(), self.truth, told.join("\n"))
    }
}

impl StateMachineTest for History {
    type SystemUnderTest = Self;
    type Reference = Histories;

    fn init_test(cluster: &Cluster) -> Self {
        Self::new(cluster)
    }

    fn apply(mut history: Self, _: &Cluster, step: Step) -> Self {
        history.step(&step);
        history
    }

    fn teardown(mut history: Self, cluster: Cluster) {
        if let Some(twin) = &history.twin {
            assert_eq!(history.world.told(), twin.told(), "the same history says the same");
        }
        history.twin = None;
        let wait = until_told(default_timing()) + LONGEST_HOLD + Duration::from_secs(20);
        history.step(&Step { happening: Happening::Loss(0.0), wait });
        history.check_what_is_open();
        history.step(&Step { happening: Happening::Heal, wait: Duration::from_secs(13) });
        for host in (0..cluster.hosts).filter(|&host| !cluster.running[host]) {
            history.step(&Step { happening: Happening::Start { host, state: true }, wait: Duration::ZERO });
        }
        // The longest hold, and a loss of 5 % is forgotten in three minutes.
        history.step(&Step { happening: Happening::Heal, wait: Duration::from_secs(240) });
        for host in 0..cluster.hosts {
            let detector = history.world.detector(host).unwrap();
            assert_eq!(detector.partitions().count(), 0, "{host} after the heal");
            assert_eq!(detector.mode(), Mode::Normal, "{host} after the heal");
        }
    }
}

prop_state_machine! {
    #![proptest_config(histories(verify::size(600, 10_000), 2))]

    #[test]
    fn the_laws_hold_in_every_history(sequential 1..20 => History);
}

#[test]
fn a_bridge_tells_of_a_pair_one_of_whom_slept_when_it_was_cut() {
    // While it may still be waking it is part of no cut, and after that no row changes any more.
    for seed in 0..20 {
        let mut world = settled(3, default_timing(), lossy(0.0), seed);
        world.cut(&[vec![0], vec![1]]);
        world.run_for(Duration::from_millis(200));
        world.stall(1, Duration::from_millis(600));
        world.run_for(Duration::from_secs(30));
        for host in 0..3 {
            assert_eq!(world.detector(host).unwrap().partitions().count(), 1, "seed {seed}, {host}");
        }
    }
}

#[test]
fn an_agent_that_slept_while_a_direction_was_open_has_no_timer_that_spins() {
    // The world itself looks at that.
    for seed in 0..20 {
        let mut world = settled(3, default_timing(), lossy(0.0), seed);
        world.block(0, 1);
        world.run_for(Duration::from_secs(14));
        for _ in 0..8 {
            world.stall(1, Duration::from_millis(1_300));
            world.run_for(Duration::from_millis(4_100));
        }
    }
}
