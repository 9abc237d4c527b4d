//! `keep`: to which endpoints a connection can be held, and to how many.

use serde_yaml::Spanned;

use super::super::error::Refusal;
use super::super::reader::Reader;
use super::entry::Entry;
use super::kind::Kind;
use super::{Endpoint, schema};
use crate::probe::Check;

/// To how many endpoints one agent holds a connection. Each takes an open file all the time, and beside the probes that are under
/// way there are not many more: the usual limit is 1,024.
pub const MAX_KEPT: usize = 100;

/// Whether `keep: true` fits the type and the rest of an entry; says so if not.
pub(super) fn fits(entry: &Entry<'_>, check: &Check, reader: &mut Reader<'_>) -> bool {
    let Some(Spanned { referenced: place, .. }) = entry.keys.keep else { return true };
    let name = entry.kind.name();
    if !entry.kind.is_stream() {
        let why = match entry.kind {
            Kind::Icmp | Kind::Dns => "it has no connection",
            _ => "servers of HTTP end idle connections by themselves, which would look like faults",
        };
        let hint = format!("take `keep` out: {why}; a connection is held to these: {}", Kind::streams());
        reader.refuse(place, Refusal::new(format!("no connection can be held to the type {name}"), hint));
        return false;
    }
    let needs_login = match check {
        Check::Amqp(amqp) => amqp.credentials.is_none(),
        Check::Postgres(postgres) => postgres.credentials.is_none(),
        Check::Mysql(mysql) => mysql.credentials.is_none(),
        _ => false,
    };
    if needs_login {
        let message =
            format!("keep needs a login: a server of the type {name} ends the connection of who does not log in");
        let hint = "write `username` and `password_file`, or take `keep` out";
        reader.refuse(place, Refusal::new(message, hint));
    }
    !needs_login
}

/// Whether there are not too many; says so if there are. `list` as they are written, `all` as they were read.
pub(super) fn fit(list: &[Spanned<schema::Endpoint>], all: &[Endpoint], reader: &mut Reader<'_>) -> bool {
    let count = all.iter().filter(|endpoint| endpoint.schedule.keep).count();
    if count <= MAX_KEPT {
        return true;
    }
    let kept = list.iter().zip(all).filter(|(_, endpoint)| endpoint.schedule.keep);
    let Some(place) = kept.filter_map(|(entry, _)| entry.value.keep.as_ref()).nth(MAX_KEPT) else { return true };
    let hint = "take `keep` out where nobody holds a connection for long: probes say whether an endpoint is reached";
    let message = format!("{count} endpoints are to be kept connected, and {MAX_KEPT} may be");
    reader.refuse(place.referenced, Refusal::new(message, hint));
    false
}
