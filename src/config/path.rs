//! Paths in a configuration: taken as they stand, relative ones from where netsplit is started.

use std::path::PathBuf;

use super::error::Refusal;

/// Reads a path. `hint_if_empty` says what to write instead of nothing.
pub(super) fn parse(text: &str, hint_if_empty: &str) -> Result<PathBuf, Refusal> {
    if text.is_empty() {
        return Err(Refusal::new("is empty", hint_if_empty));
    }
    if text.starts_with('~') {
        let hint = "write the whole path, from `/` on";
        return Err(Refusal::new("begins with `~`, which only a shell replaces", hint));
    }
    if text.contains('\0') {
        return Err(Refusal::new("has a zero byte", "write a path as `ls` shows it"));
    }
    Ok(PathBuf::from(text))
}
