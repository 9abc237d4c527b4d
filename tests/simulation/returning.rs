//! Agents that leave, crash, restart and come back: what is politely said is no partition, and neither is one silence.

use std::time::Duration;

use netsplit::detector::event::{CloseCause, Event};
use netsplit::detector::mode::Mode;
use netsplit::simulation::World;

use crate::expectation::{is_verdict, verdicts_of};
use crate::{default_timing, for_each_seed, lossy, seeds, settled, verify};

fn assert_no_partition(world: &World, label: &str) {
    let said: Vec<_> = world.told().iter().filter(|told| matches!(told.event, Event::PartitionOpened(_))).collect();
    assert!(said.is_empty(), "{label}: {said:?}");
}

fn assert_no_verdict(world: &World, label: &str) {
    let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
    assert!(said.is_empty(), "{label}: {said:?}");
}

fn assert_all_normal(world: &World, label: &str) {
    for host in 0..world.size() {
        assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{label}: {}", world.name(host));
    }
}

#[test]
fn a_node_that_dies_is_unheard_and_no_partition() {
    for hosts in [3, 5, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            world.lose(0);
            world.run_for(Duration::from_secs(12));
            for host in 1..hosts {
                let said = verdicts_of(&world, host);
                let right = matches!(said[..], [Event::NodeUnheard { peer: node }] if node == "n000");
                assert!(right, "{label}, {}: {said:?}", world.name(host));
                assert_eq!(world.detector(host).unwrap().mode(), Mode::Degraded, "{label}");
            }
            world.forget_told();
            world.start(0, true);
            world.run_for(Duration::from_secs(8));
            for host in 1..hosts {
                let said = verdicts_of(&world, host);
                let [Event::NodeHeard { cause, confirmed, .. }] = said[..] else { panic!("{label}: {said:?}") };
                assert_eq!((*cause, *confirmed), (CloseCause::Restarted, Some(false)), "{label}");
            }
            assert_all_normal(&world, &label);
        });
    }
}

#[test]
fn a_goodbye_raises_nothing() {
    for hosts in [3, 5, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            world.stop(0);
            world.run_for(Duration::from_secs(12));
            assert_no_verdict(&world, &label);
            let left = world.told().iter().filter(|told| matches!(told.event, Event::PeerLeft { .. })).count();
            assert_eq!(left, hosts - 1, "{label}");
        });
    }
}

#[test]
fn a_rolling_update_raises_nothing() {
    for hosts in [3, 5, 30, 100] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            for host in 0..hosts {
                world.stop(host);
                let pause = Duration::from_secs(4).mul_f64(world.chance());
                world.run_for(Duration::from_millis(200) + pause);
                world.start(host, seed % 2 == 0);
                world.run_for(Duration::from_secs(2));
            }
            world.run_for(Duration::from_secs(10));
            assert_no_verdict(&world, &label);
            assert_all_normal(&world, &label);
        });
    }
}

#[test]
fn a_rolling_update_beside_a_node_that_was_drained_raises_nothing() {
    // Who restarts with its state knows a node of which all others say that it left.
    for hosts in [4, 5, 30] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            world.stop(0);
            for host in 1..hosts {
                let pauses = [world.chance(), world.chance()].map(|share| Duration::from_secs(4).mul_f64(share));
                world.run_for(pauses[0]);
                world.stop(host);
                world.run_for(pauses[1]);
                world.start(host, true);
                world.run_for(Duration::from_secs(2));
            }
            world.run_for(Duration::from_secs(10));
            assert_no_verdict(&world, &label);
        });
    }
}

#[test]
fn a_goodbye_that_one_of_them_does_not_get_raises_nothing() {
    for hosts in [4, 5, 30] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.0), seed);
            world.forget_told();
            world.block(0, 1);
            world.stop(0);
            world.run_for(Duration::from_millis(400));
            world.unblock(0, 1);
            world.run_for(Duration::from_secs(15));
            assert_no_verdict(&world, &label);
        });
    }
}

#[test]
fn quick_crashes_and_restarts_of_all_at_once_are_no_partition() {
    for hosts in [3, 5, 30, 100] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            for _ in 0..5 {
                for host in 0..hosts {
                    world.kill(host);
                    world.start(host, seed % 2 == 0);
                }
                let pause = Duration::from_secs(3).mul_f64(world.chance());
                world.run_for(pause);
            }
            world.run_for(Duration::from_secs(10));
            assert_no_partition(&world, &label);
            assert_all_normal(&world, &label);
        });
    }
}

#[test]
fn both_ends_of_a_link_that_restart_at_once_find_each_other() {
    for_each_seed(verify::size(50, 500), |seed| {
        let label = format!("seed {seed}");
        let mut world = settled(3, default_timing(), lossy(0.05), seed);
        world.forget_told();
        for host in [0, 1] {
            world.kill(host);
        }
        world.run_for(Duration::from_millis(300));
        for host in [0, 1] {
            world.start(host, false);
        }
        world.run_for(Duration::from_secs(8));
        assert_no_verdict(&world, &label);
        assert_all_normal(&world, &label);
    });
}

#[test]
fn a_clock_set_back_with_the_state_lost_is_mended_by_the_peers() {
    for_each_seed(verify::size(20, 200), |seed| {
        let label = format!("seed {seed}");
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.kill(0);
        world.jump_clock(0, -86_400_000_000);
        world.start(0, false);
        world.run_for(Duration::from_secs(8));
        let adopted = world.told().iter().filter(|told| matches!(told.event, Event::IncarnationAdopted { .. })).count();
        assert_eq!(adopted, 1, "{label}");
        assert_no_verdict(&world, &label);
        assert_all_normal(&world, &label);
    });
}

#[test]
fn a_clock_set_back_with_the_state_lost_is_mended_at_another_address_too() {
    for_each_seed(verify::size(20, 200), |seed| {
        let label = format!("seed {seed}");
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.kill(0);
        world.jump_clock(0, -86_400_000_000);
        world.move_host(0, 77);
        world.start(0, false);
        world.run_for(Duration::from_secs(45));
        let count = |is_one: fn(&Event) -> bool| world.told().iter().filter(|told| is_one(&told.event)).count();
        assert_eq!(count(|event| matches!(event, Event::IncarnationAdopted { .. })), 1, "{label}");
        assert_eq!(count(|event| matches!(event, Event::RosterConflict { .. })), 0, "{label}");
        assert_all_normal(&world, &label);
    });
}

#[test]
fn an_agent_that_restarts_inside_a_cut_takes_its_side_again() {
    for state in [true, false] {
        for_each_seed(verify::size(20, 200), |seed| {
            let label = format!("state {state}, seed {seed}");
            let mut world = settled(5, default_timing(), lossy(0.01), seed);
            world.cut(&[vec![0, 1, 2], vec![3, 4]]);
            world.run_for(Duration::from_secs(8));
            world.kill(1);
            world.forget_told();
            world.start(1, state);
            world.run_for(Duration::from_secs(12));
            let said = verdicts_of(&world, 1);
            let [Event::PartitionOpened(partition)] = said[..] else { panic!("{label}: {said:?}") };
            assert_eq!(partition.sides[0].nodes, ["n000", "n001", "n002"], "{label}");
            assert_eq!(Some(partition.id), world.detector(0).unwrap().partition().map(|open| open.id), "{label}");
            assert_eq!(world.detector(1).unwrap().mode(), Mode::Majority, "{label}");
            let others = [0, 2, 3, 4].into_iter().flat_map(|host| verdicts_of(&world, host)).count();
            assert_eq!(others, 0, "{label}: a restart changes nobody's verdict");
        });
    }
}

#[test]
fn an_agent_that_never_hears_anybody_is_blind_and_never_isolated() {
    let mut world = World::new(5, default_timing(), lossy(0.0), 1);
    world.start(2, false);
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.detector(2).unwrap().mode(), Mode::Starting);
    let said: Vec<_> = world.told().iter().map(|told| &told.event).collect();
    assert!(matches!(said[..], [Event::AgentStarted { .. }, Event::Blind { .. }]), "{said:?}");
}

#[test]
fn nodes_that_nobody_ever_heard_are_absent_and_no_partition() {
    let mut world = World::new(5, default_timing(), lossy(0.0), 1);
    for host in [0, 1, 2] {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(60));
    assert_no_verdict(&world, "two never started");
    for host in [0, 1, 2] {
        assert_eq!(world.detector(host).unwrap().mode(), Mode::Starting, "not everybody was heard yet");
    }
    world.start(3, false);
    world.start(4, false);
    world.run_for(Duration::from_secs(10));
    assert_no_verdict(&world, "they came");
    assert_all_normal(&world, "they came");
}

#[test]
fn a_goodbye_that_leaves_an_agent_alone_with_a_dead_node_is_no_partition() {
    for_each_seed(verify::size(20, 200), |seed| {
        let label = format!("seed {seed}");
        let mut world = settled(3, default_timing(), lossy(0.01), seed);
        world.lose(0);
        world.run_for(Duration::from_secs(12));
        world.forget_told();
        world.stop(1);
        world.run_for(Duration::from_secs(12));
        assert_no_verdict(&world, &label);
        assert_eq!(world.detector(2).unwrap().mode(), Mode::Isolated, "{label}");
    });
}

#[test]
fn two_nodes_lost_within_one_bound_are_one_cut_and_the_first_is_not_told_of_alone() {
    for_each_seed(verify::size(20, 200), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.lose(0);
        world.run_for(Duration::from_millis(1500));
        world.lose(1);
        world.run_for(Duration::from_secs(12));
        for host in 2..5 {
            let said = verdicts_of(&world, host);
            let [Event::PartitionOpened(partition)] = said[..] else { panic!("seed {seed}: {said:?}") };
            assert_eq!(partition.sides[1].nodes, ["n000", "n001"], "seed {seed}");
        }
    });
}

/// A neighbour that is not resolved yet, as after a cut of an overlay: what one side sends arrives a while before what the
/// other sends does. While it is so nobody reaches anybody both ways, and the cut is the same cut.
#[test]
fn a_cut_that_heals_one_way_before_the_other_is_closed_once() {
    for late in [200, 500, 800, 1200, 2000, 4000] {
        for_each_seed(verify::size(20, 200), |seed| {
            let label = format!("{late} ms, seed {seed}");
            let mut world = settled(5, default_timing(), lossy(0.0), seed);
            world.cut(&[vec![0, 1, 2], vec![3, 4]]);
            world.run_for(Duration::from_secs(8));
            world.forget_told();
            let pairs = (0..3).flat_map(|one| (3..5).map(move |other| (one, other)));
            pairs.clone().for_each(|(one, other)| world.unblock(other, one));
            world.run_for(Duration::from_millis(late));
            pairs.for_each(|(one, other)| world.unblock(one, other));
            world.run_for(Duration::from_secs(8));
            for host in 0..5 {
                let said = verdicts_of(&world, host);
                let closings = said.iter().filter(|event| matches!(event, Event::PartitionClosed { .. })).count();
                let openings = said.iter().filter(|event| matches!(event, Event::PartitionOpened(_))).count();
                assert_eq!((closings, openings), (1, 0), "{label}, {host}: {said:?}");
            }
        });
    }
}
