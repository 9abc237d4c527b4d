//! Who counts: agents that come, go, move, lose their disks, and what a discovery makes of it.

use std::time::Duration;

use netsplit::detector::event::{CloseCause, Event, LeaveReason};
use netsplit::detector::mode::Mode;
use netsplit::detector::settings::{ModePolicy, Policy, Tie};
use netsplit::detector::view::View;
use netsplit::simulation::{Discovery, World};

use crate::expectation::{is_verdict, verdicts_of};
use crate::{default_timing, for_each_seed, lossy, verify};

const BY_NAME: Discovery = Discovery { period: Duration::from_secs(10), names: true };
const BY_ADDRESS: Discovery = Discovery { names: false, ..BY_NAME };

/// How often those who should write are looked at.
const MOMENT: Duration = Duration::from_millis(250);

/// A cluster that its discovery made, and room for more.
fn discovered(hosts: usize, room: usize, discovery: Discovery, seed: u64) -> World {
    let mut world = World::new(hosts + room, default_timing(), lossy(0.0), seed);
    let founders: Vec<usize> = (0..hosts).collect();
    world.discover(discovery, &founders);
    for &host in &founders {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(12));
    assert_modes(&world, 0..hosts, Mode::Normal, "in the beginning");
    world.forget_told();
    world
}

fn view(world: &World, host: usize) -> std::sync::Arc<View> {
    world.detector(host).unwrap().view(world.now())
}

fn mode(world: &World, host: usize) -> Mode {
    world.detector(host).unwrap().mode()
}

fn assert_modes(world: &World, hosts: impl IntoIterator<Item = usize>, right: Mode, label: &str) {
    for host in hosts {
        assert_eq!(mode(world, host), right, "{label}: {}", world.name(host));
    }
}

fn assert_electorate(world: &World, hosts: impl IntoIterator<Item = usize>, size: usize, label: &str) {
    for host in hosts {
        let view = view(world, host);
        assert_eq!(view.electorate, size, "{label}: the electorate of {}", world.name(host));
    }
}

/// Lets time pass, and at each moment all of these may write.
fn run_writing(world: &mut World, hosts: &[usize], time: Duration, label: &str) {
    let end = world.now() + time;
    while world.now() < end {
        world.run_for(MOMENT);
        for &host in hosts {
            let mode = mode(world, host);
            assert!(mode.may_write(Policy::Cp), "{label}, {:?}: {} is {mode:?}", world.now(), world.name(host));
        }
    }
}

#[test]
fn two_of_five_gone_the_three_write_throughout_and_the_electorate_follows_the_discovery() {
    for_each_seed(verify::size(10, 100), |seed| {
        let label = format!("seed {seed}");
        let mut world = discovered(5, 0, BY_NAME, seed);
        world.lose(3);
        world.lose(4);
        run_writing(&mut world, &[0, 1, 2], Duration::from_secs(120), &label);
        assert_electorate(&world, 0..3, 5, &label);
        assert_modes(&world, 0..3, Mode::Majority, &label);
        world.list(3, false);
        world.list(4, false);
        run_writing(&mut world, &[0, 1, 2], Duration::from_secs(100), &label);
        assert_electorate(&world, 0..3, 3, &label);
        assert_modes(&world, 0..3, Mode::Normal, &label);
        for host in 0..3 {
            assert_eq!(view(&world, host).nodes.len(), 3, "{label}: the roster follows");
            let said = verdicts_of(&world, host);
            let closed = matches!(said.last(), Some(Event::PartitionClosed { cause: CloseCause::Removed, .. }));
            assert!(closed, "{label}: {said:?}");
        }
    });
}

#[test]
fn three_of_five_gone_the_two_stay_a_minority_until_the_dead_are_forgotten() {
    for_each_seed(verify::size(10, 100), |seed| {
        let label = format!("seed {seed}");
        let mut world = discovered(5, 0, BY_NAME, seed);
        for dead in 2..5 {
            world.lose(dead);
            world.list(dead, false);
        }
        world.run_for(Duration::from_secs(300));
        assert_modes(&world, 0..2, Mode::Minority, &label);
        assert_electorate(&world, 0..2, 5, &label);
        for dead in 2..5 {
            world.forget(0, dead);
        }
        world.run_for(Duration::from_secs(30));
        assert_electorate(&world, 0..2, 2, &label);
        assert_modes(&world, 0..2, Mode::Normal, &label);
        let left = |host: usize| {
            let said = world.told().iter().filter(|told| told.host == host);
            said.filter(|told| matches!(&told.event, Event::PeerLeft { reason: LeaveReason::Removed, .. })).count()
        };
        assert_eq!((left(0), left(1)), (3, 3), "{label}");
    });
}

#[test]
fn a_forgotten_node_that_returns_counts_again() {
    let mut world = discovered(3, 0, BY_NAME, 7);
    world.lose(2);
    world.run_for(Duration::from_secs(20));
    world.forget(0, 2);
    world.run_for(Duration::from_secs(10));
    assert_electorate(&world, 0..2, 2, "forgotten, though it is listed still");
    assert_modes(&world, 0..2, Mode::Normal, "forgotten");
    world.start(2, false);
    world.run_for(Duration::from_secs(20));
    assert_electorate(&world, 0..3, 3, "returned");
    assert_modes(&world, 0..3, Mode::Normal, "returned");
}

#[test]
fn scaling_up_and_down_never_takes_the_writes_from_anybody() {
    let (least, most) = (10, if verify::is_full() { 500 } else { 60 });
    let mut world = discovered(least, most - least, BY_NAME, 3);
    let began = world.now();
    let mut running: Vec<usize> = (0..least).collect();
    let newcomers: Vec<usize> = (least..most).collect();
    for &host in &newcomers {
        world.list(host, true);
        world.start(host, false);
    }
    run_writing(&mut world, &running, Duration::from_secs(30), "up");
    running.extend(newcomers);
    assert_electorate(&world, 0..most, most, "up");
    assert_modes(&world, 0..most, Mode::Normal, "up");
    while running.len() > least {
        // Fewer than half at a time, and the electorate has a minute and a half to follow.
        let keep = (running.len() * 11 / 20).max(least);
        let leaving = running.split_off(keep);
        for &host in &leaving {
            world.stop(host);
            world.list(host, false);
        }
        run_writing(&mut world, &running, Duration::from_secs(90), "down");
        assert_electorate(&world, 0..running.len(), running.len(), "down");
    }
    assert_modes(&world, 0..least, Mode::Normal, "down");
    let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
    assert!(said.is_empty(), "{said:?}");
    let moments = world.now().since(began).as_millis() / MOMENT.as_millis();
    let cells = ["scaling 10 → 500 → 10", "10–500", "1", &moments.to_string(), "0"];
    verify::ELECTORATE.row(&cells.map(str::to_owned));
}

#[test]
fn agents_that_know_addresses_only_find_each_other_and_every_newcomer() {
    for_each_seed(verify::size(10, 100), |seed| {
        let label = format!("seed {seed}");
        let mut world = discovered(6, 3, BY_ADDRESS, seed);
        for host in 6..9 {
            world.list(host, true);
            world.start(host, false);
        }
        run_writing(&mut world, &[0, 1, 2, 3, 4, 5], Duration::from_secs(25), &label);
        assert_electorate(&world, 0..9, 9, &label);
        assert_modes(&world, 0..9, Mode::Normal, &label);
    });
}

#[test]
fn a_first_list_that_comes_late_makes_nobody_blind_or_isolated() {
    for discovery in [BY_NAME, BY_ADDRESS] {
        for_each_seed(verify::size(10, 100), |seed| {
            let mut world = World::new(5, default_timing(), lossy(0.0), seed);
            world.discover(discovery, &[0, 1, 2, 3, 4]);
            for host in 0..5 {
                world.set_discovery_down(host, true);
                world.start(host, false);
            }
            world.run_for(Duration::from_secs(20));
            assert_modes(&world, 0..5, Mode::Starting, "nobody is known");
            (0..5).for_each(|host| world.set_discovery_down(host, false));
            world.run_for(Duration::from_secs(25));
            assert_modes(&world, 0..5, Mode::Normal, "all are known");
            for told in world.told() {
                let is_wrong = match &told.event {
                    Event::Blind { .. } | Event::PartitionOpened(_) => true,
                    Event::ModeChanged { to, .. } => *to == Mode::Isolated,
                    _ => false,
                };
                assert!(!is_wrong, "seed {seed}: {told:?}");
            }
        });
    }
}

#[test]
fn under_addresses_nobody_writes_before_all_of_them_have_a_name() {
    let mut world = World::new(5, default_timing(), lossy(0.0), 1);
    world.discover(BY_ADDRESS, &[0, 1, 2, 3, 4]);
    for host in 0..4 {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(60));
    assert_modes(&world, 0..4, Mode::Starting, "one address has no name");
    assert_eq!(view(&world, 0).awaited, ["1 listed without a name"]);
    world.start(4, false);
    world.run_for(Duration::from_secs(15));
    assert_modes(&world, 0..5, Mode::Normal, "it has one now");
}

#[test]
fn an_address_that_never_gets_a_name_holds_the_foundation_up_until_it_is_listed_no_more() {
    for restarts in [false, true] {
        let mut world = World::new(5, default_timing(), lossy(0.0), 1);
        world.discover(BY_ADDRESS, &[0, 1, 2, 3, 4]);
        for host in 0..4 {
            world.start(host, false);
        }
        world.run_for(Duration::from_secs(20));
        world.list(4, false);
        world.run_for(Duration::from_secs(30));
        assert_modes(&world, 0..4, Mode::Starting, "one list may be wrong");
        for host in (0..4).filter(|_| restarts) {
            world.kill(host);
            world.start(host, true);
            world.run_for(Duration::from_secs(5));
        }
        world.run_for(Duration::from_secs(90));
        assert_modes(&world, 0..4, Mode::Normal, "it is gone");
        assert_electorate(&world, 0..4, 4, "it is gone");
    }
}

#[test]
fn while_another_address_has_no_name_the_foundation_is_changed_once() {
    let mut world = World::new(6, default_timing(), lossy(0.0), 1);
    world.discover(BY_ADDRESS, &[0, 1, 2, 3, 4, 5]);
    for host in 0..4 {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(20));
    world.list(5, false);
    world.run_for(Duration::from_secs(75));
    (0..4).for_each(|host| world.set_discovery_down(host, true));
    let digest = |world: &World| view(world, 0).electorate_digest;
    let before = digest(&world);
    world.run_for(Duration::from_secs(10));
    assert_eq!(digest(&world), before);
    assert_modes(&world, 0..4, Mode::Starting, "one address has no name");
}

#[test]
fn a_listed_node_that_never_comes_up_holds_the_foundation_up_until_it_is_forgotten() {
    let mut world = World::new(4, default_timing(), lossy(0.0), 1);
    world.discover(BY_NAME, &[0, 1, 2, 3]);
    for host in 0..3 {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(60));
    assert_modes(&world, 0..3, Mode::Starting, "one was never heard");
    assert_eq!(view(&world, 0).awaited, ["n003"]);
    world.forget(1, 3);
    world.run_for(Duration::from_secs(10));
    assert_modes(&world, 0..3, Mode::Normal, "forgotten");
    assert_electorate(&world, 0..3, 3, "forgotten");
}

#[test]
fn newcomers_behind_a_cut_elect_nobody_however_many_they_are() {
    let mut world = discovered(3, 6, BY_NAME, 5);
    world.cut(&[(0..3).collect(), (3..9).collect()]);
    for host in 3..9 {
        world.list(host, true);
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(60));
    assert_modes(&world, 3..9, Mode::Starting, "cut off");
    assert_modes(&world, 0..3, Mode::Normal, "who were there before");
    world.heal();
    world.run_for(Duration::from_secs(40));
    assert_modes(&world, 0..9, Mode::Normal, "let in");
    assert_electorate(&world, 0..9, 9, "let in");
}

#[test]
fn a_newcomer_that_was_told_of_one_node_is_introduced_to_all() {
    let mut world = discovered(8, 1, BY_NAME, 2);
    world.start_listing(8, false, &[0, 8]);
    world.run_for(Duration::from_secs(20));
    assert_eq!(view(&world, 8).nodes.len(), 9);
    assert_electorate(&world, 0..9, 9, "introduced");
    assert_modes(&world, 0..9, Mode::Normal, "introduced");
}

#[test]
fn a_node_that_moved_is_found_where_it_says_that_it_is() {
    for_each_seed(verify::size(10, 100), |seed| {
        let label = format!("seed {seed}");
        let mut world = discovered(4, 0, BY_NAME, seed);
        // The list of the others lags: only the hello tells where it is.
        for host in [0, 1, 3] {
            world.set_discovery_down(host, true);
        }
        world.kill(2);
        world.move_host(2, 77);
        world.start(2, seed % 2 == 0);
        world.run_for(Duration::from_secs(10));
        assert_modes(&world, 0..4, Mode::Normal, &label);
        let moved = view(&world, 2).nodes[view(&world, 2).me].member.address;
        for host in [0, 1, 3] {
            let view = view(&world, host);
            assert!(view.nodes.iter().any(|node| node.member.address == moved), "{label}: {}", world.name(host));
        }
    });
}

#[test]
fn two_agents_of_one_name_are_a_conflict_that_is_told_once_and_no_partition() {
    let mut world = discovered(4, 1, BY_NAME, 9);
    world.impersonate(4, 3);
    world.start_listing(4, false, &[0, 1, 2, 4]);
    world.run_for(Duration::from_secs(90));
    for host in 0..3 {
        let told = world.told().iter().filter(|told| told.host == host);
        let conflicts =
            told.clone().filter(|told| matches!(&told.event, Event::RosterConflict { peer } if peer == "n003"));
        assert_eq!(conflicts.count(), 1, "{}", world.name(host));
        let restarts = told.filter(|told| matches!(told.event, Event::PeerRestarted { .. })).count();
        assert!(restarts <= 3, "{}: {restarts} restarts", world.name(host));
    }
    // The two that share a name each get half of what is meant for it: they may take a cut for possible, and no more.
    let is_wrong = |event: &Event, host: usize| matches!(event, Event::PartitionOpened(partition) if partition.certain || host < 3);
    let wrong: Vec<_> = world.told().iter().filter(|told| is_wrong(&told.event, told.host)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_discovery_that_is_down_removes_nobody() {
    let mut world = discovered(5, 0, BY_NAME, 4);
    for host in 0..5 {
        world.set_discovery_down(host, true);
    }
    world.lose(4);
    world.list(4, false);
    world.run_for(Duration::from_secs(300));
    assert_electorate(&world, 0..4, 5, "nobody was told");
}

#[test]
fn a_node_that_is_missing_from_the_lists_and_heard_stays() {
    let mut world = discovered(5, 0, BY_NAME, 4);
    world.list(4, false);
    world.run_for(Duration::from_secs(300));
    assert_electorate(&world, 0..5, 5, "it is heard");
    assert_modes(&world, 0..5, Mode::Normal, "it is heard");
}

#[test]
fn a_disk_that_hangs_delays_the_electorate_and_nothing_else() {
    let mut world = discovered(3, 1, BY_NAME, 6);
    world.hang_disk(0, true);
    world.list(3, true);
    world.start(3, false);
    run_writing(&mut world, &[0, 1, 2], Duration::from_secs(20), "joining");
    assert_electorate(&world, 1..4, 4, "joined");
    world.cut(&[vec![0, 1, 2], vec![3]]);
    world.run_for(Duration::from_secs(10));
    assert_eq!(mode(&world, 0), Mode::Degraded, "it detects and counts as the others");
    world.heal();
    world.run_for(Duration::from_secs(10));
    // With three it would be a majority of the electorate that it has kept, and is none of the one that it knows.
    world.cut(&[vec![0], vec![1, 2, 3]]);
    world.run_for(Duration::from_secs(10));
    assert_eq!(mode(&world, 0), Mode::Isolated);
    world.heal();
    world.hang_disk(0, false);
    world.run_for(Duration::from_secs(20));
    assert_modes(&world, 0..4, Mode::Normal, "in the end");
}

#[test]
fn an_agent_whose_disk_takes_nothing_restarts_as_one_without_an_electorate() {
    let mut world = discovered(3, 0, BY_NAME, 6);
    world.hang_disk(0, true);
    world.cut(&[vec![0], vec![1, 2]]);
    world.run_for(Duration::from_secs(8));
    world.kill(0);
    world.start(0, true);
    world.run_for(Duration::from_secs(30));
    assert_eq!(mode(&world, 0), Mode::Starting, "it never elects itself");
    world.heal();
    world.run_for(Duration::from_secs(20));
    assert_modes(&world, 0..3, Mode::Normal, "its peers tell it");
}

#[test]
fn the_mode_before_a_clean_stop_is_told_for_a_minute_as_long_as_there_is_no_newer_one() {
    let mut world = discovered(3, 0, BY_NAME, 1);
    world.stop(2);
    world.run_for(Duration::from_secs(5));
    world.start(2, true);
    world.run_for(Duration::from_millis(500));
    assert_eq!((mode(&world, 2), view(&world, 2).mode_before), (Mode::Starting, Some(Mode::Normal)));
    world.run_for(Duration::from_secs(10));
    assert_eq!((mode(&world, 2), view(&world, 2).mode_before), (Mode::Normal, None));
    world.kill(2);
    world.start(2, true);
    world.run_for(Duration::from_millis(500));
    assert_eq!(view(&world, 2).mode_before, None, "a crash is no clean stop");
}

#[test]
fn a_new_agent_makes_no_cut_of_nodes_that_died_long_ago_one_by_one() {
    for state in [true, false] {
        for_each_seed(verify::size(10, 100), |seed| {
            let label = format!("state {state}, seed {seed}");
            let mut world = discovered(6, 0, BY_NAME, seed);
            world.lose(4);
            world.run_for(Duration::from_secs(60));
            world.lose(5);
            world.run_for(Duration::from_secs(30));
            world.forget_told();
            world.stop(0);
            world.run_for(Duration::from_secs(2));
            world.start(0, state);
            world.run_for(Duration::from_secs(30));
            let opened: Vec<_> =
                world.told().iter().filter(|told| matches!(told.event, Event::PartitionOpened(_))).collect();
            assert!(opened.is_empty(), "{label}: {opened:?}");
            assert_modes(&world, 0..4, Mode::Degraded, &label);
        });
    }
}

#[test]
fn a_tie_that_the_lowest_name_wins_is_won_by_one_half() {
    let mut world = World::new(4, default_timing(), lossy(0.0), 3);
    world.set_policy(ModePolicy { tie: Tie::Lowest, ..ModePolicy::default() });
    world.discover(BY_NAME, &[0, 1, 2, 3]);
    for host in 0..4 {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(12));
    world.cut(&[vec![0, 2], vec![1, 3]]);
    world.run_for(Duration::from_secs(10));
    assert_modes(&world, [0, 2], Mode::Majority, "n000 is here");
    assert_modes(&world, [1, 3], Mode::Minority, "n000 is not here");
}

#[test]
fn an_agent_alone_in_its_cluster_is_normal() {
    let mut world = World::new(1, default_timing(), lossy(0.0), 1);
    world.start(0, false);
    world.run_for(Duration::from_secs(5));
    assert_eq!(mode(&world, 0), Mode::Normal);
}
