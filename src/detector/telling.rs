//! Whether this agent may tell what it sees: not within a bound of its start or of a stall, and not while it is blind.

use super::Detector;
use super::event::BlindCause;
use super::time::Now;

impl Detector {
    /// Whether one bound has passed since the start, in which somebody could be heard.
    pub(super) fn has_begun(&self, now: Now) -> bool {
        now >= self.begins
    }

    /// There is somebody whom it could hear, by a list or by a word of their own. Who belongs to no electorate yet begins
    /// only now.
    pub(super) fn note_company(&mut self, now: Now) {
        if self.membership.company_since.is_some() || self.peers.len() == 1 && !self.contacts.has_unnamed() {
            return;
        }
        self.membership.company_since = Some(now);
        if self.ballot.newest().is_none() {
            self.begins = self.begins.max(now + self.timing.detection_bound());
        }
        self.publication.hasten(now);
    }

    /// When one bound has passed in which somebody else could be heard; none before there is anybody.
    pub(super) fn could_hear_by(&self) -> Option<Now> {
        self.membership.company_since.map(|since| since + self.timing.detection_bound())
    }

    /// Whether this agent may say anything of others: not within a bound of its start or of a stall, and not blind.
    pub(super) fn can_tell(&self, now: Now) -> bool {
        self.has_begun(now) && !self.health.is_waking(now) && !self.is_blind(now)
    }

    /// Whether what it says of its own side is of now: not right after a stall, when it is as it was before.
    pub(super) fn knows_its_side(&self, now: Now) -> bool {
        let publication = &self.publication;
        self.can_tell(now) && !publication.is_outdated && !publication.side.published().is_empty()
    }

    /// Whether it cannot judge at all: nobody was ever heard, or its own socket drops what arrives.
    pub(super) fn is_blind(&self, now: Now) -> bool {
        self.blind_cause(now).is_some()
    }

    /// Why it cannot.
    pub(super) fn blind_cause(&self, now: Now) -> Option<BlindCause> {
        let could_hear = self.could_hear_by().is_some_and(|by| by <= now);
        let unheard = (could_hear && self.never_heard_anybody()).then_some(BlindCause::NeverHeard);
        unheard.or_else(|| self.health.blind_cause(now))
    }

    /// Whether there are others who count, and none of them was ever heard.
    pub(super) fn never_heard_anybody(&self) -> bool {
        let counts = |place| place != self.me && !self.is_removed(place);
        self.keeping.heard.is_empty() && ((0..self.peers.len()).any(counts) || self.contacts.has_unnamed())
    }

    /// What was published before a stall holds again once d has passed since anything could be told, and nothing waits that
    /// says otherwise. A cut that waits to be closed says that more may be done than before.
    pub(super) fn catch_up(&mut self, now: Now) {
        let since = *self.publication.tells_since.get_or_insert(now);
        let (cut, side) = (&self.publication.cut, &self.publication.side);
        let closes = cut.is_pending() && cut.candidate().is_none() && side.candidate().covers(side.published());
        let waits = !closes && (cut.is_pending() || side.is_pending());
        self.publication.is_outdated &= waits || now < since + self.timing.confirm_period;
    }
}
