//! The paces and thresholds of a link: as an operator chose them, and as they are at a number of nodes. The one place
//! that computes the detection bound.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

/// How many heartbeats a second an agent sends at most, if nobody chose another number.
pub const USUAL_CAP: NonZeroU32 = NonZeroU32::new(250).expect("250 is not 0");

const THREE: NonZeroU8 = NonZeroU8::new(3).expect("3 is not 0");

/// The longest period that the cap makes: a datagram can say paces up to 71 minutes.
const LONGEST_PERIOD: Duration = Duration::from_secs(3600);

/// The paces and thresholds of a link, in the words of Kubernetes probes, as they are now.
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

impl Timing {
    /// The defaults that go with a period.
    ///
    /// T = min(P/2, 1 s); d = max(T, min(P/6, 5 s)); N = M = 3.
    pub fn of_period(period: Duration) -> Self {
        ConfiguredTiming::of_period(period).at(1)
    }

    /// The longest time from the last datagram that arrived to the declaration that the link is down:
    /// P + T + (N − 1)·d. `check`, the metric and the tests all ask here.
    pub fn detection_bound(&self) -> Duration {
        self.period + self.timeout + self.confirm_period * u32::from(self.failure_threshold.get() - 1)
    }

    /// How long a row counts that its owner has replaced, or that a relay brought: one bound and a period.
    pub fn life_of_a_row(&self) -> Duration {
        self.detection_bound() + self.period
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

/// What an operator chose of the timing. The rest goes with the period, and the period with the number of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfiguredTiming {
    /// The period in a cluster that the cap does not slow down.
    pub period: Duration,
    /// T, if it was chosen; else it goes with the period.
    pub timeout: Option<Duration>,
    /// d, if it was chosen; else it goes with the period.
    pub confirm_period: Option<Duration>,
    /// N.
    pub failure_threshold: NonZeroU8,
    /// M.
    pub success_threshold: NonZeroU8,
    /// As in [`Timing`].
    pub polls_per_window: u8,
    /// In a large cluster the period is so long that an agent has its N − 1 peers in turn at this rate. None: the
    /// period is the same at any number of nodes.
    pub max_heartbeats_per_second: Option<NonZeroU32>,
}

impl ConfiguredTiming {
    /// A period, and the default of all else.
    pub fn of_period(period: Duration) -> Self {
        Self {
            period,
            timeout: None,
            confirm_period: None,
            failure_threshold: THREE,
            success_threshold: THREE,
            polls_per_window: 3,
            max_heartbeats_per_second: Some(USUAL_CAP),
        }
    }

    /// What this comes to in a roster of so many nodes, this one included.
    ///
    /// P = max(chosen, (nodes − 1) / cap). What was not chosen: T = min(P/2, 1 s), and not above a d that was
    /// chosen; d = max(T, min(P/6, 5 s)).
    pub fn at(&self, nodes: usize) -> Timing {
        let period = self.period.max(self.shortest_period(nodes));
        let usual_timeout = (period / 2).min(Duration::from_secs(1));
        let timeout = self.timeout.unwrap_or(usual_timeout.min(self.confirm_period.unwrap_or(usual_timeout)));
        let usual_window = timeout.max((period / 6).min(Duration::from_secs(5)));
        Timing {
            period,
            timeout,
            confirm_period: self.confirm_period.unwrap_or(usual_window),
            failure_threshold: self.failure_threshold,
            success_threshold: self.success_threshold,
            polls_per_window: self.polls_per_window,
        }
    }

    /// The period at which every peer has its turn at the rate of the cap.
    fn shortest_period(&self, nodes: usize) -> Duration {
        let peers = u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX);
        let turn = |cap: NonZeroU32| Duration::from_secs(u64::from(peers)) / cap.get();
        self.max_heartbeats_per_second.map_or(Duration::ZERO, turn).min(LONGEST_PERIOD)
    }
}

/// Just so, at any number of nodes.
impl From<Timing> for ConfiguredTiming {
    fn from(timing: Timing) -> Self {
        Self {
            period: timing.period,
            timeout: Some(timing.timeout),
            confirm_period: Some(timing.confirm_period),
            failure_threshold: timing.failure_threshold,
            success_threshold: timing.success_threshold,
            polls_per_window: timing.polls_per_window,
            max_heartbeats_per_second: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_bound_is_the_documented_one() {
        let bound = |period| Timing::of_period(period).detection_bound();
        assert_eq!(bound(SECOND), Duration::from_millis(2500));
        assert_eq!(bound(Duration::from_secs(30)), Duration::from_secs(41));
        assert_eq!(bound(Duration::from_millis(200)), Duration::from_millis(500));
    }

    #[test]
    fn a_window_covers_three_heartbeats_of_a_peer_that_does_not_hear_us() {
        let timing = Timing::of_period(SECOND);
        assert_eq!(timing.window(None), Duration::from_millis(500));
        assert_eq!(timing.window(Some(Duration::from_millis(500))), Duration::from_millis(1500));
    }

    #[test]
    fn the_period_stretches_where_the_cap_is_reached() {
        let period = |nodes| ConfiguredTiming::of_period(SECOND).at(nodes).period;
        assert_eq!([1, 2, 251].map(period), [SECOND; 3]);
        assert_eq!(period(252), Duration::from_millis(1004));
        assert_eq!(period(1001), Duration::from_secs(4));
        assert_eq!(period(5001), Duration::from_secs(20));
    }

    #[test]
    fn a_period_that_is_longer_anyway_does_not_stretch() {
        let relaxed = ConfiguredTiming::of_period(Duration::from_secs(30));
        assert_eq!(relaxed.at(7501), relaxed.at(1));
    }

    #[test]
    fn without_a_cap_the_number_of_nodes_means_nothing() {
        let fast = ConfiguredTiming {
            max_heartbeats_per_second: None,
            ..ConfiguredTiming::of_period(Duration::from_millis(200))
        };
        assert_eq!(fast.at(100_000), fast.at(1));
    }

    #[test]
    fn what_was_not_chosen_goes_with_the_stretched_period() {
        let timing = ConfiguredTiming::of_period(SECOND).at(5001);
        let expected = (SECOND, Duration::from_secs(20) / 6);
        assert_eq!((timing.timeout, timing.confirm_period), expected);
    }

    #[test]
    fn what_was_chosen_stays() {
        let millisecond = Duration::from_millis(1);
        let chosen = ConfiguredTiming {
            timeout: Some(millisecond * 300),
            confirm_period: Some(millisecond * 400),
            ..ConfiguredTiming::of_period(SECOND)
        };
        let timing = chosen.at(1001);
        assert_eq!((timing.timeout, timing.confirm_period), (millisecond * 300, millisecond * 400));
        let timing = ConfiguredTiming { timeout: None, ..chosen }.at(1001);
        assert_eq!(timing.timeout, millisecond * 400, "a window outlasts an answer that is only slow");
    }

    #[test]
    fn no_period_is_longer_than_a_datagram_can_say() {
        let slow =
            ConfiguredTiming { max_heartbeats_per_second: NonZeroU32::new(1), ..ConfiguredTiming::of_period(SECOND) };
        assert_eq!(slow.at(1_000_000).period, Duration::from_secs(3600));
    }
}
