//! Histories that a review asked about: who belongs when agents hear, or are told, different things.

use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::mode::Mode;
use netsplit::detector::view::View;
use netsplit::simulation::{Discovery, World};

use crate::{default_timing, lossy};

const BY_NAME: Discovery = Discovery { period: Duration::from_secs(10), names: true };

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
