//! A connection, secured or not: the protocols do not mind which.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::report::Fault;

/// How often in a row the kernel asks: one answer that is lost is no silence.
const TRIES: u32 = 3;

/// The longest time that the kernel takes for keepalive (`MAX_TCP_KEEPIDLE`).
const MOST_SECONDS: u32 = 32_767;

/// A connection, secured or not.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream) => read_why(Pin::new(stream).poll_write(context, bytes), bytes.len()),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Secure(stream) => read_why(Pin::new(stream).poll_flush(context), ()),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A server that does not take the certificate of this agent says so when the handshake is over, and closes. Whoever writes
/// then would learn only that the connection is broken: so it is as if it had been written, and the next to read learns why.
fn read_why<T>(written: Poll<io::Result<T>>, all: T) -> Poll<io::Result<T>> {
    match written {
        Poll::Ready(Err(error))
            if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
        {
            Poll::Ready(Ok(all))
        }
        written => written,
    }
}

/// Waits until something comes, or the connection ends; takes nothing. May be dropped at any time.
pub(super) async fn stirs(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<(), Fault> {
    if reader.fill_buf().await?.is_empty() { Err(Fault::closed()) } else { Ok(()) }
}

/// One at least, and as many as the kernel takes at most.
fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(MOST_SECONDS).clamp(1, MOST_SECONDS)
}

impl Stream {
    /// Waits until something comes, or the connection ends; takes nothing. May be dropped at any time.
    pub(super) async fn stirs(&mut self) -> Result<(), Fault> {
        match self {
            Self::Plain(stream) if stream.peek(&mut [0]).await? == 0 => Err(Fault::closed()),
            Self::Plain(_) => Ok(()),
            Self::Secure(stream) => stirs(stream).await,
        }
    }

    /// Has the kernel ask the other one for signs of life (TCP keepalive) where nobody has anything to say: after `every`
    /// without a word, and the connection is over if none comes within `patience`. Both count in whole seconds.
    pub(super) fn keep_alive(&self, every: Duration, patience: Duration) -> Result<(), Fault> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
        };
        let set = setsockopt(stream, sockopt::TcpKeepIdle, &whole_seconds(every))
            .and_then(|()| setsockopt(stream, sockopt::TcpKeepInterval, &whole_seconds(patience / TRIES)))
            .and_then(|()| setsockopt(stream, sockopt::TcpKeepCount, &TRIES))
            .and_then(|()| setsockopt(stream, sockopt::KeepAlive, &true));
        set.map_err(|error| Fault::local(format!("this machine does not watch over a connection: {error}")))
    }

    /// The protocol that both sides agreed on in TLS (ALPN).
    pub(super) fn agreed(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Secure(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }
}
