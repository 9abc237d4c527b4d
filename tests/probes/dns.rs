//! The probe of the DNS against a real dnsmasq, and against what a name server does that cannot be had from it.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::dns::Dns;
use netsplit::probe::{Address, Check, Fact, Host, Report};

use crate::dns_server::Server;
use crate::own_network::in_a_network_of_its_own;
use crate::servers::faults::{self, LONG, SHORT, fails, probed};

/// The name that the server knows.
const NAME: &str = "agents.example";

fn ask(server: SocketAddr, name: &str, record: &str) -> Check {
    let server = Some(Address { host: Host::Ip(server.ip()), port: server.port() });
    Check::Dns(Dns { name: name.to_owned(), record: record.to_owned(), server })
}

/// The code and the number of answers.
fn heard(report: &Report) -> (Option<&Fact>, Option<&Fact>) {
    let fact = |name| report.facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact);
    (fact("rcode"), fact("answers"))
}

#[track_caller]
fn says(check: Check, outcome: Outcome, code: &str, answers: u64) {
    let report = probed(check, LONG);
    assert_eq!(report.outcome, outcome, "{report:?}");
    let (word, count) = (Fact::Word(code.to_owned()), Fact::Count(answers));
    assert_eq!(heard(&report), (Some(&word), Some(&count)), "{report:?}");
}

#[test]
fn a_server_that_knows_the_name_says_so_and_one_that_is_gone_refuses() {
    let more = ["--local=/example/", "--srv-host=_amqp._tcp.example,broker.example,5672", "--txt-record=t.example,hi"];
    let Some(mut server) = Server::start(&["10.0.0.1", "10.0.0.2", "fd00::1"], &more) else { return };
    says(ask(server.address, NAME, "A"), Outcome::Success, "NOERROR", 2);
    says(ask(server.address, NAME, "aaaa"), Outcome::Success, "NOERROR", 1);
    says(ask(server.address, "agents.example.", "A"), Outcome::Success, "NOERROR", 2);
    says(ask(server.address, "_amqp._tcp.example", "SRV"), Outcome::Success, "NOERROR", 1);
    says(ask(server.address, "t.example", "TXT"), Outcome::Success, "NOERROR", 1);
    let status = Outcome::Failure(Cause::Status);
    says(ask(server.address, "nobody.example", "A"), status, "NXDOMAIN", 0);
    says(ask(server.address, NAME, "TXT"), status, "NOERROR", 0);
    server.kill();
    fails(ask(server.address, NAME, "A"), Cause::Refused);
}

#[test]
fn a_server_that_does_not_serve_the_name_is_not_healthy() {
    let Some(server) = Server::start(&["10.0.0.1"], &[]) else { return };
    // It has nobody to ask.
    let unhealthy = Outcome::Failure(Cause::Unhealthy(Ailment::NotServing));
    says(ask(server.address, "elsewhere.test", "A"), unhealthy, "REFUSED", 0);
}

#[test]
fn an_answer_that_is_too_long_for_a_datagram_comes_over_tcp() {
    let addresses: Vec<String> = (1..=200).map(|last| format!("10.0.0.{last}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let Some(server) = Server::start(&addresses, &[]) else { return };
    let report = probed(ask(server.address, NAME, "A"), LONG);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    assert_eq!(heard(&report).1, Some(&Fact::Count(200)));
    assert!(report.phases.connect.is_some(), "{report:?}");
}

#[test]
fn a_server_that_is_named_is_looked_up_first() {
    let Some(server) = Server::start(&["10.0.0.1"], &[]) else { return };
    let address = Address { host: Host::Name("localhost".to_owned()), port: server.address.port() };
    let check = Dns { name: NAME.to_owned(), record: "A".to_owned(), server: Some(address) };
    let report = probed(Check::Dns(check), LONG);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    assert!(report.phases.dns.is_some() && report.phases.exchange.is_some(), "{report:?}");
}

#[test]
fn a_thousand_questions_are_all_answered() {
    let Some(server) = Server::start(&["10.0.0.1"], &[]) else { return };
    for _ in 0..1000 {
        says(ask(server.address, NAME, "A"), Outcome::Success, "NOERROR", 1);
    }
}

/// Plays a server that answers each question with what `answer` makes of it, if anything.
fn server_saying(answer: impl Fn(usize, &[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    server_at("127.0.0.1:0".parse().unwrap(), answer)
}

fn server_at(address: SocketAddr, answer: impl Fn(usize, &[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind(address).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        for number in 0.. {
            let mut question = [0; 512];
            let (size, from) = socket.recv_from(&mut question).unwrap();
            if let Some(answer) = answer(number, &question[..size]) {
                socket.send_to(&answer, from).unwrap();
            }
        }
    });
    address
}

/// The question as an answer with this code and nothing in it (RFC 1035, section 4.1.1).
fn with_code(question: &[u8], code: u8) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    answer
}

/// The question, answered with one address (section 4.1.3; the name is that of the question, 4.1.4).
fn with_address(question: &[u8]) -> Vec<u8> {
    let mut answer = with_code(question, 0);
    answer[7] = 1;
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01");
    answer
}

#[test]
fn a_server_that_fails_is_not_healthy() {
    let unhealthy = Outcome::Failure(Cause::Unhealthy(Ailment::NotServing));
    let address = server_saying(|_, question| Some(with_code(question, 2)));
    says(ask(address, NAME, "A"), unhealthy, "SERVFAIL", 0);
    // One that does not do this kind of question, and says no more.
    let address = server_saying(|_, question| Some([&question[..2], &[0x81, 0x84, 0, 0, 0, 0, 0, 0, 0, 0]].concat()));
    says(ask(address, NAME, "A"), Outcome::Failure(Cause::Status), "NOTIMP", 0);
}

#[test]
fn an_alias_without_what_was_asked_for_is_no_answer() {
    // The answer says that the name is an alias of itself: type 5 instead of 1.
    let alias = |question: &[u8]| {
        let mut answer = with_code(question, 0);
        answer[7] = 1;
        answer.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c");
        answer
    };
    let address = server_saying(move |_, question| Some(alias(question)));
    says(ask(address, NAME, "A"), Outcome::Failure(Cause::Status), "NOERROR", 0);
}

/// The datagram says that there is more, and then there is not.
#[test]
fn what_is_wrong_with_a_server_over_tcp_is_told_apart() {
    let cut_short = |question: &[u8]| {
        let mut answer = with_code(question, 0);
        answer[2] |= 0x02;
        answer
    };
    // An answer of 4,000 bytes.
    faults::are_told_apart(
        |address| ask(server_at(address, move |_, question| Some(cut_short(question))), NAME, "A"),
        b"\x0f\xa0x",
    );
}

#[test]
fn a_question_that_is_lost_is_asked_again() {
    let address = server_saying(|number, question| (number > 0).then(|| with_address(question)));
    says(ask(address, NAME, "A"), Outcome::Success, "NOERROR", 1);
}

#[test]
fn a_server_that_says_nothing_takes_all_the_time() {
    let address = server_saying(|_, _| None);
    let report = probed(ask(address, NAME, "A"), SHORT);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Timeout), "{report:?}");
}

/// What is made of a question.
type Odd = fn(&[u8]) -> Vec<u8>;

#[test]
fn what_is_no_answer_to_the_question_is_no_dns() {
    let odd: [Odd; 5] = [
        |_| b"SSH-2.0-OpenSSH_10.0\r\n".to_vec(),
        |_| Vec::new(),
        // The question itself, with another number, and about another name.
        <[u8]>::to_vec,
        |question| with_address(&[&[question[0] ^ 1], &question[1..]].concat()),
        |question| with_address(&[&question[..13], b"x", &question[14..]].concat()),
    ];
    for odd in odd {
        fails(ask(server_saying(move |_, question| Some(odd(question))), NAME, "A"), Cause::Protocol);
    }
}

#[test]
fn what_cannot_be_asked_for_says_nothing_of_the_server() {
    let nobody = "127.0.0.1:9".parse().unwrap();
    for (name, record) in [(NAME, "ADDRESS"), (NAME, "AXFR"), ("a..b", "A"), (&"x".repeat(64), "A")] {
        let report = probed(ask(nobody, name, record), LONG);
        assert_eq!((report.outcome, report.address), (Outcome::Inconclusive, None), "{report:?}");
    }
}

#[test]
fn the_servers_of_the_system_are_asked_in_turn() {
    let prepare = "printf 'nameserver 127.0.0.2\\nnameserver 127.0.0.3\\nnameserver 127.0.0.1\\n' > /tmp/netsplit-$$; \
                   mount --bind /tmp/netsplit-$$ /etc/resolv.conf; rm /tmp/netsplit-$$; ";
    in_a_network_of_its_own("dns::the_servers_of_the_system_are_asked_in_turn", prepare, || {
        // Nobody is at the first, the second fails, the third knows.
        for (address, code) in [("127.0.0.3", 2), ("127.0.0.1", 0)] {
            let socket = UdpSocket::bind((address, 53)).unwrap();
            thread::spawn(move || {
                let mut question = [0; 512];
                let (size, from) = socket.recv_from(&mut question).unwrap();
                let question = &question[..size];
                let answer = if code == 0 { with_address(question) } else { with_code(question, code) };
                socket.send_to(&answer, from).unwrap();
            });
        }
        let check = Dns { name: NAME.to_owned(), record: "A".to_owned(), server: None };
        let report = probed(Check::Dns(check), LONG);
        assert_eq!(report.outcome, Outcome::Success, "{report:?}");
        assert_eq!(report.address.map(|address| address.ip()), Some(IpAddr::from([127, 0, 0, 1])));
    });
}

#[test]
fn what_the_network_says_of_the_server_is_told_apart() {
    let prepare = "ip link add v0 type veth peer name v1; ip address add 10.9.0.1/24 dev v0; ip link set v1 up; \
                   ip link set v0 up; echo 20 > /proc/sys/net/ipv4/neigh/v0/retrans_time_ms; ";
    in_a_network_of_its_own("dns::what_the_network_says_of_the_server_is_told_apart", prepare, || {
        // A neighbour that is not there, a port that nobody has, and no route at all: that is of this machine.
        fails(ask("10.9.0.2:53".parse().unwrap(), NAME, "A"), Cause::Unreachable);
        fails(ask("127.0.0.1:53".parse().unwrap(), NAME, "A"), Cause::Refused);
        fails(ask("[::1]:53".parse().unwrap(), NAME, "A"), Cause::Refused);
        let report = probed(ask("192.0.2.1:53".parse().unwrap(), NAME, "A"), LONG);
        assert_eq!(report.outcome, Outcome::Inconclusive, "{report:?}");
    });
}
