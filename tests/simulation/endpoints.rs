//! Endpoints: probed as they are scheduled, down within their bound, left in peace while they are, and up again in time.

use std::collections::BTreeSet;
use std::num::{NonZeroU8, NonZeroU16};
use std::time::Duration;

use netsplit::detector::endpoints::watch::{Breaker, EndpointState};
use netsplit::detector::event::Event;
use netsplit::detector::outcome::{Ailment, Cause};
use netsplit::detector::settings::{EndpointSettings, From, ProbeSchedule};
use netsplit::detector::time::Now;
use netsplit::detector::view::EndpointView;
use netsplit::simulation::{Conditions, Health, Machine, Running, World};

use crate::{default_timing, lossy};

pub(crate) fn schedule() -> ProbeSchedule {
    ProbeSchedule {
        period: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        confirm_period: Duration::from_secs(5),
        failure_threshold: NonZeroU8::new(3).unwrap(),
        success_threshold: NonZeroU8::new(2).unwrap(),
    }
}

pub(crate) fn endpoint(name: &str, from: From) -> EndpointSettings {
    EndpointSettings { name: name.to_owned(), kind: "tcp", schedule: schedule(), from, partition: false }
}

/// Agents that have watched these endpoints for a while.
pub(crate) fn watching(hosts: usize, endpoints: &[EndpointSettings], seed: u64) -> World {
    let mut world = World::new(hosts, default_timing(), lossy(0.0), seed);
    for endpoint in endpoints {
        world.add_endpoint(endpoint.clone());
    }
    world.start_all();
    world.run_for(Duration::from_secs(61));
    world.forget_told();
    world
}

pub(crate) fn view(world: &World, host: usize, name: &str) -> EndpointView {
    let view = world.detector(host).unwrap().view(world.now());
    view.endpoints.iter().find(|endpoint| endpoint.settings.name == name).unwrap().clone()
}

/// What a host told of endpoints, in short, and when.
pub(crate) fn told(world: &World, host: usize) -> Vec<(String, Now)> {
    let word = |event: &Event| match event {
        Event::EndpointDown { endpoint, cause, .. } => Some(format!("{endpoint} down {}", cause.as_str())),
        Event::EndpointUp { endpoint, .. } => Some(format!("{endpoint} up")),
        _ => None,
    };
    let mine = world.told().iter().filter(|told| told.host == host);
    mine.filter_map(|told| word(&told.event).map(|word| (word, told.at))).collect()
}

#[test]
fn every_agent_probes_once_a_period_and_not_all_at_once() {
    let world = watching(100, &[endpoint("db", From::All)], 1);
    let probes: Vec<Now> = world.probes("db").iter().map(|&(at, ..)| at).collect();
    // Two periods of ⅞ · 30 s and a little more.
    assert!((200..=300).contains(&probes.len()), "{}", probes.len());
    let most = probes
        .iter()
        .map(|&at| probes.iter().filter(|&&other| other >= at && other.since(at) < Duration::from_secs(1)).count());
    assert!(most.max().unwrap() <= 14, "a hundred agents come within half a minute, some four a second");
    assert!((0..100).all(|host| view(&world, host, "db").state == EndpointState::Up));
    assert!((0..100).all(|host| told(&world, host).is_empty()), "that it is there is no event");
}

#[test]
fn an_endpoint_that_stops_is_down_for_everybody_within_its_bound_and_up_again_soon_after() {
    for (health, cause) in
        [(Health::Refuses, "refused"), (Health::Hangs, "timeout"), (Health::Ails(Ailment::NoLeader), "unhealthy")]
    {
        let mut world = watching(5, &[endpoint("db", From::All), endpoint("other", From::All)], 2);
        let stopped = world.now();
        world.set_health("db", health);
        world.run_for(schedule().detection_bound() + Duration::from_secs(120));
        for host in 0..5 {
            let said = told(&world, host);
            assert_eq!(said.len(), 1, "{host}: {said:?}");
            assert_eq!(said[0].0, format!("db down {cause}"));
            assert!(said[0].1.since(stopped) <= schedule().detection_bound(), "{host}: {said:?}");
            assert_eq!(view(&world, host, "db").breaker, Some(Breaker::Open));
        }
        world.forget_told();
        let returned = world.now();
        world.set_health("db", Health::Well);
        // The longest pause, a trial that hung until then, and what confirms.
        let limit = Duration::from_secs(30) + schedule().timeout + schedule().confirm_period * 2;
        world.run_for(limit);
        for host in 0..5 {
            let said = told(&world, host);
            assert!(
                matches!(&said[..], [(word, at)] if word == "db up" && at.since(returned) <= limit),
                "{host}: {said:?}"
            );
        }
    }
}

#[test]
fn while_it_is_down_trials_go_one_at_a_time_and_no_more_than_one_in_a_pause() {
    let mut world = watching(1, &[endpoint("db", From::All)], 3);
    world.set_health("db", Health::Hangs);
    world.run_for(schedule().detection_bound());
    assert_eq!(view(&world, 0, "db").state, EndpointState::Down(Cause::Timeout));
    let begin = world.now();
    world.run_for(Duration::from_secs(3600));
    let trials: Vec<_> = world.probes("db").iter().filter(|&&(at, ..)| at >= begin).collect();
    assert!(trials.windows(2).all(|pair| pair[0].2 <= pair[1].0), "one at a time");
    // Pauses of up to 30 s, 15 s on average, and 5 s for each to hang.
    assert!((140..=230).contains(&trials.len()), "{} trials in an hour", trials.len());
}

#[test]
fn who_cannot_reach_it_says_so_and_nobody_else() {
    let mut world = watching(5, &[endpoint("db", From::All)], 4);
    world.let_reach("db", 0, false);
    world.let_reach("db", 1, false);
    world.run_for(Duration::from_secs(120));
    let down = |host: usize| matches!(view(&world, host, "db").state, EndpointState::Down(_));
    assert_eq!((0..5).filter(|&host| down(host)).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn an_agent_that_did_not_run_blames_no_endpoint() {
    for seed in 0..20 {
        let endpoints: Vec<_> = (0..20).map(|number| endpoint(&format!("e{number:02}"), From::All)).collect();
        let mut world = watching(1, &endpoints, seed);
        for _ in 0..10 {
            world.set_running(0, Running::StalledUntil(world.now() + Duration::from_secs(20)));
            world.run_for(Duration::from_secs(25));
        }
        world.run_for(Duration::from_secs(60));
        assert!(told(&world, 0).is_empty(), "seed {seed}: {:?}", told(&world, 0));
    }
}

#[test]
fn what_hangs_delays_nothing_else() {
    let endpoints: Vec<_> = (0..1000).map(|number| endpoint(&format!("e{number:03}"), From::All)).collect();
    let mut world = watching(1, &endpoints, 5);
    let begin = world.now();
    let hung: Vec<String> = (0..500).map(|number| format!("e{number:03}")).collect();
    for name in &hung {
        world.set_health(name, Health::Hangs);
    }
    world.run_for(Duration::from_secs(600));
    for number in 500..1000 {
        let probes = world.probes(&format!("e{number:03}"));
        let late: Vec<_> = probes.windows(2).filter(|pair| pair[1].0.since(pair[0].0) > schedule().period).collect();
        assert!(late.is_empty(), "e{number}: {late:?}");
        assert!(probes.last().unwrap().0.since(begin) > Duration::from_secs(500));
    }
    let down = hung.iter().filter(|name| matches!(view(&world, 0, name).state, EndpointState::Down(_))).count();
    assert_eq!((down, told(&world, 0).len()), (500, 500));
    let at_once = |at: Now| {
        (0..1000)
            .flat_map(|number| world.probes(&format!("e{number:03}")).iter())
            .filter(|&&(began, _, over)| began <= at && at < over)
            .count()
    };
    let most = (0..60).map(|tens| at_once(begin + Duration::from_secs(tens * 10))).max().unwrap();
    assert!(most <= 512 + 256, "{most} under way at once");
}

pub(crate) fn in_zones(hosts: usize, seed: u64, endpoint: EndpointSettings) -> World {
    let machine = |host: usize| Machine { name: format!("n{host:03}"), zone: ["a", "b", "c"][host % 3].to_owned() };
    let mut world = World::of((0..hosts).map(machine).collect(), default_timing(), Conditions::default(), seed);
    world.add_endpoint(endpoint);
    world.start_all();
    world
}

/// Who probed it lately.
fn probers(world: &World, since: Now) -> BTreeSet<usize> {
    world.probes("db").iter().filter(|&&(at, ..)| at >= since).map(|&(_, host, _)| host).collect()
}

#[test]
fn a_sample_probes_it_one_in_each_zone_and_another_takes_over_from_one_that_is_gone() {
    let mut world = in_zones(30, 6, endpoint("db", From::Sample(NonZeroU16::new(5).unwrap())));
    world.run_for(Duration::from_secs(40));
    let begin = world.now();
    world.run_for(Duration::from_secs(60));
    let before = probers(&world, begin);
    let zones: BTreeSet<usize> = before.iter().map(|host| host % 3).collect();
    assert_eq!((before.len(), zones.len()), (5, 3), "{before:?}");
    let gone = *before.first().unwrap();
    world.lose(gone);
    world.run_for(Duration::from_secs(60));
    let later = world.now();
    world.run_for(Duration::from_secs(60));
    let after = probers(&world, later);
    assert!(!after.contains(&gone) && after.len() == 5, "{before:?}, then {after:?}");
    assert_eq!(before.difference(&after).count(), 1, "{before:?}, then {after:?}");
}

#[test]
fn endpoints_that_change_while_it_runs_begin_anew_and_the_others_go_on() {
    let mut world = watching(1, &[endpoint("db", From::All), endpoint("queue", From::All)], 7);
    world.set_health("queue", Health::Refuses);
    world.run_for(Duration::from_secs(100));
    assert_eq!(view(&world, 0, "queue").state, EndpointState::Down(Cause::Refused));
    world.forget_told();
    let slower = ProbeSchedule { period: Duration::from_secs(60), ..schedule() };
    let changed = [EndpointSettings { schedule: slower, ..endpoint("db", From::All) }, endpoint("queue", From::All)];
    world.change_endpoints(0, &changed);
    assert_eq!(view(&world, 0, "queue").state, EndpointState::Down(Cause::Refused), "it goes on");
    assert_eq!(view(&world, 0, "db").state, EndpointState::Unknown, "it begins anew");
    world.change_endpoints(0, &changed[..1]);
    world.run_for(Duration::from_secs(120));
    assert_eq!(view(&world, 0, "db").state, EndpointState::Up);
    let begin = world.now();
    world.run_for(Duration::from_secs(120));
    assert!(world.probes("queue").iter().all(|&(at, ..)| at < begin), "nobody asks for it any more");
    assert!(told(&world, 0).is_empty(), "{:?}", told(&world, 0));
}
