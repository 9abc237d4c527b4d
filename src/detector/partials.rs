//! Partial cuts on their way: each settles by itself, opens, changes and closes.
//!
//! What the matrix means now is matched with what is published and what waits by the pairs that both are about. So a cut
//! that grows keeps its name, and one that waits keeps the time since which it differs.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::Detector;
use super::announce::Open;
use super::bits::Bits;
use super::direction::Watch;
use super::partial::{BrokenPairs, Label, PartialCut, explain};
use super::partition::PartitionId;
use super::publish::{FLAPPING, LONGEST_HOLD};
use super::settle::{Rule, Settling};
use super::time::Now;
use super::verdict::{RowBits, Verdict, is_broken, is_joined};
use crate::wire::Flags;

/// A cut of one pair of nodes is a link's matter until it has lasted for so many bounds.
const BOUNDS_OF_ONE_PAIR: u32 = 4;

/// How many bridges are asked at once whether they are: the word of one is enough.
const BRIDGES_ASKED: usize = 3;

/// How many are asked at once about all cuts together.
const MOST_ASKED: usize = 16;

/// How many names of superseded cuts are remembered: more than can be open at once.
const REMEMBERED: usize = 128;

/// A partial cut that the matrix means.
#[derive(Clone, Debug)]
pub(super) struct Found {
    cut: PartialCut,
    /// A valid row says so of one of its pairs at least. Otherwise it is but what is left of a published cut, of which
    /// nobody tells any more: that keeps a partition open, and opens none.
    is_said: bool,
}

/// One partial cut, published or waiting to be.
pub(super) struct Slot {
    pub(super) cut: Settling<Option<PartialCut>>,
    /// Since when it is one pair of nodes and no more.
    single_since: Option<Now>,
    pub(super) open: Option<Open>,
    pub(super) direction: Watch,
    /// When it was seen first.
    pub(super) differed_since: Now,
}

impl Slot {
    fn new(cut: PartialCut, since: Now, now: Now) -> Self {
        let (settling, direction) = (Settling::new(None, now), Watch::default());
        let mut slot = Self { cut: settling, single_since: None, open: None, direction, differed_since: since };
        slot.cut.differs_from(since);
        slot.observe(Some(cut), now);
        slot
    }

    fn observe(&mut self, cut: Option<PartialCut>, now: Now) {
        let is_single = cut.as_ref().is_some_and(PartialCut::is_single);
        self.single_since = is_single.then(|| self.single_since.unwrap_or(now));
        if cut.is_none() != self.cut.candidate().is_none() && self.cut.published().is_some() {
            // A closing is another difference than a change.
            self.cut.begin_anew();
        }
        self.cut.observe(cut, now);
    }

    /// In how many pairs it is what this cut is.
    fn overlap(&self, cut: &PartialCut) -> usize {
        let known = [self.cut.published(), self.cut.candidate()];
        known.into_iter().flatten().map(|known| known.overlap(cut)).max().unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.cut.published().is_none() && self.cut.candidate().is_none()
    }

    pub(super) fn partition(&self) -> Option<&super::partition::Partition> {
        self.open.as_ref().map(|open| &open.partition)
    }
}

/// All partial cuts.
#[derive(Default)]
pub(super) struct Partials {
    pub(super) slots: Vec<Slot>,
    /// What opened lately: a cut that comes back is closed later.
    openings: VecDeque<(Now, PartialCut)>,
    /// When bridges were asked last whether they are.
    asked: Option<Now>,
    /// The last ones of which another cut took the place: the epoch goes on, so their names are taken.
    superseded: VecDeque<PartitionId>,
}

impl Partials {
    /// The matrix now means these.
    pub(super) fn observe(&mut self, found: Vec<Found>, now: Now) {
        let inherited: Vec<Option<Now>> = found.iter().map(|found| self.waits_since(&found.cut)).collect();
        let mut left: Vec<Option<Found>> = found.into_iter().map(Some).collect();
        // Published ones choose first.
        self.slots.sort_by_key(|slot| slot.cut.published().is_none());
        for slot in &mut self.slots {
            let overlaps = |at: &usize| left[*at].as_ref().map_or(0, |found| slot.overlap(&found.cut));
            let best = (0..left.len()).rev().max_by_key(overlaps).filter(|at| overlaps(at) > 0);
            let cut = best.and_then(|at| left[at].take()).map(|found| found.cut);
            let since = best.and_then(|at| inherited[at]).filter(|_| slot.cut.published().is_none());
            slot.observe(cut, now);
            if let Some(since) = since {
                slot.cut.differs_from(since);
            }
        }
        self.slots.retain(|slot| !slot.is_over());
        let new = left.into_iter().zip(inherited).filter_map(|(found, since)| Some((found?, since.unwrap_or(now))));
        let new = new.filter(|(found, _)| found.is_said);
        self.slots.extend(new.map(|(found, since)| Slot::new(found.cut, since, now)));
    }

    /// Since when something waits that a cut overlaps.
    fn waits_since(&self, cut: &PartialCut) -> Option<Now> {
        let waiting = self.slots.iter().filter(|slot| slot.cut.published().is_none() && slot.overlap(cut) > 0);
        waiting.filter_map(|slot| slot.cut.differs_since()).min()
    }

    pub(super) fn opened(&mut self, cut: PartialCut, now: Now) {
        self.openings.push_back((now, cut));
        self.openings.retain(|&(opening, _)| now.since(opening) < FLAPPING);
    }

    pub(super) fn note_superseded(&mut self, id: PartitionId) {
        self.superseded.push_back(id);
        self.superseded.drain(..self.superseded.len().saturating_sub(REMEMBERED));
    }

    pub(super) fn is_taken(&self, id: PartitionId) -> bool {
        self.superseded.contains(&id)
    }

    fn reopenings(&self, cut: &PartialCut) -> usize {
        self.openings.iter().filter(|(_, opened)| opened.overlap(cut) > 0).count().saturating_sub(1)
    }

    /// Nothing may be published yet.
    pub(super) fn wait(&mut self, now: Now) {
        self.slots.iter_mut().for_each(|slot| slot.cut.wait(now));
    }

    pub(super) fn is_pending(&self) -> bool {
        self.slots.iter().any(|slot| slot.cut.is_pending())
    }

    pub(super) fn published(&self) -> impl Iterator<Item = &PartialCut> {
        self.slots.iter().filter_map(|slot| slot.cut.published().as_ref())
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &super::partition::Partition> {
        self.slots.iter().filter_map(Slot::partition)
    }

    /// The roster got another shape.
    pub(super) fn reshape(&mut self, places: &[Option<usize>]) {
        for slot in &mut self.slots {
            slot.cut.reshape(|cut| cut.as_ref().and_then(|cut| cut.reshaped(places)));
            slot.open.iter_mut().for_each(|open| open.reshape(places));
        }
        let openings = self.openings.drain(..).filter_map(|(at, cut)| Some((at, cut.reshaped(places)?)));
        self.openings = openings.collect();
    }
}

/// When one slot may be published.
pub(super) struct Times {
    confirm_period: Duration,
    bound: Duration,
    /// How long a changed row takes to all peers, where what is extra is capped.
    row_takes: Duration,
}

impl Times {
    fn rule(&self, slot: &Slot, reopenings: usize) -> Rule {
        let d = self.confirm_period;
        let plain = Rule { hold: d, patience: d, limit: d * 4, least: Duration::ZERO };
        let Some(cut) = slot.cut.candidate() else {
            let hold = hold_after(reopenings, d);
            return Rule { hold, limit: hold + d * 3, ..plain };
        };
        let hold = if !cut.gaps.is_empty() || cut.has_lone_node() { d * 2 } else { d };
        let hold = hold + self.row_takes.saturating_sub(d / 2);
        let first = slot.cut.differs_since().filter(|_| slot.cut.published().is_none());
        let alone = first.zip(slot.single_since).map(|(first, single)| single.since(first));
        let least = alone.map_or(Duration::ZERO, |alone| alone + self.bound * BOUNDS_OF_ONE_PAIR);
        // Two nodes that die one after the other look like a partial cut for up to a bound.
        let limit = if slot.cut.published().is_none() { plain.limit + self.bound } else { plain.limit };
        Rule { hold, least, limit: limit.max(least), ..plain }
    }
}

/// d, doubled by each reopening within ten minutes: detection is never damped, only the all-clear.
pub(super) fn hold_after(reopenings: usize, confirm_period: Duration) -> Duration {
    let factor = 1_u32.checked_shl(u32::try_from(reopenings).unwrap_or(u32::MAX)).unwrap_or(u32::MAX);
    confirm_period.saturating_mul(factor).min(LONGEST_HOLD.max(confirm_period))
}

impl Detector {
    /// The partial cuts on this side. Across a published cut only what is *seen* joined counts.
    pub(super) fn partial_cuts(&self, rows: &[Option<RowBits<'_>>], verdict: &Verdict, now: Now) -> Vec<Found> {
        let within = self.whom_partials_are_about(verdict, now);
        let mut pairs = BrokenPairs::among(rows, &within);
        for cut in self.publication.partials.published() {
            for one in cut.sides[0].iter().filter(|&one| within.has(one)) {
                let mut unsaid = cut.broken_of(one);
                unsaid.keep(&within);
                if let Some(broken) = pairs.of(one) {
                    unsaid.remove(broken);
                }
                for other in unsaid.iter().filter(|&other| !is_joined(rows, one, other)) {
                    pairs.set(one, other);
                }
            }
        }
        if pairs.is_empty() {
            return Vec::new();
        }
        let labels: Vec<Label<'_>> =
            self.peers.iter().map(|peer| Label { name: &peer.member.name, zone: &peer.member.zone }).collect();
        let is_said = |cut: &PartialCut| cut.broken().any(|(one, other)| is_broken(rows, one, other));
        let cuts = explain(pairs, &within, &labels).into_iter();
        cuts.map(|cut| Found { is_said: is_said(&cut), cut }).collect()
    }

    /// Who is joined to me, on my side of a complete cut, and who was so and is not known to be cut off entirely. Who has
    /// just woken from a stall is heard here and not yet there: that is no cut. Neither is a name that two agents use, of
    /// which some hear the one and some the other.
    fn whom_partials_are_about(&self, verdict: &Verdict, now: Now) -> Bits {
        let has_woken = |place: &usize| self.wakes_until(*place).is_some_and(|until| now < until);
        let mut published = Bits::none(self.peers.len());
        for cut in self.publication.partials.published() {
            published.add(&cut.nodes());
        }
        published.keep(&verdict.component);
        let mut within = verdict.joined.clone();
        let is_used_twice = |place: &usize| self.rivalries.suspects(self.peers[*place].id, now);
        for place in (0..self.peers.len()).filter(|place| has_woken(place) || is_used_twice(place)) {
            within.clear(place);
        }
        within.add(&published);
        if let Some(cut) = self.publication.cut.published() {
            within.remove(&cut.others);
        }
        within.remove(self.publication.unheard.published());
        within
    }

    /// Until when a peer that woke from a stall may be heard here and not yet elsewhere.
    fn wakes_until(&self, place: usize) -> Option<Now> {
        let still = self.timing.detection_bound() + self.timing.confirm_period * 2;
        self.peers[place].woke.map(|woke| woke + still)
    }

    /// When the next of them is heard by all who can: no row tells of it.
    pub(super) fn next_awake(&self, now: Now) -> Option<Now> {
        (0..self.peers.len()).filter_map(|place| self.wakes_until(place)).filter(|&until| until > now).min()
    }

    /// Whether one of them may settle now.
    pub(super) fn is_a_partial_due(&self, now: Now) -> bool {
        let times = self.partial_times();
        let pending = self.publication.partials.slots.iter().filter(|slot| slot.cut.is_pending());
        let mut rules = pending.map(|slot| (slot, times.rule(slot, self.reopenings(slot))));
        rules.any(|(slot, rule)| slot.cut.is_due(now, rule, true))
    }

    pub(super) fn settle_partials(&mut self, now: Now) {
        if self.publication.partials.slots.is_empty() {
            return;
        }
        let times = self.partial_times();
        let owes = self.is_owed_a_row();
        let mut asked = BTreeSet::new();
        for at in 0..self.publication.partials.slots.len() {
            let slot = &self.publication.partials.slots[at];
            let rule = times.rule(slot, self.reopenings(slot));
            let soon = slot.cut.earliest(rule).is_some_and(|earliest| earliest <= now + rule.patience);
            let may_wait = slot.cut.differs_since().is_some_and(|since| now.since(since) < rule.limit);
            let awaited = Some(slot).filter(|_| soon && may_wait);
            if let Some(awaited) = awaited.and_then(|slot| self.whom_an_opening_awaits(slot, now)) {
                asked.extend(awaited);
                continue;
            }
            let known = [slot.cut.published(), slot.cut.candidate()];
            let quiet = !owes && !known.into_iter().flatten().any(|cut| self.shows_late(cut));
            let slot = &mut self.publication.partials.slots[at];
            if let Some(before) = slot.cut.settle(now, rule, quiet) {
                self.partial_published(at, before, now);
            }
        }
        self.publication.partials.slots.retain(|slot| !slot.is_over());
        self.ask_bridges(&asked, now);
    }

    /// Whose word on whether the sides are joined still is not heard since the cut changed. A bridge that fell silent
    /// with a side hears that side in its last row, and is no bridge: so an opening waits for a word, at most until the
    /// silence of the bridge is known.
    fn whom_an_opening_awaits(&self, slot: &Slot, now: Now) -> Option<Vec<usize>> {
        let cut = slot.cut.candidate().as_ref().filter(|_| slot.cut.published().is_none())?;
        let since = slot.cut.changed();
        if now.since(since) >= self.timing.detection_bound() {
            return None;
        }
        let mut unseen = cut.nodes();
        unseen.clear(self.me);
        for place in (0..self.peers.len()).filter(|&place| place != self.me && self.stood_by(place, now) > since) {
            unseen.remove(&self.joined_by(place, now));
            if unseen.is_empty() {
                break;
            }
        }
        // Rows that are on their way through bridges may put all of it in another way.
        let waits = !unseen.is_empty() || self.publication.is_incomplete;
        waits.then(|| self.who_may_say(unseen, now))
    }

    /// Whom the row of a node shows joined to it without doubt, itself included; nobody if there is no valid one.
    fn joined_by(&self, place: usize, now: Now) -> Bits {
        let relayed = || self.relayed_row(place, now).map(|(row, _)| row);
        let Some(row) = self.peers[place].valid_row().or_else(relayed) else { return Bits::none(self.peers.len()) };
        let mut joined = row.ok.without(&row.late);
        joined.set(place);
        joined
    }

    /// A few who can be asked, each joined to as many of these as can be.
    fn who_may_say(&self, mut unseen: Bits, now: Now) -> Vec<usize> {
        let mut asked = Vec::new();
        let can_be_asked = |&place: &usize| place != self.me && self.peers[place].valid_row().is_some();
        while asked.len() < BRIDGES_ASKED && !unseen.is_empty() {
            let left = |place: usize| unseen.without(&self.joined_by(place, now)).count();
            let best = (0..self.peers.len()).filter(can_be_asked).min_by_key(|&place| left(place));
            let Some(best) = best.filter(|&best| left(best) < unseen.count()) else { break };
            unseen.remove(&self.joined_by(best, now));
            asked.push(best);
        }
        asked
    }

    /// Asks for a word, three times in each confirm period.
    fn ask_bridges(&mut self, bridges: &BTreeSet<usize>, now: Now) {
        let (pause, asked) = (self.timing.poll_pace(), self.publication.partials.asked);
        if bridges.is_empty()
            || self.timing.polls_per_window == 0
            || asked.is_some_and(|asked| now.since(asked) < pause)
        {
            return;
        }
        self.publication.partials.asked = Some(now);
        for &bridge in bridges.iter().take(MOST_ASKED) {
            self.send_out_of_turn(bridge, Flags { poll: true, ..Flags::default() }, Vec::new(), now);
        }
    }

    fn partial_times(&self) -> Times {
        let (confirm_period, bound) = (self.timing.confirm_period, self.timing.detection_bound());
        let row_takes = self.bucket.takes(self.peers.len() * self.row.datagrams.len());
        Times { confirm_period, bound, row_takes }
    }

    fn reopenings(&self, slot: &Slot) -> usize {
        slot.cut.published().as_ref().map_or(0, |cut| self.publication.partials.reopenings(cut))
    }

    pub(super) fn next_partial(&self, now: Now) -> Option<Now> {
        let times = self.partial_times();
        let slots = self.publication.partials.slots.iter();
        slots.filter_map(|slot| slot.cut.next_time(now, times.rule(slot, self.reopenings(slot)))).min()
    }

    /// Whether a valid row shows a late link of one of its nodes.
    fn shows_late(&self, cut: &PartialCut) -> bool {
        let touches = |owner: usize, late: &Bits| {
            !late.is_empty() && cut.sides.iter().any(|side| side.has(owner) || side.meets(late))
        };
        let others = self.peers.iter().enumerate().filter(|&(place, _)| place != self.me);
        let mut rows = others.filter_map(|(place, peer)| Some((place, &peer.valid_row()?.late)));
        touches(self.me, &self.row.held.late) || rows.any(|(owner, late)| touches(owner, late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: Duration = Duration::from_millis(500);

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    fn cut(one: &[usize], other: &[usize]) -> PartialCut {
        let sides = [one, other].map(|side| {
            let mut bits = Bits::none(10);
            bits.extend(side.iter().copied());
            bits
        });
        PartialCut { sides, gaps: Vec::new() }
    }

    fn said(cut: PartialCut) -> Found {
        Found { cut, is_said: true }
    }

    fn times() -> Times {
        Times { confirm_period: D, bound: D * 5, row_takes: Duration::ZERO }
    }

    fn settled(partials: &mut Partials, now: Now) -> Vec<PartialCut> {
        for slot in &mut partials.slots {
            let rule = times().rule(slot, 0);
            slot.cut.settle(now, rule, true);
        }
        partials.slots.retain(|slot| !slot.is_over());
        partials.published().cloned().collect()
    }

    #[test]
    fn a_cut_that_grows_and_shrinks_stays_one_and_keeps_its_first_difference() {
        let mut partials = Partials::default();
        partials.observe(vec![said(cut(&[0, 1], &[2, 3]))], at(0));
        partials.observe(vec![said(cut(&[0, 1], &[2, 3, 4]))], at(400));
        assert!(settled(&mut partials, at(899)).is_empty());
        assert_eq!(partials.slots[0].cut.differs_since(), Some(at(0)));
        assert_eq!(settled(&mut partials, at(900)), [cut(&[0, 1], &[2, 3, 4])]);
        partials.observe(vec![said(cut(&[0, 1], &[3, 4]))], at(2000));
        assert_eq!(settled(&mut partials, at(2500)), [cut(&[0, 1], &[3, 4])]);
        assert_eq!(partials.slots.len(), 1);
    }

    #[test]
    fn what_nobody_says_any_more_keeps_a_cut_open_and_opens_none() {
        let mut partials = Partials::default();
        let remembered = |cut| Found { cut, is_said: false };
        partials.observe(vec![remembered(cut(&[0, 1], &[2, 3]))], at(0));
        assert!(partials.slots.is_empty());
        partials.observe(vec![said(cut(&[0, 1], &[2, 3]))], at(100));
        assert_eq!(settled(&mut partials, at(600)).len(), 1);
        partials.observe(vec![remembered(cut(&[0, 1], &[2, 3])), remembered(cut(&[0], &[4]))], at(700));
        assert_eq!(settled(&mut partials, at(20_000)), [cut(&[0, 1], &[2, 3])]);
    }

    #[test]
    fn one_node_on_a_side_settles_for_2d_and_one_pair_for_four_bounds() {
        let mut partials = Partials::default();
        partials.observe(vec![said(cut(&[0], &[2, 3])), said(cut(&[5], &[6]))], at(0));
        assert!(settled(&mut partials, at(999)).is_empty());
        assert_eq!(settled(&mut partials, at(1000)), [cut(&[0], &[2, 3])]);
        assert_eq!(settled(&mut partials, at(9_999)).len(), 1);
        assert_eq!(settled(&mut partials, at(10_000)).len(), 2);
    }

    #[test]
    fn the_time_of_a_pair_inside_a_larger_cut_does_not_count() {
        let mut partials = Partials::default();
        partials.observe(vec![said(cut(&[0], &[1]))], at(0));
        partials.observe(vec![said(cut(&[0], &[1, 2]))], at(300));
        partials.observe(vec![said(cut(&[0], &[1]))], at(600));
        assert!(settled(&mut partials, at(10_500)).is_empty());
        assert_eq!(settled(&mut partials, at(10_600)), [cut(&[0], &[1])]);
    }

    #[test]
    fn two_that_become_one_are_one_that_waits_since_the_first() {
        let mut partials = Partials::default();
        partials.observe(vec![said(cut(&[0], &[4, 5]))], at(0));
        partials.observe(vec![said(cut(&[0], &[4, 5])), said(cut(&[1], &[6, 7]))], at(200));
        partials.observe(vec![said(cut(&[0, 1], &[4, 5, 6, 7]))], at(400));
        assert_eq!(partials.slots.len(), 1);
        assert_eq!(settled(&mut partials, at(900)), [cut(&[0, 1], &[4, 5, 6, 7])]);
    }

    #[test]
    fn what_is_over_before_it_settled_is_never_told() {
        let mut partials = Partials::default();
        partials.observe(vec![said(cut(&[0, 1], &[2, 3]))], at(0));
        partials.observe(Vec::new(), at(499));
        assert!(partials.slots.is_empty());
    }
}
