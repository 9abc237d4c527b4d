//! `endpoints`: what the cluster leans on, as the configuration lists it, or a URL on the command line names it.
//!
//! The way of an entry: [`schema`] has every key as it is written; `kind` knows which type has which; `schedule` reads what
//! all types have, `check` what only some have, by means of `whereto`, `tls`, `credentials` and `http`; `keep` says to which of
//! them a connection can be held. `show` is the way back, and `url` makes an entry of a URL.

mod check;
mod credentials;
mod entry;
mod http;
mod keep;
mod kind;
mod schedule;
pub mod schema;
mod show;
mod tls;
mod url;
mod whereto;

use std::collections::BTreeMap;

use serde_yaml::{Location, Spanned};

use super::error::Refusal;
use super::name;
use super::reader::Reader;
use crate::detector::settings::EndpointSettings;
use crate::probe::Target;
use entry::Entry;
use kind::{KINDS, Kind};

pub use keep::MAX_KEPT;
pub use schedule::{From, Schedule, TIMEOUT};
pub(super) use show::Shown;
pub use show::whereabouts;
pub use url::{Asked, Question};

/// How many endpoints there may be: at the usual period of 30 s that is 33 probes a second for each agent.
pub const MAX_ENDPOINTS: usize = 1000;

/// One endpoint of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in events, metrics and answers.
    pub name: String,
    /// How it is asked.
    pub target: Target,
    /// When and by whom.
    pub schedule: Schedule,
}

impl Endpoint {
    /// As much of it as the detector has to know.
    pub(super) fn settings(&self) -> EndpointSettings {
        EndpointSettings {
            name: self.name.clone(),
            kind: self.target.check.kind(),
            schedule: self.schedule.of_probes(),
            from: self.schedule.from,
            partition: self.schedule.partition,
        }
    }
}

/// Reads `endpoints`: the good ones in order of name. `None` if something is wrong with them, which was said.
pub(super) fn read(
    list: Option<&Spanned<Vec<Spanned<schema::Endpoint>>>>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Endpoint>> {
    let Some(list) = list else { return Some(Vec::new()) };
    if list.value.len() > MAX_ENDPOINTS {
        let message = format!("endpoints lists {} of them", list.value.len());
        let hint = format!("at most {MAX_ENDPOINTS} can be watched: leave out what others lean on only rarely");
        reader.refuse(list.referenced, Refusal::new(message, hint));
        return None;
    }
    let mut first = BTreeMap::new();
    let mut all = Vec::new();
    for entry in &list.value {
        all.push(endpoint(&entry.value, entry.referenced, &mut first, reader));
    }
    let mut all: Vec<Endpoint> = all.into_iter().collect::<Option<_>>()?;
    if !keep::fit(&list.value, &all, reader) {
        return None;
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Some(all)
}

fn endpoint(
    keys: &schema::Endpoint,
    place: Location,
    first: &mut BTreeMap<String, u64>,
    reader: &mut Reader<'_>,
) -> Option<Endpoint> {
    let name = name(keys, place, first, reader);
    let kind = kind(keys, place, reader);
    let schedule = schedule::read(keys, reader);
    let entry = kind.map(|kind| Entry { keys, kind, place });
    let check = entry.as_ref().and_then(|entry| check::read(entry, reader));
    let (name, schedule, entry, check) = (name?, schedule?, entry?, check?);
    if schedule.keep && !keep::fits(&entry, &check, reader) {
        return None;
    }
    let target = Target { check, timeout: schedule.timeout };
    Some(Endpoint { name, target, schedule })
}

fn name(
    keys: &schema::Endpoint,
    place: Location,
    first: &mut BTreeMap<String, u64>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    let hint = "write a name, the same on every node, such as `name: orders-database`";
    let missing = (place, Refusal::new("an endpoint has no name", hint));
    let (name, place) = reader.required("the name", keys.name.as_ref(), missing, endpoint_name)?;
    if let Some(line) = first.get(&name) {
        let message = format!("the name `{name}` is listed a second time, first in line {line}");
        reader.refuse(place, Refusal::new(message, "give each endpoint a name of its own"));
        return None;
    }
    first.insert(name.clone(), place.line());
    Some(name)
}

/// The rules are those of nodes; what is said is not.
fn endpoint_name(text: &str) -> Result<String, Refusal> {
    let hint =
        "use at most 253 of a–z, 0–9, `-` and `.`; each part between dots begins and ends with a letter or a digit";
    name::node(text).map_err(|refusal| {
        let message = if refusal.message.contains("node") { "is no name for an endpoint" } else { &refusal.message };
        Refusal::new(message, hint)
    })
}

fn kind(keys: &schema::Endpoint, place: Location, reader: &mut Reader<'_>) -> Option<Kind> {
    if keys.kind.is_none() {
        let names = KINDS.map(|(name, _)| name).join(", ");
        reader.refuse(place, Refusal::new("an endpoint has no type", format!("write `type:` and one of: {names}")));
    }
    reader.word("the type", keys.kind.as_ref(), &KINDS).given().map(|(kind, _)| kind)
}
