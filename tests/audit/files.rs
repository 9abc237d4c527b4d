//! What lies on the disk: rotation, and what a run finds of those before it.

use std::fs;
use std::path::{Path, PathBuf};

use netsplit::audit::Settings;

use crate::laboratory::{Running, at, numbers, until, whole, written};

/// The names in the directory of this log, without its lock.
fn names(log: &Path) -> Vec<String> {
    let entries = fs::read_dir(log.parent().unwrap()).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "log.lock");
    names.sort();
    names
}

fn beside(log: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", log.display()))
}

/// A record at a time, each durable before the next.
fn one_by_one(running: &mut Running, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let records = running.readers.counters.records();
        running.accept([number]);
        running.until_durable(records + 1);
    }
}

#[test]
fn files_are_rotated_by_size_and_the_chain_and_the_numbers_go_on_across_files_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let settings = Settings { max_size: 1000, keep: 3, ..at(&log) };
    let mut last = 0;
    for round in 0..5 {
        let mut running = Running::start(settings.clone());
        one_by_one(&mut running, round * 10..round * 10 + 10);
        running.finish();
        let found = whole(&log);
        assert!(found.last > Some(last));
        last = found.last.unwrap();
    }
    assert_eq!(names(&log), ["log", "log.1", "log.2"]);
    for name in names(&log) {
        let size = fs::metadata(log.with_file_name(&name)).unwrap().len();
        assert!((200..=1000).contains(&size), "{name} has {size} bytes");
    }
    let lines = written(&log);
    let kept = numbers(&lines);
    assert_eq!((last, kept.last()), (50, Some(&49)));
    assert!(kept.len() >= 6 && kept.is_sorted_by(|a, b| a + 1 == *b), "{kept:?}");
    assert_eq!(whole(&log).new_chains, []);
}

#[test]
fn a_burst_is_rotated_too() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut running = Running::start(Settings { max_size: 2000, keep: 100, ..at(&log) });
    running.accept(0..200);
    running.until_durable(200);
    running.finish();
    assert_eq!(numbers(&written(&log)), (0..200).collect::<Vec<_>>());
    assert!(names(&log).len() > 10);
    assert!(names(&log).iter().all(|name| fs::metadata(log.with_file_name(name)).unwrap().len() <= 2000));
    whole(&log);
}

#[test]
fn one_file_may_be_all_that_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let settings = Settings { max_size: 1000, keep: 1, ..at(&log) };
    for round in 0..3 {
        let mut running = Running::start(settings.clone());
        one_by_one(&mut running, round * 10..round * 10 + 10);
        until("the older file is dropped", || names(&log) == ["log"]);
        running.finish();
    }
    let found = whole(&log);
    assert_eq!((found.last, found.new_chains), (Some(30), vec![]));
}

#[test]
fn a_line_that_is_larger_than_a_file_may_be_has_one_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut running = Running::start(Settings { max_size: 10, keep: 100, ..at(&log) });
    running.accept(0..5);
    running.until_durable(5);
    running.finish();
    assert_eq!(names(&log), ["log", "log.1", "log.2", "log.3", "log.4"]);
    assert_eq!(whole(&log).lines, 5);
}

#[test]
fn size_and_number_of_files_change_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut running = Running::start(at(&log));
    one_by_one(&mut running, 0..10);
    assert_eq!(names(&log), ["log"]);
    running.readers.change(600, 5, false);
    one_by_one(&mut running, 10..30);
    assert_eq!(names(&log), ["log", "log.1", "log.2", "log.3", "log.4"]);
    running.readers.change(600, 2, false);
    one_by_one(&mut running, 30..35);
    assert_eq!(names(&log), ["log", "log.1"]);
    running.finish();
    whole(&log);
}

#[test]
fn a_torn_line_is_moved_aside_and_reported_and_the_chain_goes_on_after_the_last_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut first = Running::start(at(&log));
    first.accept(0..3);
    first.finish();
    let bytes = fs::read(&log).unwrap();
    let torn = bytes.len() - 20;
    fs::write(&log, &bytes[..torn]).unwrap();
    assert_eq!(whole(&log).torn.unwrap().line, 3);

    let mut second = Running::start(at(&log));
    second.accept([10]);
    second.until_durable(1);
    assert_eq!(second.readers.counters.torn(), 1);
    assert_eq!(second.shown()[0].seq, 3);
    second.finish();
    assert_eq!(numbers(&written(&log)), [0, 1, 10]);
    assert_eq!(whole(&log).torn, None);
    let text = String::from_utf8(bytes[..torn].to_vec()).unwrap();
    let expected = format!("{}\n", text.lines().last().unwrap());
    assert_eq!(fs::read_to_string(beside(&log, ".torn")).unwrap(), expected);
}

#[test]
fn what_is_kept_of_torn_lines_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    fs::write(beside(&log, ".torn"), vec![b'x'; (1 << 20) - 10]).unwrap();
    fs::write(&log, r#"{"seq":1,"time":"20"#).unwrap();
    let mut running = Running::start(at(&log));
    running.accept([0]);
    running.finish();
    assert_eq!(fs::read_to_string(beside(&log, ".torn")).unwrap(), "{\"seq\":1,\"time\":\"20\n");
    assert_eq!(whole(&log).first, Some(1), "nothing was ever there");
}

#[test]
fn a_crash_between_two_files_is_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    for (step, is_there) in [("renamed", false), ("made", true)] {
        let mut first = Running::start(at(&log));
        first.accept(0..3);
        first.finish();
        fs::rename(&log, beside(&log, ".1")).unwrap();
        if is_there {
            fs::write(&log, "").unwrap();
        }
        let mut second = Running::start(at(&log));
        second.accept(3..5);
        second.finish();
        assert_eq!(numbers(&written(&log)), [0, 1, 2, 3, 4], "{step}");
        let found = whole(&log);
        assert_eq!((found.first, found.last), (Some(1), Some(5)), "{step}");
        for name in names(&log) {
            fs::remove_file(log.with_file_name(name)).unwrap();
        }
    }
}

#[test]
fn what_is_no_log_is_moved_aside_whole_and_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    for (round, text) in ["root:x:0:0\n", "{\"level\":\"info\"}\n"].into_iter().enumerate() {
        fs::write(&log, text).unwrap();
        let mut running = Running::start(at(&log));
        running.accept(0..2);
        running.finish();
        let aside = beside(&log, &format!(".foreign-{}", round + 1));
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        let found = whole(&log);
        assert_eq!((found.lines, found.torn), (2, None));
        assert!(found.first > Some(1_000_000_000_000_000), "what was before is not known");
        fs::remove_file(&log).unwrap();
    }
}

#[test]
fn what_was_altered_stays_where_it_is_and_is_named_though_agents_wrote_on() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let settings = Settings { max_size: 1000, keep: 100, ..at(&log) };
    let mut first = Running::start(settings.clone());
    one_by_one(&mut first, 0..10);
    first.finish();
    let older = beside(&log, ".1");
    let text = fs::read_to_string(&older).unwrap();
    fs::write(&older, text.replacen("production", "productlon", 1)).unwrap();
    let mut second = Running::start(settings);
    one_by_one(&mut second, 10..20);
    second.finish();
    let flaw = netsplit::audit::verify(&log).unwrap().flaw.unwrap();
    assert!(flaw.to_string().ends_with("was altered"), "{flaw}");
    let line = fs::read_to_string(&flaw.place.file).unwrap();
    let line = line.lines().nth(usize::try_from(flaw.place.line).unwrap() - 1).unwrap();
    assert!(line.contains("productlon"), "{flaw}");
}
