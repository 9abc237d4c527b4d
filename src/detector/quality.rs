//! How good a link is, apart from whether it is up: loss by sequence gaps, and the round trip time. Neither ever
//! declares a partition.

use std::time::Duration;

use super::settings::Timing;
use super::time::Now;
use crate::identity::Sequence;
use crate::wire::Echo;

/// The weight of one datagram in the loss: a time constant of 128 datagrams, so that 1 % of independent loss stays
/// more than ten standard deviations below the threshold.
const WEIGHT: f64 = 1.0 / 128.0;
/// A link is degraded from this share of lost datagrams on…
const DEGRADED_FROM: f64 = 0.10;
/// …and until it is no more than this.
const RECOVERED_AT: f64 = 0.03;
/// From this share on more polls than usual confirm a suspicion…
const POLLED_MORE_FROM: f64 = 0.05;
/// …but never more than this in a window…
const MOST_POLLS: u8 = 12;
/// …so that a link falls by mere loss no more often than it does at this share.
const USUAL_LOSS: f64 = 0.01;
/// A gap longer than this is silence, which the link itself judges, and not loss.
const LONGEST_GAP: u32 = 16;
/// Of how many datagrams the time of sending is remembered.
const REMEMBERED: usize = 8;

/// Whether a link loses too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossChange {
    /// It does now.
    Degraded,
    /// It no longer does.
    Recovered,
}

/// The measured quality of the link from one peer.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    newest: Sequence,
    loss: f64,
    degraded: bool,
    forgiving: bool,
    sent: [(Sequence, Now); REMEMBERED],
    rtt: Option<Duration>,
}

impl Quality {
    /// The share of datagrams lost, 0 to 1, smoothed over about 128 of them.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Whether the link is in the loss class.
    pub fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// How many polls a window needs at this loss.
    ///
    /// At loss p a link falls by mere loss when one heartbeat does not come, and then none of k polls in each of N − 1
    /// windows is answered, where either the poll or its answer may be lost. The chance of that is
    /// p · (1 − (1 − p)²)^(k·(N−1)); k is the smallest number, at least the usual one and at most 12, with which it is
    /// not above that of the usual k at p = 1 %. With N = 3 that is 3 below 5 %, 6 at 5 %, 8 at 10 %, 12 at 18 %;
    /// beyond that 12 do not suffice. The loss of our own polls is taken to be that of what comes back.
    pub fn polls_per_window(&self, timing: &Timing) -> u8 {
        let usual = timing.polls_per_window;
        let windows = f64::from(timing.failure_threshold.get() - 1);
        if usual == 0 || windows == 0.0 || self.loss < POLLED_MORE_FROM {
            return usual;
        }
        let chance = |loss: f64, polls: u8| {
            let unanswered = 1.0 - (1.0 - loss) * (1.0 - loss);
            loss.ln() + f64::from(polls) * windows * unanswered.ln()
        };
        let wanted = chance(USUAL_LOSS, usual);
        let most = MOST_POLLS.max(usual);
        (usual..most).find(|&polls| chance(self.loss, polls) <= wanted).unwrap_or(most)
    }

    /// The smoothed round trip time, once measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// A new incarnation counts its datagrams anew.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// A fresh datagram arrived.
    pub fn arrived(&mut self, sequence: Sequence) -> Option<LossChange> {
        if sequence <= self.newest {
            // It was counted as lost, and was only late.
            self.loss = (self.loss - WEIGHT).max(0.0);
            return self.judge();
        }
        let gap = if self.newest == Sequence::default() { 0 } else { sequence.0 - self.newest.0 - 1 };
        let gap = if std::mem::take(&mut self.forgiving) { 0 } else { gap };
        for _ in 0..gap.min(LONGEST_GAP) {
            self.loss += WEIGHT * (1.0 - self.loss);
        }
        self.loss -= WEIGHT * self.loss;
        self.newest = sequence;
        self.judge()
    }

    fn judge(&mut self) -> Option<LossChange> {
        if !self.degraded && self.loss >= DEGRADED_FROM {
            self.degraded = true;
            return Some(LossChange::Degraded);
        }
        if self.degraded && self.loss <= RECOVERED_AT {
            self.degraded = false;
            return Some(LossChange::Recovered);
        }
        None
    }

    /// The silence before this datagram was judged as silence: what was lost in it is not counted again.
    pub fn resume(&mut self, sequence: Sequence) {
        self.newest = self.newest.max(Sequence(sequence.0.saturating_sub(1)));
    }

    /// Datagrams were lost here, after they had arrived: the next gap is no loss of the link.
    pub fn forgive(&mut self) {
        self.forgiving = true;
    }

    /// A datagram left.
    pub fn sent(&mut self, sequence: Sequence, now: Now) {
        if let Some(slot) = self.sent.get_mut(sequence.0 as usize % REMEMBERED) {
            *slot = (sequence, now);
        }
    }

    /// An echo came back: returns one sample of the round trip time, if its datagram is still remembered.
    pub fn echoed(&mut self, echo: Echo, now: Now) -> Option<Duration> {
        let &(sequence, sent_at) = self.sent.get(echo.sequence.0 as usize % REMEMBERED)?;
        if echo.sequence == Sequence::default() || sequence != echo.sequence {
            return None;
        }
        let sample = now.since(sent_at).saturating_sub(echo.delay);
        self.rtt = Some(self.rtt.map_or(sample, |smoothed| smoothed / 8 * 7 + sample / 8));
        Some(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_follows_the_share_of_missing_numbers() {
        let mut quality = Quality::default();
        for sequence in (1..20_000).filter(|sequence| sequence % 5 != 0) {
            quality.arrived(Sequence(sequence));
        }
        assert!((quality.loss() - 0.2).abs() < 0.03, "{}", quality.loss());
        assert!(quality.is_degraded());
    }

    /// The smallest k, by hand: k ≥ (3·2·ln 0.0199 + ln 0.01 − ln p) / (2·ln(1 − (1 − p)²)).
    #[test]
    fn a_window_has_as_many_polls_as_keep_false_downs_as_rare_as_at_one_percent() {
        let timing = Timing::of_period(Duration::from_secs(1));
        for (loss, polls) in [(0.0, 3), (0.01, 3), (0.049, 3), (0.05, 6), (0.1, 8), (0.15, 11), (0.2, 12), (0.9, 12)] {
            let quality = Quality { loss, ..Quality::default() };
            assert_eq!(quality.polls_per_window(&timing), polls, "{loss}");
        }
    }

    #[test]
    fn who_chose_no_polls_gets_none_and_one_failure_needs_none_more() {
        let (usual, lossy) = (Timing::of_period(Duration::from_secs(1)), Quality { loss: 0.2, ..Quality::default() });
        assert_eq!(lossy.polls_per_window(&Timing { polls_per_window: 0, ..usual }), 0);
        let one = std::num::NonZeroU8::MIN;
        assert_eq!(lossy.polls_per_window(&Timing { failure_threshold: one, ..usual }), 3);
    }

    #[test]
    fn a_datagram_that_was_only_late_is_not_lost() {
        let mut quality = Quality::default();
        for sequence in [1, 3, 2, 5, 4, 7, 6] {
            quality.arrived(Sequence(sequence));
        }
        assert!(quality.loss() < 1e-3);
    }

    #[test]
    fn the_time_that_the_peer_kept_the_echo_is_not_round_trip_time() {
        let mut quality = Quality::default();
        let at = |milliseconds| Now::at(Duration::from_millis(milliseconds));
        quality.sent(Sequence(9), at(100));
        quality.echoed(Echo { sequence: Sequence(9), delay: Duration::from_millis(500) }, at(603));
        assert_eq!(quality.rtt(), Some(Duration::from_millis(3)));
    }
}
