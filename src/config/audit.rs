//! `audit`: where the log of what happened lies, and how much of it is kept.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::error::Refusal;
use super::reader::Reader;
use super::schema::{Audit, Text};
use super::{path, size};
use crate::audit::Settings;

/// Below this a file holds less than a bad day; above it nobody can read it.
const MAX_SIZE: RangeInclusive<u64> = 64 << 10..=1 << 30;

const KEEP: RangeInclusive<usize> = 1..=100;

/// Reads `audit`. `None` if something is wrong with it, which was said.
pub(super) fn read(audit: Option<&Audit>, reader: &mut Reader<'_>) -> Option<Settings> {
    let Some(audit) = audit else { return Some(Settings::default()) };
    let default = Settings::default();
    let path = reader.read("audit.path", audit.path.as_ref(), log_file).or(default.path);
    let max_size = reader.read("audit.max_size", audit.max_size.as_ref(), max_size).or(default.max_size);
    let keep = reader.read("audit.keep", audit.keep.as_ref(), keep).or(default.keep);
    let stdout = truth("audit.stdout", audit.stdout.as_ref(), default.stdout, reader);
    Some(Settings { path: path?, max_size: max_size?, keep: keep?, stdout: stdout? })
}

fn log_file(text: &str) -> Result<PathBuf, Refusal> {
    let hint = "write the path of a file, or leave the key out for /var/log/partition-events.log";
    if text.ends_with('/') {
        return Err(Refusal::new("is a directory", hint));
    }
    path::parse(text, hint)
}

fn max_size(text: &str) -> Result<u64, Refusal> {
    let bytes = size::parse(text)?;
    let hint = "16MiB suits most clusters; `audit.keep` files of this size are kept";
    if MAX_SIZE.contains(&bytes) { Ok(bytes) } else { Err(Refusal::new("is not between 64KiB and 1GiB", hint)) }
}

fn keep(text: &str) -> Result<usize, Refusal> {
    let refusal =
        || Refusal::new("is not a whole number from 1 to 100", "write such a number, or leave the key out for 4");
    text.parse().ok().filter(|number| KEEP.contains(number)).ok_or_else(refusal)
}

fn truth(what: &str, text: Option<&Text>, default: bool, reader: &mut Reader<'_>) -> Option<bool> {
    reader.word(what, text, &[("true", true), ("false", false)]).or(default)
}
