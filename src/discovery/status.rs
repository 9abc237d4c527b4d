//! How a discovery fares: whether it answers, since when it was known to, and how often it did not and why.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Cause;

/// What there is to know of a discovery at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether the last round brought an answer; `None` before the first has ended.
    pub up: Option<bool>,
    /// When the last answer came: the time of day, since the epoch.
    pub last_success: Option<Duration>,
    failures: BTreeMap<Cause, u64>,
}

impl Status {
    /// How many rounds failed, by cause; every cause is there from the start.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Cause::ALL.into_iter().map(|cause| (cause.as_str(), self.failed(cause)))
    }

    /// How many rounds failed by this cause.
    pub fn failed(&self, cause: Cause) -> u64 {
        self.failures.get(&cause).copied().unwrap_or(0)
    }

    pub(super) fn succeed(&mut self, wall: Duration) {
        self.up = Some(true);
        self.last_success = Some(wall);
    }

    pub(super) fn fail(&mut self, cause: Cause) {
        self.up = Some(false);
        *self.failures.entry(cause).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_counted_and_leaves_the_time_of_the_last_success() {
        let mut status = Status::default();
        assert_eq!((status.up, status.failures().map(|(_, count)| count).sum::<u64>()), (None, 0));
        status.succeed(Duration::from_secs(7));
        status.fail(Cause::Timeout);
        assert_eq!((status.up, status.last_success), (Some(false), Some(Duration::from_secs(7))));
        let failed: Vec<_> = status.failures().filter(|(_, count)| *count > 0).collect();
        assert_eq!(failed, [("timeout", 1)]);
        status.succeed(Duration::from_secs(9));
        assert_eq!((status.up, status.failed(Cause::Timeout)), (Some(true), 1));
    }
}
