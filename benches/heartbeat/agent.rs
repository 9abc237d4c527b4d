//! The agent that is measured, put together as `netsplit run` does it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use netsplit::agent::{Agent, AgentHandle, Setup};
use netsplit::audit::{self, Files, Settings};
use netsplit::clock::Clock;
use netsplit::detector::evidence::{Evidence, HostAnswer, PortAnswer, Question};
use netsplit::detector::partition::Partition;
use netsplit::detector::time::Now;
use netsplit::discovery::Discovery;
use netsplit::network::{Batch, Left, Network, SourcePorts, UdpNetwork};
use netsplit::wire::GoodbyeReason;

use crate::{child, cluster};

pub fn run() {
    let addresses = child::read_peers();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let network = UdpNetwork::bind((Ipv4Addr::LOCALHOST, 0).into(), SourcePorts::default()).unwrap();
        let address = network.local_address();
        let network = Mute(network);
        let node = cluster::agent(address);
        let mut roster: Vec<_> =
            addresses.into_iter().enumerate().map(|(index, address)| cluster::peer(index, address)).collect();
        roster.push(node.clone());
        let clock = Clock::start();
        let discovery = Discovery::fixed(roster, clock);
        let setup = Setup::without_state(cluster::settings(node.clone(), child::cap()), discovery, cluster::keys());
        let directory = tempfile::tempdir().unwrap();
        let log = Settings { path: directory.path().join("log"), ..Settings::default() };
        let (sink, _, closing) = audit::start_on(Files::at(&log.path), io::sink(), &log, clock).unwrap();
        let (agent, handle) = Agent::new(setup, network, clock, sink).unwrap();
        child::say(node.address);
        let end = thread::spawn(move || {
            child::wait_for_end();
            report(&handle);
            handle.stop(GoodbyeReason::Stopped);
        });
        agent.run().await;
        end.join().unwrap();
        closing.finish();
    });
}

/// The real network, but for the evidence: the addresses of the peers are all of this machine, which would vouch for
/// each of them.
struct Mute(UdpNetwork);

impl Network for Mute {
    fn ready(&self) -> impl Future<Output = io::Result<()>> {
        self.0.ready()
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<Left> {
        self.0.receive(batch)
    }

    fn send(&mut self, to: SocketAddr, bytes: &[u8], now: Now) -> io::Result<()> {
        self.0.send(to, bytes, now)
    }

    fn drops(&mut self) -> u64 {
        self.0.drops()
    }

    fn ask(&self, question: Question, timeout: Duration) -> impl Future<Output = Evidence> + Send + 'static {
        let patience = tokio::time::sleep(timeout);
        async move {
            patience.await;
            Evidence { peer: question.peer, host: HostAnswer::Silent, port: PortAnswer::Silent }
        }
    }
}

/// What the parent has to know to believe the figures.
fn report(handle: &AgentHandle) {
    let seen = handle.view();
    let view = seen.borrow();
    let refused: u64 = handle.counters().refused().map(|(_, count)| count).sum();
    let unjudged = view.counters.refused.values().sum::<u64>();
    let told = |partition: &Partition| format!("{:.3}", partition.detection.as_secs_f64());
    let detection = view.partitions.first().map_or_else(|| "none".to_owned(), told);
    child::say(format_args!(
        "coverage {} mode {:?} rows {} missed {} dropped {} detection {detection} refused {refused} unjudged {unjudged}",
        view.coverage(),
        view.mode,
        view.nodes.iter().filter(|node| node.row.is_some()).count(),
        view.counters.missed,
        view.counters.dropped,
    ));
}
