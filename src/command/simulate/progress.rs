//! How far it is: on a terminal only, and on standard error, so that the answer stays as it is.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::time::Now;

/// Between two lines.
const PAUSE: Duration = Duration::from_millis(200);

/// Goes to the beginning of the line and empties it.
const ERASE: &str = "\r\u{1b}[K";

/// Counts virtual time, of several threads together.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    what: String,
    done: Duration,
    next: Now,
}

impl Progress {
    /// Of somebody who watches, if anybody does.
    pub(super) fn standard() -> Self {
        let state = State { what: String::new(), done: Duration::ZERO, next: Now::START + PAUSE };
        Self { is_shown: io::stderr().is_terminal(), clock: Clock::start(), state: Mutex::new(state) }
    }

    /// What is played now.
    pub(super) fn begin(&self, what: String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.what, state.done) = (what, Duration::ZERO);
    }

    /// So much virtual time went by in one of the runs.
    pub(super) fn step(&self, step: Duration) {
        if !self.is_shown {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += step;
        let now = self.clock.now();
        if now >= state.next {
            state.next = now + PAUSE;
            let done = state.done.as_secs_f64() / 3600.0;
            let _ = write!(io::stderr(), "{ERASE}{}: {done:.2} h of virtual time", state.what);
        }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "{ERASE}");
        }
    }

    /// Since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.now().since_start()
    }
}
