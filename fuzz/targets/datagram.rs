//! The body is in fuzz/bodies/datagram.rs, which tests/corpus.rs shares.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::datagram::run(bytes));
