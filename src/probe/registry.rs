//! `registry`: a registry of images answers on `/v2/`, be it that it wants to know who asks.
//!
//! That is how the distribution specification has it ("Determining Support"): 200, or 401 with a challenge. Most registries
//! take a token that another server gives out, and send everybody there first; a password is only refused where a password
//! was asked for.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use hyper::StatusCode;
use hyper::header::WWW_AUTHENTICATE;

use super::attempt::Attempt;
use super::conversation::Answer;
use super::report::{Fact, Fault};
use super::web::{Authorization, Web};
use crate::detector::outcome::Cause;

/// A registry of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Whereto, and as whom.
    pub web: Web,
}

impl Registry {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let answer = self.web.get(attempt, "/v2/").await?;
        attempt.note("status", Fact::Count(answer.status.as_u16().into()));
        match answer.status {
            StatusCode::OK => Ok(()),
            StatusCode::UNAUTHORIZED if self.is_refused(&answer) => {
                Err(Fault::new(Cause::Auth, "it did not take the credentials"))
            }
            StatusCode::UNAUTHORIZED => Ok(()),
            _ => Err(answer.refusal()),
        }
    }

    /// Whether it asks for what it was given.
    fn is_refused(&self, answer: &Answer) -> bool {
        let given = match &self.web.authorization {
            None => return false,
            Some(Authorization::Basic(_)) => "basic",
            Some(Authorization::Bearer(_)) => "bearer",
        };
        let challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let mut schemes = challenges.filter_map(|challenge| challenge.split_whitespace().next());
        schemes.any(|scheme| scheme.eq_ignore_ascii_case(given))
    }
}
