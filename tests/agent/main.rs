//! The agent as it runs, and what it stands on: its socket, its keys, its state and how it finds the others.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

#[path = "../agents/mod.rs"]
mod agents;
mod by_dns;
mod discovery;
#[path = "../dns_server/mod.rs"]
mod dns_server;
mod keys;
mod loopback;
#[path = "../needs/mod.rs"]
mod needs;
mod network;
#[path = "../ports/mod.rs"]
mod ports;
mod state;
