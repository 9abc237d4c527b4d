//! Histories that random tests found, in which a law of `properties` was broken once, as short as they became.

use std::time::Duration;

use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use crate::properties::Happening::{Cut, Heal, Kill, Loss, Pair, Stall, Start, Stop};
use crate::properties::Shape::{Complete, OneWay, Partial};
use crate::properties::{Cluster, Happening, Histories, History, Shape, Step};

/// Plays what happened, and after each how many milliseconds passed.
fn the_laws_hold(hosts: usize, seed: u64, steps: Vec<(Happening, u64)>) {
    let mut cluster = Cluster { hosts, seed, running: vec![true; hosts] };
    let mut history = History::new(&cluster);
    for (happening, wait) in steps {
        let step = Step { happening, wait: Duration::from_millis(wait) };
        history.step(&step);
        cluster = Histories::apply(cluster, &step);
    }
    History::teardown(history, cluster);
}

fn cut<const HOSTS: usize>(shape: Shape, numbers: [u8; HOSTS]) -> Happening {
    Cut { shape, numbers: numbers.to_vec() }
}

fn stall(host: usize, milliseconds: u64) -> Happening {
    Stall { host, length: Duration::from_millis(milliseconds) }
}

fn with_state(host: usize) -> Happening {
    Start { host, state: true }
}

fn without_state(host: usize) -> Happening {
    Start { host, state: false }
}

#[test]
fn an_agent_that_did_not_run_once_is_not_called_down_when_it_is_cut_off_later() {
    // 1 and 4 asked about 2 while it did not run, and never heard it again: what they found was of before.
    let steps = vec![
        (Kill(2), 2_000),
        (cut(Partial, [2, 1, 0, 2, 1]), 0),
        (with_state(2), 10_000),
        (cut(Complete, [1, 1, 2, 1, 1]), 5_000),
        (cut(Complete, [1, 1, 2, 2, 0]), 0),
    ];
    the_laws_hold(5, 9_997_746_468_866_764_675, steps);
}

#[test]
fn nobody_writes_by_the_word_of_a_relay_about_one_that_says_nothing_itself() {
    // 4 heard by way of 0 that 5 hears 1. That 1 does not hear 5 it could not know, and counted four of seven.
    let steps = vec![
        (cut(OneWay, [1, 0, 2, 2, 1, 2, 1]), 0),
        (cut(Partial, [1, 2, 0, 0, 1, 1, 0]), 0),
        (cut(OneWay, [2, 1, 2, 1, 1, 0, 1]), 0),
    ];
    the_laws_hold(7, 330_208_081_051_894_767, steps);
}

#[test]
fn nobody_writes_by_counting_one_that_never_answered() {
    // 1 hears 2, which never learns of the run of 1, and so neither says that it does not hear it nor sends a row.
    let steps = vec![(Kill(1), 0), (stall(2, 3_827), 0), (without_state(1), 500), (cut(OneWay, [1, 0, 1]), 0)];
    the_laws_hold(3, 13_306_922_261_633_469_327, steps);
}

#[test]
fn a_node_that_is_lost_alone_hides_no_cut_that_is_merely_possible() {
    let steps = vec![
        (Kill(3), 0),
        (Stop(2), 0),
        (cut(OneWay, [0, 1, 0, 0, 0, 1, 0]), 0),
        (cut(Partial, [0, 0, 0, 2, 0, 1, 0]), 0),
        (with_state(2), 0),
    ];
    the_laws_hold(7, 4_962_262_491_858_202_416, steps);
}

#[test]
fn who_said_goodbye_to_some_and_is_lost_to_others_joins_nobody() {
    let steps = vec![
        (cut(Complete, [2, 1, 2, 2, 0, 1]), 0),
        (Stop(1), 2_000),
        (Heal, 0),
        (without_state(1), 0),
        (Kill(0), 0),
        (Kill(1), 0),
        (cut(Complete, [0, 0, 0, 2, 0, 0]), 0),
    ];
    the_laws_hold(6, 10_731_165_764_037_131_844, steps);
}

#[test]
fn a_run_that_began_during_a_cut_is_met_after_it() {
    // 3 took what 4 said of its run before for an answer, and neither ever asked the other who it is.
    let steps = vec![
        (Kill(1), 0),
        (cut(OneWay, [1, 2, 0, 1, 0]), 1_000),
        (Loss(0.05), 20_000),
        (Kill(3), 500),
        (without_state(1), 627),
        (stall(0, 3_916), 0),
        (stall(4, 10_796), 5_000),
        (without_state(3), 11_928),
        (Heal, 500),
    ];
    the_laws_hold(5, 13_465_618_276_996_368_575, steps);
}

#[test]
fn who_said_goodbye_and_runs_again_is_missed_by_whom_it_does_not_reach() {
    let steps = vec![
        (Stop(6), 0),
        (cut(Partial, [2, 2, 2, 1, 1, 2, 0]), 0),
        (without_state(6), 5_693),
        (cut(Partial, [2, 2, 0, 2, 1, 0, 1]), 0),
    ];
    the_laws_hold(7, 5_665_306_642_999_870_327, steps);
}

#[test]
fn who_said_goodbye_is_not_missed_because_somebody_slept_through_it() {
    let steps = vec![
        (stall(4, 10_841), 2_000),
        (cut(Partial, [1, 2, 1, 1, 0, 1]), 0),
        (Stop(5), 15_685),
        (cut(Complete, [1, 0, 0, 1, 2, 2]), 5_000),
        (Pair { one: 2, other: 1, one_way: false }, 0),
    ];
    the_laws_hold(6, 7_247_681_652_328_738_978, steps);
    let steps = vec![(cut(Partial, [0, 0, 0, 1, 0]), 0), (Stop(1), 349), (stall(4, 8_910), 0)];
    the_laws_hold(5, 6_174_393_822_972_131_002, steps);
    let steps = vec![(Stop(1), 0), (stall(5, 5_918), 500), (stall(4, 9_033), 0)];
    the_laws_hold(7, 12_179_557_668_890_732_156, steps);
}

#[test]
fn what_is_left_of_a_cut_that_nobody_tells_of_any_more_opens_no_other() {
    let steps = vec![
        (cut(OneWay, [1, 0, 1, 1, 2, 0, 2]), 0),
        (cut(OneWay, [0, 2, 1, 2, 0, 1, 1]), 0),
        (Stop(2), 0),
        (stall(4, 5_116), 500),
        (cut(Partial, [2, 2, 1, 2, 2, 1, 2]), 1_936),
        (Pair { one: 0, other: 2, one_way: true }, 1_000),
        (cut(Partial, [2, 0, 1, 1, 2, 1, 2]), 0),
    ];
    the_laws_hold(7, 1_521_592_423_584_399_827, steps);
    let steps = vec![
        (Kill(0), 0),
        (Kill(4), 0),
        (stall(3, 8_700), 0),
        (without_state(4), 500),
        (cut(OneWay, [2, 1, 0, 1, 0, 1]), 0),
    ];
    the_laws_hold(6, 13_522_643_873_296_157_517, steps);
}
