//! An ICMP echo request, by the kernel's socket for programs without privileges: it gives the request an identifier of
//! its own and hands us nothing but the answers to it.
//!
//! Only the echo reply counts. Whoever else speaks up, a router for instance, is no sign of life of the host.

use std::io;
use std::net::IpAddr;
use std::sync::Once;
use std::time::Duration;

use socket2::Type;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};

use crate::detector::evidence::HostAnswer;

/// What a request carries; the kernel's ping sends as much.
const PAYLOAD: [u8; 56] = [0; 56];

/// What allows such sockets, to be typed.
pub(super) const ALLOW: &str = "sysctl net.ipv4.ping_group_range=\"0 2147483647\"";

/// ICMP's number of an echo reply (RFC 792).
const REPLY: u8 = 0;

/// The same for IPv6 (RFC 4443).
const REPLY_V6: u8 = 129;

/// What comes of one request.
#[derive(Debug)]
pub(super) enum Echo {
    /// The reply, after so long.
    Reply(Duration),
    /// Nothing in time, or nothing that counts.
    Silent,
    /// The kernel allows no such socket.
    NotAllowed(io::Error),
    /// It did not leave this machine: no route, no address, a filter of its own.
    NotSent(SurgeError),
}

/// Asks `host` for a second opinion. What goes wrong while sending is a fact of this machine.
pub(super) async fn ask(host: IpAddr, timeout: Duration) -> HostAnswer {
    match round_trip(host, timeout).await {
        Echo::Reply(_) => HostAnswer::Replied,
        Echo::Silent => HostAnswer::Silent,
        Echo::NotAllowed(error) => {
            say_once(&error);
            HostAnswer::NotAsked
        }
        Echo::NotSent(error) => {
            tracing::debug!(%host, %error, "could not send an echo request");
            HostAnswer::NotAsked
        }
    }
}

/// One request to `host`.
pub(super) async fn round_trip(host: IpAddr, timeout: Duration) -> Echo {
    let host = host.to_canonical();
    let client = match client(host) {
        Ok(client) => client,
        Err(error) => return Echo::NotAllowed(error),
    };
    // The kernel chooses the identifier.
    let mut pinger = client.pinger(host, PingIdentifier(0)).await;
    pinger.timeout(timeout);
    // The pinger's own timeout begins when the request has left.
    match tokio::time::timeout(timeout, pinger.ping(PingSequence(0), &PAYLOAD)).await {
        Ok(Ok((packet, took))) if is_reply(&packet) => Echo::Reply(took),
        Ok(Ok(_) | Err(SurgeError::Timeout { .. })) | Err(_) => Echo::Silent,
        Ok(Err(error)) => Echo::NotSent(error),
    }
}

/// A socket for one request, so that no answer to another is taken for its own.
fn client(host: IpAddr) -> io::Result<Client> {
    let family = if host.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
    let client = Client::new(&Config::builder().kind(family).sock_type_hint(Type::DGRAM).build())?;
    if client.get_socket().get_type() == Type::DGRAM {
        return Ok(client);
    }
    // The library falls back to a raw socket, which is handed every ICMP packet of this machine: too much for the
    // thread that detects.
    Err(io::ErrorKind::PermissionDenied.into())
}

fn is_reply(packet: &IcmpPacket) -> bool {
    match packet {
        IcmpPacket::V4(packet) => packet.get_icmp_type().0 == REPLY,
        IcmpPacket::V6(packet) => packet.get_icmpv6_type().0 == REPLY_V6,
    }
}

fn say_once(error: &io::Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // The library's own message has several lines.
        let kind = error.kind();
        tracing::info!(
            error = %kind,
            "cannot ping the hosts of silent peers; it is a second opinion only, and the agent goes on without. To allow \
             it: {ALLOW} (it holds for IPv6 too)"
        );
    });
}
