//! What the HTTP API answers, as types: made from a [`View`](crate::detector::view::View) by the server, read back by
//! the commands. `docs/api.md` says the same for those who ask.
//!
//! Durations are seconds, times of day RFC 3339. What is not known is null, never left out.

mod endpoints;
mod events;
mod matrix;
mod mode;
mod partitions;
mod peers;
mod status;

pub use endpoints::{
    Endpoint, Endpoints, HeldConnection, LastClose, LastProbe, PhaseTimes, ProbeAnswer, ProbeOutcome, State,
};
pub use events::{EventAnswer, Events};
pub use matrix::{Matrix, MatrixRow, Turned};
pub(crate) use mode::is_fresh;
pub use mode::{ModeAnswer, OVERRIDE, OverrideAnswer, SideAnswer};
pub use partitions::{PartitionAnswer, Partitions};
pub use peers::{Link, Peer, Peers};
pub use status::{
    AuditStatus, AuthenticationStatus, ConfigurationStatus, DiscoveryStatus, MOST_NAMES, Method, Names, StateStatus,
    Status, UnreachedEndpoint, UnreachedEndpoints,
};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::detector::time::Now;

/// What is answered where there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What is wrong and what to do, in one sentence.
    pub error: String,
}

/// Seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// A time of day, given since the epoch.
fn of_day(wall: Duration) -> String {
    Calendar { now: Now::START, wall }.text(Now::START)
}
