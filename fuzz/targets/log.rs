//! The body is in fuzz/bodies/log.rs, which tests/corpus.rs shares.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::log::run(bytes));
