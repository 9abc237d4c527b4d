//! Addresses at which somebody may be, and nobody is known to be yet: they are said hello to, each with a challenge of its
//! own, and who answers it is there.
//!
//! They come from a discovery that knows no names, from a list or a hello that puts a known node elsewhere, and from
//! introductions. Until the answer comes nothing changes: a peer that moved is still tried where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Detector;
use super::settings::Member;
use super::strangers::reachable;
use super::time::Now;
use super::transmit::fresh_nonce;
use crate::identity::{NodeId, Sequence};
use crate::wire::{Block, Hello, Introduction, Nonce};

/// How many addresses are tried at once: a DNS answer holds about 4,000.
const MOST: usize = 5_000;

/// How many addresses of one node are tried at once.
const MOST_OF_ONE: usize = 2;

/// For how long an address is tried that no list has.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one is left alone that says again and again where it is.
const REST: Duration = Duration::from_secs(1);

/// How often an address is tried that has not answered for so long.
const RARELY: Duration = Duration::from_secs(30);

/// The addresses.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    by_address: BTreeMap<SocketAddr, Contact>,
    next: Option<Now>,
}

/// Why an address is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The discovery lists it and knows no name.
    Unnamed,
    /// The discovery lists this node of the roster there now.
    Moved(NodeId),
    /// It says so itself in a hello, which may be a recording: it is called once for each.
    Says(NodeId),
    /// This member of the electorate is said to be there.
    Introduced(NodeId),
}

#[derive(Clone, Debug)]
struct Contact {
    reason: Reason,
    nonce: Option<Nonce>,
    named: Option<NodeId>,
    since: Now,
    next: Now,
}

impl Reason {
    fn expects(self) -> Option<NodeId> {
        match self {
            Self::Unnamed => None,
            Self::Moved(id) | Self::Says(id) | Self::Introduced(id) => Some(id),
        }
    }
}

impl Contact {
    fn expects(&self) -> Option<NodeId> {
        self.reason.expects()
    }
}

impl Contacts {
    /// When the next address is due.
    pub(super) fn next(&self) -> Option<Now> {
        self.next
    }

    /// Whether a listed address has no name yet.
    pub(super) fn has_unnamed(&self) -> bool {
        self.unnamed() > 0
    }

    /// How many listed addresses have no name yet.
    pub(super) fn unnamed(&self) -> usize {
        let unnamed = |contact: &&Contact| contact.reason == Reason::Unnamed && contact.named.is_none();
        self.by_address.values().filter(unnamed).count()
    }

    /// Who answered at a listed address.
    pub(super) fn name_of(&self, address: SocketAddr) -> Option<NodeId> {
        self.by_address.get(&address)?.named
    }

    /// The listed addresses at which a node answered.
    pub(super) fn addresses_of(&self, id: NodeId) -> impl Iterator<Item = SocketAddr> {
        self.by_address.iter().filter(move |(_, contact)| contact.named == Some(id)).map(|(&address, _)| address)
    }

    /// Whether a node is being tried somewhere.
    pub(super) fn expects(&self, id: NodeId) -> bool {
        self.by_address.values().any(|contact| contact.expects() == Some(id))
    }

    fn add(&mut self, address: SocketAddr, reason: Reason, first: Now) {
        let says = matches!(reason, Reason::Says(_));
        let known = self.by_address.get_mut(&address).filter(|contact| {
            contact.reason == reason || says && contact.named.is_none() && contact.expects() == reason.expects()
        });
        if let Some(known) = known {
            if says && known.reason == reason {
                // Its answer to the call says it again.
                let again = first.max(known.next - PATIENCE + REST);
                known.next = known.next.min(again);
                self.next = Some(self.next.map_or(again, |next| next.min(again)));
            }
            return;
        }
        let of_one = |id| self.by_address.values().filter(|contact| contact.expects() == Some(id)).count();
        let expected = Contact { reason, nonce: None, named: None, since: first, next: first };
        let crowded = expected.expects().is_some_and(|id| of_one(id) >= MOST_OF_ONE);
        if !crowded && self.by_address.len() < MOST {
            self.by_address.insert(address, expected);
            self.next = Some(self.next.map_or(first, |next| next.min(first)));
        }
    }

    /// No address that is still tried waits longer than this for its next hello.
    pub(super) fn hasten(&mut self, latest: Now) {
        let waits = |contact: &&mut Contact| contact.named.is_none() && !matches!(contact.reason, Reason::Says(_));
        for contact in self.by_address.values_mut().filter(waits) {
            contact.next = contact.next.min(latest);
        }
        self.next = self.next.map(|next| next.min(latest));
    }

    /// Somebody solved a challenge: at which address it was put, if it was put at one.
    pub(super) fn answered(&mut self, answer: Nonce, by: NodeId) -> Option<SocketAddr> {
        let (&address, contact) = self.by_address.iter_mut().find(|(_, contact)| contact.nonce == Some(answer))?;
        if contact.expects().is_some_and(|id| id != by) {
            return None;
        }
        contact.nonce = None;
        contact.named = Some(by);
        if contact.reason != Reason::Unnamed {
            self.by_address.remove(&address);
        }
        Some(address)
    }

    /// Whether this challenge is one of ours that came back unsolved: then its address is our own.
    pub(super) fn is_own_echo(&mut self, challenge: Nonce, me: NodeId) -> bool {
        let found = self.by_address.values_mut().find(|contact| contact.nonce == Some(challenge));
        found.is_some_and(|contact| {
            contact.nonce = None;
            contact.named = Some(me);
            true
        })
    }
}

impl Detector {
    /// The discovery lists these addresses without names.
    pub(super) fn look_for_unnamed(&mut self, addresses: Vec<SocketAddr>, now: Now) {
        let listed: BTreeSet<SocketAddr> = addresses.into_iter().collect();
        let contacts = &mut self.contacts;
        contacts.by_address.retain(|address, contact| contact.reason != Reason::Unnamed || listed.contains(address));
        let new: Vec<SocketAddr> =
            listed.into_iter().filter(|address| !contacts.by_address.contains_key(address)).collect();
        let (period, count) = (self.timing.period, u32::try_from(new.len()).unwrap_or(u32::MAX).max(1));
        for (turn, address) in (0..).zip(new) {
            self.contacts.add(address, Reason::Unnamed, now + period * turn / count);
        }
    }

    /// The discovery lists these nodes: some may be elsewhere than before.
    pub(super) fn look_for_moved(&mut self, members: &[Member], now: Now) {
        for member in members {
            let id = NodeId::of(&self.settings.cluster, &member.name);
            let place = self.place_of(id).filter(|&place| place != self.me);
            if place.is_some_and(|place| self.peers[place].address != member.address) {
                self.contacts.add(member.address, Reason::Moved(id), now);
            }
        }
    }

    /// A peer that is not heard where it was, or a second agent of its name, says in its hello where it is.
    pub(super) fn look_where_it_says(&mut self, place: usize, hello: &Hello, seen: IpAddr, is_rival: bool, now: Now) {
        let (peer, address) = (&self.peers[place], reachable(hello.address, seen));
        if peer.address != address && (!peer.link.is_up() || is_rival) && !address.ip().is_unspecified() {
            self.contacts.add(address, Reason::Says(peer.id), now);
        }
    }

    /// A peer introduced a node that this agent asked for.
    pub(super) fn meet(&mut self, node: &Introduction, now: Now) {
        let id = NodeId::of(&self.settings.cluster, &node.name);
        let is_member = self.ballot.newest().is_some_and(|newest| newest.electorate.has(id));
        if is_member && self.place_of(id).is_none() {
            self.contacts.add(node.address, Reason::Introduced(id), now);
        }
    }

    /// Says hello at every address that is due.
    pub(super) fn call_contacts(&mut self, now: Now) {
        if self.contacts.next.is_none_or(|due| now < due) {
            return;
        }
        self.name_the_heard();
        self.contacts
            .by_address
            .retain(|_, contact| contact.reason == Reason::Unnamed || now.since(contact.since) < PATIENCE);
        let due: Vec<SocketAddr> = self
            .contacts
            .by_address
            .iter()
            .filter(|(_, contact)| contact.named.is_none() && contact.next <= now)
            .map(|(&address, _)| address)
            .collect();
        for address in due {
            self.call(address, now);
        }
        let open = self.contacts.by_address.values().filter(|contact| contact.named.is_none());
        // A little later than due: those that are due together cost one pass.
        let pause = self.timing.timeout / 8;
        self.contacts.next = open.map(|contact| contact.next).min().map(|next| next.max(now + pause));
    }

    /// A listed address of a peer that is heard there needs no hello.
    fn name_the_heard(&mut self) {
        let heard = self.peers.iter().filter(|peer| peer.link.is_up()).map(|peer| (peer.address, peer.id));
        let heard: BTreeMap<SocketAddr, NodeId> = heard.collect();
        for (address, contact) in &mut self.contacts.by_address {
            if contact.reason == Reason::Unnamed && contact.named.is_none() {
                contact.named = heard.get(address).copied();
            }
        }
    }

    fn call(&mut self, address: SocketAddr, now: Now) {
        let (period, hello) = (self.timing.period, self.hello());
        let Some(contact) = self.contacts.by_address.get_mut(&address) else { return };
        let random = &mut self.random;
        let nonce = *contact.nonce.get_or_insert_with(|| fresh_nonce(random));
        let pause = match contact.reason {
            Reason::Says(_) => PATIENCE,
            _ if now.since(contact.since) < PATIENCE => period,
            _ => RARELY.max(period),
        };
        contact.next = now + pause;
        let expected = contact.expects();
        let sequence = expected.and_then(|id| self.place_of(id)).map_or(Sequence(1), |place| {
            let peer = &mut self.peers[place];
            peer.sequence = Sequence(peer.sequence.0 + 1);
            peer.sequence
        });
        let receiver = expected.unwrap_or(NodeId::ANYONE);
        self.send_hello_to(address, receiver, sequence, vec![hello, Block::Challenge(nonce)]);
    }

    /// A peer proved that it is at this address.
    pub(super) fn found_at(&mut self, place: usize, address: SocketAddr) {
        let current = self.peers[place].address;
        let still_listed = self.contacts.name_of(current) == Some(self.peers[place].id);
        // One that is heard where it was has two addresses.
        if current == address
            || self.contacts.name_of(address).is_some() && still_listed && self.peers[place].link.is_up()
        {
            return;
        }
        let id = self.peers[place].id;
        self.addresses.remove(&(self.peers[place].address, id));
        self.addresses.insert((address, id));
        self.peers[place].move_to(address);
        self.keeping.want();
        self.roster_version += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7475);
    const NONCE: Nonce = Nonce([3; 16]);

    fn called(reason: Reason) -> Contacts {
        let mut contacts = Contacts::default();
        contacts.add(HERE, reason, Now::START);
        contacts.by_address.get_mut(&HERE).unwrap().nonce = Some(NONCE);
        contacts
    }

    #[test]
    fn who_solves_the_challenge_of_an_address_is_there() {
        let mut contacts = called(Reason::Unnamed);
        assert_eq!(contacts.answered(Nonce([4; 16]), NodeId(7)), None);
        assert!(contacts.has_unnamed());
        assert_eq!(contacts.answered(NONCE, NodeId(7)), Some(HERE));
        assert_eq!((contacts.name_of(HERE), contacts.has_unnamed()), (Some(NodeId(7)), false));
        assert_eq!(contacts.answered(NONCE, NodeId(7)), None, "sent again it proves nothing");
    }

    #[test]
    fn nobody_else_moves_a_node() {
        let mut contacts = called(Reason::Moved(NodeId(7)));
        assert_eq!(contacts.answered(NONCE, NodeId(8)), None);
        assert_eq!(contacts.answered(NONCE, NodeId(7)), Some(HERE));
    }

    #[test]
    fn an_address_that_echoes_our_own_challenge_is_our_own() {
        let mut contacts = called(Reason::Unnamed);
        assert!(contacts.is_own_echo(NONCE, NodeId(1)));
        assert_eq!(contacts.name_of(HERE), Some(NodeId(1)));
    }
}
