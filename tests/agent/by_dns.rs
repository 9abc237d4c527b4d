//! Agents that find each other by the addresses of a name: a real DNS server, real datagrams, on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::settings::Member;
use netsplit::discovery::{Discovery, DnsList, DnsSettings, Families, Pace};
use netsplit::network::{SourcePorts, UdpNetwork};
use netsplit::state::Memory;

use crate::agents::{Running, all_normal, keys, run, until};
use crate::dns_server::{NAME, Server, free_address};

/// All of 127.0.0.0/8 is this machine.
const ADDRESSES: [&str; 4] = ["127.0.71.1", "127.0.71.2", "127.0.71.3", "127.0.71.4"];

fn start(number: usize, port: u16, server: SocketAddr) -> Running {
    let clock = Clock::start();
    let address: Ipv4Addr = ADDRESSES[number].parse().unwrap();
    let network = UdpNetwork::bind((address, port).into(), SourcePorts::default()).unwrap();
    let settings = DnsSettings { name: NAME.to_owned(), port, server: Some(server) };
    let pace = Pace { shortest: Duration::from_millis(200), longest: Duration::from_millis(500), ..Pace::default() };
    let families = Families::reached_from(network.local_address());
    let discovery = Discovery::start(DnsList::new(settings, families), pace, clock);
    // It does not know its own address beforehand: whoever hears it takes the one that it comes from.
    let node = Member::new(format!("node-{number}"), "", (Ipv4Addr::UNSPECIFIED, port).into());
    Running::start_discovering(network, &node, discovery, &keys(&[1]), Memory::default(), clock)
}

#[test]
fn agents_that_share_a_name_in_the_dns_become_a_cluster_and_let_a_newcomer_in() {
    let Some(server) = Server::start(&ADDRESSES[..3], &[]) else { return };
    run(async move {
        let port = free_address().port();
        let mut agents: Vec<Running> = (0..3).map(|number| start(number, port, server.address)).collect();
        until("three of a kind", || {
            all_normal(&agents) && agents.iter().all(|agent| agent.sees(|view| view.electorate == 3))
        })
        .await;
        server.publish(&ADDRESSES);
        agents.push(start(3, port, server.address));
        until("the fourth counts", || {
            all_normal(&agents) && agents.iter().all(|agent| agent.sees(|view| view.electorate == 4))
        })
        .await;
    });
}
