//! Whether UDP is blocked here: many peers fall silent at once, and their ports go on taking connections.
//!
//! Then the silence is this agent's own matter. It is blind until one of them is heard again, and blames nobody.

use super::Detector;
use super::event::{AgentDownCause, BlindCause, Event};
use super::evidence::Sign;
use super::row::Cell;
use super::time::Now;

/// Fewer peers than this may well be in trouble by themselves.
const LEAST: usize = 3;

/// What was found about the peers that fell silent together.
#[derive(Clone, Copy, Debug)]
struct Silence {
    /// The peers that were heard until then.
    peers: usize,
    /// How many of them fell silent.
    silent: usize,
    /// About how many of these an answer is known.
    answered: usize,
    /// How many of those take connections.
    accepting: usize,
}

impl Silence {
    /// At least three, and at least half of the peers: where not all were asked about, in proportion.
    fn is_my_own(self) -> bool {
        self.accepting >= LEAST && self.accepting * self.silent * 2 >= self.peers * self.answered
    }
}

impl Detector {
    /// Looks whether the silence of the peers is this agent's own matter.
    pub(super) fn judge_udp(&mut self, now: Now) {
        let accepting = self.inquiry.signs().filter(|&(_, sign)| accepts(sign)).count();
        if accepting < LEAST || self.health.is_udp_blocked() {
            return;
        }
        let silent = self.silent_together();
        let signs = || silent.iter().filter_map(|&place| self.inquiry.sign(self.peers[place].id));
        let heard = |place: &usize| *place != self.me && self.peers[*place].link.cell() == Cell::Up;
        let silence = Silence {
            peers: (0..self.peers.len()).filter(heard).count() + silent.len(),
            silent: silent.len(),
            answered: signs().count(),
            accepting: signs().filter(|&sign| accepts(sign)).count(),
        };
        if silence.is_my_own() {
            self.health.block_udp(silent.iter().map(|&place| self.peers[place].id).collect());
            self.publication.touch();
            self.view_is_old = true;
            self.emit_event(Event::Blind { cause: BlindCause::Udp });
            self.publication.hasten(now);
        }
    }

    /// The peers that are not heard, as far as they were heard last within one bound of the last of them. Nobody as long
    /// as no link is down among them: a burst of loss is none.
    fn silent_together(&self) -> Vec<usize> {
        let cell = |place: usize| self.peers[place].link.cell();
        let heard = |place: usize| self.peers[place].link.last_heard().unwrap_or(self.started);
        let silent: Vec<usize> =
            (0..self.peers.len()).filter(|&place| matches!(cell(place), Cell::Late | Cell::Down)).collect();
        let Some(last) = silent.iter().map(|&place| heard(place)).max() else { return Vec::new() };
        let bound = self.timing.detection_bound();
        let silent: Vec<usize> = silent.into_iter().filter(|&place| last.since(heard(place)) <= bound).collect();
        if silent.iter().any(|&place| cell(place) == Cell::Down) { silent } else { Vec::new() }
    }
}

fn accepts(sign: Sign) -> bool {
    matches!(sign, Sign::Runs | Sign::AgentDown(AgentDownCause::Stalled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_and_half_of_the_peers_must_take_connections() {
        let own = |peers, silent, answered, accepting| Silence { peers, silent, answered, accepting }.is_my_own();
        assert!(own(6, 3, 3, 3));
        assert!(!own(7, 3, 3, 3), "three of seven are not half");
        assert!(!own(4, 2, 2, 2), "two are too few");
        assert!(!own(6, 6, 6, 2));
        assert!(own(1_000, 1_000, 16, 8), "half of a sample");
        assert!(!own(1_000, 1_000, 16, 7));
    }
}
