//! An audit log: the reader and the verifier.

use std::io::{BufRead, Cursor};
use std::path::PathBuf;

use netsplit::audit::read::Lines;
use netsplit::audit::verify::{Verified, verify_lines};

/// What stands between two files, the youngest first.
const NEXT_FILE: &[u8] = b"%%\n";

/// `bytes` are the files of a log.
pub fn run(bytes: &[u8]) {
    let files = files_in(bytes);
    let found = verified(&files);
    assert_eq!(found, verified(&files), "the same log, judged twice");
    counts_are_those_of_the_files(&files, &found);
    if let [file] = files.as_slice() {
        what_is_missing_is_missed(file, &found);
    }
}

fn files_in(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut files = vec![Vec::new()];
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match files.last_mut() {
            Some(file) if line != NEXT_FILE => file.extend_from_slice(line),
            _ => files.push(Vec::new()),
        }
    }
    files
}

fn lines(files: &[Vec<u8>]) -> Lines {
    let source = |(index, bytes): (usize, &Vec<u8>)| -> (PathBuf, Box<dyn BufRead + Send>) {
        (format!("log.{index}").into(), Box::new(Cursor::new(bytes.clone())))
    };
    Lines::of(files.iter().enumerate().map(source).collect())
}

fn verified(files: &[Vec<u8>]) -> Verified {
    verify_lines(lines(files)).unwrap()
}

fn counts_are_those_of_the_files(files: &[Vec<u8>], found: &Verified) {
    let read = lines(files).map(|line| line.unwrap()).collect::<Vec<_>>();
    let there = files.iter().map(|file| file.split_inclusive(|&byte| byte == b'\n').count()).sum::<usize>();
    assert_eq!(read.len(), there, "a line is what ends with a newline, or the file");
    let whole = u64::try_from(read.len()).unwrap();
    if found.is_whole() {
        assert_eq!(found.lines + u64::from(found.torn.is_some()), whole, "lines that nobody looked at");
        assert_eq!(found.first.is_some(), found.lines > 0);
    }
    if let Some(flaw) = &found.flaw {
        assert!(!flaw.to_string().is_empty() && flaw.place.line >= 1 && flaw.place.line <= whole);
    }
    serde_json::to_string(found).unwrap();
}

/// Of a whole log no line between two others can be taken away, and no byte of one altered, unseen.
fn what_is_missing_is_missed(file: &[u8], found: &Verified) {
    let lines: Vec<&[u8]> = file.split_inclusive(|&byte| byte == b'\n').collect();
    let Some(middle) = lines.len().checked_sub(1).map(|last| last / 2).filter(|&middle| middle > 0) else { return };
    let is_short = lines.len() > 100 || file.len() > 100_000;
    if !found.is_whole() || found.torn.is_some() || !found.new_chains.is_empty() || is_short {
        return;
    }
    let mut fewer = lines.clone();
    fewer.remove(middle);
    assert!(!verified(&[fewer.concat()]).is_whole(), "line {} was taken away unseen", middle + 1);
    let mut altered = file.to_vec();
    let at = lines[..middle].concat().len() + lines[middle].len() / 2;
    altered[at] ^= 0x01;
    assert!(!verified(&[altered]).is_whole(), "byte {at} was altered unseen");
}
