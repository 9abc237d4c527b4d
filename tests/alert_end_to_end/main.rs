//! From the cut to the alert with everything real: five agents, the Prometheus that scrapes them and evaluates the shipped
//! rules, and the Alertmanager that it tells.
//!
//! Prometheus stands in a management network of its own with a link to each node, so that a cut between agents does not
//! cut what it reads, unless a case pulls these cables, too. It needs root, `ip` and `nft`, and the Debian packages
//! `prometheus` and `prometheus-alertmanager`.
//!
//! `remote_write` has no agents: Prometheus servers on loopback, one of which writes to another that goes away.
//!
//! `dashboards` runs the queries of the shipped dashboards against the same Prometheus.
//!
//! Cases run with the shipped files made faster (`shipped`), which must be all that is changed. `make verify`
//! (`NETSPLIT_VERIFY=1`) takes the times with the files as they are shipped.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the modules of one test share what they need")]

mod cases;
mod dashboards;
#[path = "../laboratory/mod.rs"]
mod laboratory;
mod management;
mod monitoring;
#[path = "../needs/mod.rs"]
mod needs;
#[path = "../ports/mod.rs"]
mod ports;
mod process;
mod remote_write;
mod shipped;
mod timing;
#[path = "../verify/mod.rs"]
mod verify;
