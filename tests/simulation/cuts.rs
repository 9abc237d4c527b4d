//! Complete cuts and isolations, at 3 to 100 nodes: every agent names its own side, once, in time, and nothing else.

use std::sync::Mutex;
use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::settings::Timing;
use netsplit::simulation::{Conditions, World};

use crate::expectation::{Truth, is_verdict};
use crate::times::Times;
use crate::verify::{self, CUTS};
use crate::{default_timing, for_each_seed, lossy, seeds, settled};

/// Sides of consecutive hosts with these sizes.
fn sides(sizes: &[usize]) -> Vec<Vec<usize>> {
    let ends = sizes.iter().scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    ends.zip(sizes).map(|(end, size)| (end - size..end).collect()).collect()
}

/// Cuts and heals one world, and returns the detection times.
fn cut_and_heal(world: &mut World, timing: Timing, truth: &Truth, label: &str) -> Vec<f64> {
    cut_and_heal_watching_links(world, timing, truth, label).0
}

/// As `cut_and_heal`; returns also after which silence each link was declared down.
fn cut_and_heal_watching_links(
    world: &mut World,
    timing: Timing,
    truth: &Truth,
    label: &str,
) -> (Vec<f64>, Vec<Duration>) {
    assert!(!world.told().iter().any(|told| is_verdict(&told.event)), "{label}: something was said before the cut");
    world.forget_told();
    world.cut(&truth.sides);
    world.run_for(timing.detection_bound() * 2 + timing.confirm_period * 6);
    let detections = truth.check(world, label);
    let downs = world.told().iter().filter_map(|told| match &told.event {
        Event::LinkDown { links } => Some(links),
        _ => None,
    });
    let silences = downs.flatten().filter_map(|link| link.silent_for).collect();
    world.forget_told();
    world.heal();
    world.run_for(timing.detection_bound() + timing.confirm_period * 4);
    Truth::check_healed(world, label);
    (detections, silences)
}

/// Runs a cut for each seed, and keeps a row of it.
fn cut_in_many_worlds(name: &str, sizes: &[usize], conditions: &Conditions, timing: Timing, seeds: u64) -> Times {
    let hosts: usize = sizes.iter().sum();
    let all = Mutex::new(Vec::new());
    for_each_seed(seeds, |seed| {
        let label = format!("{name} of {hosts}, loss {}, seed {seed}", conditions.loss);
        let mut world = settled(hosts, timing, conditions.clone(), seed);
        let truth = Truth { stepwise: timing.period > Duration::from_secs(1), ..Truth::of(sides(sizes)) };
        let detections = cut_and_heal(&mut world, timing, &truth, &label);
        all.lock().unwrap().extend(detections);
    });
    let times = Times::of(all.into_inner().unwrap());
    times.row(&CUTS, name, hosts, conditions.loss, seeds);
    times
}

/// The budget of a clean cut with the default timing. Beyond its hundred nodes some row is lost in nearly every run with loss,
/// and comes d/2 later.
fn assert_in_budget(times: &Times, hosts: usize, loss: f64, label: &str) {
    let (p99, max) = (times.quantile(99), times.max());
    let most = if hosts > 100 && loss > 0.0 { 3.75 } else { 3.5 };
    assert!(p99 <= most, "{label}: p99 {p99}");
    assert!(max <= 4.7, "{label}: max {max}");
}

fn cuts_of(shapes: &[(&str, &[usize])], seeds: u64) {
    cuts_with_loss_of(shapes, seeds, seeds);
}

fn cuts_with_loss_of(shapes: &[(&str, &[usize])], without_loss: u64, with_loss: u64) {
    for (name, sizes) in shapes {
        for (loss, seeds) in [(0.0, without_loss), (0.01, with_loss)] {
            let times = cut_in_many_worlds(name, sizes, &lossy(loss), default_timing(), seeds);
            assert_in_budget(&times, sizes.iter().sum(), loss, &format!("{name}, loss {loss}"));
        }
    }
}

#[test]
fn two_and_three_nodes_name_an_isolation() {
    cuts_of(&[("1|1", &[1, 1]), ("2|1", &[2, 1]), ("1|1|1", &[1, 1, 1])], 200);
}

#[test]
fn five_nodes_name_their_sides_from_the_first_word_on() {
    cuts_of(&[("half|half", &[3, 2]), ("2|2|1", &[2, 2, 1]), ("one", &[4, 1]), ("shattered", &[1; 5])], 200);
}

#[test]
fn thirty_nodes_name_their_sides_from_the_first_word_on() {
    let shapes: [(&str, &[usize]); 4] =
        [("half|half", &[15, 15]), ("51|49", &[16, 14]), ("three-way", &[10, 10, 10]), ("29|1", &[29, 1])];
    cuts_of(&shapes, verify::size(60, 200));
}

#[test]
fn a_hundred_nodes_name_their_sides_from_the_first_word_on() {
    let shapes: [(&str, &[usize]); 3] = [("half|half", &[50, 50]), ("51|49", &[51, 49]), ("three-way", &[34, 33, 33])];
    // Agents of one run are late together: the p99 of a few runs is that of the slowest.
    cuts_with_loss_of(&shapes, verify::size(8, 200), verify::size(50, 200));
}

/// In `make test` one cut of two hundred and twenty: a thousand agents are a matter of many minutes.
#[test]
fn a_thousand_nodes_name_their_sides_from_the_first_word_on() {
    let [half, more, third] = verify::either([110, 112, 73], [500, 510, 333]);
    let shapes =
        [("half|half", vec![half, half]), ("51|49", vec![more, 2 * half - more]), ("three-way", vec![third; 3])];
    let shapes = shapes.iter().map(|(name, sizes)| (*name, sizes.as_slice()));
    cuts_of(&shapes.take(verify::either(1, 3)).collect::<Vec<_>>(), 1);
}

#[test]
fn the_fast_profile_detects_within_less_than_a_second() {
    let timing = Timing::of_period(Duration::from_millis(200));
    for (name, sizes) in [("fast 3|2", &[3, 2]), ("fast 15|15", &[15, 15])] {
        let times = cut_in_many_worlds(name, sizes, &lossy(0.01), timing, verify::size(40, 200));
        let p99 = times.quantile(99);
        assert!(p99 <= 0.8, "{name}: p99 {p99}");
    }
}

#[test]
fn a_long_period_detects_within_its_bound_and_two_windows() {
    let timing = Timing::of_period(Duration::from_secs(30));
    let limit = (timing.detection_bound() + timing.confirm_period * 2).as_secs_f64();
    for (name, sizes) in [("slow 3|2", &[3, 2]), ("slow 15|15", &[15, 15])] {
        let times = cut_in_many_worlds(name, sizes, &lossy(0.01), timing, verify::size(20, 200));
        let max = times.max();
        assert!(max <= limit, "{name}: {max} of {limit}");
    }
}

/// Blocks every datagram from one set of hosts to another.
fn block_one_way(world: &mut World, from: &[usize], to: &[usize]) {
    for &one in from {
        for &other in to {
            world.block(one, other);
        }
    }
}

#[test]
fn a_one_way_cut_of_a_group_is_complete_and_who_hears_the_others_says_which_way() {
    for hosts in [5, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("one-way group of {hosts}, seed {seed}");
            let near = hosts / 2;
            let truth = Truth { one_way_from: Some(0), ..Truth::of(sides(&[near, hosts - near])) };
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            block_one_way(&mut world, &truth.sides[0], &truth.sides[1]);
            world.run_for(Duration::from_secs(8));
            truth.check(&world, &label);
            world.forget_told();
            world.heal();
            world.run_for(Duration::from_secs(6));
            Truth::check_healed(&world, &label);
        });
    }
}

#[test]
fn a_node_that_hears_nobody_is_isolated_and_everybody_says_so() {
    for hosts in [3, 5, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let everybody: Vec<usize> = (1..hosts).collect();
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            block_one_way(&mut world, &everybody, &[0]);
            world.run_for(Duration::from_secs(8));
            let truth = Truth { alive: vec![0], one_way_from: Some(0), ..Truth::of(vec![everybody, vec![0]]) };
            truth.check(&world, &format!("ingress-deaf of {hosts}, seed {seed}"));
        });
    }
}

#[test]
fn a_node_that_nobody_hears_knows_its_isolation_and_is_unheard_to_the_others() {
    for hosts in [3, 5, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let everybody: Vec<usize> = (1..hosts).collect();
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            block_one_way(&mut world, &[0], &everybody);
            world.run_for(Duration::from_secs(12));
            let truth = Truth { one_way_from: Some(1), ..Truth::of(vec![everybody, vec![0]]) };
            truth.check(&world, &format!("egress-mute of {hosts}, seed {seed}"));
        });
    }
}

#[test]
fn everybody_throttled_still_detects_within_the_bound_and_two_timeouts() {
    use netsplit::simulation::Running;
    for hosts in [5, 30, 100] {
        let all = Mutex::new(Vec::new());
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let timing = default_timing();
            let mut world = settled(hosts, timing, lossy(0.01), seed);
            for host in 0..hosts {
                let (run, of) = (Duration::from_millis(10), Duration::from_millis(100));
                let phase = of.mul_f64(world.chance());
                world.set_running(host, Running::Throttled { run, of, phase });
            }
            world.run_for(Duration::from_secs(30));
            let truth = Truth::of(sides(&[hosts - hosts / 2, hosts / 2]));
            let label = format!("throttled {hosts}, seed {seed}");
            let (times, silences) = cut_and_heal_watching_links(&mut world, timing, &truth, &label);
            let limit = timing.detection_bound() + timing.timeout * 2;
            assert!(silences.iter().all(|silence| *silence <= limit), "{label}: {silences:?}");
            all.lock().unwrap().extend(times);
        });
        let p99 = Times::of(all.into_inner().unwrap()).quantile(99);
        assert!(p99 <= 4.0, "p99 {p99}");
    }
}

#[test]
fn a_flapping_cut_opens_each_time_and_is_closed_more_and_more_slowly() {
    let timing = default_timing();
    let truth = Truth::of(sides(&[3, 2]));
    let mut world = settled(5, timing, lossy(0.01), 7);
    let mut opened = 0;
    for round in 0..4 {
        world.forget_told();
        world.cut(&truth.sides);
        world.run_for(Duration::from_secs(20));
        truth.check(&world, &format!("flap {round}"));
        opened += 1;
        world.forget_told();
        world.heal();
        world.run_for(Duration::from_secs(20));
        Truth::check_healed(&world, &format!("flap {round}"));
    }
    assert_eq!(opened, 4);
}
