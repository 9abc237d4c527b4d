//! Where nothing is wrong with the network, nothing is said of it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::{Partition, PartitionId};
use netsplit::detector::settings::Timing;
use netsplit::simulation::{Bursts, Conditions, Running, Told, World};

use crate::expectation::is_verdict;
use crate::falls::{Falls, UNTOLD};
use crate::verify::{self, QUIET};
use crate::{default_timing, for_each_seed, lossy, settled};

/// Panics if anything was said of cuts or silent nodes, or if somebody's mode is not normal.
fn assert_nothing_said(world: &World, label: &str) {
    let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
    assert!(said.is_empty(), "{label}: {said:?}");
    for host in 0..world.size() {
        assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{label}: {}", world.name(host));
    }
}

/// What is wrong with a network in which nothing is cut, and who may be told of for it.
struct Weather {
    name: &'static str,
    conditions: Conditions,
    /// Whether this cut may be told: that is no false alarm.
    is_excused: fn(&Partition, &Falls) -> bool,
    /// What goes on with some host or link, for a while.
    goes_on: fn(&mut World),
}

const HUNDRED: usize = 100;

impl Weather {
    fn of(name: &'static str, conditions: Conditions) -> Self {
        let goes_on = |world: &mut World| world.run_for(Duration::from_secs(40));
        Self { name, conditions, is_excused: |_, _| false, goes_on }
    }

    /// Lets a hundred agents live in it for `quick` or six hours, and returns how many links fell and how many cuts were
    /// told that may be told. Panics at the first false word.
    fn last(&self, quick: Duration) -> (usize, usize) {
        let time = verify::size(quick, Duration::from_secs(6 * 3600));
        let mut world = settled(HUNDRED, default_timing(), self.conditions.clone(), 1);
        let mut judge = Judge::of(&mut world);
        let end = world.now() + time;
        while world.now() < end {
            (self.goes_on)(&mut world);
            judge.hear(self, &mut world);
        }
        world.run_for(UNTOLD);
        judge.hear(self, &mut world);
        let (links, excused) = (judge.links, judge.excused.len());
        self.row(time, links, excused);
        (links, excused)
    }

    /// None in a time are, with 95 % certainty, fewer than three in as long a time (the rule of three).
    fn row(&self, time: Duration, links: usize, excused: usize) {
        let hours = time.as_secs_f64() / 3600.0;
        eprintln!("{}: {hours} h, {links} links fell, {excused} cuts told that were there", self.name);
        QUIET.row(&[
            self.name.to_owned(),
            HUNDRED.to_string(),
            format!("{hours:.2} h"),
            links.to_string(),
            excused.to_string(),
            "0".to_owned(),
            format!("0 to {:.0} a day", 3.0 * 24.0 / hours),
        ]);
    }
}

/// Who holds what is told against the links that fell.
struct Judge {
    links: usize,
    lately: Falls,
    excused: BTreeSet<PartitionId>,
    /// Told so lately that a link may have fallen before of which nobody told yet.
    waiting: VecDeque<Told>,
}

impl Judge {
    /// One who knows what fell until now.
    fn of(world: &mut World) -> Self {
        let mut lately = Falls::default();
        for told in world.take_told() {
            lately.hear(world, &told);
        }
        Self { links: 0, lately, excused: BTreeSet::new(), waiting: VecDeque::new() }
    }

    fn hear(&mut self, weather: &Weather, world: &mut World) {
        let told = world.take_told();
        self.links += told.iter().map(|told| self.lately.hear(world, told)).sum::<usize>();
        self.waiting.extend(told);
        while let Some(told) = self.waiting.pop_front_if(|told| told.at + UNTOLD <= world.now()) {
            self.judge(weather, &told);
        }
        self.lately.forget_old(world.now());
    }

    fn judge(&mut self, weather: &Weather, told: &Told) {
        match &told.event {
            Event::PartitionOpened(partition) if (weather.is_excused)(partition, &self.lately) => {
                self.excused.insert(partition.id);
            }
            Event::PartitionChanged(partition) | Event::PartitionClosed { partition, .. }
                if self.excused.contains(&partition.id) => {}
            event => assert!(!is_verdict(event), "{}: {told:?}, of late {:?}", weather.name, self.lately),
        }
    }
}

fn is_between(partition: &Partition, one: &[&str], other: &[&str]) -> bool {
    let is = |at: usize, names: &[&str]| partition.sides[at].nodes == names;
    is(0, one) && is(1, other) || is(0, other) && is(1, one)
}

#[test]
fn a_hundred_agents_at_one_percent_loss_declare_nothing() {
    let (links, _) = Weather::of("1 % independent loss", lossy(0.01)).last(Duration::from_secs(10 * 60));
    assert_eq!(links, 0, "links down");
}

#[test]
fn a_hundred_agents_at_five_percent_loss_name_no_cut() {
    Weather::of("5 % independent loss", lossy(0.05)).last(Duration::from_secs(4 * 60));
}

/// One burst in 150 lasts longer than the bound, and a hundred nodes have 9,900 links: now and then two links of one node
/// are silent for so long at once. That is told as it is, "one node cut off from some"; nothing else is.
#[test]
fn of_bursts_of_half_a_second_on_every_link_only_those_are_told_that_outlast_the_bound() {
    let bursts = Bursts { mean: Duration::from_millis(500), pause: Duration::from_secs(60) };
    let conditions = Conditions { bursts: Some(bursts), ..lossy(0.0) };
    let weather = Weather {
        is_excused: |partition, falls| falls.explain(partition),
        ..Weather::of("bursts of 0.5 s every 60 s on each link", conditions)
    };
    weather.last(Duration::from_secs(2 * 60));
}

#[test]
fn of_one_link_that_flaps_nobody_else_is_blamed() {
    let flapping = Weather {
        is_excused: |partition, _| is_between(partition, &["n000"], &["n001"]),
        goes_on: |world| {
            let both_ways = [(0, 1), (1, 0)];
            for (from, to) in both_ways {
                world.block(from, to);
            }
            world.run_for(Duration::from_secs(20));
            for (from, to) in both_ways {
                world.unblock(from, to);
            }
            world.run_for(Duration::from_secs(20));
        },
        ..Weather::of("1 % loss, one link flaps 20 s / 20 s", lossy(0.01))
    };
    let (links, told) = flapping.last(Duration::from_secs(4 * 60));
    assert!(links > 0 && told > 0, "the link itself is told: {links} times down, {told} words");
}

#[test]
fn of_one_node_that_is_throttled_nobody_else_is_blamed() {
    let throttled = Weather {
        is_excused: |partition, _| partition.sides.iter().any(|side| side.nodes == ["n003"]),
        goes_on: |world| {
            let (run, of) = (Duration::from_millis(10), Duration::from_millis(100));
            world.set_running(3, Running::Throttled { run, of, phase: Duration::ZERO });
            world.run_for(Duration::from_secs(40));
        },
        ..Weather::of("1 % loss, one node has 10 % of its processor", lossy(0.01))
    };
    throttled.last(Duration::from_secs(4 * 60));
}

/// With one failure enough and no polls, a link falls whenever a heartbeat is lost while it is up. Up lasts 1/p
/// heartbeats on average, and M good ones in a row take (1 − (1−p)^M) / (p·(1−p)^M) more: the mean time of a run of M
/// successes (Feller, An Introduction to Probability Theory, XIII.7). Heartbeats come every ⅞ P.
#[test]
fn without_polls_and_with_a_threshold_of_one_the_rate_of_false_downs_is_what_theory_says() {
    let loss = 0.01_f64;
    let base = default_timing();
    let one = std::num::NonZeroU8::MIN;
    let timing = Timing { failure_threshold: one, success_threshold: one, polls_per_window: 0, ..base };
    let (hosts, time) = (100_usize, Duration::from_secs(verify::size(60, 1800)));
    let downs = std::sync::atomic::AtomicUsize::new(0);
    let seeds = 2;
    for_each_seed(seeds, |seed| {
        let mut world = settled(hosts, timing, lossy(loss), seed);
        world.forget_told();
        world.run_for(time);
        let links = world.told().iter().filter_map(|told| match &told.event {
            Event::LinkDown { links } => Some(links.len()),
            _ => None,
        });
        downs.fetch_add(links.sum(), std::sync::atomic::Ordering::Relaxed);
    });
    let heartbeats = time.as_secs_f64() / (base.period.as_secs_f64() * 7.0 / 8.0);
    let cycle = 1.0 / loss + (1.0 - (1.0 - loss)) / (loss * (1.0 - loss));
    let links = (hosts * (hosts - 1)) as f64 * seeds as f64;
    let expected = links * heartbeats / cycle;
    let seen = downs.into_inner() as f64;
    assert!((seen / expected - 1.0).abs() < 0.10, "{seen} links fell, theory says {expected:.0}");
}

/// Runs a network for a while in which nothing is cut.
fn nothing_happens(name: &str, conditions: &Conditions, hosts: usize) {
    for_each_seed(verify::size(10, 100), |seed| {
        let mut world = settled(hosts, default_timing(), lossy(0.0), seed);
        world.set_conditions(conditions.clone());
        world.run_for(Duration::from_secs(300));
        assert_nothing_said(&world, &format!("{name}, seed {seed}"));
    });
}

#[test]
fn delay_jitter_reordering_and_duplicates_are_no_cut() {
    let milliseconds = Duration::from_millis;
    let slow = Conditions { delay: milliseconds(80), ..Conditions::default() };
    let skewed = Conditions { asymmetry: milliseconds(150), ..Conditions::default() };
    let shuffled = Conditions { jitter: milliseconds(120), duplicates: 0.2, loss: 0.01, ..Conditions::default() };
    nothing_happens("slow", &slow, 5);
    nothing_happens("asymmetric", &skewed, 5);
    nothing_happens("reordered and duplicated", &shuffled, 5);
}

#[test]
fn bursts_of_loss_one_after_another_are_no_cut() {
    for_each_seed(verify::size(6, 100), |seed| {
        let bursts = Bursts { mean: Duration::from_millis(150), pause: Duration::from_secs(20) };
        let mut world =
            settled(8, default_timing(), Conditions { bursts: Some(bursts), ..Conditions::default() }, seed);
        world.forget_told();
        world.run_for(Duration::from_secs(600));
        let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
        assert!(said.is_empty(), "seed {seed}: {said:?}");
    });
}

#[test]
fn one_loss_burst_of_half_a_second_after_another_is_no_cut() {
    for_each_seed(verify::size(10, 100), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        for round in 0..60 {
            let side: Vec<usize> = if round % 2 == 0 { vec![0, 1] } else { vec![round % 5] };
            let others: Vec<usize> = (0..5).filter(|host| !side.contains(host)).collect();
            world.cut(&[side, others]);
            world.run_for(Duration::from_millis(500));
            world.heal();
            let pause = Duration::from_secs(1).mul_f64(1.0 + world.chance());
            world.run_for(pause);
        }
        let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
        assert!(said.is_empty(), "seed {seed}: {said:?}");
    });
}

#[test]
fn a_wall_clock_that_jumps_changes_nothing() {
    for_each_seed(10, |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        for host in 0..5 {
            world.jump_clock(host, if host % 2 == 0 { 3_600_000_000 } else { -3_600_000_000 });
        }
        world.run_for(Duration::from_secs(60));
        assert!(world.told().is_empty(), "seed {seed}: {:?}", world.told());
    });
}

#[test]
fn one_of_many_that_is_throttled_blames_nobody_and_is_not_blamed() {
    for_each_seed(verify::size(10, 100), |seed| {
        let mut world = settled(8, default_timing(), lossy(0.01), seed);
        let (run, of) = (Duration::from_millis(10), Duration::from_millis(100));
        world.set_running(3, Running::Throttled { run, of, phase: Duration::ZERO });
        world.run_for(Duration::from_secs(600));
        assert_nothing_said(&world, &format!("seed {seed}"));
    });
}

#[test]
fn up_to_a_fifth_of_all_datagrams_may_be_lost_without_a_cut() {
    for loss in [0.05, 0.10, 0.20] {
        for_each_seed(verify::size(4, 40), |seed| {
            let mut world = settled(8, default_timing(), lossy(0.0), seed);
            world.forget_told();
            world.set_conditions(lossy(loss));
            world.run_for(Duration::from_secs(600));
            let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
            assert!(said.is_empty(), "loss {loss}, seed {seed}: {said:?}");
        });
    }
}
