//! What the matrix means now for this agent: candidates for a publication, and no decision yet.

use std::time::Duration;

use super::Detector;
use super::bits::Bits;
use super::event::AgentDownCause;
use super::partials::Found;
use super::peer::Peer;
use super::saved::Micros;
use super::settings::ConfiguredTiming;
use super::time::Now;
use super::verdict::{self, RowBits, Verdict};

/// A complete cut: my side, and everybody whom it does not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) mine: Bits,
    pub(super) others: Bits,
}

impl Cut {
    pub(super) fn reshaped(&self, places: &[Option<usize>]) -> Self {
        Self { mine: self.mine.reshaped(places), others: self.others.reshaped(places) }
    }
}

/// Who could be published as what.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    pub(super) cut: Option<Cut>,
    /// Whether the cut rests on broken pairs alone; otherwise unknown pairs might still join its sides.
    pub(super) certain: bool,
    /// Nodes that nobody of my side hears and that nothing shows alive, lost long enough ago to be told of.
    pub(super) unheard: Bits,
    /// Nodes whose agents do not run, known for long enough to be told of.
    pub(super) agents_down: Bits,
    /// When to judge anew though no row changes: when the next silent node may be told of, say.
    pub(super) next_judgement: Option<Now>,
    /// Who is joined to me on my side, as far as that can be counted on.
    pub(super) side: Bits,
    /// What is broken among them.
    pub(super) partials: Vec<Found>,
}

/// Since when each node has been seen by nobody of my side, or by somebody again.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    seen: Bits,
    since: Vec<Option<Now>>,
    seen_again: Vec<Option<Now>>,
}

impl Lost {
    /// Returns who is seen no more.
    fn update(&mut self, seen: &Bits, now: Now) -> Bits {
        self.since.resize(seen.len(), None);
        self.seen_again.resize(seen.len(), None);
        let lost = self.seen.without(seen);
        for place in lost.iter() {
            self.since[place] = Some(now);
        }
        for place in seen.without(&self.seen).iter() {
            self.seen_again[place] = Some(now);
        }
        self.seen.clone_from(seen);
        lost
    }

    /// Whom somebody of my side heard at the last judgement.
    pub(super) fn seen(&self) -> &Bits {
        &self.seen
    }

    /// Whether somebody of my side has heard a node without a break since then.
    pub(super) fn is_seen_since(&self, place: usize, time: Now) -> bool {
        let since = self.seen_again.get(place).copied().flatten();
        self.seen.has(place) && since.is_none_or(|since| since <= time)
    }

    pub(super) fn reshape(&mut self, places: &[Option<usize>]) {
        self.seen = self.seen.reshaped(places);
        let moved = |times: &[Option<Now>]| -> Vec<Option<Now>> {
            places.iter().map(|&before| before.and_then(|before| times.get(before).copied()?)).collect()
        };
        self.since = moved(&self.since);
        self.seen_again = moved(&self.seen_again);
    }
}

impl Detector {
    /// Judges the matrix.
    pub(super) fn candidates(&mut self, now: Now) -> (Candidates, Verdict) {
        let rows = self.rows(now);
        let verdict = verdict::judge(&rows, self.me, &self.who_left());
        let verdict = self.set_aside_who_is_still_down(verdict);
        let partials = self.partial_cuts(&rows, &verdict, now);
        let both_ways = self.hear_each_other_across(&rows);
        let lost = self.publication.lost.update(&verdict.seen, now);
        self.doubt_findings(&lost, now);
        let silent = self.silent_ones(&verdict.outside(), &verdict);
        let (mut unheard, told) = self.tellable(&silent, now);
        let (cut, certain) = self.whole_cut(&silent, &verdict);
        let until = self.closing_waits_until(both_ways, &verdict, now);
        let cut = self.keep_what_only_unknown_would_change(cut, until.is_some(), &verdict);
        let mut side = verdict.counted.clone();
        if let Some(cut) = &cut {
            side.keep(&cut.mine);
        }
        let (waiting, heard) = self.not_heard_yet(self.publication.unheard.published(), &verdict, now);
        unheard.add(&waiting);
        if let Some(cut) = &cut {
            unheard.remove(&cut.others);
        }
        let (agents_down, next_down) = self.agents_down_to_tell(&verdict, now);
        unheard.remove(&agents_down);
        let times = [told, heard, next_down, until, self.next_awake(now)];
        let next_judgement = times.into_iter().flatten().min();
        (Candidates { cut, certain, unheard, agents_down, next_judgement, side, partials }, verdict)
    }

    /// The complete cut, and whether it is certain. Where those who are cut off for certain are but silent, others still may
    /// be cut off.
    fn whole_cut(&self, silent: &Bits, verdict: &Verdict) -> (Option<Cut>, bool) {
        let outside = verdict.outside();
        let others = outside.without(silent);
        if !others.is_empty() {
            return (Some(Cut { mine: verdict.judged.without(&outside), others }), true);
        }
        let outside = verdict.not_joined();
        let unknown = outside.without(silent);
        let others = unknown.without(&self.silent_ones(&unknown, verdict));
        let cut = (!others.is_empty()).then(|| Cut { mine: verdict.judged.without(&outside), others });
        (cut, false)
    }

    /// An agent published as down stays so until it is heard, though whoever found it down may be gone.
    fn set_aside_who_is_still_down(&self, mut verdict: Verdict) -> Verdict {
        let mut still_down = self.publication.agents_down.published().without(&verdict.seen);
        still_down.keep(&verdict.judged);
        verdict.judged.remove(&still_down);
        verdict.component.remove(&still_down);
        verdict.joined.remove(&still_down);
        verdict.counted.remove(&still_down);
        verdict.agents_down.add(&still_down);
        verdict
    }

    /// Whose agent is down, and when the next may be told of. While only hosts are known to answer, another may turn out
    /// to have fallen silent with it, and then it is no matter of one agent. Of one that spoke since nothing new is told.
    fn agents_down_to_tell(&self, verdict: &Verdict, now: Now) -> (Bits, Option<Now>) {
        let published = self.publication.agents_down.published();
        let mut agents_down = published.clone();
        agents_down.keep(&verdict.agents_down);
        let (mut sure, mut answering) = (Bits::none(self.peers.len()), Bits::none(self.peers.len()));
        for node in verdict.agents_down.without(published).iter() {
            let spoke = self.inquiry.has_spoken(self.peers[node].id);
            match self.agent_down_cause(node) {
                _ if spoke => {}
                AgentDownCause::HostAnswers => answering.set(node),
                AgentDownCause::Stopped | AgentDownCause::Stalled => sure.set(node),
            }
        }
        let (told, next) = self.tellable(&answering, now);
        let (waiting, heard) = self.not_heard_yet(published, verdict, now);
        for more in [sure, told, waiting] {
            agents_down.add(&more);
        }
        (agents_down, next.into_iter().chain(heard).min())
    }

    /// The valid rows, ready to be judged by.
    pub(super) fn rows(&self, now: Now) -> Vec<Option<RowBits<'_>>> {
        let impaired = self.health.is_impaired(now);
        (0..self.peers.len()).map(|place| self.row_of(place, impaired, now)).collect()
    }

    fn who_left(&self) -> Bits {
        let mut left = Bits::none(self.peers.len());
        left.extend((0..self.peers.len()).filter(|&place| self.peers[place].has_left()));
        left
    }

    fn row_of(&self, place: usize, impaired: bool, now: Now) -> Option<RowBits<'_>> {
        let peer = &self.peers[place];
        let (row, impaired, relayed) = if place == self.me {
            (&self.row.held, impaired, false)
        } else if let Some(row) = peer.valid_row() {
            (row, peer.impaired, false)
        } else {
            let (row, relayed) = self.relayed_row(place, now)?;
            (row, relayed.impaired, true)
        };
        // Most rows show nothing broken: then the verdict need not look that up for every pair.
        let broken = Some(&row.broken).filter(|broken| !impaired && !broken.is_empty());
        let down_agents = row.down_agents.as_ref().filter(|_| !impaired);
        Some(RowBits { ok: &row.ok, broken, down_agents, absent: &row.absent, relayed })
    }

    /// Nodes outside that may simply be dead: alone in their silence, and without a sign of life. A lone agent takes
    /// nobody for dead whom it did not call unheard while it had company.
    fn silent_ones(&self, outside: &Bits, verdict: &Verdict) -> Bits {
        let bound = self.slowest_bound(outside);
        let is_lost_alone = |node: usize| self.is_lost_alone(node, outside, bound);
        let may_be_dead = |node: &usize| !verdict.seen.has(*node) && !self.shows_life(*node) && is_lost_alone(*node);
        let mut silent = Bits::none(outside.len());
        silent.extend(outside.iter().filter(may_be_dead));
        if verdict.judged.without(outside).count() == 1 {
            silent.keep(self.publication.unheard.published());
        }
        silent
    }

    /// Whether every other node outside was lost more than one bound apart from this one.
    fn is_lost_alone(&self, node: usize, outside: &Bits, bound: Duration) -> bool {
        outside.iter().filter(|&other| other != node).all(|other| self.were_lost_apart(node, other, bound))
    }

    /// The bound of the slowest agent on which a judgement of these rests: who tells of them, and they themselves. Agents
    /// have different periods while settings change and rosters grow; what was lost at once is noticed within this.
    pub(super) fn slowest_bound(&self, judged: &Bits) -> Duration {
        let others = self.peers.iter().enumerate().filter(|&(place, _)| place != self.me);
        let count = others.filter(|&(place, peer)| peer.link.is_up() || judged.has(place));
        let pace = count.map(|(_, peer)| peer.link.pace()).max().unwrap_or_default();
        if pace <= self.timing.period {
            return self.timing.detection_bound();
        }
        // A heartbeat says the time until the next, which is 7/8 of the period or more.
        ConfiguredTiming { period: pace / 7 * 8, ..self.settings.timing }.at(1).detection_bound()
    }

    /// Of a node that no run of this agent ever heard only others know when it was lost: they say whether they see a cut.
    fn were_lost_apart(&self, one: usize, other: usize, bound: Duration) -> bool {
        match (self.lost_on(one), self.lost_on(other)) {
            (Some(one), Some(other)) => u128::from(one.0.abs_diff(other.0)) > bound.as_micros(),
            _ => !self.peers.iter().any(|peer| peer.link.is_up() && peer.sees_cut),
        }
    }

    /// When a node was lost, by this run or one before; none if none ever heard of it.
    fn lost_on(&self, node: usize) -> Option<Micros> {
        let since = self.publication.lost.since.get(node).copied().flatten();
        since.map(|since| self.micros(since)).or_else(|| self.ever_heard(node))
    }

    fn lost_at(&self, node: usize) -> Now {
        self.publication.lost.since.get(node).copied().flatten().unwrap_or(self.started)
    }

    /// A silent node is told of one bound after it was lost: until then another may turn out to be lost with it.
    fn tellable(&self, silent: &Bits, now: Now) -> (Bits, Option<Now>) {
        let bound = self.slowest_bound(silent);
        let mut tellable = Bits::none(silent.len());
        tellable.extend(silent.iter().filter(|&node| self.lost_at(node) + bound <= now));
        let next = silent.without(&tellable).iter().map(|node| self.lost_at(node) + bound).min();
        (tellable, next)
    }

    /// Nodes published as silent that stay so: nobody sees them joined yet, or others do and this agent does not. For
    /// one bound it waits for its own link, which alone tells what their silence was.
    fn not_heard_yet(&self, published: &Bits, verdict: &Verdict, now: Now) -> (Bits, Option<Now>) {
        let bound = self.timing.detection_bound();
        let mut waiting = Bits::none(self.peers.len());
        let mut next = None;
        for node in published.iter().filter(|&node| verdict.judged.has(node)) {
            let seen = self.publication.lost.seen_again.get(node).copied().flatten();
            let until = seen.map(|seen| seen + bound).filter(|&until| now < until && !self.peers[node].link.is_up());
            if !verdict.joined.has(node) {
                waiting.set(node);
            } else if let Some(until) = until {
                waiting.set(node);
                next = Some(next.map_or(until, |next: Now| next.min(until)));
            }
        }
        (waiting, next)
    }

    /// Others see the other side joined, and this agent does not hear it yet: for one bound it waits for a link of its
    /// own, which alone tells what the silence was. As long it waits for a pair that both of its nodes see joined: where one
    /// way heals before the other, a row that says so may still be on its way.
    fn closing_waits_until(&self, both_ways: bool, verdict: &Verdict, now: Now) -> Option<Now> {
        let mut joined = self.publication.cut.published().as_ref()?.others.clone();
        joined.keep(&verdict.joined);
        if both_ways && joined.iter().any(|node| self.peers[node].link.is_up()) {
            return None;
        }
        let seen = joined.iter().filter_map(|node| self.publication.lost.seen_again.get(node).copied().flatten()).min();
        seen.map(|seen| seen + self.timing.detection_bound()).filter(|&until| now < until)
    }

    /// Whether the rows of both nodes of some pair across the published cut say that they hear each other.
    fn hear_each_other_across(&self, rows: &[Option<RowBits<'_>>]) -> bool {
        let Some(published) = self.publication.cut.published() else { return false };
        let hears = |node: usize, other: usize| rows[node].is_some_and(|row| row.ok.has(other));
        let mut across = Bits::none(rows.len());
        published.others.iter().any(|node| {
            let Some(row) = rows[node].filter(|row| row.ok.meets(&published.mine)) else { return false };
            across.clone_from(row.ok);
            across.keep(&published.mine);
            across.iter().any(|one| hears(one, node))
        })
    }

    /// Across a published cut only what is *seen* joined counts: a node that is merely no longer known to be cut off
    /// stays where it was, and a cut closes only when a pair across it is seen joined.
    fn keep_what_only_unknown_would_change(&self, cut: Option<Cut>, waits: bool, verdict: &Verdict) -> Option<Cut> {
        let Some(published) = self.publication.cut.published() else { return cut };
        let mut still_judged = published.others.clone();
        still_judged.keep(&verdict.judged);
        match cut {
            None if still_judged.is_empty() || verdict.joined.meets(&published.others) && !waits => None,
            None => Some(published.clone()),
            Some(mut cut) => {
                let mut merely_unknown = cut.mine.clone();
                merely_unknown.keep(&published.others);
                merely_unknown.remove(&verdict.joined);
                cut.mine.remove(&merely_unknown);
                cut.others.add(&merely_unknown);
                Some(cut)
            }
        }
    }
}

pub(super) fn apart(one: Now, other: Now) -> Duration {
    one.since(other).max(other.since(one))
}

impl Peer {
    pub(super) fn has_left(&self) -> bool {
        matches!(self.link.state(), super::link::LinkState::Left(_))
    }
}
