//! What is said when a publication changes: partitions that open, change and close, nodes that fall silent and return.

use std::sync::Arc;

use super::Detector;
use super::assess::Cut;
use super::bits::Bits;
use super::direction::Watch;
use super::event::{AgentDownCause, CloseCause, Event};
use super::partition::{Closed, Partition, PartitionId, Side, Witness};
use super::peer::Peer;
use super::publish::FLAPPING;
use super::time::Now;
use super::view::DETECTION_BOUNDS;
use crate::identity::{Epoch, Incarnation};

/// How many partitions that are over are remembered.
const REMEMBERED: usize = 32;

/// The open partition, and what was true of each node when it opened.
pub(super) struct Open {
    pub(super) partition: Partition,
    pub(super) memories: Vec<Memory>,
}

impl Open {
    /// The roster got another shape.
    pub(super) fn reshape(&mut self, places: &[Option<usize>]) {
        let unknown = Memory { lost: self.partition.opened, incarnation: None };
        let remembered = |before: Option<usize>| before.and_then(|before| self.memories.get(before).copied());
        self.memories = places.iter().map(|&before| remembered(before).unwrap_or(unknown)).collect();
    }

    /// What was true of these nodes when it opened.
    pub(super) fn remembered<'a>(&'a self, nodes: &'a Bits) -> impl Iterator<Item = (usize, Memory)> + 'a {
        nodes.iter().filter_map(|place| Some((place, *self.memories.get(place)?)))
    }
}

/// What a node was before it was lost: by this is told what its silence was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) lost: Now,
    pub(super) incarnation: Option<Incarnation>,
}

/// An agent that is down, as it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) cause: AgentDownCause,
    memory: Memory,
}

impl Detector {
    pub(super) fn cut_published(&mut self, before: Option<Cut>, now: Now) {
        match (before, self.publication.cut.published().clone()) {
            (None, Some(cut)) => self.open(&cut, now),
            (Some(_), Some(cut)) => self.change(&cut),
            (Some(before), None) => self.close(&before, now),
            (None, None) => {}
        }
    }

    fn open(&mut self, cut: &Cut, now: Now) {
        let epoch = self.epoch;
        let last_heard = cut.others.iter().filter_map(|place| self.peers[place].link.last_heard()).max();
        let partition = Partition {
            id: PartitionId::complete(&self.settings.cluster, epoch),
            kind: self.kind_of(cut, None, None),
            endpoint: None,
            certain: self.publication.certain,
            sides: self.sides_of(cut),
            own_side: true,
            zones: self.zones_between([&cut.mine, &cut.others]),
            bridges: Vec::new(),
            exceptions: Vec::new(),
            direction: None,
            witness: self.witness_of(&cut.others),
            opened: now,
            detection: now.since(last_heard.unwrap_or(self.started)),
            epoch,
            quorum: self.is_quorate(self.publication.side.published()),
            electorate_digest: self.electorate_digest(),
            roster_digest: self.roster_digest,
        };
        self.publication.openings.push_back(now);
        self.publication.openings.retain(|&opening| now.since(opening) < FLAPPING);
        self.publication.direction = Watch::default();
        self.publication.open = Some(self.opened(partition, now));
    }

    /// Counts and tells of a partition that opens.
    pub(super) fn opened(&mut self, partition: Partition, now: Now) -> Open {
        *self.counters.partitions.entry(partition.kind).or_default() += 1;
        self.counters.detections.observe(partition.detection, &DETECTION_BOUNDS);
        let memories = self.peers.iter().map(|peer| memory_of(peer, now)).collect();
        self.emit_event(Event::PartitionOpened(partition.clone()));
        Open { partition, memories }
    }

    fn change(&mut self, cut: &Cut) {
        let (sides, zones) = (self.sides_of(cut), self.zones_between([&cut.mine, &cut.others]));
        let (certain, witness) = (self.publication.certain, self.witness_of(&cut.others));
        let (quorum, roster_digest) = (self.is_quorate(self.publication.side.published()), self.roster_digest);
        let Some(before) = self.publication.partition().cloned() else { return };
        let kind = self.kind_of(cut, before.direction, Some(before.kind));
        let partition = Partition { sides, zones, kind, certain, witness, quorum, roster_digest, ..before };
        if let Some(open) = &mut self.publication.open {
            open.partition = partition.clone();
            self.emit_event(Event::PartitionChanged(partition));
        }
    }

    /// A cut that was merely possible when it was published, and is the same now for certain.
    pub(super) fn become_certain(&mut self) {
        let publication = &self.publication;
        let same = publication.cut.published().is_some() && !publication.cut.is_pending() && publication.certain;
        let Some(open) = self.publication.open.as_mut().filter(|open| same && !open.partition.certain) else { return };
        open.partition.certain = true;
        let partition = open.partition.clone();
        self.emit_event(Event::PartitionChanged(partition));
    }

    fn close(&mut self, cut: &Cut, now: Now) {
        let Some(open) = self.publication.open.take() else { return };
        let silent = cut.others.iter().all(|place| !self.peers[place].link.is_up());
        let (cause, confirmed) = if silent && cut.others.iter().all(|place| self.is_removed(place)) {
            (CloseCause::Removed, None)
        } else if silent && cut.others.meets(self.publication.agents_down.candidate()) {
            (CloseCause::AgentDown, Some(false))
        } else {
            self.tell_apart(open.remembered(&cut.others))
        };
        self.closed(open.partition, cause, confirmed, now);
    }

    /// A partition is over: the next one is in another epoch.
    pub(super) fn closed(&mut self, partition: Partition, cause: CloseCause, confirmed: Option<bool>, now: Now) {
        self.leave_epoch(partition.epoch);
        self.over(partition, cause, confirmed, now);
    }

    pub(super) fn leave_epoch(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.max(Epoch(epoch.0.saturating_add(1)));
        self.keeping.want();
    }

    /// Counts, remembers and tells of a partition that is over.
    pub(super) fn over(&mut self, partition: Partition, cause: CloseCause, confirmed: Option<bool>, now: Now) {
        let duration = now.since(partition.opened);
        self.counters.partitioned += duration;
        let closed = Closed { partition: partition.clone(), at: now, cause, confirmed };
        self.publication.recent.push_front(Arc::new(closed));
        self.publication.recent.truncate(REMEMBERED);
        self.emit_event(Event::PartitionClosed { partition, cause, duration, confirmed });
    }

    /// What the silence of nodes was, now that some are heard: who runs on as the same incarnation and did not sleep
    /// lived through it.
    pub(super) fn tell_apart(&self, nodes: impl Iterator<Item = (usize, Memory)>) -> (CloseCause, Option<bool>) {
        let (mut lived, mut slept, mut restarted, mut heard) = (false, false, false, false);
        for (place, memory) in nodes {
            let peer = &self.peers[place];
            if !peer.link.is_up() {
                // Others hear it, or it said goodbye.
                heard |= !peer.has_left();
                continue;
            }
            heard = true;
            if memory.incarnation.is_none() {
                // This run never heard the other before its silence: it cannot tell one run of it from the next.
                continue;
            }
            if peer.session.verified() != memory.incarnation {
                restarted = true;
            } else if peer.woke.is_some_and(|woke| woke >= memory.lost) {
                slept = true;
            } else {
                lived = true;
            }
        }
        match (lived, slept, restarted) {
            (true, ..) => (CloseCause::Healed, Some(true)),
            (false, true, _) => (CloseCause::Stalled, Some(false)),
            (false, false, true) => (CloseCause::Restarted, Some(false)),
            (false, false, false) if heard => (CloseCause::Healed, None),
            (false, false, false) => (CloseCause::Left, None),
        }
    }

    pub(super) fn unheard_published(&mut self, before: &Bits, now: Now) {
        let unheard = self.publication.unheard.published().clone();
        self.publication.silences.resize(unheard.len(), None);
        for place in unheard.without(before).iter() {
            self.publication.silences[place] = Some(memory_of(&self.peers[place], now));
            let event = Event::NodeUnheard { peer: self.name_of(place) };
            self.emit_event(event);
        }
        for place in before.without(&unheard).iter() {
            let memory = self.publication.silences[place].take();
            if let Some(memory) = memory.filter(|_| self.publication.joined.has(place)) {
                let (cause, confirmed) = self.tell_apart([(place, memory)].into_iter());
                let event = Event::NodeHeard { peer: self.name_of(place), cause, confirmed };
                self.emit_event(event);
            }
        }
    }

    pub(super) fn agents_down_published(&mut self, before: &Bits, now: Now) {
        let down = self.publication.agents_down.published().clone();
        for place in down.without(before).iter() {
            let (cause, memory) = (self.agent_down_cause(place), memory_of(&self.peers[place], now));
            self.publication.outages.insert(self.peers[place].id, Outage { cause, memory });
            let event = Event::AgentDown { peer: self.name_of(place), cause };
            self.emit_event(event);
        }
        for place in before.without(&down).iter() {
            let outage = self.publication.outages.remove(&self.peers[place].id);
            if let Some(outage) = outage.filter(|_| self.publication.joined.has(place)) {
                let (cause, confirmed) = self.tell_apart([(place, outage.memory)].into_iter());
                let event = Event::AgentUp { peer: self.name_of(place), cause, confirmed };
                self.emit_event(event);
            }
        }
        self.view_is_old = true;
    }

    /// Why the agent of a node is down, if that is published.
    pub(super) fn published_outage(&self, place: usize) -> Option<AgentDownCause> {
        self.publication.outages.get(&self.peers[place].id).map(|outage| outage.cause)
    }

    /// What shows that somebody across the cut lives.
    pub(super) fn witness_of(&self, others: &Bits) -> Option<Witness> {
        others.iter().any(|place| self.shows_life(place)).then_some(Witness::Http)
    }

    fn sides_of(&self, cut: &Cut) -> Vec<Side> {
        vec![Side::new(self.names_of(&cut.mine), true), Side::new(self.names_of(&cut.others), false)]
    }
}

fn memory_of(peer: &Peer, now: Now) -> Memory {
    Memory { lost: peer.link.last_heard().unwrap_or(now), incarnation: peer.session.verified() }
}
