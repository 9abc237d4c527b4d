//! Disks that are full, read-only, hung or taken away, and readers that do not read: the log goes on.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netsplit::agent::EventSink;
use netsplit::audit::{Files, PATIENCE, RECORDS, SHOW_AFTER, Settings};
use netsplit::clock::Clock;

use crate::laboratory::{Gate, GatedDisk, GatedReader, Running, at, numbered, numbers, until, whole, written};
use crate::needs::Mount;

/// A log in this directory, on a disk with a gate.
fn gated(log: &Path) -> (Running, Gate) {
    let gate = Gate::default();
    let disk = GatedDisk { files: Files::at(log), gate: gate.clone() };
    (Running::on(disk, io::sink(), at(log)), gate)
}

#[test]
fn on_a_full_disk_events_wait_in_memory_and_are_written_in_order_when_there_is_room() {
    let Some(mount) = Mount::of_size("64k") else { return };
    let log = mount.path().join("log");
    let mut running = Running::start(at(&log));
    running.accept(0..3);
    running.until_durable(3);
    let ballast = mount.path().join("ballast");
    let filled = fs::File::create(&ballast).unwrap().write_all(&vec![1; 1 << 20]);
    assert_eq!(filled.unwrap_err().kind(), ErrorKind::StorageFull);
    // More than what is left of the last block of the file.
    running.accept(3..40);
    until("the disk is full", || running.readers.counters.errors() > 0);
    until("they are shown all the same", || running.shown().len() == 40);
    assert!(running.readers.counters.is_failing());
    assert!(running.shown().last().is_some_and(|shown| !shown.durable));
    fs::remove_file(&ballast).unwrap();
    running.until_durable(40);
    assert!(!running.readers.counters.is_failing());
    assert_eq!((running.readers.counters.queued(), running.readers.counters.lost()), (0, 0));
    assert_eq!(numbers(&written(&log)), (0..40).collect::<Vec<_>>());
    assert_eq!((whole(&log).torn, running.readers.counters.torn()), (None, 0));
    running.finish();
}

#[test]
fn a_disk_that_was_full_at_the_end_keeps_whole_lines_only() {
    let Some(mount) = Mount::of_size("64k") else { return };
    let log = mount.path().join("log");
    let mut running = Running::start(at(&log));
    running.accept(0..3000);
    until("the disk is full", || running.readers.counters.errors() > 1);
    let durable = running.readers.counters.records();
    assert!(durable > 50, "a line at a time fits where a batch does not");
    running.finish();
    let (found, durable) = (whole(&log), usize::try_from(durable).unwrap());
    assert!(found.lines >= durable as u64, "{found:?}");
    assert_eq!(numbers(&written(&log))[..durable], (0..durable).collect::<Vec<_>>());
}

#[test]
fn on_a_read_only_disk_events_wait_and_the_chain_goes_on_where_it_ended() {
    let Some(mount) = Mount::of_size("1m") else { return };
    let log = mount.path().join("log");
    let mut first = Running::start(at(&log));
    first.accept(0..3);
    first.finish();
    mount.set_read_only(true);
    let mut second = Running::start(at(&log));
    second.accept(3..6);
    until("it cannot be written", || second.readers.counters.errors() > 0);
    until("they are shown", || second.shown().len() == 3);
    assert_eq!(second.shown()[0].seq, 4, "the log could be read");
    mount.set_read_only(false);
    second.until_durable(3);
    second.finish();
    assert_eq!(numbers(&written(&log)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(whole(&log).new_chains, []);
}

#[test]
fn a_disk_that_hangs_delays_neither_who_tells_nor_who_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let (mut running, gate) = gated(&log);
    running.accept([0]);
    running.until_durable(1);
    gate.set(true);
    // One queue full: if a single one waited for the disk, this would not end.
    running.accept(1..=RECORDS);
    let counters = Arc::clone(&running.readers.counters);
    assert_eq!((counters.queued(), counters.lost()), (RECORDS as u64, 0));
    until("they are shown", || running.readers.tail.since(0, 0).newest == RECORDS as u64 + 1);
    let tail = running.shown();
    assert_eq!(tail.len(), 1000);
    assert!(tail.iter().all(|shown| !shown.durable));
    running.accept(10_000..10_005);
    assert_eq!(counters.lost(), 5);
    gate.set(false);
    running.until_durable(RECORDS as u64 + 1);
    assert!(running.shown().iter().all(|shown| shown.durable), "what was shown before is durable now");
    running.accept([20_000]);
    running.until_durable(RECORDS as u64 + 3);
    running.finish();
    let lines = written(&log);
    assert_eq!(numbers(&lines[..=RECORDS]), (0..=RECORDS).collect::<Vec<_>>());
    let (lost, after) = (&lines[RECORDS + 1], &lines[RECORDS + 2]);
    assert_eq!((&lost["event"], &lost["count"]), (&"events_lost".into(), &5.into()));
    assert_eq!((lost["hlc"].as_str(), after["roster"].as_u64()), (after["hlc"].as_str(), Some(20_000)));
    assert_eq!(whole(&log).lines, RECORDS as u64 + 3);
}

#[test]
fn what_is_not_durable_is_shown_after_200_milliseconds_and_not_before() {
    let directory = tempfile::tempdir().unwrap();
    let (mut running, gate) = gated(&directory.path().join("log"));
    running.accept([0]);
    running.until_durable(1);
    gate.set(true);
    let clock = Clock::start();
    running.accept([1]);
    until("it is shown", || running.shown().len() == 2);
    assert!(clock.now().since_start() >= SHOW_AFTER);
    assert!(!running.shown()[1].durable);
    gate.set(false);
    running.finish();
}

#[test]
fn a_disk_that_hangs_at_the_start_is_waited_for_a_second_and_a_new_chain_begins_in_a_new_file() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut first = Running::start(at(&log));
    first.accept(0..3);
    first.finish();
    let gate = Gate::default();
    gate.set(true);
    let clock = Clock::start();
    let disk = GatedDisk { files: Files::at(&log), gate: gate.clone() };
    let mut second = Running::on(disk, io::sink(), at(&log));
    assert!(clock.now().since_start() >= PATIENCE);
    second.accept(3..5);
    until("they are shown", || second.shown().len() == 2);
    assert!(second.shown()[0].seq > 1_000_000_000_000_000, "its numbers are the time of day");
    gate.set(false);
    second.until_durable(2);
    second.finish();
    let found = whole(&log);
    assert_eq!((found.lines, found.first, found.new_chains.len()), (5, Some(1), 1));
    assert_eq!(found.new_chains[0].file, log);
    assert_eq!(numbers(&written(&log)), [0, 1, 2, 3, 4]);
    // The next run goes on there.
    let mut third = Running::start(at(&log));
    third.accept([5]);
    third.finish();
    assert_eq!((whole(&log).new_chains.len(), whole(&log).lines), (1, 6));
}

#[test]
fn a_disk_that_does_not_answer_for_ten_seconds_fails_until_it_answers() {
    let directory = tempfile::tempdir().unwrap();
    let (mut running, gate) = gated(&directory.path().join("log"));
    running.accept([0]);
    running.until_durable(1);
    let counters = Arc::clone(&running.readers.counters);
    gate.set(true);
    running.accept([1]);
    let clock = Clock::start();
    until("it counts as failing", || counters.is_failing());
    assert!(clock.now().since_start() >= Duration::from_secs(9));
    gate.set(false);
    running.until_durable(2);
    until("it does not any more", || !counters.is_failing());
    assert_eq!(counters.errors(), 0);
    running.finish();
}

#[test]
fn the_end_waits_for_a_hung_disk_no_longer_than_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let (mut running, gate) = gated(&directory.path().join("log"));
    running.accept([0]);
    running.until_durable(1);
    gate.set(true);
    running.accept([1]);
    let clock = Clock::start();
    running.finish();
    assert!(clock.now().since_start() >= PATIENCE);
    gate.set(false);
}

#[test]
fn the_last_events_are_durable_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    for round in 0..20 {
        let mut running = Running::start(at(&log));
        running.accept(round * 10..round * 10 + 10);
        running.finish();
    }
    assert_eq!(numbers(&written(&log)), (0..200).collect::<Vec<_>>());
    assert_eq!(whole(&log).last, Some(200));
}

#[test]
fn a_missing_directory_is_made_and_one_in_a_missing_tree_is_waited_for() {
    let parent = tempfile::tempdir().unwrap();
    let log = parent.path().join("volume/logs/log");
    let mut running = Running::start(at(&log));
    running.accept(0..2);
    until("it cannot be written", || running.readers.counters.errors() > 0);
    fs::create_dir(parent.path().join("volume")).unwrap();
    running.accept(2..4);
    running.until_durable(4);
    running.finish();
    assert_eq!(numbers(&written(&log)), [0, 1, 2, 3]);
    assert_eq!(whole(&log).first, Some(1));
}

#[test]
fn a_log_that_is_removed_is_made_anew_and_the_chain_goes_on() {
    let parent = tempfile::tempdir().unwrap();
    let log = parent.path().join("logs/log");
    let mut running = Running::start(at(&log));
    running.accept(0..2);
    running.until_durable(2);
    fs::remove_file(&log).unwrap();
    running.accept(2..4);
    running.until_durable(4);
    assert_eq!((numbers(&written(&log)), whole(&log).first), (vec![2, 3], Some(3)));
    fs::remove_dir_all(log.parent().unwrap()).unwrap();
    running.accept(4..6);
    running.until_durable(6);
    assert_eq!(numbers(&written(&log)), [4, 5]);
    fs::rename(&log, parent.path().join("taken")).unwrap();
    running.accept(6..8);
    running.until_durable(8);
    running.finish();
    assert_eq!((numbers(&written(&log)), whole(&log).first), (vec![6, 7], Some(7)));
}

#[test]
fn what_others_write_into_the_log_is_moved_aside_and_what_they_cut_off_is_told_by_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut running = Running::start(at(&log));
    running.accept(0..2);
    running.until_durable(2);
    let mut other = fs::OpenOptions::new().append(true).open(&log).unwrap();
    other.write_all(b"somebody was here").unwrap();
    running.accept(2..4);
    running.until_durable(4);
    assert_eq!((whole(&log).lines, running.readers.counters.torn()), (4, 1));
    assert_eq!(fs::read_to_string(directory.path().join("log.torn")).unwrap(), "somebody was here\n");
    // As `> log` does it.
    fs::write(&log, "").unwrap();
    running.accept(4..6);
    running.until_durable(6);
    running.finish();
    assert_eq!((numbers(&written(&log)), whole(&log).first), (vec![4, 5], Some(5)));
}

#[test]
fn two_agents_never_write_one_log_and_the_second_takes_over_with_a_chain_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut first = Running::start(at(&log));
    first.accept(0..2);
    first.until_durable(2);
    let mut second = Running::start(at(&log));
    second.accept(10..12);
    until("it is told that the log is in use", || second.readers.counters.errors() > 0);
    until("its events are shown", || second.shown().len() == 2);
    first.accept(2..4);
    first.until_durable(4);
    first.finish();
    second.until_durable(2);
    second.finish();
    assert_eq!(numbers(&written(&log)), [0, 1, 2, 3, 10, 11]);
    assert_eq!(whole(&log).new_chains.len(), 1);
}

/// What was read from standard output.
fn output(read: &Arc<Mutex<Vec<u8>>>) -> String {
    String::from_utf8(read.lock().unwrap().clone()).unwrap()
}

#[test]
fn standard_output_gets_the_same_lines_while_that_is_set() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let read = Arc::<Mutex<Vec<u8>>>::default();
    let out = GatedReader { gate: Gate::default(), read: Arc::clone(&read) };
    let settings = Settings { stdout: true, ..at(&log) };
    let mut running = Running::on(Files::at(&log), out, settings.clone());
    running.accept(0..3);
    until("they are read", || output(&read).lines().count() == 3);
    running.readers.change(settings.max_size, settings.keep, false);
    running.accept(3..5);
    running.until_durable(5);
    until("they are shown", || running.shown().len() == 5);
    running.readers.change(settings.max_size, settings.keep, true);
    running.accept(5..7);
    running.finish();
    let log: Vec<String> = fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(output(&read).lines().collect::<Vec<_>>(), [&log[..3], &log[5..]].concat());
}

#[test]
fn a_reader_of_standard_output_that_stands_still_costs_lines_there_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let (gate, read) = (Gate::default(), Arc::<Mutex<Vec<u8>>>::default());
    gate.set(true);
    let out = GatedReader { gate: gate.clone(), read: Arc::clone(&read) };
    let mut running = Running::on(Files::at(&log), out, Settings { stdout: true, ..at(&log) });
    let counters = Arc::clone(&running.readers.counters);
    for round in 0..3 {
        running.accept(round * 2000..round * 2000 + 2000);
        running.until_durable(round as u64 * 2000 + 2000);
    }
    until("all are shown", || running.readers.tail.since(0, 0).newest == 6000);
    // The queue's worth waits, and one is with the reader that stands still.
    until("some are lost", || counters.stdout_lost() == 6000 - RECORDS as u64 - 1);
    gate.set(false);
    running.finish();
    assert_eq!(output(&read).lines().count(), RECORDS + 1);
    assert_eq!(whole(&log).lines, 6000);
}

/// Nobody reads here any more.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn standard_output_that_is_closed_is_no_trouble_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut running = Running::on(Files::at(&log), Closed, Settings { stdout: true, ..at(&log) });
    let counters = Arc::clone(&running.readers.counters);
    running.accept(0..3);
    running.finish();
    assert_eq!((counters.stdout_lost(), counters.errors(), whole(&log).lines), (3, 0, 3));
}

#[test]
fn time_at_the_disk_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(at(&directory.path().join("log")));
    let before = running.readers.counters.syncs();
    assert_eq!((before.count, before.sum.is_zero()), (0, true));
    running.sink.accept(numbered(1));
    running.until_durable(1);
    let after = running.readers.counters.syncs();
    assert!(after.count == 1 && !after.sum.is_zero(), "{after:?}");
    running.finish();
}
