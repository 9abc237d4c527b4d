//! The first electorate: whom the discovery lists, once all of them were there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::Detector;
use super::electorate::Electorate;
use super::membership::Listed;
use super::time::Now;
use crate::identity::NodeId;

/// How many names it is told that are waited for.
const NAMED: usize = 10;

impl Detector {
    /// The first electorate is the list of the discovery, heard or not, if nobody who is heard has one. It is founded
    /// when it was whole once.
    pub(super) fn found_electorate(&mut self, now: Now) {
        let too_early = !self.has_begun(now);
        let Some(listing) = self.membership.listing.as_ref().filter(|_| !too_early) else { return };
        let Some(newest) = self.ballot.newest() else {
            if !self.peers.iter().any(|peer| peer.link.is_up() && peer.electorate.is_some()) {
                let first = self.first_electorate(listing);
                self.adopt_electorate(first, now);
            }
            return;
        };
        let founding = &newest.electorate;
        let joining = self.who_may_join(founding, now);
        let leaving: Vec<NodeId> = founding.members().filter(|&id| self.is_gone(id, now)).collect();
        let everybody = self.count(newest, self.publication.side.published()).members == founding.names();
        let next = if everybody && self.has_all_listed(founding, listing) && self.knows_its_side(now) {
            founding.founded()
        } else if !leaving.is_empty() {
            founding.changed(&joining, &leaving).with_lower_floor()
        } else if !joining.is_empty() {
            founding.changed(&joining, &[])
        } else if self.membership.is_floor_gone() && is_too_high(founding, listing) {
            founding.with_floor(listed_or_named(founding, listing))
        } else {
            return;
        };
        self.adopt_electorate(next, now);
    }

    /// More are waited for than the list still has addresses: an address without a name can be missed by its number alone.
    pub(super) fn note_floor(&mut self, now: Now) {
        let founding = self.ballot.newest().map(|newest| &newest.electorate);
        let both = founding.zip(self.membership.listing.as_ref());
        let is_missing = both.is_some_and(|(founding, listing)| is_too_high(founding, listing));
        let since = self.membership.floor_missing.filter(|_| is_missing);
        self.membership.floor_missing = since.or(is_missing.then_some(now));
    }

    fn first_electorate(&self, listing: &Listed) -> Electorate {
        let unnamed = self.contacts.has_unnamed();
        let heard = self.peers.iter().filter(|peer| unnamed && peer.link.is_up()).map(|peer| peer.id);
        let ids: BTreeSet<NodeId> = listing.ids.iter().copied().chain([self.id]).chain(heard).collect();
        let floor = if unnamed { ids.len().max(listing.addresses.len()) } else { ids.len() };
        Electorate::first(ids, u16::try_from(floor).unwrap_or(u16::MAX))
    }

    /// Whom the foundation waits for.
    pub(super) fn awaited(&self) -> Vec<String> {
        let Some(newest) = self.ballot.newest().filter(|newest| newest.electorate.is_in_foundation()) else {
            return Vec::new();
        };
        let mut absent = newest.places.clone();
        let side = self.publication.side.published();
        if absent.len() == side.len() {
            absent.remove(side);
        }
        let mut names = self.names_of(&absent);
        names.sort();
        names.truncate(NAMED);
        let unnamed = self.contacts.unnamed();
        names.extend((unnamed > 0).then(|| format!("{unnamed} listed without a name")));
        names
    }

    /// Whether everybody whom the discovery lists is known by name and belongs, or was forgotten here.
    fn has_all_listed(&self, electorate: &Electorate, listing: &Listed) -> bool {
        let heard = self.peers.iter().filter(|peer| peer.link.is_up()).map(|peer| (peer.address, peer.id));
        let heard: BTreeMap<SocketAddr, NodeId> = heard.collect();
        let name_of = |address| heard.get(&address).copied().or_else(|| self.contacts.name_of(address));
        let forgotten = &self.membership.forgotten;
        let is_in = |id| electorate.has(id) || electorate.has_removed(id) && forgotten.contains(&id);
        !is_too_high(electorate, listing)
            && listing.ids.iter().copied().all(is_in)
            && listing.unnamed.iter().all(|&address| name_of(address).is_some_and(is_in))
    }
}

/// How many nodes there may be at the most, by their names or their addresses.
fn listed_or_named(electorate: &Electorate, listing: &Listed) -> usize {
    electorate.names().max(listing.addresses.len())
}

/// Whether it waits for more nodes than there may be.
fn is_too_high(electorate: &Electorate, listing: &Listed) -> bool {
    usize::from(electorate.floor().members) > listed_or_named(electorate, listing)
}
