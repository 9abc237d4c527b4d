//! What speaks with Kubernetes, against a real API server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../servers/faults.rs"]
mod faults;
#[path = "../servers/group.rs"]
mod group;
#[path = "../servers/kube.rs"]
mod kube;
#[path = "../needs/mod.rs"]
mod needs;
mod probes;
#[path = "../servers/process.rs"]
mod process;
