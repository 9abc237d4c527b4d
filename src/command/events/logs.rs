//! The events of audit logs, and whether a log is what was written.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netsplit::audit::read::{Line, lines};
use netsplit::audit::verify::{Verified, verify as verify_log};

use super::selection::Selection;
use super::showing::{Showing, Told};
use crate::command::Exit;
use crate::command::page::{Page, Reader, note, write_raw};

/// Shows the events of these logs, one log after the other.
pub(super) fn show(files: &[PathBuf], selection: &Selection, showing: &Showing) -> anyhow::Result<()> {
    let mut last = selection.last();
    let mut read: BTreeSet<Arc<Path>> = BTreeSet::new();
    for file in files {
        let mut reading = Reading::default();
        // An older file may be named by itself as well.
        let before = read.clone();
        for line in lines(file)? {
            let line = line?;
            if before.contains(&line.file) {
                continue;
            }
            let event = reading.read(&line).filter(|event| selection.admits(event));
            read.insert(line.file);
            if let Some(event) = event.and_then(|event| last.take(event))
                && showing.show(&event)? == Reader::Gone
            {
                return Ok(());
            }
        }
        reading.tell(file);
    }
    showing.show_all(last.rest())?;
    Ok(())
}

/// What was found in a log that is no event.
#[derive(Debug, Default)]
pub(super) struct Reading {
    events: u64,
    strange: u64,
    torn: bool,
    /// The number of the last event.
    pub(super) last: Option<u64>,
}

impl Reading {
    /// The event of a line, if it has one.
    pub(super) fn read(&mut self, line: &Line) -> Option<Told> {
        let event = std::str::from_utf8(&line.bytes).ok().and_then(Told::read);
        match &event {
            Some(event) => {
                self.events += 1;
                self.last = event.seq().or(self.last);
            }
            None if line.is_terminated => self.strange += 1,
            None => self.torn = true,
        }
        event
    }

    /// Says what else was found.
    pub(super) fn tell(&self, file: &Path) {
        let file = file.display();
        if self.torn {
            note(&format!("{file}: the last line is torn, by a crash or because it is being written now"));
        }
        match self.strange {
            0 => {}
            1 => note(&format!("{file}: one line is no event, and was passed over; try --verify")),
            strange => note(&format!("{file}: {strange} lines are no events, and were passed over; try --verify")),
        }
        if self.events == 0 {
            note(&format!("{file}: there are no events in it"));
        }
    }
}

/// Verifies these logs. Negative if one is not whole.
pub(super) fn verify(files: &[PathBuf], json: bool) -> anyhow::Result<Exit> {
    let page = Page::standard();
    let mut exit = Exit::Fine;
    for file in files {
        let found = verify_log(file)?;
        if !found.is_whole() {
            exit = Exit::Negative;
        }
        if json {
            write_raw(&format!("{}\n", serde_json::to_string(&found)?))?;
        } else {
            page.write(&verdict(file, &found))?;
        }
    }
    Ok(exit)
}

fn verdict(file: &Path, found: &Verified) -> String {
    let name = file.display();
    let mut text = match (&found.flaw, found.first.zip(found.last)) {
        (Some(flaw), _) => format!("✗ {flaw}.\n  Nothing behind it was looked at.\n"),
        (None, None) => format!("✓ {name}: there are no events in it.\n"),
        (None, Some((first, last))) => {
            format!("✓ {name}: {}, {first} to {last}, the chain is whole.\n", count(found.lines))
        }
    };
    // Writing to a string does not fail.
    if let Some(first) = found.first.filter(|first| *first > 1 && found.is_whole()) {
        let _ = writeln!(
            text,
            "  Events before {first} are gone: rotation removes them, and whoever may delete files can."
        );
    }
    for place in &found.new_chains {
        let _ = writeln!(text, "  {place}: a new chain begins; the agent could not read what was before.");
    }
    if let Some(place) = &found.torn {
        let _ = writeln!(text, "  {place}: the last line is torn, by a crash or because it is being written now.");
    }
    text
}

fn count(lines: u64) -> String {
    if lines == 1 { "1 event".to_owned() } else { format!("{lines} events") }
}
