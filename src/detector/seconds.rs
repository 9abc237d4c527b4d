//! Durations as they leave the detector in events: seconds.

use std::time::Duration;

use serde::Serialize;

/// A duration as seconds, the unit of every number that leaves the agent.
pub(super) fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded(*duration))
}

/// As [`seconds`], where there may be none.
#[expect(clippy::ref_option, reason = "the signature is serde's")]
pub(super) fn maybe_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(rounded).serialize(serializer)
}

/// Whole milliseconds: what lies below is noise of the timer.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
