//! The agent as it is deployed: the program itself, one process a node, each in a network namespace of its own, cut by
//! nftables. What every agent says, word by word, against what is right.
//!
//! It needs root, `ip` and `nft`, and touches nothing of the machine's own network: the nodes hang on a bridge that has
//! a namespace of its own too. One case runs at a time, since an agent that gets no processor stalls, and says so.
//!
//! `make test` runs every case and a few runs of what is measured, `make verify` (`NETSPLIT_VERIFY=1`) the full figures,
//! which go into docs/.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the modules of one test share what they need")]

mod black_hole;
#[path = "../servers/child.rs"]
mod child;
mod cuts;
mod endpoints;
mod evidence;
mod flood;
#[path = "../servers/group.rs"]
mod group;
mod hostile;
mod judgement;
#[path = "../laboratory/mod.rs"]
mod laboratory;
mod leaving;
#[path = "../needs/mod.rs"]
mod needs;
mod one_way;
mod overlay;
mod partial;
mod paths;
#[path = "../ports/mod.rs"]
mod ports;
#[path = "../servers/postgres.rs"]
mod postgres;
#[path = "../servers/redis.rs"]
mod redis;
mod silence;
mod tap;
mod timing;
#[path = "../verify/mod.rs"]
mod verify;
