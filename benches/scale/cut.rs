//! Half of the peers fall silent at once: what that costs in the worst second, and when the agent calls it a partition.

use std::collections::VecDeque;
use std::time::Duration;

use netsplit::clock::Clock;

use crate::child::Role;
use crate::cluster::Cap;
use crate::limit::{Limit, NoLimit, Share};
use crate::measure::{Side, pause, processor_time};

/// How often the processor time is looked at: the worst second begins at one of these looks.
const LOOK: Duration = Duration::from_millis(100);

/// How long the agent is watched before the cut, and after it: all is over a few bounds later.
const BEFORE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(15);

/// What a cut cost.
pub struct Found {
    /// Shares of a core.
    pub before: f64,
    pub worst_second: f64,
    /// From the last datagram that crossed it to the partition.
    pub detection: Option<Duration>,
    /// What the agent's socket had no room for, from the cut on.
    pub dropped: u64,
    /// What the agent said at its end.
    pub heard: String,
}

/// Plays it, at 1 Hz.
pub fn measure(peers: usize, limit: Option<Share>) -> Result<Found, NoLimit> {
    let side = Side::start(Role::Agent, Cap::Off, peers);
    let limit = limit.map(|share| Limit::on(side.child.process(), share)).transpose()?;
    let clock = Clock::start();
    pause(Duration::from_secs(15));
    let before = worst_second(&side, &clock, BEFORE).1;
    let dropped_before = side.counts().dropped;
    side.playing.cut();
    let (worst_second, _) = worst_second(&side, &clock, AFTER);
    let dropped = side.counts().dropped - dropped_before;
    let (_, heard) = side.end();
    drop(limit);
    let seconds: Option<f64> = crate::word_after(&heard, "detection").parse().ok();
    Ok(Found { before, worst_second, detection: seconds.map(Duration::from_secs_f64), dropped, heard })
}

/// The largest share of a core over any second of this time, and that over all of it.
fn worst_second(side: &Side, clock: &Clock, time: Duration) -> (f64, f64) {
    let look = || (clock.now().since_start(), processor_time(side.child.process()));
    let share = |(from, used): (Duration, Duration), (to, used_then): (Duration, Duration)| {
        used_then.saturating_sub(used).as_secs_f64() / (to.saturating_sub(from)).as_secs_f64()
    };
    let (first, mut worst) = (look(), 0.0_f64);
    let mut window = VecDeque::from([first]);
    while window.back().is_some_and(|last| last.0.saturating_sub(first.0) < time) {
        pause(LOOK);
        let now = look();
        window.push_back(now);
        while window.get(1).is_some_and(|second| now.0.saturating_sub(second.0) >= Duration::from_secs(1)) {
            window.pop_front();
        }
        if now.0.saturating_sub(window[0].0) >= Duration::from_secs(1) {
            worst = worst.max(share(window[0], now));
        }
    }
    (worst, share(first, *window.back().unwrap()))
}
