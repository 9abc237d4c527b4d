//! A second opinion tells a dead agent from a dead machine, and both from a cut.

use std::time::Duration;

use netsplit::detector::event::{AgentDownCause, BlindCause, CloseCause, Event};
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::PartitionKind;
use netsplit::detector::settings::Policy;
use netsplit::simulation::World;

use crate::expectation::{modes_of, verdicts_of};
use crate::{default_timing, for_each_seed, let_nobody_ask, lossy, seeds, settled, verify};

/// Every host that is not one of `down` says of each of them that its agent is down, for this cause, and nothing else.
fn assert_agents_down(world: &World, down: &[usize], cause: AgentDownCause, label: &str) {
    for host in (0..world.size()).filter(|host| !down.contains(host)) {
        let label = format!("{label}, {}", world.name(host));
        let said = verdicts_of(world, host);
        let mut nodes: Vec<&str> = said.iter().map(|event| agent_down(event, cause, &label)).collect();
        nodes.sort_unstable();
        let right: Vec<&str> = down.iter().map(|&host| world.name(host)).collect();
        assert_eq!(nodes, right, "{label}: {said:?}");
        let view = world.detector(host).unwrap().view(world.now());
        let shown = view.nodes.iter().filter(|node| node.agent_down == Some(cause)).count();
        assert_eq!(shown, down.len(), "{label}");
        assert_eq!(view.nodes.iter().filter(|node| node.unheard).count(), 0, "{label}");
    }
}

fn agent_down<'a>(event: &'a Event, right: AgentDownCause, label: &str) -> &'a str {
    match event {
        Event::AgentDown { peer: node, cause } if *cause == right => node,
        event => panic!("{label}: {event:?}"),
    }
}

/// Every host that was up all the time says of each of `back` that it is up again, with this cause, and nothing else.
fn assert_agents_up(world: &World, back: &[usize], cause: CloseCause, label: &str) {
    for host in (0..world.size()).filter(|host| !back.contains(host)) {
        let said = verdicts_of(world, host);
        assert_eq!(said.len(), back.len(), "{label}, {}: {said:?}", world.name(host));
        for event in said {
            let Event::AgentUp { cause: told, confirmed, .. } = event else { panic!("{label}: {event:?}") };
            assert_eq!((*told, *confirmed), (cause, Some(false)), "{label}, {}", world.name(host));
        }
        assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{label}, {}", world.name(host));
    }
}

fn assert_modes(world: &World, hosts: impl IntoIterator<Item = usize>, right: &[Mode], label: &str) {
    for host in hosts {
        assert_eq!(modes_of(world, host), right, "{label}, {}", world.name(host));
    }
}

#[test]
fn an_agent_that_is_killed_is_down_and_its_node_is_not_unheard() {
    for hosts in [3, 5, 7, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            world.kill(0);
            world.run_for(Duration::from_secs(12));
            assert_agents_down(&world, &[0], AgentDownCause::Stopped, &label);
            assert_modes(&world, 1..hosts, &[Mode::Degraded], &label);
            world.forget_told();
            world.start(0, seed % 2 == 0);
            world.run_for(Duration::from_secs(8));
            assert_agents_up(&world, &[0], CloseCause::Restarted, &label);
        });
    }
}

#[test]
fn an_agent_down_is_told_as_fast_as_a_cut() {
    for_each_seed(verify::size(40, 400), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        let killed = world.now();
        world.kill(0);
        world.run_for(Duration::from_secs(12));
        for told in world.told().iter().filter(|told| matches!(told.event, Event::AgentDown { .. })) {
            let after = told.at.since(killed).as_secs_f64();
            assert!(after <= 4.7, "seed {seed}, {}: {after}", told.host);
        }
    });
}

#[test]
fn agents_that_are_killed_together_are_no_cut() {
    for (hosts, killed) in [(3, 2), (5, 2), (7, 4), (30, 20), (100, 50)] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{killed} of {hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            let killed: Vec<usize> = (0..killed).collect();
            for &host in &killed {
                world.kill(host);
            }
            world.run_for(Duration::from_secs(12));
            assert_agents_down(&world, &killed, AgentDownCause::Stopped, &label);
            for host in killed.len()..hosts {
                let mode = world.detector(host).unwrap().mode();
                let writes = (hosts - killed.len()) * 2 > hosts;
                assert_eq!(mode.may_write(Policy::Cp), writes, "{label}: {mode:?}");
            }
            world.forget_told();
            for &host in &killed {
                world.start(host, true);
            }
            world.run_for(Duration::from_secs(8));
            assert_agents_up(&world, &killed, CloseCause::Restarted, &label);
        });
    }
}

#[test]
fn a_machine_that_is_gone_beside_an_agent_that_is_down_is_unheard_and_no_cut() {
    for hosts in [5, 30] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            world.kill(0);
            world.lose(1);
            world.run_for(Duration::from_secs(14));
            for host in 2..hosts {
                let said = verdicts_of(&world, host);
                let right = matches!(said[..], [Event::AgentDown { peer: node, .. }, Event::NodeUnheard { peer: other }]
                    if node == "n000" && other == "n001");
                assert!(right, "{hosts} hosts, seed {seed}, {host}: {said:?}");
            }
        });
    }
}

#[test]
fn a_stalled_agent_is_down_and_comes_back_as_stalled() {
    for hosts in [3, 5, 7, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            world.stall(0, Duration::from_secs(10));
            world.run_for(Duration::from_millis(9_900));
            assert_agents_down(&world, &[0], AgentDownCause::Stalled, &label);
            world.forget_told();
            world.run_for(Duration::from_secs(10));
            assert_agents_up(&world, &[0], CloseCause::Stalled, &label);
            assert_eq!(verdicts_of(&world, 0), Vec::<&Event>::new(), "{label}: it blames nobody");
        });
    }
}

#[test]
fn two_of_seven_that_stall_together_are_two_agents_down_and_no_cut() {
    for_each_seed(verify::size(40, 400), |seed| {
        let label = format!("seed {seed}");
        let mut world = settled(7, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.stall(0, Duration::from_secs(5));
        world.stall(1, Duration::from_secs(5));
        world.run_for(Duration::from_millis(4_900));
        assert_agents_down(&world, &[0, 1], AgentDownCause::Stalled, &label);
        world.forget_told();
        world.run_for(Duration::from_secs(8));
        assert_agents_up(&world, &[0, 1], CloseCause::Stalled, &label);
    });
}

#[test]
fn without_evidence_two_that_stall_together_are_a_cut_that_closes_as_stalled() {
    for_each_seed(verify::size(10, 100), |seed| {
        let mut world = settled(7, default_timing(), lossy(0.01), seed);
        let_nobody_ask(&mut world);
        world.forget_told();
        world.stall(0, Duration::from_secs(8));
        world.stall(1, Duration::from_secs(8));
        world.run_for(Duration::from_secs(18));
        for host in 2..7 {
            let said = verdicts_of(&world, host);
            let right = matches!(
                said[..],
                [
                    Event::PartitionOpened(_),
                    Event::PartitionClosed { cause: CloseCause::Stalled, confirmed: Some(false), .. }
                ]
            );
            assert!(right, "seed {seed}, {host}: {said:?}");
        }
    });
}

#[test]
fn without_evidence_an_agent_that_is_killed_is_unheard() {
    for hosts in [3, 5, 30] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            let_nobody_ask(&mut world);
            world.forget_told();
            world.kill(0);
            world.run_for(Duration::from_secs(12));
            for host in 1..hosts {
                let said = verdicts_of(&world, host);
                assert!(matches!(said[..], [Event::NodeUnheard { .. }]), "{hosts} hosts, seed {seed}: {said:?}");
            }
        });
    }
}

#[test]
fn what_one_agent_finds_out_all_of_its_side_judge_by() {
    for hosts in [3, 5, 30] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            let_nobody_ask(&mut world);
            world.let_ask(hosts - 1, true);
            world.forget_told();
            world.kill(0);
            world.run_for(Duration::from_secs(14));
            for host in 1..hosts {
                let said = verdicts_of(&world, host);
                let right = if host == hosts - 1 { AgentDownCause::Stopped } else { AgentDownCause::HostAnswers };
                assert!(said.len() == 1, "{label}, {host}: {said:?}");
                assert_eq!(agent_down(said[0], right, &label), "n000", "{label}, {host}");
            }
            // Whoever found it out may leave: it is known still.
            world.forget_told();
            world.stop(hosts - 1);
            world.run_for(Duration::from_secs(14));
            for host in 1..hosts - 1 {
                assert_eq!(verdicts_of(&world, host), Vec::<&Event>::new(), "{label}, {host}");
            }
        });
    }
}

#[test]
fn a_cut_between_agents_is_a_cut_although_one_of_them_is_killed_in_it() {
    for_each_seed(verify::size(20, 200), |seed| {
        let mut world = settled(6, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.cut(&[vec![0, 1, 2, 3], vec![4, 5]]);
        world.kill(0);
        world.run_for(Duration::from_secs(12));
        for host in 1..4 {
            let said = verdicts_of(&world, host);
            let opened = said.iter().find_map(|event| match event {
                Event::PartitionOpened(partition) => Some(partition),
                _ => None,
            });
            let partition = opened.unwrap_or_else(|| panic!("seed {seed}, {host}: {said:?}"));
            assert_eq!(partition.sides[0].nodes, ["n001", "n002", "n003"], "seed {seed}, {host}");
            assert_eq!(partition.sides[1].nodes, ["n004", "n005"], "seed {seed}, {host}");
            let down = said.iter().filter(|event| matches!(event, Event::AgentDown { .. })).count();
            assert_eq!((said.len(), down), (2, 1), "seed {seed}, {host}: {said:?}");
        }
    });
}

fn block_udp_of(world: &mut World, host: usize) {
    for other in (0..world.size()).filter(|&other| other != host) {
        world.block_udp(host, other);
        world.block_udp(other, host);
    }
}

#[test]
fn an_agent_whose_udp_is_blocked_is_blind_and_an_isolation_to_the_others() {
    for hosts in [5, 7, 30, 100] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            block_udp_of(&mut world, 0);
            world.run_for(Duration::from_secs(12));
            let said: Vec<&Event> = world.told().iter().filter(|told| told.host == 0).map(|told| &told.event).collect();
            assert!(
                matches!(
                    said[..],
                    [Event::Blind { cause: BlindCause::Udp }, Event::ModeChanged { to: Mode::Starting, .. },]
                ),
                "{label}: {said:?}"
            );
            let view = world.detector(0).unwrap().view(world.now());
            assert!(view.blind && view.impaired, "{label}");
            for host in 1..hosts {
                let said = verdicts_of(&world, host);
                let [Event::PartitionOpened(partition)] = said[..] else { panic!("{label}, {host}: {said:?}") };
                assert_eq!(partition.kind, PartitionKind::Isolation, "{label}");
                assert_eq!(partition.sides[1].nodes, ["n000"], "{label}");
            }
            world.forget_told();
            world.heal();
            world.run_for(Duration::from_secs(10));
            assert_eq!(verdicts_of(&world, 0), Vec::<&Event>::new(), "{label}");
            assert_modes(&world, [0], &[Mode::Normal], &label);
            for host in 1..hosts {
                let said = verdicts_of(&world, host);
                let right = matches!(said[..], [Event::PartitionClosed { confirmed: Some(true), .. }]);
                assert!(right, "{label}, {host}: {said:?}");
            }
        });
    }
}

#[test]
fn where_udp_is_blocked_everywhere_everybody_is_blind_and_says_nothing_else() {
    for hosts in [5, 30, 100] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            (0..hosts).for_each(|host| block_udp_of(&mut world, host));
            world.run_for(Duration::from_secs(12));
            for host in 0..hosts {
                assert_eq!(verdicts_of(&world, host), Vec::<&Event>::new(), "{label}, {host}");
                assert_eq!(world.detector(host).unwrap().mode(), Mode::Starting, "{label}, {host}");
            }
            world.forget_told();
            world.heal();
            world.run_for(Duration::from_secs(10));
            for host in 0..hosts {
                assert_eq!(verdicts_of(&world, host), Vec::<&Event>::new(), "{label}, {host}");
                assert_eq!(world.detector(host).unwrap().mode(), Mode::Normal, "{label}, {host}");
            }
        });
    }
}

#[test]
fn a_node_that_is_blind_by_udp_and_still_heard_blames_nobody() {
    // It hears nobody, and everybody hears it: what it calls down would break every pair with it.
    for hosts in [5, 30] {
        for_each_seed(seeds(hosts, 10, 100), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            (1..hosts).for_each(|other| world.block_udp(other, 0));
            world.run_for(Duration::from_secs(12));
            let said: Vec<_> = (0..hosts).flat_map(|host| verdicts_of(&world, host)).collect();
            assert!(said.is_empty(), "{label}: {said:?}");
            assert_eq!(world.detector(0).unwrap().mode(), Mode::Starting, "{label}");
        });
    }
}

#[test]
fn two_peers_whose_udp_is_blocked_blind_nobody() {
    for_each_seed(verify::size(20, 200), |seed| {
        let label = format!("seed {seed}");
        let mut world = settled(3, default_timing(), lossy(0.01), seed);
        world.forget_told();
        block_udp_of(&mut world, 0);
        world.run_for(Duration::from_secs(12));
        for host in 0..3 {
            let said = verdicts_of(&world, host);
            let [Event::PartitionOpened(partition)] = said[..] else { panic!("{label}, {host}: {said:?}") };
            assert_eq!(partition.kind, PartitionKind::Isolation, "{label}, {host}");
        }
        assert_eq!(world.detector(0).unwrap().mode(), Mode::Isolated, "{label}");
        assert_eq!(world.detector(1).unwrap().mode(), Mode::Majority, "{label}");
    });
}

#[test]
fn an_agent_found_down_late_is_no_longer_unheard_and_not_said_to_be_heard() {
    for_each_seed(verify::size(20, 200), |seed| {
        let label = format!("seed {seed}");
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        let_nobody_ask(&mut world);
        world.kill(0);
        world.run_for(Duration::from_secs(12));
        world.forget_told();
        // A new run asks anew, and it may.
        world.let_ask(1, true);
        world.kill(1);
        world.start(1, true);
        world.run_for(Duration::from_secs(12));
        for host in 1..5 {
            let said = verdicts_of(&world, host);
            let right = if host == 1 { AgentDownCause::Stopped } else { AgentDownCause::HostAnswers };
            assert_eq!(said.len(), 1, "{label}, {host}: {said:?}");
            assert_eq!(agent_down(said[0], right, &label), "n000", "{label}, {host}");
        }
        world.forget_told();
        world.start(0, true);
        world.run_for(Duration::from_secs(8));
        for host in 1..5 {
            let said = verdicts_of(&world, host);
            // A new run does not know which run of the other it was that fell silent.
            let right = if host == 1 { (CloseCause::Healed, None) } else { (CloseCause::Restarted, Some(false)) };
            let [Event::AgentUp { cause, confirmed, .. }] = said[..] else { panic!("{label}, {host}: {said:?}") };
            assert_eq!((*cause, *confirmed), right, "{label}, {host}");
        }
    });
}

#[test]
fn an_opening_waits_for_the_evidence_that_is_out() {
    // A new run asks when it declares its links down: the answer comes when it would open its isolation.
    for_each_seed(verify::size(40, 400), |seed| {
        let mut world = settled(3, default_timing(), lossy(0.01), seed);
        world.stall(1, Duration::from_secs(60));
        world.stall(2, Duration::from_secs(60));
        world.kill(0);
        world.forget_told();
        world.start(0, true);
        world.run_for(Duration::from_secs(12));
        assert_agents_down(&world, &[1, 2], AgentDownCause::Stalled, &format!("seed {seed}"));
    });
}

#[test]
fn an_agent_that_starts_where_udp_is_blocked_is_blind() {
    for_each_seed(verify::size(20, 200), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.kill(0);
        block_udp_of(&mut world, 0);
        world.start(0, true);
        world.forget_told();
        world.run_for(Duration::from_secs(20));
        assert_eq!(verdicts_of(&world, 0), Vec::<&Event>::new(), "seed {seed}");
        let said = world.told().iter().filter(|told| told.host == 0).map(|told| &told.event);
        let blind = said.filter(|event| matches!(event, Event::Blind { cause: BlindCause::Udp })).count();
        assert_eq!(blind, 1, "seed {seed}");
        assert_eq!(world.detector(0).unwrap().mode(), Mode::Starting, "seed {seed}");
    });
}

fn cut_the_overlay(world: &mut World, side: &[usize]) {
    for one in 0..world.size() {
        for other in (0..world.size()).filter(|other| side.contains(&one) != side.contains(other)) {
            world.block_overlay(one, other);
        }
    }
}

#[test]
fn a_cut_of_the_overlay_is_no_matter_of_dead_agents() {
    for (hosts, cut) in [(5, 2), (7, 3), (30, 15), (100, 49)] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{cut} of {hosts} hosts, seed {seed}");
            let side: Vec<usize> = (0..cut).collect();
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            cut_the_overlay(&mut world, &side);
            world.run_for(Duration::from_secs(12));
            for host in 0..hosts {
                let said = verdicts_of(&world, host);
                let [Event::PartitionOpened(partition)] = said[..] else { panic!("{label}, {host}: {said:?}") };
                let mine = if side.contains(&host) { cut } else { hosts - cut };
                assert_eq!(partition.sides[0].count, mine, "{label}, {host}: {partition:?}");
                assert_eq!(partition.kind, PartitionKind::Overlay, "{label}, {host}");
            }
            world.forget_told();
            world.heal();
            world.run_for(Duration::from_secs(8));
            for host in 0..hosts {
                let said = verdicts_of(&world, host);
                let right = matches!(said[..], [Event::PartitionClosed { partition, cause: CloseCause::Healed, .. }]
                    if partition.kind == PartitionKind::Overlay);
                assert!(right, "{label}, {host}: {said:?}");
            }
        });
    }
}

#[test]
fn one_agent_whose_host_alone_answers_is_down() {
    for hosts in [3, 5, 30] {
        for_each_seed(seeds(hosts, 20, 200), |seed| {
            let label = format!("{hosts} hosts, seed {seed}");
            let mut world = settled(hosts, default_timing(), lossy(0.01), seed);
            world.forget_told();
            cut_the_overlay(&mut world, &[0]);
            world.run_for(Duration::from_secs(12));
            assert_agents_down(&world, &[0], AgentDownCause::HostAnswers, &label);
            let said = verdicts_of(&world, 0);
            let right = matches!(said[..], [Event::PartitionOpened(partition)]
                if partition.kind == PartitionKind::Isolation);
            assert!(right, "{label}: {said:?}");
        });
    }
}

#[test]
fn a_peer_that_said_goodbye_or_was_never_heard_is_not_asked_about() {
    let mut world = World::new(6, default_timing(), lossy(0.0), 1);
    for host in 0..5 {
        world.start(host, false);
    }
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.questions(), 0, "nobody is silent, and host 5 was never heard");
    world.stop(0);
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.questions(), 0, "it said goodbye");
    world.kill(1);
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.questions(), 3, "each of three asks once");
}

#[test]
fn what_was_found_of_an_agent_that_spoke_since_is_found_out_anew() {
    // It slept, woke for a moment, too short for its link to come up, and then its machine was gone.
    for_each_seed(verify::size(200, 2_000), |seed| {
        let mut world = settled(4, default_timing(), lossy(0.0), seed);
        world.forget_told();
        let slept = Duration::from_millis(1_400 + seed % 6 * 100);
        world.stall(3, slept);
        world.run_for(slept + Duration::from_millis(240));
        world.lose(3);
        world.run_for(Duration::from_secs(12));
        for host in 0..3 {
            let said = verdicts_of(&world, host);
            assert!(matches!(said[..], [Event::NodeUnheard { .. }]), "seed {seed}, {host}: {said:?}");
        }
    });
}

#[test]
fn of_two_agents_that_fall_silent_within_one_bound_the_first_is_not_told_of_while_only_hosts_answer() {
    for_each_seed(verify::size(20, 200), |seed| {
        let mut world = settled(6, default_timing(), lossy(0.01), seed);
        world.forget_told();
        cut_the_overlay(&mut world, &[0]);
        world.run_for(Duration::from_millis(1_500));
        cut_the_overlay(&mut world, &[1]);
        world.run_for(Duration::from_secs(12));
        for host in 2..6 {
            let said = verdicts_of(&world, host);
            let [Event::PartitionOpened(partition)] = said[..] else { panic!("seed {seed}, {host}: {said:?}") };
            assert_eq!(partition.sides[1].nodes, ["n000", "n001"], "seed {seed}, {host}");
        }
    });
}

#[test]
fn when_udp_passes_again_nothing_can_be_told_for_one_bound() {
    for_each_seed(verify::size(20, 200), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.0), seed);
        block_udp_of(&mut world, 0);
        world.run_for(Duration::from_secs(8));
        world.heal();
        world.run_for(default_timing().detection_bound());
        let view = world.detector(0).unwrap().view(world.now());
        assert!(!view.blind && view.coverage() > 0.9, "seed {seed}: it hears them");
        assert!(view.impaired, "seed {seed}");
        assert_eq!(view.mode, Mode::Starting, "seed {seed}");
    });
}

/// Somebody here knows of a host that answers, which is no reason to take an agent for dead that others hear: nor to wait
/// with a cut until it turns out to be dead.
#[test]
fn what_was_found_of_an_agent_that_others_hear_delays_no_cut() {
    for_each_seed(verify::size(10, 100), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.block_overlay(0, 2);
        world.block_overlay(2, 0);
        world.run_for(Duration::from_secs(20));
        world.forget_told();
        for deaf in 2..5 {
            world.block(0, deaf);
            world.block(1, deaf);
        }
        world.run_for(Duration::from_secs(12));
        for (host, right) in
            [Mode::Minority, Mode::Minority, Mode::Majority, Mode::Majority, Mode::Majority].iter().enumerate()
        {
            assert_eq!(world.detector(host).unwrap().mode(), *right, "seed {seed}, {}", world.name(host));
        }
    });
}
