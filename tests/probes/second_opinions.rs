//! The second opinions about a silent peer, against real ports and hosts: on loopback, and in network namespaces that a
//! test makes for itself (as root; elsewhere it skips, or fails if `NETSPLIT_TEST_ALL=1`).

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use netsplit::detector::evidence::{Evidence, HostAnswer, PortAnswer, Question};
use netsplit::identity::NodeId;
use netsplit::network::{Cut, FaultyNetwork, Network, SourcePorts, UdpNetwork};
use netsplit::probe;

use crate::needs::skip;
use crate::own_network::{ALLOW_PING, in_a_network_of_its_own};

/// Longer than any answer takes.
const LONG: Duration = Duration::from_mins(1);

/// Long enough for what does not come.
const SHORT: Duration = Duration::from_millis(300);

const PEER: NodeId = NodeId(7);

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// What is found at a port, and at the host that has it.
fn look(address: SocketAddr, timeout: Duration) -> (HostAnswer, PortAnswer) {
    let question = Question { peer: PEER, host: address.ip(), port: Some(address) };
    let Evidence { peer, host, port } = run(probe::look(question, timeout));
    assert_eq!(peer, PEER);
    (host, port)
}

/// A listener on the loopback address of each family that this machine has.
fn listeners() -> Vec<TcpListener> {
    let bind = |address: &str| TcpListener::bind(address).inspect_err(|error| skip(&format!("{address}: {error}")));
    ["127.0.0.1:0", "[::1]:0"].into_iter().filter_map(|address| bind(address).ok()).collect()
}

/// Says `text` to whoever asks at each listener, then closes; `found` is what is thought of it.
fn whoever_says(text: &'static str, found: PortAnswer) {
    for listener in listeners() {
        let address = listener.local_addr().unwrap();
        let speaker = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let size = stream.read(&mut request).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..size]).into_owned()
        });
        assert_eq!(look(address, LONG).1, found, "{address}");
        let request = speaker.join().unwrap();
        assert!(request.starts_with("GET /healthz HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    }
}

#[test]
fn an_http_answer_is_an_answer() {
    whoever_says("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n", PortAnswer::Answered);
    whoever_says("HTTP/1.0 404 Not Found\r\n\r\n", PortAnswer::Answered);
}

#[test]
fn an_agent_whose_loop_does_not_turn_has_only_accepted() {
    whoever_says("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 100\r\n\r\n", PortAnswer::Accepted);
}

#[test]
fn what_is_no_http_is_only_accepted() {
    whoever_says("SSH-2.0-OpenSSH_10.0\r\n", PortAnswer::Accepted);
    whoever_says("", PortAnswer::Accepted);
}

#[test]
fn a_listener_that_never_answers_has_accepted() {
    for listener in listeners() {
        assert_eq!(look(listener.local_addr().unwrap(), SHORT).1, PortAnswer::Accepted);
    }
}

#[test]
fn a_port_that_nobody_has_refuses() {
    for listener in listeners() {
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(look(address, LONG).1, PortAnswer::Refused);
    }
}

#[test]
fn a_port_that_is_not_known_is_not_asked() {
    let question = Question { peer: PEER, host: [127, 0, 0, 1].into(), port: None };
    assert_eq!(run(probe::look(question, LONG)).port, PortAnswer::NotAsked);
}

#[test]
fn across_a_cut_host_and_port_are_silent_for_the_whole_time() {
    let own = IpAddr::from([127, 0, 0, 1]);
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    run(async {
        let cut = Cut::between([(own, 0), (address.ip(), 1)]);
        let network =
            FaultyNetwork::new(UdpNetwork::bind((own, 0).into(), SourcePorts::ONE).unwrap(), own, cut.clone());
        let question = Question { peer: PEER, host: address.ip(), port: Some(address) };
        assert_eq!(network.ask(question, LONG).await.port, PortAnswer::Refused, "it begins healed");

        cut.cut();
        let silent = Evidence { peer: PEER, host: HostAnswer::Silent, port: PortAnswer::Silent };
        let early = tokio::time::timeout(SHORT, network.ask(question, LONG)).await;
        assert!(early.is_err(), "silence is known when the time is over, and no sooner");
        assert_eq!(network.ask(question, SHORT).await, silent);
        let portless = Question { port: None, ..question };
        let expected = Evidence { port: PortAnswer::NotAsked, ..silent };
        assert_eq!(network.ask(portless, SHORT).await, expected);

        let own_side = Question { host: own, ..question };
        assert_ne!(network.ask(own_side, SHORT).await.host, HostAnswer::Silent, "a host that is not cut off");

        cut.heal();
        assert_eq!(network.ask(question, LONG).await.port, PortAnswer::Refused);
    });
}

// --------------------------------------------------------------------------- in a network of its own

#[test]
fn a_host_that_is_there_replies() {
    in_a_network_of_its_own("second_opinions::a_host_that_is_there_replies", ALLOW_PING, || {
        for address in ["127.0.0.1:9", "127.0.0.9:9", "[::1]:9"] {
            assert_eq!(look(address.parse().unwrap(), LONG), (HostAnswer::Replied, PortAnswer::Refused), "{address}");
        }
    });
}

#[test]
fn many_are_asked_at_once_and_none_takes_the_answer_of_another() {
    in_a_network_of_its_own(
        "second_opinions::many_are_asked_at_once_and_none_takes_the_answer_of_another",
        ALLOW_PING,
        || {
            run(async {
                let question = |last| Question { peer: PEER, host: [127, 0, 0, last].into(), port: None };
                let asked: Vec<_> = (1..=16).map(|last| tokio::spawn(probe::look(question(last), LONG))).collect();
                for asked in asked {
                    assert_eq!(asked.await.unwrap().host, HostAnswer::Replied);
                }
            });
        },
    );
}

#[test]
fn a_kernel_that_allows_no_ping_is_not_held_against_the_host() {
    in_a_network_of_its_own("second_opinions::a_kernel_that_allows_no_ping_is_not_held_against_the_host", "", || {
        for address in ["127.0.0.1:9", "[::1]:9"] {
            assert_eq!(look(address.parse().unwrap(), LONG), (HostAnswer::NotAsked, PortAnswer::Refused), "{address}");
        }
    });
}

#[test]
fn what_is_swallowed_on_the_way_is_silent() {
    let prepare = format!(
        "{ALLOW_PING} ip -6 address add fd00::9/128 dev lo nodad; nft 'add table inet t; \
         add chain inet t in {{ type filter hook input priority 0; }}; \
         add rule inet t in ip daddr 127.0.0.9 drop; add rule inet t in ip6 daddr fd00::9 drop'; "
    );
    in_a_network_of_its_own("second_opinions::what_is_swallowed_on_the_way_is_silent", &prepare, || {
        for address in ["127.0.0.9:7476", "[fd00::9]:7476"] {
            assert_eq!(look(address.parse().unwrap(), SHORT), (HostAnswer::Silent, PortAnswer::Silent), "{address}");
        }
    });
}

#[test]
fn a_neighbour_that_is_not_there_is_silent() {
    let prepare = format!(
        "{ALLOW_PING} ip link add v0 type veth peer name v1; ip address add 10.9.0.1/24 dev v0; ip link set v1 up; \
         ip link set v0 up; echo 20 > /proc/sys/net/ipv4/neigh/v0/retrans_time_ms; "
    );
    in_a_network_of_its_own("second_opinions::a_neighbour_that_is_not_there_is_silent", &prepare, || {
        // The kernel says "no route to host" long before the end of this time; for the echo request it says nothing.
        let address: SocketAddr = "10.9.0.2:7476".parse().unwrap();
        let question = Question { peer: PEER, host: [127, 0, 0, 1].into(), port: Some(address) };
        assert_eq!(run(probe::look(question, LONG)).port, PortAnswer::Silent);
        assert_eq!(look(address, SHORT), (HostAnswer::Silent, PortAnswer::Silent));
    });
}

#[test]
fn without_a_route_nothing_is_asked() {
    in_a_network_of_its_own("second_opinions::without_a_route_nothing_is_asked", ALLOW_PING, || {
        // TEST-NET-1 (RFC 5737), and what documentation has of IPv6 (RFC 3849).
        for address in ["192.0.2.1:7476", "[2001:db8::1]:7476"] {
            assert_eq!(look(address.parse().unwrap(), LONG), (HostAnswer::NotAsked, PortAnswer::NotAsked), "{address}");
        }
    });
}

#[test]
fn a_route_that_forbids_is_no_word_of_the_network() {
    let prepare =
        format!("{ALLOW_PING} ip route add unreachable 192.0.2.0/24; ip route add prohibit 198.51.100.0/24; ");
    in_a_network_of_its_own("second_opinions::a_route_that_forbids_is_no_word_of_the_network", &prepare, || {
        for address in ["192.0.2.1:7476", "198.51.100.1:7476"] {
            assert_eq!(look(address.parse().unwrap(), LONG), (HostAnswer::NotAsked, PortAnswer::NotAsked), "{address}");
        }
    });
}
