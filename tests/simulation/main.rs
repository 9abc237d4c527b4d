//! The detector in virtual time: what every agent says at every moment, against what is true.
//!
//! `make test` runs few seeds, `make verify` (`NETSPLIT_VERIFY=1`) the full figures, which go into docs/verdict.md.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the modules of one test share what they need")]

mod at_five_percent;
mod bound;
mod broken_laws;
mod capped;
mod cuts;
mod electorate;
mod electorate_histories;
mod endpoints;
mod endpoints_shared;
mod evidence;
mod expectation;
mod falls;
mod forgetting;
mod hard_cases;
mod health;
mod known_truth;
mod leaving;
mod loss;
mod properties;
mod quiet;
mod random_histories;
mod relays;
mod returning;
mod review;
mod scenarios;
mod settings;
mod times;
#[path = "../verify/mod.rs"]
mod verify;
mod views;

use std::time::Duration;

use netsplit::detector::settings::Timing;
use netsplit::simulation::{Conditions, World};
use proptest::test_runner::{Config, RngSeed};

/// The default timing: P = 1 s.
pub fn default_timing() -> Timing {
    Timing::of_period(Duration::from_secs(1))
}

/// A network that loses this share of its datagrams, independently.
pub fn lossy(loss: f64) -> Conditions {
    Conditions { loss, ..Conditions::default() }
}

/// A world whose agents have known each other for a while.
pub fn settled(hosts: usize, timing: Timing, conditions: Conditions, seed: u64) -> World {
    let mut world = World::started(hosts, timing, conditions, seed);
    let before = world.now();
    world.run_until(before + timing.detection_bound() + timing.period * 3);
    // The cut comes at any time of the heartbeats' schedules.
    let moment = timing.period.mul_f64(world.chance());
    world.run_for(moment);
    world
}

/// Nobody can ask beside the heartbeat, as where the kernel refuses and no port is known.
pub fn let_nobody_ask(world: &mut World) {
    (0..world.size()).for_each(|host| world.let_ask(host, false));
}

/// How many random histories are played: in `make test` the same ones each time, which `seed` names, so that what fails
/// there fails everywhere and by a change; in `make verify` others each time.
pub fn histories(cases: u32, seed: u64) -> Config {
    let rng_seed = verify::either(RngSeed::Fixed(seed), RngSeed::Random);
    Config { cases, rng_seed, failure_persistence: None, max_shrink_iters: 600, ..Config::default() }
}

/// How many seeds a scenario runs with: few where a hundred agents make each run long.
pub fn seeds(hosts: usize, quick: u64, full: u64) -> u64 {
    if hosts < 100 { verify::size(quick, full) } else { verify::size(2, 20) }
}

/// Runs one case per seed on all processors; the first that fails says which seed it was.
pub fn for_each_seed(seeds: u64, case: impl Fn(u64) + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for worker in (0..).take(workers) {
            let case = &case;
            scope.spawn(move || (worker..seeds).step_by(workers).for_each(case));
        }
    });
}
