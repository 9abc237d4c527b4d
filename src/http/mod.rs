//! The HTTP server: read-only, on a thread and a runtime of its own, so that whoever reads delays no heartbeat.
//!
//! This file listens, seats who comes, and ends it with its [`Serving`]. `router` says what is answered, from the
//! [`Sources`]; `guests`, `limits` and `connection` bound what clients may cost.

mod answer;
mod body;
mod connection;
mod events;
mod guests;
mod knowledge;
mod limits;
mod mode;
mod query;
mod router;
mod tag;

use std::io;
use std::net::{SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use limits::{LARGE, SEATS, STREAMS, WAITS};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpUserTimeout;
pub use router::{Audience, ROUTES, Route};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task;

use crate::binding::{self, BindError, Port, canonical};
use crate::sources::Sources;
use connection::converse;
use guests::Guests;
use router::Router;

/// How many connections wait in the kernel while the thread is busy: one that finds no place there comes back a second
/// later, which is too late for a probe.
const BACKLOG: i32 = 512;

/// What the kernel may hold of an answer, and of a request, in bytes; it doubles both. By itself it would take megabytes
/// for a client that does not read.
const SEND_BUFFER: usize = 32 * 1024;
const RECEIVE_BUFFER: usize = 16 * 1024;

/// After how long without a sign of life a client is taken for gone.
const VANISHED: Duration = Duration::from_secs(30);

/// How many tables are drawn at once; others wait.
const DRAWERS: usize = 1;

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
        let prepare = |socket: &socket2::Socket| {
            socket.set_reuse_address(true)?;
            bound_each_connection(socket)
        };
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
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(DRAWERS).build()?;
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

/// Every connection inherits it from the socket that listens.
fn bound_each_connection(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let milliseconds = u32::try_from(VANISHED.as_millis()).unwrap_or(u32::MAX);
    Ok(setsockopt(socket, TcpUserTimeout, &milliseconds)?)
}

async fn accept_until(mut stopped: oneshot::Receiver<()>, listener: &TcpListener, router: &Arc<Router>) {
    let mut guests = Guests::of(SEATS);
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    let router = Arc::clone(router);
                    if !guests.seat(|seat| converse(stream, client.ip(), router, seat)) {
                        tracing::debug!(%client, "too many HTTP connections: one was closed");
                    }
                    // Whoever came is to be heard before so many others come that it would have to go.
                    task::yield_now().await;
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(id) = guests.next_gone() => guests.forget(id),
        }
    }
}
