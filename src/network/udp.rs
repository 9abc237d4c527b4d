//! The real network: one UDP socket that listens, for IPv4 and IPv6 at once where it listens on `[::]`, the ones
//! beside it that send, and the probes.
//!
//! It is made with socket2, read with nix (many datagrams a system call, and the kernel's count of those that it
//! dropped: docs/adr/0002; when each arrived: docs/adr/0016) and awaited with tokio. Reading and sending allocate nothing.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, setsockopt,
    sockopt::{ReceiveTimestampns, RxqOvfl},
};
use nix::sys::time::TimeSpec;
use socket2::{SockAddr, SockRef, Socket};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::source_ports::Senders;
use super::{BATCH, Batch, Left, Network, SourcePorts};
use crate::binding::{self, BindError, Port, canonical};
use crate::detector::evidence::{Evidence, Question};
use crate::detector::time::Now;
use crate::probe;

/// How much the kernel is asked to keep for us: some seconds of a large cluster, while a CPU limit makes us wait. The
/// kernel gives what `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A bound UDP socket, and those beside it that send.
pub struct UdpNetwork {
    socket: UdpSocket,
    senders: Senders,
    local: SocketAddr,
    is_ipv6: bool,
    headers: MultiHeaders<SockaddrStorage>,
    drops: Drops,
}

impl UdpNetwork {
    /// Listens on `address`, and sends from this port and others in turn. `[::]` stands for IPv4 too, and for IPv4 alone
    /// where IPv6 is off.
    ///
    /// It must be called within a tokio runtime.
    ///
    /// # Errors
    /// What keeps it from listening, with what to do about it.
    pub fn bind(address: SocketAddr, ports: SourcePorts) -> Result<Self, BindError> {
        let (socket, local) = binding::bind(address, Port::Udp, enlarge, listening)?;
        Ok(Self {
            socket,
            senders: Senders::bind(local.ip(), ports)?,
            local: canonical(local),
            is_ipv6: local.is_ipv6(),
            headers: new_headers(),
            drops: Drops::default(),
        })
    }

    /// Where it listens; the port is the real one if it was bound as 0.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Lets [`Network::ready`] wait for the next datagram. Right only when the socket was seen empty after the last
    /// event: one that comes later makes a new event, for tokio listens to edges.
    fn wait_for_more(&self) {
        let _: io::Result<()> = self.socket.try_io(Interest::READABLE, || Err(ErrorKind::WouldBlock.into()));
    }
}

impl Network for UdpNetwork {
    async fn ready(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<Left> {
        let received = receive_many(&self.socket, &mut self.headers, batch, &mut self.drops);
        if self.drops.went_untold {
            self.headers = new_headers();
            self.drops.went_untold = false;
        }
        match received {
            Ok(BATCH) => Ok(Left::Perhaps),
            Ok(_) | Err(Errno::EAGAIN) => {
                self.wait_for_more();
                Ok(Left::Nothing)
            }
            Err(Errno::EINTR) => Ok(Left::Perhaps),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&mut self, to: SocketAddr, bytes: &[u8], now: Now) -> io::Result<()> {
        let address = SockAddr::from(if self.is_ipv6 { mapped(to) } else { to });
        let sent = match self.senders.next(to, now) {
            Some(sender) => sender.send_to(bytes, &address),
            None => SockRef::from(&self.socket).send_to(bytes, &address),
        };
        sent.map(|_whole| ())
    }

    fn change_source_ports(&mut self, ports: SourcePorts) {
        self.senders.change(ports);
    }

    fn drops(&mut self) -> u64 {
        std::mem::take(&mut self.drops.risen)
    }

    fn ask(&self, question: Question, timeout: Duration) -> impl Future<Output = Evidence> + Send + 'static {
        probe::look(question, timeout)
    }
}

fn listening(socket: Socket) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = UdpSocket::from_std(socket.into())?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}

/// All make it better and none is needed: a container may forbid them.
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of binding")]
fn enlarge(socket: &Socket) -> io::Result<()> {
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = setsockopt(socket, RxqOvfl, &1);
    let _ = setsockopt(socket, ReceiveTimestampns, &true);
    Ok(())
}

fn new_headers() -> MultiHeaders<SockaddrStorage> {
    MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec, u32)))
}

fn receive_many(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrStorage>,
    batch: &mut Batch,
    drops: &mut Drops,
) -> Result<usize, Errno> {
    let (mut rooms, mut filling) = batch.slots();
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
        std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
    let messages = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
    let mut count = 0;
    for (slot, message) in messages.enumerate() {
        count += 1;
        let at = drops.learn(&message);
        if let Some(from) = message.address.as_ref().and_then(address_of) {
            filling.push(slot, message.bytes, canonical(from), at);
        }
    }
    Ok(count)
}

fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
}

/// How an IPv6 socket names a peer.
fn mapped(address: SocketAddr) -> SocketAddr {
    let map = |v4: SocketAddrV4| SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0);
    match address {
        SocketAddr::V4(v4) => map(v4).into(),
        SocketAddr::V6(_) => address,
    }
}

/// The kernel's count of datagrams that it dropped because we did not read in time. It stands beside a datagram that
/// came after a drop.
#[derive(Debug, Default)]
struct Drops {
    counted: u32,
    risen: u64,
    /// The count came and had no room: nix does not give a header its room back after a datagram that came without
    /// it, which is all of them up to the first drop. The next one needs new headers.
    went_untold: bool,
}

impl Drops {
    /// Reads what the kernel says beside a datagram. Returns the time of day at which it arrived.
    fn learn(&mut self, message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Duration> {
        if message.flags.contains(MsgFlags::MSG_CTRUNC) {
            self.went_untold = true;
            // It is not 0, and how many more there were is told with the next datagram.
            self.count(self.counted.max(1));
            return None;
        }
        let mut at = None;
        for ancillary in message.cmsgs().into_iter().flatten() {
            match ancillary {
                ControlMessageOwned::RxqOvfl(counted) => self.count(counted),
                ControlMessageOwned::ScmTimestampns(time) => at = Some(time.into()),
                _ => {}
            }
        }
        at
    }

    fn count(&mut self, counted: u32) {
        self.risen += u64::from(counted.wrapping_sub(self.counted));
        self.counted = counted;
    }
}
