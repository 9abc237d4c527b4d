//! A configuration: YAML text that somebody wrote.

use netsplit::config::{Effective, Environment, Errors, Loaded, Problem, load, parse_duration, parse_size};

const FILE: &str = "netsplit.yaml";

/// `bytes` are the file.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let environment = Environment::of([("NODE_NAME", "node-1"), ("EMPTY", "")]).on_host("node-1");
    match load(FILE, text, &environment) {
        Err(errors) => says_where_and_what(&errors, text),
        Ok(loaded) => means_one_thing(&loaded, text, &environment),
    }
    let _ = parse_duration(text);
    let _ = parse_size(text);
}

fn says_where_and_what(errors: &Errors, text: &str) {
    assert!(!errors.problems().is_empty(), "refused, and nothing is wrong");
    for problem in errors.problems() {
        is_in_the_file(problem, text);
    }
    assert!(!errors.to_string().contains('\u{1b}'), "a file gives orders to a terminal");
    serde_json::to_string(errors).unwrap();
}

fn is_in_the_file(problem: &Problem, text: &str) {
    assert!(!problem.message.is_empty() && !problem.hint.is_empty(), "{problem:?}");
    let Some(place) = &problem.place else { return };
    // A parser counts one line more than there is where a file ends with a newline.
    assert!(place.line >= 1 && place.line <= text.lines().count() + 1, "{problem:?}");
    assert!(place.column >= 1 && place.column <= place.text.chars().count() + 2, "{problem:?}");
    let _ = problem.to_string();
}

/// A good file says the same when all that it means is written out, and can be run at any size.
fn means_one_thing(loaded: &Loaded, text: &str, environment: &Environment) {
    for warning in &loaded.warnings {
        is_in_the_file(warning, text);
    }
    for nodes in [1, 3, 100, 5_000] {
        let timing = loaded.config.settings.timing.at(nodes);
        assert!(timing.detection_bound() >= timing.period, "{timing:?} at {nodes}");
    }
    let written = Effective::of(&loaded.config).to_yaml().unwrap();
    match load(FILE, &written, environment) {
        Ok(again) => assert_eq!(again.config, loaded.config, "written out it means something else:\n{written}"),
        Err(errors) => panic!("written out it is refused:\n{errors}\n{written}"),
    }
}
