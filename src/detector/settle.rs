//! Settling: when a verdict that differs from the published one is published.
//!
//! Each difference is timed by itself. It is published (a) when it has not changed for `hold`, (b) when no valid row
//! shows a late link and (c) no peer owes a row. (b) and (c) delay by at most d beyond (a), all of them by at most
//! `limit` from the first difference. Plainer rules publish the wrong cut first, with 30 agents and more.

use std::time::Duration;

use super::time::Now;

/// The rule for one difference.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// For how long the candidate must not change.
    pub hold: Duration,
    /// By how much an unquiet matrix delays it beyond that: d.
    pub patience: Duration,
    /// From the first difference: then it is published as it stands.
    pub limit: Duration,
    /// From the first difference: not before.
    pub least: Duration,
}

/// One part of the verdict, published and candidate.
#[derive(Clone, Debug)]
pub struct Settling<T> {
    published: T,
    candidate: T,
    changed: Now,
    differs_since: Option<Now>,
}

impl<T: PartialEq + Clone> Settling<T> {
    /// Published from the start.
    pub fn new(published: T, now: Now) -> Self {
        Self { candidate: published.clone(), published, changed: now, differs_since: None }
    }

    /// What is published.
    pub fn published(&self) -> &T {
        &self.published
    }

    /// What the matrix means now.
    pub fn candidate(&self) -> &T {
        &self.candidate
    }

    /// Publishes the candidate, whatever its age: it goes with another that has settled.
    pub fn publish_now(&mut self) {
        self.differs_since = None;
        self.published = self.candidate.clone();
    }

    /// Whether something waits to be published.
    pub fn is_pending(&self) -> bool {
        self.differs_since.is_some()
    }

    /// The matrix now means this.
    pub fn observe(&mut self, candidate: T, now: Now) {
        if candidate == self.published {
            self.differs_since = None;
        } else {
            self.differs_since.get_or_insert(now);
        }
        if candidate != self.candidate {
            self.candidate = candidate;
            self.changed = now;
        }
    }

    /// When the candidate changed last.
    pub fn changed(&self) -> Now {
        self.changed
    }

    /// When it is published at the earliest, if it stays as it is.
    pub fn earliest(&self, rule: Rule) -> Option<Now> {
        Some((self.changed + rule.hold).max(self.differs_since? + rule.least))
    }

    /// It has differed since then: it goes on from another that waited.
    pub fn differs_from(&mut self, since: Now) {
        self.differs_since = Some(since);
    }

    /// Since when the candidate differs from what is published.
    pub fn differs_since(&self) -> Option<Now> {
        self.differs_since
    }

    /// What is observed next is another difference than the one that waits, and has a time of its own.
    pub fn begin_anew(&mut self) {
        self.differs_since = None;
    }

    /// Nothing may be published yet: what waits begins to wait now.
    pub fn wait(&mut self, now: Now) {
        if self.differs_since.is_some() {
            self.differs_since = Some(now);
            self.changed = now;
        }
    }

    /// Whether the time of the candidate has come.
    pub fn is_due(&self, now: Now, rule: Rule, quiet: bool) -> bool {
        let Some(since) = self.differs_since else { return false };
        let unchanged = now.since(self.changed);
        let settled = unchanged >= rule.hold && (quiet || unchanged >= rule.hold + rule.patience);
        now.since(since) >= rule.least && (settled || now.since(since) >= rule.limit)
    }

    /// Publishes the candidate if its time has come, and returns what was published before.
    pub fn settle(&mut self, now: Now, rule: Rule, quiet: bool) -> Option<T> {
        self.is_due(now, rule, quiet).then(|| {
            self.differs_since = None;
            std::mem::replace(&mut self.published, self.candidate.clone())
        })
    }

    /// When [`Self::settle`] may succeed by the mere passing of time.
    pub fn next_time(&self, now: Now, rule: Rule) -> Option<Now> {
        let since = self.differs_since?;
        let steps = [self.changed + rule.hold, self.changed + rule.hold + rule.patience, since + rule.limit];
        steps.into_iter().chain([since + rule.least]).filter(|&step| step > now).min()
    }

    /// Changes both without a publication, as when the roster gets another shape.
    pub fn reshape(&mut self, with: impl Fn(&T) -> T) {
        self.published = with(&self.published);
        self.candidate = with(&self.candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: Duration = Duration::from_millis(500);

    fn rule() -> Rule {
        Rule { hold: D, patience: D, limit: D * 4, least: Duration::ZERO }
    }

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_candidate_is_published_once_it_held_still_for_d() {
        let mut settling = Settling::new(0, at(0));
        settling.observe(1, at(100));
        assert_eq!(settling.settle(at(599), rule(), true), None);
        assert_eq!(settling.next_time(at(100), rule()), Some(at(600)));
        assert_eq!(settling.settle(at(600), rule(), true), Some(0));
        assert_eq!(settling.published(), &1);
    }

    #[test]
    fn an_unquiet_matrix_delays_it_by_d_and_no_more() {
        let mut settling = Settling::new(0, at(0));
        settling.observe(1, at(100));
        assert_eq!(settling.settle(at(1099), rule(), false), None);
        assert_eq!(settling.settle(at(1100), rule(), false), Some(0));
    }

    #[test]
    fn a_candidate_that_never_holds_still_is_published_after_4d() {
        let mut settling = Settling::new(0, at(0));
        for step in 0..20 {
            settling.observe(step + 1, at(100 + step * 100));
            assert_eq!(settling.settle(at(100 + step * 100), rule(), false), None);
        }
        assert!(settling.settle(at(2100), rule(), false).is_some());
    }

    #[test]
    fn a_difference_that_goes_away_begins_anew() {
        let mut settling = Settling::new(0, at(0));
        settling.observe(1, at(100));
        settling.observe(0, at(300));
        settling.observe(1, at(400));
        assert_eq!(settling.settle(at(700), rule(), true), None);
        assert_eq!(settling.settle(at(900), rule(), true), Some(0));
    }
}
