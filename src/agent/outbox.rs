//! The way out: the key that the receiver understands, the seal, the socket. One buffer serves all.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::socket_faults::SocketFaults;
use crate::detector::time::Now;
use crate::hlc::Stamp;
use crate::identity::NodeId;
use crate::network::Network;
use crate::wire::{self, Datagram, KeyId, Keys, MAX_DATAGRAM};

/// Seals and sends.
pub(super) struct Outbox {
    keys: Keys,
    /// The newest key that each peer said it holds. Only verified peers are in it, so it is no larger than the roster.
    newest: BTreeMap<NodeId, KeyId>,
    buffer: Vec<u8>,
    pub(super) faults: SocketFaults,
}

/// The datagram did not leave. It was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotSent;

impl Outbox {
    pub(super) fn new(keys: Keys) -> Self {
        let buffer = Vec::with_capacity(MAX_DATAGRAM);
        Self { keys, newest: BTreeMap::new(), buffer, faults: SocketFaults::default() }
    }

    /// A peer said which key is its newest, in a datagram that the detector found fresh.
    pub(super) fn learn_key(&mut self, peer: NodeId, newest: KeyId) {
        self.newest.insert(peer, newest);
    }

    pub(super) fn send(
        &mut self,
        network: &mut impl Network,
        to: SocketAddr,
        datagram: &Datagram,
        stamp: Stamp,
        now: Now,
    ) -> Result<(), NotSent> {
        let newest = self.newest.get(&datagram.receiver).copied();
        if let Err(error) = wire::seal(datagram, stamp, &self.keys, newest, &mut self.buffer) {
            tracing::error!(%error, "a datagram did not fit: this is a fault in netsplit, please report it");
            return Err(NotSent);
        }
        network.send(to, &self.buffer).map_err(|error| {
            self.faults.tell("send", &error, now);
            NotSent
        })
    }
}
