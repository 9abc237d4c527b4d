//! The seam between the shell and the world.
//!
//! It carries datagrams, and the evidence beside them (section 8 of the design): so whoever cuts a [`Network`] cuts all
//! of what an agent sees. [`UdpNetwork`] is the real one, [`FaultyNetwork`] its twin for `netsplit lab` and the tests.

mod batch;
mod faulty;
mod source_ports;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use batch::{BATCH, Batch, SLOT_SIZE};
pub use faulty::{Cut, FaultyNetwork};
pub use source_ports::SourcePorts;
pub use udp::UdpNetwork;

use crate::detector::evidence::{Evidence, Question};
use crate::detector::time::Now;

/// What an agent sends into and receives from.
pub trait Network {
    /// Waits until there may be something to receive. It may be wrong; it does not miss anything.
    fn ready(&self) -> impl Future<Output = io::Result<()>>;

    /// Replaces what is in `batch` by what has arrived, without waiting.
    ///
    /// It asks the socket itself, whatever [`Network::ready`] believes: what has arrived must be known before a deadline
    /// is judged. An error is transient; call again, after a pause.
    fn receive(&mut self, batch: &mut Batch) -> io::Result<Left>;

    /// Sends one datagram, without waiting. An error is a fact of this machine and says nothing of the peer.
    fn send(&mut self, to: SocketAddr, bytes: &[u8], now: Now) -> io::Result<()>;

    /// Datagrams leave from so many source ports from now on, where there is such a thing.
    fn change_source_ports(&mut self, _ports: SourcePorts) {}

    /// How many datagrams that had arrived the socket has dropped since this was asked last.
    fn drops(&mut self) -> u64;

    /// Looks for other signs of life of a silent peer. It takes no longer than `timeout`, stands beside the datagrams
    /// and costs them nothing; to drop it is to give up.
    fn ask(&self, question: Question, timeout: Duration) -> impl Future<Output = Evidence> + Send + 'static;
}

/// What a socket has left after [`Network::receive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing: it is drained.
    Nothing,
    /// The batch was full, so there may be more.
    Perhaps,
}
