//! The agent that is measured, put together as `netsplit run` does it.

use std::io;
use std::net::Ipv4Addr;
use std::thread;

use netsplit::agent::{Agent, AgentHandle, Setup};
use netsplit::audit::{self, Files, Settings};
use netsplit::clock::Clock;
use netsplit::discovery::Discovery;
use netsplit::network::{SourcePorts, UdpNetwork};
use netsplit::wire::GoodbyeReason;

use crate::{child, cluster};

pub fn run() {
    let addresses = child::read_peers();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let network = UdpNetwork::bind((Ipv4Addr::LOCALHOST, 0).into(), SourcePorts::default()).unwrap();
        let node = cluster::agent(network.local_address());
        let mut roster: Vec<_> =
            addresses.into_iter().enumerate().map(|(index, address)| cluster::peer(index, address)).collect();
        roster.push(node.clone());
        let clock = Clock::start();
        let discovery = Discovery::fixed(roster, clock);
        let setup = Setup::without_state(cluster::settings(node.clone()), discovery, cluster::keys());
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

/// What the parent has to know to believe the figures.
fn report(handle: &AgentHandle) {
    let seen = handle.view();
    let view = seen.borrow();
    let refused: u64 = handle.counters().refused().map(|(_, count)| count).sum();
    let unjudged = view.counters.refused.values().sum::<u64>();
    child::say(format_args!(
        "coverage {} mode {:?} rows {} missed {} dropped {} refused {refused} unjudged {unjudged}",
        view.coverage(),
        view.mode,
        view.nodes.iter().filter(|node| node.row.is_some()).count(),
        view.counters.missed,
        view.counters.dropped,
    ));
}
