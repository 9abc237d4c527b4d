//! The real socket: what it receives, where it says that came from, and what it says it has lost.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use netsplit::detector::time::Now;
use netsplit::network::{Batch, Left, Network, SLOT_SIZE, SourcePorts, UdpNetwork};

fn within_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn localhost(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Everything that has arrived.
fn drain(network: &mut UdpNetwork) -> Vec<(SocketAddr, usize)> {
    let mut all = Vec::new();
    let mut batch = Batch::default();
    loop {
        let left = network.receive(&mut batch).unwrap();
        all.extend(batch.iter().map(|(from, bytes)| (from, bytes.len())));
        if left == Left::Nothing {
            return all;
        }
    }
}

#[test]
fn a_socket_for_all_addresses_hears_and_answers_ipv4() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind("[::]:0".parse().unwrap(), SourcePorts::ONE).unwrap();
        let peer = UdpSocket::bind(localhost(0)).unwrap();
        peer.send_to(b"hello", localhost(network.local_address().port())).unwrap();
        network.ready().await.unwrap();
        let from = peer.local_addr().unwrap();
        assert_eq!(drain(&mut network), [(from, 5)], "in its canonical form");
        network.send(from, b"answer", Now::START).unwrap();
        let mut answer = [0; 16];
        assert_eq!(peer.recv(&mut answer).unwrap(), 6);
    });
}

#[test]
fn what_is_too_long_is_seen_to_be_too_long() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind(localhost(0), SourcePorts::ONE).unwrap();
        let peer = UdpSocket::bind(localhost(0)).unwrap();
        peer.send_to(&[7; 5000], network.local_address()).unwrap();
        peer.send_to(&[], network.local_address()).unwrap();
        let lengths: Vec<usize> = drain(&mut network).into_iter().map(|(_, length)| length).collect();
        assert_eq!(lengths, [SLOT_SIZE, 0]);
    });
}

#[test]
fn ready_waits_again_after_the_socket_was_drained() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind(localhost(0), SourcePorts::ONE).unwrap();
        let peer = UdpSocket::bind(localhost(0)).unwrap();
        for _ in 0..3 {
            peer.send_to(b"hello", network.local_address()).unwrap();
            network.ready().await.unwrap();
            assert_eq!(drain(&mut network).len(), 1);
            let moment = std::time::Duration::from_millis(1);
            assert!(tokio::time::timeout(moment, network.ready()).await.is_err(), "there is nothing to be ready for");
        }
    });
}

#[test]
fn every_datagram_is_received_or_counted_as_dropped() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind(localhost(0), SourcePorts::ONE).unwrap();
        let peer = UdpSocket::bind(localhost(0)).unwrap();
        // What comes before the first drop comes without a count.
        peer.send_to(&[0; 1000], network.local_address()).unwrap();
        let mut sent = 1;
        let mut received = 0;
        let mut dropped = 0;
        for round in 0..4 {
            // The kernel doubles the buffer and counts about 2 KiB for each of these.
            for _ in 0..20_000 {
                peer.send_to(&[0; 1000], network.local_address()).unwrap();
            }
            received += drain(&mut network).len();
            dropped += network.drops();
            // A drop is told by what comes after it.
            for _ in 0..3 {
                peer.send_to(&[0; 1000], network.local_address()).unwrap();
                received += drain(&mut network).len();
            }
            dropped += network.drops();
            sent += 20_003;
            assert!(dropped > 0, "round {round}: the flood was too small for this buffer");
            assert_eq!(u64::try_from(received).unwrap() + dropped, sent, "round {round}");
        }
    });
}

#[test]
fn an_address_in_use_is_told_in_one_sentence_with_what_to_do() {
    within_a_runtime(async {
        let first = UdpNetwork::bind(localhost(0), SourcePorts::ONE).unwrap();
        let address = first.local_address();
        let told = UdpNetwork::bind(address, SourcePorts::ONE).err().unwrap().to_string();
        let expected = "the port is in use; stop the program that has it, or choose another with `listen`";
        assert_eq!(told, format!("cannot listen on {address}/udp: {expected}"));
        // TEST-NET-1 (RFC 5737) is nobody's.
        let told = UdpNetwork::bind("192.0.2.1:0".parse().unwrap(), SourcePorts::ONE).err().unwrap().to_string();
        assert_eq!(told, "cannot listen on 192.0.2.1:0/udp: this machine has no such address; correct `listen`");
    });
}

/// The ports from which so many datagrams came, in order.
fn ports_seen(peer: &UdpSocket, datagrams: usize) -> Vec<u16> {
    let mut buffer = [0; 16];
    (0..datagrams).map(|_| peer.recv_from(&mut buffer).unwrap().1.port()).collect()
}

fn peers<const N: usize>() -> [UdpSocket; N] {
    std::array::from_fn(|_| {
        let peer = UdpSocket::bind(localhost(0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        peer
    })
}

#[test]
fn every_destination_sees_every_source_port_in_turn() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind(localhost(0), SourcePorts::default()).unwrap();
        // As many destinations as ports: one turn for all would give each destination one port.
        let peers = peers::<4>();
        for peer in peers.iter().cycle().take(4 * 8) {
            network.send(peer.local_addr().unwrap(), b"hello", Now::START).unwrap();
        }
        let seen = peers.each_ref().map(|peer| ports_seen(peer, 8));
        for ports in &seen {
            assert_eq!(ports[..4], ports[4..], "in turn");
            let different: BTreeSet<u16> = ports.iter().copied().collect();
            assert_eq!(different.len(), 4);
            assert!(different.contains(&network.local_address().port()), "the port that it listens on is one of them");
            assert_eq!(different, seen[0].iter().copied().collect(), "the same ones for all");
        }
    });
}

#[test]
fn one_source_port_after_another_is_bound_anew_every_thirty_seconds() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind(localhost(0), SourcePorts::default()).unwrap();
        let [peer] = peers();
        let mut ports_at = |seconds| {
            let now = Now::at(Duration::from_secs(seconds));
            (0..4).for_each(|_| network.send(peer.local_addr().unwrap(), b"hello", now).unwrap());
            ports_seen(&peer, 4).into_iter().collect::<BTreeSet<u16>>()
        };
        let mut before = ports_at(0);
        assert_eq!(ports_at(29), before);
        let first = before.clone();
        for seconds in [30, 60, 90] {
            let after = ports_at(seconds);
            assert_eq!((after.len(), after.intersection(&before).count()), (4, 3), "after {seconds} s");
            before = after;
        }
        let port = network.local_address().port();
        assert_eq!(before.intersection(&first).collect::<Vec<_>>(), [&port], "all but the one that it listens on");
    });
}

#[test]
fn what_comes_to_a_source_port_does_not_come_to_the_agent() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind(localhost(0), SourcePorts::new(2).unwrap()).unwrap();
        let [peer] = peers();
        (0..2).for_each(|_| network.send(peer.local_addr().unwrap(), b"hello", Now::START).unwrap());
        let listening = network.local_address().port();
        let other = ports_seen(&peer, 2).into_iter().find(|&port| port != listening).unwrap();
        for _ in 0..1000 {
            peer.send_to(b"stray", localhost(other)).unwrap();
        }
        peer.send_to(b"right", localhost(listening)).unwrap();
        network.ready().await.unwrap();
        assert_eq!(drain(&mut network), [(peer.local_addr().unwrap(), 5)]);
        assert_eq!(network.drops(), 0, "and is no drop of the agent's");
        network.send(peer.local_addr().unwrap(), b"hello", Now::START).unwrap();
        network.send(peer.local_addr().unwrap(), b"hello", Now::START).unwrap();
        assert_eq!(ports_seen(&peer, 2).len(), 2, "nor does it keep the port from sending");
    });
}

#[test]
fn the_number_of_source_ports_may_change() {
    within_a_runtime(async {
        let mut network = UdpNetwork::bind("[::]:0".parse().unwrap(), SourcePorts::ONE).unwrap();
        let [peer] = peers();
        for wanted in [1, 16, 3, 1] {
            network.change_source_ports(SourcePorts::new(wanted).unwrap());
            let count = usize::from(wanted);
            (0..count).for_each(|_| network.send(peer.local_addr().unwrap(), b"hello", Now::START).unwrap());
            let seen: BTreeSet<u16> = ports_seen(&peer, count).into_iter().collect();
            assert_eq!(seen.len(), count);
        }
    });
}
