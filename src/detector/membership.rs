//! Who joins the electorate, who leaves it, and who leaves the roster with it.
//!
//! The discovery says who belongs, and its silence removes nobody: only lists that came, and went on coming, without a
//! node that nobody hears. A goodbye changes nothing here, and neither does time alone. Whoever changes the electorate
//! holds a majority of it, so that only one side of a cut can.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::ballot::Counted;
use super::bits::Bits;
use super::electorate::Electorate;
use super::event::{Event, LeaveReason};
use super::peer::Peer;
use super::relist::Relist;
use super::settings::{Member, WriteQuorum};
use super::time::Now;
use super::{Detector, Listing};
use crate::identity::NodeId;

/// For how long a node must be missing from fresh lists, and not be heard, before it leaves.
pub(super) const ABSENCE: Duration = Duration::from_secs(60);

/// For how long a name that this agent hears, and some other agent of its side does not know yet, waits to join.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the discovery said, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct Membership {
    pub(super) listing: Option<Listed>,
    /// Who belongs and is missing from the lists, and since when.
    missing: BTreeMap<NodeId, Now>,
    /// Since when the lists have fewer addresses than the foundation waits for.
    pub(super) floor_missing: Option<Now>,
    /// Since when somebody else could change the electorate, and has not.
    waiting: Option<Now>,
    pub(super) changed: Option<Now>,
    /// Whom an operator forgot before the electorate was founded: the list may go on naming them.
    pub(super) forgotten: BTreeSet<NodeId>,
    /// Whom an operator wants forgotten as soon as it is known who is there.
    pub(super) to_forget: BTreeSet<String>,
    /// Whom an operator had forgotten, and the electorate still has.
    pub(super) to_strike_off: BTreeSet<NodeId>,
    /// Who was removed from the electorate, and since when.
    removed: BTreeMap<NodeId, Now>,
    next_look: Now,
    /// Since when it knows of somebody else.
    pub(super) company_since: Option<Now>,
    /// Whether this node's zone is that of its own entry in the list.
    zone_is_listed: bool,
    /// When another list is wanted before its time.
    pub(super) relist: Relist,
}

/// The newest list.
#[derive(Debug)]
pub(super) struct Listed {
    at: Now,
    pub(super) ids: BTreeSet<NodeId>,
    /// All addresses.
    pub(super) addresses: BTreeSet<SocketAddr>,
    /// Those of which it does not know whose they are.
    pub(super) unnamed: BTreeSet<SocketAddr>,
}

/// A change of the electorate that is due.
#[derive(Debug, Default)]
struct Due {
    joining: Vec<NodeId>,
    leaving: Vec<NodeId>,
}

impl Due {
    fn is_empty(&self) -> bool {
        self.joining.is_empty() && self.leaving.is_empty()
    }
}

impl Membership {
    /// Nothing is listed yet. A node without a zone takes that of its entry in the list.
    pub(super) fn of(node: &Member) -> Self {
        Self { zone_is_listed: node.zone.is_empty(), ..Self::default() }
    }

    pub(super) fn has_listed_zone(&self) -> bool {
        self.zone_is_listed
    }

    /// Who is missing, and since when, from no more lists than one can tell.
    pub(super) fn missing_in_one_list(&self) -> impl Iterator<Item = (NodeId, Now)> {
        let missing = self.missing.iter().map(|(&id, &since)| (id, since));
        missing.filter(|&(id, _)| !self.is_long_missing(id))
    }

    /// Whether the discovery has said something.
    pub(super) fn is_listed(&self) -> bool {
        self.listing.is_some()
    }

    pub(super) fn next_look(&self) -> Now {
        self.next_look
    }

    /// Looks at the latest then.
    pub(super) fn look_by(&mut self, latest: Now) {
        self.next_look = self.next_look.min(latest);
    }

    /// Whether the list has been without this node for long enough, and came again since.
    fn is_long_missing(&self, id: NodeId) -> bool {
        self.missing.get(&id).is_some_and(|&since| self.is_listed_long_after(since))
    }

    /// Whether that many addresses as the foundation waits for have been listed no more for as long.
    pub(super) fn is_floor_gone(&self) -> bool {
        self.floor_missing.is_some_and(|since| self.is_listed_long_after(since))
    }

    fn is_listed_long_after(&self, since: Now) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.at.since(since) >= ABSENCE)
    }
}

impl Detector {
    /// A fresh answer of the discovery.
    pub(super) fn learn_listing(&mut self, listing: Listing, now: Now) {
        let Listing { members, addresses, leaving } = listing;
        let ids = members.iter().map(|member| NodeId::of(&self.settings.cluster, &member.name)).collect();
        let unnamed: BTreeSet<SocketAddr> = addresses.iter().copied().collect();
        let all = members.iter().map(|member| member.address).chain(addresses.iter().copied()).collect();
        self.membership.listing = Some(Listed { at: now, ids, addresses: all, unnamed });
        self.membership.relist.answered();
        self.look_for_moved(&members, now);
        self.learn_zones(&members);
        self.enroll(members, now);
        self.see_off_the_leaving(&leaving, now);
        self.look_for_unnamed(addresses, now);
        self.note_missing(now);
        self.note_floor(now);
        self.who_probes_may_change(now);
    }

    fn note_missing(&mut self, now: Now) {
        let members: Vec<NodeId> = self.ballot.newest().iter().flat_map(|newest| newest.electorate.members()).collect();
        let belonging: BTreeSet<NodeId> = self.ids.iter().copied().chain(members).collect();
        let missing: BTreeSet<NodeId> =
            belonging.into_iter().filter(|&id| id != self.id && !self.is_listed(id)).collect();
        self.membership.missing.retain(|id, _| missing.contains(id));
        for id in missing {
            self.membership.missing.entry(id).or_insert(now);
        }
    }

    /// Whether the newest list has a node, by its name or by its address.
    pub(super) fn is_listed(&self, id: NodeId) -> bool {
        let Some(listing) = &self.membership.listing else { return true };
        let is_there = |address: SocketAddr| listing.addresses.contains(&address) && !self.is_taken_over(id, address);
        listing.ids.contains(&id)
            || self.place_of(id).is_some_and(|place| is_there(self.peers[place].address))
            || self.contacts.addresses_of(id).any(is_there)
    }

    /// Whether another agent is at the address of one that is not heard.
    pub(super) fn is_taken_over(&self, id: NodeId, address: SocketAddr) -> bool {
        let is_heard = |peer: &Peer| peer.id == self.id || peer.link.is_up();
        let silent = self.place_of(id).is_none_or(|place| !is_heard(&self.peers[place]));
        let others = self.addresses.range((address, NodeId(0))..=(address, NodeId(u64::MAX))).map(|&(_, other)| other);
        let mut places = others.filter(|&other| other != id).filter_map(|other| self.place_of(other));
        silent && places.any(|place| is_heard(&self.peers[place]))
    }

    /// Looks after electorate and roster: often while the electorate is being founded, then twice per bound.
    pub(super) fn look_after_members(&mut self, now: Now) {
        if now < self.membership.next_look {
            return;
        }
        let is_cut = self.publication.cut.published().is_some() || self.publication.cut.is_pending();
        if self.ballot.expire(now, is_cut) {
            self.publication.touch();
        }
        self.strike_off(now);
        let founded = self.ballot.newest().is_some_and(|newest| !newest.electorate.is_in_foundation());
        let timing = &self.timing;
        let pause = if founded { timing.detection_bound() / 2 } else { timing.confirm_period };
        self.membership.next_look = now + pause;
        if founded {
            self.change_electorate(now, is_cut);
        } else {
            self.found_electorate(now);
        }
        self.let_go(now);
        self.expect_who_is_back(now);
        self.look_for_reasons_to_list(now);
    }

    /// Who said goodbye, and is heard by others long after, runs again: from now on its silence here means something. An
    /// agent that slept through the goodbye is not long in finding out.
    fn expect_who_is_back(&mut self, now: Now) {
        if !self.can_tell(now) {
            return;
        }
        let (timing, mut found) = (self.timing, false);
        let long_ago = now - self.slowest_bound(&Bits::none(self.peers.len())) * 2;
        for (place, peer) in self.peers.iter_mut().enumerate().filter(|(_, peer)| peer.has_left()) {
            let left_long_ago = peer.link.last_heard().is_none_or(|goodbye| goodbye <= long_ago);
            if left_long_ago && self.publication.lost.is_seen_since(place, long_ago) {
                peer.link.expect(now, &timing);
                found = true;
            }
        }
        if found {
            self.row.touch();
            self.publication.touch();
        }
    }

    fn change_electorate(&mut self, now: Now, is_cut: bool) {
        let due = self.due_change(now, is_cut);
        if due.is_empty() {
            self.membership.waiting = None;
            return;
        }
        let waiting_since = *self.membership.waiting.get_or_insert(now);
        let bound = self.timing.detection_bound();
        let has_waited = now.since(waiting_since) >= bound * 4;
        let rested = self.membership.changed.is_none_or(|changed| now.since(changed) >= bound);
        let Some(newest) = self.ballot.newest().filter(|_| rested) else { return };
        if !has_waited && !self.is_first_of_side(newest) || self.ballot.is_pending() || self.ballot.is_full() {
            return;
        }
        let changed = newest.electorate.changed(&due.joining, &due.leaving);
        self.membership.waiting = None;
        self.adopt_electorate(changed, now);
    }

    /// One agent of a side acts first, so that not every agent decides the same with another stamp.
    fn is_first_of_side(&self, newest: &Counted) -> bool {
        let mut mine = newest.places.clone();
        mine.keep(self.publication.side.published());
        mine.first() == Some(self.me)
    }

    fn due_change(&mut self, now: Now, is_cut: bool) -> Due {
        let may_change = self.knows_its_side(now) && self.standing(now).is_quorate(WriteQuorum::Majority);
        let Some(newest) = self.ballot.newest().filter(|_| may_change) else { return Due::default() };
        let joining = if is_cut { Vec::new() } else { self.who_may_join(&newest.electorate, now) };
        let leaving = newest.electorate.members().filter(|&id| self.is_gone(id, now)).collect();
        Due { joining, leaving }
    }

    /// Names that have been heard for one bound, are on this side, and are known to everybody on it.
    pub(super) fn who_may_join(&self, electorate: &Electorate, now: Now) -> Vec<NodeId> {
        let bound = self.timing.detection_bound();
        let side = self.publication.side.published();
        let strangers = side.iter().filter(|&place| place != self.me && !electorate.has(self.peers[place].id));
        let may_join = strangers.filter(|&place| {
            let peer = &self.peers[place];
            let heard_for = peer.up_since.filter(|_| peer.link.is_up()).map(|since| now.since(since));
            heard_for.is_some_and(|time| time >= bound && (time >= PATIENCE || self.is_known_on(side, place)))
        });
        may_join.map(|place| self.peers[place].id).collect()
    }

    fn is_known_on(&self, side: &Bits, place: usize) -> bool {
        side.iter().filter_map(|owner| self.peers[owner].valid_row()).all(|row| !row.absent.has(place))
    }

    /// Whether a node is missing from the lists, and heard by nobody here, for so long that it is gone for good.
    pub(super) fn is_gone(&self, id: NodeId, now: Now) -> bool {
        let silent = self.place_of(id).is_none_or(|place| {
            let link = &self.peers[place].link;
            // Whom others of this side hear is there, and they would let it in again.
            !self.publication.joined.has(place)
                && !link.is_up()
                && link.last_heard().is_none_or(|heard| now.since(heard) >= ABSENCE)
        });
        id != self.id && silent && self.membership.is_long_missing(id)
    }

    /// A newer electorate. It is durable before it is used.
    pub(super) fn adopt_electorate(&mut self, electorate: Electorate, now: Now) {
        if self.ballot.newest().is_some_and(|newest| newest.electorate == electorate) {
            return;
        }
        let serial = self.keeping.next_serial();
        let until = self.until_everybody_knows(now);
        self.ballot.propose(electorate, serial, &self.ids, until);
        self.membership.changed = Some(now);
        self.keeping.want();
        self.publication.touch();
    }

    /// What was handed out up to this number is durable.
    pub(super) fn learn_durable(&mut self, serial: super::saved::Serial, now: Now) {
        self.keeping.is_durable(serial);
        let until = self.until_everybody_knows(now);
        if self.ballot.become_durable(self.keeping.durable, until) {
            self.publication.touch();
            self.note_missing(now);
            self.note_removed(now);
        }
    }

    fn note_removed(&mut self, now: Now) {
        let Some(current) = self.ballot.current() else { return };
        let electors = current.electorate.electors().iter();
        let removed: BTreeSet<NodeId> = electors.filter(|elector| elector.removed).map(|elector| elector.id).collect();
        let since = &mut self.membership.removed;
        since.retain(|id, _| removed.contains(id));
        for id in removed {
            since.entry(id).or_insert(now);
        }
    }

    /// Whether a node was heard after it was removed: then it came back, and is more than a name that does not count.
    fn is_back(&self, place: usize) -> bool {
        let peer = &self.peers[place];
        let removed = self.membership.removed.get(&peer.id).copied().unwrap_or(Now::START);
        peer.link.last_heard().is_some_and(|heard| heard > removed)
    }

    /// Bound and settling from now: who has not heard of a change by then is behind a cut that is known by then.
    pub(super) fn until_everybody_knows(&self, now: Now) -> Now {
        let timing = &self.timing;
        now + timing.detection_bound() * 2 + timing.confirm_period * 4
    }

    /// Those who are silent and no longer count leave the roster; those whom the discovery still lists stay in it as if
    /// they had never been heard.
    fn let_go(&mut self, now: Now) {
        let Some(current) = self.ballot.current() else { return };
        let silent = (0..self.peers.len()).filter(|&place| place != self.me && !self.peers[place].link.is_up());
        let mut gone: Vec<NodeId> = Vec::new();
        for place in silent {
            let id = self.peers[place].id;
            let removed = current.electorate.has_removed(id) && (self.was_heard(place) || !self.is_listed(id));
            let removed = removed && !self.is_back(place);
            let never_joined = !current.electorate.has(id) && self.is_gone(id, now);
            if removed || never_joined {
                gone.push(id);
            }
        }
        for id in &gone {
            self.part_from(*id, LeaveReason::Removed);
        }
        let (listed, unlisted): (Vec<_>, Vec<_>) = gone.into_iter().partition(|&id| self.is_listed(id));
        self.begin_again(&listed, now);
        self.withdraw(&unlisted, now);
    }

    /// Whether a node was removed from the electorate.
    pub(super) fn is_removed(&self, place: usize) -> bool {
        self.ballot.current().is_some_and(|current| current.electorate.has_removed(self.peers[place].id))
    }

    /// Whether somebody was ever known to have heard this peer.
    fn was_heard(&self, place: usize) -> bool {
        self.peers[place].link.is_known() || self.keeping.heard.contains_key(&self.peers[place].id)
    }

    pub(super) fn part_from(&mut self, id: NodeId, reason: LeaveReason) {
        if let Some(place) = self.place_of(id) {
            let peer = self.name_of(place);
            self.keeping.heard.remove(&id);
            self.keeping.want();
            self.emit_event(Event::PeerLeft { peer, reason });
        }
    }
}
