//! The detection bound holds in every run, at any period and loss; the healthy direction of a one-way cut stays up.

use std::collections::BTreeSet;
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::link::LinkState;
use netsplit::detector::settings::Timing;
use netsplit::simulation::World;

use crate::verify::{self, BOUND};
use crate::{for_each_seed, lossy, settled};

const HOSTS: usize = 8;

/// Silences, in seconds, of every link that was declared down; panics on one longer than the bound.
fn silences(world: &World, bound: Duration, label: &str) -> Vec<f64> {
    let downs = world.told().iter().filter_map(|told| match &told.event {
        Event::LinkDown { links } => Some(links),
        _ => None,
    });
    let silences: Vec<Duration> = downs.flatten().filter_map(|link| link.silent_for).collect();
    for silence in &silences {
        assert!(*silence <= bound, "{label}: down after {silence:?}, the bound is {bound:?}");
    }
    silences.iter().map(Duration::as_secs_f64).collect()
}

/// A random cut of any shape: two sides, one host, or one direction of one pair. Returns the directed links cut.
fn cut_somehow(world: &mut World) -> BTreeSet<(usize, usize)> {
    let everybody = 0..HOSTS;
    let size = 1 + world.pick(HOSTS - 1);
    let offset = world.pick(HOSTS);
    let near: Vec<usize> = (0..size).map(|step| (offset + step) % HOSTS).collect();
    let far: Vec<usize> = everybody.filter(|host| !near.contains(host)).collect();
    let shape = world.pick(3);
    let mut links = BTreeSet::new();
    match shape {
        0 => links.extend([(near[0], far[0])]),
        1 => links.extend(near.iter().flat_map(|&from| far.iter().map(move |&to| (from, to)))),
        _ => links.extend(near.iter().flat_map(|&one| far.iter().flat_map(move |&two| [(one, two), (two, one)]))),
    }
    for &(from, to) in &links {
        world.block(from, to);
    }
    links
}

fn links_of_a_cut_fall_within_the_bound(period: Duration, loss: f64) {
    let timing = Timing::of_period(period);
    let bound = timing.detection_bound();
    let seeds = verify::size(500, 10_000);
    let longest = std::sync::Mutex::new(0.0_f64);
    for_each_seed(seeds, |seed| {
        let label = format!("P = {period:?}, loss {loss}, seed {seed}");
        let mut world = settled(HOSTS, timing, lossy(loss), seed);
        let links = cut_somehow(&mut world);
        world.run_for(bound + timing.confirm_period * 2);
        for (from, to) in links {
            let view = world.detector(to).unwrap().view(world.now());
            let name = world.name(from);
            let link = view.nodes.iter().find(|node| node.member.name == name).unwrap().link;
            assert_eq!(link, Some(LinkState::Down), "{label}: {name}→{}", world.name(to));
        }
        let worst = silences(&world, bound, &label).into_iter().fold(0.0, f64::max);
        let mut longest = longest.lock().unwrap();
        *longest = longest.max(worst);
    });
    BOUND.row(&[
        format!("{period:?}"),
        format!("{} %", loss * 100.0),
        seeds.to_string(),
        format!("{:.2} s", bound.as_secs_f64()),
        format!("{:.2} s", longest.into_inner().unwrap()),
        "0".to_owned(),
    ]);
}

#[test]
fn with_the_default_period_every_link_of_a_cut_falls_within_the_bound() {
    for loss in [0.0, 0.01, 0.05, 0.20] {
        links_of_a_cut_fall_within_the_bound(Duration::from_secs(1), loss);
    }
}

#[test]
fn with_a_long_period_every_link_of_a_cut_falls_within_the_bound() {
    for loss in [0.0, 0.01, 0.05, 0.20] {
        links_of_a_cut_fall_within_the_bound(Duration::from_secs(30), loss);
    }
}

#[test]
fn with_a_short_period_every_link_of_a_cut_falls_within_the_bound() {
    for loss in [0.0, 0.01, 0.05, 0.20] {
        links_of_a_cut_fall_within_the_bound(Duration::from_millis(200), loss);
    }
}

#[test]
fn the_healthy_direction_of_a_one_way_cut_is_never_declared_down() {
    let minutes = 1_000;
    let worlds = 10;
    for_each_seed(worlds, |seed| {
        let mut world = settled(2, Timing::of_period(Duration::from_secs(1)), lossy(0.01), seed);
        world.block(0, 1);
        world.run_for(Duration::from_secs(60 * minutes / worlds));
        let downs = |host: usize| {
            let told = world.told().iter().filter(move |told| told.host == host);
            told.filter(|told| matches!(told.event, Event::LinkDown { .. })).count()
        };
        assert_eq!(downs(1), 1, "the deaf host declares its link down, once");
        assert_eq!(downs(0), 0, "seed {seed}: the host that hears everything declared a link down");
    });
}
