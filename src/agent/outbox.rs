//! The way out: the key that the receiver understands, the seal, the socket. One buffer serves all.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::socket_faults::SocketFaults;
use crate::detector::time::Now;
use crate::hlc::Stamp;
use crate::identity::{Incarnation, NodeId, Sequence};
use crate::network::Network;
use crate::wire::{self, Datagram, KeyId, Keys, MAX_DATAGRAM};

/// How many senders that the detector has not verified yet are remembered: who knows a key could otherwise invent names
/// without end. A hello is answered within milliseconds, and a roster of this size starts at once.
const MOST_UNVERIFIED: usize = 4096;

/// What an authentic datagram says of its sender's keys, and when in the life of that sender it said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The run of the sender.
    pub(super) run: Incarnation,
    /// The datagram's number in it.
    pub(super) sequence: Sequence,
    /// The newest key that the sender holds.
    pub(super) newest_key: KeyId,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    heard: Heard,
    is_verified: bool,
}

/// Seals and sends.
pub(super) struct Outbox {
    keys: Keys,
    /// What each sender said last of its newest key. Of those that are not verified yet there are at most
    /// [`MOST_UNVERIFIED`].
    heard: BTreeMap<NodeId, Known>,
    unverified: usize,
    buffer: Vec<u8>,
    pub(super) faults: SocketFaults,
}

/// The datagram did not leave. It was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotSent;

impl Outbox {
    pub(super) fn new(keys: Keys) -> Self {
        let buffer = Vec::with_capacity(MAX_DATAGRAM);
        Self { keys, heard: BTreeMap::new(), unverified: 0, buffer, faults: SocketFaults::default() }
    }

    /// A sender said which key is its newest, in an authentic datagram; `is_fresh` if the detector found it fresh.
    ///
    /// What is fresh counts. What is not yet counts too if it is later than all that was heard: a run that starts in
    /// the middle of a rotation, or after one was taken back, is verified only if it understands the challenge. What
    /// somebody recorded is never later, for a run only grows, and so do the numbers in it.
    pub(super) fn learn_key(&mut self, sender: NodeId, heard: Heard, is_fresh: bool) {
        let before = self.heard.get(&sender);
        let is_later =
            before.is_none_or(|before| (heard.run, heard.sequence) > (before.heard.run, before.heard.sequence));
        let was_unverified = before.is_some_and(|before| !before.is_verified);
        let has_room = before.is_some() || self.unverified < MOST_UNVERIFIED;
        if is_fresh || is_later && has_room {
            let is_verified = is_fresh || before.is_some_and(|before| before.is_verified);
            self.heard.insert(sender, Known { heard, is_verified });
            self.unverified = self.unverified + usize::from(!is_verified) - usize::from(was_unverified);
        }
    }

    /// Only who belongs is remembered.
    pub(super) fn forget_all_but(&mut self, belongs: impl Fn(NodeId) -> bool) {
        self.heard.retain(|&sender, _| belongs(sender));
        self.unverified = self.heard.values().filter(|known| !known.is_verified).count();
    }

    /// From now on these keys sign.
    pub(super) fn change_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// Whether one of the keys has this id; or none is needed.
    pub(super) fn holds(&self, key: KeyId) -> bool {
        self.keys.is_insecure() || self.keys.holds(key)
    }

    pub(super) fn send(
        &mut self,
        network: &mut impl Network,
        to: SocketAddr,
        datagram: &Datagram,
        stamp: Stamp,
        now: Now,
    ) -> Result<(), NotSent> {
        let newest = self.heard.get(&datagram.receiver).map(|known| known.heard.newest_key);
        if let Err(error) = wire::seal(datagram, stamp, &self.keys, newest, &mut self.buffer) {
            tracing::error!(%error, "a datagram did not fit: this is a fault in netsplit, please report it");
            return Err(NotSent);
        }
        network.send(to, &self.buffer, now).map_err(|error| {
            self.faults.tell("send", &error, now);
            NotSent
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Key;

    fn outbox() -> Outbox {
        Outbox::new(Keys::oldest_first(vec![Key::new(&[1; 32])]).unwrap())
    }

    fn heard(run: u64, sequence: u32, key: u8) -> Heard {
        Heard { run: Incarnation(run), sequence: Sequence(sequence), newest_key: KeyId(key) }
    }

    fn key_of(outbox: &Outbox, peer: NodeId) -> Option<KeyId> {
        outbox.heard.get(&peer).map(|known| known.heard.newest_key)
    }

    const PEER: NodeId = NodeId(2);

    #[test]
    fn a_new_run_says_its_key_before_it_is_verified() {
        let mut outbox = outbox();
        outbox.learn_key(PEER, heard(5, 100, 20), true);
        outbox.learn_key(PEER, heard(6, 1, 10), false);
        assert_eq!(key_of(&outbox, PEER), Some(KeyId(10)));
    }

    #[test]
    fn what_somebody_recorded_changes_no_key() {
        let mut outbox = outbox();
        outbox.learn_key(PEER, heard(5, 100, 20), true);
        for replayed in [heard(4, 900, 10), heard(5, 99, 10), heard(5, 100, 10)] {
            outbox.learn_key(PEER, replayed, false);
            assert_eq!(key_of(&outbox, PEER), Some(KeyId(20)), "{replayed:?}");
        }
    }

    #[test]
    fn what_is_fresh_ends_a_lie_about_a_later_run() {
        let mut outbox = outbox();
        outbox.learn_key(PEER, heard(u64::MAX, u32::MAX, 10), false);
        outbox.learn_key(PEER, heard(5, 1, 20), true);
        assert_eq!(key_of(&outbox, PEER), Some(KeyId(20)));
    }

    #[test]
    fn invented_names_fill_their_own_room_only() {
        let mut outbox = outbox();
        (0..10_000).for_each(|name| outbox.learn_key(NodeId(name), heard(1, 1, 10), false));
        assert_eq!(outbox.heard.len(), MOST_UNVERIFIED);
        let peer = NodeId(20_000);
        outbox.learn_key(peer, heard(1, 1, 20), true);
        assert_eq!(key_of(&outbox, peer), Some(KeyId(20)));
        outbox.forget_all_but(|id| id == peer || id == NodeId(3));
        assert_eq!((outbox.heard.len(), outbox.unverified), (2, 1));
        outbox.learn_key(NodeId(3), heard(1, 2, 20), true);
        assert_eq!(outbox.unverified, 0);
    }
}
