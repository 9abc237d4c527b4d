//! Answers, put together: text for machines that look at the status, JSON below `/v1`.

use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{Body, Out};
use super::tag::Tag;
use crate::api;

pub(super) type Answer = Response<Body>;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is nothing at this path.
    #[error("there is nothing at {path}: try {there}")]
    NotFound { path: String, there: String },
    /// Something was to be changed.
    #[error("nothing can be changed here: only GET and HEAD")]
    Method,
    /// Somebody else's machine asks.
    #[error(
        "{path} answers this machine alone: ask by `kubectl exec` or `kubectl port-forward`, or set `http.expose: all`"
    )]
    Forbidden { path: &'static str },
    /// A parameter is wrong.
    #[error("{0}")]
    Parameter(String),
    /// The answer would be larger than anybody reads.
    #[error("{0}")]
    TooLarge(String),
    /// As many as may are being answered in this way.
    #[error("{0}: try again in a second")]
    Busy(&'static str),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Parameter(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::NOT_ACCEPTABLE,
            Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// As an answer: JSON below `/v1`, else text.
    pub(super) fn answer(&self, path: &str) -> Answer {
        let error = self.to_string();
        let mut answer = if path.starts_with("/v1") {
            json(self.status(), &api::Refused { error })
        } else {
            text(self.status(), &error)
        };
        match self {
            Self::Method => with(&mut answer, ALLOW, HeaderValue::from_static("GET, HEAD")),
            Self::Busy(_) => with(&mut answer, RETRY_AFTER, HeaderValue::from_static("1")),
            _ => {}
        }
        answer
    }
}

/// One line.
pub(super) fn text(status: StatusCode, line: &str) -> Answer {
    of(status, TEXT, Body::whole(format!("{line}\n")))
}

/// A small value: it is written at once.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match line(value) {
        Some(line) => of(status, JSON, Body::whole(line)),
        None => text(StatusCode::INTERNAL_SERVER_ERROR, "this answer cannot be written: please report it"),
    }
}

/// A small value with its tag, or that it is as it was.
pub(super) fn tagged(status: StatusCode, value: &impl Serialize, tag: &Tag) -> Answer {
    with_tag(json(status, value), tag)
}

/// An answer that may be kept, but is never used without asking whether it still holds.
pub(super) fn with_tag(mut answer: Answer, tag: &Tag) -> Answer {
    with(&mut answer, CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    with(&mut answer, ETAG, tag.header());
    answer
}

/// What the asker has still holds.
pub(super) fn unchanged(tag: &Tag) -> Answer {
    let mut answer = Answer::new(Body::whole(""));
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    with_tag(answer, tag)
}

/// Something larger, made while it is read.
pub(super) fn made<M>(kind: &'static str, permit: Option<OwnedSemaphorePermit>, maker: impl FnOnce(Out) -> M) -> Answer
where
    M: Future<Output = ()> + Send + 'static,
{
    of(StatusCode::OK, kind, Body::made(maker).holding(permit))
}

/// An answer with a body of this kind, that nobody keeps.
pub(super) fn of(status: StatusCode, kind: &'static str, body: Body) -> Answer {
    let mut answer = Answer::new(body);
    *answer.status_mut() = status;
    with(&mut answer, CONTENT_TYPE, HeaderValue::from_static(kind));
    with(&mut answer, CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The value as one line of JSON. None: it cannot be written as JSON, which none of the API is.
pub(super) fn line(value: &impl Serialize) -> Option<String> {
    let line = serde_json::to_string(value).inspect_err(|error| tracing::error!(%error, "an answer is no JSON"));
    line.ok().map(|line| line + "\n")
}

/// The same with one header more, of a value that has no place in the body.
pub(super) fn with_header(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::try_from(value) {
        with(&mut answer, HeaderName::from_static(name), value);
    }
    answer
}

fn with(answer: &mut Answer, name: HeaderName, value: HeaderValue) {
    answer.headers_mut().insert(name, value);
}
