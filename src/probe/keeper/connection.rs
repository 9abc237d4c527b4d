//! What is kept of the connection that is held to one endpoint, for who asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::detector::outcome::Cause;
use crate::detector::time::Now;
use crate::probe::report::Fault;

/// The connection that is held to one endpoint, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// How it stands now.
    pub standing: Standing,
    /// How many were established: one more than were lost while one stands, unless some were ended here.
    pub established: u64,
    /// How many of them were lost, by the name of the cause. What was ended here, by a reload or so, is no loss.
    pub losses: BTreeMap<&'static str, u64>,
    /// The last loss.
    pub last_close: Option<Close>,
}

/// How a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It stands.
    Up {
        /// Since when.
        since: Now,
        /// With whom.
        address: Option<SocketAddr>,
    },
    /// There is none.
    Down {
        /// Since when.
        since: Now,
        /// Why, as the last trial found, or else the loss; none before the first trial has ended.
        why: Option<Why>,
    },
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// What it says of the endpoint; none if the fault is of this machine.
    pub cause: Option<Cause>,
    /// In words. It may quote the endpoint, so it is shown to who asks and kept nowhere.
    pub detail: String,
}

/// The end of a connection that was not meant to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// When.
    pub at: Now,
    /// For how long it had stood.
    pub lasted: Duration,
    /// Why.
    pub why: Why,
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Self {
        Self { cause: fault.cause, detail: fault.detail }
    }
}

impl Connection {
    /// There is none yet.
    pub fn none_yet(now: Now) -> Self {
        let standing = Standing::Down { since: now, why: None };
        Self { standing, established: 0, losses: BTreeMap::new(), last_close: None }
    }

    /// Whether it stands; none if nobody knows: it was not tried yet, or a fault of this machine keeps it from being tried.
    pub fn is_up(&self) -> Option<bool> {
        match &self.standing {
            Standing::Up { .. } => Some(true),
            Standing::Down { why: Some(Why { cause: Some(_), .. }), .. } => Some(false),
            Standing::Down { .. } => None,
        }
    }

    /// How many were lost.
    pub fn lost_in_all(&self) -> u64 {
        self.losses.values().sum()
    }

    /// One is established.
    pub fn establish(&mut self, address: Option<SocketAddr>, now: Now) {
        self.established = self.established.saturating_add(1);
        self.standing = Standing::Up { since: now, address };
    }

    /// A trial to establish one failed.
    pub fn fail(&mut self, because: Why) {
        if let Standing::Down { why, .. } = &mut self.standing {
            *why = Some(because);
        }
    }

    /// The one that stood is lost. A fault of this machine is no loss to the endpoint, and is not counted.
    pub fn lose(&mut self, why: Why, now: Now) {
        let Standing::Up { since, .. } = self.standing else { return };
        if let Some(cause) = why.cause {
            let count = self.losses.entry(cause.as_str()).or_default();
            *count = count.saturating_add(1);
        }
        self.last_close = Some(Close { at: now, lasted: now.since(since), why: why.clone() });
        self.standing = Standing::Down { since: now, why: Some(why) };
    }

    /// The one that stood, or was tried, is wanted no more.
    pub fn let_go(&mut self, now: Now) {
        self.standing = Standing::Down { since: now, why: None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::outcome::Ailment;

    fn at(seconds: u64) -> Now {
        Now::at(Duration::from_secs(seconds))
    }

    fn why(cause: Option<Cause>) -> Why {
        Why { cause, detail: "so it is".to_owned() }
    }

    const STOPS: Option<Cause> = Some(Cause::Unhealthy(Ailment::NotServing));

    #[test]
    fn a_connection_that_is_lost_and_established_again_is_told_with_how_long_it_had_lasted() {
        let mut held = Connection::none_yet(at(1));
        assert_eq!((held.is_up(), held.last_close.clone()), (None, None));
        held.establish(None, at(2));
        assert_eq!((held.is_up(), held.established), (Some(true), 1));
        held.lose(why(STOPS), at(62));
        assert_eq!(held.is_up(), Some(false));
        held.establish(None, at(65));
        let close = Close { at: at(62), lasted: Duration::from_secs(60), why: why(STOPS) };
        assert_eq!((held.is_up(), held.established, held.lost_in_all()), (Some(true), 2, 1));
        assert_eq!((held.last_close, held.losses), (Some(close), BTreeMap::from([("unhealthy", 1)])));
    }

    #[test]
    fn trials_that_fail_change_why_it_is_down_and_not_since_when() {
        let mut held = Connection::none_yet(at(1));
        held.establish(None, at(2));
        held.lose(why(Some(Cause::Reset)), at(3));
        held.fail(why(Some(Cause::Refused)));
        assert_eq!(held.standing, Standing::Down { since: at(3), why: Some(why(Some(Cause::Refused))) });
        assert_eq!(held.last_close.as_ref().map(|close| close.why.cause), Some(Some(Cause::Reset)));
        assert_eq!(held.lost_in_all(), 1, "what was not there cannot be lost");
    }

    #[test]
    fn a_fault_of_this_machine_is_neither_up_nor_down_and_no_loss() {
        let mut held = Connection::none_yet(at(1));
        held.fail(why(None));
        assert_eq!(held.is_up(), None);
        held.establish(None, at(2));
        held.lose(why(None), at(3));
        assert_eq!((held.is_up(), held.lost_in_all()), (None, 0));
    }

    #[test]
    fn what_is_ended_here_is_no_loss() {
        let mut held = Connection::none_yet(at(1));
        held.establish(None, at(2));
        held.let_go(at(9));
        assert_eq!((held.is_up(), held.lost_in_all(), held.last_close.clone()), (None, 0, None));
        held.establish(None, at(10));
        assert_eq!(held.established, 2);
    }
}
