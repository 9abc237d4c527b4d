//! A network that can be cut, for `netsplit lab` and the tests: whatever crosses the cut is dropped on receipt, datagrams
//! and the answers of hosts and ports alike.
//!
//! On receipt, because that is where a real cut shows: the sender's system call succeeds.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Batch, Left, Network, SourcePorts};
use crate::detector::evidence::{Evidence, HostAnswer, PortAnswer, Question};
use crate::detector::time::Now;

/// A cut between sides, shared by all the networks that it cuts. It begins healed.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    sides: Arc<BTreeMap<IpAddr, usize>>,
    open: Arc<AtomicBool>,
}

impl Cut {
    /// A cut that puts each address on the side that stands beside it. Addresses on no side it leaves alone.
    pub fn between(sides: impl IntoIterator<Item = (IpAddr, usize)>) -> Self {
        Self { sides: Arc::new(sides.into_iter().collect()), open: Arc::default() }
    }

    /// From now on nothing crosses.
    pub fn cut(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// From now on everything arrives.
    pub fn heal(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Whether what `from` sends arrives at `to`.
    pub fn lets_through(&self, from: IpAddr, to: IpAddr) -> bool {
        let side = |address| self.sides.get(&address);
        !self.open.load(Ordering::Relaxed) || side(from).zip(side(to)).is_none_or(|(from, to)| from == to)
    }

    /// What of this evidence arrives at `own`.
    fn evidence(&self, evidence: Evidence, question: Question, own: IpAddr) -> Evidence {
        let is_cut = |from| !self.lets_through(from, own);
        Evidence {
            host: if is_cut(question.host) { HostAnswer::Silent } else { evidence.host },
            port: if question.port.is_some_and(|port| is_cut(port.ip())) { PortAnswer::Silent } else { evidence.port },
            ..evidence
        }
    }
}

/// A network behind a [`Cut`].
pub struct FaultyNetwork<N> {
    inner: N,
    own: IpAddr,
    cut: Cut,
}

impl<N: Network> FaultyNetwork<N> {
    /// Puts `inner`, which listens at `own`, behind `cut`.
    pub fn new(inner: N, own: IpAddr, cut: Cut) -> Self {
        Self { inner, own, cut }
    }
}

impl<N: Network> Network for FaultyNetwork<N> {
    fn ready(&self) -> impl Future<Output = io::Result<()>> {
        self.inner.ready()
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<Left> {
        let left = self.inner.receive(batch)?;
        batch.retain(|from| self.cut.lets_through(from.ip(), self.own));
        Ok(left)
    }

    fn send(&mut self, to: SocketAddr, bytes: &[u8], now: Now) -> io::Result<()> {
        self.inner.send(to, bytes, now)
    }

    fn change_source_ports(&mut self, ports: SourcePorts) {
        self.inner.change_source_ports(ports);
    }

    fn drops(&mut self) -> u64 {
        self.inner.drops()
    }

    fn ask(&self, question: Question, timeout: Duration) -> impl Future<Output = Evidence> + Send + 'static {
        let (asked, cut, own) = (self.inner.ask(question, timeout), self.cut.clone(), self.own);
        async move {
            let whole_time = tokio::time::sleep(timeout);
            let evidence = asked.await;
            let seen = cut.evidence(evidence, question, own);
            if seen != evidence {
                whole_time.await;
            }
            seen
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    #[test]
    fn a_cut_stops_what_crosses_it_and_nothing_else() {
        let cut = Cut::between([(address(1), 0), (address(2), 0), (address(3), 1)]);
        assert!(cut.lets_through(address(1), address(3)), "it begins healed");
        cut.cut();
        assert!(cut.lets_through(address(1), address(2)));
        assert!(!cut.lets_through(address(1), address(3)));
        assert!(!cut.lets_through(address(3), address(2)));
        assert!(cut.lets_through(address(9), address(1)), "not on a side");
        cut.heal();
        assert!(cut.lets_through(address(1), address(3)));
    }
}
