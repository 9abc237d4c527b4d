//! `etcd`: a member is healthy, and has a leader.
//!
//! The status of the member (`/v3/maintenance/status`, the JSON of its gRPC) tells who leads and which alarms are up; then
//! `/health`, which reads through the leader, tells whether a read comes to an end. Asked without a leader a member writes
//! one warning per `/health` into its log, so that is not asked when the status has said so already. A port that serves
//! health and metrics alone (`--listen-metrics-urls`) has no status: there `/health` is all that is asked.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use hyper::StatusCode;
use serde::Deserialize;

use super::attempt::Attempt;
use super::conversation::Answer;
use super::report::{Fact, Fault};
use super::web::{Visit, Web, quoted};
use crate::detector::outcome::Ailment;

/// A member of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etcd {
    /// Whereto, and as whom.
    pub web: Web,
}

/// What a member says of itself. Numbers of 64 bits are text in the JSON of protobuf, and what is zero is left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    header: Header,
    version: String,
    db_size: String,
    leader: String,
    raft_term: String,
    is_learner: bool,
    errors: Vec<String>,
}

/// Who it is that says so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    member_id: String,
}

/// Whether a read came to an end.
#[derive(Debug, Deserialize)]
struct Health {
    health: String,
    #[serde(default)]
    reason: String,
}

impl Etcd {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let mut visit = self.web.visit(attempt, false).await?;
        let found = ask(&mut visit, attempt).await;
        visit.leave(attempt).await;
        found
    }
}

async fn ask(visit: &mut Visit<'_>, attempt: &mut Attempt) -> Result<(), Fault> {
    let answer = visit.post(attempt, "/v3/maintenance/status", "{}").await?;
    if answer.status != StatusCode::NOT_FOUND {
        judge(answer.taken()?.json()?, attempt)?;
    }
    healthy(&visit.get(attempt, "/health").await?)
}

fn judge(status: Status, attempt: &mut Attempt) -> Result<(), Fault> {
    let Status { header, version, db_size, leader, raft_term, is_learner, errors } = status;
    let leader = number(&leader)?;
    let has_leader = leader != 0;
    attempt.note("version", Fact::Word(quoted(&version)));
    attempt.note("leader", Fact::Flag(has_leader));
    attempt.note("leads", Fact::Flag(has_leader && leader == number(&header.member_id)?));
    attempt.note("raft_term", Fact::Count(number(&raft_term)?));
    attempt.note("database_bytes", Fact::Count(number(&db_size)?));
    if is_learner {
        attempt.note("learner", Fact::Flag(true));
    }
    if !has_leader {
        return Err(Fault::unhealthy(Ailment::NoLeader, "it has no leader"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Fault::unhealthy(Ailment::Alarm, quoted(&errors.join("; ")))) }
}

fn healthy(answer: &Answer) -> Result<(), Fault> {
    // It says so in the body whatever the status: 200, or 503.
    let is_own_word = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status);
    let said: Result<Health, Fault> = if is_own_word { answer.json() } else { Err(answer.refusal()) };
    match said {
        Ok(Health { health, .. }) if health == "true" => Ok(()),
        Ok(Health { reason, .. }) => Err(unhealthy(&reason)),
        Err(_) if !answer.status.is_success() => Err(answer.refusal()),
        Err(fault) => Err(fault),
    }
}

/// From version 3.5 on it says why.
fn unhealthy(reason: &str) -> Fault {
    let ailment = match reason {
        "RAFT NO LEADER" => Ailment::NoLeader,
        reason if reason.starts_with("ALARM") => Ailment::Alarm,
        _ => Ailment::NotServing,
    };
    let why = if reason.is_empty() { String::new() } else { format!(": {}", quoted(reason)) };
    Fault::unhealthy(ailment, format!("it says that it is not healthy{why}"))
}

fn number(text: &str) -> Result<u64, Fault> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| Fault::protocol(format!("a number was expected: {}", quoted(text))))
}
