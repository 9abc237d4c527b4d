//! Endpoints that speak HTTP: their URL, who asks, and what a request of the type `http` says and expects.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hyper::header::{HeaderName, HeaderValue};
use serde_yaml::Spanned;

use super::super::error::Refusal;
use super::super::reader::Reader;
use super::super::schema::Text;
use super::credentials::authorization;
use super::entry::{Entry, text, truth};
use super::kind::Kind;
use super::schema::Statuses;
use super::tls::{self, Wish};
use super::whereto::{self, Url};
use crate::probe::http::Http;
use crate::probe::web::Web;

/// What may be asked: methods that change nothing at the other end (RFC 9110, section 9.2.1).
const METHODS: [(&str, &str); 3] = [("GET", "GET"), ("HEAD", "HEAD"), ("OPTIONS", "OPTIONS")];

/// What the request says by itself, or the connection is about.
const OWN_HEADERS: [&str; 8] =
    ["host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive"];

/// What would be a secret.
const SECRET_HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// How many headers a request may have beside its own, and how many ranges of statuses are compared.
const MOST: usize = 32;

const STATUSES: RangeInclusive<u16> = 100..=599;

/// What a probe of these types asks for by itself.
const OWN_PATHS: [(Kind, &[&str]); 5] = [
    (Kind::Rabbitmq, &["/api"]),
    (Kind::Etcd, &["/health", "/v3", "/metrics"]),
    (Kind::Consul, &["/v1", "/v1/status/leader"]),
    (Kind::Kubernetes, &["/readyz", "/livez", "/healthz"]),
    (Kind::Registry, &["/v2"]),
];

/// Reads `url`, `tls` and the credentials.
pub(super) fn web(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Web> {
    let missing = entry.missing("url", example(entry.kind));
    let url = reader.required("the URL", entry.keys.url.as_ref(), missing, |text| fitting(text, entry.kind));
    let wish = tls::read(entry.keys, reader);
    let authorization = authorization(entry, reader);
    let (Url { is_secure, address, path }, _) = url?;
    let tls = match (wish?, is_secure) {
        (Wish::Silent, false) => None,
        (Wish::Silent, true) => Some(crate::probe::Tls::default()),
        (Wish::Yes(tls, _), true) => Some(tls),
        (Wish::No(_), false) => None,
        (Wish::No(place) | Wish::Yes(_, place), _) => {
            let (scheme, hint) = if is_secure {
                ("https", "take `tls` out, or begin the URL with `http://`")
            } else {
                ("http", "take `tls` out, or begin the URL with `https://`")
            };
            reader.refuse(place, Refusal::new(format!("tls does not fit a URL that begins with `{scheme}://`"), hint));
            return None;
        }
    };
    Some(Web { address, tls, path, authorization: authorization? })
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Rabbitmq => "\"http://rabbitmq.example.internal:15672\"",
        Kind::Etcd => "\"https://etcd.example.internal:2379\"",
        Kind::Consul => "\"http://consul.example.internal:8500\"",
        Kind::Kubernetes => "\"https://kubernetes.default.svc\"",
        Kind::Registry => "\"https://registry.example.internal\"",
        _ => "\"https://app.example.internal/healthz\"",
    }
}

/// A URL of this type. All but `http` know their paths; a URL of theirs has at most what stands before them.
fn fitting(text: &str, kind: Kind) -> Result<Url, Refusal> {
    let url = whereto::url(text)?;
    if kind == Kind::Http {
        let path = if url.path.is_empty() { "/".to_owned() } else { url.path };
        return Ok(Url { path, ..url });
    }
    if url.path.contains('?') {
        return Err(Refusal::new("has a query", format!("take it out: the type {} has its own paths", kind.name())));
    }
    let path = url.path.trim_end_matches('/').to_owned();
    let own = OWN_PATHS.into_iter().filter(|(owner, _)| *owner == kind).flat_map(|(_, paths)| paths);
    if let Some(own) = own.into_iter().find(|own| path.ends_with(**own)) {
        let hint = format!("take `{own}` out: the type {} puts its own paths behind the URL", kind.name());
        return Err(Refusal::new("has a path", hint));
    }
    Ok(Url { path, ..url })
}

/// Reads everything of the type `http`.
pub(super) fn http(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Http> {
    let keys = entry.keys;
    let web = web(entry, reader);
    let method = reader.read("the method", keys.method.as_ref(), method).or("GET");
    let headers = keys.headers.as_ref().map_or(Some(Vec::new()), |headers| self::headers(headers, reader));
    let expected_status =
        keys.expected_status.as_ref().map_or(Some(vec![200..=299]), |statuses| self::statuses(statuses, reader));
    let expected_body = text("expected_body", keys.expected_body.as_ref(), reader);
    let http2 = truth("http2", keys.http2.as_ref(), reader).or(false);
    if let (Some("HEAD"), Some(body)) = (method, &keys.expected_body) {
        let hint = "take one of the two out: the answer to HEAD has no body";
        reader.refuse(body.referenced, Refusal::new("expected_body does not fit the method HEAD", hint));
        return None;
    }
    Some(Http {
        web: web?,
        method: method?.to_owned(),
        headers: headers?,
        expected_status: expected_status?,
        expected_body: expected_body?,
        http2: http2?,
    })
}

fn method(text: &str) -> Result<&'static str, Refusal> {
    let found = METHODS.into_iter().find(|(word, _)| *word == text.to_ascii_uppercase());
    let hint = "write GET, HEAD or OPTIONS: a probe changes nothing at the other end";
    found.map(|(_, method)| method).ok_or_else(|| Refusal::new("is no method for a probe", hint))
}

fn headers(given: &Spanned<BTreeMap<String, Text>>, reader: &mut Reader<'_>) -> Option<Vec<(String, String)>> {
    if given.value.len() > MOST {
        let message = format!("there are {} headers", given.value.len());
        reader.refuse(given.referenced, Refusal::new(message, format!("use at most {MOST}")));
        return None;
    }
    let read = given.value.iter().map(|(name, value)| header(name, value, reader)).collect::<Vec<_>>();
    read.into_iter().collect()
}

fn header(name: &str, value: &Text, reader: &mut Reader<'_>) -> Option<(String, String)> {
    let lowercase = name.to_ascii_lowercase();
    let refusal = if SECRET_HEADERS.contains(&lowercase.as_str()) {
        let hint = "write `username` and `password_file`, or `token_file`: secrets come from files";
        Some(Refusal::new(format!("the header {lowercase} holds a secret"), hint))
    } else if OWN_HEADERS.contains(&lowercase.as_str()) {
        Some(Refusal::new(format!("the header {lowercase} cannot be set"), "take it out: it goes with the request"))
    } else if name.parse::<HeaderName>().is_err() {
        Some(Refusal::new("a header has no good name", "use letters, digits and `-`"))
    } else {
        None
    };
    if let Some(refusal) = refusal {
        reader.refuse(value.referenced, refusal);
        return None;
    }
    let read = reader.read(&format!("the header {lowercase}"), Some(value), |text| {
        let hint = "use visible ASCII characters and spaces, on one line";
        let is_good = text.len() <= 4096 && text.is_ascii() && HeaderValue::from_str(text).is_ok();
        if is_good { Ok(text.to_owned()) } else { Err(Refusal::new("cannot be sent", hint)) }
    });
    read.given().map(|(value, _)| (name.to_owned(), value))
}

fn statuses(given: &Spanned<Statuses>, reader: &mut Reader<'_>) -> Option<Vec<RangeInclusive<u16>>> {
    match &given.value {
        Statuses::One(text) => {
            let text = Spanned::new(text.clone(), given.referenced, given.referenced);
            Some(vec![reader.read("expected_status", Some(&text), status).given()?.0])
        }
        Statuses::Many(all) if all.is_empty() || all.len() > MOST => {
            let hint = "write `200`, `200-299`, or a list of such";
            let message = format!("expected_status lists {} statuses", all.len());
            reader.refuse(given.referenced, Refusal::new(message, format!("{hint}; at most {MOST}")));
            None
        }
        Statuses::Many(all) => {
            let read: Vec<_> =
                all.iter().map(|text| reader.read("expected_status", Some(text), status).given()).collect();
            read.into_iter().map(|one| one.map(|(range, _)| range)).collect()
        }
    }
}

/// `200` or `200-299`.
fn status(text: &str) -> Result<RangeInclusive<u16>, Refusal> {
    let number = |text: &str| text.trim().parse().ok().filter(|number| STATUSES.contains(number));
    let range = match text.split_once('-') {
        Some((least, most)) => number(least).zip(number(most)),
        None => number(text).map(|one| (one, one)),
    };
    let hint = "write `200`, `200-299`, or a list of such: `[200, 401]`";
    match range {
        Some((least, most)) if least <= most => Ok(least..=most),
        _ => Err(Refusal::new("is no status of HTTP", hint)),
    }
}
