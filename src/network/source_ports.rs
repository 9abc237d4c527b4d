//! From which ports datagrams leave: in turn from several, of which one after another is bound anew.
//!
//! Routers choose among paths of equal cost by the ports, so one dead path of several shows as loss and not as a dead
//! link; and a firewall that lets an old flow pass does not do so for long after a rule has denied it. Nothing is read
//! here: answers go to the port that the agent listens on.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;

use socket2::Socket;

use crate::binding::{self, BindError, Port};
use crate::detector::time::Now;

/// How often one of the ports is bound anew.
const RENEWAL: Duration = Duration::from_secs(30);

/// For how many destinations it is known whose turn it is: a roster of 2,900, the 5,000 addresses that are tried
/// beside it, and strangers that are answered. Beyond it all turns begin again.
const MOST_DESTINATIONS: usize = 10_000;

/// From how many ports datagrams leave, the one that the agent listens on included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePorts(NonZeroU8);

impl SourcePorts {
    /// The port that the agent listens on, alone.
    pub const ONE: Self = Self(NonZeroU8::MIN);

    /// 1 to 16.
    pub fn new(ports: u8) -> Option<Self> {
        NonZeroU8::new(ports).filter(|ports| ports.get() <= 16).map(Self)
    }

    /// How many.
    pub fn get(self) -> u8 {
        self.0.get()
    }
}

impl Default for SourcePorts {
    fn default() -> Self {
        Self(const { NonZeroU8::new(4).expect("4 is not 0") })
    }
}

/// Which port is next, for each destination by itself: a turn that all shared would give some of them the same port for
/// ever.
#[derive(Debug, Default)]
struct Turns {
    next: HashMap<SocketAddr, u8>,
    /// Where a new destination begins.
    first: u8,
}

impl Turns {
    /// The place of a port among so many.
    fn take(&mut self, to: SocketAddr, ports: SourcePorts) -> u8 {
        if self.next.len() >= MOST_DESTINATIONS && !self.next.contains_key(&to) {
            self.next.clear();
        }
        let first = &mut self.first;
        let next = self.next.entry(to).or_insert_with(|| {
            *first = first.wrapping_add(1);
            *first
        });
        let turn = *next % ports.get();
        *next = turn + 1;
        turn
    }
}

/// The sockets beside the one that listens.
pub(super) struct Senders {
    ip: IpAddr,
    sockets: Vec<Socket>,
    turns: Turns,
    /// Which is bound anew next, and when.
    oldest: usize,
    renewal: Option<Now>,
    failed: bool,
}

impl Senders {
    /// All of them, at the address that is listened on.
    pub(super) fn bind(ip: IpAddr, ports: SourcePorts) -> Result<Self, BindError> {
        let sockets = (1..ports.get()).map(|_| sender(ip)).collect::<Result<_, _>>()?;
        Ok(Self { ip, sockets, turns: Turns::default(), oldest: 0, renewal: None, failed: false })
    }

    /// From now on so many, as far as they can be bound.
    pub(super) fn change(&mut self, ports: SourcePorts) {
        let wanted = usize::from(ports.get()) - 1;
        self.sockets.truncate(wanted);
        while self.sockets.len() < wanted {
            let Some(socket) = self.try_bind() else { return };
            self.sockets.push(socket);
        }
    }

    /// The one that sends to this destination now; none if it is the turn of the socket that listens.
    pub(super) fn next(&mut self, to: SocketAddr, now: Now) -> Option<&Socket> {
        if self.sockets.is_empty() {
            return None;
        }
        self.renew(now);
        let ports = u8::try_from(self.sockets.len() + 1).ok().and_then(SourcePorts::new)?;
        let turn = usize::from(self.turns.take(to, ports));
        turn.checked_sub(1).and_then(|place| self.sockets.get(place))
    }

    fn renew(&mut self, now: Now) {
        let due = *self.renewal.get_or_insert(now + RENEWAL);
        if now < due {
            return;
        }
        self.renewal = Some(now + RENEWAL);
        self.oldest = (self.oldest + 1) % self.sockets.len();
        // The old one stays until then, so that the new one cannot get the same port.
        if let Some((new, old)) = self.try_bind().zip(self.sockets.get_mut(self.oldest)) {
            *old = new;
        }
    }

    /// Without another port the agent copes: it says so once.
    fn try_bind(&mut self) -> Option<Socket> {
        let bound = sender(self.ip);
        match &bound {
            Ok(_) => self.failed = false,
            Err(error) if !self.failed => {
                self.failed = true;
                tracing::warn!(%error, "no other source port could be had: heartbeats leave from those of before");
            }
            Err(_) => {}
        }
        bound.ok()
    }
}

fn sender(ip: IpAddr) -> Result<Socket, BindError> {
    binding::bind(SocketAddr::new(ip, 0), Port::Udp, shrink, Ok)
}

/// What arrives there was sent by nobody who knows us: the kernel keeps as little of it as it can, and drops the rest.
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of binding")]
fn shrink(socket: &Socket) -> io::Result<()> {
    let _ = socket.set_recv_buffer_size(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn peer(number: u16) -> SocketAddr {
        ([10, 0, 0, 1], number).into()
    }

    #[test]
    fn every_destination_has_every_port_in_turn_however_many_destinations_there_are() {
        let four = SourcePorts::default();
        for destinations in 1..=9 {
            let mut turns = Turns::default();
            let taken: Vec<Vec<u8>> =
                (0..8).map(|_| (0..destinations).map(|to| turns.take(peer(to), four)).collect()).collect();
            for to in 0..usize::from(destinations) {
                let ports: Vec<u8> = taken.iter().map(|round| round[to]).collect();
                let in_turn = ports.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 4);
                assert!(in_turn, "{destinations} destinations, number {to}: {ports:?}");
            }
        }
    }

    #[test]
    fn destinations_do_not_all_begin_with_the_same_port() {
        let mut turns = Turns::default();
        let first: BTreeSet<u8> = (0..4).map(|to| turns.take(peer(to), SourcePorts::default())).collect();
        assert_eq!(first.len(), 4);
    }

    #[test]
    fn strangers_without_end_are_not_remembered_without_end() {
        let mut turns = Turns::default();
        for to in 0..=u16::MAX {
            turns.take(peer(to), SourcePorts::default());
        }
        assert!(turns.next.len() <= MOST_DESTINATIONS);
    }

    #[test]
    fn there_are_one_to_sixteen_ports() {
        let good: Vec<u8> = (0..=255).filter(|&ports| SourcePorts::new(ports).is_some()).collect();
        assert_eq!(good, (1..=16).collect::<Vec<u8>>());
    }
}
