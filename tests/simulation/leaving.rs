//! What a list says of agents that are being ended: believed of those whom nobody heard, and never against a cut.

use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::link::LinkState;
use netsplit::detector::mode::Mode;
use netsplit::simulation::{Discovery, World};
use netsplit::wire::GoodbyeReason;

use crate::expectation::{is_verdict, verdicts_of};
use crate::{default_timing, for_each_seed, lossy};

/// Lists as those of Kubernetes: an agent gets one when it starts, and seldom another.
const SELDOM: Discovery = Discovery { period: Duration::from_mins(10), names: true };

const SIZE: usize = 8;
const HERE: [usize; 6] = [0, 1, 2, 3, 4, 5];
const THERE: [usize; 2] = [6, 7];

fn listed(seed: u64) -> World {
    let mut world = World::new(SIZE, default_timing(), lossy(0.01), seed);
    world.discover(SELDOM, &(0..SIZE).collect::<Vec<_>>());
    world.start_all();
    world.run_for(Duration::from_secs(12));
    world.forget_told();
    world
}

/// A cut, and the control plane on the larger side: it ends all agents, and those beyond the cut do not hear of it.
fn cut_and_ended(seed: u64) -> World {
    let mut world = listed(seed);
    world.cut(&[HERE.to_vec(), THERE.to_vec()]);
    world.run_for(Duration::from_secs(20));
    for host in THERE {
        world.set_leaving(host, true);
    }
    world
}

fn assert_cut_is_open(world: &World, label: &str) {
    for host in HERE {
        let open: Vec<_> = world.detector(host).unwrap().partitions().collect();
        let names_both = matches!(open[..], [cut] if cut.sides.len() == 2 && cut.sides.iter().any(|side| side.nodes.len() == THERE.len()));
        assert!(names_both, "{label}, {}: {open:?}", world.name(host));
    }
}

#[test]
fn a_rollout_during_a_cut_does_not_close_it_though_the_lists_say_that_those_beyond_are_being_ended() {
    for state in [false, true] {
        for_each_seed(20, |seed| {
            let label = format!("seed {seed}, with state: {state}");
            let mut world = cut_and_ended(seed);
            world.forget_told();
            for host in HERE {
                world.stop(host);
                let pause = Duration::from_secs(4).mul_f64(world.chance());
                world.run_for(Duration::from_millis(200) + pause);
                world.start(host, state);
                world.run_for(Duration::from_secs(10));
            }
            world.run_for(Duration::from_secs(10));
            let closed = world.told().iter().find(|told| matches!(told.event, Event::PartitionClosed { .. }));
            assert!(closed.is_none(), "{label}: {closed:?}");
            assert_cut_is_open(&world, &label);
        });
    }
}

#[test]
fn when_all_of_a_side_restart_at_once_those_who_kept_their_state_tell_the_cut_again() {
    for_each_seed(20, |seed| {
        let mut world = cut_and_ended(seed);
        for host in HERE {
            world.kill(host);
        }
        for host in HERE {
            world.start(host, true);
        }
        world.run_for(Duration::from_secs(15));
        assert_cut_is_open(&world, &format!("seed {seed}"));
    });
}

#[test]
fn whom_nobody_remembers_has_left_for_a_minute_and_was_never_heard_from_then_on() {
    for_each_seed(10, |seed| {
        let mut world = cut_and_ended(seed);
        for host in HERE {
            world.kill(host);
        }
        for host in HERE {
            world.start(host, false);
        }
        world.run_for(Duration::from_secs(15));
        assert_links_there(&world, LinkState::Left(GoodbyeReason::Stopped), seed);
        // Somebody is silent for a minute, so another list is asked for.
        world.run_for(Duration::from_secs(120));
        assert_links_there(&world, LinkState::Absent, seed);
    });
}

/// What all agents here make of the links from those beyond the cut.
fn assert_links_there(world: &World, right: LinkState, seed: u64) {
    for host in HERE {
        let detector = world.detector(host).unwrap();
        let view = detector.view(world.now());
        let there = view.nodes.iter().filter(|node| THERE.iter().any(|&there| world.name(there) == node.member.name));
        let links: Vec<_> = there.filter_map(|node| node.link).collect();
        assert_eq!(links, [right; THERE.len()], "seed {seed}, {}", world.name(host));
        assert!(detector.partitions().next().is_none(), "seed {seed}, {}", world.name(host));
    }
}

#[test]
fn a_rollout_in_which_the_lists_name_those_that_are_being_ended_raises_nothing() {
    for state in [false, true] {
        for_each_seed(20, |seed| {
            let label = format!("seed {seed}, with state: {state}");
            let mut world = listed(seed);
            for first in (0..SIZE).step_by(2) {
                let pair = [first, first + 1];
                for host in pair {
                    world.set_leaving(host, true);
                    world.stop(host);
                }
                for host in pair {
                    let pause = Duration::from_secs(4).mul_f64(world.chance());
                    world.run_for(Duration::from_millis(200) + pause);
                    world.start(host, state);
                    world.run_for(Duration::from_secs(1));
                    world.set_leaving(host, false);
                }
                world.run_for(Duration::from_secs(2));
            }
            world.run_for(Duration::from_secs(15));
            let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
            assert!(said.is_empty(), "{label}: {said:?}");
            for host in 0..SIZE {
                assert_eq!(verdicts_of(&world, host).len(), 0, "{label}");
                assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{label}: {}", world.name(host));
            }
        });
    }
}
