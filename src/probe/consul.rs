//! `consul`: the servers have a leader.
//!
//! The two paths of the status API need no token (`/v1/status/leader`, `/v1/status/peers`). An agent that is no server asks
//! the servers, and answers 500 where it reaches none.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use hyper::StatusCode;

use super::attempt::Attempt;
use super::conversation::Answer;
use super::report::{Fact, Fault};
use super::web::{Visit, Web, quoted};
use crate::detector::outcome::Ailment;

/// What an agent says for an error where the servers have no leader, or it reaches none of them.
const WITHOUT_LEADER: [&str; 2] = ["No cluster leader", "No known Consul servers"];

/// An agent of Consul.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consul {
    /// Whereto, and as whom.
    pub web: Web,
}

impl Consul {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let mut visit = self.web.visit(attempt, false).await?;
        let found = ask(&mut visit, attempt).await;
        visit.leave(attempt).await;
        found
    }
}

async fn ask(visit: &mut Visit<'_>, attempt: &mut Attempt) -> Result<(), Fault> {
    let leader: String = taken(visit.get(attempt, "/v1/status/leader").await?)?.json()?;
    if leader.is_empty() {
        return Err(without_leader(""));
    }
    attempt.note("leader", Fact::Word(quoted(&leader)));
    let peers: Vec<String> = taken(visit.get(attempt, "/v1/status/peers").await?)?.json()?;
    attempt.note("peers", Fact::Count(u64::try_from(peers.len()).unwrap_or(u64::MAX)));
    Ok(())
}

fn taken(answer: Answer) -> Result<Answer, Fault> {
    let text = answer.quoted();
    let is_leaderless = WITHOUT_LEADER.iter().any(|known| text.contains(known));
    if answer.status == StatusCode::INTERNAL_SERVER_ERROR && is_leaderless {
        return Err(without_leader(&format!(": {text}")));
    }
    answer.taken()
}

fn without_leader(said: &str) -> Fault {
    Fault::unhealthy(Ailment::NoLeader, format!("its servers have no leader{said}"))
}
