//! Where this node stands: what the mode is computed from, and the event that says that it changed.

use super::Detector;
use super::ballot::Counted;
use super::bits::Bits;
use super::event::{BlindCause, Event};
use super::mode::{Count, Mode, Standing};
use super::settings::Tie;
use super::time::Now;
use crate::identity::Digest;

impl Detector {
    /// What this side may do, and an event if that changed.
    pub(super) fn update_mode(&mut self, now: Now) {
        let standing = self.standing(now);
        let mode = standing.mode(&self.settings.mode);
        if mode == self.mode {
            return;
        }
        let (members, electorate) = standing.counts.first().map_or((0, 0), |newest| (newest.members, newest.size));
        let electorate_digest = self.electorate_digest();
        let from = std::mem::replace(&mut self.mode, mode);
        if from == Mode::Starting {
            // This run can tell by itself now: what the one before said last is no hint any more, not even in a stall.
            self.stopped_before = None;
        }
        self.mode_since = now;
        self.view_is_old = true;
        self.emit_event(Event::ModeChanged { from, to: mode, members, electorate, electorate_digest });
    }

    /// The digest of the newest electorate.
    pub(super) fn electorate_digest(&self) -> Digest {
        self.ballot.newest().map_or(Digest::NONE, |newest| newest.digest)
    }

    /// What the mode is computed from.
    pub(super) fn standing(&mut self, now: Now) -> Standing {
        let is_deaf = self.has_begun(now) && self.blind_cause(now) == Some(BlindCause::NeverHeard);
        if is_deaf && !self.publication.said_blind {
            self.publication.said_blind = true;
            self.emit_event(Event::Blind { cause: BlindCause::NeverHeard });
        }
        let side = self.publication.side.published();
        Standing {
            starting: !self.knows_its_side(now),
            counts: self.ballot.all().map(|counted| self.count(counted, side)).collect(),
            cut: self.publication.cut.published().is_some(),
            partition: self.publication.partials.published().next().is_some(),
            lossy: self.peers.iter().any(|peer| peer.link.is_up() && peer.quality.is_degraded()),
        }
    }

    /// Whether a side has a majority of every electorate that counts.
    pub(super) fn is_quorate(&self, side: &Bits) -> bool {
        let quorum = self.settings.mode.write_quorum;
        let mut counts = self.ballot.all().map(|counted| self.count(counted, side)).peekable();
        counts.peek().is_some() && counts.all(|count| count.is_quorate(quorum))
    }

    /// Whether this side has one; none while that cannot be told.
    pub(super) fn quorum(&self, now: Now) -> Option<bool> {
        let side = self.publication.side.published();
        let founded = self.ballot.newest().is_some_and(|newest| !newest.electorate.is_in_foundation());
        (self.knows_its_side(now) && founded).then(|| self.is_quorate(side))
    }

    pub(super) fn count(&self, counted: &Counted, side: &Bits) -> Count {
        let mut mine = counted.places.clone();
        mine.keep(side);
        let has_lowest = self.settings.mode.tie == Tie::Lowest && self.has_lowest(counted, &mine);
        Count {
            members: mine.count(),
            size: counted.size,
            has_lowest,
            in_foundation: counted.electorate.is_in_foundation(),
        }
    }

    /// Whether the lowest name of an electorate is among these nodes. Nobody can tell as long as a name is not known.
    fn has_lowest(&self, counted: &Counted, mine: &Bits) -> bool {
        let lowest = |places: &Bits| places.iter().map(|place| &self.peers[place].member.name).min();
        counted.places.count() == counted.size && lowest(mine).is_some_and(|name| lowest(&counted.places) == Some(name))
    }
}
