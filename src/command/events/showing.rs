//! How an event is shown: one readable line, or the JSON that it is.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::command::page::{Page, Reader, write_raw};
use crate::command::{wording, words};

/// An event as it was told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    text: String,
    event: Map<String, Value>,
}

impl Told {
    /// Reads one; none if it is no event.
    pub(super) fn read(text: &str) -> Option<Self> {
        let event: Map<String, Value> = serde_json::from_str(text).ok()?;
        event.get("event")?.as_str()?;
        Some(Self { text: text.to_owned(), event })
    }

    pub(super) fn seq(&self) -> Option<u64> {
        self.event.get("seq")?.as_u64()
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        self.event.get("time")?.as_str()?.parse().ok()
    }

    fn line(&self, width: usize) -> String {
        let time = self.time().map_or_else(|| "?".to_owned(), |time| format!("{time:.3}"));
        let node = self.event.get("node").and_then(Value::as_str).unwrap_or("?");
        let head = format!("{time}  {node:<8} {:<17} ", wording::kind(&self.event));
        let is_lost_by_a_crash = self.event.get("durable").and_then(Value::as_bool) == Some(false);
        let what = wording::told(&self.event);
        let what = if is_lost_by_a_crash { format!("{what} (not on the disk yet)") } else { what };
        words::fold(&head, &what, width, 4)
    }
}

/// Where events are shown.
pub(super) struct Showing {
    page: Page,
    json: bool,
}

impl Showing {
    pub(super) fn new(json: bool) -> Self {
        Self { page: Page::standard(), json }
    }

    /// Shows one.
    pub(super) fn show(&self, event: &Told) -> anyhow::Result<Reader> {
        if self.json {
            return write_raw(&format!("{}\n", event.text));
        }
        self.page.write(&event.line(self.page.width_of_records()))
    }

    /// Shows several, until nobody reads.
    pub(super) fn show_all(&self, events: impl IntoIterator<Item = Told>) -> anyhow::Result<Reader> {
        for event in events {
            if self.show(&event)? == Reader::Gone {
                return Ok(Reader::Gone);
            }
        }
        Ok(Reader::Reads)
    }
}
