//! A TCP connection to the HTTP port of an agent, and `GET /healthz` over it: how far one gets tells a dead agent from a
//! stalled one, and both from a network that does not carry TCP.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use crate::detector::evidence::PortAnswer;

/// How much of an answer's head is held: the least that hyper allows. A stranger at that port must not cost memory.
const MAX_HEAD: usize = 8192;

/// Asks the port at `address`.
pub(super) async fn ask(address: SocketAddr, timeout: Duration) -> PortAnswer {
    let mut end = pin!(tokio::time::sleep(timeout));
    let stream = tokio::select! {
        connected = connect(address) => match connected {
            Ok(stream) => stream,
            Err(answer) => return answer,
        },
        () = &mut end => return PortAnswer::Silent,
    };
    let is_answered = tokio::select! {
        is_answered = is_answered(stream, address) => is_answered,
        () = end => false,
    };
    if is_answered { PortAnswer::Answered } else { PortAnswer::Accepted }
}

/// Connects, or says what came of it.
async fn connect(address: SocketAddr) -> Result<TcpStream, PortAnswer> {
    let stream = begin(address).map_err(|error| not_begun(&error, address))?;
    match stream.writable().await.and_then(|()| stream.take_error()) {
        Ok(None) => Ok(stream),
        Ok(Some(error)) => Err(from_afar(&error)),
        Err(error) => Err(not_begun(&error, address)),
    }
}

/// Begins to connect. What fails here fails on this machine; what fails later, the network told us. `connect` of the
/// standard library and of tokio do not keep the two apart.
fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    match socket.connect(&address.into()) {
        Err(error) if errno(&error) != Some(Errno::EINPROGRESS) => Err(error),
        _ => TcpStream::from_std(socket.into()),
    }
}

fn not_begun(error: &io::Error, address: SocketAddr) -> PortAnswer {
    if errno(error) == Some(Errno::ECONNREFUSED) {
        return PortAnswer::Refused;
    }
    tracing::debug!(%address, %error, "could not ask the agent's port");
    PortAnswer::NotAsked
}

/// A router's or neighbour's word that there is no way to the host (`EHOSTUNREACH`, `ENETUNREACH`, …) is what a silent
/// network is, too.
fn from_afar(error: &io::Error) -> PortAnswer {
    if errno(error) == Some(Errno::ECONNREFUSED) { PortAnswer::Refused } else { PortAnswer::Silent }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

/// Whether an HTTP answer comes that says anything but "the loop does not turn" (503). False once it is certain that none
/// does.
async fn is_answered(stream: TcpStream, address: SocketAddr) -> bool {
    let request = Request::get("/healthz").header(HOST, address.to_string()).header(CONNECTION, "close");
    let Ok(request) = request.body(Empty::<Bytes>::new()) else { return false };
    let begun = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await;
    let Ok((mut sender, connection)) = begun else { return false };
    let mut answer = pin!(sender.send_request(request));
    tokio::select! {
        biased;
        answer = &mut answer => answer.is_ok_and(|answer| turns(answer.status())),
        // It may have ended with the answer.
        _ = connection => answer.await.is_ok_and(|answer| turns(answer.status())),
    }
}

fn turns(status: StatusCode) -> bool {
    status != StatusCode::SERVICE_UNAVAILABLE
}
