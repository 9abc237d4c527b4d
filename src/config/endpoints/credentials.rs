//! Who the agent is to an endpoint. Secrets come from files only; the files are read when a probe begins, not here.

use super::super::error::Refusal;
use super::super::reader::{Reader, Setting};
use super::entry::{Entry, file, plain_name};
use super::kind::Kind;
use crate::probe::Credentials;
use crate::probe::web::Authorization;

/// Reads `username` and `password_file`. `None` if something is wrong with them, which was said.
#[expect(clippy::option_option, reason = "wrong credentials are not the same as none")]
pub(super) fn login(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Option<Credentials>> {
    let username = reader.read("the username", entry.keys.username.as_ref(), |text| {
        let name = plain_name(text)?;
        // RFC 7617, section 2: the first colon ends the name.
        if entry.kind.speaks_http() && name.contains(':') {
            return Err(Refusal::new("has a colon", "HTTP cannot send such a name"));
        }
        Ok(name)
    });
    let password_file = file("password_file", entry.keys.password_file.as_ref(), reader);
    match (username, password_file) {
        (Setting::Absent, Setting::Absent) => Some(None),
        (Setting::Given(username, _), Setting::Given(password_file, _)) => {
            Some(Some(Credentials { username, password_file }))
        }
        // Before Redis 6 there were only passwords.
        (Setting::Absent, Setting::Given(password_file, _)) if entry.kind == Kind::Redis => {
            Some(Some(Credentials { username: String::new(), password_file }))
        }
        (Setting::Absent, Setting::Given(_, place)) => {
            let message = format!("password_file needs a username: {} wants both", entry.kind.name());
            reader.refuse(place, Refusal::new(message, "write `username` beside it"));
            None
        }
        (Setting::Given(..), Setting::Absent) => {
            let place = entry.keys.username.as_ref().map_or(entry.place, |text| text.referenced);
            let hint = "write `password_file` beside it: passwords come from files";
            reader.refuse(place, Refusal::new("there is a username and no password_file", hint));
            None
        }
        _ => None,
    }
}

/// Reads what stands in the header `Authorization`.
#[expect(clippy::option_option, reason = "wrong credentials are not the same as none")]
pub(super) fn authorization(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Option<Authorization>> {
    let token = file("token_file", entry.keys.token_file.as_ref(), reader);
    let login = login(entry, reader)?;
    match (token, login) {
        (Setting::Refused, _) => None,
        (Setting::Absent, login) => Some(login.map(Authorization::Basic)),
        (Setting::Given(token, _), None) => Some(Some(Authorization::Bearer(token))),
        (Setting::Given(_, place), Some(_)) => {
            let message = "there are a token_file and a password_file";
            reader.refuse(place, Refusal::new(message, "keep one: a request has one Authorization"));
            None
        }
    }
}
