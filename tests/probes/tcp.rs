//! The probe of a TCP connection: what it says, what it waits for, and what it tells of a certificate.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc;

use netsplit::detector::outcome::{Cause, Outcome};
use netsplit::probe::tcp::Tcp;
use netsplit::probe::{Address, Check, Fact, Host, Report};

use crate::servers::faults::{
    self, Certificates, EXPIRES, LONG, Shows, certificates_are_told_apart, fails, probed, times_out,
};

fn tcp(address: SocketAddr) -> Tcp {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    Tcp { address, tls: None, send: None, expect: None }
}

#[track_caller]
fn succeeds(tcp: Tcp) -> Report {
    let report = probed(Check::Tcp(tcp), LONG);
    assert_eq!((report.outcome, report.detail.as_str()), (Outcome::Success, ""), "{report:?}");
    report
}

#[test]
fn a_port_that_takes_connections_is_enough() {
    for port in [faults::hung(), faults::ending(), faults::saying(b"hello")] {
        let report = succeeds(tcp(port.address));
        assert_eq!(report.address, Some(port.address));
        assert!(report.phases.connect.is_some());
    }
    fails(Check::Tcp(tcp(faults::closed())), Cause::Refused);
    times_out(Check::Tcp(tcp(faults::full().address)));
}

#[test]
fn what_is_sent_arrives_and_the_connection_ends_in_good_order() {
    let (sender, come) = mpsc::channel();
    let port = faults::serving(move |mut stream| {
        let mut text = String::new();
        let ended = stream.read_to_string(&mut text).map(|_| text);
        sender.send(ended.map_err(|error| error.kind())).unwrap();
    });
    succeeds(Tcp { send: Some("QUIT\r\n".into()), ..tcp(port.address) });
    assert_eq!(come.recv_timeout(LONG).unwrap(), Ok("QUIT\r\n".to_owned()));
}

#[test]
fn what_is_expected_is_waited_for_wherever_it_stands() {
    let expecting = |port: &faults::Port, text: &str| Tcp { expect: Some(text.into()), ..tcp(port.address) };
    let port = faults::saying(b"220 mail.example ESMTP\r\n");
    succeeds(expecting(&port, "220 "));
    succeeds(expecting(&port, "ESMTP"));
    times_out(Check::Tcp(expecting(&port, "250 ")));
    // In pieces it is the same text.
    succeeds(expecting(&faults::dripping(b"220 mail"), "20 ma"));
}

#[test]
fn every_fault_of_a_network_has_its_own_cause() {
    let expecting = |address| Check::Tcp(Tcp { send: Some("?".into()), expect: Some("!".into()), ..tcp(address) });
    fails(expecting(faults::closed()), Cause::Refused);
    fails(expecting(faults::resetting().address), Cause::Reset);
    fails(expecting(faults::ending().address), Cause::Status);
    times_out(expecting(faults::hung().address));
    times_out(expecting(faults::full().address));
    times_out(expecting(faults::dripping(b"x").address));
}

#[test]
fn what_never_contains_what_is_expected_is_read_to_64_kib_and_no_further() {
    let port = faults::serving(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    fails(Check::Tcp(Tcp { expect: Some("y".into()), ..tcp(port.address) }), Cause::Status);
}

#[test]
fn a_certificate_tells_when_it_expires_and_one_that_is_not_good_is_tls() {
    let certificates = Certificates::make();
    let (sender, come) = mpsc::channel();
    let port = faults::secured(&certificates, Shows::Good, &[], move |stream| {
        let _ = stream.write_all(b"hello\n");
        // rustls calls it an error where a connection ends without a word of TLS.
        sender.send(stream.read_to_end(&mut Vec::new()).is_ok()).unwrap();
    });
    let secure = |tls| Tcp { tls: Some(tls), expect: Some("hello".into()), ..tcp(port.address) };
    let report = succeeds(secure(certificates.trust()));
    assert_eq!(report.facts, [("certificate_expires", Fact::Word(EXPIRES.into()))]);
    assert!(report.phases.tls.is_some());
    assert!(come.recv_timeout(LONG).unwrap(), "it ends in good order");

    certificates_are_told_apart(|address, tls| Check::Tcp(Tcp { tls: Some(tls), ..tcp(address) }));
    let handshakes = |address| Check::Tcp(Tcp { tls: Some(certificates.trust()), ..tcp(address) });
    times_out(handshakes(faults::hung().address));
    fails(handshakes(faults::closed()), Cause::Refused);
    fails(handshakes(faults::resetting().address), Cause::Reset);
    fails(handshakes(faults::ending().address), Cause::Tls);
}
