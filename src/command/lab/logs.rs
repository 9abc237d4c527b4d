//! The audit logs of the lab's agents: in a directory of their own that goes with the lab, read back, checked and shown.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;
use netsplit::audit::read::lines;
use netsplit::audit::{self, verify};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::command::wording;

/// Where the logs are.
pub(super) struct Logs(TempDir);

/// What was found in all of them.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// How many events stand there.
    pub(super) events: u64,
    /// What is wrong, a sentence each.
    pub(super) flaws: Vec<String>,
}

impl Logs {
    /// A directory for them, among this system's temporary files.
    pub(super) fn create() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("netsplit-lab-").tempdir();
        Ok(Self(directory.context("cannot make a directory for the audit logs; TMPDIR may name a better place")?))
    }

    /// The log of a node.
    pub(super) fn path(&self, node: &str) -> PathBuf {
        self.0.path().join(format!("{node}.log"))
    }

    /// How the agent of a node writes it.
    pub(super) fn settings(&self, node: &str) -> audit::Settings {
        audit::Settings { path: self.path(node), stdout: false, ..audit::Settings::default() }
    }

    /// What stands in the logs of these nodes, by the hybrid clock; times are since `cut`.
    pub(super) fn told<'a>(&self, nodes: impl Iterator<Item = &'a str>, cut: Timestamp) -> anyhow::Result<String> {
        let mut events = Vec::new();
        for node in nodes {
            for line in lines(&self.path(node))? {
                let event: Map<String, Value> = serde_json::from_slice(&line?.bytes)?;
                events.push(event);
            }
        }
        events.sort_by(|one, other| text(one, "hlc").cmp(text(other, "hlc")));
        let mut told = String::new();
        for event in events.iter().filter(|event| wording::kind(event) != "agent_started") {
            let at = text(event, "time").parse().unwrap_or(cut).duration_since(cut).as_secs_f64();
            let (node, kind) = (text(event, "node"), wording::kind(event));
            let _ = writeln!(told, "{at:+7.2} s  {node:<8} {kind:<17} {}", wording::told(event));
        }
        Ok(told)
    }

    /// Follows the chain in each log, which ought to have as many events as are given with its node.
    pub(super) fn check<'a>(&self, nodes: impl Iterator<Item = (&'a str, u64)>) -> anyhow::Result<Checked> {
        let mut checked = Checked::default();
        for (node, expected) in nodes {
            let found = verify(&self.path(node))?;
            checked.events += found.lines;
            checked.flaws.extend(found.flaw.map(|flaw| flaw.to_string()));
            if found.lines != expected {
                checked.flaws.push(format!("{node} told {expected} events and its log has {}", found.lines));
            }
        }
        Ok(checked)
    }
}

impl Checked {
    /// Whether nothing is wrong.
    pub(super) fn is_whole(&self) -> bool {
        self.flaws.is_empty()
    }
}

fn text<'a>(event: &'a Map<String, Value>, field: &str) -> &'a str {
    event.get(field).and_then(Value::as_str).unwrap_or_default()
}
