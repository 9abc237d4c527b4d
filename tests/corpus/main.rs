//! Runs the bodies of the fuzz targets over the corpus, with the stable compiler and no fuzzer: what a fuzzer once found
//! stays found. fuzz/corpus/ has a directory for each; `make fuzz` looks for more.
//!
//! The seeds among them are made by `seeds`, which writes them anew with `NETSPLIT_WRITE_SEEDS=1`: after a change of the
//! wire format or of the log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/bodies/mod.rs"]
mod bodies;
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};

use bodies::{BODIES, Body};

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

/// The files of a corpus, by name.
fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(corpus(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Runs a body over its corpus, and over each file cut off at some places, and with some bytes changed.
fn replay(name: &str) {
    let (_, body) = *BODIES.iter().find(|(known, _)| *known == name).unwrap();
    let files = files(name);
    assert!(files.len() >= 5, "{} files in {}", files.len(), corpus(name).display());
    for (file, bytes) in &files {
        eprintln!("{name}/{file}");
        body(bytes);
        vary(body, bytes);
    }
}

/// A little of what a fuzzer would try, always the same.
fn vary(body: Body, bytes: &[u8]) {
    for eighth in 1..8 {
        let at = bytes.len() * eighth / 8;
        body(&bytes[..at]);
        let mut changed = bytes.to_vec();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1 << eighth;
        }
        body(&changed);
    }
}

#[test]
fn the_corpus_of_configurations_finds_nothing() {
    replay("configuration");
}

#[test]
fn the_corpus_of_datagrams_finds_nothing() {
    replay("datagram");
}

#[test]
fn the_corpus_of_logs_finds_nothing() {
    replay("log");
}

#[test]
fn the_corpus_of_rows_finds_nothing() {
    replay("rows");
}

#[test]
fn what_this_version_writes_finds_nothing() {
    let rewrites = std::env::var_os("NETSPLIT_WRITE_SEEDS").is_some_and(|write| write == "1");
    for (name, body) in BODIES {
        let seeds = seeds::of(name);
        assert!(seeds.len() >= 5, "{} seeds for {name}", seeds.len());
        for (seed, bytes) in seeds {
            body(&bytes);
            if rewrites {
                fs::create_dir_all(corpus(name)).unwrap();
                fs::write(corpus(name).join(format!("seed-{seed}")), &bytes).unwrap();
            }
        }
    }
}
