//! Random histories: cuts, heals, crashes of agents and machines, restarts, goodbyes, stalls and loss in any order, for 2 to 9 nodes.
//!
//! At every moment: nobody opens a partition across a pair that has long been whole, nobody calls a node unheard that
//! it can hear, and later than bound + settling after the last change at most one side may write. In the end, when all
//! is well again, all is well at every agent; and the same history with the same seed says the same.

use std::collections::BTreeSet;
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::mode::Mode;
use netsplit::detector::settings::Policy;
use netsplit::detector::time::Now;
use netsplit::simulation::{Told, World};
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::{default_timing, histories, lossy, verify};

/// What happens to the cluster.
#[derive(Clone, Debug)]
enum Happening {
    /// Each host is on the side of this number; nothing passes between sides.
    Cut(Vec<u8>),
    Heal,
    /// The agent is gone, its machine goes on.
    Kill(usize),
    /// The whole machine is gone.
    Lose(usize),
    Stop(usize),
    Start {
        host: usize,
        state: bool,
    },
    Stall {
        host: usize,
        length: Duration,
    },
    Loss(f64),
}

/// One happening, and how long it then stays as it is.
#[derive(Clone, Debug)]
struct Step {
    happening: Happening,
    wait: Duration,
}

/// What is true of the cluster.
#[derive(Clone, Debug)]
struct Truth {
    hosts: usize,
    seed: u64,
    side: Vec<u8>,
    running: Vec<bool>,
}

impl Truth {
    fn apply(mut self, happening: &Happening) -> Self {
        match happening {
            Happening::Cut(side) => self.side.clone_from(side),
            Happening::Heal => self.side.fill(0),
            Happening::Kill(host) | Happening::Lose(host) | Happening::Stop(host) => self.running[*host] = false,
            Happening::Start { host, .. } => self.running[*host] = true,
            Happening::Stall { .. } | Happening::Loss(_) => {}
        }
        self
    }
}

struct Histories;

impl ReferenceStateMachine for Histories {
    type State = Truth;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Truth> {
        (2..=9_usize, any::<u64>())
            .prop_map(|(hosts, seed)| Truth { hosts, seed, side: vec![0; hosts], running: vec![true; hosts] })
            .boxed()
    }

    fn transitions(truth: &Truth) -> BoxedStrategy<Step> {
        let hosts = truth.hosts;
        let host = 0..hosts;
        let length = (100..12_000_u64).prop_map(Duration::from_millis);
        let happening = Union::new_weighted(vec![
            (6, prop::collection::vec(0..3_u8, hosts).prop_map(Happening::Cut).boxed()),
            (4, Just(Happening::Heal).boxed()),
            (2, host.clone().prop_map(Happening::Kill).boxed()),
            (2, host.clone().prop_map(Happening::Lose).boxed()),
            (1, host.clone().prop_map(Happening::Stop).boxed()),
            (4, (host.clone(), any::<bool>()).prop_map(|(host, state)| Happening::Start { host, state }).boxed()),
            (2, (host, length).prop_map(|(host, length)| Happening::Stall { host, length }).boxed()),
            (1, prop::sample::select(vec![0.0, 0.01, 0.05]).prop_map(Happening::Loss).boxed()),
        ]);
        let wait = prop_oneof![0..3_000_u64, 3_000..25_000_u64].prop_map(Duration::from_millis);
        (happening, wait).prop_map(|(happening, wait)| Step { happening, wait }).boxed()
    }

    fn apply(truth: Truth, step: &Step) -> Truth {
        truth.apply(&step.happening)
    }

    fn preconditions(truth: &Truth, step: &Step) -> bool {
        // A smaller cluster may be tried with the same steps.
        let runs = |host: &usize| truth.running.get(*host).copied();
        match &step.happening {
            Happening::Kill(host) | Happening::Lose(host) | Happening::Stop(host) | Happening::Stall { host, .. } => {
                runs(host) == Some(true)
            }
            Happening::Start { host, .. } => runs(host) == Some(false),
            Happening::Cut(side) => side.len() == truth.hosts,
            Happening::Heal | Happening::Loss(_) => true,
        }
    }
}

/// The world under test, and since when each pair has been whole.
struct History {
    world: World,
    again: World,
    whole_since: Vec<Vec<Option<Now>>>,
    stalled_until: Vec<Now>,
    changed: Now,
    checked: usize,
    /// Since when the machines are gone that everybody heard until then.
    lost: Vec<Option<Now>>,
}

impl History {
    fn happen(world: &mut World, happening: &Happening) {
        match happening {
            Happening::Cut(side) => {
                world.heal();
                world.cut(&sides(side));
            }
            Happening::Heal => world.heal(),
            Happening::Kill(host) => world.kill(*host),
            Happening::Lose(host) => world.lose(*host),
            Happening::Stop(host) => world.stop(*host),
            Happening::Start { host, state } => {
                // The last run's goodbye may still be under way.
                world.kill(*host);
                world.start(*host, *state);
            }
            Happening::Stall { host, length } => world.stall(*host, *length),
            Happening::Loss(loss) => world.set_conditions(lossy(*loss)),
        }
    }

    /// Notes since when each pair is whole: both run, and nothing is cut between them.
    fn learn(&mut self, truth: &Truth, happening: &Happening) {
        let now = self.world.now();
        if let Happening::Stall { host, length } = happening {
            self.stalled_until[*host] = now + *length;
        }
        if !matches!(happening, Happening::Loss(_)) {
            self.changed = now;
        }
        match happening {
            Happening::Lose(host) => {
                let heard = |other: usize| !truth.running[other] || self.long_whole(other, *host, now);
                self.lost[*host] = (0..truth.hosts).filter(|other| other != host).all(heard).then_some(now);
            }
            Happening::Start { host, .. } => self.lost[*host] = None,
            _ => {}
        }
        for one in 0..truth.hosts {
            for other in 0..truth.hosts {
                let whole = truth.side[one] == truth.side[other] && truth.running[one] && truth.running[other];
                let anew = [one, other].into_iter().any(|host| restarts(happening, host));
                let since = &mut self.whole_since[one][other];
                *since = if !whole {
                    None
                } else if anew {
                    Some(now)
                } else {
                    Some(since.unwrap_or(now))
                };
                if let Some(since) = since {
                    *since = (*since).max(self.stalled_until[one]).max(self.stalled_until[other]);
                }
            }
        }
    }

    /// Whether a pair has been whole for longer than it takes to notice.
    fn long_whole(&self, one: usize, other: usize, at: Now) -> bool {
        let bound = default_timing().detection_bound();
        self.whole_since[one][other].is_some_and(|since| at > since && at.since(since) > bound * 2)
    }

    fn host(&self, name: &str) -> usize {
        (0..self.world.size()).find(|&host| self.world.name(host) == name).unwrap()
    }

    fn check_told(&self, told: &Told) {
        match &told.event {
            Event::PartitionOpened(partition) => {
                // While the network goes on changing, the sides may be those of a moment ago, but some pair is broken.
                let side = |index: usize| partition.sides[index].nodes.iter().map(|name| self.host(name));
                let mut across = side(0).flat_map(|mine| side(1).map(move |other| (mine, other)));
                let whole = |(mine, other)| self.long_whole(mine, other, told.at);
                let wrong = if self.is_calm(told.at) { across.any(whole) } else { across.all(whole) };
                assert!(!wrong, "a pair across is whole: {told:?}");
            }
            Event::NodeUnheard { peer: node } => {
                let node = self.host(node);
                assert!(!self.long_whole(told.host, node, told.at), "{node} is there: {told:?}");
            }
            Event::AgentDown { peer: node, .. } => {
                let node = self.host(node);
                assert!(!self.long_whole(told.host, node, told.at), "{node} is there: {told:?}");
                assert!(self.lost[node].is_none_or(|lost| told.at <= lost), "its machine is gone: {told:?}");
            }
            _ => {}
        }
    }

    /// Whether the last change is longer ago than bound + settling.
    fn is_calm(&self, at: Now) -> bool {
        is_long_after(self.stalled_until.iter().copied().fold(self.changed, Now::max), at)
    }

    /// Later than bound + settling after the last change, the agents that may write are on one side: be it that they sleep,
    /// when whoever asks them sees that what they say is old, or have just woken.
    fn check_writers(&self, truth: &Truth) {
        let now = self.world.now();
        if !is_long_after(self.changed, now) {
            return;
        }
        let may_write = |host: usize| self.world.detector(host).is_some_and(|agent| agent.mode().may_write(Policy::Cp));
        let sleeps = |host: usize| now <= self.stalled_until[host];
        let writers = (0..truth.hosts).filter(|&host| may_write(host) && !sleeps(host));
        let sides: BTreeSet<u8> = writers.map(|host| truth.side[host]).collect();
        assert!(sides.len() <= 1, "two sides may write: {sides:?} of {truth:?}");
    }
}

/// Longer than bound + settling.
fn is_long_after(last: Now, at: Now) -> bool {
    let timing = default_timing();
    at > last && at.since(last) > timing.detection_bound() * 2 + timing.confirm_period * 4
}

fn restarts(happening: &Happening, host: usize) -> bool {
    matches!(happening, Happening::Start { host: started, .. } if *started == host)
}

fn sides(side: &[u8]) -> Vec<Vec<usize>> {
    let numbers: BTreeSet<u8> = side.iter().copied().collect();
    numbers.into_iter().map(|number| (0..side.len()).filter(|&host| side[host] == number).collect()).collect()
}

fn fresh(truth: &Truth) -> World {
    let mut world = World::started(truth.hosts, default_timing(), lossy(0.0), truth.seed);
    world.run_for(Duration::from_secs(6));
    world.forget_told();
    world
}

impl StateMachineTest for History {
    type SystemUnderTest = Self;
    type Reference = Histories;

    fn init_test(truth: &Truth) -> Self {
        let world = fresh(truth);
        let now = world.now();
        Self {
            again: fresh(truth),
            whole_since: vec![vec![Some(Now::START); truth.hosts]; truth.hosts],
            stalled_until: vec![Now::START; truth.hosts],
            changed: now,
            checked: 0,
            lost: vec![None; truth.hosts],
            world,
        }
    }

    fn apply(mut history: Self, truth: &Truth, step: Step) -> Self {
        Self::happen(&mut history.world, &step.happening);
        Self::happen(&mut history.again, &step.happening);
        history.learn(truth, &step.happening);
        history.world.run_for(step.wait);
        history.again.run_for(step.wait);
        history
    }

    fn check_invariants(history: &Self, truth: &Truth) {
        for told in &history.world.told()[history.checked.min(history.world.told().len())..] {
            history.check_told(told);
        }
        history.check_writers(truth);
        assert_eq!(history.world.told().len(), history.again.told().len(), "the same history says the same");
    }

    fn teardown(mut history: Self, truth: Truth) {
        assert_eq!(history.world.told(), history.again.told(), "the same history says the same");
        let world = &mut history.world;
        world.heal();
        world.set_conditions(lossy(0.0));
        world.run_for(Duration::from_secs(13));
        for host in (0..truth.hosts).filter(|&host| !truth.running[host]) {
            world.start(host, true);
        }
        // The longest wait before a closing is a minute; a loss of 5 % is forgotten in three.
        world.run_for(Duration::from_secs(240));
        for host in 0..truth.hosts {
            let detector = world.detector(host).unwrap();
            assert_eq!(detector.partition(), None, "{} after the heal", world.name(host));
            assert_eq!(detector.mode(), Mode::Normal, "{} after the heal", world.name(host));
        }
    }
}

prop_state_machine! {
    #![proptest_config(histories(verify::size(1_000, 10_000), 1))]

    #[test]
    fn in_no_history_is_anybody_wrong(sequential 1..20 => History);
}
