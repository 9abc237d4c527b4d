//! What is done with the bytes of a fuzzer, and what must hold then. A body fails by panicking.
//!
//! The targets in fuzz/targets/ run these with libFuzzer; `tests/corpus/` and `tests/hostile_datagrams.rs` run them with
//! the stable compiler.

#![allow(dead_code, unreachable_pub, reason = "the targets and two tests share this, and each uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a body fails by panicking")]

pub mod agents;
pub mod configuration;
pub mod datagram;
pub mod log;
pub mod rows;

/// A body.
pub type Body = fn(&[u8]);

/// Each body by its name, which is that of its target and of its directory in fuzz/corpus/.
pub const BODIES: [(&str, Body); 4] =
    [("configuration", configuration::run), ("datagram", datagram::run), ("log", log::run), ("rows", rows::run)];
