//! Partitions of kind `service`: an endpoint that the cluster must not lose, lost for at least half of those who probe it.
//!
//! They are no cuts between nodes: the mode stays, and so does everything that is told of links. What is lost settles as a
//! cut does, so that agents which lose it one after another open one partition and not several.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Detector;
use super::bits::Bits;
use super::endpoints::reach::Votes;
use super::event::{CloseCause, Event};
use super::partition::{Partition, PartitionId, PartitionKind, Side};
use super::settle::{Rule, Settling};
use super::time::Now;
use crate::identity::Epoch;

/// Agents lose an endpoint one after another, each when it probes next: who has lost it is told anew no sooner than this
/// after the last of them, …
const TOLD_ANEW_AFTER: Duration = Duration::from_secs(5);
/// … and at the latest after this.
const TOLD_ANEW_WITHIN: Duration = Duration::from_secs(30);

/// An endpoint that is lost, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lost {
    by: Bits,
    reached_by: Bits,
}

/// One endpoint that the cluster must not lose.
#[derive(Debug)]
struct Service {
    lost: Settling<Option<Lost>>,
    open: Option<Partition>,
    /// In which epoch the last one was that is over.
    before: Option<Epoch>,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Services(BTreeMap<String, Service>);

impl Services {
    /// Those that are open, in order of name.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.0.values().filter_map(|service| service.open.as_ref())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_pending(&self) -> bool {
        self.0.values().any(|service| service.lost.is_pending())
    }

    /// Nothing may be told yet.
    pub(super) fn wait(&mut self, now: Now) {
        self.0.values_mut().for_each(|service| service.lost.wait(now));
    }

    /// The roster got another shape.
    pub(super) fn reshape(&mut self, places: &[Option<usize>]) {
        let reshaped =
            |lost: &Lost| Lost { by: lost.by.reshaped(places), reached_by: lost.reached_by.reshaped(places) };
        self.0.values_mut().for_each(|service| service.lost.reshape(|lost| lost.as_ref().map(reshaped)));
    }

    /// Whether one settles now.
    pub(super) fn is_due(&self, now: Now, plain: Rule, quiet: bool) -> bool {
        self.0.values().any(|service| service.lost.is_due(now, service.rule(plain), quiet))
    }

    /// When one may settle by the mere passing of time.
    pub(super) fn next_time(&self, now: Now, plain: Rule) -> Option<Now> {
        self.0.values().filter_map(|service| service.lost.next_time(now, service.rule(plain))).min()
    }
}

impl Service {
    fn new(now: Now) -> Self {
        Self { lost: Settling::new(None, now), open: None, before: None }
    }

    fn rule(&self, plain: Rule) -> Rule {
        let is_told = self.lost.published().is_some() && self.lost.candidate().is_some();
        if is_told { Rule { hold: TOLD_ANEW_AFTER, limit: TOLD_ANEW_WITHIN, ..plain } } else { plain }
    }

    fn observe(&mut self, votes: Votes, silent: usize, now: Now) {
        let lost = match votes.is_lost(silent) {
            // Too many do not know: then it is as it was told.
            None => self.lost.published().clone(),
            Some(false) => None,
            Some(true) => Some(Lost { by: votes.down, reached_by: votes.up }),
        };
        if lost.is_some() != self.lost.candidate().is_some() {
            // That more have lost it was another matter.
            self.lost.begin_anew();
        }
        self.lost.observe(lost, now);
    }
}

impl Detector {
    /// Who says what of the endpoints that the cluster must not lose, by their index, and how many say nothing.
    pub(super) fn observe_services(&mut self, votes: Vec<(usize, Votes, usize)>, now: Now) {
        let mut gone: Vec<String> = self.publication.services.0.keys().cloned().collect();
        for (index, votes, silent) in votes {
            let Some(name) = self.endpoints.name_of(index).map(str::to_owned) else { continue };
            gone.retain(|other| *other != name);
            self.publication.services.0.entry(name).or_insert_with(|| Service::new(now)).observe(votes, silent, now);
        }
        for name in gone {
            let service = self.publication.services.0.remove(&name);
            if let Some(partition) = service.and_then(|service| service.open) {
                self.closed(partition, CloseCause::Removed, None, now);
            }
        }
    }

    pub(super) fn settle_services(&mut self, plain: Rule, quiet: bool, now: Now) {
        let is_due = |service: &Service| service.lost.is_due(now, service.rule(plain), quiet);
        let due = self.publication.services.0.iter().filter(|(_, service)| is_due(service));
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            let Some(service) = self.publication.services.0.get_mut(&name) else { continue };
            let began = service.lost.differs_since().unwrap_or(now);
            let rule = service.rule(plain);
            if service.lost.settle(now, rule, quiet).is_some() {
                let lost = service.lost.published().clone();
                self.service_published(&name, lost.as_ref(), began, now);
            }
        }
    }

    fn service_published(&mut self, name: &str, lost: Option<&Lost>, began: Now, now: Now) {
        let Some(service) = self.publication.services.0.get_mut(name) else { return };
        let (open, mut before) = (service.open.take(), service.before);
        let open = match (open, lost) {
            (None, None) => None,
            (None, Some(lost)) => {
                // Only now: where a cut opens as this one closes, its sides still agree on the epoch.
                if before == Some(self.epoch) {
                    self.leave_epoch(self.epoch);
                }
                let partition = self.service_partition(name, lost, began, now);
                *self.counters.partitions.entry(partition.kind).or_default() += 1;
                self.emit_event(Event::PartitionOpened(partition.clone()));
                Some(partition)
            }
            (Some(partition), Some(lost)) => {
                let changed = self.told_of(lost, partition);
                self.emit_event(Event::PartitionChanged(changed.clone()));
                Some(changed)
            }
            (Some(partition), None) => {
                before = Some(partition.epoch);
                self.over(partition, CloseCause::Healed, None, now);
                None
            }
        };
        if let Some(service) = self.publication.services.0.get_mut(name) {
            (service.open, service.before) = (open, before);
        }
        self.view_is_old = true;
    }

    fn service_partition(&self, name: &str, lost: &Lost, began: Now, now: Now) -> Partition {
        let epoch = self.epoch;
        let since = self.endpoints.failing_since(name).map_or(began, |since| since.min(began));
        let partition = Partition {
            id: PartitionId::service(&self.settings.cluster, epoch, name),
            kind: PartitionKind::Service,
            endpoint: Some(name.to_owned()),
            certain: true,
            sides: Vec::new(),
            own_side: false,
            zones: Vec::new(),
            bridges: Vec::new(),
            exceptions: Vec::new(),
            direction: None,
            witness: None,
            opened: now,
            detection: now.since(since),
            epoch,
            quorum: false,
            electorate_digest: self.electorate_digest(),
            roster_digest: self.roster_digest,
        };
        self.told_of(lost, partition)
    }

    /// A partition with what is known now of who has lost its endpoint, first, and of who reaches it.
    fn told_of(&self, lost: &Lost, partition: Partition) -> Partition {
        let side = |nodes: &Bits| Side::new(self.names_of(nodes), true);
        Partition {
            sides: vec![side(&lost.by), side(&lost.reached_by)],
            own_side: lost.by.has(self.me),
            zones: if lost.reached_by.is_empty() {
                Vec::new()
            } else {
                self.zones_between([&lost.by, &lost.reached_by])
            },
            quorum: self.is_quorate(self.publication.side.published()),
            roster_digest: self.roster_digest,
            ..partition
        }
    }
}
