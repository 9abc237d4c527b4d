//! The discovery by DNS against a real server, dnsmasq, on loopback: what it delivers, what it never does, and what it
//! says of itself.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::Listing;
use netsplit::discovery::{Cause, Discovery, DnsList, DnsSettings, Families, Pace, Status};

use crate::dns_server::{NAME, Server, program};

/// Faster than the real one, so that a test takes less than the time to live of a record.
const QUICK: Pace = Pace {
    shortest: Duration::from_millis(50),
    longest: Duration::from_millis(200),
    patience: Duration::from_secs(10),
    retry: Duration::from_millis(50),
    slowest_retry: Duration::from_millis(100),
    on_demand: false,
};

fn of(server: &Server) -> Discovery {
    look_up(server.settings(), QUICK)
}

fn look_up(settings: DnsSettings, pace: Pace) -> Discovery {
    let families = Families::reached_from("[::]:7475".parse().unwrap());
    Discovery::start(DnsList::new(settings, families), pace, Clock::start())
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn within_a_minute<T>(what: &str, future: impl Future<Output = T>) -> T {
    let awaited = tokio::time::timeout(Duration::from_mins(1), future).await;
    awaited.unwrap_or_else(|_| panic!("waited a minute for this: {what}"))
}

/// Waits for a list of exactly these addresses.
async fn delivers(discovery: &mut Discovery, addresses: &[&str]) {
    let mut wanted: Vec<SocketAddr> =
        addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 7475)).collect();
    wanted.sort_unstable();
    let wanted = Listing::of_addresses(wanted);
    within_a_minute("the list", async { while discovery.next().await != wanted {} }).await;
}

async fn becomes(discovery: &Discovery, what: &str, is_so: impl FnMut(&Status) -> bool) {
    let mut status = discovery.status();
    within_a_minute(what, async { drop(status.wait_for(is_so).await.unwrap()) }).await;
}

async fn fails(discovery: &Discovery, cause: Cause) {
    becomes(discovery, cause.as_str(), |status| status.up == Some(false) && status.failed(cause) > 0).await;
}

#[test]
fn the_addresses_of_a_name_are_the_list_and_follow_it() {
    let Some(server) = Server::start(&["10.0.0.2", "10.0.0.1", "fd00::1"], &["--local=/example/"]) else { return };
    run(async {
        let mut discovery = of(&server);
        delivers(&mut discovery, &["10.0.0.1", "10.0.0.2", "fd00::1"]).await;
        becomes(&discovery, "it is up", |status| status.up == Some(true) && status.last_success.is_some()).await;
        server.publish(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"]);
        delivers(&mut discovery, &["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"]).await;
        // The last one of a family is gone: that is a whole answer, too.
        server.publish(&["10.0.0.3"]);
        delivers(&mut discovery, &["10.0.0.3"]).await;
        assert_eq!(discovery.status().borrow().failures().map(|(_, count)| count).sum::<u64>(), 0);
    });
}

#[test]
fn every_fresh_answer_is_delivered_even_if_nothing_changed() {
    let Some(server) = Server::start(&["10.0.0.1"], &["--local=/example/"]) else { return };
    run(async {
        let mut discovery = of(&server);
        for _ in 0..3 {
            delivers(&mut discovery, &["10.0.0.1"]).await;
        }
    });
}

#[test]
fn a_socket_of_one_family_is_not_told_of_addresses_of_the_other() {
    let Some(server) = Server::start(&["10.0.0.1", "fd00::1"], &["--local=/example/"]) else { return };
    run(async {
        let families = Families::reached_from("0.0.0.0:7475".parse().unwrap());
        let mut discovery = Discovery::start(DnsList::new(server.settings(), families), QUICK, Clock::start());
        delivers(&mut discovery, &["10.0.0.1"]).await;
    });
}

fn many(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("10.1.{}.{}", n / 250, n % 250 + 1)).collect()
}

#[test]
fn several_hundred_addresses_come_over_tcp() {
    // 16 bytes each, while UDP carries 1,232.
    let addresses = many(900);
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let Some(server) = Server::start(&addresses, &["--local=/example/"]) else { return };
    run(async {
        let mut discovery = of(&server);
        delivers(&mut discovery, &addresses).await;
    });
}

#[test]
fn an_answer_holds_four_thousand_addresses_and_one_that_overflows_is_none() {
    let addresses = many(4_200);
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let Some(server) = Server::start(&addresses[..4_000], &["--local=/example/"]) else { return };
    run(async {
        let mut discovery = of(&server);
        delivers(&mut discovery, &addresses[..4_000]).await;
        // 65,535 bytes hold 4,093 at most.
        server.publish(&addresses);
        fails(&discovery, Cause::Truncated).await;
    });
}

#[test]
fn a_name_that_goes_away_removes_nobody_and_is_told() {
    let Some(server) = Server::start(&["10.0.0.1"], &["--local=/example/"]) else { return };
    run(async {
        let mut discovery = of(&server);
        delivers(&mut discovery, &["10.0.0.1"]).await;
        server.publish(&[]);
        fails(&discovery, Cause::NotFound).await;
        // What was delivered before the name went away may lie there still; nothing comes after it.
        if let Some(listing) = discovery.at_hand() {
            assert_eq!(listing.addresses, ["10.0.0.1:7475".parse().unwrap()]);
        }
        let failed = discovery.status().borrow().failed(Cause::NotFound);
        becomes(&discovery, "more failures", |status| status.failed(Cause::NotFound) > failed + 2).await;
        assert_eq!(discovery.at_hand(), None);
        server.publish(&["10.0.0.2"]);
        delivers(&mut discovery, &["10.0.0.2"]).await;
        becomes(&discovery, "it is up", |status| status.up == Some(true)).await;
    });
}

#[test]
fn a_name_without_addresses_is_told_from_one_that_does_not_exist() {
    let Some(server) = Server::start(&[], &["--local=/example/", "--txt-record=agents.example,hello"]) else { return };
    run(async {
        let discovery = of(&server);
        fails(&discovery, Cause::Empty).await;
        assert_eq!(discovery.status().borrow().last_success, None);
    });
}

#[test]
fn a_server_that_refuses_is_told() {
    // It knows no such name, and nobody to ask.
    let Some(server) = Server::start(&[], &[]) else { return };
    run(async {
        let mut discovery = of(&server);
        fails(&discovery, Cause::Refused).await;
        assert_eq!(discovery.at_hand(), None);
    });
}

/// What makes dnsmasq answer SERVFAIL to whatever it has to ask another server for: a signature is demanded that the other
/// one, which signs nothing, does not have.
fn demanding_signatures(upstream: &Server) -> [String; 4] {
    let key = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
    [
        "--dnssec".into(),
        "--dnssec-check-unsigned".into(),
        format!("--trust-anchor=.,20326,8,2,{key}"),
        format!("--server={}#{}", upstream.address.ip(), upstream.address.port()),
    ]
}

#[test]
fn a_server_that_cannot_find_out_removes_nobody_and_is_told() {
    let Some(upstream) = Server::start(&["10.0.0.1"], &["--local=/example/"]) else { return };
    let more = demanding_signatures(&upstream);
    let Some(server) = Server::start(&[], &more.each_ref().map(String::as_str)) else { return };
    run(async {
        let mut discovery = of(&server);
        fails(&discovery, Cause::ServerFailure).await;
        assert_eq!(discovery.at_hand(), None);
    });
}

#[test]
fn half_an_answer_is_never_delivered() {
    let Some(upstream) = Server::start(&["fd00::1"], &["--local=/example/"]) else { return };
    let more = demanding_signatures(&upstream);
    // It has the IPv4 address itself, and has to ask for the other one.
    let Some(server) = Server::start(&["10.0.0.1"], &more.each_ref().map(String::as_str)) else { return };
    run(async {
        let mut discovery = of(&server);
        fails(&discovery, Cause::ServerFailure).await;
        assert_eq!(discovery.at_hand(), None);
        // Whose socket reaches IPv4 alone does not ask for the other.
        let families = Families::reached_from("127.0.0.1:7475".parse().unwrap());
        let mut discovery = Discovery::start(DnsList::new(server.settings(), families), QUICK, Clock::start());
        delivers(&mut discovery, &["10.0.0.1"]).await;
    });
}

#[test]
fn a_slow_server_is_given_up_and_told() {
    // dnsmasq forwards to a socket that nobody reads.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let Some(server) = Server::start(&[], &[&format!("--server=127.0.0.1#{port}")]) else { return };
    run(async {
        let pace = Pace { patience: Duration::from_millis(500), ..QUICK };
        let mut discovery = look_up(server.settings(), pace);
        fails(&discovery, Cause::Timeout).await;
        assert_eq!(discovery.at_hand(), None);
    });
}

#[test]
fn without_patience_of_the_round_the_resolver_gives_up_by_itself() {
    if program().is_none() {
        return;
    }
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = Some(silent.local_addr().unwrap());
    run(async {
        let pace = Pace { patience: Duration::from_hours(1), ..QUICK };
        let discovery = look_up(DnsSettings { name: NAME.to_owned(), port: 7475, server }, pace);
        fails(&discovery, Cause::Timeout).await;
    });
}

#[test]
fn a_server_that_dies_leaves_the_last_list_and_is_believed_again_when_it_returns() {
    let Some(mut server) = Server::start(&["10.0.0.1"], &["--local=/example/"]) else { return };
    run(async {
        let pace = Pace { patience: Duration::from_secs(1), ..QUICK };
        let mut discovery = look_up(server.settings(), pace);
        delivers(&mut discovery, &["10.0.0.1"]).await;
        becomes(&discovery, "it is up", |status| status.up == Some(true)).await;
        server.kill();
        becomes(&discovery, "it is down", |status| status.up == Some(false)).await;
        let last_success = discovery.status().borrow().last_success;
        let left = discovery.at_hand();
        assert!(left.is_none_or(|listing| listing.addresses == ["10.0.0.1:7475".parse().unwrap()]));
        let failures = |status: &Status| status.failures().map(|(_, count)| count).sum::<u64>();
        becomes(&discovery, "more failures", |status| failures(status) > 2).await;
        assert_eq!((discovery.at_hand(), discovery.status().borrow().last_success), (None, last_success));
        server.start_again().await;
        delivers(&mut discovery, &["10.0.0.1"]).await;
        becomes(&discovery, "it is up again", |status| status.up == Some(true)).await;
    });
}

#[test]
fn an_answer_is_asked_for_again_when_its_time_has_passed_and_not_before() {
    let Some(server) = Server::start(&["10.0.0.1"], &["--local=/example/", "--local-ttl=2"]) else { return };
    run(async {
        // Only the time to live can be what makes it ask again within a minute.
        let pace = Pace { longest: Duration::from_hours(1), ..QUICK };
        let discovery = look_up(server.settings(), pace);
        becomes(&discovery, "the first answer", |status| status.last_success.is_some()).await;
        let first = discovery.status().borrow().last_success;
        becomes(&discovery, "the second one", |status| status.last_success != first).await;
        let passed = discovery.status().borrow().last_success.unwrap().saturating_sub(first.unwrap());
        assert!(passed >= Duration::from_secs(2), "{passed:?}");
    });
}
