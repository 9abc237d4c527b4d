//! Many runs, on as many processors as there are: what comes out does not depend on which of them was faster.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::outcome::Outcome;
use super::play::play;
use super::progress::Progress;
use super::scenario::{Judged, Scenario};

/// A cluster of more nodes is played alone: it needs memory more than processors.
const LARGE: usize = 400;

/// Plays every seed, and takes all together in their order.
pub(super) fn play_all(scenario: &Scenario, settings: &Judged, progress: &Progress) -> Outcome {
    let seeds: Vec<u64> = scenario.seeds.clone().collect();
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = if scenario.nodes.len() > LARGE { 1 } else { processors.min(seeds.len()) };
    let outcomes: Vec<Mutex<Option<Outcome>>> = seeds.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(&seed), Some(outcome)) = (seeds.get(run), outcomes.get(run)) else { break };
                    let played = play(scenario, settings, seed, progress);
                    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(played);
                }
            });
        }
    });
    let mut sum = Outcome::of_faults(scenario.faults.len());
    for outcome in outcomes {
        sum.add(outcome.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_default());
    }
    sum
}
