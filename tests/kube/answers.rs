//! The discovery by Kubernetes against servers that say what a real one says rarely, or never.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::settings::Member;
use netsplit::discovery::{Cause, Discovery, Pace, Source};
use netsplit::network::{SourcePorts, UdpNetwork};
use netsplit::state::Memory;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::agents::{self, Running, all_normal, keys};
use crate::faults::{self, Certificates, Shows, closed};
use crate::http::Fixture;
use crate::kube::kubeconfig;
use crate::listing::{QUICK, SERVICE, delivers, discovery, endpoint, fails, list_of, run, slice, slices, source};

/// What is asked for, as Kubernetes documents it.
fn question() -> String {
    format!(
        "GET /apis/discovery.k8s.io/v1/namespaces/observability/endpointslices?&labelSelector=\
         kubernetes.io%2Fservice-name%3D{SERVICE}&resourceVersion=0&resourceVersionMatch=NotOlderThan HTTP/1.1"
    )
}

/// A token, and who has it at this server.
fn at(address: SocketAddr) -> (NamedTempFile, NamedTempFile) {
    let token = NamedTempFile::new().unwrap();
    fs::write(token.path(), "fresh").unwrap();
    let kubeconfig = kubeconfig(&format!("http://{address}"), None, "observability", token.path());
    (token, kubeconfig)
}

/// What becomes of one question to this server.
#[track_caller]
fn is_told(address: SocketAddr, cause: Cause) {
    let (_token, kubeconfig) = at(address);
    is_told_by(kubeconfig.path(), cause);
}

#[track_caller]
fn is_told_by(kubeconfig: &Path, cause: Cause) {
    run(async {
        let failure = source(kubeconfig).ask().await.unwrap_err();
        assert_eq!(failure.cause, cause, "{failure:?}");
        assert!(!failure.detail.is_empty(), "{failure:?}");
    });
}

fn answering(status: &'static str, body: &str) -> Fixture {
    let body = body.to_owned();
    Fixture::that(move |_| (status, body.clone()))
}

#[test]
fn one_question_is_asked_out_of_the_memory_of_the_server_with_the_token() {
    let server = answering("200 OK", &list_of(&slices(250)));
    let (_token, kubeconfig) = at(server.address);
    run(async {
        let answer = source(kubeconfig.path()).ask().await.unwrap();
        assert_eq!(answer.listing.members.len(), 250);
        let minutes = answer.good_for.as_secs_f64() / 60.0;
        assert!((7.5..=12.5).contains(&minutes), "{minutes}");
    });
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].lines().next().unwrap(), question());
    assert!(asked[0].contains("authorization: Bearer fresh\r\n"), "{}", asked[0]);
}

#[test]
fn what_a_server_says_instead_of_a_list_is_told_apart() {
    let forbidden = json!({"kind": "Status", "message": "endpointslices is forbidden"}).to_string();
    is_told(answering("403 Forbidden", &forbidden).address, Cause::Refused);
    is_told(answering("401 Unauthorized", "{}").address, Cause::Refused);
    is_told(answering("404 Not Found", "404 page not found").address, Cause::NotFound);
    is_told(answering("429 Too Many Requests", "").address, Cause::ServerFailure);
    is_told(answering("500 Internal Server Error", "").address, Cause::ServerFailure);
    is_told(answering("503 Service Unavailable", "no backend").address, Cause::ServerFailure);
    is_told(answering("200 OK", "<html>a proxy</html>").address, Cause::Malformed);
    is_told(answering("302 Found", "").address, Cause::Malformed);
    is_told(answering("200 OK", &list_of(&[])).address, Cause::NotFound);
    is_told(answering("200 OK", &list_of(&[slice("none", &[])])).address, Cause::Empty);
}

#[test]
fn a_server_that_is_none_is_told_apart() {
    is_told(closed(), Cause::Unreachable);
    is_told(faults::resetting().address, Cause::Unreachable);
    is_told(faults::ending().address, Cause::Unreachable);
    is_told(faults::saying(b"SSH-2.0-OpenSSH_10.0\r\n").address, Cause::Malformed);
    let broken = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"items\":[";
    is_told(faults::answering(broken).address, Cause::Unreachable);
}

#[test]
fn a_list_that_does_not_end_is_given_up() {
    let endless = faults::serving(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[");
        while stream.write_all(&[b' '; 16384]).is_ok() {}
    });
    is_told(endless.address, Cause::Truncated);
}

#[test]
fn a_server_that_cannot_be_trusted_is_not_asked() {
    let certificates = Certificates::make();
    let token = NamedTempFile::new().unwrap();
    fs::write(token.path(), "secret").unwrap();
    for shows in [Shows::Expired, Shows::WrongName, Shows::UnknownAuthority] {
        let heard = Arc::new(Mutex::new(0));
        let listener = Arc::clone(&heard);
        let server = faults::secured(&certificates, shows, &[], move |stream| {
            *listener.lock().unwrap() += stream.read(&mut [0; 4096]).unwrap_or(0);
        });
        let url = format!("https://{}", server.address);
        let authority = certificates.authority_file();
        is_told_by(kubeconfig(&url, Some(&authority), "observability", token.path()).path(), Cause::Tls);
        assert_eq!(*heard.lock().unwrap(), 0);
    }
}

#[test]
fn a_server_that_is_slow_is_given_up_and_asked_again() {
    let is_slow = Arc::new(AtomicBool::new(true));
    let slow = Arc::clone(&is_slow);
    let server = Fixture::that(move |_| {
        while slow.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        ("200 OK", list_of(&slices(3)))
    });
    let (_token, kubeconfig) = at(server.address);
    run(async {
        let pace = Pace { patience: Duration::from_millis(200), ..QUICK };
        let mut discovery = discovery(kubeconfig.path(), pace);
        fails(&discovery, Cause::Timeout).await;
        assert_eq!(discovery.at_hand(), None);
        is_slow.store(false, Ordering::Relaxed);
        delivers(&mut discovery, "the list", |listing| listing.members.len() == 3).await;
    });
}

#[test]
fn a_token_that_is_over_is_read_again_from_its_file() {
    // It knows the fresh one alone.
    let server = Fixture::that_heeds(|head| {
        if head.contains("authorization: Bearer fresh\r\n") {
            ("200 OK", list_of(&slices(3)))
        } else {
            ("401 Unauthorized", json!({"kind": "Status", "message": "Unauthorized"}).to_string())
        }
    });
    let (token, kubeconfig) = at(server.address);
    fs::write(token.path(), "stale").unwrap();
    run(async {
        let mut discovery = discovery(kubeconfig.path(), QUICK);
        fails(&discovery, Cause::Refused).await;
        fs::write(token.path(), "fresh").unwrap();
        delivers(&mut discovery, "the list", |listing| listing.members.len() == 3).await;
    });
}

#[test]
fn five_thousand_endpoints_in_fifty_slices_are_one_list() {
    let server = answering("200 OK", &list_of(&slices(5000)));
    let (_token, kubeconfig) = at(server.address);
    run(async {
        let listing = source(kubeconfig.path()).ask().await.unwrap().listing;
        assert_eq!((listing.members.len(), listing.addresses.len(), listing.leaving.len()), (5000, 0, 0));
        let last = listing.members.iter().find(|member| member.name == "node-5000").unwrap();
        assert_eq!((last.zone.as_str(), last.address), ("west", "10.0.19.136:7475".parse().unwrap()));
    });
}

// ---------------------------------------------------------------------------------------- agents

/// All of 127.0.0.0/8 is this machine, and no API server has such endpoints.
const ADDRESSES: [&str; 4] = ["127.0.75.1", "127.0.75.2", "127.0.75.3", "127.0.75.4"];

fn agents_at(numbers: std::ops::Range<usize>, port: u16) -> String {
    let endpoint = |number: usize| {
        let mut endpoint = endpoint(u16::try_from(number).unwrap());
        endpoint["addresses"] = json!([ADDRESSES[number]]);
        endpoint
    };
    let mut slice = slice("agents", &numbers.map(endpoint).collect::<Vec<Value>>());
    slice["ports"] = json!([{"name": "heartbeat", "protocol": "UDP", "port": port}]);
    list_of(&[slice])
}

fn start(number: usize, port: u16, kubeconfig: &Path) -> Running {
    let clock = Clock::start();
    let address: Ipv4Addr = ADDRESSES[number].parse().unwrap();
    let network = UdpNetwork::bind((address, port).into(), SourcePorts::default()).unwrap();
    let discovery = Discovery::start(source(kubeconfig), QUICK, clock);
    let node = Member::new(format!("node-{number}"), "", (Ipv4Addr::UNSPECIFIED, port).into());
    Running::start_discovering(network, &node, discovery, &keys(&[1]), Memory::default(), clock)
}

fn have(agents: &[Running], nodes: usize) -> bool {
    all_normal(agents) && agents.iter().all(|agent| agent.sees(|view| view.electorate == nodes))
}

#[test]
fn agents_of_one_service_become_a_cluster_that_outlives_its_api_server() {
    let port = crate::process::free_address().port();
    let said = Arc::new(Mutex::new(("200 OK", agents_at(0..3, port))));
    let answer = Arc::clone(&said);
    let server = Fixture::that(move |_| answer.lock().unwrap().clone());
    let (_token, kubeconfig) = at(server.address);
    agents::run(async move {
        let mut agents: Vec<Running> = (0..3).map(|number| start(number, port, kubeconfig.path())).collect();
        agents::until("three of a kind", || have(&agents, 3)).await;
        // Nobody told them their zones: the list did.
        let zones = |agent: &Running| agent.sees(|view| view.nodes.iter().all(|node| !node.member.zone.is_empty()));
        agents::until("zones", || agents.iter().all(zones)).await;

        *said.lock().unwrap() = ("503 Service Unavailable", String::new());
        let asked = server.asked().len();
        agents::until("many questions in vain", || server.asked().len() > asked + 50).await;
        assert!(have(&agents, 3));

        *said.lock().unwrap() = ("200 OK", agents_at(0..4, port));
        agents.push(start(3, port, kubeconfig.path()));
        agents::until("the fourth counts", || have(&agents, 4)).await;
    });
}
