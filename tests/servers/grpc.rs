//! A server of gRPC over HTTP/2 by hyper that answers each call as the test wants.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};

/// What is answered to a call.
#[derive(Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) message: &'static [u8],
    /// `grpc-status` and `grpc-message` behind the message.
    pub(crate) ends: Option<(&'static str, &'static str)>,
}

/// A server that gives this reply to whoever asks the health service as gRPC wants it, and 415 to anybody else. It runs as
/// long as the program.
pub(crate) fn replying(reply: Reply) -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || runtime.block_on(serve(listener, reply)));
    address
}

async fn serve(listener: std::net::TcpListener, reply: Reply) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| async move { Ok::<_, Infallible>(answer(&request, reply)) });
        let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn answer(request: &Request<Incoming>, reply: Reply) -> Response<Body> {
    let is = |name: &str, value: &str| request.headers().get(name).is_some_and(|found| found == value);
    let is_grpc = is("content-type", "application/grpc") && is("te", "trailers") && request.method() == "POST";
    let mut response = Response::new(Full::from(reply.message).boxed());
    *response.status_mut() = reply.status.try_into().unwrap();
    if !is_grpc || request.uri().path() != "/grpc.health.v1.Health/Check" {
        *response.status_mut() = 415.try_into().unwrap();
        return response;
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    if let Some((status, message)) = reply.ends {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(status));
        trailers.insert("grpc-message", HeaderValue::from_static(message));
        return response.map(|body| body.with_trailers(async { Some(Ok(trailers)) }).boxed());
    }
    response
}
