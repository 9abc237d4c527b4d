//! What is promised of a partition: the time from the last datagram over the cut to its opening.

use std::time::Duration;

use netsplit::detector::settings::Timing;

/// The longest time that a partition may take to open on a machine that has time for it, from the last datagram that
/// arrived: one bound for the last link, 4d to settle, and the pauses between judging (section 17 of the design).
pub(super) fn partition_budget(timing: &Timing) -> Duration {
    timing.detection_bound() + timing.confirm_period * 4 + timing.confirm_period * 2 / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_of_the_default_is_that_of_the_design() {
        assert_eq!(partition_budget(&Timing::of_period(Duration::from_secs(1))), Duration::from_millis(4700));
    }
}
