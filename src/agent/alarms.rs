//! What an operator has to do something about, said in the log beside the events: an agent that cannot judge, a name that
//! two agents use, a cluster that waits for somebody before anybody may write.

use std::time::Duration;

use crate::detector::event::{BlindCause, Event};
use crate::detector::time::Now;
use crate::detector::view::View;

/// How long a cluster may take to become whole before it is said whom it waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is said again as long as nothing changes.
const REMINDER: Duration = Duration::from_mins(10);

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    waiting_since: Option<Now>,
    said: Option<(Vec<String>, Now)>,
}

impl Alarms {
    /// An event that is more than a thing that happened. `port` is where the agent listens.
    pub(super) fn hear(event: &Event, port: u16) {
        match event {
            Event::Blind { cause: BlindCause::NeverHeard } => {
                tracing::error!("no heartbeat ever received: is UDP {port} allowed, and is the list of nodes right?");
            }
            Event::Blind { cause: BlindCause::Udp } => {
                tracing::error!("many peers fell silent at once whose ports answer: is UDP {port} still allowed?");
            }
            Event::Blind { cause: BlindCause::Drops } => {
                tracing::error!(
                    "the socket has dropped datagrams for ten seconds: raise net.core.rmem_max or the CPU limit"
                );
            }
            Event::RosterConflict { peer } => {
                tracing::error!(node = peer, "two agents use one name: give one of them another node.name");
            }
            _ => {}
        }
    }

    /// Says whom a cluster waits for that was not whole yet.
    pub(super) fn look(&mut self, view: &View, now: Now) {
        if view.awaited.is_empty() {
            *self = Self::default();
            return;
        }
        let since = *self.waiting_since.get_or_insert(now);
        let is_news = self.said.as_ref().is_none_or(|(said, at)| *said != view.awaited || now.since(*at) >= REMINDER);
        if now.since(since) >= PATIENCE && is_news {
            self.said = Some((view.awaited.clone(), now));
            tracing::warn!(
                awaited = view.awaited.join(", "),
                "nobody may write before everybody listed was heard once; start these, or take them out of the list"
            );
        }
    }
}
