//! How often something happens that happened k times in a while, and how sure that is.
//!
//! Events that are rare and independent are Poisson: the exact 95 % interval of their mean (Garwood, Fiducial limits for
//! the Poisson distribution, Biometrika 28, 1936) is from the mean at which k or more have a chance of 2.5 %, to that at which
//! k or fewer have. Of none in a while it is known with 95 % that fewer than 3 are to be expected (the rule of three).

use std::time::Duration;

/// How sure the interval is.
const CHANCE_BELOW: f64 = 0.025;

/// Above so many the exact sums cost more than they tell: Wilson and Hilferty's approximation differs by less than 10⁻⁴.
const EXACT_UP_TO: u64 = 1_000;

/// The 97.5 % quantile of the normal distribution.
const NORMAL: f64 = 1.959_963_985;

const DAY: f64 = 86_400.0;

/// How many there are in a day.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(super) struct Rate {
    pub(super) per_day: f64,
    /// The 95 % confidence interval.
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Rate {
    /// The rate of what happened so often in so long.
    pub(super) fn of(count: u64, time: Duration) -> Self {
        let days = time.as_secs_f64() / DAY;
        let (from, to) = interval(count);
        Self { per_day: as_float(count) / days, from: from / days, to: to / days }
    }
}

/// The 95 % confidence interval of the mean of which this is one sample.
fn interval(count: u64) -> (f64, f64) {
    match count {
        0 => (0.0, -(2.0 * CHANCE_BELOW).ln()),
        count if count > EXACT_UP_TO => (approximate(count, -NORMAL), approximate(count + 1, NORMAL)),
        count => {
            let lower = root(count, |mean| 1.0 - at_most(count - 1, mean) < CHANCE_BELOW);
            let upper = root(count, |mean| at_most(count, mean) > CHANCE_BELOW);
            (lower, upper)
        }
    }
}

/// Where a condition that holds for small means ends to hold.
fn root(count: u64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, as_float(count) * 3.0 + 10.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The chance of `count` or fewer where so many are expected.
fn at_most(count: u64, mean: f64) -> f64 {
    let mut log_of_term = -mean;
    let mut sum = log_of_term.exp();
    for k in 1..=count {
        log_of_term += (mean / as_float(k)).ln();
        sum += log_of_term.exp();
    }
    sum
}

/// Half the quantile of chi squared with 2·`k` degrees of freedom.
fn approximate(k: u64, normal: f64) -> f64 {
    let k = as_float(k);
    let root = 1.0 - 1.0 / (9.0 * k) + normal / (3.0 * k.sqrt());
    k * root * root * root
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a count of events is far below 2^53")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_interval(count: u64, from: f64, to: f64, within: f64) {
        let (low, high) = interval(count);
        assert!((low - from).abs() < within && (high - to).abs() < within, "{count}: {low} to {high}");
    }

    /// The values are those of Garwood's table, as in any table of Poisson confidence limits.
    #[test]
    fn the_interval_is_the_exact_one() {
        assert_interval(1, 0.0253, 5.5716, 5e-5);
        assert_interval(2, 0.2422, 7.2247, 5e-5);
        assert_interval(5, 1.6235, 11.6683, 5e-5);
        assert_interval(10, 4.7954, 18.3904, 5e-5);
        assert_interval(100, 81.364, 121.627, 5e-4);
    }

    #[test]
    fn of_none_it_is_the_rule_of_three() {
        assert_interval(0, 0.0, 2.9957, 5e-5);
        let rate = Rate::of(0, Duration::from_hours(6));
        assert_eq!(rate.per_day.to_bits(), 0.0_f64.to_bits());
        assert!((rate.to - 11.98).abs() < 0.01, "{rate:?}");
    }

    #[test]
    fn the_approximation_goes_on_where_the_exact_sums_end() {
        let (exact, approximated) = (interval(EXACT_UP_TO), interval(EXACT_UP_TO + 1));
        assert!((approximated.0 - exact.0 - 1.0).abs() < 0.1, "{exact:?} {approximated:?}");
        assert!((approximated.1 - exact.1 - 1.0).abs() < 0.1, "{exact:?} {approximated:?}");
    }

    #[test]
    fn a_rate_is_of_a_day() {
        let rate = Rate::of(10, Duration::from_hours(12));
        assert!((rate.per_day - 20.0).abs() < 1e-9 && (rate.from - 9.5908).abs() < 1e-3, "{rate:?}");
    }
}
