//! Random histories of who belongs: cuts, heals, crashes, restarts with and without state, joins of many at once,
//! goodbyes, removals, delays, disks that hang, and a discovery that lags or is silent; from 2 to 9 nodes on.
//!
//! At every moment later than bound + settling after the last change of the network at most one side may write.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use netsplit::detector::mode::Mode;
use netsplit::detector::settings::Policy;
use netsplit::detector::time::Now;
use netsplit::simulation::{Conditions, Discovery, World};
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::{default_timing, histories, lossy, verify};

/// How many hosts may join beside those of the beginning.
const JOINERS: usize = 7;
/// How often the writers are looked at.
const GLANCE: Duration = Duration::from_millis(200);

/// Histories that went well, of both tests, and how often the writers were looked at.
static WELL: AtomicU32 = AtomicU32::new(0);
static MOMENTS: AtomicU64 = AtomicU64::new(0);

/// How many histories each of the two tests tries.
fn cases() -> u32 {
    verify::size(1_000, 10_000)
}

#[derive(Clone, Debug)]
enum Happening {
    /// Each host is on the side of this number; nothing passes between sides.
    Cut(Vec<u8>),
    Heal,
    Kill(usize),
    Stop(usize),
    Start {
        host: usize,
        state: bool,
    },
    /// Hosts that were never there are listed and start.
    Join {
        hosts: Vec<usize>,
        listed_first: bool,
    },
    /// A host that is dead is taken out of the discovery, for good.
    Remove(usize),
    /// The discovery lags by this.
    Lag(Duration),
    DiscoveryDown {
        host: usize,
        down: bool,
    },
    HangDisk {
        host: usize,
        hung: bool,
    },
    Delay(Duration),
}

#[derive(Clone, Debug)]
struct Step {
    happening: Happening,
    wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    NotYet,
    Running,
    Dead,
    Removed,
}

/// What is true of the cluster.
#[derive(Clone, Debug)]
struct Truth {
    founders: usize,
    seed: u64,
    names: bool,
    side: Vec<u8>,
    fate: Vec<Fate>,
}

impl Truth {
    fn hosts(&self) -> usize {
        self.founders + JOINERS
    }

    fn apply(mut self, happening: &Happening) -> Self {
        match happening {
            Happening::Cut(side) => self.side.clone_from(side),
            Happening::Heal => self.side.fill(0),
            Happening::Kill(host) | Happening::Stop(host) => self.fate[*host] = Fate::Dead,
            Happening::Start { host, .. } => self.fate[*host] = Fate::Running,
            Happening::Join { hosts, .. } => hosts.iter().for_each(|&host| self.fate[host] = Fate::Running),
            Happening::Remove(host) => self.fate[*host] = Fate::Removed,
            _ => {}
        }
        self
    }
}

struct Histories;

impl ReferenceStateMachine for Histories {
    type State = Truth;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Truth> {
        let truth = |(founders, seed, names): (usize, u64, bool)| {
            let fate = |host| if host < founders { Fate::Running } else { Fate::NotYet };
            let hosts = founders + JOINERS;
            Truth { founders, seed, names, side: vec![0; hosts], fate: (0..hosts).map(fate).collect() }
        };
        (2..=9_usize, any::<u64>(), prop::bool::weighted(0.8)).prop_map(truth).boxed()
    }

    fn transitions(truth: &Truth) -> BoxedStrategy<Step> {
        let of = |fate| -> Vec<usize> { (0..truth.hosts()).filter(|&host| truth.fate[host] == fate).collect() };
        let (running, dead, newcomers) = (of(Fate::Running), of(Fate::Dead), of(Fate::NotYet));
        let host = 0..truth.hosts();
        let lag = prop_oneof![Just(0), 0..90_000_u64].prop_map(|lag| Happening::Lag(Duration::from_millis(lag)));
        let delay = prop_oneof![Just(0), 0..200_u64].prop_map(|delay| Happening::Delay(Duration::from_millis(delay)));
        let mut happenings = vec![
            (6, prop::collection::vec(0..3_u8, truth.hosts()).prop_map(Happening::Cut).boxed()),
            (4, Just(Happening::Heal).boxed()),
            (1, lag.boxed()),
            (1, (host.clone(), any::<bool>()).prop_map(|(host, down)| Happening::DiscoveryDown { host, down }).boxed()),
            (1, (host, any::<bool>()).prop_map(|(host, hung)| Happening::HangDisk { host, hung }).boxed()),
            (1, delay.boxed()),
        ];
        if !running.is_empty() {
            let running = prop::sample::select(running);
            happenings.push((3, running.clone().prop_map(Happening::Kill).boxed()));
            happenings.push((1, running.prop_map(Happening::Stop).boxed()));
        }
        if !dead.is_empty() {
            let dead = prop::sample::select(dead);
            let start = (dead.clone(), any::<bool>()).prop_map(|(host, state)| Happening::Start { host, state });
            happenings.push((4, start.boxed()));
            happenings.push((3, dead.prop_map(Happening::Remove).boxed()));
        }
        if !newcomers.is_empty() {
            let count = newcomers.len();
            let join = (prop::sample::subsequence(newcomers, 1..=count), any::<bool>());
            let join = join.prop_map(|(hosts, listed_first)| Happening::Join { hosts, listed_first });
            happenings.push((3, join.boxed()));
        }
        let wait = prop_oneof![4 => 0..3_000_u64, 5 => 3_000..20_000_u64, 2 => 60_000..90_000_u64];
        let step = (Union::new_weighted(happenings), wait.prop_map(Duration::from_millis));
        step.prop_map(|(happening, wait)| Step { happening, wait }).boxed()
    }

    fn apply(truth: Truth, step: &Step) -> Truth {
        truth.apply(&step.happening)
    }

    fn preconditions(truth: &Truth, step: &Step) -> bool {
        let is = |host: &usize, fate| truth.fate.get(*host) == Some(&fate);
        match &step.happening {
            Happening::Kill(host) | Happening::Stop(host) => is(host, Fate::Running),
            Happening::Start { host, .. } | Happening::Remove(host) => is(host, Fate::Dead),
            Happening::Join { hosts, .. } => hosts.iter().all(|host| is(host, Fate::NotYet)),
            Happening::Cut(side) => side.len() == truth.hosts(),
            _ => true,
        }
    }
}

struct History {
    world: World,
    /// When the network changed last.
    changed: Now,
}

impl History {
    fn happen(&mut self, happening: &Happening) {
        let world = &mut self.world;
        if matches!(happening, Happening::Cut(_) | Happening::Heal | Happening::Delay(_)) {
            self.changed = world.now();
        }
        match happening {
            Happening::Cut(side) => {
                world.heal();
                world.cut(&sides(side));
            }
            Happening::Heal => world.heal(),
            Happening::Kill(host) => world.kill(*host),
            Happening::Stop(host) => world.stop(*host),
            Happening::Start { host, state } => {
                // The last run's goodbye may still be under way.
                world.kill(*host);
                world.start(*host, *state);
            }
            Happening::Join { hosts, listed_first } => Self::join(world, hosts, *listed_first),
            Happening::Remove(host) => {
                world.kill(*host);
                world.list(*host, false);
            }
            Happening::Lag(lag) => world.lag(*lag),
            Happening::DiscoveryDown { host, down } => world.set_discovery_down(*host, *down),
            Happening::HangDisk { host, hung } => world.hang_disk(*host, *hung),
            Happening::Delay(delay) => world.set_conditions(Conditions { jitter: *delay, ..lossy(0.0) }),
        }
    }

    fn join(world: &mut World, hosts: &[usize], listed_first: bool) {
        for &host in hosts {
            world.list(host, true);
        }
        if listed_first {
            world.run_for(Duration::from_secs(5));
        }
        for &host in hosts {
            world.start(host, false);
        }
    }

    /// Later than bound + settling after the last change of the network, who may write is on one side.
    fn check_writers(&self, truth: &Truth) {
        let timing = default_timing();
        let limit = timing.detection_bound() * 2 + timing.confirm_period * 4;
        let now = self.world.now();
        if now.since(self.changed) <= limit {
            return;
        }
        MOMENTS.fetch_add(1, Ordering::Relaxed);
        let may_write =
            |&host: &usize| self.world.detector(host).is_some_and(|detector| detector.mode().may_write(Policy::Cp));
        let writers: Vec<usize> = (0..truth.hosts()).filter(may_write).collect();
        let sides: BTreeSet<u8> = writers.iter().map(|&host| truth.side[host]).collect();
        assert!(sides.len() <= 1, "at {now:?} {writers:?} may write, on sides {sides:?} of {truth:?}");
    }
}

fn sides(side: &[u8]) -> Vec<Vec<usize>> {
    let numbers: BTreeSet<u8> = side.iter().copied().collect();
    numbers.into_iter().map(|number| (0..side.len()).filter(|&host| side[host] == number).collect()).collect()
}

impl StateMachineTest for History {
    type SystemUnderTest = Self;
    type Reference = Histories;

    fn init_test(truth: &Truth) -> Self {
        let mut world = World::new(truth.hosts(), default_timing(), lossy(0.0), truth.seed);
        let founders: Vec<usize> = (0..truth.founders).collect();
        world.discover(Discovery { period: Duration::from_secs(10), names: truth.names }, &founders);
        for &host in &founders {
            world.start(host, false);
            world.run_for(Duration::from_millis(100));
        }
        world.run_for(Duration::from_secs(15));
        for &host in &founders {
            assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{} in the beginning", world.name(host));
        }
        let changed = world.now();
        Self { world, changed }
    }

    fn apply(mut history: Self, truth: &Truth, step: Step) -> Self {
        history.happen(&step.happening);
        let end = history.world.now() + step.wait;
        while history.world.now() < end {
            history.world.run_until((history.world.now() + GLANCE).min(end));
            history.check_writers(truth);
        }
        history
    }

    fn teardown(mut history: Self, truth: Truth) {
        let world = &mut history.world;
        world.heal();
        world.set_conditions(lossy(0.0));
        world.lag(Duration::ZERO);
        world.run_for(Duration::from_secs(10));
        for host in 0..truth.hosts() {
            world.set_discovery_down(host, false);
            world.hang_disk(host, false);
            if truth.fate[host] == Fate::Dead {
                world.start(host, true);
            }
        }
        world.run_for(Duration::from_secs(120));
        let alive = |&host: &usize| matches!(truth.fate[host], Fate::Running | Fate::Dead);
        // So many may be gone that those who are left may not remove them: then an operator has to.
        for gone in (0..truth.hosts()).filter(|&host| truth.fate[host] == Fate::Removed) {
            for host in (0..truth.hosts()).filter(alive) {
                world.forget(host, gone);
            }
        }
        world.run_for(Duration::from_secs(120));
        for host in (0..truth.hosts()).filter(alive) {
            let detector = world.detector(host).unwrap();
            assert_eq!(detector.partition(), None, "{} after the heal", world.name(host));
        }
        if WELL.fetch_add(1, Ordering::Relaxed) + 1 == 2 * cases() {
            let moments = MOMENTS.load(Ordering::Relaxed);
            let cells = ["random histories", "2–16", &(2 * cases()).to_string(), &moments.to_string(), "0"];
            verify::ELECTORATE.row(&cells.map(str::to_owned));
        }
    }
}

prop_state_machine! {
    #![proptest_config(histories(cases(), 3))]

    #[test]
    fn at_most_one_side_may_write(sequential 1..25 => History);
}

prop_state_machine! {
    #![proptest_config(histories(cases(), 4))]

    #[test]
    fn at_most_one_side_may_write_in_the_other_half_of_the_histories(sequential 1..25 => History);
}
