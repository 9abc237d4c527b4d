//! Listens on the wire: the heartbeats that arrive at a node, as bytes. So they can be counted whatever the agents say,
//! and played again.

use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::time::Duration;

use netsplit::clock::Clock;
use socket2::{Domain, Protocol, Socket, Type};

use crate::laboratory::network::{Network, PORT};

/// The number of IPv4 among the protocols of Ethernet.
const IPV4: u16 = 0x0800;
const UDP: u8 = 17;

/// What arrives at one node.
pub struct Tap(Socket);

impl Tap {
    pub fn on(network: &Network, node: usize) -> Self {
        network.within(node, || {
            let protocol = Protocol::from(i32::from(IPV4.to_be()));
            let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            Self(socket)
        })
    }

    /// The next heartbeats from this node, as many as asked for. A second each is more than they take.
    pub fn heartbeats(&mut self, from: IpAddr, count: usize) -> Vec<Vec<u8>> {
        let (clock, patience) = (Clock::start(), Duration::from_secs(5 + count as u64));
        let mut found = Vec::new();
        while found.len() < count {
            assert!(clock.now().since_start() < patience, "only {} of {count} heartbeats from {from}", found.len());
            found.extend(self.next().filter(|packet| packet.from == from).map(|packet| packet.payload));
        }
        found
    }

    fn next(&mut self) -> Option<Packet> {
        let mut buffer = [0; 2048];
        match self.0.read(&mut buffer) {
            Ok(size) => Packet::read(&buffer[..size]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

struct Packet {
    from: IpAddr,
    payload: Vec<u8>,
}

impl Packet {
    /// A datagram to the agents' port.
    fn read(bytes: &[u8]) -> Option<Self> {
        let header = usize::from(bytes.first()? & 0x0f) * 4;
        let (ip, udp) = bytes.split_at_checked(header)?;
        let from: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
        let (to, size) = (u16::from_be_bytes(udp.get(2..4)?.try_into().ok()?), udp.get(4..6)?);
        let size = usize::from(u16::from_be_bytes(size.try_into().ok()?));
        let is_ours = ip.get(9) == Some(&UDP) && to == PORT;
        is_ours.then(|| Some(Self { from: from.into(), payload: udp.get(8..size)?.to_vec() }))?
    }
}
