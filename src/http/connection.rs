//! One client, from its first byte to its last: how long it may take for what.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Connection};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;

use super::answer::Answer;
use super::body::Body;
use super::guests::Seat;
use super::router::Router;

/// How long a client may take to send the head of its request, and to send the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How large a head may be, and the buffers for it and for an answer: the least that hyper allows.
const MAX_HEAD: usize = 8192;

/// How many headers a request may have.
const MAX_HEADERS: usize = 64;

/// How long a client may take nothing of its answer.
const STALL: Duration = Duration::from_secs(20);

/// How long one connection lives, but for a stream: longer than any answer takes.
const LIFETIME: Duration = Duration::from_mins(1);

/// How long the answer under way may then still take.
const FAREWELL: Duration = Duration::from_secs(5);

type Io = Pin<Box<TimeoutStream<TcpStream>>>;

/// Answers one client, for as long as it may stay.
pub(super) async fn converse(stream: TcpStream, client: IpAddr, router: Arc<Router>, seat: Arc<Seat>) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALL));
    let service = service_fn(|request| {
        let (router, busy) = (Arc::clone(&router), seat.begin());
        async move { Ok::<Answer, Infallible>(router.answer(request, client, busy).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = until_the_end(connection, &seat).await {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

async fn until_the_end<S>(connection: Connection<TokioIo<Io>, S>, seat: &Seat) -> hyper::Result<()>
where
    S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
{
    let mut connection = pin!(connection);
    if let Ok(ended) = tokio::time::timeout(LIFETIME, &mut connection).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    loop {
        let ended = tokio::time::timeout(FAREWELL, &mut connection).await;
        match ended {
            Ok(ended) => return ended,
            // A stream or a wait ends by itself, at its own time.
            Err(_) if seat.is_reserved() => {}
            Err(_) => return Ok(()),
        }
    }
}
