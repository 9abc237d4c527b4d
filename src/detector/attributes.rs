//! What else is true of an open partition: which way it is cut, between which zones, over which network.
//!
//! These say more of a cut that is told already. They change by themselves, and never open or close anything.

use super::Detector;
use super::assess::Cut;
use super::bits::Bits;
use super::direction::{Watch, Ways};
use super::event::{AgentDownCause, Event};
use super::evidence::Sign;
use super::partial::PartialCut;
use super::partition::{Direction, Partition, PartitionKind};
use super::time::Now;

impl Detector {
    /// Looks at everything that is open.
    pub(super) fn update_attributes(&mut self, now: Now) {
        self.publication.next_look = None;
        self.update_complete(now);
        for at in 0..self.publication.partials.slots.len() {
            self.update_partial(at, now);
        }
    }

    fn update_complete(&mut self, now: Now) {
        let (Some(cut), Some(open)) = (self.publication.cut.published().clone(), &self.publication.open) else {
            return;
        };
        let before = (open.partition.kind, open.partition.direction);
        let mut watch = self.publication.direction;
        let direction = self.look(&mut watch, [&cut.mine, &cut.others], now);
        self.publication.direction = watch;
        let kind = self.kind_of(&cut, direction, Some(before.0));
        let open = self.publication.open.as_mut().filter(|_| before != (kind, direction));
        if let Some(partition) = open.map(|open| restated(&mut open.partition, kind, direction)) {
            self.emit_event(Event::PartitionChanged(partition));
        }
    }

    fn update_partial(&mut self, at: usize, now: Now) {
        let slot = &self.publication.partials.slots[at];
        let (Some(cut), Some(open)) = (slot.cut.published().clone(), &slot.open) else { return };
        if open.partition.roster_digest != self.roster_digest && !slot.cut.is_pending() {
            self.update_roster_of_partial(at, &cut, now);
        }
        let slot = &self.publication.partials.slots[at];
        let Some(open) = &slot.open else { return };
        let (before, mut watch) = (open.partition.direction, slot.direction);
        let direction = self.look(&mut watch, self.own_first(&cut), now);
        let bridges = self.bridges_of(&cut, now);
        let slot = &mut self.publication.partials.slots[at];
        slot.direction = watch;
        let Some(open) = &mut slot.open else { return };
        if open.partition.bridges != bridges {
            // Who restarts is no bridge for a while: that is shown, and is no event.
            open.partition.bridges = bridges;
            self.view_is_old = true;
        }
        if before != direction {
            let kind = if direction.is_some() { PartitionKind::Simplex } else { PartitionKind::Partial };
            let partition = restated(&mut open.partition, kind, direction);
            self.emit_event(Event::PartitionChanged(partition));
        }
    }

    /// Who left the roster is on no side any more.
    fn update_roster_of_partial(&mut self, at: usize, cut: &PartialCut, now: Now) {
        let (sides, roster_digest) = (self.partial_sides(cut), self.roster_digest);
        let Some(open) = &mut self.publication.partials.slots[at].open else { return };
        if open.partition.sides == sides {
            open.partition.roster_digest = roster_digest;
        } else {
            self.change_partial(at, cut, now);
        }
    }

    /// Which way is cut, once that is certain. If it may be soon, it is looked at again.
    fn look(&mut self, watch: &mut Watch, sides: [&Bits; 2], now: Now) -> Option<Direction> {
        let d = self.timing.confirm_period;
        let after = d * (u32::from(self.timing.failure_threshold.get()) + 1);
        let rows = self.rows(now);
        let ways = Ways::of(&rows, sides, |_| true);
        let direction =
            watch.look(ways, after, now, |since| Ways::of(&rows, sides, |place| self.stood_by(place, now) > since));
        if watch.is_undecided() {
            self.publication.next_look = Some(now + d);
        }
        direction
    }

    /// When the owner of a valid row was last heard to stand by it.
    pub(super) fn stood_by(&self, place: usize, now: Now) -> Now {
        let peer = &self.peers[place];
        if place == self.me {
            now
        } else if let Some((_, relayed)) = self.relayed_row(place, now) {
            relayed.stood
        } else if peer.owes_a_row() {
            Now::START
        } else {
            peer.link.last_heard().unwrap_or_default()
        }
    }

    /// What a complete cut is called. One node alone is isolated, whichever way: that is a matter of one node.
    pub(super) fn kind_of(
        &self,
        cut: &Cut,
        direction: Option<Direction>,
        before: Option<PartitionKind>,
    ) -> PartitionKind {
        if cut.mine.count() == 1 || cut.others.count() == 1 {
            PartitionKind::Isolation
        } else if direction.is_some() {
            PartitionKind::Simplex
        } else if self.is_overlay_cut(&cut.others, before == Some(PartitionKind::Overlay)) {
            PartitionKind::Overlay
        } else {
            PartitionKind::Complete
        }
    }

    /// Whether the network of the agents is cut and that of their hosts is not: at least two hosts answer, most of those
    /// about which anything is known, and no port of an agent does. Once told it stays so until more hosts are silent than
    /// answer, or a port does: what was found about a node is dropped when it is heard again, and that is how such a cut ends.
    fn is_overlay_cut(&self, others: &Bits, was_one: bool) -> bool {
        let (mut hosts, mut silent) = (0, 0);
        for place in others.iter() {
            match self.inquiry.sign(self.peers[place].id) {
                Some(Sign::AgentDown(AgentDownCause::HostAnswers)) => hosts += 1,
                Some(Sign::Nothing) => silent += 1,
                Some(Sign::Runs | Sign::AgentDown(_)) => return false,
                None => {}
            }
        }
        hosts >= 2 && hosts > silent || was_one && hosts >= silent
    }

    /// The zones of two sides, where a cut runs between zones: the sides have none in common, and nobody else that is
    /// joined is in one of them.
    pub(super) fn zones_between(&self, sides: [&Bits; 2]) -> Vec<Vec<String>> {
        let zone = |place: usize| self.peers[place].member.zone.as_str();
        let zones = sides.map(|side| {
            let mut zones: Vec<&str> = side.iter().map(zone).collect();
            zones.sort_unstable();
            zones.dedup();
            zones
        });
        let [first, second] = &zones;
        let named = zones.iter().all(|zones| !zones.contains(&""));
        let apart = !first.iter().any(|zone| second.contains(zone));
        let stray = |place: usize| {
            let counts = self.publication.joined.has(place) && !sides.iter().any(|side| side.has(place));
            counts && (first.contains(&zone(place)) || second.contains(&zone(place)))
        };
        if named && apart && !(0..self.peers.len()).any(stray) {
            zones.map(|zones| zones.into_iter().map(str::to_owned).collect()).into()
        } else {
            Vec::new()
        }
    }
}

fn restated(partition: &mut Partition, kind: PartitionKind, direction: Option<Direction>) -> Partition {
    (partition.kind, partition.direction) = (kind, direction);
    partition.clone()
}
