//! `netsplit lab` from the outside: its answer, and its exit code.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netsplit")).arg("lab").args(arguments).output().unwrap()
}

#[track_caller]
fn report(arguments: &[&str]) -> Value {
    let output = lab(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn three_and_two_each_name_their_own_side() {
    let report = report(&["--json"]);
    assert_eq!(report["correct"], json!(true));
    assert_eq!(report["kind"], json!("complete"));
    assert_eq!(report["sides"], json!([["node-1", "node-2", "node-3"], ["node-4", "node-5"]]));
    assert_eq!(report["link_down_seconds"]["bound"], json!(2.5));
    assert_eq!(report["audit"]["whole"], json!(true));
    assert!(report["audit"]["events"].as_u64().is_some_and(|events| events >= 5 * 6), "{report}");
    assert_eq!(report["partition_seconds"]["bound"], json!(4.7));
    for times in ["link_down_seconds", "partition_seconds", "closed_seconds"] {
        assert!(report[times]["max"].as_f64().is_some_and(|max| max > 0.0), "{times}: {report}");
    }
}

#[test]
fn three_sides_are_each_right_about_themselves() {
    let report = report(&["--nodes", "5", "--cut", "2|2|1", "--json"]);
    assert_eq!(report["correct"], json!(true));
    assert_eq!(report["sides"], json!([["node-1", "node-2"], ["node-3", "node-4"], ["node-5"]]));
}

#[test]
fn a_lone_node_knows_that_it_is_isolated_and_the_others_open_no_partition() {
    let report = report(&["--cut", "4|1", "--json"]);
    assert_eq!((&report["correct"], &report["kind"]), (&json!(true), &json!("isolation")));
}

#[test]
fn people_get_tables_verdicts_times_and_the_log_without_colours() {
    let output = lab(&["--cut", "2|2"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "node-1 (east) ·      ✓      ✓      ✓       normal",
        "node-1 (east) ·      ✓      ✗      ✗       minority",
        "node-3 (west) ✗      ✗      ·      ?       not reachable from here",
        "Links are down within 2.50 s, a cut is a partition within 4.70 s",
        "✓ node-4   minority",
        "complete: node-3 node-4 | node-1 node-2",
        "partition_closed",
        "healed (confirmed)",
        "An alert sees of node-1: netsplit_partition_active{kind=\"complete\"} 1",
        "events in 4 audit logs, every chain is whole.",
        "✓ Every agent named its own side, and saw the end.",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_does_not_change_the_outcome() {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_netsplit"))
        .args(["lab", "--cut", "1|1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(lab.stdout.take());
    assert_eq!(lab.wait().unwrap().code(), Some(0));
}

#[test]
fn arguments_that_cannot_be_are_refused_with_exit_code_2() {
    for (arguments, told) in [
        (&["--cut", "3"][..], "one side is no cut"),
        (&["--cut", "3|0"], "a side has no node"),
        (&["--cut", "3,2"], "is not the size of a side"),
        (&["--cut", "3|3", "--nodes", "5"], "6 nodes in all, and --nodes says 5"),
        (&["--nodes", "1"], "a whole number from 2 to 50"),
        (&["--nodes", "51"], "a whole number from 2 to 50"),
    ] {
        let output = lab(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}
