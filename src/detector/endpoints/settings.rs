//! What an operator chose for one endpoint, as far as the detector has to know it.

use std::num::{NonZeroU8, NonZeroU16};
use std::time::Duration;

/// One endpoint. How it is spoken with is the shell's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Its name: the same on every node.
    pub name: String,
    /// The name of its type.
    pub kind: &'static str,
    /// How and when it is probed.
    pub schedule: ProbeSchedule,
    /// Which agents probe it.
    pub from: From,
    /// Whether a node that cannot reach it counts as cut off.
    pub partition: bool,
}

/// How and when an endpoint is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSchedule {
    /// How often.
    pub period: Duration,
    /// How long one probe may take: less than the period.
    pub timeout: Duration,
    /// How soon after a probe that failed the next one goes, until enough have.
    pub confirm_period: Duration,
    /// How many failures in a row make it down.
    pub failure_threshold: NonZeroU8,
    /// How many successes in a row make it up again.
    pub success_threshold: NonZeroU8,
}

impl ProbeSchedule {
    /// How long after it is gone it is down at the latest, for whoever probes it: the longest pause before a probe, and what
    /// confirms it. A probe that hangs takes its timeout.
    pub fn detection_bound(&self) -> Duration {
        let confirmations = u32::from(self.failure_threshold.get()) - 1;
        self.period + self.confirm_period.max(self.timeout) * confirmations + self.timeout
    }
}

/// Which agents probe an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum From {
    /// Every one.
    #[default]
    All,
    /// So many, the same for everybody who sees the same nodes, and at least one in each zone.
    Sample(NonZeroU16),
}
