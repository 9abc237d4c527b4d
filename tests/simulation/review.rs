//! Histories that a review asked about: who belongs when agents hear, or are told, different things.

use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::link::LinkState;
use netsplit::detector::mode::Mode;
use netsplit::detector::view::View;
use netsplit::simulation::{Discovery, World};
use netsplit::wire::Block;

use crate::{default_timing, lossy};

const BY_NAME: Discovery = Discovery { period: Duration::from_secs(10), names: true };
const BY_ADDRESS: Discovery = Discovery { names: false, ..BY_NAME };

fn made_of(world: &mut World, hosts: &[usize], discovery: Discovery) {
    world.discover(discovery, hosts);
    for &host in hosts {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(12));
    for &host in hosts {
        assert_eq!(mode(world, host), Mode::Normal, "in the beginning: {}", world.name(host));
    }
    world.forget_told();
}

fn view(world: &World, host: usize) -> std::sync::Arc<View> {
    world.detector(host).unwrap().view(world.now())
}

fn mode(world: &World, host: usize) -> Mode {
    world.detector(host).unwrap().mode()
}

#[test]
fn a_node_that_others_hear_stays_though_it_is_missing_from_the_lists_and_one_agent_does_not_hear_it() {
    let mut world = World::new(5, default_timing(), lossy(0.0), 4);
    made_of(&mut world, &[0, 1, 2, 3, 4], BY_NAME);
    world.list(4, false);
    world.block(4, 1);
    world.block(1, 4);
    let mut sizes = std::collections::BTreeMap::<(usize, usize), usize>::new();
    for _ in 0..300 {
        world.run_for(Duration::from_secs(1));
        for host in 0..5 {
            *sizes.entry((host, view(&world, host).electorate)).or_default() += 1;
        }
    }
    assert!(sizes.keys().all(|&(_, size)| size == 5), "seconds by host and size of the electorate: {sizes:?}");
    let left = world.told().iter().filter(|told| matches!(told.event, Event::PeerLeft { .. })).count();
    assert_eq!(left, 0);
}

#[test]
fn a_node_whose_address_another_one_took_over_leaves() {
    for discovery in [BY_ADDRESS, BY_NAME] {
        let mut world = World::new(6, default_timing(), lossy(0.0), 3);
        world.move_host(5, 77);
        made_of(&mut world, &[0, 1, 2, 3, 5], discovery);
        world.lose(5);
        world.list(5, false);
        world.move_host(4, 77);
        world.list(4, true);
        world.start(4, false);
        world.run_for(Duration::from_secs(120));
        for host in 0..5 {
            let view = view(&world, host);
            assert_eq!((view.electorate, view.nodes.len()), (5, 5), "{discovery:?}: {}", world.name(host));
            assert_eq!(mode(&world, host), Mode::Normal, "{discovery:?}: {}", world.name(host));
        }
    }
}

#[test]
fn a_restarted_agent_takes_no_dead_node_for_alive_because_another_one_has_its_address() {
    for state in [true, false] {
        let mut world = World::new(6, default_timing(), lossy(0.0), 3);
        world.move_host(5, 77);
        made_of(&mut world, &[0, 1, 2, 3, 5], BY_NAME);
        world.lose(5);
        world.run_for(Duration::from_secs(20));
        world.list(5, false);
        world.move_host(4, 77);
        world.list(4, true);
        world.start(4, false);
        world.run_for(Duration::from_secs(10));
        world.stop(0);
        world.run_for(Duration::from_secs(2));
        world.start(0, state);
        world.run_for(Duration::from_secs(20));
        let opened: Vec<_> =
            world.told().iter().filter(|told| matches!(told.event, Event::PartitionOpened(_))).collect();
        assert!(opened.is_empty(), "{state}: {opened:?}");
    }
}

#[test]
fn who_is_forgotten_before_the_electorate_was_whole_is_not_waited_for() {
    for listed in [true, false] {
        let mut world = World::new(3, default_timing(), lossy(0.0), 1);
        world.discover(BY_NAME, &[0, 1, 2]);
        world.start(0, false);
        world.start(1, false);
        world.run_for(Duration::from_secs(20));
        assert_eq!(mode(&world, 0), Mode::Starting, "it was never whole");
        if !listed {
            world.list(2, false);
            world.run_for(Duration::from_secs(12));
        }
        world.forget(0, 2);
        world.run_for(Duration::from_secs(20));
        for host in 0..2 {
            assert_eq!(mode(&world, host), Mode::Normal, "listed {listed}: {}", world.name(host));
        }
    }
}

#[test]
fn what_was_said_to_a_run_before_renumbers_none_when_it_is_sent_again() {
    let mut world = World::new(3, default_timing(), lossy(0.0), 1);
    made_of(&mut world, &[0, 1, 2], BY_NAME);
    world.jump_clock(0, -86_400_000_000);
    world.kill(0);
    world.record();
    world.start(0, false);
    world.run_for(Duration::from_secs(5));
    let recorded: Vec<_> = world.recorded().into_iter().filter(|(_, to, _)| *to == 0).collect();
    world.cut(&[vec![0], vec![1, 2]]);
    world.kill(0);
    world.start(0, false);
    let before = world.detector(0).unwrap().incarnation();
    for (_, _, datagram) in recorded {
        world.inject(0, datagram);
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.detector(0).unwrap().incarnation(), before);
}

#[test]
fn recordings_of_two_runs_sent_in_turn_do_not_hide_a_silence() {
    let mut world = World::new(3, default_timing(), lossy(0.0), 1);
    made_of(&mut world, &[0, 1, 2], BY_NAME);
    world.record();
    world.run_for(Duration::from_secs(2));
    world.kill(2);
    world.start(2, true);
    world.run_for(Duration::from_secs(5));
    let of_two = |(from, to, datagram)| (from == 2 && to == 0).then_some(datagram);
    let recorded: Vec<_> = world.recorded().into_iter().filter_map(of_two).collect();
    world.lose(2);
    world.kill(0);
    world.start(0, true);
    world.run_for(Duration::from_secs(10));
    let link_of_two = |world: &World| view(world, 0).nodes.iter().find(|node| node.member.name == "n002").unwrap().link;
    assert_eq!(link_of_two(&world), Some(LinkState::Down));
    for turn in 0..20 {
        let again = if turn % 2 == 0 { recorded.first() } else { recorded.last() };
        world.inject(0, again.unwrap().clone());
        world.run_for(Duration::from_secs(1));
    }
    assert_eq!(link_of_two(&world), Some(LinkState::Down));
}

#[test]
fn one_hello_that_is_sent_again_makes_an_agent_say_one_hello() {
    let mut world = World::new(4, default_timing(), lossy(0.0), 1);
    world.move_host(2, 77);
    world.discover(BY_NAME, &[0, 1, 2]);
    world.start(0, false);
    world.start(1, false);
    world.record();
    world.start(2, false);
    world.run_for(Duration::from_secs(12));
    let recorded = world.recorded();
    let says = |block: &Block| matches!(block, Block::Hello(_));
    let hello = recorded.iter().find(|(from, to, said)| (*from, *to) == (2, 0) && said.blocks.iter().any(says));
    let hello = hello.unwrap().2.clone();
    world.kill(2);
    world.move_host(2, 78);
    world.start(2, true);
    world.run_for(Duration::from_secs(30));
    // Now somebody else is where it was.
    world.move_host(3, 77);
    world.record();
    world.inject(0, hello);
    world.run_for(Duration::from_secs(60));
    let said = world.recorded().iter().filter(|(from, to, _)| *from == 0 && *to == 3).count();
    assert!(said <= 1, "{said}");
}
