//! What an operator chose, in the detector's own terms, and the one place that computes the detection bound.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;

/// All that the detector is told before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of the cluster; part of every id.
    pub cluster: String,
    /// This agent's own node.
    pub node: Member,
    /// The paces and thresholds of a link.
    pub timing: Timing,
    /// What a side without a majority may do.
    pub mode: ModePolicy,
}

/// A node as a discovery or a hello tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The node's name: never its address.
    pub name: String,
    /// Its zone; empty if it has none.
    pub zone: String,
    /// Where its agent listens.
    pub address: SocketAddr,
    /// The address of its host, where that is another than the agent's and is known.
    pub host: Option<IpAddr>,
    /// The port of its agent's HTTP server, at the agent's address; its hello says it.
    pub http_port: Option<u16>,
}

impl Member {
    /// A member of which no more is known.
    pub fn new(name: impl Into<String>, zone: impl Into<String>, address: SocketAddr) -> Self {
        Self { name: name.into(), zone: zone.into(), address, host: None, http_port: None }
    }
}

/// The paces and thresholds of a link, in the words of Kubernetes probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often each peer gets a heartbeat (P).
    pub period: Duration,
    /// How long after its time a heartbeat is still waited for (T).
    pub timeout: Duration,
    /// How long one confirming window lasts (d): a third of it is the pace at which a suspect is polled.
    pub confirm_period: Duration,
    /// How many failures in a row make a link down (N); the first is a missed deadline, each other a silent window.
    pub failure_threshold: NonZeroU8,
    /// How many heartbeats in a row make it up again (M).
    pub success_threshold: NonZeroU8,
    /// How many polls each window has. 3 but in experiments; 0 confirms by waiting
    /// alone, and sends rows with the heartbeats in turn only.
    pub polls_per_window: u8,
}

const THREE: NonZeroU8 = NonZeroU8::new(3).expect("3 is not 0");

impl Timing {
    /// The defaults that go with a period.
    ///
    /// T = min(P/2, 1 s); d = max(T, min(P/6, 5 s)); N = M = 3.
    pub fn of_period(period: Duration) -> Self {
        let timeout = (period / 2).min(Duration::from_secs(1));
        Self {
            period,
            timeout,
            confirm_period: timeout.max((period / 6).min(Duration::from_secs(5))),
            failure_threshold: THREE,
            success_threshold: THREE,
            polls_per_window: 3,
        }
    }

    /// The longest time from the last datagram that arrived to the declaration that the link is down:
    /// P + T + (N − 1)·d. `check`, the metric and the tests all ask here.
    pub fn detection_bound(&self) -> Duration {
        self.period + self.timeout + self.confirm_period * u32::from(self.failure_threshold.get() - 1)
    }

    /// The bound of a link whose peer does not hear us: polls cannot reach it, so a window is as long as three
    /// of the heartbeats that it sends by itself.
    pub fn detection_bound_when_deaf(&self, peer_pace: Duration) -> Duration {
        let window = self.window(Some(peer_pace));
        peer_pace + self.timeout + window * u32::from(self.failure_threshold.get() - 1)
    }

    /// How long a confirming window lasts, given the pace of a peer that said it does not hear us.
    pub fn window(&self, pace_of_deaf_peer: Option<Duration>) -> Duration {
        self.confirm_period.max(pace_of_deaf_peer.unwrap_or_default() * 3)
    }

    /// The pace under suspicion: a third of a window.
    pub fn poll_pace(&self) -> Duration {
        self.confirm_period / 3
    }

    /// The pace towards a peer that has been silent for a minute: min(P, d).
    pub fn fallback_pace(&self) -> Duration {
        self.period.min(self.confirm_period)
    }
}

/// What this agent's side may do when it is not a majority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModePolicy {
    /// Consistency or availability.
    pub policy: Policy,
    /// Who wins when the electorate is cut into exact halves.
    pub tie: Tie,
    /// How many members a writing side needs.
    pub write_quorum: WriteQuorum,
}

/// Whether a minority may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Consistency first: only a majority writes.
    #[default]
    Cp,
    /// Availability first: a minority writes too, and its data is "eventual".
    Ap,
}

/// Who wins an exact half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tie {
    /// Nobody: both halves are minorities.
    #[default]
    Minority,
    /// The half with the lowest name of the electorate.
    Lowest,
}

/// How many members of the electorate a writing side needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteQuorum {
    /// More than half.
    #[default]
    Majority,
    /// At least this many, and more than half.
    AtLeast(u16),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_documented_one() {
        let bound = |period| Timing::of_period(period).detection_bound();
        assert_eq!(bound(Duration::from_secs(1)), Duration::from_millis(2500));
        assert_eq!(bound(Duration::from_secs(30)), Duration::from_secs(41));
        assert_eq!(bound(Duration::from_millis(200)), Duration::from_millis(500));
    }

    #[test]
    fn a_window_covers_three_heartbeats_of_a_peer_that_does_not_hear_us() {
        let timing = Timing::of_period(Duration::from_secs(1));
        assert_eq!(timing.window(None), Duration::from_millis(500));
        assert_eq!(timing.window(Some(Duration::from_millis(500))), Duration::from_millis(1500));
    }
}
