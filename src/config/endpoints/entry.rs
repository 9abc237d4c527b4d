//! One entry while it is read: its keys, its type, where it stands; and how values that many types have are taken from it.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_yaml::Location;

use super::super::duration::{Human, parse};
use super::super::error::Refusal;
use super::super::path;
use super::super::reader::{Reader, Setting};
use super::super::schema::Text;
use super::kind::Kind;
use super::schema;
use super::whereto;
use crate::probe::Address;

/// The longest text that is sent or waited for, in bytes.
const LONGEST: usize = 4096;

/// One entry of a known type.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) keys: &'a schema::Endpoint,
    pub(super) kind: Kind,
    pub(super) place: Location,
}

impl Entry<'_> {
    /// What is said where a key is missing that the type needs.
    pub(super) fn missing(&self, key: &str, example: &str) -> (Location, Refusal) {
        let message = format!("an endpoint of the type {} has no {key}", self.kind.name());
        (self.place, Refusal::new(message, format!("write `{key}: {example}`")))
    }

    /// `address`, with the port of the type where it has none.
    pub(super) fn address(&self, is_secure: bool, reader: &mut Reader<'_>) -> Option<Address> {
        let port = self.kind.port(is_secure);
        let example = match port {
            Some(port) => format!("\"{}.example.internal:{port}\"", self.kind.name()),
            None => "\"app.example.internal:8080\"".to_owned(),
        };
        let missing = self.missing("address", &example);
        let text = self.keys.address.as_ref();
        reader.required("the address", text, missing, |text| whereto::address(text, port)).map(|(address, _)| address)
    }
}

/// `true` or `false`.
pub(super) fn truth(what: &str, text: Option<&Text>, reader: &mut Reader<'_>) -> Setting<bool> {
    reader.word(what, text, &[("true", true), ("false", false)])
}

/// A duration within a range.
pub(super) fn duration(text: &str, range: &RangeInclusive<Duration>, hint: &str) -> Result<Duration, Refusal> {
    let duration = parse(text)?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (Human(*range.start()), Human(*range.end()));
    Err(Refusal::new(format!("is not between {least} and {most}"), hint))
}

/// A file, which need not be there yet.
pub(super) fn file(what: &str, text: Option<&Text>, reader: &mut Reader<'_>) -> Setting<PathBuf> {
    reader.read(what, text, |text| path::parse(text, "write the path of a file"))
}

/// A text that is not empty, with or without line breaks; `None` if it is wrong.
#[expect(clippy::option_option, reason = "a wrong text is not the same as none")]
pub(super) fn text(what: &str, text: Option<&Text>, reader: &mut Reader<'_>) -> Option<Option<String>> {
    let read = reader.read(what, text, |text| match text.len() {
        0 => Err(Refusal::new("is empty", "write a text, or leave the key out")),
        1..=LONGEST => Ok(Some(text.to_owned())),
        length => Err(Refusal::new(format!("has {length} bytes"), format!("use at most {LONGEST}"))),
    });
    read.or(None)
}

/// A name in the terms of a protocol: no line breaks or other control characters, at most 255 bytes.
pub(super) fn plain_name(text: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return Err(Refusal::new("is empty", "write a name, or leave the key out"));
    }
    if text.len() > 255 || text.chars().any(char::is_control) {
        return Err(Refusal::new("cannot be sent", "use at most 255 bytes, and no control characters"));
    }
    Ok(text.to_owned())
}
