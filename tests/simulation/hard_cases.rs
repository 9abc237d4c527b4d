//! Histories that went wrong once: each was found by looking for it, and keeps its case here.

use std::time::Duration;

use netsplit::detector::LocalFault;
use netsplit::detector::event::{CloseCause, Event};
use netsplit::simulation::World;

use crate::expectation::{is_verdict, verdicts_of};
use crate::{default_timing, for_each_seed, lossy, settled};

fn halves(hosts: usize) -> Vec<Vec<usize>> {
    vec![(0..hosts - hosts / 2).collect(), (hosts - hosts / 2..hosts).collect()]
}

#[test]
fn a_cut_that_comes_back_before_it_is_closed_is_the_same_cut_and_nothing_is_said() {
    for_each_seed(10, |seed| {
        let hosts = 30;
        let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
        for _ in 0..14 {
            world.cut(&halves(hosts));
            world.run_for(Duration::from_secs(20));
            world.heal();
            world.run_for(Duration::from_secs(20));
        }
        for told in world.told() {
            if let Event::PartitionOpened(partition) | Event::PartitionChanged(partition) = &told.event {
                assert_eq!(partition.sides[0].count, 15, "seed {seed}, at {:?}: {told:?}", told.at.since_start());
            }
        }
    });
}

#[test]
fn a_datagram_of_an_earlier_run_sent_again_restarts_nobody() {
    let mut world = settled(5, default_timing(), lossy(0.0), 1);
    world.kill(0);
    world.record();
    world.start(0, true);
    world.run_for(Duration::from_secs(5));
    let recorded = world.recorded();
    let hello = recorded.iter().find(|(from, to, _)| (*from, *to) == (0, 1)).unwrap().2.clone();
    world.kill(0);
    world.run_for(Duration::from_millis(100));
    world.start(0, true);
    world.run_for(Duration::from_secs(10));
    world.forget_told();
    for _ in 0..5 {
        world.inject(1, hello.clone());
        world.run_for(Duration::from_secs(5));
    }
    assert!(world.told().is_empty(), "{:?}", world.told());
}

#[test]
fn a_deaf_node_that_restarts_is_told_of_once() {
    let hosts = 5;
    let mut world = settled(hosts, default_timing(), lossy(0.0), 1);
    for other in 1..hosts {
        world.block(other, 0);
    }
    world.run_for(Duration::from_secs(20));
    world.kill(0);
    world.start(0, true);
    world.forget_told();
    world.run_for(Duration::from_secs(60));
    for host in 1..hosts {
        let downs = world
            .told()
            .iter()
            .filter(|told| told.host == host && matches!(told.event, Event::LinkDown { .. }))
            .count();
        assert!(downs <= 1, "{host}: {downs} times down in a minute");
    }
}

#[test]
fn many_strangers_at_once_join() {
    for_each_seed(50, |seed| {
        let hosts = 30;
        let mut world = World::new(hosts, default_timing(), lossy(0.01), seed);
        let listed: Vec<usize> = (0..15).collect();
        for host in 0..15 {
            world.start_listing(host, false, &listed);
        }
        world.run_for(Duration::from_secs(10));
        assert!(!world.told().iter().any(|told| is_verdict(&told.event)));
        for host in 15..hosts {
            world.start(host, false);
            let pause = Duration::from_millis(30).mul_f64(world.chance());
            world.run_for(pause);
        }
        world.run_for(Duration::from_secs(20));
        let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
        assert!(said.is_empty(), "seed {seed}: {said:?}");
        for host in 0..hosts {
            assert_eq!(world.detector(host).unwrap().view(world.now()).nodes.len(), hosts);
        }
    });
}

#[test]
fn different_static_lists_name_the_same_cut() {
    for_each_seed(30, |seed| {
        let hosts = 6;
        let mut world = World::new(hosts, default_timing(), lossy(0.01), seed);
        // Host 5 and a sixth that never starts are only on some lists.
        for host in 0..5 {
            let listed: Vec<usize> = if host % 2 == 0 { vec![0, 1, 2, 3, 4] } else { vec![0, 1, 2, 3, 4, 5] };
            world.start_listing(host, false, &listed);
        }
        world.run_for(Duration::from_secs(10));
        let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
        assert!(said.is_empty(), "seed {seed}: {said:?}");
        world.forget_told();
        let sides = vec![vec![0, 1, 2], vec![3, 4]];
        world.cut(&sides);
        world.run_for(Duration::from_secs(8));
        for host in 0..5 {
            let said = verdicts_of(&world, host);
            let [Event::PartitionOpened(partition)] = said[..] else { panic!("seed {seed} {host} {said:?}") };
            let right = if host < 3 { 3 } else { 2 };
            assert_eq!(
                (partition.sides[0].count, partition.sides[1].count, partition.certain),
                (right, 5 - right, true),
                "seed {seed} {host} {partition:?}"
            );
        }
        world.heal();
        world.forget_told();
        world.run_for(Duration::from_secs(8));
        for host in 0..5 {
            let said = verdicts_of(&world, host);
            assert!(matches!(said[..], [Event::PartitionClosed { .. }]), "seed {seed} {host} {said:?}");
        }
    });
}

#[test]
fn twenty_rosters_of_their_own_are_all_read() {
    let hosts = 40;
    let mut world = World::new(hosts, default_timing(), lossy(0.0), 1);
    // Each of 20 running hosts lists one more node of its own that was never started.
    for host in 0..20 {
        let mut listed: Vec<usize> = (0..20).collect();
        listed.push(20 + host);
        world.start_listing(host, false, &listed);
    }
    world.run_for(Duration::from_secs(30));
    let before = world.datagrams();
    world.run_for(Duration::from_secs(60));
    let rate = (world.datagrams() - before) as f64 / 60.0 / (20.0 * 19.0);
    for host in 0..20 {
        let view = world.detector(host).unwrap().view(world.now());
        let rows = view.nodes.iter().filter(|node| node.row.is_some()).count();
        assert_eq!(rows, 20, "{host} reads {rows} rows");
    }
    assert!(rate < 2.5, "{rate}");
}

#[test]
fn the_epoch_that_was_heard_outlives_a_restart() {
    let hosts = 5;
    let mut world = settled(hosts, default_timing(), lossy(0.0), 1);
    // Host 0 is alone for a while: the others call it unheard, and learn the epoch from it afterwards.
    world.cut(&[vec![0], vec![1, 2, 3, 4]]);
    world.run_for(Duration::from_secs(10));
    world.heal();
    world.run_for(Duration::from_secs(10));
    // Host 1 restarts with its state, inside a cut.
    world.kill(1);
    world.cut(&[vec![1], vec![0], vec![2, 3, 4]]);
    world.start(1, true);
    world.run_for(Duration::from_secs(15));
    let id = |host: usize| world.detector(host).unwrap().partition().map(|partition| partition.id);
    assert!(id(0).is_some());
    assert_eq!(id(0), id(1));
}

#[test]
fn a_late_datagram_of_the_last_run_restarts_nobody() {
    // No attacker: datagrams take up to 150 ms, and a crashed agent is back within 50 ms.
    for_each_seed(50, |seed| {
        let conditions = netsplit::simulation::Conditions { jitter: Duration::from_millis(150), ..lossy(0.0) };
        let mut world = settled(5, default_timing(), conditions, seed);
        for _ in 0..3 {
            world.kill(0);
            world.start(0, true);
            let pause = Duration::from_millis(600).mul_f64(world.chance());
            world.run_for(pause);
        }
        world.run_for(Duration::from_secs(10));
        let adopted: Vec<_> =
            world.told().iter().filter(|told| matches!(told.event, Event::IncarnationAdopted { .. })).collect();
        assert!(adopted.is_empty(), "seed {seed}: {adopted:?}");
    });
}

#[test]
fn nodes_that_only_some_list_and_nobody_ever_heard_open_nothing() {
    let mut world = World::new(7, default_timing(), lossy(0.0), 1);
    for host in 0..5 {
        let listed: Vec<usize> = if host % 2 == 0 { (0..5).collect() } else { (0..7).collect() };
        world.start_listing(host, false, &listed);
    }
    world.run_for(Duration::from_secs(60));
    let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn a_rolling_update_beside_nodes_that_were_never_started_raises_nothing() {
    for_each_seed(10, |seed| {
        let mut world = World::new(8, default_timing(), lossy(0.01), seed);
        for host in 0..6 {
            world.start(host, false);
        }
        world.run_for(Duration::from_secs(10));
        for _ in 0..2 {
            for host in 0..6 {
                world.stop(host);
                world.run_for(Duration::from_millis(200));
                world.start(host, seed % 2 == 0);
                world.run_for(Duration::from_millis(1_500));
            }
        }
        world.run_for(Duration::from_secs(10));
        let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
        assert!(said.is_empty(), "seed {seed}: {said:?}");
    });
}

#[test]
fn a_dead_node_is_unheard_although_an_absent_one_is_on_some_lists() {
    let mut world = World::new(6, default_timing(), lossy(0.0), 1);
    for host in 0..5 {
        let listed: Vec<usize> = if host % 2 == 0 { (0..5).collect() } else { (0..6).collect() };
        world.start_listing(host, false, &listed);
    }
    world.run_for(Duration::from_secs(10));
    world.forget_told();
    world.lose(4);
    world.run_for(Duration::from_secs(20));
    for host in 0..4 {
        let said = verdicts_of(&world, host);
        assert!(matches!(said[..], [Event::NodeUnheard { .. }]), "{host} {said:?}");
    }
}

#[test]
fn a_cut_that_was_only_possible_at_first_is_said_to_be_certain_later() {
    let mut world = settled(5, default_timing(), lossy(0.0), 1);
    world.cut(&[vec![0], vec![1, 2, 3, 4]]);
    world.run_for(Duration::from_millis(2_600));
    world.fault(0, LocalFault::Drops { datagrams: 1 });
    world.run_for(Duration::from_secs(30));
    let partition = world.detector(0).unwrap().partition().unwrap();
    assert!(partition.certain, "{partition:?}");
}

#[test]
fn no_answer_to_an_unverified_run_is_larger_than_its_question() {
    let hosts = 30;
    let mut world = settled(hosts, default_timing(), lossy(0.0), 1);
    world.record();
    world.kill(0);
    world.start(0, true);
    world.run_for(Duration::from_secs(5));
    let questions: Vec<_> = world.recorded().into_iter().filter(|(from, to, _)| (*from, *to) == (0, 1)).collect();
    world.kill(0);
    world.start(0, true);
    world.run_for(Duration::from_secs(5));
    // Host 1 slept for a moment: it says so in every datagram for one bound.
    world.stall(1, Duration::from_secs(1));
    world.run_for(Duration::from_millis(1_100));
    let mut worst = 0.0_f64;
    for (_, _, question) in questions {
        let asked = netsplit::wire::sealed_size(&question);
        world.record();
        world.inject(1, question);
        for (_, to, answer) in world.recorded() {
            assert_eq!(to, 0);
            worst = worst.max(netsplit::wire::sealed_size(&answer) as f64 / asked as f64);
        }
    }
    assert!(worst <= 1.0, "{worst}");
}

#[test]
fn an_isolated_node_that_dies_is_not_said_to_have_left() {
    let mut world = settled(5, default_timing(), lossy(0.0), 1);
    // It hears nobody, and is heard: an isolation.
    for other in 1..5 {
        world.block(other, 0);
    }
    world.run_for(Duration::from_secs(20));
    world.forget_told();
    world.kill(0);
    world.run_for(Duration::from_secs(30));
    for host in 1..5 {
        let said = verdicts_of(&world, host);
        let left = said.iter().any(|event| matches!(event, Event::PartitionClosed { cause: CloseCause::Left, .. }));
        assert!(!left, "{host} {said:?}");
    }
}

#[test]
fn a_second_agent_of_one_name_does_not_make_the_first_flap() {
    // The old run of host 0 goes on beside the new one, as an old pod that does not end.
    let mut world = settled(5, default_timing(), lossy(0.0), 1);
    world.kill(0);
    world.record();
    world.start(0, true);
    world.run_for(Duration::from_secs(20));
    let old: Vec<_> = world.recorded().into_iter().filter(|(from, ..)| *from == 0).collect();
    world.kill(0);
    world.start(0, true);
    world.run_for(Duration::from_secs(10));
    world.forget_told();
    for (_, to, datagram) in old {
        world.inject(to, datagram);
        world.run_for(Duration::from_millis(200));
    }
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for told in world.told() {
        let name = format!("{:?}", told.event);
        *counts.entry(name.split([' ', '(']).next().unwrap().to_owned()).or_default() += 1;
    }
    assert!(counts.is_empty(), "{counts:?}");
}

#[test]
fn agents_that_all_slept_at_once_blame_nobody() {
    for_each_seed(30, |seed| {
        let mut world = settled(6, default_timing(), lossy(0.01), seed);
        world.forget_told();
        let length = Duration::from_millis(700 + 300 * seed);
        for host in 0..6 {
            world.stall(host, length);
        }
        world.run_for(Duration::from_secs(30));
        let said: Vec<_> = world.told().iter().filter(|told| is_verdict(&told.event)).collect();
        assert!(said.is_empty(), "seed {seed}: {said:?}");
    });
}

#[test]
fn a_majority_that_wins_a_tie_is_one() {
    use netsplit::detector::settings::{ModePolicy, Policy, Tie};
    for_each_seed(60, |seed| {
        let mut world = World::new(4, default_timing(), lossy(0.01), seed);
        world.set_policy(ModePolicy { tie: Tie::Lowest, ..ModePolicy::default() });
        for host in 0..4 {
            world.start(host, false);
        }
        world.run_for(Duration::from_secs(8));
        for round in 0..6 {
            let sides: Vec<usize> = (0..4).map(|_| world.pick(2)).collect();
            let of = |side: usize| (0..4).filter(|&host| sides[host] == side).collect::<Vec<_>>();
            let cut = [of(0), of(1)];
            world.heal();
            world.cut(&cut);
            if round % 2 == 1 {
                let host = world.pick(4);
                world.kill(host);
                world.start(host, seed % 2 == 0);
            }
            world.run_for(Duration::from_secs(12));
            let writes =
                |side: &Vec<usize>| side.iter().any(|&host| world.detector(host).unwrap().mode().may_write(Policy::Cp));
            assert!(!(writes(&cut[0]) && writes(&cut[1])), "seed {seed} round {round} {cut:?}");
        }
    });
}

#[test]
fn a_pair_cut_apart_for_a_long_time_gets_acquainted_again_whatever_restarted_meanwhile() {
    for_each_seed(60, |seed| {
        let mut world = settled(4, default_timing(), lossy(0.05), seed);
        world.cut(&[vec![0, 1], vec![2, 3]]);
        for round in 0..6 {
            let host = world.pick(4);
            world.kill(host);
            if round % 3 == 2 {
                let back = i64::try_from(world.pick(100_000_000)).unwrap();
                world.jump_clock(host, -back);
            }
            let pause = Duration::from_secs(10).mul_f64(world.chance());
            world.run_for(pause);
            let state = world.pick(2) == 0;
            world.start(host, state);
            let pause = Duration::from_secs(10).mul_f64(world.chance());
            world.run_for(pause);
            if round == 3 {
                // Only one way heals for a while.
                world.heal();
                for (one, other) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
                    world.block(one, other);
                }
            }
        }
        world.heal();
        world.set_conditions(lossy(0.0));
        world.run_for(Duration::from_secs(200));
        for host in 0..4 {
            assert_eq!(
                world.detector(host).unwrap().mode(),
                netsplit::detector::mode::Mode::Normal,
                "seed {seed} {host}"
            );
        }
    });
}

#[test]
fn more_rosters_than_are_kept_still_name_the_cut_in_time() {
    let hosts = 30;
    let mut world = World::new(2 * hosts, default_timing(), lossy(0.0), 1);
    for host in 0..hosts {
        let mut listed: Vec<usize> = (0..hosts).collect();
        listed.push(hosts + host);
        world.start_listing(host, false, &listed);
    }
    world.run_for(Duration::from_secs(30));
    world.forget_told();
    let begin = world.now();
    world.cut(&[(0..15).collect(), (15..hosts).collect()]);
    world.run_for(Duration::from_secs(10));
    let mut opened = 0;
    for told in world.told().iter().filter(|told| is_verdict(&told.event)) {
        let Event::PartitionOpened(partition) = &told.event else { panic!("{told:?}") };
        let after = told.at.since(begin).as_secs_f64();
        assert!(
            (partition.sides[0].count, partition.certain) == (15, true) && after < 4.7,
            "{} after {after}: {partition:?}",
            told.host
        );
        opened += 1;
    }
    assert_eq!(opened, hosts);
}
