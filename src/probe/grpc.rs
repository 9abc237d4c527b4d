//! `grpc`: the health service of gRPC (`grpc.health.v1`) says that it serves.
//!
//! The call is unary, over HTTP/2, and the two messages have one field each, so they are written and read here. As the
//! specification of gRPC over HTTP/2 has it, an answer of the server says how the call went in `grpc-status`: behind the
//! message, or in the head if there is none.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod held;

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};

use super::attempt::Attempt;
use super::conversation::{Answer, Conversation};
use super::report::{Fact, Fault};
use super::target::{Address, Tls};
use super::web::{AGENT, quoted};
use crate::detector::outcome::{Ailment, Cause};
pub(super) use held::Held;

/// The health service of gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// Whereto.
    pub address: Address,
    /// With TLS.
    pub tls: Option<Tls>,
    /// Which service is asked about; empty for the server as a whole.
    pub service: String,
}

/// The only field of both messages: number 1, as text (wire type 2) and as a number (wire type 0).
const TEXT: u8 = 1 << 3 | 2;
const NUMBER: u8 = 1 << 3;

/// What serves (`HealthCheckResponse.ServingStatus`).
const SERVING: u64 = 1;

impl Grpc {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let stream = attempt.open(&self.address, self.tls.as_ref(), &["h2"]).await?;
        let request = self.request(attempt.left())?;
        let mut conversation = Conversation::over_http2(stream).await?;
        let answer = conversation.ask(request).await?;
        conversation.leave(attempt.left()).await;
        self.called(&answer)?;
        let status = serving(&answer.body)?;
        attempt.note("serving", Fact::Word(name(status).to_owned()));
        if status == SERVING {
            return Ok(());
        }
        Err(Fault::unhealthy(Ailment::NotServing, format!("it says that it is {}", name(status))))
    }

    fn request(&self, left: Duration) -> Result<Request<Full<Bytes>>, Fault> {
        let no_uri = |error: hyper::http::Error| Fault::local(format!("the address: {error}"));
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(self.address.to_string());
        let uri = uri.path_and_query("/grpc.health.v1.Health/Check").build().map_err(no_uri)?;
        let mut request = Request::new(Full::from(asking(&self.service)));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, uri);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(USER_AGENT, AGENT);
        // The server need not go on once nobody waits. Eight digits are the most that may be said.
        let left = HeaderValue::try_from(format!("{}m", left.as_millis().min(99_999_999)));
        headers.insert("grpc-timeout", left.map_err(|error| Fault::local(error.to_string()))?);
        Ok(request)
    }

    /// Whether the call went well.
    fn called(&self, answer: &Answer) -> Result<(), Fault> {
        let Some(status) = status_of(answer) else { return Err(no_grpc(answer)) };
        let said = message_of(answer);
        let fault = |cause, what: &str| Fault::new(cause, format!("{what} (gRPC status {status}{said})"));
        match status {
            0 => Ok(()),
            5 => Err(fault(Cause::Status, &format!("it knows no service {:?}: leave out `service`", self.service))),
            7 | 16 => Err(fault(Cause::Auth, "it did not let this agent ask")),
            12 => Err(fault(Cause::Status, "it has no health service (grpc.health.v1): use type tcp or http")),
            _ => Err(fault(Cause::Status, "the call failed")),
        }
    }
}

/// `HealthCheckRequest` behind the five bytes that precede each message: not compressed, and its length.
fn asking(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(TEXT);
        write_number(&mut message, service.len());
        message.extend(service.bytes());
    }
    // A name comes from the configuration, and is nowhere near 4 GiB.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], length.to_be_bytes().as_slice(), &message].concat()
}

/// Seven bits a byte, the lowest first.
fn write_number(into: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        into.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    into.push(u8::try_from(number).unwrap_or(0));
}

/// The status of `HealthCheckResponse`. Nothing in it means zero: that is how protobuf writes it.
fn serving(body: &[u8]) -> Result<u64, Fault> {
    let wrong = |what: &str| Fault::protocol(format!("its answer is not of the health service: {what}"));
    let Some(([compressed, length @ ..], message)) = body.split_first_chunk::<5>() else {
        return Err(wrong("there is no message in it"));
    };
    if *compressed != 0 {
        return Err(wrong("it is compressed, and nobody asked for that"));
    }
    if u32::try_from(message.len()) != Ok(u32::from_be_bytes(*length)) {
        return Err(wrong("its length is not what it says"));
    }
    let mut rest = message;
    let mut status = 0;
    while let Some((&key, after)) = rest.split_first() {
        // Whatever else comes one day is skipped, as protobuf wants.
        let (number, after) = read_number(after).ok_or_else(|| wrong("a number breaks off"))?;
        rest = match key & 7 {
            0 => after,
            2 => {
                usize::try_from(number).ok().and_then(|size| after.get(size..)).ok_or_else(|| wrong("it breaks off"))?
            }
            _ => return Err(wrong("there is an unknown field in it")),
        };
        if key == NUMBER {
            status = number;
        }
    }
    Ok(status)
}

/// A number has ten bytes at most.
fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f).checked_shl(u32::try_from(at * 7).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

fn name(status: u64) -> &'static str {
    match status {
        0 => "UNKNOWN",
        SERVING => "SERVING",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "of a status that nobody knows",
    }
}

fn status_of(answer: &Answer) -> Option<u16> {
    header(answer, "grpc-status")?.parse().ok()
}

fn message_of(answer: &Answer) -> String {
    header(answer, "grpc-message").map(|text| format!(": {}", quoted(text))).unwrap_or_default()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let of = |headers: &'a HeaderMap| headers.get(name)?.to_str().ok();
    of(&answer.trailers).or_else(|| of(&answer.headers))
}

/// What it means that an answer says nothing of how the call went: who answered does not speak gRPC, a proxy mostly.
fn no_grpc(answer: &Answer) -> Fault {
    if answer.status == StatusCode::OK {
        return Fault::protocol("it speaks HTTP/2, and no gRPC");
    }
    answer.refusal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_as_the_protocol_buffers_have_it() {
        assert_eq!(asking(""), [0, 0, 0, 0, 0]);
        assert_eq!(asking("foo"), [0, 0, 0, 0, 5, 0x0a, 3, b'f', b'o', b'o']);
        // Of the encoding guide: 150 is 96 01.
        let long = asking(&"x".repeat(150));
        assert_eq!(long.get(..8), Some([0, 0, 0, 0, 153, 0x0a, 0x96, 0x01].as_slice()));
    }

    #[test]
    fn an_answer_is_read_whatever_fields_come_with_it() {
        assert_eq!(serving(&[0, 0, 0, 0, 2, 0x08, 1]), Ok(1));
        assert_eq!(serving(&[0, 0, 0, 0, 3, 0x08, 0x96, 0x01]), Ok(150));
        assert_eq!(serving(&[0, 0, 0, 0, 0]), Ok(0), "UNKNOWN is zero, which is not written");
        assert_eq!(serving(&[0, 0, 0, 0, 6, 0x12, 2, b'h', b'i', 0x08, 2]), Ok(2));
    }

    #[test]
    fn an_answer_that_is_none_is_of_another_protocol() {
        let wrong: [&[u8]; 9] = [
            b"",
            b"<htm",
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 3, 8, 1],
            &[0, 0, 0, 0, 1, 8, 1],
            &[0, 0, 0, 0, 2, 8, 0x80],
            &[0, 0, 0, 0, 2, 0x12, 9],
            &[0, 0, 0, 0, 2, 0x0d, 1],
            &[0, 0, 0, 0, 12, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ];
        for body in wrong {
            assert_eq!(serving(body).map_err(|fault| fault.cause), Err(Some(Cause::Protocol)), "{body:?}");
        }
    }
}
