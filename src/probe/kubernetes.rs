//! `kubernetes`: the API server says that it is ready.
//!
//! `/readyz` is open to everybody by default (the role `system:public-info-viewer`). Where it is not, an answer of 401 or
//! 403 tells that the server lives, and not that it is ready: that is cause `auth`.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use hyper::StatusCode;

use super::attempt::Attempt;
use super::conversation::Answer;
use super::report::Fault;
use super::web::{Web, quoted};
use crate::detector::outcome::Ailment;

/// An API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    /// Whereto, and as whom.
    pub web: Web,
}

impl Kubernetes {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let answer = self.web.get(attempt, "/readyz").await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            // Its own word; what stands before it answers 500 without one.
            StatusCode::INTERNAL_SERVER_ERROR if !answer.body.is_empty() => {
                Err(Fault::unhealthy(Ailment::NotServing, failed(&answer)))
            }
            _ => Err(answer.refusal()),
        }
    }
}

/// The checks that failed: each has a line such as `[-]etcd failed: reason withheld`.
fn failed(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let failed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("[-]")).collect();
    if failed.is_empty() { answer.quoted() } else { quoted(&failed.join("; ")) }
}
