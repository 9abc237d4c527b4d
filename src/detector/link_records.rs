//! Links that changed, gathered until one settle time has passed since the first: a cut is one record and not a
//! thousand.

use std::time::Duration;

use super::event::{Event, LinkRecord};
use super::time::Now;

/// What waits to be told.
#[derive(Debug, Default)]
pub(super) struct LinkRecords {
    down: Vec<LinkRecord>,
    up: Vec<LinkRecord>,
    since: Option<Now>,
}

impl LinkRecords {
    pub(super) fn went_down(&mut self, peer: String, silent_for: Option<Duration>, now: Now) {
        self.since.get_or_insert(now);
        self.down.push(LinkRecord { peer, silent_for });
    }

    pub(super) fn came_up(&mut self, peer: String, now: Now) {
        self.since.get_or_insert(now);
        self.up.push(LinkRecord { peer, silent_for: None });
    }

    /// When they are to be told.
    pub(super) fn due(&self, settle: Duration) -> Option<Now> {
        self.since.map(|since| since + settle)
    }

    /// The events that tell them, in the order in which they began.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Event> + use<> {
        self.since = None;
        let down = std::mem::take(&mut self.down);
        let up = std::mem::take(&mut self.up);
        let down = (!down.is_empty()).then_some(Event::LinkDown { links: down });
        let up = (!up.is_empty()).then_some(Event::LinkUp { links: up });
        down.into_iter().chain(up)
    }
}
