//! From a path to a [`Loaded`] configuration. [`text_of`] is the only place that reads the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::{Errors, Problem, Refusal};
use super::reader::Reader;
use super::{Environment, Loaded, parse, validate};

/// The largest file that is read, in bytes. A list of 1,000 nodes is a tenth of it.
pub const MAX_FILE_SIZE: usize = 1 << 20;

/// Reads and loads the file at `path`.
///
/// # Errors
/// What makes the file unreadable, or everything that [`load`] refuses.
pub fn read(path: &Path, environment: &Environment) -> Result<Loaded, Errors> {
    load(&path.display().to_string(), &text_of(path)?, environment)
}

/// What is in the file at `path`.
///
/// # Errors
/// What makes it unreadable.
pub fn text_of(path: &Path) -> Result<String, Errors> {
    let name = path.display().to_string();
    let whole_file = |refusal| Errors::about(&name, refusal);
    let bytes = bytes_of(path).map_err(|error| whole_file(unreadable(&error)))?;
    if bytes.len() > MAX_FILE_SIZE {
        let hint = "is it the right file? A configuration with 1,000 nodes is a tenth of that";
        return Err(whole_file(Refusal::new("the file is larger than 1 MiB", hint)));
    }
    String::from_utf8(bytes).map_err(|error| whole_file(not_utf8(&error)))
}

/// Loads a configuration from its text; the errors call the file `name`.
///
/// # Errors
/// The first thing that is wrong with its form, or else everything that is wrong with its values.
pub fn load(name: &str, text: &str, environment: &Environment) -> Result<Loaded, Errors> {
    if is_empty(text) {
        let hint = "start from config/netsplit.yaml, or write at least peers.discovery and authentication";
        return Err(Errors::about(name, Refusal::new("the file is empty", hint)));
    }
    let file = parse::parse(name, text).map_err(|problem| Errors(vec![problem]))?;
    let mut reader = Reader::new(name, text, environment);
    let config = validate::validate(&file, &mut reader);
    let (problems, warnings) = reader.into_findings();
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded { config, warnings: in_order(warnings) }),
        _ => Err(Errors(in_order(problems))),
    }
}

fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
    problems
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_FILE_SIZE).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_empty(text: &str) -> bool {
    let says_nothing = |line: &str| matches!(line, "" | "---" | "..." | "\u{feff}") || line.starts_with('#');
    text.lines().all(|line| says_nothing(line.trim()))
}

fn unreadable(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound => Refusal::new(
            "there is no such file",
            "check the path; config/netsplit.yaml in the repository is one to start from",
        ),
        io::ErrorKind::IsADirectory => {
            Refusal::new("this is a directory", "name the file in it, such as netsplit.yaml")
        }
        io::ErrorKind::PermissionDenied => {
            Refusal::new("this user may not read the file", "give the user that netsplit runs as read permission on it")
        }
        _ => Refusal::new(format!("the file cannot be read: {error}"), "check the path and the file system it is on"),
    }
}

fn not_utf8(error: &std::string::FromUtf8Error) -> Refusal {
    let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let line = good.split(|&byte| byte == b'\n').count();
    Refusal::new(format!("line {line} is not UTF-8"), "save the file as UTF-8")
}
