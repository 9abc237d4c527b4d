//! One question to one name server: over UDP, and over TCP where the answer was cut off (RFC 1035, section 4.2).
//!
//! The socket is connected, so that only this server is heard, and the network where it says that there is no way. No
//! extensions (EDNS) are offered: each server knows what is asked here, and a long answer comes over TCP.
#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::probe::attempt::Attempt;
use crate::probe::report::Fault;
use crate::probe::target::{Address, Host};

/// When a question is asked again over UDP: one that was lost on the way is no word of the server.
const AGAIN: Duration = Duration::from_secs(1);

/// More than a server may send over UDP to who offers no extensions (512 bytes).
const LARGEST: usize = 4096;

/// The answer of `server`. The caller sets the time.
pub(super) async fn ask(question: &Message, server: SocketAddr, attempt: &mut Attempt) -> Result<Message, Fault> {
    let bytes = question.to_vec().map_err(|error| Fault::local(format!("the question: {error}")))?;
    let socket = connected(server).map_err(|error| Fault::of_beginning(&error))?;
    loop {
        socket.send(&bytes).await.map_err(|error| not_sent(&error))?;
        if let Ok(heard) = timeout(AGAIN, over_udp(question, &socket)).await {
            let answer = heard?;
            return if answer.metadata.truncation {
                over_tcp(question, &bytes, server, attempt).await
            } else {
                Ok(answer)
            };
        }
    }
}

fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(server), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    // Else a connected socket hears of closed ports only, not of hosts that no router knows (ip(7)).
    match server {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
    }
    socket.connect(&server.into())?;
    UdpSocket::from_std(socket.into())
}

/// Sending tells what came back of an earlier datagram, too; all else is of this machine.
fn not_sent(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable => Fault::of_connection(error),
        _ => Fault::local(format!("this machine could not send the question: {error}")),
    }
}

async fn over_udp(question: &Message, socket: &UdpSocket) -> Result<Message, Fault> {
    let mut bytes = vec![0; LARGEST];
    let size = socket.recv(&mut bytes).await?;
    bytes.truncate(size);
    read(question, &bytes)
}

async fn over_tcp(
    question: &Message,
    bytes: &[u8],
    server: SocketAddr,
    attempt: &mut Attempt,
) -> Result<Message, Fault> {
    let address = Address { host: Host::Ip(server.ip()), port: server.port() };
    let mut stream = attempt.open(&address, None, &[]).await?;
    let size = u16::try_from(bytes.len()).map_err(|_| Fault::local("the question is too long"))?;
    stream.write_all(&[&size.to_be_bytes(), bytes].concat()).await?;
    stream.flush().await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    // Whoever is on the other side may have gone already.
    let _ = stream.shutdown().await;
    read(question, &answer)
}

/// A server may leave the question out of an answer that only says what is wrong with it.
fn read(question: &Message, bytes: &[u8]) -> Result<Message, Fault> {
    let answer = Message::from_vec(bytes).map_err(|error| Fault::protocol(format!("this is no DNS: {error}")))?;
    let is_ours = answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && (answer.queries.is_empty() || answer.queries == question.queries);
    if is_ours { Ok(answer) } else { Err(Fault::protocol("an answer, but not to the question")) }
}
