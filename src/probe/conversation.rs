//! A conversation over HTTP/1.1 or HTTP/2: questions and answers on one connection, by hyper.
//!
//! It begins on a connection that stands and knows no address, no path and no credentials: those are of `web` and `grpc`.
//! Whatever comes is a stranger's: a head of 8 KiB and a body of 64 KiB are read at most, and what is open on HTTP/2 is
//! bounded in the same way. Nothing of it outlives the conversation, however that ends.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderMap;
use hyper::rt::Executor;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::report::Fault;
use super::stream::Stream;
use crate::detector::outcome::Cause;

/// How much of an answer's head is held: the least that hyper allows.
const LARGEST_HEAD: usize = 8 * 1024;

/// The same in the terms of HTTP/2.
const LARGEST_HEADER_LIST: u32 = 8 * 1024;

/// How much of a body is read: what these endpoints say of themselves is far shorter.
const LARGEST_BODY: usize = 64 * 1024;

/// How much of a body may be on its way over HTTP/2: the least that the protocol lets one begin with (RFC 9113, 6.9.2).
const WINDOW: u32 = 65_535;

/// How long leaving may take: the answer is there, and whoever does not let go has no more to say.
const FAREWELL: Duration = Duration::from_secs(1);

type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A conversation.
pub(super) struct Conversation {
    sender: Sender,
    /// None once it has ended.
    connection: Option<Connection>,
    tasks: Tasks,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Conversation {
    /// Begins over HTTP/1.1.
    pub(super) async fn over_http1(stream: Stream) -> Result<Self, Fault> {
        let begun = http1::Builder::new().max_buf_size(LARGEST_HEAD).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(|error| fault_of(&error, false))?;
        let connection: Connection = Box::pin(connection);
        Ok(Self { sender: Sender::One(sender), connection: Some(connection), tasks: Tasks::default() })
    }

    /// Begins over HTTP/2.
    pub(super) async fn over_http2(stream: Stream) -> Result<Self, Fault> {
        let tasks = Tasks::default();
        let begun = http2::Builder::new(tasks.clone())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(LARGEST_HEADER_LIST)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = begun.map_err(|error| fault_of(&error, true))?;
        let connection: Connection = Box::pin(connection);
        Ok(Self { sender: Sender::Two(sender), connection: Some(connection), tasks })
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Fault> {
        let sender = &mut self.sender;
        let is_http2 = matches!(sender, Sender::Two(_));
        let asked = async move { Answer::read(sender.send(request).await?).await };
        driven(&mut self.connection, asked).await.map_err(|error| fault_of(&error, is_http2))
    }

    /// Keeps it going while nothing is asked, and says why it has ended. May be dropped at any time.
    pub(super) async fn ended(&mut self) -> Fault {
        let Some(running) = &mut self.connection else { return Fault::closed() };
        let ended = running.await;
        self.connection = None;
        let is_http2 = matches!(self.sender, Sender::Two(_));
        ended.map_or_else(|error| fault_of(&error, is_http2), |()| Fault::closed())
    }

    /// Whether the other side has ended it, and another question needs another conversation.
    pub(super) fn is_over(&self) -> bool {
        match &self.sender {
            Sender::One(sender) => self.connection.is_none() || sender.is_closed(),
            Sender::Two(sender) => self.connection.is_none() || sender.is_closed(),
        }
    }

    /// Ends it as the protocol wants: HTTP/2 says so (GOAWAY), TLS says so, then TCP. It takes a second at most, and not
    /// more than half of the time that is `left`: the answer is not to be lost over it.
    pub(super) async fn leave(self, left: Duration) {
        let Self { sender, connection, tasks } = self;
        drop(sender);
        let gone = async {
            if let Some(connection) = connection {
                // Whoever is on the other side may have gone already.
                let _ = connection.await;
            }
            tasks.end().await;
        };
        let _ = timeout(FAREWELL.min(left / 2), gone).await;
    }
}

impl Sender {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

/// What comes of a question while the connection is kept going.
async fn driven<T>(
    connection: &mut Option<Connection>,
    asked: impl Future<Output = hyper::Result<T>>,
) -> hyper::Result<T> {
    let mut asked = pin!(asked);
    let Some(running) = connection else { return asked.await };
    let ended = tokio::select! {
        biased;
        answer = &mut asked => return answer,
        ended = running => ended,
    };
    *connection = None;
    // It may have ended with the answer; if not, it knows best why.
    match (asked.await, ended) {
        (Err(error), Err(why)) if error.is_canceled() || error.is_closed() => Err(why),
        (answer, _) => answer,
    }
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    /// At most 64 KiB.
    pub(super) body: Vec<u8>,
    /// Whether that was all of it.
    pub(super) is_whole: bool,
    /// What follows the body.
    pub(super) trailers: HeaderMap,
}

impl Answer {
    async fn read(answer: Response<Incoming>) -> hyper::Result<Self> {
        let (head, mut rest) = answer.into_parts();
        let (mut body, mut trailers, mut is_whole) = (Vec::new(), HeaderMap::new(), true);
        while let Some(frame) = rest.frame().await {
            match frame?.into_data().map_err(hyper::body::Frame::into_trailers) {
                Ok(data) => {
                    let room = LARGEST_BODY.saturating_sub(body.len());
                    is_whole = data.len() <= room;
                    body.extend(data.iter().take(room));
                }
                Err(Ok(after)) => trailers = after,
                Err(Err(_)) => {}
            }
            if !is_whole {
                break;
            }
        }
        Ok(Self { status: head.status, version: head.version, headers: head.headers, body, is_whole, trailers })
    }
}

/// What an error of a conversation says of the endpoint.
fn fault_of(error: &hyper::Error, is_http2: bool) -> Fault {
    // A question that was not sent any more has why behind it, such as an endpoint that speaks before it is asked.
    if let Some(why) = behind(error).filter(|_| error.is_canceled()) {
        return fault_of(why, is_http2);
    }
    if let Some(error) = of_connection(error) {
        return match error.kind() {
            // An alert of TLS, of which HTTP/2 keeps the words alone.
            io::ErrorKind::InvalidData if is_http2 => Fault::new(Cause::Tls, error.to_string()),
            // A chunk that is none.
            io::ErrorKind::InvalidInput => Fault::protocol(error.to_string()),
            _ => Fault::of_connection(error),
        };
    }
    if error.is_user() {
        return Fault::local(in_full(error));
    }
    if error.is_parse_too_large() {
        return Fault::protocol("the head of its answer is longer than 8 KiB");
    }
    let is_end = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    if is_end {
        return Fault::new(Cause::Reset, "it ended the connection before its answer was whole");
    }
    Fault::protocol(in_full(error))
}

fn behind(error: &hyper::Error) -> Option<&hyper::Error> {
    error.source()?.downcast_ref()
}

fn of_connection(error: &hyper::Error) -> Option<&io::Error> {
    let first: Option<&(dyn Error + 'static)> = error.source();
    std::iter::successors(first, |error| (*error).source()).find_map(|error| error.downcast_ref())
}

/// An error with what is behind it.
fn in_full(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What hyper runs beside a conversation over HTTP/2. It ends with the conversation, and not when the endpoint likes.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

impl Tasks {
    async fn end(self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conversation")
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, ReadBuf, join, sink};

    use super::*;

    /// Says this as soon as it has been listened to once.
    struct Eager(Option<&'static [u8]>, bool);

    impl AsyncRead for Eager {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let was_heard = std::mem::replace(&mut self.1, true);
            let Some(text) = self.0.take_if(|_| was_heard) else {
                context.waker().wake_by_ref();
                return Poll::Pending;
            };
            buffer.put_slice(text);
            Poll::Ready(Ok(()))
        }
    }

    /// The connection finds what is no answer when the question waits to be sent, and neither before nor after.
    #[tokio::test]
    async fn whoever_speaks_just_before_the_question_is_sent_speaks_no_http() {
        let stream = join(Eager(Some(b"-ERR unknown command\r\n"), false), sink());
        let (sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await.unwrap();
        let connection: Connection = Box::pin(connection);
        let mut conversation =
            Conversation { sender: Sender::One(sender), connection: Some(connection), tasks: Tasks::default() };
        let fault = conversation.ask(Request::new(Full::default())).await.err().unwrap();
        assert_eq!(fault.cause, Some(Cause::Protocol), "{}", fault.detail);
    }
}
