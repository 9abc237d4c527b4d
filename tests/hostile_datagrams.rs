//! Datagrams that nobody sent, or somebody sent before: an agent among others takes its own, and what is made of them by
//! flipping bits, cutting, joining, sending them again. Nothing of that may panic, be answered, or change what it shows;
//! and a twin that sees only the real ones must do the same as it for ever after.
//!
//! 10⁷ in `make verify`, 10⁵ in `make test`; the table is in docs/verdict.md.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;
mod verify;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bodies::agents::{Agents, Arrived};
use netsplit::wire::{HEADER_SIZE, Key, Keys, MAX_DATAGRAM, Refusal, TAG_SIZE};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use verify::HOSTILE;

const NODES: usize = 5;

/// How many are put in before the agent is looked at.
const BATCH: usize = 250;

/// What is done with datagrams that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mischief {
    Flipped,
    Overwritten,
    Truncated,
    Extended,
    Joined,
    OtherKey,
    Noise,
    Repeated,
    Elsewhere,
}

impl Mischief {
    const ALL: [Self; 9] = [
        Self::Flipped,
        Self::Overwritten,
        Self::Truncated,
        Self::Extended,
        Self::Joined,
        Self::OtherKey,
        Self::Noise,
        Self::Repeated,
        Self::Elsewhere,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Flipped => "1 to 8 bits flipped",
            Self::Overwritten => "some bytes overwritten",
            Self::Truncated => "cut off",
            Self::Extended => "made longer",
            Self::Joined => "two joined",
            Self::OtherKey => "signed with another key",
            Self::Noise => "noise behind a real header",
            Self::Repeated => "sent again",
            Self::Elsewhere => "sent again from elsewhere",
        }
    }

    /// Whether the bytes stay those that a holder of the key signed.
    fn is_authentic(self) -> bool {
        matches!(self, Self::Repeated | Self::Elsewhere)
    }
}

/// Makes mischief, always the same of the same seed.
struct Villain {
    random: ChaCha8Rng,
    other: Keys,
}

impl Villain {
    fn new() -> Self {
        let other = Keys::oldest_first(vec![Key::new(&[0xa5; 32])]).unwrap();
        Self { random: ChaCha8Rng::seed_from_u64(6), other }
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.next_u64() % limit.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.random.next_u32().to_le_bytes()[0]
    }

    fn pick(&mut self, arrived: &[Arrived]) -> Arrived {
        // Most of what arrived long ago is like what arrived now.
        let newest = arrived.len().min(500);
        let at = arrived.len() - newest + self.below(newest);
        arrived[at].clone()
    }

    /// A datagram that is made of real ones, and where it comes from.
    fn make(&mut self, mischief: Mischief, arrived: &[Arrived]) -> Arrived {
        let Arrived { mut from, mut bytes } = self.pick(arrived);
        match mischief {
            Mischief::Flipped => (0..=self.below(8)).for_each(|_| {
                let bit = self.below(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }),
            Mischief::Overwritten => (0..=self.below(16)).for_each(|_| {
                let at = self.below(bytes.len());
                bytes[at] = self.byte();
            }),
            Mischief::Truncated => bytes.truncate(self.below(bytes.len())),
            Mischief::Extended => {
                let more = 1 + self.below(MAX_DATAGRAM - bytes.len() + 10);
                bytes.extend((0..more).map(|_| self.byte()));
            }
            Mischief::Joined => {
                let other = self.pick(arrived).bytes;
                let at = 1 + self.below(bytes.len().min(other.len()) - 1);
                bytes.splice(at.., other[at..].iter().copied());
            }
            Mischief::OtherKey => bytes = self.sign_anew(bytes),
            Mischief::Noise => {
                bytes.truncate(HEADER_SIZE);
                let more = TAG_SIZE + self.below(MAX_DATAGRAM - HEADER_SIZE - TAG_SIZE);
                bytes.extend((0..more).map(|_| self.byte()));
            }
            Mischief::Repeated => {}
            Mischief::Elsewhere => from = SocketAddr::from((Ipv4Addr::from(self.random.next_u32()), 7475)),
        }
        Arrived { from, bytes }
    }

    /// The same with the tag of a key that the agent does not hold, under the id of the one that it holds.
    fn sign_anew(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let receiver = netsplit::identity::NodeId(u64::from_be_bytes(bytes[16..24].try_into().unwrap()));
        let opened = netsplit::wire::open(&bytes, receiver, &Keys::insecure()).unwrap();
        let id = bytes[1];
        netsplit::wire::seal(&opened.datagram, opened.stamp, &self.other, None, &mut bytes).unwrap();
        bytes[1] = id;
        bytes
    }
}

/// What came of one kind of mischief.
#[derive(Clone, Debug, Default)]
struct Outcome {
    datagrams: u64,
    refused: BTreeMap<&'static str, u64>,
}

/// Puts so many in, and looks at the agent before and after.
fn put_in(agents: &mut Agents, villain: &mut Villain, mischief: Mischief, count: usize, outcome: &mut Outcome) {
    let before = agents.shown();
    let made: Vec<Arrived> = (0..count).map(|_| villain.make(mischief, &agents.arrived)).collect();
    for Arrived { from, bytes } in &made {
        // Mischief may undo itself: two bits flipped twice.
        let is_real =
            !mischief.is_authentic() && agents.arrived.iter().rev().take(600).any(|real| real.bytes == *bytes);
        let reason = match agents.put_in(bytes, *from) {
            Ok(()) => {
                assert!(mischief.is_authentic() || is_real, "{mischief:?} opened: {bytes:02x?}");
                "replayed"
            }
            Err(refusal) => {
                assert!(!matches!(refusal, Refusal::NewerVersion(_)), "{mischief:?} is believed: {bytes:02x?}");
                refusal.as_str()
            }
        };
        *outcome.refused.entry(reason).or_default() += 1;
        outcome.datagrams += 1;
    }
    let outputs = agents.outputs();
    assert!(outputs.is_empty(), "{mischief:?} made the agent do {:?}", outputs[0]);
    assert_eq!(agents.shown(), before, "{mischief:?} changed what the agent shows: {made:02x?}");
}

#[test]
fn ten_million_datagrams_that_are_wrong_or_old_change_nothing() {
    let rounds: usize = verify::size(12, 1_112);
    let (mut agents, mut villain) = (Agents::with_twin(NODES), Villain::new());
    let mut outcomes: BTreeMap<Mischief, Outcome> = BTreeMap::new();
    // Past the handshakes: an answer that is repeated before the agent has it again is not old.
    agents.run_for(Duration::from_secs(1));
    for round in 0..rounds {
        // Whole, cut, and whole again, at another moment of each.
        agents.is_cut = round % 40 >= 20;
        for mischief in Mischief::ALL {
            agents.run_for(Duration::from_millis(23));
            let outcome = outcomes.entry(mischief).or_default();
            (0..4).for_each(|_| put_in(&mut agents, &mut villain, mischief, BATCH, outcome));
            assert_eq!(agents.shown(), agents.shown_by_twin(), "the twin, which saw none of it, shows something else");
        }
    }
    agents.run_for(Duration::from_secs(10));
    assert_eq!(agents.shown(), agents.shown_by_twin());
    tell(&outcomes);
}

fn tell(outcomes: &BTreeMap<Mischief, Outcome>) {
    let expected = verify::size(100_000_u64, 10_000_000);
    assert!(outcomes.values().map(|outcome| outcome.datagrams).sum::<u64>() >= expected);
    for (mischief, Outcome { datagrams, refused }) in outcomes {
        let reasons: Vec<_> = refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let cells = [mischief.name().to_owned(), datagrams.to_string(), reasons.join(", "), "0".into(), "0".into()];
        eprintln!("{cells:?}");
        HOSTILE.row(&cells);
    }
}
