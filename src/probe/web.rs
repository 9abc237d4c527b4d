//! Where HTTP is spoken with an endpoint, and as whom: what all types have in common that speak it.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use serde::de::DeserializeOwned;

use super::attempt::Attempt;
use super::conversation::{Answer, Conversation};
use super::report::Fault;
use super::target::{Address, Credentials, Tls};
use crate::detector::outcome::Cause;

/// Who asks, so that an operator of the endpoint finds out from its log.
pub(super) const AGENT: HeaderValue = HeaderValue::from_static(concat!("netsplit/", env!("CARGO_PKG_VERSION")));

/// How much of an answer is quoted to people.
const QUOTED: usize = 200;

/// Where HTTP is spoken, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Whereto.
    pub address: Address,
    /// `https`.
    pub tls: Option<Tls>,
    /// The path and the query, or what comes before the paths that the type knows. It begins with a slash, or is empty.
    pub path: String,
    /// As whom.
    pub authorization: Option<Authorization>,
}

/// As whom a request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// By name and password.
    Basic(Credentials),
    /// By the token in this file.
    Bearer(PathBuf),
}

/// A question, as one type asks it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    /// The path and the query, with all that comes before.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: &'static [u8],
}

/// A conversation with an endpoint, as whom the configuration says.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    web: &'a Web,
    http2: bool,
    authorization: Option<HeaderValue>,
    conversation: Conversation,
}

impl Web {
    /// Begins to speak HTTP/1.1, or HTTP/2: over TLS it is offered, without TLS it is assumed.
    pub(super) async fn visit(&self, attempt: &mut Attempt, http2: bool) -> Result<Visit<'_>, Fault> {
        // A file that is missing is no reason to disturb the endpoint.
        let authorization = match &self.authorization {
            Some(authorization) => Some(authorization.header(attempt).await?),
            None => None,
        };
        let (http2, conversation) = self.converse(attempt, http2).await?;
        Ok(Visit { web: self, http2, authorization, conversation })
    }

    async fn converse(&self, attempt: &mut Attempt, http2: bool) -> Result<(bool, Conversation), Fault> {
        let alpn: &[&str] = if http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
        let stream = attempt.open(&self.address, self.tls.as_ref(), alpn).await?;
        let agreed = stream.agreed().is_some_and(|protocol| protocol == b"h2");
        if agreed || http2 && self.tls.is_none() {
            Ok((true, Conversation::over_http2(stream).await?))
        } else {
            Ok((false, Conversation::over_http1(stream).await?))
        }
    }

    /// Asks for one thing, and leaves.
    pub(super) async fn get(&self, attempt: &mut Attempt, path: &str) -> Result<Answer, Fault> {
        let mut visit = self.visit(attempt, false).await?;
        let mut question = visit.question(Method::GET, path);
        question.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let answer = visit.ask(attempt, question).await?;
        visit.leave(attempt).await;
        Ok(answer)
    }

    fn authority(&self) -> String {
        let Address { host, port } = &self.address;
        // The dot says that the name is whole, and is no part of it for whoever compares names.
        let host = host.to_string();
        let host = host.trim_end_matches('.');
        let usual = if self.tls.is_some() { 443 } else { 80 };
        if *port == usual { host.to_owned() } else { format!("{host}:{port}") }
    }
}

impl Visit<'_> {
    /// A question that has nothing of its own. `path` follows that of the configuration.
    pub(super) fn question(&self, method: Method, path: &str) -> Question {
        let path = format!("{}{path}", self.web.path.trim_end_matches('/'));
        Question { method, path, headers: HeaderMap::new(), body: &[] }
    }

    /// What is answered to `GET`.
    pub(super) async fn get(&mut self, attempt: &mut Attempt, path: &str) -> Result<Answer, Fault> {
        let question = self.question(Method::GET, path);
        self.ask(attempt, question).await
    }

    /// What is answered to `POST` with this JSON.
    pub(super) async fn post(
        &mut self,
        attempt: &mut Attempt,
        path: &str,
        json: &'static str,
    ) -> Result<Answer, Fault> {
        let mut question = self.question(Method::POST, path);
        question.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        question.body = json.as_bytes();
        self.ask(attempt, question).await
    }

    /// What is answered to a question. An endpoint that ends the connection after each answer is asked over another.
    pub(super) async fn ask(&mut self, attempt: &mut Attempt, question: Question) -> Result<Answer, Fault> {
        let request = self.request(question)?;
        if self.conversation.is_over() {
            (self.http2, self.conversation) = self.web.converse(attempt, self.http2).await?;
        }
        self.conversation.ask(request).await
    }

    /// Ends the conversation.
    pub(super) async fn leave(self, attempt: &Attempt) {
        self.conversation.leave(attempt.left()).await;
    }

    fn request(&self, question: Question) -> Result<Request<Full<Bytes>>, Fault> {
        let Question { method, path, mut headers, body } = question;
        let own = self.web.authority();
        let host = HeaderValue::try_from(own).map_err(|error| Fault::local(format!("the host: {error}")))?;
        let host = headers.remove(HOST).unwrap_or(host);
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        let uri = if self.http2 { self.whole_uri(&host, &path)? } else { path.parse().map_err(no_uri)? };
        if self.http2 {
            headers.remove(CONNECTION);
        } else {
            headers.insert(HOST, host);
        }
        headers.entry(USER_AGENT).or_insert(AGENT);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let mut request = Request::new(Full::from(body));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
        Ok(request)
    }

    /// HTTP/2 has the host in the URI, and no header for it.
    fn whole_uri(&self, host: &HeaderValue, path: &str) -> Result<Uri, Fault> {
        let scheme = if self.web.tls.is_some() { "https" } else { "http" };
        Uri::builder().scheme(scheme).authority(host.as_bytes()).path_and_query(path).build().map_err(no_uri)
    }
}

fn no_uri(error: impl std::fmt::Display) -> Fault {
    Fault::local(format!("the URL: {error}"))
}

impl Authorization {
    async fn header(&self, attempt: &mut Attempt) -> Result<HeaderValue, Fault> {
        let text = match self {
            Self::Basic(Credentials { username, password_file }) => {
                let password = attempt.secret(password_file).await?;
                format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose())))
            }
            Self::Bearer(file) => format!("Bearer {}", attempt.secret(file).await?.expose()),
        };
        // The error of the library does not show the value either.
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| Fault::local("the token cannot stand in a header: it has line breaks in it"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Answer {
    /// Whether it did not take the credentials, or wants some.
    pub(super) fn is_about_credentials(&self) -> bool {
        [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&self.status)
    }

    /// The answer if it is one of success, or what it means that it is not.
    pub(super) fn taken(self) -> Result<Self, Fault> {
        if self.status.is_success() { Ok(self) } else { Err(self.refusal()) }
    }

    /// What it means that this is the answer, which was not expected.
    pub(super) fn refusal(&self) -> Fault {
        let (status, text) = (self.status, self.quoted());
        let cause = if self.is_about_credentials() { Cause::Auth } else { Cause::Status };
        Fault::new(cause, if text.is_empty() { status.to_string() } else { format!("{status}: {text}") })
    }

    /// What it says in JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if !self.is_whole {
            return Err(Fault::protocol("its answer is longer than 64 KiB"));
        }
        serde_json::from_slice(&self.body).map_err(|error| Fault::protocol(format!("its answer: {error}")))
    }

    /// The beginning of its body for people.
    pub(super) fn quoted(&self) -> String {
        quoted(&String::from_utf8_lossy(&self.body))
    }
}

/// The beginning of what an endpoint said, in one line and with nothing in it that a terminal obeys.
pub(super) fn quoted(text: &str) -> String {
    let plain = text.trim().chars().map(|sign| if sign.is_control() { ' ' } else { sign });
    plain.take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::probe::target::Host;

    fn web(host: Host, port: u16, tls: Option<Tls>) -> Web {
        Web { address: Address { host, port }, tls, path: String::new(), authorization: None }
    }

    #[test]
    fn the_host_is_named_as_a_browser_names_it() {
        let name = || Host::Name("example.com.".into());
        assert_eq!(web(name(), 80, None).authority(), "example.com");
        assert_eq!(web(name(), 443, None).authority(), "example.com:443");
        assert_eq!(web(name(), 443, Some(Tls::default())).authority(), "example.com");
        assert_eq!(web(Host::Ip("2001:db8::1".parse().unwrap()), 8080, None).authority(), "[2001:db8::1]:8080");
        assert_eq!(web(Host::Ip("192.0.2.1".parse().unwrap()), 80, None).authority(), "192.0.2.1");
    }

    #[tokio::test]
    async fn credentials_are_written_as_rfc_7617_and_rfc_6750_have_them_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        std::fs::write(&path, "open sesame\n").unwrap();
        let basic = Authorization::Basic(Credentials { username: "Aladdin".into(), password_file: path.clone() });
        let mut attempt = Attempt::new(Clock::start(), Duration::from_secs(5), 0);
        let header = basic.header(&mut attempt).await.unwrap();
        assert_eq!(header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "the example of RFC 7617, section 2");
        assert_eq!(format!("{header:?}"), "Sensitive");
        std::fs::write(&path, "mF_9.B5f-4.1JqM\n").unwrap();
        let bearer = Authorization::Bearer(path.clone()).header(&mut attempt).await.unwrap();
        assert_eq!(bearer, "Bearer mF_9.B5f-4.1JqM", "the example of RFC 6750, section 2.1");
        std::fs::write(&path, "a\nb").unwrap();
        assert_eq!(Authorization::Bearer(path).header(&mut attempt).await.unwrap_err().cause, None);
    }

    #[test]
    fn what_an_endpoint_says_is_quoted_without_what_a_terminal_obeys() {
        assert_eq!(quoted(" one\ntwo\u{1b}[31m \n"), "one two [31m");
        assert_eq!(quoted(&"x".repeat(1000)).len(), QUOTED);
    }
}
