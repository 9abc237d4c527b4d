//! What is done at the end of a call, and when the next call is wanted.

use std::cmp::Reverse;

use super::Detector;
use super::time::Now;

impl Detector {
    pub(super) fn end_call(&mut self, now: Now) {
        let mut chore = self.next_chore();
        // After nearly every datagram nothing of it is due.
        if chore <= now || self.view_is_old || self.leaving.is_some() {
            self.do_chores(now);
            chore = self.next_chore();
        }
        self.due = self.next_due(chore);
    }

    /// What is done at the end of a call, as far as it is due.
    fn do_chores(&mut self, now: Now) {
        if self.leaving.is_none() {
            // Before the row: it is about the roster as it is now.
            self.forget_who_waits(now);
            self.look_after_members(now);
            self.tend_questions(now);
            self.tend_endpoints(now);
            self.tend_relays(now);
            self.check_the_noted(now);
            self.update_row(now);
            self.send_due_rows(now);
            self.send_answers(now);
            self.assess(now);
        }
        self.expire_override(now);
        self.keep(now);
        self.offer_view(now);
    }

    /// When one of the chores is due, but for a view that is old: that is offered at once.
    fn next_chore(&self) -> Now {
        let always = self.next_view.min(self.next_keeping()).min(self.membership.next_look());
        let sometimes = [
            self.row_turns.next(),
            self.next_row_update(),
            self.next_assessment(),
            self.inquiry.next_end(&self.timing),
            self.relays.next(),
            self.relaying.next(),
            self.checking.next(&self.timing),
            self.endpoints.next(),
            self.override_ends(),
        ];
        soonest(always, sometimes)
    }

    fn next_due(&self, chore: Now) -> Option<Now> {
        if let Some(leaving) = &self.leaving {
            return (leaving.left > 0).then_some(leaving.next);
        }
        let turn = self.turns.peek().map(|&Reverse((due, _))| due);
        Some(soonest(chore, [turn, self.strangers.next_welcome(), self.contacts.next()]))
    }
}

/// The first of these. No chain of iterators: it is called with every datagram.
fn soonest<const COUNT: usize>(always: Now, sometimes: [Option<Now>; COUNT]) -> Now {
    sometimes.into_iter().fold(always, |soonest, time| time.map_or(soonest, |time| time.min(soonest)))
}
