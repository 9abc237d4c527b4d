//! Held to MariaDB.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use netsplit::detector::outcome::{Ailment, Cause};
use netsplit::probe::mysql::Mysql;
use netsplit::probe::{Check, Role, Tls};
use nix::sys::signal::Signal;

use super::holding::{Holding, connections_to, until};
use crate::servers::databases::{at_port, credentials, to};
use crate::servers::faults::{Certificates, Shows, serving};
use crate::servers::mariadb::Mariadb as Server;

const PASSWORD: &str = "correct horse";

/// A server with a user who may log in and nothing else.
fn start(more: &[&str]) -> Option<Server> {
    let server = Server::start(more)?;
    create_user(&server);
    Some(server)
}

fn create_user(server: &Server) {
    server.does(&format!("CREATE USER kept IDENTIFIED BY '{PASSWORD}'"));
}

fn held(server: &Server) -> Mysql {
    Mysql {
        address: to(at_port(server.port)),
        tls: None,
        credentials: Some(credentials(server.directory.path(), "kept", PASSWORD)),
        database: String::new(),
        role: Role::Any,
        max_lag: None,
    }
}

/// The connections of that user: what each does.
fn ours(server: &Server) -> String {
    server.does("SELECT COMMAND FROM information_schema.PROCESSLIST WHERE USER = 'kept'")
}

fn count(server: &Server, name: &str) -> u64 {
    let said = server.does(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
    said.split_whitespace().last().unwrap().parse().unwrap()
}

#[test]
fn a_connection_with_mariadb_is_one_and_sleeps_and_ends_with_a_word() {
    let Some(server) = start(&["--performance-schema=ON"]) else { return };
    let holding = Holding::to(Check::Mysql(held(&server)));
    let stands = holding.stands();
    until("a few pings", || count(&server, "Com_admin_commands") >= 3);
    assert_eq!((ours(&server).as_str(), connections_to(at_port(server.port))), ("Sleep", 1));
    let name = "SELECT ATTR_VALUE FROM performance_schema.session_connect_attrs WHERE ATTR_NAME = 'program_name'";
    assert!(server.does(name).lines().any(|name| name == "netsplit"), "{}", server.does(name));
    let open = "SELECT COUNT(*) FROM information_schema.INNODB_TRX";
    assert_eq!(server.does(open), "0", "no transaction is left open");
    assert_eq!(holding.known().unwrap(), stands, "it is still the first one");
    holding.stop();
    until("the end of the connection", || ours(&server).is_empty());
    assert_eq!([count(&server, "Aborted_clients"), count(&server, "Aborted_connects")], [0, 0]);
}

#[test]
fn a_connection_that_an_administrator_kills_is_lost_and_begun_again() {
    let Some(server) = start(&[]) else { return };
    let holding = Holding::to(Check::Mysql(held(&server)));
    holding.stands();
    let id = server.does("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'kept'");
    server.does(&format!("KILL {id}"));
    // MariaDB has no word for who is idle.
    assert_eq!(holding.is_lost_by(Cause::Reset).why.detail, "it closed the connection");
    let again = holding.stands_again(2);
    assert_eq!((again.established, again.lost_in_all()), (2, 1));
    assert_eq!(ours(&server), "Sleep");
}

/// As MySQL 8 says it ("Server error message reference"); none can be had here.
#[test]
fn what_a_mysql_says_before_it_closes_is_quoted() {
    // `Protocol::HandshakeV10` in MySQL's protocol documentation, as its packet; any password is right.
    let greeting = b"\x36\0\0\0\x0a5.5.2-m2\0\x0b\0\0\0dvH@I-CJ\0\xff\xf7\x08\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
                     *4d|cZwk4^]:\0";
    let ok = b"\x07\0\0\x02\0\0\0\x02\0\0\0";
    for (said, cause, detail) in [
        (&b"\x0c\0\0\0\xff\x1d\x04#08S01bye"[..], Cause::Unhealthy(Ailment::NotServing), "bye (1053)"),
        (b"\x0c\0\0\0\xff\xbf\x0f#HY000idl", Cause::Status, "idl (4031)"),
    ] {
        let port = serving(move |mut stream| {
            let _ = stream.write_all(greeting);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&[&ok[..], said].concat());
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 4096]);
        });
        let directory = tempfile::tempdir().unwrap();
        let credentials = Some(credentials(directory.path(), "kept", PASSWORD));
        let check = Mysql {
            address: to(port.address),
            tls: None,
            credentials,
            database: String::new(),
            role: Role::Any,
            max_lag: None,
        };
        let close = Holding::to(Check::Mysql(check)).is_lost_by(cause);
        assert_eq!(close.why.detail, detail);
    }
}

#[test]
fn a_mariadb_that_is_gone_is_lost_and_one_that_hangs_by_timeout() {
    let Some(mut server) = start(&[]) else { return };
    let holding = Holding::with(Check::Mysql(held(&server)), Duration::from_secs(2));
    holding.stands();
    server.signal(Signal::SIGSTOP);
    holding.is_lost_by(Cause::Timeout);
    let hung = holding.becomes("it is down", |held| held.is_up() == Some(false));
    server.signal(Signal::SIGCONT);
    holding.stands_again(hung.established + 1);
    server.stop();
    assert_eq!(holding.is_lost_by(Cause::Reset).why.detail, "it closed the connection");
    holding.becomes("a trial that is refused", |held| format!("{:?}", held.standing).contains("Some(Refused)"));
}

#[test]
fn a_connection_is_held_over_tls() {
    let certificates = Certificates::make();
    let server = Server::start_secured(&certificates.certificate(Shows::Good), &certificates.key(Shows::Good));
    let Some(server) = server else { return };
    create_user(&server);
    server.does("ALTER USER kept REQUIRE SSL");
    let tls: Option<Tls> = Some(certificates.trust());
    let holding = Holding::to(Check::Mysql(Mysql { tls, ..held(&server) }));
    holding.stands();
    assert_eq!(ours(&server), "Sleep");
    holding.stop();
    until("the end of the connection", || ours(&server).is_empty());
    assert_eq!(count(&server, "Aborted_clients"), 0);
}
