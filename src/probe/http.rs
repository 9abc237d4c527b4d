//! `http`: a request, and the answer it should get.
//!
//! A redirect is a status like any other and is not followed: what it leads to is another endpoint. The request stands in
//! the endpoint's own log of accesses, with `netsplit` as who asks; of a body longer than 64 KiB the rest is not taken.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::ops::RangeInclusive;

use hyper::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::attempt::Attempt;
use super::conversation::Answer;
use super::report::{Fact, Fault};
use super::web::{Question, Web};
use crate::detector::outcome::Cause;

/// A request, and the answer it should get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Whereto, and as whom.
    pub web: Web,
    /// The method.
    pub method: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Which statuses are good.
    pub expected_status: Vec<RangeInclusive<u16>>,
    /// What has to be in the first 64 KiB of the body.
    pub expected_body: Option<String>,
    /// By HTTP/2: over TLS it is offered, without TLS it is assumed.
    pub http2: bool,
}

impl Http {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let question = self.question()?;
        let mut visit = self.web.visit(attempt, self.http2).await?;
        let answer = visit.ask(attempt, question).await?;
        visit.leave(attempt).await;
        attempt.note("status", Fact::Count(answer.status.as_u16().into()));
        attempt.note("version", Fact::Word(format!("{:?}", answer.version)));
        self.judge(&answer)
    }

    fn question(&self) -> Result<Question, Fault> {
        let method = Method::from_bytes(self.method.as_bytes());
        let method = method.map_err(|error| Fault::local(format!("the method {:?}: {error}", self.method)))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        for (name, value) in &self.headers {
            // A value may be a secret, so only its name is told.
            let bad = || Fault::local(format!("the header {name:?} cannot be sent"));
            let header: HeaderName = name.parse().map_err(|_| bad())?;
            headers.append(header, HeaderValue::try_from(value).map_err(|_| bad())?);
        }
        Ok(Question { method, path: self.web.path.clone(), headers, body: &[] })
    }

    fn judge(&self, answer: &Answer) -> Result<(), Fault> {
        if !self.is_expected(answer.status) {
            return Err(answer.refusal());
        }
        match &self.expected_body {
            Some(text) if !contains(&answer.body, text.as_bytes()) => {
                let detail = format!("what was expected is not in its answer: {}", answer.quoted());
                Err(Fault::new(Cause::Status, detail))
            }
            _ => Ok(()),
        }
    }

    fn is_expected(&self, status: StatusCode) -> bool {
        self.expected_status.iter().any(|range| range.contains(&status.as_u16()))
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
