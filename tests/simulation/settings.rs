//! Settings that change while agents run, and periods that stretch as a cluster grows: nobody is declared down for it,
//! and what is cut right then is found all the same.

use std::num::NonZeroU32;
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::link::LinkState;
use netsplit::detector::mode::Mode;
use netsplit::detector::settings::{ConfiguredTiming, Timing};
use netsplit::simulation::{Discovery, World};

use crate::expectation::{Truth, is_verdict};
use crate::verify;
use crate::{default_timing, for_each_seed, lossy, settled};

/// One step after another, from the default of 1 s on.
const STEPS: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(5), Duration::from_secs(1)];

fn assert_nothing_said(world: &World, label: &str) {
    let is_bad =
        |event: &Event| is_verdict(event) || matches!(event, Event::LinkDown { .. } | Event::ModeChanged { .. });
    let said: Vec<_> = world.told().iter().filter(|told| is_bad(&told.event)).collect();
    assert!(said.is_empty(), "{label}: {said:?}");
}

fn random_order(world: &mut World) -> Vec<usize> {
    let mut left: Vec<usize> = (0..world.size()).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        order.push(left.swap_remove(world.pick(left.len())));
    }
    order
}

/// A random time up to so long.
fn moment(world: &mut World, longest: Duration) -> Duration {
    longest.mul_f64(world.chance())
}

/// An operator changes the period of these hosts, all within `during`.
fn roll_out(world: &mut World, hosts: &[usize], period: Duration, during: Duration) {
    for &host in hosts {
        world.change_timing(host, Timing::of_period(period));
        let pause = moment(world, during * 2 / u32::try_from(hosts.len()).unwrap());
        world.run_for(pause);
    }
}

#[test]
fn a_period_that_changes_on_one_agent_or_on_all_declares_nothing() {
    for (hosts, seeds) in [(3, 40), (5, 40), (30, 4)] {
        for loss in [0.0, 0.01] {
            for_each_seed(verify::size(seeds, seeds * 10), |seed| {
                let mut world = settled(hosts, default_timing(), lossy(loss), seed);
                world.forget_told();
                let all = seed % 2 == 0;
                for period in STEPS {
                    let order = random_order(&mut world);
                    let chosen = if all { &order[..] } else { &order[..1] };
                    let during = [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(60)][world.pick(3)];
                    roll_out(&mut world, chosen, period, during);
                    let pause = moment(&mut world, Duration::from_secs(40));
                    world.run_for(pause);
                }
                world.run_for(Duration::from_secs(45));
                assert_nothing_said(&world, &format!("{hosts} hosts, loss {loss}, seed {seed}, all: {all}"));
            });
        }
    }
}

#[test]
fn periods_that_change_at_random_all_the_time_declare_nothing() {
    let periods = [100, 200, 500, 1_000, 2_000, 5_000, 30_000].map(Duration::from_millis);
    for_each_seed(verify::size(20, 400), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        for _ in 0..60 {
            let (host, period) = (world.pick(5), periods[world.pick(periods.len())]);
            world.change_timing(host, Timing::of_period(period));
            let longest = [Duration::from_millis(300), Duration::from_secs(8)][world.pick(2)];
            let pause = moment(&mut world, longest);
            world.run_for(pause);
        }
        world.run_for(Duration::from_secs(100));
        assert_nothing_said(&world, &format!("seed {seed}"));
    });
}

#[test]
fn a_cut_right_after_a_change_is_found_within_the_larger_bound() {
    for (hosts, seeds) in [(3, 60), (5, 60), (30, 6)] {
        for loss in [0.0, 0.01] {
            for_each_seed(verify::size(seeds, seeds * 10), |seed| {
                let label = format!("{hosts} hosts, loss {loss}, seed {seed}");
                let mut world = settled(hosts, default_timing(), lossy(loss), seed);
                world.forget_told();
                let (mut before, after) = (default_timing(), Timing::of_period(STEPS[world.pick(2)]));
                if world.pick(2) == 0 {
                    // As often from a period that is neither.
                    before = Timing::of_period(Duration::from_secs(2));
                    (0..hosts).for_each(|host| world.change_timing(host, before));
                    world.run_for(Duration::from_secs(20));
                }
                let order = random_order(&mut world);
                let changed = if seed % 2 == 0 { hosts } else { 1 };
                order[..changed].iter().for_each(|&host| world.change_timing(host, after));
                let pause = moment(&mut world, Duration::from_secs(3));
                world.run_for(pause);
                assert_nothing_said(&world, &label);
                let middle = 1 + world.pick(hosts - 1);
                let sides = vec![order[..middle].to_vec(), order[middle..].to_vec()];
                world.cut(&sides);
                let bound = before.detection_bound().max(after.detection_bound());
                world.run_for(bound + Duration::from_millis(2));
                assert_every_link_across_is_down(&world, &sides, &label);
                world.run_for(bound * 2 + after.confirm_period.max(before.confirm_period) * 6);
                if changed == hosts {
                    let truth = Truth { stepwise: true, ..Truth::of(sides) };
                    truth.check(&world, &label);
                } else if sides.iter().all(|side| side.len() > 1) {
                    assert_everybody_names_its_side(&world, &sides, &label);
                }
            });
        }
    }
}

/// Where periods differ the sides may take shape one after another; in the end they are right.
fn assert_everybody_names_its_side(world: &World, sides: &[Vec<usize>], label: &str) {
    for side in sides {
        let mut names: Vec<&str> = side.iter().map(|&host| world.name(host)).collect();
        names.sort_unstable();
        for &host in side {
            let partition = world.detector(host).unwrap().partition();
            let mine = partition.and_then(|partition| partition.sides.first()).map(|side| side.nodes.clone());
            assert_eq!(mine.unwrap_or_default(), names, "{label}: {}", world.name(host));
        }
    }
}

fn assert_every_link_across_is_down(world: &World, sides: &[Vec<usize>], label: &str) {
    for (from, to) in [(0, 1), (1, 0)] {
        for &here in &sides[to] {
            let view = world.detector(here).unwrap().view(world.now());
            for &there in &sides[from] {
                let name = world.name(there);
                let link = view.nodes.iter().find(|node| node.member.name == name).unwrap().link;
                assert_eq!(link, Some(LinkState::Down), "{label}: {name}→{}", world.name(here));
            }
        }
    }
}

#[test]
fn silence_after_a_start_is_judged_by_the_longer_bound() {
    for_each_seed(20, |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.kill(4);
        world.cut(&[vec![0, 1, 2, 3], vec![4]]);
        world.forget_told();
        world.start(4, true);
        world.run_for(Duration::from_secs(1));
        (0..5).for_each(|host| world.change_timing(host, Timing::of_period(Duration::from_secs(30))));
        // Longer than the bound with which it started, and shorter than the one that it has.
        world.run_for(Duration::from_secs(20));
        world.heal();
        world.run_for(Duration::from_secs(200));
        let downs = world.told().iter().filter(|told| told.host == 4 && matches!(told.event, Event::LinkDown { .. }));
        assert_eq!(downs.collect::<Vec<_>>(), Vec::<&netsplit::simulation::Told>::new(), "seed {seed}");
        assert_eq!(world.detector(4).unwrap().mode(), Mode::Normal, "seed {seed}");
    });
}

#[test]
fn what_is_over_does_not_come_back_with_a_longer_bound() {
    let mut world = settled(5, default_timing(), lossy(0.0), 1);
    world.stall(2, Duration::from_secs(2));
    world.run_for(Duration::from_secs(10));
    world.forget_told();
    // It woke ten seconds ago, and started less than 41 s ago.
    world.change_timing(2, Timing::of_period(Duration::from_secs(30)));
    world.run_for(Duration::from_secs(100));
    assert_nothing_said(&world, "its mode was normal and stays so");
}

/// With 25 heartbeats a second a hundred nodes are what a thousand are with 250.
fn capped() -> ConfiguredTiming {
    let cap = NonZeroU32::new(25);
    ConfiguredTiming { max_heartbeats_per_second: cap, ..ConfiguredTiming::of_period(Duration::from_secs(1)) }
}

fn period(world: &World, host: usize) -> Duration {
    world.detector(host).unwrap().view(world.now()).period
}

#[test]
fn a_cluster_that_grows_tenfold_at_once_stretches_its_periods_and_declares_nothing() {
    for_each_seed(verify::size(2, 20), |seed| {
        let mut world = World::new(100, capped(), lossy(0.01), seed);
        world.discover(Discovery { period: Duration::from_secs(10), names: true }, &(0..10).collect::<Vec<_>>());
        (0..10).for_each(|host| world.start(host, false));
        world.run_for(Duration::from_secs(20));
        assert_eq!(period(&world, 0), Duration::from_secs(1));
        world.forget_told();
        for host in 10..100 {
            world.list(host, true);
            world.start(host, false);
            let pause = moment(&mut world, Duration::from_millis(200));
            world.run_for(pause);
        }
        world.run_for(Duration::from_secs(60));
        let bad = |event: &Event| is_verdict(event) || matches!(event, Event::LinkDown { .. });
        let said: Vec<_> = world.told().iter().filter(|told| bad(&told.event)).collect();
        assert!(said.is_empty(), "seed {seed}: {said:?}");
        // 99 peers at 25 a second, and what the roster may change unheeded.
        for host in 0..100 {
            let period = period(&world, host).as_secs_f64();
            assert!((period / 3.96 - 1.0).abs() < 0.04, "seed {seed}: {}: {period}", world.name(host));
            assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "seed {seed}: {}", world.name(host));
        }
        let before = world.datagrams();
        world.run_for(Duration::from_secs(100));
        // Intervals of 7/8 of the period, and the answers to what 1 % of loss makes a suspect.
        let rate = (world.datagrams() - before) as f64 / 100.0 / 100.0;
        assert!(rate < 25.0 * 8.0 / 7.0 * 1.15, "seed {seed}: {rate} datagrams a second from each");
    });
}

#[test]
fn a_cluster_that_shrinks_has_its_shorter_period_back() {
    let mut world = World::new(60, capped(), lossy(0.01), 3);
    world.discover(Discovery { period: Duration::from_secs(10), names: true }, &(0..60).collect::<Vec<_>>());
    (0..60).for_each(|host| world.start(host, false));
    world.run_for(Duration::from_secs(40));
    assert_eq!(period(&world, 0), Duration::from_secs(59) / 25);
    world.forget_told();
    // Fewer than half at a time, and the electorate has the time to follow.
    for leaving in [35..60, 20..35] {
        for host in leaving {
            world.list(host, false);
            world.stop(host);
        }
        world.run_for(Duration::from_secs(150));
    }
    for host in 0..20 {
        let period = period(&world, host).as_secs_f64();
        assert!((1.0..1.04).contains(&period), "{}: {period}", world.name(host));
    }
    let bad = |event: &Event| is_verdict(event) || matches!(event, Event::LinkDown { .. });
    let said: Vec<_> = world.told().iter().filter(|told| bad(&told.event)).collect();
    assert!(said.is_empty(), "{said:?}");
}
