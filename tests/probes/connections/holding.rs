//! A connection that is held by the thread that probes, as an agent has it held, and what is known of it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::outcome::Cause;
use netsplit::probe::keeper::connection::{Close, Connection, Standing};
use netsplit::probe::prober::{Aim, Closing, Prober, Targets};
use netsplit::probe::{Check, Target};

use crate::servers::databases::output_of;
use crate::servers::faults::LONG;

/// How often a sign of life is asked for, unless a test says otherwise.
pub(crate) const OFTEN: Duration = Duration::from_secs(1);

/// How often it is looked whether what is waited for is there, and how often at the most: two minutes in all. A pause before
/// a trial may take 30 s, and a broker on a busy machine as long to start.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: usize = 6000;

/// The name of the endpoint.
const NAME: &str = "it";

/// A thread that holds one connection. It takes its leave when this ends.
pub(crate) struct Holding {
    prober: Prober,
    closing: Closing,
}

impl Holding {
    /// Holds a connection to this, and waits for as long as it takes for each answer.
    pub(crate) fn to(check: Check) -> Self {
        Self::with(check, LONG)
    }

    /// The same, and an answer that takes longer than this is none.
    pub(crate) fn with(check: Check, timeout: Duration) -> Self {
        let (prober, closing) = Prober::start(kept(check, timeout), Clock::start()).unwrap();
        prober.hold_to([NAME].into_iter());
        Self { prober, closing }
    }

    /// The configuration says this now, and nothing if there is none.
    pub(crate) fn change(&self, check: Option<Check>) {
        self.prober.desk().change_targets(check.map_or(Targets::new(), |check| kept(check, LONG)));
    }

    /// Other agents probe it from now on, or this one again.
    pub(crate) fn is_mine(&self, is_mine: bool) {
        self.prober.hold_to(is_mine.then_some(NAME).into_iter());
    }

    /// What is known of the connection.
    pub(crate) fn known(&self) -> Option<Connection> {
        self.prober.desk().connection(NAME)
    }

    /// Waits until what is known of it is like this.
    #[track_caller]
    pub(crate) fn becomes(&self, what: &str, is_so: impl Fn(&Connection) -> bool) -> Connection {
        let found = looked_for(|| self.known().filter(&is_so));
        found.unwrap_or_else(|| panic!("in two minutes there was not: {what}; there is: {:?}", self.known()))
    }

    /// Waits until it stands.
    #[track_caller]
    pub(crate) fn stands(&self) -> Connection {
        self.becomes("a connection", |held| held.is_up() == Some(true))
    }

    /// Waits until it stands again, so many having stood by then in all.
    #[track_caller]
    pub(crate) fn stands_again(&self, established: u64) -> Connection {
        self.becomes("a new connection", |held| held.is_up() == Some(true) && held.established >= established)
    }

    /// Waits for a loss for this cause, and says what is known of the last one.
    #[track_caller]
    pub(crate) fn is_lost_by(&self, cause: Cause) -> Close {
        let is_it = |close: &Close| close.why.cause == Some(cause);
        let found = self.becomes(&format!("a loss by {cause:?}"), |held| held.last_close.as_ref().is_some_and(is_it));
        found.last_close.unwrap()
    }

    /// The agent stops: when this returns the connection has been left, and nothing of it is a loss.
    pub(crate) fn stop(self) -> Connection {
        let desk = self.prober.desk();
        drop(self.prober);
        self.closing.finish();
        let found = desk.connection(NAME).unwrap();
        assert!(matches!(found.standing, Standing::Down { why: None, .. }), "it ended in good order: {found:?}");
        found
    }
}

fn kept(check: Check, timeout: Duration) -> Targets {
    let aim = Aim { target: Target { check, timeout }, keep: Some(OFTEN) };
    Targets::from([(NAME.to_owned(), aim)])
}

/// Waits for what must come.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let found = looked_for(|| is_so().then_some(()));
    assert!(found.is_some(), "in two minutes there was not: {what}");
}

fn looked_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..LOOKS {
        let found = look();
        if found.is_some() {
            return found;
        }
        thread::park_timeout(PAUSE);
    }
    None
}

/// How much was said over the one connection that stands to an address of this machine, from the client's end.
pub(crate) fn bytes_said_to(address: SocketAddr) -> u64 {
    let mut command = Command::new("ss");
    command.args(["--tcp", "--info", "--numeric", "--no-header", "state", "established"]);
    let said = output_of(command.arg(format!("( dport = :{} )", address.port())));
    let number = said.split_whitespace().find_map(|word| word.strip_prefix("bytes_sent:"));
    number.unwrap_or_else(|| panic!("{said}")).parse().unwrap()
}

/// How many connections stand from this machine to an address of its own (`/proc/net/tcp`), seen from the client's end.
pub(crate) fn connections_to(address: SocketAddr) -> usize {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let port = format!(":{:04X}", address.port());
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[2].ends_with(&port) && row[3] == ESTABLISHED).count()
}
