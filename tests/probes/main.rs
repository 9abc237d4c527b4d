//! Probes against the real thing, and against everything that can be wrong with it. A module has the tests of one type;
//! `cargo test --test probes redis::` runs those of one.
//!
//! A test starts the servers whose logs and counters it looks at, and nobody else asks them. What takes long to start and
//! is only read is shared: see `servers`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics is a test that fails")]

mod amqp;
mod connections;
mod dns;
#[path = "../dns_server/mod.rs"]
mod dns_server;
mod etcd;
mod http;
mod icmp;
mod kafka;
mod mysql;
#[path = "../needs/mod.rs"]
mod needs;
#[path = "../own_network/mod.rs"]
mod own_network;
#[path = "../ports/mod.rs"]
mod ports;
mod postgres;
mod rabbitmq;
mod redis;
mod second_opinions;
#[path = "../servers/mod.rs"]
mod servers;
mod tcp;
