//! What an agent's view shows, and what the API makes of it, against what is true and what was told.

use std::time::Duration;

use netsplit::api::{Matrix, ModeAnswer, PartitionAnswer, Partitions};
use netsplit::calendar::Calendar;
use netsplit::detector::event::{CloseCause, Event};
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::PartitionKind;
use netsplit::detector::time::Now;
use netsplit::detector::view::View;
use netsplit::simulation::{Told, World};

use crate::{default_timing, for_each_seed, let_nobody_ask, lossy, settled, verify};

/// A view may be as old as the timeout, in the answers of the mode.
const FRESH: Duration = Duration::from_millis(500);

fn view(world: &World, host: usize) -> std::sync::Arc<View> {
    world.detector(host).unwrap().view(world.now())
}

fn calendar(world: &World) -> Calendar {
    Calendar { now: world.now(), wall: Duration::from_hours(498_684) + world.now().since_start() }
}

fn told_of(world: &World, host: usize, which: impl Fn(&Event) -> bool) -> &Told {
    let mut told = world.told().iter().filter(|told| told.host == host && which(&told.event));
    told.next().expect("it was told")
}

fn only(partitions: &[PartitionAnswer]) -> &PartitionAnswer {
    let [partition] = partitions else { panic!("there is one: {partitions:?}") };
    partition
}

#[test]
fn a_cut_is_shown_as_it_was_told_and_afterwards_as_one_that_was() {
    for_each_seed(verify::size(10, 100), |seed| {
        let mut world = settled(5, default_timing(), lossy(0.01), seed);
        world.forget_told();
        world.cut(&[vec![0, 1, 2], vec![3, 4]]);
        world.run_for(Duration::from_secs(10));
        for host in 0..5 {
            let is_opening = |event: &Event| matches!(event, Event::PartitionOpened(_));
            let opened = told_of(&world, host, is_opening).at;
            let (view, calendar) = (view(&world, host), calendar(&world));
            let Partitions { open, recent } = Partitions::of(&view, calendar);
            let partition = only(&open);
            assert!(recent.is_empty());
            assert_eq!(
                (partition.kind, partition.certain, partition.quorum),
                (PartitionKind::Complete, true, host < 3)
            );
            assert_eq!((&partition.opened_at, &partition.closed_at), (&calendar.text(opened), &None));
            assert_eq!((partition.cause, partition.confirmed), (None, None));
            assert_eq!(view.quorum, Some(host < 3), "{}", world.name(host));
            assert_eq!(view.counters.partitions.get(&PartitionKind::Complete), Some(&1));
            assert_eq!(view.counters.detections.count(), 1);
        }
        world.forget_told();
        world.heal();
        world.run_for(Duration::from_secs(10));
        for host in 0..5 {
            let closing = told_of(&world, host, |event| matches!(event, Event::PartitionClosed { .. }));
            let Event::PartitionClosed { duration, .. } = closing.event else { unreachable!() };
            let (view, calendar) = (view(&world, host), calendar(&world));
            let Partitions { open, recent } = Partitions::of(&view, calendar);
            let partition = only(&recent);
            assert!(open.is_empty());
            assert_eq!(partition.closed_at.as_ref(), Some(&calendar.text(closing.at)));
            assert_eq!(partition.opened_at, calendar.text(closing.at - duration));
            assert_eq!((partition.cause, partition.confirmed), (Some(CloseCause::Healed), Some(true)));
            assert_eq!(view.counters.partitioned, duration);
            assert_eq!(view.quorum, Some(true));
        }
    });
}

#[test]
fn the_matrix_tells_what_each_node_sends() {
    let mut world = settled(4, default_timing(), lossy(0.0), 3);
    // What 0 sends does not arrive at 1; 1 is heard by 0.
    world.block(0, 1);
    world.run_for(Duration::from_secs(8));
    for host in 0..4 {
        let matrix = Matrix::of(&view(&world, host));
        let name = |host: usize| world.name(host).to_owned();
        assert_eq!(matrix.nodes, (0..4).map(name).collect::<Vec<_>>());
        let cells: Vec<&str> = matrix.rows.iter().map(|row| row.cells.as_str()).collect();
        // Node 1 does not hear 0, and knows by way of the others what 0 hears.
        assert_eq!(cells, ["-X..", ".-..", "..-.", "...-"], "seen by {}", world.name(host));
        let mut ages = matrix.rows.iter().filter_map(|row| row.age_seconds);
        assert!(ages.all(|age| age <= 2.5), "{matrix:?}");
    }
}

#[test]
fn what_a_side_cannot_see_of_the_other_is_unknown_and_not_broken() {
    let mut world = settled(5, default_timing(), lossy(0.0), 4);
    world.cut(&[vec![0, 1, 2], vec![3, 4]]);
    world.run_for(Duration::from_secs(10));
    let matrix = Matrix::of(&view(&world, 0));
    let cells: Vec<&str> = matrix.rows.iter().map(|row| row.cells.as_str()).collect();
    // Whether what 0, 1 and 2 send arrives at 3 and 4 only those know.
    assert_eq!(cells, ["-..??", ".-.??", "..-??", "XXX-?", "XXX?-"]);
    assert_eq!((matrix.rows[3].age_seconds, matrix.rows[3].impaired), (None, None));
}

#[test]
fn the_mode_tells_since_when_it_holds() {
    let mut world = settled(3, default_timing(), lossy(0.0), 5);
    let_nobody_ask(&mut world);
    world.forget_told();
    world.cut(&[vec![0], vec![1, 2]]);
    world.run_for(Duration::from_secs(20));
    let changed = told_of(&world, 0, |event| matches!(event, Event::ModeChanged { .. })).at;
    let answer = ModeAnswer::of(&view(&world, 0), calendar(&world));
    assert_eq!((answer.mode, answer.since), (Mode::Isolated, calendar(&world).text(changed)));
    assert_eq!((answer.reads, answer.writes, answer.side.nodes, answer.side.of), (true, false, 1, 3));
    assert!(answer.partition.is_some());
    let answer = ModeAnswer::of(&view(&world, 1), calendar(&world));
    assert!(answer.writes && answer.reads, "{answer:?}");
}

#[test]
fn while_nobody_can_tell_there_is_no_quorum_and_no_writing() {
    let mut world = World::started(3, default_timing(), lossy(0.0), 6);
    world.run_for(Duration::from_secs(1));
    let view = view(&world, 0);
    let answer = ModeAnswer::of(&view, calendar(&world));
    assert_eq!((view.quorum, answer.mode, answer.reads, answer.writes), (None, Mode::Starting, false, false));
}

#[test]
fn a_view_that_is_older_than_the_timeout_lets_nobody_write() {
    let world = settled(3, default_timing(), lossy(0.0), 7);
    let view = view(&world, 0);
    let later = |time: Duration| Calendar { now: view.at + time, ..calendar(&world) };
    assert!(ModeAnswer::of(&view, later(FRESH)).writes);
    let stalled = ModeAnswer::of(&view, later(FRESH + Duration::from_millis(1)));
    assert_eq!((stalled.mode, stalled.writes, stalled.reads, stalled.stale), (Mode::Starting, false, false, false));
}

#[test]
fn a_run_after_a_clean_stop_tells_the_mode_of_before_as_stale() {
    let mut world = settled(3, default_timing(), lossy(0.0), 8);
    world.stop(0);
    world.run_for(Duration::from_secs(2));
    world.start(0, true);
    world.run_for(Duration::from_millis(300));
    let answer = ModeAnswer::of(&view(&world, 0), calendar(&world));
    assert_eq!((answer.mode, answer.stale), (Mode::Normal, true));
    assert!(answer.reads && !answer.writes, "a cut may have come since");
    world.run_for(Duration::from_secs(10));
    let answer = ModeAnswer::of(&view(&world, 0), calendar(&world));
    assert_eq!((answer.mode, answer.stale), (Mode::Normal, false));
}

#[test]
fn a_stall_brings_nothing_back_of_what_the_run_before_said() {
    let mut world = settled(3, default_timing(), lossy(0.0), 8);
    world.stop(0);
    world.run_for(Duration::from_secs(2));
    (1..3).for_each(|host| world.lose(host));
    world.start(0, true);
    world.run_for(Duration::from_secs(15));
    let answer = ModeAnswer::of(&view(&world, 0), calendar(&world));
    assert!(!answer.writes && answer.mode != Mode::Starting, "{answer:?}");
    world.stall(0, Duration::from_secs(1));
    world.run_for(Duration::from_millis(1200));
    let answer = ModeAnswer::of(&view(&world, 0), calendar(&world));
    assert_eq!((answer.mode, answer.writes, answer.stale), (Mode::Starting, false, false));
}

#[test]
fn the_last_32_partitions_are_remembered() {
    let mut world =
        settled(4, netsplit::detector::settings::Timing::of_period(Duration::from_millis(100)), lossy(0.0), 9);
    for _ in 0..34 {
        world.cut(&[vec![0, 1], vec![2, 3]]);
        world.run_for(Duration::from_secs(2));
        world.heal();
        // Whatever comes back again and again closes later and later, up to a minute.
        world.run_for(Duration::from_secs(65));
    }
    let view = view(&world, 0);
    assert_eq!((view.recent.len(), view.counters.partitions.get(&PartitionKind::Complete)), (32, Some(&34)));
    assert!(view.recent.is_sorted_by(|one, other| one.at > other.at));
    assert!(view.recent.iter().all(|closed| closed.at > Now::START));
}
