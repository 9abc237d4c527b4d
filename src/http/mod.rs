//! The HTTP server: read-only, on a thread and a runtime of its own, so that whoever reads delays no heartbeat.
//!
//! `router` says what is answered, from the [`Sources`]. This file listens, bounds what a client may cost, and ends it with
//! its [`Serving`].

mod router;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as Listener};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::binding::{self, BindError, Port, canonical};
use crate::sources::Sources;
use router::Router;

/// How many clients are served at once: Prometheus, the kubelet, peers that ask and a few people. One more is sent away
/// at once; none waits in a queue, where it would look like an agent that is stalled.
pub const MAX_CONNECTIONS: usize = 64;

/// How many connections wait in the kernel while the thread is busy.
const BACKLOG: i32 = 128;

/// How long a client may take to send the head of its request, and to send the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How large a head may be, and the buffer for it: the least that hyper allows.
const MAX_HEAD: usize = 8192;

/// How many headers a request may have.
const MAX_HEADERS: usize = 64;

/// How long one connection lives: longer than any answer takes, and so a client that does not read goes, too.
const LIFETIME: Duration = Duration::from_mins(1);

/// How long the answer under way may then still take.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long accepting rests after it failed, as it does when there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    local: SocketAddr,
}

impl Server {
    /// Listens on `address`. `[::]` stands for IPv4 too, and for IPv4 alone where IPv6 is off.
    ///
    /// # Errors
    /// What keeps it from listening, with what to do about it.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        // The connections of the run before may linger: they do not keep the port.
        let prepare = |socket: &socket2::Socket| socket.set_reuse_address(true);
        binding::bind(address, Port::Tcp, prepare, |socket| {
            socket.listen(BACKLOG)?;
            let listener = Listener::from(socket);
            let local = canonical(listener.local_addr()?);
            Ok(Self { listener, local })
        })
    }

    /// Where it listens; the port is the real one if it was bound as 0.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Answers from `sources`, on a thread of its own.
    ///
    /// # Errors
    /// The system has no thread to give, or nothing to wait with.
    pub fn start(self, sources: Sources) -> io::Result<Serving> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (running, ended) = oneshot::channel();
        let router = Arc::new(Router::new(sources));
        thread::Builder::new().name("http".to_owned()).spawn(move || {
            // Nothing is ever sent: that it is gone says that the thread has ended, however it ended.
            let _running: oneshot::Sender<()> = running;
            serve(&runtime, self.listener, &router, stopped);
        })?;
        Ok(Serving { _stop: stop, ended })
    }
}

/// A server that answers, until this is dropped.
#[derive(Debug)]
pub struct Serving {
    _stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Serving {
    /// Waits for its end, which does not come by itself. May be dropped at any time.
    pub async fn ended(&mut self) {
        let _ = (&mut self.ended).await;
    }
}

fn serve(runtime: &Runtime, listener: Listener, router: &Arc<Router>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        match TcpListener::from_std(listener) {
            Ok(listener) => accept_until(stopped, &listener, router).await,
            Err(error) => tracing::error!(%error, "cannot serve HTTP"),
        }
    });
}

async fn accept_until(mut stopped: oneshot::Receiver<()>, listener: &TcpListener, router: &Arc<Router>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(converse(stream, Arc::clone(router)));
                }
                Ok((_, client)) => tracing::debug!(%client, "too many HTTP connections: one was closed"),
                Err(error) => {
                    tracing::debug!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "an HTTP answer failed: this is a fault in netsplit, please report it");
                }
            }
        }
    }
}

/// One client, for as long as it may stay.
async fn converse(stream: TcpStream, router: Arc<Router>) {
    let answer = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(router.answer(&request))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let mut ended = tokio::time::timeout(LIFETIME, &mut connection).await;
    if ended.is_err() {
        connection.as_mut().graceful_shutdown();
        ended = tokio::time::timeout(FAREWELL, connection).await;
    }
    if let Ok(Err(error)) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
