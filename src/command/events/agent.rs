//! The events that a running agent holds, and those that come.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::selection::Selection;
use super::showing::{Showing, Told};
use crate::command::ask::{Agent, AskError, Asking};
use crate::command::page::{Reader, note};

/// How many events are asked for at once: as many as an agent holds.
const PAGE: usize = 1000;

/// How often an agent is asked for what is new. An event is seen within that and the 200 ms that it may wait for its disk.
const PAUSE: Duration = Duration::from_millis(500);

/// What the agent answers, with each event as it came: as [`netsplit::api::Events`], which reads what is in them.
#[derive(Deserialize)]
struct Events {
    events: Vec<Box<RawValue>>,
    oldest: Option<u64>,
    newest: u64,
}

/// Shows what is held.
pub(super) fn show(asking: &Asking, selection: &Selection, showing: &Showing) -> anyhow::Result<()> {
    let agent = asking.agent()?;
    let mut place = Place::of(selection);
    let events = place.read_on(&agent)?;
    place.tell_what_is_missing(selection);
    show_selected(events, selection, showing)?;
    Ok(())
}

/// Shows what is held, and then what comes.
pub(super) fn follow(asking: &Asking, selection: &Selection, showing: &Showing) -> anyhow::Result<()> {
    let mut place = Place::of(selection);
    let mut is_first = true;
    asking.agent()?.follow(|agent| {
        if is_first {
            let events = place.read_on(agent)?;
            place.tell_what_is_missing(selection);
            is_first = false;
            return show_selected(events, selection, showing);
        }
        agent.pause(PAUSE);
        let events = place.read_on(agent)?;
        showing.show_all(events)
    })
}

fn show_selected(events: Vec<Told>, selection: &Selection, showing: &Showing) -> anyhow::Result<Reader> {
    let mut last = selection.last();
    for event in events.into_iter().filter(|event| selection.admits(event)) {
        if let Some(event) = last.take(event)
            && showing.show(&event)? == Reader::Gone
        {
            return Ok(Reader::Gone);
        }
    }
    showing.show_all(last.rest())
}

/// How far an agent's events were read.
struct Place {
    /// The number of the last one.
    last: u64,
    /// The newest that the agent had when it answered last; none before its first answer.
    newest: Option<u64>,
    /// How many it did not hold any more at its first answer, and the time of the oldest that it did hold.
    missing: Option<(u64, Option<Timestamp>)>,
}

impl Place {
    fn of(selection: &Selection) -> Self {
        Self { last: selection.after(), newest: None, missing: None }
    }

    /// What is new.
    fn read_on(&mut self, agent: &Agent) -> Result<Vec<Told>, AskError> {
        let mut new = Vec::new();
        loop {
            let answer = agent.get::<Events>(&format!("/v1/events?since={}&limit={PAGE}", self.last))?.said;
            if answer.newest == 0 {
                // It has only just started: nothing was shown yet.
                return Ok(new);
            }
            let is_first = self.newest.is_none();
            if self.newest.replace(answer.newest).is_some_and(|before| answer.newest < before) {
                note("the agent's log began anew: its events count from 1 again");
                self.last = 0;
                continue;
            }
            if let Some(oldest) = answer.oldest.filter(|oldest| *oldest > self.last.saturating_add(1)) {
                let missing = oldest - self.last - 1;
                if is_first {
                    let first = answer.events.first().and_then(|event| Told::read(event.get()));
                    self.missing = Some((missing, first.and_then(|event| event.time())));
                } else {
                    note(&format!("{missing} events passed by unseen: the log has them"));
                }
            }
            let last = self.last;
            for event in answer.events.iter().filter_map(|event| Told::read(event.get())) {
                if let Some(seq) = event.seq().filter(|seq| *seq > last) {
                    self.last = self.last.max(seq);
                    new.push(event);
                }
            }
            if self.last == last || self.last >= answer.newest {
                return Ok(new);
            }
        }
    }

    /// Who asks for older events than the agent holds may believe that there were none.
    fn tell_what_is_missing(&mut self, selection: &Selection) {
        let missing = self.missing.take().filter(|(_, oldest)| selection.reaches_before(*oldest));
        if let Some((missing, _)) = missing {
            note(&format!("{missing} older events are not held by the agent any more: read its log"));
        }
    }
}
