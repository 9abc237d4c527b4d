//! The HTTP server of an agent and its API, by real connections, and what docs/api.md says of them.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics is a test that fails")]

mod api;
mod api_docs;
#[path = "../api_samples/mod.rs"]
mod api_samples;
#[path = "../endpoint_samples/mod.rs"]
mod endpoint_samples;
#[path = "../served/mod.rs"]
mod served;
mod server;
