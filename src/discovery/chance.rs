//! Times at random, so that the agents of a cluster do not all ask at once.

use std::time::Duration;

use ring::rand::{SystemRandom, generate};

/// A part of this time, each as likely as the others.
pub(super) fn part_of(time: Duration) -> Duration {
    // A machine that gives no randomness asks in the middle.
    let random = generate(&SystemRandom::new()).map_or(u32::MAX / 2, |random| u32::from_ne_bytes(random.expose()));
    time.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_time_are_spread_over_all_of_it() {
        let parts: Vec<Duration> = (0..1000).map(|_| part_of(Duration::from_secs(10))).collect();
        assert!(parts.iter().all(|part| *part <= Duration::from_secs(10)));
        // By chance it is otherwise once in 10^40 runs.
        for second in 0..10 {
            assert!(parts.iter().any(|part| part.as_secs() == second), "{second}");
        }
    }
}
