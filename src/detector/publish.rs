//! When the matrix is judged, and when what it means is published: the cut, this node's side, who is unheard.
//!
//! `assess` says what could be published, `settle` when, `announce` and `standing` tell it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::announce::{Memory, Open, Outage};
use super::assess::{Candidates, Cut, Lost};
use super::bits::Bits;
use super::direction::Watch;
use super::link_records::LinkRecords;
use super::partials::{Partials, hold_after};
use super::partition::{Closed, Partition};
use super::services::Services;
use super::settle::{Rule, Settling};
use super::time::Now;
use super::{Detector, Output};
use crate::identity::NodeId;

/// A cut that comes back within this time makes the next closing wait longer.
pub(super) const FLAPPING: Duration = Duration::from_secs(600);

/// The longest wait before a closing.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// What stands published, and what waits to be.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Publication {
    /// The matrix changed since it was last judged.
    dirty: bool,
    last_judged: Option<Now>,
    /// Whether this agent's own row counted as impaired then.
    judged_impaired: bool,
    pub(super) cut: Settling<Option<Cut>>,
    pub(super) partials: Partials,
    pub(super) certain: bool,
    pub(super) side: Settling<Bits>,
    pub(super) unheard: Settling<Bits>,
    pub(super) agents_down: Settling<Bits>,
    next_judgement: Option<Now>,
    /// When something is due even if nothing changes.
    next: Option<Now>,
    /// When the attributes of what is open are looked at again.
    pub(super) next_look: Option<Now>,
    pub(super) joined: Bits,
    /// Somebody is neither known to be cut off nor known to be joined.
    pub(super) is_incomplete: bool,
    pub(super) lost: Lost,
    pub(super) open: Option<Open>,
    /// Which way the open cut is cut.
    pub(super) direction: Watch,
    /// Partitions that are over, the newest first.
    pub(super) recent: VecDeque<Arc<Closed>>,
    pub(super) openings: VecDeque<Now>,
    pub(super) silences: Vec<Option<Memory>>,
    /// What is told of each agent that is down.
    pub(super) outages: BTreeMap<NodeId, Outage>,
    /// Endpoints that the cluster must not lose.
    pub(super) services: Services,
    pub(super) links: LinkRecords,
    pub(super) said_blind: bool,
    /// What is published is what was so before a time in which nothing could be told.
    pub(super) is_outdated: bool,
    /// Since when it can be told again.
    pub(super) tells_since: Option<Now>,
}

impl Publication {
    pub(super) fn new(now: Now) -> Self {
        Self {
            dirty: true,
            last_judged: None,
            judged_impaired: false,
            cut: Settling::new(None, now),
            partials: Partials::default(),
            certain: true,
            side: Settling::new(Bits::default(), now),
            unheard: Settling::new(Bits::default(), now),
            agents_down: Settling::new(Bits::default(), now),
            next_judgement: None,
            next: None,
            next_look: None,
            joined: Bits::default(),
            is_incomplete: false,
            lost: Lost::default(),
            open: None,
            direction: Watch::default(),
            recent: VecDeque::new(),
            openings: VecDeque::new(),
            silences: Vec::new(),
            outages: BTreeMap::new(),
            services: Services::default(),
            links: LinkRecords::default(),
            said_blind: false,
            is_outdated: false,
            tells_since: None,
        }
    }

    /// The matrix changed.
    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Something else changed that publishing depends on.
    pub(super) fn hasten(&mut self, now: Now) {
        self.next = Some(now);
    }

    /// The roster got another shape.
    pub(super) fn reshape(&mut self, places: &[Option<usize>]) {
        self.cut.reshape(|cut| cut.as_ref().map(|cut| cut.reshaped(places)));
        self.side.reshape(|side| side.reshaped(places));
        self.unheard.reshape(|unheard| unheard.reshaped(places));
        self.agents_down.reshape(|agents| agents.reshaped(places));
        self.joined = self.joined.reshaped(places);
        self.lost.reshape(places);
        let remembered = |before: Option<usize>| before.and_then(|before| self.silences.get(before).copied().flatten());
        self.silences = places.iter().map(|&before| remembered(before)).collect();
        self.open.iter_mut().for_each(|open| open.reshape(places));
        self.partials.reshape(places);
        self.services.reshape(places);
        self.touch();
    }

    fn is_pending(&self) -> bool {
        let sets = [&self.unheard, &self.agents_down, &self.side];
        self.cut.is_pending()
            || self.partials.is_pending()
            || self.services.is_pending()
            || sets.into_iter().any(Settling::is_pending)
    }

    /// Everything that is open: the complete cut first, lost endpoints last.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partition().into_iter().chain(self.partials.partitions()).chain(self.services.partitions())
    }

    /// The open complete cut or isolation, if there is one.
    pub(super) fn partition(&self) -> Option<&Partition> {
        self.open.as_ref().map(|open| &open.partition)
    }
}

impl Detector {
    /// Judges what changed, publishes what has settled, and says what this side may do. Costs nothing when none of it
    /// is due: it is called after every datagram.
    pub(super) fn assess(&mut self, now: Now) {
        self.note_company(now);
        if self.next_assessment().is_none_or(|due| now < due) {
            return;
        }
        self.flush_link_records(now);
        self.publication.dirty |= self.publication.judged_impaired && !self.health.is_impaired(now);
        if self.publication.dirty && now >= self.rested()
            || self.publication.next_judgement.is_some_and(|due| due <= now)
        {
            self.observe(now);
        }
        if self.can_tell(now) {
            if self.publication.dirty && self.is_about_to_publish(now) {
                self.observe(now);
            }
            self.settle(now);
            self.update_attributes(now);
            self.catch_up(now);
        } else {
            self.publication.cut.wait(now);
            self.publication.partials.wait(now);
            self.publication.services.wait(now);
            self.publication.unheard.wait(now);
            self.publication.agents_down.wait(now);
            // A look that was due while it slept would be due for as long as nothing may be told.
            self.publication.next_look = None;
            self.publication.tells_since = None;
            // The first side is published as soon as anything may be: it has been watched since the start.
            if !self.publication.side.published().is_empty() {
                self.publication.side.wait(now);
                self.publication.is_outdated = true;
            }
        }
        self.update_mode(now);
        self.publication.next = self.next_step(now);
    }

    /// The verdict is computed at most once per d/4, and once more before something is published.
    fn rested(&self) -> Now {
        let pause = self.timing.confirm_period / 4;
        self.publication.last_judged.map_or(self.started, |last| last + pause)
    }

    /// When `assess` has something to do.
    pub(super) fn next_assessment(&self) -> Option<Now> {
        let judge = self.publication.dirty.then(|| self.rested());
        [judge, self.link_records_due(), self.publication.next].into_iter().flatten().min()
    }

    /// When something is due by the mere passing of time.
    fn next_step(&self, now: Now) -> Option<Now> {
        let times = [
            self.publication.next_judgement.map(|due| due.max(self.rested())),
            self.next_settling(now),
            self.publication.next_look,
            Some(self.begins).filter(|&end| end > now),
            self.could_hear_by().filter(|&end| end > now),
            self.publication.tells_since.map(|since| since + self.timing.confirm_period).filter(|&end| end > now),
            self.health.next_end(now),
        ];
        times.into_iter().flatten().min()
    }

    fn observe(&mut self, now: Now) {
        let (candidates, verdict) = self.candidates(now);
        if let Some(votes) = self.judge_endpoints(&verdict, now) {
            self.observe_services(votes, now);
        }
        let Candidates { cut, certain, unheard, agents_down, next_judgement, side, partials } = candidates;
        let publication = &mut self.publication;
        publication.dirty = false;
        publication.last_judged = Some(now);
        self.counters.verdicts += 1;
        publication.judged_impaired = self.health.is_impaired(now);
        publication.certain = certain;
        publication.is_incomplete = verdict.component != verdict.joined;
        publication.next_judgement = next_judgement.into_iter().chain(self.endpoints.next_judgement()).min();
        publication.joined = verdict.joined;
        if is_another_difference(publication.cut.candidate().as_ref(), cut.as_ref()) {
            publication.cut.begin_anew();
        }
        publication.cut.observe(cut, now);
        publication.partials.observe(partials, now);
        publication.unheard.observe(unheard, now);
        publication.agents_down.observe(agents_down, now);
        publication.side.observe(side, now);
    }

    fn next_settling(&self, now: Now) -> Option<Now> {
        let publication = &self.publication;
        if !self.can_tell(now) {
            return None;
        }
        let again = publication.is_pending().then(|| now + self.timing.confirm_period / 4);
        let cut = publication.cut.next_time(now, self.cut_rule());
        let plain = self.plain_rule();
        let sets = [&publication.unheard, &publication.agents_down, &publication.side];
        let sets = sets.map(|set| set.next_time(now, plain));
        let services = publication.services.next_time(now, plain);
        [again, cut, self.next_partial(now), services].into_iter().chain(sets).flatten().min()
    }

    fn plain_rule(&self) -> Rule {
        let d = self.timing.confirm_period;
        Rule { hold: d, patience: d, limit: d * 4, least: Duration::ZERO }
    }

    fn cut_rule(&self) -> Rule {
        let publication = &self.publication;
        let plain = self.plain_rule();
        if publication.cut.published().is_some() && publication.cut.candidate().is_none() {
            let hold = self.closing_hold();
            return Rule { hold, limit: hold + self.timing.confirm_period * 3, ..plain };
        }
        let least = if publication.certain { Duration::ZERO } else { self.timing.detection_bound() };
        Rule { least, ..plain }
    }

    fn closing_hold(&self) -> Duration {
        hold_after(self.publication.openings.len().saturating_sub(1), self.timing.confirm_period)
    }

    fn settle(&mut self, now: Now) {
        self.become_certain();
        if !self.publication.is_pending() {
            return;
        }
        let quiet = self.is_quiet_if_that_matters(now);
        let waits = self.opening_awaits_evidence(now);
        let (cut_rule, plain) = (self.cut_rule(), self.plain_rule());
        let changed = if waits { None } else { self.publication.cut.settle(now, cut_rule, quiet) };
        if let Some(before) = changed {
            self.publication.side.publish_now();
            self.cut_published(before, now);
            self.judge_soon(now);
        } else if !self.publication.cut.is_pending() {
            self.publication.side.settle(now, plain, quiet);
        }
        self.settle_partials(now);
        self.settle_services(plain, quiet, now);
        if let Some(before) = self.publication.unheard.settle(now, plain, quiet) {
            self.unheard_published(&before, now);
            self.judge_soon(now);
        }
        if let Some(before) = self.publication.agents_down.settle(now, plain, quiet) {
            self.agents_down_published(&before, now);
        }
    }

    /// Whether something settles now: what came since the last judgement, and made the rows quiet, may say otherwise.
    fn is_about_to_publish(&self, now: Now) -> bool {
        self.is_due(now, self.is_quiet_if_that_matters(now)) || self.is_a_partial_due(now)
    }

    /// Whether something settles now that depends on whether the rows are quiet.
    fn is_due(&self, now: Now, quiet: bool) -> bool {
        let (publication, plain) = (&self.publication, self.plain_rule());
        let sets = [&publication.unheard, &publication.agents_down, &publication.side];
        publication.cut.is_due(now, self.cut_rule(), quiet)
            || sets.iter().any(|set| set.is_due(now, plain, quiet))
            || publication.services.is_due(now, plain, quiet)
    }

    /// All rows are looked at for that: only where something settles if they are quiet.
    fn is_quiet_if_that_matters(&self, now: Now) -> bool {
        self.is_due(now, true) && self.is_quiet()
    }

    /// What is partial depends on what was published of whole sides and nodes, be the rows the same.
    fn judge_soon(&mut self, now: Now) {
        let soon = now + self.timing.confirm_period / 4;
        let publication = &mut self.publication;
        publication.next_judgement = Some(publication.next_judgement.map_or(soon, |due| due.min(soon)));
    }

    /// Whether evidence is out that may explain a cut before it opens.
    fn opening_awaits_evidence(&self, now: Now) -> bool {
        let cut = &self.publication.cut;
        // Evidence that has just come is not in the row yet. Whom others hear it does not explain.
        let found = || self.agents_found_down().without(self.publication.lost.seen());
        let is_explained = |cut: &Cut| !self.health.is_impaired(now) && cut.others.meets(&found());
        let candidate = cut.candidate().as_ref().filter(|_| cut.published().is_none());
        candidate.is_some_and(|cut| self.awaits_evidence(cut, now) || is_explained(cut))
    }

    /// Whether no valid row shows a late link, and no peer that is heard owes a row.
    fn is_quiet(&self) -> bool {
        let mut others = self.peers.iter().enumerate().filter(|&(place, _)| place != self.me);
        let is_quiet = |peer: &super::peer::Peer| peer.valid_row().is_none_or(|row| row.late.is_empty());
        self.row.held.late.is_empty() && others.all(|(_, peer)| is_quiet(peer)) && !self.is_owed_a_row()
    }

    /// Whether a peer that is heard has announced a row that is not held yet.
    pub(super) fn is_owed_a_row(&self) -> bool {
        self.peers.iter().enumerate().any(|(place, peer)| place != self.me && peer.owes_a_row())
    }

    /// While UDP is blocked here nothing is told of the links: afterwards it is.
    fn link_records_due(&self) -> Option<Now> {
        let due = self.publication.links.due(self.timing.confirm_period);
        due.filter(|_| !self.health.is_udp_blocked())
    }

    fn flush_link_records(&mut self, now: Now) {
        if self.link_records_due().is_some_and(|due| due <= now) {
            for event in self.publication.links.take() {
                self.emit_event(event);
            }
        }
    }

    /// Tells the shell that the view changed: the mode at once, the rest at most every d/4.
    pub(super) fn offer_view(&mut self, now: Now) {
        let timing = self.timing;
        if self.view_is_old || now >= self.next_view {
            self.view_is_old = false;
            // Whoever reads it calls an agent whose view is five seconds old a stalled one.
            let pause = (timing.confirm_period / 4).min(timing.timeout / 2).min(Duration::from_secs(1));
            self.next_view = now + pause;
            self.emit(Output::View);
        }
    }
}

/// A closing is another difference than a change; a cut inherits the time of one that it overlaps.
fn is_another_difference(before: Option<&Cut>, after: Option<&Cut>) -> bool {
    match (before, after) {
        (None, None) => false,
        (Some(before), Some(after)) => !before.others.meets(&after.others),
        _ => true,
    }
}
