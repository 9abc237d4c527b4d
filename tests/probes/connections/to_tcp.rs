//! Held to anything over TCP: played servers, with and without TLS, and a network that is cut without a word.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netsplit::detector::outcome::Cause;
use netsplit::probe::tcp::Tcp;
use netsplit::probe::{Check, Tls};

use super::holding::{Holding, connections_to, until};
use crate::own_network::in_a_network_of_its_own;
use crate::servers::databases::to;
use crate::servers::faults::{Certificates, Shows, secured, serving};
use crate::servers::group::output_of;

fn held(address: SocketAddr) -> Tcp {
    Tcp { address: to(address), tls: None, send: None, expect: None }
}

/// Waits until the other side has gone; whether it went in good order.
fn waits(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0; 64]).is_ok_and(|size| size == 0)
}

#[test]
fn a_connection_that_nobody_says_anything_on_stands_and_ends_in_good_order() {
    let (sender, ended) = mpsc::channel();
    let port = serving(move |mut stream| sender.send(waits(&mut stream)).unwrap());
    let holding = Holding::to(Check::Tcp(held(port.address)));
    let stands = holding.stands();
    assert_eq!(connections_to(port.address), 1);
    assert_eq!(holding.known().unwrap(), stands);
    assert_eq!(holding.stop().lost_in_all(), 0);
    assert!(ended.recv().unwrap(), "it was reset, and not closed");
}

#[test]
fn who_closes_or_resets_a_connection_is_told_apart() {
    let closes = |mut stream: TcpStream| {
        // Not before it was taken for established.
        let _ = stream.read(&mut [0; 5]);
        let _ = stream.shutdown(Shutdown::Both);
    };
    let resets = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 5]);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    };
    let ports = [(serving(closes), "it closed the connection"), (serving(resets), "reset by peer")];
    for (port, detail) in ports {
        let check = Tcp { send: Some("hello".to_owned()), ..held(port.address) };
        let holding = Holding::to(Check::Tcp(check));
        let close = holding.is_lost_by(Cause::Reset);
        assert!(close.why.detail.contains(detail), "{close:?}");
        holding.becomes("a second connection", |held| held.established > 1);
    }
}

#[test]
fn what_is_to_come_first_has_to_come_before_the_connection_counts_as_one() {
    let greets = |mut stream: TcpStream| {
        let _ = stream.write_all(b"220 ready\r\n");
        waits(&mut stream);
    };
    let port = serving(greets);
    let expect = |text: &str| Check::Tcp(Tcp { expect: Some(text.to_owned()), ..held(port.address) });
    let holding = Holding::to(expect("220 "));
    holding.stands();
    // Nothing else will come.
    let other = Holding::with(expect("SSH-2.0"), Duration::from_millis(400));
    let down = other.becomes("a timeout", |held| format!("{:?}", held.standing).contains("Some(Timeout)"));
    assert_eq!(down.established, 0);
}

#[test]
fn what_comes_is_thrown_away_but_not_for_ever() {
    let few = serving(|mut stream| {
        let _ = stream.write_all(&[b'x'; 8 * 1024]);
        waits(&mut stream);
    });
    let holding = Holding::to(Check::Tcp(held(few.address)));
    let stands = holding.stands();
    let flood = serving(|mut stream| while stream.write_all(&[b'x'; 8 * 1024]).is_ok() {});
    let flooded = Holding::to(Check::Tcp(held(flood.address)));
    assert_eq!(flooded.is_lost_by(Cause::Protocol).why.detail, "it says more than anybody asked for");
    assert_eq!(holding.known().unwrap(), stands);
}

#[test]
fn a_connection_over_tls_is_held_and_its_end_is_seen() {
    let certificates = Certificates::make();
    let (end, ends) = mpsc::channel::<()>();
    let ends = std::sync::Arc::new(std::sync::Mutex::new(ends));
    let port = secured(&certificates, Shows::Good, &[], move |stream| {
        // What TLS has to say comes while it is listened to.
        let _ = stream.conn.complete_io(&mut stream.sock);
        let _ = ends.lock().unwrap().recv();
    });
    let tls: Option<Tls> = Some(certificates.trust());
    let holding = Holding::to(Check::Tcp(Tcp { tls, ..held(port.address) }));
    holding.stands();
    end.send(()).unwrap();
    assert_eq!(holding.is_lost_by(Cause::Reset).why.detail, "it closed the connection");
}

/// Nobody says that a network is cut: the kernel asks, as it was told to.
#[test]
fn a_network_that_is_cut_without_a_word_is_noticed() {
    let name = "connections::to_tcp::a_network_that_is_cut_without_a_word_is_noticed";
    in_a_network_of_its_own(name, "", || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || listener.incoming().map(|stream| stream.unwrap()).collect::<Vec<TcpStream>>());
        let holding = Holding::with(Check::Tcp(held(address)), Duration::from_secs(3));
        holding.stands();
        until("the connection in the table", || connections_to(address) == 1);
        let cut =
            "add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in drop";
        output_of(Command::new("nft").arg(cut));
        holding.is_lost_by(Cause::Timeout);
        output_of(Command::new("nft").arg("delete table inet t"));
        holding.stands_again(2);
    });
}
