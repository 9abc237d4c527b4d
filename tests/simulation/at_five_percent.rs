//! At 5 % loss rows come late, so an agent may name a cut otherwise for a moment. How many agents do is counted; in the
//! end all of them are right.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::partition::Partition;
use netsplit::simulation::World;

use crate::expectation::{is_verdict, verdicts_of};
use crate::verify::{self, AT_LOSS};
use crate::{default_timing, for_each_seed, lossy, settled};

/// The share of agents that may be wrong for a moment, in percent.
const MOST: f64 = 1.0;

/// Nothing passes between two groups; whoever is in neither reaches both.
struct Cut {
    name: &'static str,
    hosts: usize,
    groups: [Vec<usize>; 2],
}

impl Cut {
    fn new(
        name: &'static str,
        hosts: usize,
        one: impl IntoIterator<Item = usize>,
        other: impl IntoIterator<Item = usize>,
    ) -> Self {
        Self { name, hosts, groups: [one.into_iter().collect(), other.into_iter().collect()] }
    }

    fn is_told_by(&self, world: &World, partition: &Partition) -> bool {
        let names = |group: &Vec<usize>| group.iter().map(|&host| world.name(host).to_owned()).collect::<Vec<_>>();
        let right: BTreeSet<Vec<String>> = self.groups.iter().map(names).collect();
        let said: BTreeSet<Vec<String>> = partition.sides.iter().map(|side| side.nodes.clone()).collect();
        said == right && partition.exceptions.is_empty()
    }

    /// Whether a host said this cut once, and nothing else.
    fn is_all_that_is_said(&self, world: &World, host: usize) -> bool {
        matches!(verdicts_of(world, host)[..], [Event::PartitionOpened(partition)] if self.is_told_by(world, partition))
    }

    /// Whether a host says this cut now, and nothing else.
    fn is_all_that_is_open(&self, world: &World, host: usize) -> bool {
        let open: Vec<&Partition> = world.detector(host).unwrap().partitions().collect();
        matches!(open[..], [partition] if self.is_told_by(world, partition))
    }

    /// How many agents said anything else on the way.
    fn wrong_ones(&self, seed: u64) -> usize {
        let mut world = settled(self.hosts, default_timing(), lossy(0.0), seed);
        // Loss is measured by the minute, and polls follow it.
        world.set_conditions(lossy(0.05));
        world.run_for(Duration::from_secs(60));
        let before = world.told().iter().find(|told| is_verdict(&told.event));
        assert_eq!(before, None, "{} of {}, seed {seed}: before the cut", self.name, self.hosts);
        world.forget_told();
        world.cut(&self.groups);
        // What was wrong for a moment is closed after its hold.
        world.run_for(Duration::from_secs(30));
        for host in 0..self.hosts {
            let said = || format!("{:?}", verdicts_of(&world, host));
            let label = format!("{} of {}, seed {seed}, {host}", self.name, self.hosts);
            assert!(self.is_all_that_is_open(&world, host), "{label} is wrong in the end: {}", said());
        }
        (0..self.hosts).filter(|&host| !self.is_all_that_is_said(&world, host)).count()
    }
}

/// Counts the agents that are wrong for a moment over many runs.
fn few_are_wrong(cut: &Cut) {
    let seeds = match cut.hosts {
        0..30 => verify::size(20, 400),
        30..100 => verify::size(5, 200),
        _ => verify::size(1, 40),
    };
    let wrong = Mutex::new(0);
    for_each_seed(seeds, |seed| {
        let wrong_ones = cut.wrong_ones(seed);
        *wrong.lock().unwrap() += wrong_ones;
    });
    let (wrong, agents) = (wrong.into_inner().unwrap(), usize::try_from(seeds).unwrap() * cut.hosts);
    let share = wrong as f64 * 100.0 / agents as f64;
    eprintln!("{} of {}: {wrong} of {agents}, {share:.2} %", cut.name, cut.hosts);
    assert!(share <= MOST, "{} of {}: {wrong} of {agents} were wrong for a moment", cut.name, cut.hosts);
    AT_LOSS.row(&[
        cut.name.to_owned(),
        cut.hosts.to_string(),
        seeds.to_string(),
        agents.to_string(),
        wrong.to_string(),
        format!("{share:.2} %"),
    ]);
}

#[test]
fn of_two_halves_few_agents_are_wrong_for_a_moment() {
    for hosts in [5, 30, 100] {
        few_are_wrong(&Cut::new("half | half", hosts, 0..hosts / 2, hosts / 2..hosts));
    }
}

#[test]
fn of_two_thirds_with_bridges_few_agents_are_wrong_for_a_moment() {
    for hosts in [5, 30, 100] {
        let third = (hosts + 1) / 3;
        few_are_wrong(&Cut::new("1/3 | 1/3 via 1/3", hosts, 0..third, third..2 * third));
    }
}

#[test]
fn of_one_node_cut_off_from_some_few_agents_are_wrong_for_a_moment() {
    for hosts in [5, 30, 100] {
        few_are_wrong(&Cut::new("one node | some", hosts, [0], 1..=hosts / 2));
    }
}
