//! What an operator reads when a configuration or a start goes wrong. The snapshots are the expected messages: each says
//! what, where and what to do in one clear sentence. Everything goes through the real program.

mod arguments;
mod files;
mod program;
mod starts;

use std::collections::BTreeSet;

use program::Program;

/// The issue asks for this many bad configurations and start conditions at least.
const AT_LEAST: usize = 60;

/// Beside those of files, that many: a start fails by more than its file.
const STARTS_AT_LEAST: usize = 25;

#[test]
fn there_are_enough_cases_and_no_two_are_the_same() {
    let files = files::all();
    let different: BTreeSet<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(different.len(), files.len(), "no file is there twice");
    let starts: BTreeSet<&str> = starts::titles().chain(arguments::titles()).collect();
    assert!(starts.len() >= STARTS_AT_LEAST, "{} starts: {starts:?}", starts.len());
    assert!(files.len() + starts.len() >= AT_LEAST, "{} files and {} starts", files.len(), starts.len());
}
