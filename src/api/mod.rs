//! What the HTTP API answers, as types: made from a [`View`](crate::detector::view::View) by the server, read back by
//! the commands. `docs/api.md` says the same for those who ask.
//!
//! Durations are seconds, times of day RFC 3339. What is not known is null, never left out.

mod matrix;
mod mode;
mod partitions;
mod peers;

pub use matrix::{Matrix, MatrixRow};
pub use mode::{ModeAnswer, SideAnswer};
pub use partitions::{PartitionAnswer, Partitions};
pub use peers::{Link, Peer, Peers};

use std::time::Duration;

/// Seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
