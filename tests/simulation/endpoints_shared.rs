//! What agents make of endpoints together: from where one is reached, and which loss is a partition.

use std::num::NonZeroU16;
use std::time::Duration;

use netsplit::detector::endpoints::reach::UnreachedFrom;
use netsplit::detector::endpoints::watch::EndpointState;
use netsplit::detector::event::{CloseCause, Event};
use netsplit::detector::mode::{Mode, ServiceLevel};
use netsplit::detector::partition::{Partition, PartitionKind};
use netsplit::detector::settings::{EndpointSettings, From, Timing};
use netsplit::detector::time::Now;
use netsplit::simulation::{Health, Machine, World};

use crate::endpoints::{endpoint, in_zones, schedule, view, watching};
use crate::{default_timing, lossy};

/// One that the cluster must not lose.
fn precious(name: &str) -> EndpointSettings {
    EndpointSettings { partition: true, ..endpoint(name, From::All) }
}

/// Long enough for everybody to lose it, to tell the others and to settle.
fn until_told(timing: Timing) -> Duration {
    schedule().detection_bound() + schedule().confirm_period * 2 + timing.confirm_period * 8
}

/// What a host opened, changed and closed of kind `service`, and when.
fn said(world: &World, host: usize) -> Vec<(&'static str, Now, Partition, Option<CloseCause>)> {
    let word = |event: &Event| match event {
        Event::PartitionOpened(partition) => Some(("opened", partition.clone(), None)),
        Event::PartitionChanged(partition) => Some(("changed", partition.clone(), None)),
        Event::PartitionClosed { partition, cause, .. } => Some(("closed", partition.clone(), Some(*cause))),
        _ => None,
    };
    let mine = world.told().iter().filter(|told| told.host == host);
    let all =
        mine.filter_map(|told| word(&told.event).map(|(word, partition, cause)| (word, told.at, partition, cause)));
    all.filter(|(_, _, partition, _)| partition.kind == PartitionKind::Service).collect()
}

fn words(world: &World, host: usize) -> Vec<&'static str> {
    said(world, host).into_iter().map(|(word, ..)| word).collect()
}

fn names(hosts: impl IntoIterator<Item = usize>) -> Vec<String> {
    hosts.into_iter().map(|host| format!("n{host:03}")).collect()
}

#[test]
fn two_of_five_that_lose_a_database_are_named_with_their_zone() {
    let machine =
        |host: usize| Machine { name: format!("n{host:03}"), zone: if host < 2 { "edge" } else { "core" }.to_owned() };
    let mut world = World::of((0..5).map(machine).collect(), default_timing(), lossy(0.0), 1);
    world.add_endpoint(endpoint("db", From::All));
    world.start_all();
    world.run_for(Duration::from_secs(61));
    for host in 0..5 {
        let reach = view(&world, host, "db").reach;
        assert_eq!((reach.unreached_from, reach.reached), (UnreachedFrom::Nowhere, 5), "{host}");
    }
    world.let_reach("db", 0, false);
    world.let_reach("db", 1, false);
    world.run_for(until_told(default_timing()));
    for host in 0..5 {
        let reach = view(&world, host, "db").reach;
        assert_eq!(reach.unreached_from, UnreachedFrom::SomeNodes, "{host}");
        assert_eq!((reach.nodes.clone(), reach.reached, reach.undecided), (names(0..2), 3, 0), "{host}");
        assert_eq!(reach.zones, ["edge"], "{host}");
    }
}

#[test]
fn one_that_nobody_reaches_is_down_everywhere_and_everybody_finds_out_soon_after_the_first() {
    for (hosts, seed) in [(5, 1), (30, 2), (100, 3)] {
        let mut world = watching(hosts, &[endpoint("db", From::All)], seed);
        world.set_health("db", Health::Hangs);
        world.run_for(until_told(default_timing()));
        let downs = world.told().iter().filter(|told| matches!(told.event, Event::EndpointDown { .. }));
        let mut downs: Vec<Now> = downs.map(|told| told.at).collect();
        downs.sort_unstable();
        assert_eq!(downs.len(), hosts);
        let spread = schedule().confirm_period.max(Duration::from_millis(20) * u32::try_from(hosts).unwrap());
        let confirmed = (schedule().confirm_period.max(schedule().timeout)) * 2 + schedule().timeout;
        let slowest = downs.last().unwrap().since(downs[0]);
        assert!(slowest <= spread + confirmed + Duration::from_secs(1), "{hosts}: {slowest:?} after the first");
        for host in 0..hosts {
            let reach = view(&world, host, "db").reach;
            assert_eq!((reach.unreached_from, reach.unreached), (UnreachedFrom::Everywhere, hosts), "{host}");
            assert!(said(&world, host).is_empty(), "it is not one that must not be lost");
        }
    }
}

#[test]
fn what_is_lost_on_one_side_of_a_cut_is_not_said_to_be_down_everywhere() {
    let mut world = watching(5, &[endpoint("db", From::All)], 2);
    world.cut(&[vec![0, 1], vec![2, 3, 4]]);
    world.let_reach("db", 0, false);
    world.let_reach("db", 1, false);
    world.run_for(until_told(default_timing()));
    for host in 0..5 {
        let (reach, expected) = (view(&world, host, "db").reach, [UnreachedFrom::ThisSide, UnreachedFrom::Nowhere]);
        assert_eq!(reach.unreached_from, expected[usize::from(host >= 2)], "{host}: {reach:?}");
        assert_eq!((reach.unreached, reach.reached), if host < 2 { (2, 0) } else { (0, 3) }, "{host}");
    }
    world.heal();
    world.run_for(Duration::from_secs(20));
    assert_eq!(view(&world, 0, "db").reach.unreached_from, UnreachedFrom::SomeNodes, "now all are heard");
}

#[test]
fn where_it_stays_well_for_most_it_is_not_probed_a_thousand_times() {
    let mut world = watching(100, &[endpoint("db", From::All)], 4);
    let begin = world.now();
    for host in 0..40 {
        world.let_reach("db", host, false);
    }
    world.run_for(Duration::from_secs(60));
    let probes = world.probes("db").iter().filter(|&&(at, host, _)| at >= begin && host >= 40).count();
    // 60 agents in two periods, ⅞ of 30 s and a little more, and once more in each of them.
    assert!(probes <= 60 * 5, "{probes}");
    assert_eq!(view(&world, 99, "db").reach.unreached, 40);
}

#[test]
fn a_blocked_monitoring_is_a_partition_of_its_own_kind_and_its_heal_closes_it() {
    for (hosts, seed) in [(1, 1), (3, 2), (5, 3), (30, 4)] {
        let mut world = watching(hosts, &[precious("prometheus"), endpoint("other", From::All)], seed);
        (0..hosts).for_each(|host| world.let_reach("prometheus", host, false));
        let blocked = world.now();
        world.run_for(until_told(default_timing()));
        let mut ids = Vec::new();
        for host in 0..hosts {
            let said = said(&world, host);
            let ("opened", at, partition, None) = &said[0] else { panic!("{hosts}, {host}: {said:?}") };
            assert_eq!(partition.endpoint.as_deref(), Some("prometheus"), "{host}");
            assert!(at.since(blocked) <= until_told(default_timing()), "{host}");
            assert!(said.iter().skip(1).all(|(word, ..)| *word == "changed") && said.len() <= 4, "{host}: {said:?}");
            ids.push(partition.id);
            let detector = world.detector(host).unwrap();
            assert_eq!(detector.mode(), Mode::Normal, "{host}: the mode stays");
            let open: Vec<&Partition> = detector.partitions().collect();
            assert_eq!((open.len(), open[0].sides[0].count, open[0].sides[1].count), (1, hosts, 0), "{host}: {open:?}");
            assert!(open[0].own_side && open[0].detection <= until_told(default_timing()), "{host}: {open:?}");
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "everybody calls it the same");
        world.forget_told();
        (0..hosts).for_each(|host| world.let_reach("prometheus", host, true));
        world.run_for(Duration::from_secs(60));
        for host in 0..hosts {
            let said = said(&world, host);
            let closed = said.iter().filter(|(word, ..)| *word == "closed").map(|(.., cause)| *cause);
            assert_eq!(closed.collect::<Vec<_>>(), [Some(CloseCause::Healed)], "{hosts}, {host}: {said:?}");
            assert_eq!(world.detector(host).unwrap().partitions().count(), 0, "{host}");
        }
    }
}

/// Four hosts whose monitoring is back, at the moment in which the first of them says so.
fn as_the_monitoring_is_back(seed: u64, lead: Duration) -> World {
    let lost = || {
        let mut world = watching(4, &[precious("prometheus")], seed);
        (0..4).for_each(|host| world.let_reach("prometheus", host, false));
        world.run_for(until_told(default_timing()));
        (0..4).for_each(|host| world.let_reach("prometheus", host, true));
        world
    };
    let mut world = lost();
    let healed = world.now();
    world.run_for(Duration::from_secs(60));
    let closed =
        (0..4).flat_map(|host| said(&world, host)).filter(|(word, ..)| *word == "closed").map(|(_, at, ..)| at);
    let first = closed.min().unwrap();
    let mut world = lost();
    world.run_for(first.since(healed).saturating_sub(lead));
    world
}

#[test]
fn a_cut_that_opens_as_the_loss_of_an_endpoint_closes_has_one_name_on_both_sides() {
    for (seed, lead) in (0..40).map(|step| (step % 4, Duration::from_millis(100) * u32::try_from(step).unwrap())) {
        let mut world = as_the_monitoring_is_back(seed, lead);
        world.cut(&[vec![0, 1], vec![2, 3]]);
        world.run_for(Duration::from_secs(10));
        let cuts = |host| {
            let open = world.detector(host).unwrap().partitions();
            open.filter(|open| open.kind == PartitionKind::Complete).map(|open| open.id).collect::<Vec<_>>()
        };
        assert!((0..4).all(|host| cuts(host) == cuts(0) && cuts(host).len() == 1), "seed {seed}, {lead:?} before");
    }
}

#[test]
fn an_endpoint_that_is_lost_again_is_lost_under_another_name() {
    let mut world = watching(3, &[precious("prometheus")], 15);
    let mut names = Vec::new();
    for reached in [false, true, false, true] {
        (0..3).for_each(|host| world.let_reach("prometheus", host, reached));
        world.run_for(Duration::from_secs(120));
        let open = |host| world.detector(host).unwrap().partitions().map(|open| open.id).collect::<Vec<_>>();
        assert!((0..3).all(|host| open(host) == open(0) && open(host).len() == usize::from(!reached)), "{reached}");
        names.extend(open(0));
    }
    assert_ne!(names[0], names[1]);
}

#[test]
fn fewer_than_half_that_lose_it_are_no_partition() {
    let mut world = watching(5, &[precious("prometheus")], 5);
    world.let_reach("prometheus", 0, false);
    world.let_reach("prometheus", 1, false);
    world.run_for(Duration::from_secs(300));
    assert!((0..5).all(|host| said(&world, host).is_empty()));
    world.let_reach("prometheus", 2, false);
    world.run_for(until_told(default_timing()));
    for host in 0..5 {
        assert_eq!(words(&world, host), ["opened"], "{host}");
        let open: Vec<&Partition> = world.detector(host).unwrap().partitions().collect();
        let sides: Vec<Vec<String>> = open[0].sides.iter().map(|side| side.nodes.clone()).collect();
        assert_eq!((sides, open[0].own_side), (vec![names(0..3), names(3..5)], host < 3), "{host}");
    }
}

#[test]
fn of_a_sample_half_of_those_who_probe_it_count() {
    let sampled = EndpointSettings { partition: true, ..endpoint("db", From::Sample(NonZeroU16::new(3).unwrap())) };
    let mut world = in_zones(30, 6, sampled);
    world.run_for(Duration::from_secs(100));
    world.forget_told();
    world.set_health("db", Health::Refuses);
    world.run_for(until_told(default_timing()));
    for host in 0..30 {
        assert_eq!(words(&world, host)[0], "opened", "{host}");
        let reach = view(&world, host, "db").reach;
        assert_eq!((reach.unreached_from, reach.unreached), (UnreachedFrom::Everywhere, 3), "{host}");
    }
}

#[test]
fn an_endpoint_that_is_taken_out_of_the_configuration_closes_what_it_opened() {
    let mut world = watching(1, &[precious("prometheus")], 7);
    world.set_health("prometheus", Health::Refuses);
    world.run_for(until_told(default_timing()));
    assert_eq!(words(&world, 0), ["opened"]);
    world.change_endpoints(0, &[]);
    world.run_for(Duration::from_secs(2));
    let said = said(&world, 0);
    assert!(matches!(said[1], ("closed", _, _, Some(CloseCause::Removed))), "{said:?}");
}

#[test]
fn a_node_that_reaches_neither_the_others_nor_any_endpoint_is_in_an_emergency() {
    let mut world = watching(5, &[endpoint("db", From::All), endpoint("queue", From::All)], 8);
    let level = |world: &World| {
        let view = world.detector(0).unwrap().view(world.now());
        view.mode.service_level(view.reaches_nothing)
    };
    world.cut(&[vec![0], vec![1, 2, 3, 4]]);
    world.run_for(Duration::from_secs(10));
    assert_eq!(level(&world), ServiceLevel::Cached);
    world.let_reach("db", 0, false);
    world.run_for(Duration::from_secs(60));
    assert_eq!(level(&world), ServiceLevel::Cached, "it reaches the queue");
    world.let_reach("queue", 0, false);
    world.run_for(Duration::from_secs(60));
    assert_eq!(level(&world), ServiceLevel::Emergency);
    world.let_reach("queue", 0, true);
    world.run_for(Duration::from_secs(60));
    assert_eq!(level(&world), ServiceLevel::Cached);
}

#[test]
fn what_agents_say_of_endpoints_gets_through_loss_and_disturbs_no_cut() {
    for seed in 0..6 {
        let mut world = World::new(8, default_timing(), lossy(0.1), seed);
        let endpoints: Vec<_> = (0..40).map(|number| endpoint(&format!("e{number:02}"), From::All)).collect();
        endpoints.iter().cloned().for_each(|endpoint| world.add_endpoint(endpoint));
        world.start_all();
        world.run_for(Duration::from_secs(90));
        world.forget_told();
        for number in 0..40 {
            world.let_reach(&format!("e{number:02}"), number % 8, false);
        }
        world.run_for(until_told(default_timing()));
        for host in 0..8 {
            for number in 0..40 {
                let reach = view(&world, host, &format!("e{number:02}")).reach;
                assert_eq!(reach.nodes, names([number % 8]), "seed {seed}, {host}, e{number:02}: {reach:?}");
            }
        }
        let told = world.told().iter().filter(|told| matches!(told.event, Event::PartitionOpened(_))).count();
        assert_eq!(told, 0, "seed {seed}");
    }
}

#[test]
fn agents_that_know_different_endpoints_do_not_count_each_others_words() {
    let mut world = watching(3, &[endpoint("db", From::All)], 9);
    world.change_endpoints(2, &[endpoint("db", From::All), endpoint("queue", From::All)]);
    world.run_for(Duration::from_secs(60));
    world.set_health("db", Health::Refuses);
    world.run_for(until_told(default_timing()));
    for host in 0..3 {
        assert_eq!(view(&world, host, "db").state, EndpointState::Down(netsplit::detector::outcome::Cause::Refused));
        let reach = view(&world, host, "db").reach;
        let known = if host == 2 { 1 } else { 2 };
        assert_eq!((reach.unreached_from, reach.unreached), (UnreachedFrom::ThisSide, known), "{host}");
    }
}

/// Restarts these agents one after another, as an update does.
fn update(world: &mut World, hosts: impl IntoIterator<Item = usize>, pause: Duration) {
    for host in hosts {
        world.stop(host);
        world.run_for(Duration::from_secs(2));
        world.start(host, true);
        world.run_for(pause);
    }
}

#[test]
fn an_update_neither_opens_nor_closes_the_loss_of_an_endpoint() {
    for pause in [2, 10, 60].map(Duration::from_secs) {
        // Two of five have lost it, which is no partition, and the others restart.
        let mut world = watching(5, &[precious("prometheus")], 10);
        world.let_reach("prometheus", 0, false);
        world.let_reach("prometheus", 1, false);
        world.run_for(until_told(default_timing()));
        update(&mut world, 2..5, pause);
        world.run_for(Duration::from_secs(90));
        assert!((0..5).all(|host| said(&world, host).is_empty()), "{pause:?}: {:?}", said(&world, 0));
        // Nobody reaches it, and all restart.
        let mut world = watching(5, &[precious("prometheus")], 11);
        world.set_health("prometheus", Health::Refuses);
        world.run_for(until_told(default_timing()));
        world.forget_told();
        update(&mut world, 0..5, pause);
        world.run_for(Duration::from_secs(90));
        for host in 0..5 {
            assert!(!words(&world, host).contains(&"closed"), "{pause:?}, {host}: {:?}", words(&world, host));
            assert_eq!(world.detector(host).unwrap().partitions().count(), 1, "{pause:?}, {host}: it is still lost");
        }
    }
}

#[test]
fn a_configuration_that_reaches_one_agent_after_another_opens_nothing() {
    let mut world = watching(5, &[precious("prometheus")], 12);
    world.let_reach("prometheus", 0, false);
    world.let_reach("prometheus", 1, false);
    world.run_for(until_told(default_timing()));
    for host in 0..5 {
        world.change_endpoints(host, &[precious("prometheus"), endpoint("queue", From::All)]);
        world.run_for(Duration::from_secs(20));
    }
    world.run_for(Duration::from_secs(60));
    assert!((0..5).all(|host| said(&world, host).is_empty()), "{:?}", said(&world, 0));
}

#[test]
fn who_takes_all_endpoints_out_of_its_configuration_says_nothing_of_them_any_more() {
    let mut world = watching(3, &[endpoint("db", From::All)], 13);
    world.change_endpoints(2, &[]);
    world.run_for(Duration::from_secs(5));
    for host in 0..2 {
        let reach = view(&world, host, "db").reach;
        assert_eq!((reach.unreached_from, reach.reached), (UnreachedFrom::Nowhere, 2), "{host}");
    }
}

#[test]
fn a_node_that_hears_nobody_does_not_say_that_an_endpoint_is_down_everywhere() {
    let mut world = World::new(3, default_timing(), lossy(0.0), 14);
    world.add_endpoint(endpoint("db", From::All));
    world.cut(&[vec![0], vec![1], vec![2]]);
    world.let_reach("db", 0, false);
    world.start_all();
    world.run_for(Duration::from_secs(120));
    assert_eq!(view(&world, 0, "db").reach.unreached_from, UnreachedFrom::ThisSide);
}

#[test]
fn a_sample_of_one_is_taken_over_from_a_node_that_is_drained() {
    let mut world = in_zones(
        9,
        15,
        EndpointSettings { from: From::Sample(NonZeroU16::new(3).unwrap()), ..endpoint("db", From::All) },
    );
    world.run_for(Duration::from_secs(100));
    let prober = (0..9).find(|&host| view(&world, host, "db").is_probed).unwrap();
    world.stop(prober);
    world.run_for(Duration::from_secs(20));
    let probers = (0..9).filter(|&host| host != prober && view(&world, host, "db").is_probed).count();
    assert_eq!(probers, 3);
}
