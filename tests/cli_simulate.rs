//! `netsplit simulate` from the outside: its answer, its exit code, and that the documentation shows what it prints.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn netsplit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netsplit")).args(arguments).output().unwrap()
}

fn simulate(arguments: &[&str]) -> Output {
    netsplit(&[&["simulate"], arguments].concat())
}

#[track_caller]
fn report(arguments: &[&str], exit: i32) -> Value {
    let output = simulate(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(exit), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The agents of each fault that ought to have told it, and those that told it right; nobody said anything wrong.
#[track_caller]
fn assert_all_right(report: &Value) {
    for fault in report["faults"].as_array().unwrap() {
        let agents = &fault["agents"];
        assert!(agents["owed"].as_u64().is_some_and(|owed| owed > 0), "{fault:#}");
        assert_eq!((&agents["right"], &agents["wrong"]), (&agents["owed"], &json!(0)), "{fault:#}");
        for times in ["link_seconds", "partition_seconds", "end_seconds"] {
            assert!(fault[times]["count"].as_u64().is_some_and(|count| count > 0), "{times}: {fault:#}");
        }
    }
}

#[test]
fn a_cut_of_each_shape_is_told_by_everybody_within_its_bound() {
    let cuts =
        ["--cut", "zone:a|rest", "--cut", "a|b via c", "--cut", "n1>n2", "--cut", "n6|rest", "--cut", "zone:a>rest"];
    let report = report(&[&["--zones", "a=3,b=2,c=2", "--seeds", "3", "--loss", "1%"], &cuts[..]].concat(), 0);
    assert_all_right(&report);
    assert_eq!(report["settings"]["link_bound_seconds"], json!(2.5));
    assert_eq!(report["settings"]["partition_bound_seconds"], json!(4.7));
    let faults = report["faults"].as_array().unwrap();
    let slowest = |fault: &Value| fault["partition_seconds"]["max"].as_f64().unwrap();
    let links = |fault: &Value| fault["link_seconds"]["max"].as_f64().unwrap();
    assert!(faults.iter().all(|fault| links(fault) <= 2.5), "{faults:#?}");
    // A cut of one pair is told four bounds later.
    let bounds = [4.7, 4.7, 14.7, 7.2, 4.7];
    assert!(faults.iter().zip(bounds).all(|(fault, bound)| slowest(fault) <= bound), "{faults:#?}");
    assert!(slowest(&faults[2]) > 10.0, "{:#}", faults[2]);
    let right = |fault: &Value| fault["right"].as_array().unwrap().len();
    assert_eq!(faults.iter().map(right).collect::<Vec<_>>(), [2, 1, 1, 2, 2]);
}

#[test]
fn a_stall_is_told_of_the_one_that_stalls_and_of_nobody_else() {
    let report = report(&["--stall", "n3:20s", "--seeds", "3"], 0);
    assert_all_right(&report);
    assert_eq!(report["faults"][0]["right"], json!(["agent_down n3"]));
    assert_eq!(report["faults"][0]["agents"]["owed"], json!(12), "the one that stalls owes nothing");
}

#[test]
fn a_cut_too_short_to_be_told_is_owed_by_nobody() {
    let report = report(&["--cut", "3|2", "--cut-for", "1s", "--seeds", "2"], 0);
    let fault = &report["faults"][0];
    assert_eq!((&fault["agents"]["owed"], &fault["partition_seconds"]["count"]), (&json!(0), &json!(0)));
}

#[test]
fn a_cut_between_the_bounds_of_its_sides_is_owed_by_the_lone_node_only() {
    let report = report(&["--nodes", "5", "--cut", "n1|rest", "--cut-for", "5s", "--seeds", "3"], 0);
    let agents = &report["faults"][0]["agents"];
    // 4.7 s for its own isolation; that it is unheard is told one bound later, after 7.2 s.
    assert_eq!((&agents["owed"], &agents["right"], &agents["excused"]), (&json!(3), &json!(3), &json!(12)));
}

#[test]
fn cuts_that_come_and_go_do_so_until_the_time_is_over() {
    let report = report(&["--cut", "3|2", "--flapping", "20s/20s", "--hours", "0.05", "--seeds", "1"], 0);
    let fault = &report["faults"][0];
    // 180 s in rounds of 40 s: the fifth begins before they are over.
    assert_eq!(fault["rounds"], json!(5));
    assert_eq!((&fault["agents"]["right"], &fault["agents"]["owed"]), (&json!(25), &json!(25)));
}

#[test]
fn a_throttled_agent_is_nobody_elses_trouble() {
    let report = report(&["--nodes", "8", "--throttle", "n4:10ms/100ms", "--hours", "0.2", "--loss", "1%"], 0);
    assert_eq!(report["false_alarms"]["partitions"]["count"], json!(0));
    assert_eq!(report["false_alarms"]["nodes"]["count"], json!(0));
}

#[test]
fn what_never_happened_in_six_hours_has_an_upper_limit_by_the_rule_of_three() {
    let report = report(&["--nodes", "3", "--hours", "6"], 0);
    let rate = &report["false_alarms"]["partitions"]["per_day"];
    assert_eq!((&rate["per_day"], &rate["from"]), (&json!(0.0), &json!(0.0)));
    assert!(rate["to"].as_f64().is_some_and(|to| (to - 11.98).abs() < 0.02), "{rate}");
}

#[test]
fn settings_under_which_nobody_can_tell_anything_are_not_fine() {
    for arguments in [&["--delay", "10s"][..], &["--throttle", "all:400ms/1200ms"], &["--loss", "99%"]] {
        let arguments = [arguments, &["--hours", "0.05"]].concat();
        let output = simulate(&arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.contains("✗ 5 of 5 agents could tell nothing when the judging began (mode starting)"), "{text}");
        assert!(!text.contains("none: nothing was told without a reason"), "{text}");
    }
    let amiss = &report(&["--throttle", "all:400ms/1200ms", "--hours", "0.05"], 1)["amiss"];
    let nobody = json!({"mute": 5, "mistaken": 0});
    assert_eq!((&amiss["begin"], &amiss["end"]), (&nobody, &nobody), "a pause longer than the timeout is a stall");
}

#[test]
fn a_timeout_that_datagrams_do_not_keep_gives_false_alarms_and_advice_that_ends_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("netsplit.yaml");
    fs::write(&file, configuration("{period: 1s, timeout: 50ms, confirm_period: 60ms, failure_threshold: 1")).unwrap();
    let arguments = ["--config", file.to_str().unwrap(), "--delay", "40ms", "--jitter", "60ms", "--hours", "0.2"];
    let report = report(&arguments, 1);
    let alarms = &report["false_alarms"];
    assert!(alarms["links"]["count"].as_u64().is_some_and(|count| count > 0), "{alarms:#}");
    let advice = &report["advice"][0];
    assert_eq!(
        (&advice["helps"], &advice["settings"][0]),
        (&json!(true), &json!("peers.timeout: 200ms")),
        "{advice:#}"
    );
}

#[test]
fn the_settings_and_the_nodes_are_those_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("netsplit.yaml");
    fs::write(&file, configuration("{profile: fast")).unwrap();
    let report = report(&["--config", file.to_str().unwrap(), "--cut", "zone:east|rest", "--seeds", "2"], 0);
    assert_eq!((&report["nodes"], &report["settings"]["period_seconds"]), (&json!(4), &json!(0.2)));
    assert_eq!(report["zones"], json!([{"zone": "east", "nodes": 2}, {"zone": "west", "nodes": 2}]));
    assert_all_right(&report);
    assert!(report["faults"][0]["partition_seconds"]["max"].as_f64().is_some_and(|max| max < 1.0), "{report:#}");
}

fn configuration(peers: &str) -> String {
    let member = |number, zone| format!("{{name: m-{number}, address: \"10.0.0.{number}:7475\", zone: {zone}}}");
    let members = [member(1, "east"), member(2, "east"), member(3, "west"), member(4, "west")].join(", ");
    format!(
        "cluster: test\nnode: {{name: m-1}}\npeers: {peers}, discovery: {{static: [{members}]}}}}\nauthentication: insecure\n"
    )
}

#[test]
fn how_many_nodes_are_played_is_said_where_the_file_looks_them_up() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("netsplit.yaml");
    let notes = |more: &[&str]| {
        let output = simulate(&[&["--config", file.to_str().unwrap(), "--hours", "0.01"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (discovery, told) in [
        ("{dns: {name: nodes.example.internal}}", "looked up in the DNS (nodes.example.internal.)"),
        ("{kubernetes: {service: agents}}", "those of a Service of Kubernetes (agents)"),
    ] {
        let text = format!(
            "cluster: test\nnode: {{name: m-1}}\npeers: {{discovery: {discovery}}}\nauthentication: insecure\n"
        );
        fs::write(&file, text).unwrap();
        let guessed = notes(&[]);
        assert!(guessed.contains(told), "{guessed}");
        assert!(guessed.contains("5 nodes are played; --nodes N"), "{guessed}");
        assert!(!notes(&["--nodes", "4"]).contains(told));
    }
}

#[test]
fn a_wish_that_is_not_met_is_answered_with_the_period_that_meets_it() {
    let report =
        report(&["--profile", "relaxed", "--cut", "3|2", "--cut-for", "2m", "--want", "5s", "--seeds", "3"], 1);
    assert_eq!(report["want_met"], json!(false));
    let advice = &report["advice"][0];
    assert_eq!(advice["helps"], json!(true), "{advice:#}");
    assert!(advice["settings"][0].as_str().unwrap().starts_with("peers.period: "), "{advice:#}");
}

#[test]
fn halves_that_may_not_write_are_told_of_the_tie_break() {
    let report = report(&["--nodes", "4", "--cut", "2|2", "--seeds", "2"], 0);
    let advice = &report["advice"][0];
    assert_eq!((&advice["helps"], &advice["settings"]), (&json!(true), &json!(["mode.tie: lowest"])), "{advice:#}");
    assert_eq!(advice["figures"][0]["after"], json!("4 of 8"));
}

#[test]
fn the_same_arguments_print_the_same() {
    let arguments = ["--nodes", "7", "--cut", "4|3", "--loss", "5%", "--bursts", "100ms/20s", "--seeds", "4"];
    let (one, other) = (simulate(&arguments), simulate(&arguments));
    assert_eq!(one.stdout, other.stdout);
    let elsewhere = simulate(&[&arguments[..], &["--seed", "5"]].concat());
    assert_ne!(one.stdout, elsewhere.stdout, "another seed is another history");
    let measured = String::from_utf8(one.stderr).unwrap();
    assert!(measured.contains("of a processor"), "{measured}");
    assert!(!measured.contains('\u{1b}'), "progress is for terminals: {measured}");
}

#[test]
fn arguments_that_cannot_be_are_refused_with_exit_code_2() {
    for (arguments, told) in [
        (&["--nodes", "1"][..], "these are 1 nodes: write from 2 to"),
        (&["--nodes", "6", "--cut", "3|2"], "--cut '3|2' has 5 nodes, and there are 6"),
        (&["--nodes", "6", "--zones", "a=3,b=2"], "--zones 'a=3,b=2' have 5 nodes in all"),
        (&["--cut", "zone:x|rest"], "no zone is named `x`: there are no zones (--zones a,b makes some)"),
        (&["--cut", "n1|n9"], "no node is named `n9`: the nodes are n1 to n5"),
        (&["--cut", "n1"], "one side is no cut"),
        (&["--loss", "1"], "write a percentage"),
        (&["--bursts", "1s"], "such as 500ms/60s"),
        (&["--flapping", "20s/20s"], "--cut"),
        (&["--cut", "3|2", "--flapping", "20s/20s", "--cut-for", "5s"], "cannot be used with"),
        (&["--stall", "n9:5s"], "no node is named `n9`"),
        (&["--stall", "n1:5s", "--throttle", "all:10ms/100ms"], "n1 is in --stall and in --throttle"),
        (&["--profile", "quick"], "no profile is named `quick`: write default, fast, relaxed"),
        (&["--config", "/nowhere/netsplit.yaml"], "/nowhere/netsplit.yaml"),
        (&["--hours", "0"], "such as 1 or 0.5"),
        (&["--want", "0s"], "write more than 0s"),
        (&["--want", "5s"], "--want says how soon a --cut or --stall is to be known, and there is none"),
        (&["--cut-for", "5s", "--stall", "n1:5s"], "--cut-for says how long each --cut lasts, and there is none"),
        (&["--cut", "3|2", "--cut-for", "721h"], "write at most 720h"),
        (&["--cut", "n1->n2"], "`>` without a dash, such as 'n1>n2'"),
        (&["--cut", "18446744073709551615|18446744073709551615"], "write from 2 to"),
        (&["--zones", "1,2", "--cut", "1|2"], "`1` is a number of nodes, and a zone has this name"),
    ] {
        let output = simulate(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

// ------------------------------------------------------------------------------------- the documentation

/// The commands of a document in order, each with what it shows.
fn shown(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("```text\n$ netsplit simulate").skip(1);
    blocks
        .map(|rest| {
            let (command, rest) = rest.split_once('\n').unwrap();
            (command.trim(), rest.split_once("```").unwrap().0)
        })
        .collect()
}

/// The words of a shell line: quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/simulate.md")
}

/// Numbers may differ as far as a detector that draws other chances makes them, all else not at all.
fn is_alike(one: &str, other: &str) -> bool {
    let number = |word: &str| {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_digit());
        bare.parse::<f64>().ok().map(|number| (number, word.replacen(bare, "#", 1)))
    };
    match (number(one), number(other)) {
        (Some((one, around)), Some((other, round))) => {
            around == round && (one - other).abs() <= 0.5_f64.max(one.max(other) * 0.25)
        }
        _ => one == other,
    }
}

#[test]
fn the_documentation_shows_what_the_command_prints() {
    let text = fs::read_to_string(document()).unwrap();
    let mut mended = text.clone();
    let mut differing = Vec::new();
    for (command, printed) in shown(&text) {
        let arguments = words(command);
        let output = simulate(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let now = String::from_utf8(output.stdout).unwrap();
        let (before, after): (Vec<&str>, Vec<&str>) =
            (printed.split_whitespace().collect(), now.split_whitespace().collect());
        let is_same = before.len() == after.len() && before.iter().zip(&after).all(|(one, other)| is_alike(one, other));
        if !is_same {
            differing.push(command.to_owned());
        }
        mended = mended.replace(&format!("{command}\n{printed}```"), &format!("{command}\n{now}```"));
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulate.md");
    fs::write(&place, mended).unwrap();
    assert!(differing.is_empty(), "docs/simulate.md shows something else of {differing:#?}; see {}", place.display());
}

#[test]
fn every_example_of_the_help_is_in_the_documentation() {
    let help = String::from_utf8(netsplit(&["simulate", "--help"]).stdout).unwrap();
    let text = fs::read_to_string(document()).unwrap();
    let documented: Vec<&str> = shown(&text).into_iter().map(|(command, _)| command).collect();
    let examples: Vec<&str> = help.lines().filter_map(|line| line.trim().strip_prefix("netsplit simulate ")).collect();
    assert_eq!(examples.len(), 3, "{help}");
    for example in examples {
        assert!(documented.contains(&example), "{example} is not in docs/simulate.md, which has {documented:#?}");
    }
    let all = Command::new(env!("CARGO_BIN_EXE_netsplit")).arg("--help").output().unwrap();
    assert!(String::from_utf8(all.stdout).unwrap().contains("simulate"));
}

#[test]
fn numbers_that_another_build_draws_are_alike_and_words_are_not() {
    for (one, other, alike) in [
        ("3.21", "3.35", true),
        ("(100", "(120", true),
        ("3.21", "9.00", false),
        ("(100", "100)", false),
        ("50", "50", true),
        ("✓", "✗", false),
        ("2.50", "median", false),
    ] {
        assert_eq!(is_alike(one, other), alike, "{one} {other}");
    }
    assert_eq!(words("--cut 'a|b via c' --nodes 3"), ["--cut", "a|b via c", "--nodes", "3"]);
}
