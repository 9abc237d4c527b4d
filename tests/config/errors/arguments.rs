//! Command lines that are wrong: code 2 each, and what would be right.

use super::Program;
use crate::shown;

const WRONG: [(&str, &[&str]); 12] = [
    ("nothing", &[]),
    ("a command that is none", &["nope"]),
    ("a slip in a command", &["chek", "netsplit.yaml"]),
    ("run without a configuration", &["run"]),
    ("run with a bare path", &["run", "netsplit.yaml"]),
    ("run with an empty option", &["run", "--config"]),
    ("an option that is none", &["run", "--confg", "netsplit.yaml"]),
    ("check without a file", &["check"]),
    ("check at no node", &["check", "netsplit.yaml", "--nodes", "0"]),
    ("check at nodes in words", &["check", "netsplit.yaml", "--nodes", "many"]),
    ("a lab of one node", &["lab", "--nodes", "1"]),
    ("a lab with a cut that does not fit", &["lab", "--nodes", "5", "--cut", "3|3"]),
];

pub(super) fn titles() -> impl Iterator<Item = &'static str> {
    WRONG.iter().map(|(title, _)| *title)
}

#[test]
fn wrong_arguments_are_told_with_what_would_be_right() {
    let program = Program::new();
    let told = WRONG.map(|(title, arguments)| {
        let ended = program.ended(arguments);
        assert_eq!(ended.code, 2, "{title}: {}", ended.stderr);
        format!("### {title}\n{}", ended.stderr.trim_end())
    });
    shown!(told.join("\n\n"));
}
