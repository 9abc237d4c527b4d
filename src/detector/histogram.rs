//! A histogram of durations: how many were no longer than each of some bounds.

use std::time::Duration;

/// How many bounds a histogram has.
pub const BOUNDS: usize = 12;

/// Bounds in microseconds, ascending.
pub type Bounds = [u64; BOUNDS];

/// What was observed since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Observations above the bound before and not above this one; the last is for those above all.
    counts: [u64; BOUNDS + 1],
    sum: Duration,
}

impl Histogram {
    /// One more; `bounds` are the same at every call.
    pub fn observe(&mut self, duration: Duration, bounds: &Bounds) {
        let microseconds = duration.as_micros();
        let place = bounds.partition_point(|&bound| u128::from(bound) < microseconds);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }

    /// How many observations are not above each bound, in order of the bounds.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> {
        let counts = self.counts.into_iter().take(BOUNDS);
        counts.scan(0, |below, count| {
            *below += count;
            Some(*below)
        })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_counts_for_its_bound_and_all_above() {
        let bounds = std::array::from_fn(|place| 1000 * (place as u64 + 1));
        let mut histogram = Histogram::default();
        for microseconds in [1, 1000, 1001, 12_000, 12_001] {
            histogram.observe(Duration::from_micros(microseconds), &bounds);
        }
        let counts: Vec<u64> = histogram.cumulative().collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!((histogram.count(), histogram.sum()), (5, Duration::from_micros(26_003)));
    }
}
