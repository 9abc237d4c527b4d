//! What speaks with Kubernetes, against a real API server, and against one that says what the test wants; and the manifests in
//! `daemonset/`, as kustomize builds them, against the schemas of several versions and against the same API server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../agents/mod.rs"]
mod agents;
mod answers;
mod applied;
mod built;
mod discovery;
#[expect(dead_code, reason = "the tests of the probes use the rest")]
#[path = "../servers/faults.rs"]
mod faults;
#[path = "../servers/group.rs"]
mod group;
#[expect(dead_code, reason = "the tests of the probes use the rest")]
#[path = "../servers/http.rs"]
mod http;
#[path = "../servers/kube.rs"]
mod kube;
mod listing;
mod manifests;
#[path = "../needs/mod.rs"]
mod needs;
mod outside;
#[path = "../own_network/mod.rs"]
mod own_network;
mod permissions;
mod pod_security;
#[path = "../ports/mod.rs"]
mod ports;
mod probes;
#[path = "../servers/process.rs"]
mod process;
mod schemas;
