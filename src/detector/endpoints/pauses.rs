//! How long to wait before something that failed is tried again: up to 1 s, 2 s, 4 s … 30 s, drawn evenly from nothing to that
//! ("full jitter"), so that many agents that lost one endpoint together do not come back together. The same for probes of an
//! endpoint that is down and for a connection to it that was lost.

use std::time::Duration;

/// The first pause is no longer than this…
const FIRST: Duration = Duration::from_secs(1);

/// …and none longer than this.
pub const LONGEST: Duration = Duration::from_secs(30);

/// The longest that the pause may be after so many trials that failed.
pub fn limit(failed: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failed).unwrap_or(u32::MAX));
    doubled.min(LONGEST)
}

/// The pause after so many trials that failed. `jitter` in [0, 1].
pub fn pause(failed: u32, jitter: f64) -> Duration {
    limit(failed).mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_one_second_to_thirty_however_often_it_failed() {
        let limits = [0, 1, 2, 3, 4, 5, 31, 32, u32::MAX].map(|failed| limit(failed).as_secs());
        assert_eq!(limits, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
    }

    #[test]
    fn a_pause_is_drawn_from_all_of_what_it_may_be() {
        assert_eq!([0.0, 0.5, 1.0].map(|jitter| pause(3, jitter).as_secs()), [0, 4, 8]);
        assert_eq!(
            [-1.0, 2.0].map(|jitter| pause(3, jitter).as_secs()),
            [0, 8],
            "whatever is drawn, within its limits"
        );
    }
}
