//! Freshness: which run of a peer speaks, and whether this datagram was seen before.
//!
//! A new incarnation counts only after it answered a random challenge; sequence numbers have a window of 64. So
//! nothing that somebody recorded changes any state when it is sent again.

use crate::identity::{Incarnation, Sequence};
use crate::wire::Nonce;

/// What freshness says of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is new, and of the run that was verified.
    Fresh,
    /// It is new, and just proved that its run is alive. What came before, if anything did, is over.
    Verified {
        /// The run that was verified before.
        before: Option<Incarnation>,
    },
    /// A run that has not answered a challenge.
    Unverified,
    /// A run older than the one that was verified.
    StaleIncarnation,
    /// Seen before, or too old to tell.
    Replayed,
}

/// What a datagram proves about its run being alive now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
    /// It carries this answer.
    Answer(Nonce),
    /// It solved a challenge that was put at an address, which was looked at before.
    AtAddress,
}

/// The last 64 sequence numbers of one incarnation.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    newest: Sequence,
    /// Bit i: newest − i was seen.
    seen: u64,
}

impl Window {
    /// The window of a run that proved itself with this number. What it said before was refused, and may have been
    /// recorded: it is never fresh.
    fn beginning_at(newest: Sequence) -> Self {
        Self { newest, seen: u64::MAX }
    }

    fn admit(&mut self, sequence: Sequence) -> bool {
        if sequence > self.newest {
            let shift = sequence.0 - self.newest.0;
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.newest = sequence;
            return true;
        }
        let age = self.newest.0 - sequence.0;
        let fresh = age < 64 && self.seen >> age & 1 == 0;
        if fresh {
            self.seen |= 1 << age;
        }
        fresh
    }
}

/// The freshness of one peer.
#[derive(Clone, Debug, Default)]
pub struct Session {
    verified: Option<Incarnation>,
    window: Window,
    challenge: Option<Nonce>,
}

impl Session {
    /// The run of the peer that answered a challenge.
    pub fn verified(&self) -> Option<Incarnation> {
        self.verified
    }

    /// The newest sequence number seen of that run.
    pub fn newest(&self) -> Sequence {
        self.window.newest
    }

    /// The challenge under way, made anew only when the last was answered: every repetition of it may be the answer.
    pub fn challenge(&mut self, make: impl FnOnce() -> Nonce) -> Nonce {
        *self.challenge.get_or_insert_with(make)
    }

    /// Judges a datagram that is authentic. `proof`: what it says about a challenge.
    pub fn admit(&mut self, incarnation: Incarnation, sequence: Sequence, proof: Proof) -> Admission {
        let before = self.verified;
        if before == Some(incarnation) {
            return if self.window.admit(sequence) { Admission::Fresh } else { Admission::Replayed };
        }
        if before.is_some_and(|before| incarnation < before) {
            return Admission::StaleIncarnation;
        }
        match proof {
            Proof::None => return Admission::Unverified,
            Proof::Answer(answer) if Some(answer) != self.challenge => return Admission::Unverified,
            Proof::Answer(_) => self.challenge = None,
            Proof::AtAddress => {}
        }
        self.verified = Some(incarnation);
        self.window = Window::beginning_at(sequence);
        Admission::Verified { before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Incarnation = Incarnation(7);
    const NONCE: Nonce = Nonce([1; 16]);

    fn verified() -> Session {
        let mut session = Session::default();
        session.challenge(|| NONCE);
        assert_eq!(session.admit(RUN, Sequence(1), Proof::Answer(NONCE)), Admission::Verified { before: None });
        session
    }

    #[test]
    fn a_number_is_fresh_once() {
        let mut session = verified();
        for (sequence, expected) in [
            (1, Admission::Replayed),
            (100, Admission::Fresh),
            (100, Admission::Replayed),
            (37, Admission::Fresh),
            (36, Admission::Replayed),
            (99, Admission::Fresh),
            (99, Admission::Replayed),
        ] {
            assert_eq!(session.admit(RUN, Sequence(sequence), Proof::None), expected, "{sequence}");
        }
    }

    #[test]
    fn what_a_run_said_before_it_proved_itself_is_never_fresh() {
        let mut session = Session::default();
        session.challenge(|| NONCE);
        assert_eq!(session.admit(RUN, Sequence(1), Proof::None), Admission::Unverified);
        assert_eq!(session.admit(RUN, Sequence(5), Proof::Answer(NONCE)), Admission::Verified { before: None });
        for sequence in 1..=5 {
            assert_eq!(session.admit(RUN, Sequence(sequence), Proof::None), Admission::Replayed, "{sequence}");
        }
        assert_eq!(session.admit(RUN, Sequence(6), Proof::None), Admission::Fresh);
    }

    #[test]
    fn an_incarnation_counts_only_after_it_answered_the_challenge() {
        let mut session = verified();
        let new = Incarnation(8);
        assert_eq!(session.admit(new, Sequence(1), Proof::None), Admission::Unverified);
        assert_eq!(session.admit(new, Sequence(2), Proof::Answer(NONCE)), Admission::Unverified, "an old answer");
        session.challenge(|| Nonce([2; 16]));
        assert_eq!(session.admit(new, Sequence(3), Proof::Answer(NONCE)), Admission::Unverified);
        let answered = session.admit(new, Sequence(4), Proof::Answer(Nonce([2; 16])));
        assert_eq!(answered, Admission::Verified { before: Some(RUN) });
        assert_eq!(session.admit(RUN, Sequence(999), Proof::None), Admission::StaleIncarnation);
    }
}
