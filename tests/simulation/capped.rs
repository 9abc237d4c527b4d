//! A cap on heartbeats a second: what goes beside them stays within five times that, and a cut is found nevertheless.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::link::LinkState;
use netsplit::detector::settings::ConfiguredTiming;
use netsplit::detector::time::Now;
use netsplit::simulation::World;
use netsplit::wire::{Block, Datagram};

use crate::expectation::Truth;
use crate::{lossy, settled};

const HOSTS: usize = 100;

/// So few that a window has less room for polls and rows than there are peers: as 5,000 nodes have by default.
const CAP: u32 = 12;

const STEP: Duration = Duration::from_millis(20);

fn timing() -> ConfiguredTiming {
    ConfiguredTiming {
        max_heartbeats_per_second: NonZeroU32::new(CAP),
        ..ConfiguredTiming::of_period(Duration::from_secs(1))
    }
}

fn settled_world(seed: u64) -> World {
    let timing = timing();
    let mut world = World::started(HOSTS, timing, lossy(0.0), seed);
    world.run_for(timing.at(HOSTS).period * 8);
    world
}

/// A datagram that is no answer, and polls, carries a row or what was asked for of others.
struct Extra {
    at: Now,
    to: usize,
    /// It polls and does nothing else, and the link is not down: it is being decided.
    decides: bool,
    /// It goes to a peer whose link is down, or passes on what others say.
    waits: bool,
}

impl Extra {
    fn of(datagram: &Datagram, to: usize, down: bool, at: Now) -> Option<Self> {
        let carries = |is: fn(&Block) -> bool| datagram.blocks.iter().any(is);
        let has_row = carries(|block| matches!(block, Block::Row(_)));
        let passes_on = carries(|block| matches!(block, Block::Relay(_) | Block::RowsUnchanged(_)));
        let is_extra = !datagram.flags.last && (datagram.flags.poll || passes_on);
        is_extra.then_some(Self { at, to, decides: !has_row && !passes_on && !down, waits: down || passes_on })
    }
}

/// Lets time pass; returns the most that a host sent in any second beside the heartbeats in turn, but for polls of
/// suspects, which never wait, and rows that these take along.
fn busiest_second(world: &mut World, host: usize, time: Duration) -> usize {
    let end = world.now() + time;
    let mut sent: Vec<Extra> = Vec::new();
    let mut down_before = BTreeSet::new();
    while world.now() < end {
        world.record();
        world.run_for(STEP);
        let recorded = world.recorded();
        let (now, view) = (world.now(), world.detector(host).unwrap().view(world.now()));
        let down = view.nodes.iter().filter(|node| node.link == Some(LinkState::Down));
        let down: BTreeSet<String> = down.map(|node| node.member.name.clone()).collect();
        // What went before the link fell in this step was about a suspect.
        let was_down = |to: usize| down.contains(world.name(to)) && down_before.contains(world.name(to));
        let of_host = recorded.iter().filter(|(from, ..)| *from == host);
        sent.extend(of_host.filter_map(|(_, to, datagram)| Extra::of(datagram, *to, was_down(*to), now)));
        down_before = down;
    }
    let window = timing().at(HOSTS).confirm_period;
    let is_suspect = |extra: &Extra| {
        let near = |other: &Extra| other.at.since(extra.at).max(extra.at.since(other.at)) <= window;
        !extra.waits && sent.iter().any(|other| other.decides && other.to == extra.to && near(other))
    };
    let counted: Vec<Now> = sent.iter().filter(|extra| !is_suspect(extra)).map(|extra| extra.at).collect();
    let second =
        |first: &Now| counted.iter().filter(|at| *at >= first && at.since(*first) < Duration::from_secs(1)).count();
    counted.iter().map(second).max().unwrap_or_default()
}

#[test]
fn a_cut_in_halves_keeps_what_is_extra_within_five_times_the_cap_and_is_found_within_the_bound() {
    // A row that a heartbeat in turn takes along looks like one that goes by itself: there are 8/7 of the cap of these.
    let limit = usize::try_from(CAP * 5 + CAP * 8 / 7 + 1).unwrap();
    for seed in 0..2 {
        let mut world = settled_world(seed);
        let timing = timing().at(HOSTS);
        assert_eq!(timing.period, Duration::from_secs(99) / CAP, "the cap makes it longer");
        world.forget_told();
        let truth = Truth::of(vec![(0..50).collect(), (50..HOSTS).collect()]);
        world.cut(&truth.sides);
        let most = busiest_second(&mut world, 7, timing.detection_bound() * 2 + timing.confirm_period * 6);
        assert!(most <= limit, "seed {seed}: {most} in a second");
        assert!(most > limit / 3, "seed {seed}: {most} in a second are too few to wait for each other");
        for told in world.told() {
            let Event::LinkDown { links } = &told.event else { continue };
            let silences = links.iter().filter_map(|link| link.silent_for);
            assert!(silences.into_iter().all(|silence| silence <= timing.detection_bound() + STEP), "{links:?}");
        }
        let detections = truth.check(&world, &format!("seed {seed}"));
        let latest = timing.detection_bound() + timing.confirm_period * 5;
        assert!(detections.iter().all(|&seconds| seconds <= latest.as_secs_f64()), "seed {seed}: {detections:?}");
        let most = busiest_second(&mut world, 7, Duration::from_secs(20));
        assert!(most <= limit, "seed {seed}: {most} in a second while it lasts");
        world.forget_told();
        world.heal();
        let most = busiest_second(&mut world, 7, timing.detection_bound() * 2 + timing.period * 3);
        assert!(most <= limit, "seed {seed}: {most} in a second of the heal");
        Truth::check_healed(&world, &format!("seed {seed}"));
    }
}

/// Without a cap nothing waits, at the same paces.
#[test]
fn without_a_cap_the_same_cut_takes_more() {
    let mut world = settled(HOSTS, timing().at(HOSTS), lossy(0.0), 1);
    world.cut(&[(0..50).collect(), (50..HOSTS).collect()]);
    let most = busiest_second(&mut world, 7, timing().at(HOSTS).detection_bound() * 2);
    assert!(most > usize::try_from(CAP * 5).unwrap(), "{most} in a second: then this file tests nothing");
}
