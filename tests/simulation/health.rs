//! An agent that did not run blames nobody, and tells the others why it was silent.

use std::time::Duration;

use netsplit::detector::event::{CloseCause, Event};
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::Direction;
use netsplit::detector::settings::Policy;
use netsplit::simulation::World;

use crate::expectation::{is_verdict, modes_of, verdicts_of};
use crate::{default_timing, for_each_seed, let_nobody_ask, lossy, seeds, settled, verify};

/// What a host said that puts blame on others.
fn blame(world: &World, host: usize) -> Vec<&Event> {
    let said = world.told().iter().filter(|told| told.host == host).map(|told| &told.event);
    said.filter(|event| is_verdict(event) || matches!(event, Event::LinkDown { .. })).collect()
}

#[test]
fn an_agent_that_stalls_for_any_time_blames_nobody() {
    let lengths = [250, 400, 501, 700, 1_000, 1_500, 2_400, 2_600, 4_000, 7_000, 10_000].map(Duration::from_millis);
    for length in lengths {
        for_each_seed(verify::size(20, 200), |seed| {
            let mut world = settled(5, default_timing(), lossy(0.01), seed);
            world.forget_told();
            world.stall(0, length);
            world.run_for(length + Duration::from_secs(10));
            assert_eq!(blame(&world, 0), Vec::<&Event>::new(), "stalled for {length:?}, seed {seed}");
            for host in 0..5 {
                let label = format!("stalled for {length:?}, seed {seed}, {}", world.name(host));
                assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{label}");
            }
        });
    }
}

#[test]
fn a_stall_longer_than_the_timeout_makes_the_mode_starting_before_anything_else_is_said() {
    let mut world = settled(5, default_timing(), lossy(0.0), 3);
    world.forget_told();
    world.stall(0, Duration::from_secs(4));
    world.run_for(Duration::from_secs(14));
    assert_eq!(modes_of(&world, 0), [Mode::Starting, Mode::Normal]);
    let stalls: Vec<_> = world.told().iter().filter(|told| matches!(told.event, Event::Stalled { .. })).collect();
    assert_eq!(stalls.len(), 1);
    assert_eq!(stalls[0].host, 0);
}

#[test]
fn without_evidence_the_others_call_a_long_stall_a_silent_node_and_end_it_with_its_cause() {
    for hosts in [3, 5, 30, 100] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            let_nobody_ask(&mut world);
            world.forget_told();
            world.stall(0, Duration::from_secs(10));
            world.run_for(Duration::from_secs(20));
            for host in 1..hosts {
                let said = verdicts_of(&world, host);
                let label = format!("{hosts} hosts, seed {seed}, {}: {said:?}", world.name(host));
                assert!(matches!(said[..], [Event::NodeUnheard { .. }, Event::NodeHeard { .. }]), "{label}");
                let Event::NodeHeard { cause, confirmed, .. } = said[1] else { panic!("{label}") };
                assert_eq!((*cause, *confirmed), (CloseCause::Stalled, Some(false)), "{label}");
            }
        });
    }
}

#[test]
fn an_agent_whose_links_fall_while_it_stalls_inside_a_cut_still_names_the_cut_afterwards() {
    for_each_seed(verify::size(20, 200), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.cut(&[vec![0, 1, 2], vec![3, 4]]);
        world.run_for(Duration::from_millis(500));
        world.stall(0, Duration::from_secs(3));
        world.run_for(Duration::from_secs(15));
        let partition = world.detector(0).unwrap().partition().unwrap_or_else(|| panic!("seed {seed}"));
        assert_eq!(partition.sides[0].nodes, ["n000", "n001", "n002"], "seed {seed}");
        let wrong = verdicts_of(&world, 0).into_iter().filter(|event| !matches!(event, Event::PartitionOpened(_)));
        assert_eq!(wrong.count(), 0, "seed {seed}");
    });
}

/// Its side of before says that it may write, and the others have gone on without it.
#[test]
fn an_agent_that_wakes_inside_a_cut_does_not_say_for_a_moment_that_it_may_write() {
    for (way, hosts) in ["stalls", "drops"].into_iter().flat_map(|way| [3, 5, 30].map(|hosts| (way, hosts))) {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            match way {
                "stalls" => world.stall(0, Duration::from_secs(30)),
                _ => world.flood(0, true),
            }
            world.run_for(Duration::from_secs(20));
            world.cut(&[vec![0], (1..hosts).collect()]);
            world.run_for(Duration::from_secs(12));
            world.flood(0, false);
            world.run_for(Duration::from_secs(12));
            let writes = modes_of(&world, 0).into_iter().any(|mode| mode.may_write(Policy::Cp));
            assert!(!writes, "{way}, {hosts} hosts, seed {seed}: {:?}", modes_of(&world, 0));
            assert_eq!(world.detector(0).unwrap().mode(), Mode::Isolated, "{way}, {hosts} hosts, seed {seed}");
        });
    }
}

#[test]
fn an_agent_whose_socket_drops_what_arrives_blames_nobody() {
    for_each_seed(verify::size(20, 200), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.flood(0, true);
        world.run_for(Duration::from_secs(6));
        world.flood(0, false);
        world.run_for(Duration::from_secs(10));
        assert_eq!(blame(&world, 0), Vec::<&Event>::new(), "seed {seed}");
        let others = (1..5).map(|host| verdicts_of(&world, host).len()).sum::<usize>();
        assert_eq!(others, 0, "seed {seed}: the others hear it all the time");
    });
}

#[test]
fn drops_that_last_blind_the_agent_and_it_says_so() {
    let mut world = settled(5, default_timing(), lossy(0.0), 1);
    world.forget_told();
    world.flood(0, true);
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.detector(0).unwrap().mode(), Mode::Starting);
    let blind = world.told().iter().filter(|told| matches!(told.event, Event::Blind { .. })).count();
    assert_eq!(blind, 1);
    world.flood(0, false);
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.detector(0).unwrap().mode(), Mode::Normal);
    assert_eq!(blame(&world, 0), Vec::<&Event>::new());
}

#[test]
fn a_peer_of_a_newer_version_is_unknown_and_never_down() {
    use netsplit::detector::link::LinkState;
    use netsplit::identity::Sequence;
    let mut world = settled(3, default_timing(), lossy(0.0), 1);
    world.forget_told();
    // What host 1 sends from now on is of a version that host 0 cannot read.
    world.block(1, 0);
    for second in 0..30 {
        world.send_unreadable(1, 0, Sequence(1_000_000 + second));
        world.run_for(Duration::from_secs(1));
    }
    let view = world.detector(0).unwrap().view(world.now());
    let link = view.nodes.iter().find(|node| node.member.name == "n001").unwrap().link;
    assert_eq!(link, Some(LinkState::Unknown));
    assert_eq!(blame(&world, 0), Vec::<&Event>::new());
    // The same datagrams sent again do not hide that it fell silent.
    for second in 0..30 {
        world.send_unreadable(1, 0, Sequence(1_000_000 + second));
        world.run_for(Duration::from_secs(1));
    }
    let said = blame(&world, 0);
    let right = matches!(said[..], [Event::LinkDown { .. }, Event::PartitionOpened(opened), Event::PartitionChanged(changed)]
        if opened.sides[1].nodes == ["n001"] && changed.direction == Some(Direction::ToFirst));
    assert!(right, "one link is broken, one way: {said:?}");
}
