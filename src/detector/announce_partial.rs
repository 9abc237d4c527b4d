//! What is said when a partial cut opens, changes and closes.

use std::time::Duration;

use super::Detector;
use super::bits::Bits;
use super::event::{CloseCause, Event};
use super::partial::PartialCut;
use super::partition::{NAMED, Partition, PartitionId, PartitionKind, Side};
use super::time::Now;

impl Detector {
    pub(super) fn partial_published(&mut self, at: usize, before: Option<PartialCut>, now: Now) {
        let slot = &self.publication.partials.slots[at];
        match (before, slot.cut.published().clone()) {
            (None, Some(cut)) => self.open_partial(at, &cut, now),
            (Some(_), Some(cut)) => self.change_partial(at, &cut, now),
            (Some(before), None) => self.close_partial(at, &before, now),
            (None, None) => {}
        }
    }

    fn open_partial(&mut self, at: usize, cut: &PartialCut, now: Now) {
        if self.publication.partials.is_taken(self.partial_id(cut)) {
            // Only now: where another cut takes the place of this one, all agents still agree on the epoch.
            self.leave_epoch(self.epoch);
        }
        let epoch = self.epoch;
        let sides = self.own_first(cut);
        let partition = Partition {
            id: self.partial_id(cut),
            kind: PartitionKind::Partial,
            endpoint: None,
            certain: self.is_certain(cut, now),
            sides: self.partial_sides(cut),
            own_side: cut.nodes().has(self.me),
            zones: self.zones_between(sides),
            bridges: self.bridges_of(cut, now),
            exceptions: self.exceptions_of(cut),
            direction: None,
            witness: self.witness_of(sides[1]),
            opened: now,
            detection: self.partial_detection(at, cut, now),
            epoch,
            quorum: self.is_quorate(self.publication.side.published()),
            electorate_digest: self.electorate_digest(),
            roster_digest: self.roster_digest,
        };
        self.publication.partials.opened(cut.clone(), now);
        let open = self.opened(partition, now);
        self.publication.partials.slots[at].open = Some(open);
    }

    fn partial_id(&self, cut: &PartialCut) -> PartitionId {
        let names = [0, 1].map(|side: usize| self.names_of(&cut.sides[side]));
        PartitionId::partial(&self.settings.cluster, self.epoch, names)
    }

    /// From the last datagram over links of this agent's own, or from the first row that showed it.
    fn partial_detection(&self, at: usize, cut: &PartialCut, now: Now) -> Duration {
        let across = match cut.sides.iter().position(|side| side.has(self.me)) {
            Some(mine) => cut.sides[1 - mine].clone(),
            None => Bits::none(self.peers.len()),
        };
        let silent = across.iter().filter(|&place| !self.peers[place].link.is_up());
        let last_heard = silent.filter_map(|place| self.peers[place].link.last_heard()).max();
        let first_seen = self.publication.partials.slots[at].differed_since;
        now.since(last_heard.unwrap_or(first_seen))
    }

    pub(super) fn change_partial(&mut self, at: usize, cut: &PartialCut, now: Now) {
        let certain = self.is_certain(cut, now);
        let own_side = cut.nodes().has(self.me);
        let (sides, exceptions) = (self.partial_sides(cut), self.exceptions_of(cut));
        let (zones, witness) = (self.zones_between(self.own_first(cut)), self.witness_of(self.own_first(cut)[1]));
        let (quorum, roster_digest) = (self.is_quorate(self.publication.side.published()), self.roster_digest);
        let slot = &mut self.publication.partials.slots[at];
        let Some(open) = &mut slot.open else { return };
        let before = open.partition.clone();
        let same_first = before.sides[0].nodes.iter().any(|name| sides[0].nodes.contains(name));
        if !same_first {
            slot.direction.reverse();
        }
        let direction = before.direction.map(|direction| if same_first { direction } else { direction.reversed() });
        let content = Partition {
            certain,
            sides,
            own_side,
            zones,
            exceptions,
            direction,
            witness,
            quorum,
            roster_digest,
            ..before
        };
        open.partition = content.clone();
        self.emit_event(Event::PartitionChanged(content));
    }

    fn close_partial(&mut self, at: usize, cut: &PartialCut, now: Now) {
        let Some(open) = self.publication.partials.slots[at].open.take() else { return };
        let mut others = cut.nodes();
        if let Some(mine) = cut.sides.iter().find(|side| side.has(self.me)) {
            others.remove(mine);
        }
        let (cause, confirmed) = if others.iter().all(|place| self.is_removed(place)) {
            (CloseCause::Removed, None)
        } else if self.is_joined_across(cut, now) {
            self.tell_apart(open.remembered(&others))
        } else if others.iter().any(|place| self.peers[place].has_left()) {
            (CloseCause::Left, None)
        } else if others.meets(self.publication.agents_down.candidate()) {
            (CloseCause::AgentDown, Some(false))
        } else {
            self.publication.partials.note_superseded(open.partition.id);
            return self.over(open.partition, CloseCause::Superseded, None, now);
        };
        self.closed(open.partition, cause, confirmed, now);
    }

    /// The sides, this agent's own first if it is on one, else the one with the lowest name.
    pub(super) fn own_first<'a>(&self, cut: &'a PartialCut) -> [&'a Bits; 2] {
        let [one, other] = &cut.sides;
        let lowest = |side: &Bits| side.iter().map(|place| self.peers[place].member.name.as_str()).min();
        let swapped = other.has(self.me) || !one.has(self.me) && lowest(other) < lowest(one);
        if swapped { [other, one] } else { [one, other] }
    }

    pub(super) fn partial_sides(&self, cut: &PartialCut) -> Vec<Side> {
        self.own_first(cut).map(|side| Side::new(self.names_of(side), true)).into()
    }

    fn exceptions_of(&self, cut: &PartialCut) -> Vec<(String, String)> {
        let first = self.own_first(cut)[0];
        let pair = |&(one, other): &(usize, usize)| {
            let (one, other) = if first.has(one) { (one, other) } else { (other, one) };
            (self.name_of(one), self.name_of(other))
        };
        cut.gaps.iter().take(NAMED).map(pair).collect()
    }

    /// Who reaches both sides: each is seen joined to somebody of both.
    pub(super) fn bridges_of(&self, cut: &PartialCut, now: Now) -> Vec<String> {
        let rows = self.rows(now);
        let others = self.publication.joined.without(&cut.nodes());
        let reaches = |node: usize, side: &Bits| side.iter().any(|other| super::verdict::is_joined(&rows, node, other));
        let bridges = others.iter().filter(|&node| cut.sides.iter().all(|side| reaches(node, side)));
        let mut names: Vec<String> = bridges.map(|place| self.name_of(place)).collect();
        names.sort();
        names.truncate(NAMED);
        names
    }

    /// Whether the cut stands without what relays alone say of nodes that are heard here.
    fn is_certain(&self, cut: &PartialCut, now: Now) -> bool {
        let rows = self.rows(now);
        if !rows.iter().flatten().any(|row| row.relayed) {
            return true;
        }
        let sure = cut.broken().filter(|&(one, other)| super::verdict::is_surely_broken(&rows, one, other)).count();
        sure * 4 >= cut.sides[0].count() * cut.sides[1].count() * 3
    }

    /// Cuts of which a side has nobody left in the roster are over.
    pub(super) fn close_emptied_partials(&mut self, now: Now) {
        for at in 0..self.publication.partials.slots.len() {
            let slot = &mut self.publication.partials.slots[at];
            let is_emptied = slot.cut.published().is_none();
            if let Some(open) = slot.open.take_if(|_| is_emptied) {
                self.closed(open.partition, CloseCause::Removed, None, now);
            }
        }
    }

    fn is_joined_across(&self, cut: &PartialCut, now: Now) -> bool {
        let rows = self.rows(now);
        cut.broken().any(|(one, other)| super::verdict::is_joined(&rows, one, other))
    }
}
