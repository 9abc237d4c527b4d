//! Nodes that left for good and came back all the same, and an operator who says that some will not.

use std::time::Duration;

use netsplit::detector::event::{CloseCause, Event};
use netsplit::detector::mode::Mode;
use netsplit::simulation::{Discovery, World};

use crate::{default_timing, for_each_seed, lossy, verify};

const BY_NAME: Discovery = Discovery { period: Duration::from_secs(10), names: true };

/// A cluster that its discovery made.
fn discovered(hosts: usize, seed: u64) -> World {
    let mut world = World::new(hosts, default_timing(), lossy(0.0), seed);
    world.discover(BY_NAME, &(0..hosts).collect::<Vec<_>>());
    for host in 0..hosts {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(12));
    world.forget_told();
    world
}

fn mode(world: &World, host: usize) -> Mode {
    world.detector(host).unwrap().mode()
}

/// More than half of a large cluster is lost, and an operator has them forgotten one by one.
fn most_are_forgotten(pause: Duration) {
    let (size, left) = (70, 34);
    let mut world = discovered(size, 5);
    for dead in left..size {
        world.lose(dead);
    }
    world.run_for(Duration::from_secs(20));
    assert!((0..left).all(|host| mode(&world, host) == Mode::Minority), "most are gone");
    for dead in left..size {
        world.forget(0, dead);
        world.run_for(pause);
    }
    world.run_for(Duration::from_secs(40));
    for host in 0..left {
        let view = world.detector(host).unwrap().view(world.now());
        assert_eq!((view.mode, view.electorate), (Mode::Normal, left), "{}", world.name(host));
    }
}

#[test]
fn when_most_are_forgotten_one_after_the_other_all_of_the_rest_write_again() {
    most_are_forgotten(Duration::from_secs(2));
}

#[test]
fn when_most_are_forgotten_at_once_all_of_the_rest_write_again() {
    most_are_forgotten(Duration::ZERO);
}

#[test]
fn a_node_that_was_removed_while_its_agent_was_down_is_well_when_it_is_back() {
    for_each_seed(verify::size(4, 40), |seed| {
        let mut world = discovered(5, seed);
        world.kill(4);
        world.run_for(Duration::from_secs(10));
        let is_told = |told: &netsplit::simulation::Told| matches!(told.event, Event::AgentDown { .. });
        assert!(world.told().iter().any(is_told), "seed {seed}: {:?}", world.told());
        world.list(4, false);
        world.run_for(Duration::from_secs(200));
        assert_eq!(world.detector(0).unwrap().view(world.now()).nodes.len(), 4, "seed {seed}");
        world.list(4, true);
        world.start(4, false);
        world.run_for(Duration::from_secs(30));
        for host in 0..4 {
            let view = world.detector(host).unwrap().view(world.now());
            assert_eq!(view.nodes.len(), 5, "seed {seed}");
            assert!(view.nodes.iter().all(|node| node.agent_down.is_none()), "seed {seed}: {:?}", view.nodes);
        }
    });
}

#[test]
fn who_came_back_after_it_was_removed_and_is_cut_off_before_it_counts_is_told_of() {
    for_each_seed(verify::size(4, 40), |seed| {
        let label = format!("seed {seed}");
        let mut world = discovered(9, seed);
        world.lose(8);
        world.list(8, false);
        world.run_for(Duration::from_secs(200));
        assert_eq!(world.detector(0).unwrap().view(world.now()).electorate, 8, "{label}");
        // Nobody joins the electorate as long as a cut is open.
        world.cut(&[vec![0, 1, 2, 3, 4, 8], vec![5, 6, 7]]);
        world.run_for(Duration::from_secs(10));
        world.list(8, true);
        world.start(8, false);
        world.run_for(Duration::from_secs(20));
        assert!(world.detector(0).unwrap().view(world.now()).nodes.iter().any(|node| node.member.name == "n008"));
        world.forget_told();
        world.cut(&[vec![0, 1, 2, 3, 4], vec![5, 6, 7], vec![8]]);
        world.run_for(Duration::from_secs(20));
        for host in 0..5 {
            let said: Vec<_> = world.told().iter().filter(|told| told.host == host).map(|told| &told.event).collect();
            let names_it = said.iter().any(|event| match event {
                Event::PartitionChanged(partition) => partition.sides[1].nodes.iter().any(|node| node == "n008"),
                Event::NodeUnheard { peer } => peer == "n008",
                _ => false,
            });
            let is_closed =
                |event: &&&Event| matches!(event, Event::PartitionClosed { cause: CloseCause::Removed, .. });
            assert!(names_it && !said.iter().any(|event| is_closed(&event)), "{label}, {}: {said:?}", world.name(host));
        }
    });
}
