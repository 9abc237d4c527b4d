//! docs/commands.md shows what the commands print: each example is a snapshot of a test here.

use std::fs;
use std::path::Path;

use super::Said;

const COMMANDS: [&str; 7] = ["status", "mode", "matrix", "peers", "partitions", "endpoints", "events"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    fs::read_to_string(root().join("docs/commands.md")).unwrap()
}

#[test]
fn every_example_is_what_a_test_saw() {
    let document = document();
    let mut examples = 0;
    for part in document.split("<!-- printed by ").skip(1) {
        let (name, rest) = part.split_once(" -->\n```text\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let snapshot = fs::read_dir(root().join("tests/cli/ask/snapshots")).unwrap().map(|file| file.unwrap().path());
        let snapshot = snapshot.filter(|path| path.to_str().unwrap().ends_with(&format!("__{name}.snap")));
        let snapshot = fs::read_to_string(snapshot.last().unwrap_or_else(|| root().join(name))).unwrap();
        let answer = example.lines().filter(|line| !line.starts_with("$ ")).collect::<Vec<_>>().join("\n");
        assert!(snapshot.contains(answer.trim_end()), "no longer printed by {name}:\n{answer}");
        examples += 1;
    }
    assert!(examples >= COMMANDS.len());
    assert_eq!(document.matches("```text").count(), examples, "an example that no test vouches for");
}

#[test]
fn every_option_is_documented_and_every_help_says_its_exit_codes() {
    let document = document();
    for command in COMMANDS {
        let help = Said::by(&[command, "--help"]).out;
        assert!(help.contains("Exit codes: 0 ") && help.contains(&format!("netsplit {command}")), "{help}");
        let section = document.split(&format!("## {command}")).nth(1).unwrap().split("\n## ").next().unwrap();
        let words = help.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
        for option in words.filter(|word| word.starts_with("--") && word.len() > 2) {
            let is_common = ["--help", "--json", "--address"].contains(&option);
            assert!(is_common || section.contains(option), "{option} of {command} is not documented");
        }
    }
}
