//! The tables of figures in docs/ are those that the code would write: same commands, same columns, none left over.
//!
//! With `NETSPLIT_VERIFY=1` the first test also starts the tables anew, for scripts/verify.sh.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod needs;
mod verify;

use std::fs;
use std::path::Path;
use std::process::Command;

use verify::{Head, TABLES};

/// What is wrong with the tables of the document `name`.
fn misfits(name: &str, text: &str, tables: &[Head]) -> Vec<String> {
    let mut found = Vec::new();
    let mine = || tables.iter().filter(|table| table.document == name);
    for table in mine() {
        let begun: Vec<&str> = text.lines().filter(|line| is_begin(line, table.section)).collect();
        let rest = text.split_once(&format!("{}\n", table.begin())).map(|(_, rest)| rest);
        match (begun.as_slice(), rest.map(|rest| rest.split_once(&table.end()))) {
            ([], _) => found.push(format!("the marks are missing:\n{}\n{}", table.begin(), table.end())),
            ([_, _, ..], _) => found.push(format!("{} stands there twice", table.section)),
            ([other], None) => {
                found.push(format!("the command changed, run it again: {other} is now {}", table.begin()));
            }
            (_, Some(None)) => found.push(format!("{} never comes", table.end())),
            (_, Some(Some((block, _)))) if !block.contains(&table.top()) => {
                found.push(format!("the columns changed, run `{}`; they are now\n{}", table.command, table.top()));
            }
            (_, Some(Some((block, _)))) => found.extend(bad_rows(table, block)),
        }
    }
    let known = |line: &str| mine().any(|table| is_begin(line, table.section));
    let left_over =
        text.lines().filter(|line| line.starts_with("<!-- verify:") && line.contains(":begin ") && !known(line));
    found.extend(left_over.map(|line| format!("nothing writes this table: {line}")));
    found.into_iter().map(|what| format!("docs/{name}.md: {what}")).collect()
}

fn is_begin(line: &str, section: &str) -> bool {
    line.starts_with(&format!("<!-- verify:{section}:begin "))
}

fn bad_rows(table: &Head, block: &str) -> Vec<String> {
    let rows = || block.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| row.replace("\\|", "").matches('|').count() - 1;
    let mut found: Vec<String> = rows()
        .filter(|row| cells(row) != table.columns.len())
        .map(|row| format!("{} has a row of another length: {row}", table.section))
        .collect();
    if rows().next().is_none() {
        found.push(format!("{} is empty: run scripts/verify.sh {}", table.section, table.section));
    }
    if !block.contains(&format!("`{}`", table.command)) {
        found.push(format!("{} does not say which command wrote it", table.section));
    }
    found
}

/// The documents: those that the tables name, and every other one in docs/.
fn documents() -> Vec<(String, String)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let files = fs::read_dir(&docs).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .chain(TABLES.iter().map(|table| table.document.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    let text = |name: &str| fs::read_to_string(docs.join(format!("{name}.md"))).unwrap_or_default();
    names.into_iter().map(|name| (name.clone(), text(&name))).collect()
}

#[test]
fn the_documents_have_the_tables_that_the_code_writes() {
    if verify::is_full() {
        return TABLES.iter().for_each(|table| table.start(&verify::directory()));
    }
    let found: Vec<String> = documents().iter().flat_map(|(name, text)| misfits(name, text, TABLES)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_section_is_named_once_and_in_small_letters() {
    for (at, table) in TABLES.iter().enumerate() {
        assert!(table.section.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{}", table.section);
        assert!(TABLES.iter().skip(at + 1).all(|other| other.section != table.section), "{} twice", table.section);
    }
}

const SAMPLE: Head =
    Head { document: "verdict", section: "cuts", command: "cargo test --test scenarios", columns: &["cut", "nodes"] };

const GOOD: &str = "# Verdict\n\n<!-- verify:cuts:begin cargo test --test scenarios -->\n\
    Written by `cargo test --test scenarios` at commit 0123456789ab.\n\n| cut | nodes |\n| --- | --- |\n| a\\|b | 3 |\n\
    <!-- verify:cuts:end -->\n\nThe end.\n";

#[test]
fn a_table_that_fits_is_left_alone() {
    assert_eq!(misfits("verdict", GOOD, &[SAMPLE]), [""; 0]);
    assert_eq!(misfits("performance", "# Performance\n", &[SAMPLE]), [""; 0], "it belongs to another document");
}

#[test]
fn a_table_that_no_longer_fits_is_reported() {
    for (text, complaint) in [
        (GOOD.replace("verify:cuts", "verify:splits"), "the marks are missing"),
        (GOOD.replace("begin cargo", "begin cargo +nightly"), "the command changed"),
        (GOOD.replace("| cut | nodes |", "| cut | agents |"), "the columns changed"),
        (GOOD.replace("| a\\|b | 3 |", "| a | b | 3 |"), "a row of another length"),
        (GOOD.replace("| a\\|b | 3 |\n", ""), "is empty"),
        (GOOD.replace("<!-- verify:cuts:end -->", ""), "never comes"),
        (GOOD.replace("Written by", "From").replace("`cargo", "`make"), "does not say which command"),
        (GOOD.repeat(2), "twice"),
    ] {
        let found = misfits("verdict", &text, &[SAMPLE]);
        assert!(found.iter().any(|line| line.contains(complaint)), "{complaint}: {found:?}");
    }
    assert!(misfits("verdict", GOOD, &[])[0].contains("nothing writes this table"));
}

#[test]
fn rows_kept_are_sorted_into_the_document_with_commit_and_command() {
    if !has_python() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let kept = root.path().join("verify");
    SAMPLE.start(&kept);
    for cells in [["half/half", "100"], ["half/half", "30"], ["a|b", "3"]] {
        SAMPLE.keep(&kept, &cells.map(str::to_owned));
    }
    let document = root.path().join("verdict.md");
    fs::write(
        &document,
        "# Verdict\n\n<!-- verify:cuts:begin old command -->\nold\n<!-- verify:cuts:end -->\n\nThe end.\n",
    )
    .unwrap();

    assert_eq!(assemble(&kept, root.path()), "");

    let written = fs::read_to_string(document).unwrap();
    assert_eq!(misfits("verdict", &written, &[SAMPLE]), [""; 0]);
    let rows: Vec<&str> = written.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert_eq!(rows, ["| a\\|b | 3 |", "| half/half | 30 |", "| half/half | 100 |"]);
    assert!(written.contains("`cargo test --test scenarios` at commit 0123456789ab"), "{written}");
    assert!(written.starts_with("# Verdict\n\n<!--") && written.ends_with("-->\n\nThe end.\n"), "{written}");
}

#[test]
fn nothing_is_written_when_a_table_got_no_rows_or_has_no_place() {
    if !has_python() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let kept = root.path().join("verify");
    let document = root.path().join("verdict.md");
    SAMPLE.start(&kept);
    fs::write(&document, GOOD).unwrap();
    assert!(assemble(&kept, root.path()).contains("cuts: `cargo test --test scenarios` wrote no row"));

    SAMPLE.keep(&kept, &["a".to_owned(), "3".to_owned()]);
    fs::write(&document, "# Verdict\n").unwrap();
    assert!(assemble(&kept, root.path()).contains("has no marks for cuts"));
    assert_eq!(fs::read_to_string(document).unwrap(), "# Verdict\n");
}

/// Runs the assembler; what it complained of.
fn assemble(kept: &Path, docs: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/assemble.py");
    let output = Command::new("python3").arg(script).arg(kept).arg(docs).arg("0123456789ab").output().unwrap();
    assert_eq!(output.status.success(), output.stderr.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

fn has_python() -> bool {
    let has = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        needs::skip("python3 is missing: make install-test-needs");
    }
    has
}

/// The tests that a document names as `file::name` and that are not there.
fn missing_tests(text: &str) -> Vec<String> {
    let sources =
        ["simulation", "namespaces"].map(|tests| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(tests));
    let is_there = |file: &str, name: &str| {
        let source = sources.iter().filter_map(|tests| fs::read_to_string(tests.join(file).with_extension("rs")).ok());
        source.into_iter().any(|source| source.contains(&format!("fn {name}(")))
    };
    let quoted = text.split('`').skip(1).step_by(2);
    let tests =
        quoted.filter_map(|quoted| quoted.split_once("::")).filter(|(file, name)| is_name(file) && is_name(name));
    tests.filter(|(file, name)| !is_there(file, name)).map(|(file, name)| format!("{file}::{name}")).collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[test]
fn the_tests_that_the_documents_name_are_there() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdict.md")).unwrap();
    assert_eq!(missing_tests(&text), Vec::<String>::new());
    assert_eq!(missing_tests("`cuts::nobody_wrote_this` and `cuts::` and `x y::z`"), ["cuts::nobody_wrote_this"]);
}
