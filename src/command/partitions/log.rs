//! The partitions that a log tells of: each by what was said of it last.

use std::path::Path;

use netsplit::api::{PartitionAnswer, Partitions};
use netsplit::audit::read::{ReadError, lines};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::command::wording;

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Logged {
    /// As the API answers it.
    #[serde(flatten)]
    pub(super) partitions: Partitions,
    /// Those that were open when their agent stopped without a word; the newest first.
    pub(super) unfinished: Vec<PartitionAnswer>,
    /// Lines that are no events.
    #[serde(skip)]
    pub(super) strange: u64,
}

impl Logged {
    /// Reads the log at a path, with its older files.
    pub(super) fn read(path: &Path) -> Result<Self, ReadError> {
        let partitions = Partitions { open: Vec::new(), recent: Vec::new() };
        let mut logged = Self { partitions, unfinished: Vec::new(), strange: 0 };
        for line in lines(path)? {
            let line = line?;
            match serde_json::from_slice(&line.bytes) {
                Ok(Value::Object(event)) => logged.take(event),
                // The end is torn, or being written.
                _ if !line.is_terminated => {}
                _ => logged.strange += 1,
            }
        }
        logged.partitions.recent.reverse();
        logged.unfinished.reverse();
        Ok(logged)
    }

    fn take(&mut self, event: Map<String, Value>) {
        let kind = wording::kind(&event).to_owned();
        let is_about_one = ["partition_opened", "partition_changed", "partition_closed"].contains(&kind.as_str());
        if kind == "agent_started" {
            self.unfinished.append(&mut self.partitions.open);
        } else if is_about_one {
            // One of a newer version may say other things; it is passed over rather than misread.
            let Ok(partition) = serde_json::from_value::<PartitionAnswer>(Value::Object(event)) else {
                self.strange += 1;
                return;
            };
            self.partitions.open.retain(|open| open.id != partition.id);
            match kind.as_str() {
                "partition_closed" => self.partitions.recent.push(partition),
                _ => self.partitions.open.push(partition),
            }
        }
    }
}
