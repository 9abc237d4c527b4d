//! Rows by way of others: who holds whose, how old they get, and what they can do when they are old or forged.

use std::time::Duration;

use netsplit::detector::event::Event;
use netsplit::detector::row::{Cell, Cells};
use netsplit::detector::view::RowView;
use netsplit::identity::{RowVersion, Sequence};
use netsplit::simulation::World;
use netsplit::wire::{Block, Datagram, RelayBlock, RowPart};

use crate::{default_timing, for_each_seed, lossy, settled};

/// The row of `owner` as `host` holds it now.
fn row_of(world: &World, host: usize, owner: usize) -> Option<RowView> {
    let view = world.detector(host).expect("it runs").view(world.now());
    view.nodes.iter().find(|node| node.member.name == world.name(owner)).expect("it is listed").row.clone()
}

/// What is heard from `of` by the owner of a row.
fn cell(world: &World, row: &RowView, of: usize) -> Cell {
    let view = world.detector(0).expect("it runs").view(world.now());
    let place = view.nodes.iter().position(|node| node.member.name == world.name(of)).expect("it is listed");
    row.cells.get(place)
}

/// Nothing passes between one group and the other; both reach everybody else.
fn part(world: &mut World, one: &[usize], other: &[usize]) {
    for &from in one {
        for &to in other {
            world.block(from, to);
            world.block(to, from);
        }
    }
}

/// As long as a row may be older than its owner's last word.
fn life() -> Duration {
    default_timing().detection_bound() + default_timing().period
}

/// Lets time pass in steps, and looks at every one.
fn watch(world: &mut World, time: Duration, mut look: impl FnMut(&World)) {
    let end = world.now() + time;
    while world.now() < end {
        world.run_for(Duration::from_millis(50));
        look(world);
    }
}

#[test]
fn each_side_of_a_partial_cut_holds_the_rows_of_the_other_through_the_bridges() {
    for_each_seed(5, |seed| {
        let (one, other, bridges) = ([0, 1, 2], [3, 4, 5], [6, 7]);
        let mut world = settled(8, default_timing(), lossy(0.01), seed);
        part(&mut world, &one, &other);
        world.run_for(life() * 2);
        watch(&mut world, Duration::from_secs(20), |world| {
            for (&host, &owner) in one.iter().flat_map(|host| other.iter().map(move |owner| (host, owner))) {
                for (host, owner) in [(host, owner), (owner, host)] {
                    let row = row_of(world, host, owner).unwrap_or_else(|| panic!("seed {seed}: {host} of {owner}"));
                    assert!(
                        row.relayed && !row.impaired && row.age < life(),
                        "seed {seed}: {host} of {owner}: {row:?}"
                    );
                    assert_eq!(cell(world, &row, host), Cell::Down);
                    assert_eq!(cell(world, &row, bridges[0]), Cell::Up);
                }
            }
        });
        world.heal();
        world.run_for(Duration::from_secs(10));
        assert!((0..8).all(|owner| row_of(&world, 0, owner).is_some_and(|row| !row.relayed)), "heard itself");
    });
}

#[test]
fn in_a_chain_each_holds_the_rows_of_its_neighbours_and_of_theirs() {
    let hosts = 5;
    let mut world = settled(hosts, default_timing(), lossy(0.0), 3);
    let apart = |one: usize, other: usize| one.abs_diff(other);
    for (one, other) in (0..hosts).flat_map(|one| (0..one).map(move |other| (one, other))) {
        if apart(one, other) > 1 {
            part(&mut world, &[one], &[other]);
        }
    }
    world.run_for(life() * 2);
    watch(&mut world, Duration::from_secs(10), |world| {
        for (host, owner) in (0..hosts).flat_map(|host| (0..hosts).map(move |owner| (host, owner))) {
            let held = row_of(world, host, owner).map(|row| row.relayed);
            let expected = [Some(false), Some(false), Some(true)].get(apart(host, owner)).copied().flatten();
            assert_eq!(held, expected, "{host} of {owner}: relays tell what they hear themselves, and nothing else");
        }
    });
}

#[test]
fn a_dead_node_does_not_live_on_in_what_others_say_of_it() {
    for_each_seed(5, |seed| {
        let mut world = settled(7, default_timing(), lossy(0.01), seed);
        part(&mut world, &[0, 1], &[2, 3]);
        world.run_for(life() * 2);
        world.lose(3);
        let lost = world.now();
        watch(&mut world, Duration::from_secs(30), |world| {
            let age = row_of(world, 0, 3).map(|row| row.age);
            assert!(age.is_none_or(|age| age <= life()), "seed {seed}: {age:?}");
            assert!(age.is_none() || world.now().since(lost) <= life(), "seed {seed}: it is dead and told of");
        });
    });
}

#[test]
fn a_relay_that_dies_takes_with_it_what_it_told_and_another_tells_it() {
    let mut world = settled(7, default_timing(), lossy(0.0), 1);
    part(&mut world, &[0, 1], &[2, 3]);
    world.run_for(life() * 2);
    world.lose(4);
    world.lose(5);
    world.run_for(life() * 3);
    assert!(row_of(&world, 0, 2).is_some_and(|row| row.relayed), "one bridge is left");
    world.lose(6);
    world.run_for(life() + Duration::from_millis(50));
    assert!(row_of(&world, 0, 2).is_none(), "nobody hears both");
}

/// A world in which host 0 does not hear host 3, and a datagram in which host 2 passes its row on to host 0.
fn with_a_relay() -> (World, Datagram, RelayBlock) {
    let mut world = settled(5, default_timing(), lossy(0.0), 2);
    part(&mut world, &[0], &[3]);
    world.run_for(life());
    for _ in 0..100 {
        world.record();
        // A row is passed on when it is new: host 3 loses sight of host 4, or sees it again.
        part(&mut world, &[3], &[4]);
        world.run_for(Duration::from_secs(8));
        world.heal();
        part(&mut world, &[0], &[3]);
        world.run_for(Duration::from_secs(8));
        let relay = |block: &Block| if let Block::Relay(relay) = block { Some((**relay).clone()) } else { None };
        let mut recorded = world.recorded().into_iter().rev().filter(|(from, to, _)| (*from, *to) == (2, 0));
        let found = recorded.find_map(|(_, _, sent)| Some((sent.blocks.iter().find_map(relay)?, sent)));
        if let Some((relay, datagram)) = found {
            return (world, datagram, relay);
        }
    }
    panic!("host 2 never passed a row on to host 0");
}

/// A forged relay of host 2 about host 3, in a datagram that is fresh and authentic: the key is the cluster's.
fn forged(world: &World, of: &Datagram, relay: RelayBlock) -> Datagram {
    let number = world.detector(0).expect("it runs").received();
    let sequence = Sequence(of.sequence.0 + 1_000 + u32::try_from(number).unwrap_or_default());
    Datagram { sequence, blocks: vec![Block::Relay(relay.into())], ..of.clone() }
}

/// A row that hears nobody but itself.
fn hears_nobody(relay: &RelayBlock) -> RowPart {
    let mut cells = Cells::absent(relay.row.cells.len());
    (0..cells.len()).for_each(|place| cells.set(place, Cell::Down));
    RowPart { version: RowVersion(relay.row.version.0 + 1_000), cells, ..relay.row.clone() }
}

fn opened(world: &World, host: usize) -> Vec<&Event> {
    let said = world.told().iter().filter(|told| told.host == host).map(|told| &told.event);
    said.filter(|event| matches!(event, Event::PartitionOpened(_) | Event::PartitionChanged(_))).collect()
}

#[test]
fn a_forged_relay_makes_no_cut_certain_on_my_own_side() {
    let (mut world, sent, relay) = with_a_relay();
    world.forget_told();
    for turn in 1..200 {
        let row = hears_nobody(&relay);
        let heard = Sequence(relay.heard.0 + 10_000 + turn);
        let lie = forged(&world, &sent, RelayBlock { row, heard, age: Duration::ZERO, ..relay.clone() });
        let lie = Datagram { sequence: Sequence(lie.sequence.0 + turn * 50), ..lie };
        world.inject(0, lie);
        world.run_for(Duration::from_millis(100));
    }
    let row = row_of(&world, 0, 3).expect("host 2 is believed, for it holds the key");
    assert_eq!(cell(&world, &row, 2), Cell::Down, "what it says is the lie");
    for event in opened(&world, 0) {
        let (Event::PartitionOpened(partition) | Event::PartitionChanged(partition)) = event else { continue };
        let complete = partition.kind.as_str() == "complete" || partition.kind.as_str() == "isolation";
        assert!(!(complete && partition.certain), "{partition:?}");
    }
}

#[test]
fn the_same_number_again_makes_no_row_younger() {
    let (mut world, sent, relay) = with_a_relay();
    for relay in [1, 2, 4] {
        part(&mut world, &[3], &[relay]);
    }
    let silent = world.now();
    for turn in 1..200 {
        let again = Datagram { sequence: Sequence(sent.sequence.0 + 10_000 + turn), ..sent.clone() };
        let again = Datagram { blocks: vec![Block::Relay(relay.clone().into())], ..again };
        world.inject(0, again);
        world.run_for(Duration::from_millis(50));
        let held = row_of(&world, 0, 3).is_some();
        assert!(!held || world.now().since(silent) <= life(), "a dead row is kept alive");
    }
}

#[test]
fn in_a_clean_cut_hardly_anything_is_asked_and_nothing_once_it_is_through() {
    let hosts = 60;
    let mut world = settled(hosts, default_timing(), lossy(0.01), 1);
    let sides: Vec<Vec<usize>> = vec![(0..30).collect(), (30..hosts).collect()];
    world.cut(&sides);
    world.record();
    world.run_for(Duration::from_secs(6));
    let during = asked(&mut world);
    // Everybody about everybody lost, twice, would be 3,600 at once.
    assert!(during <= 360, "{during} rows were asked for");
    world.record();
    world.run_for(Duration::from_secs(30));
    assert_eq!(asked(&mut world), 0, "nobody of my side hears them");
}

/// How many rows were asked for in what was recorded.
fn asked(world: &mut World) -> usize {
    let blocks = world.recorded().into_iter().flat_map(|(_, _, datagram)| datagram.blocks);
    blocks.map(|block| if let Block::RowsWanted(wanted) = block { wanted.len() } else { 0 }).sum()
}
