//! Events: from an agent, and from logs that are whole, torn, broken or growing.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use netsplit::clock::Clock;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::server::Server;
use super::{Said, netsplit};
use crate::shown;

/// Lines of a log, each with the hash of the one before it.
fn lines(events: &[(&str, Value)]) -> Vec<String> {
    let mut previous = "0".repeat(64);
    let mut lines = Vec::new();
    for (seq, (kind, fields)) in (1..).zip(events) {
        let common = format!(
            r#""time":"2026-11-21T12:00:{seq:02}.001500Z","hlc":"000000000000001f","cluster":"production","node":"node-1","incarnation":7"#
        );
        let own = fields.to_string();
        let own = own.trim_start_matches('{').trim_end_matches('}');
        let comma = if own.is_empty() { "" } else { "," };
        let line = format!(r#"{{"seq":{seq},{common},"event":"{kind}","prev":"{previous}"{comma}{own}}}"#);
        previous.clear();
        for byte in digest(&SHA256, line.as_bytes()).as_ref() {
            write!(previous, "{byte:02x}").unwrap();
        }
        lines.push(line);
    }
    lines
}

fn sides() -> Value {
    json!([
        {"count": 3, "nodes": ["node-1", "node-2", "node-3"], "seen": true},
        {"count": 40, "nodes": (4..=43).map(|number| format!("node-{number}")).collect::<Vec<_>>(), "seen": false},
    ])
}

fn partition(kind: &str, more: Value) -> Value {
    let mut fields = json!({
        "id": "c796305927519af9", "kind": kind, "certain": true, "sides": sides(), "own_side": true, "zones": [], "bridges": [], "exceptions": [],
        "direction": null, "witness": null, "quorum": false, "detection_seconds": 3.08, "epoch": 4,
        "electorate_digest": "0badcafe", "roster_digest": "0badcafe",
        "opened_at": "2026-11-21T12:00:04.001500Z", "closed_at": null,
    });
    let Value::Object(more) = more else { unreachable!() };
    fields.as_object_mut().unwrap().extend(more);
    fields
}

/// A cut and its end, and an event of a kind that is not known yet.
fn story() -> Vec<(&'static str, Value)> {
    let silent: Vec<Value> = (4..=43).map(|n| json!({"peer": format!("node-{n}"), "silent_seconds": 2.47})).collect();
    let end = json!({"cause": "healed", "confirmed": true, "duration_seconds": 300.5,
        "closed_at": "2026-11-21T12:05:04.502000Z"});
    vec![
        ("agent_started", json!({"roster": 43})),
        ("mode_changed", json!({"from": "starting", "to": "normal", "members": 43, "electorate": 43})),
        ("link_down", json!({"links": silent})),
        ("partition_opened", partition("complete", json!({}))),
        ("mode_changed", json!({"from": "normal", "to": "minority", "members": 3, "electorate": 43})),
        ("endpoint_down", json!({"endpoint": "central-prometheus", "cause": "timeout"})),
        ("partition_closed", partition("complete", end)),
        ("agent_stopped", json!({"reason": "restarting"})),
    ]
}

fn write(path: &Path, lines: &[String]) {
    fs::write(path, format!("{}\n", lines.join("\n"))).unwrap();
}

/// A log of a cut.
pub(crate) fn a_cut(directory: &Path) -> PathBuf {
    let log = directory.join("log");
    write(&log, &lines(&story()));
    log
}

/// What a command says of a log in a directory.
fn read(directory: &Path, arguments: &[&str]) -> String {
    let said = Said::by(arguments).shown();
    let directory = directory.display().to_string();
    said.replace(&format!("{directory}/log"), "/var/log/partition-events.log").replace(&directory, "/var/log")
}

#[test]
fn events_of_a_log_are_lines_that_people_read() {
    let directory = tempfile::tempdir().unwrap();
    let log = a_cut(directory.path());
    shown!(read(directory.path(), &["events", log.to_str().unwrap()]));
}

#[test]
fn events_of_an_agent_are_the_same_lines_and_say_what_is_not_on_its_disk() {
    let server = holding(&lines(&story()), 1);
    let address = server.address.to_string();
    shown!(Said::by(&["events", "--address", &address]).shown());
    assert_eq!(*server.asked.lock().unwrap(), ["/v1/events?since=0&limit=1000"]);
}

/// A server that holds these lines; the last one is not durable.
fn holding(lines: &[String], oldest: u64) -> Server {
    let server = Server::start();
    hold(&server, lines, oldest);
    server
}

fn hold(server: &Server, lines: &[String], oldest: u64) {
    let last = lines.len().saturating_sub(1);
    let with = |(place, line): (usize, &String)| {
        format!("{},\"durable\":{}}}", line.strip_suffix('}').unwrap(), place != last)
    };
    let events: Vec<String> = lines.iter().enumerate().map(with).collect();
    let newest: u64 =
        lines.last().map_or(0, |line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap());
    let body = format!(r#"{{"events":[{}],"oldest":{oldest},"newest":{newest}}}"#, events.join(","));
    server.says("/v1/events", super::server::Said::Answer(200, body));
}

#[test]
fn json_is_each_line_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let log = a_cut(directory.path());
    assert_eq!(Said::by(&["events", log.to_str().unwrap(), "--json"]).out, fs::read_to_string(&log).unwrap());
    let server = holding(&lines(&story()), 1);
    let said = Said::by(&["events", "--json", "--address", &server.address.to_string()]).out;
    assert_eq!(said.lines().count(), 8);
    assert!(said.lines().all(|line| line.starts_with(r#"{"seq":"#)), "in the order of the log: {said}");
}

/// The numbers of the events that are shown.
fn numbers(arguments: &[&str]) -> Vec<u64> {
    let said = Said::by(&[arguments, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.error);
    said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
}

#[test]
fn what_is_asked_for_is_shown_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let log = a_cut(directory.path());
    let log = log.to_str().unwrap();
    let server = holding(&lines(&story()), 1);
    let address = server.address.to_string();
    for source in [&["events", log][..], &["events", "--address", &address]] {
        let with = |more: &[&str]| numbers(&[source, more].concat());
        assert_eq!(with(&[]), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(with(&["--since", "6"]), [7, 8]);
        assert_eq!(with(&["--since", "2026-11-21T12:00:05Z"]), [5, 6, 7, 8]);
        assert_eq!(with(&["--since", "2026-11-21T13:00:05+01:00", "--limit", "2"]), [7, 8]);
        assert_eq!(with(&["-n", "3"]), [6, 7, 8]);
        assert_eq!(with(&["-n", "0"]), [0; 0]);
        assert_eq!(with(&["--since", "900"]), [0; 0]);
    }
    for wrong in [&["--since", "soon"][..], &["--since", ""], &["-n", "-1"], &["--verify", "-n", "1"]] {
        assert_eq!(Said::by(&[&["events"], wrong].concat()).code, Some(2), "{wrong:?}");
    }
    assert_eq!(Said::by(&["events", log, "--verify", "--follow"]).code, Some(2));
    assert_eq!(Said::by(&["events", log, log, "--follow"]).code, Some(2));
}

#[test]
fn a_duration_is_how_long_ago_by_the_clock_of_this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let now = Clock::start().wall();
    let event = |seq: u64, seconds_ago: u64| {
        let time = i64::try_from(now.as_secs() - seconds_ago).unwrap();
        format!(r#"{{"seq":{seq},"time":"{}","event":"blind"}}"#, jiff::Timestamp::from_second(time).unwrap())
    };
    write(&log, &[event(1, 7200), event(2, 660), event(3, 540), event(4, 0)]);
    let log = log.to_str().unwrap();
    assert_eq!(numbers(&["events", log, "--since", "10m"]), [3, 4]);
    assert_eq!(numbers(&["events", log, "--since", "1h"]), [2, 3, 4]);
}

#[test]
fn what_an_agent_does_not_hold_any_more_is_said_to_who_asks_for_it() {
    let held = lines(&story()).split_off(4);
    let server = holding(&held, 5);
    let address = server.address.to_string();
    let since = |number: &str| Said::by(&["events", "--since", number, "--address", &address]).error;
    assert_eq!(since("1"), "3 older events are not held by the agent any more: read its log\n");
    assert_eq!(since("4"), "");
    assert_eq!(Said::by(&["events", "--address", &address]).error, "");
}

#[test]
fn a_log_with_its_older_files_is_one_and_none_is_told_twice() {
    let directory = tempfile::tempdir().unwrap();
    let all = lines(&story());
    let path = |suffix: &str| directory.path().join(format!("log{suffix}")).to_str().unwrap().to_owned();
    write(Path::new(&path(".2")), &all[..2]);
    write(Path::new(&path(".1")), &all[2..5]);
    write(Path::new(&path("")), &all[5..]);
    assert_eq!(numbers(&["events", &path("")]), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(numbers(&["events", &path(".1"), &path("")]), [3, 4, 5, 1, 2, 6, 7, 8]);
}

#[test]
fn an_empty_log_a_torn_line_and_strange_lines_are_told_and_are_no_errors() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let path = log.to_str().unwrap();
    fs::write(&log, "").unwrap();
    let empty = read(directory.path(), &["events", path]);
    let all = lines(&story());
    fs::write(&log, format!("{}\nsomebody was here\n\u{1b}[2J\n{}", all[0], &all[1][..50])).unwrap();
    let torn = read(directory.path(), &["events", path]);
    let missing = directory.path().join("nothing");
    shown!([empty, torn, read(directory.path(), &["events", missing.to_str().unwrap()])].concat());
}

#[test]
fn verify_says_whether_a_log_is_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let path = log.to_str().unwrap();
    let all = lines(&story());
    let mut told = String::new();
    let mut verify = |what: &str, text: &str| {
        fs::write(&log, text).unwrap();
        write!(told, "{what}:\n{}\n", read(directory.path(), &["events", path, "--verify"])).unwrap();
    };
    let whole = format!("{}\n", all.join("\n"));
    verify("whole", &whole);
    verify("torn", &whole[..whole.len() - 10]);
    verify("rotated", &format!("{}\n", all[3..].join("\n")));
    verify("altered", &whole.replace("\"roster\":43", "\"roster\":42"));
    verify("removed", &whole.replace(&format!("{}\n", all[4]), ""));
    verify("inserted", &whole.replace(&all[2], &format!("{}\n{}", all[0], all[2])));
    verify("empty", "");
    shown!(told);
}

#[test]
fn verify_prints_json_and_its_exit_code_if_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let log = a_cut(directory.path());
    let path = log.to_str().unwrap();
    let verify = || {
        let said = Said::by(&["events", path, "--verify", "--json"]);
        (serde_json::from_str::<Value>(&said.out).unwrap(), said.code)
    };
    let (whole, code) = verify();
    assert_eq!((&whole["lines"], &whole["flaw"], code), (&json!(8), &Value::Null, Some(0)));
    write(&log, &[&lines(&story())[..2], &lines(&story())[5..]].concat());
    let (broken, code) = verify();
    assert_eq!((&broken["flaw"]["line"], &broken["flaw"]["what"], code), (&json!(3), &json!("removed"), Some(1)));
}

#[test]
fn partitions_of_a_log_are_those_of_all_its_runs() {
    let directory = tempfile::tempdir().unwrap();
    let log = a_cut(directory.path());
    let path = log.to_str().unwrap();
    let over = read(directory.path(), &["partitions", "--log", path]);
    let mut story = story();
    story.truncate(4);
    story.push(("agent_started", json!({"roster": 43})));
    write(&log, &lines(&story));
    let lost = read(directory.path(), &["partitions", "--log", path]);
    story.truncate(4);
    write(&log, &lines(&story));
    let said = Said::by(&["partitions", "--log", path, "--json"]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&json["open"][0]["id"], said.code), (&json!("c796305927519af9"), Some(1)));
    shown!([over, lost].concat());
}

/// A command that goes on, and the lines that it prints.
fn following(arguments: &[&str]) -> (Child, impl Iterator<Item = u64> + use<>) {
    let mut child = netsplit(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: String| serde_json::from_str::<Value>(&line).unwrap()["seq"].as_u64().unwrap();
    (child, lines.map(number))
}

fn append(path: &Path, lines: &[String]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for line in lines {
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

#[test]
fn a_log_is_followed_across_its_rotation_until_nobody_reads() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let all = lines(&[story(), story()].concat());
    write(&log, &all[..12]);
    let (mut child, mut numbers) = following(&["events", "--follow", "--json", log.to_str().unwrap()]);
    assert_eq!(numbers.by_ref().take(10).collect::<Vec<_>>(), (3..=12).collect::<Vec<_>>(), "the last ten");
    append(&log, &all[12..13]);
    assert_eq!(numbers.next(), Some(13));
    append(&log, &all[13..14]);
    fs::rename(&log, directory.path().join("log.1")).unwrap();
    append(&log, &all[14..15]);
    assert_eq!(numbers.by_ref().take(2).collect::<Vec<_>>(), [14, 15]);
    drop(numbers);
    append(&log, &all[15..]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_agent_whose_log_began_anew_is_followed_from_its_first_event() {
    let all = lines(&story());
    let server = holding(&all[..5], 1);
    let address = server.address.to_string();
    let (child, mut numbers) = following(&["events", "--follow", "--json", "--since", "3", "--address", &address]);
    assert_eq!(numbers.by_ref().take(2).collect::<Vec<_>>(), [4, 5]);
    hold(&server, &all[..2], 1);
    assert_eq!(numbers.by_ref().take(2).collect::<Vec<_>>(), [1, 2]);
    end(child);
}

#[test]
fn an_agent_is_followed_from_a_number_that_it_has_not_reached() {
    let all = lines(&story());
    let server = holding(&all[..2], 1);
    let address = server.address.to_string();
    let (child, mut numbers) = following(&["events", "--follow", "--json", "--since", "4", "--address", &address]);
    while server.asked.lock().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    hold(&server, &all[4..6], 5);
    assert_eq!(numbers.by_ref().take(2).collect::<Vec<_>>(), [5, 6]);
    end(child);
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_agent_is_followed_until_nobody_reads() {
    let all = lines(&[story(), story()].concat());
    let server = holding(&all[..12], 1);
    let address = server.address.to_string();
    let (mut child, mut numbers) = following(&["events", "--follow", "--json", "--address", &address]);
    assert_eq!(numbers.by_ref().take(10).collect::<Vec<_>>(), (3..=12).collect::<Vec<_>>(), "the last ten");
    hold(&server, &all[12..14], 1);
    assert_eq!(numbers.by_ref().take(2).collect::<Vec<_>>(), [13, 14]);
    drop(numbers);
    hold(&server, &all[14..], 1);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
