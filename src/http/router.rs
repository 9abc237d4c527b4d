//! Which path is answered with what. Pure but for the [`Sources`], which are asked once a request.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::sources::Sources;

/// A loop that turns makes a new view several times a second: after this long it does not turn.
const FRESH: Duration = Duration::from_secs(5);

/// What is answered from.
pub(super) struct Router {
    sources: Sources,
}

impl Router {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources }
    }

    /// The answer. The body of a request is not read.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here: only GET and HEAD");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path() {
            "/healthz" => self.health(),
            // Started is who answers: the sockets are bound, and the agent was made. Whether it hears anybody is not asked.
            "/readyz" => text(StatusCode::OK, "ok"),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here: try /healthz or /readyz"),
        }
    }

    /// Whether the loop turns.
    fn health(&self) -> Response<Full<Bytes>> {
        let age = self.sources.times.now().since(self.sources.view().at);
        if age < FRESH {
            return text(StatusCode::OK, "ok");
        }
        let message = format!("the agent has done nothing for {:.1} s", age.as_secs_f64());
        text(StatusCode::SERVICE_UNAVAILABLE, &message)
    }
}

fn text(status: StatusCode, line: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{line}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
