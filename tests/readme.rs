//! The README shows what the lab prints: every line of it, but for the numbers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The line without what differs from run to run: digits, and the id of the partition.
fn masked(line: &str) -> String {
    let is_id = |word: &str| word.len() == 16 && word.chars().all(|letter| letter.is_ascii_hexdigit());
    let words = line.split(' ').map(|word| if is_id(word) { "ID".to_owned() } else { word.to_owned() });
    words.collect::<Vec<_>>().join(" ").replace(|letter: char| letter.is_ascii_digit(), "0")
}

#[test]
fn the_readme_shows_what_the_lab_prints() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let shown = readme.split("<!-- lab output").nth(1).unwrap().split("```").nth(1).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_netsplit")).arg("lab").env("NO_COLOR", "1").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let printed: BTreeSet<String> = printed.lines().map(masked).collect();
    for line in shown.lines().skip(1) {
        assert!(printed.contains(&masked(line)), "the lab does not print: {line}\nbut:\n{printed:#?}");
    }
}

#[test]
fn every_file_that_the_readme_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
        assert!(root.join(link).exists(), "the README names {link}, which is not there");
    }
}
