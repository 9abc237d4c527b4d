//! Held to PostgreSQL.

use std::time::Duration;

use netsplit::detector::outcome::{Ailment, Cause};
use netsplit::probe::keeper::connection::Standing;
use netsplit::probe::postgres::Postgres;
use netsplit::probe::{Check, Role, Tls};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::holding::{Holding, bytes_said_to, connections_to, until};
use crate::servers::databases::{at_port, credentials, to};
use crate::servers::faults::{Certificates, Shows};
use crate::servers::postgres::{PASSWORD, Postgres as Server, USER};

/// Each line of the log says which client it is of.
const NAMED: &str = "log_line_prefix=%a: ";

/// The bytes of a `Sync`.
const SYNC: u64 = 5;

const STOPS: Cause = Cause::Unhealthy(Ailment::NotServing);

fn held(server: &Server) -> Postgres {
    held_with(server, PASSWORD)
}

fn held_with(server: &Server, password: &str) -> Postgres {
    Postgres {
        address: to(at_port(server.port)),
        tls: None,
        credentials: Some(credentials(server.directory.path(), USER, password)),
        database: "postgres".to_owned(),
        role: Role::Any,
        max_lag: None,
    }
}

/// The sessions that call themselves netsplit: each its state, whether it is in a transaction, and its last statement.
fn ours(server: &Server) -> String {
    server.does(
        "SELECT state, xact_start IS NOT NULL OR backend_xid IS NOT NULL, query FROM pg_stat_activity \
         WHERE application_name = 'netsplit'",
    )
}

#[test]
fn a_session_with_postgres_is_one_and_idle_in_no_transaction_and_ends_with_a_word() {
    let settings = ["log_statement=all", "log_min_messages=debug1", "log_disconnections=on", NAMED];
    let Some(server) = Server::start(&settings) else { return };
    let holding = Holding::to(Check::Postgres(held(&server)));
    let stands = holding.stands();
    assert!(matches!(stands.standing, Standing::Up { address: Some(address), .. } if address == at_port(server.port)));
    assert_eq!((ours(&server).as_str(), connections_to(at_port(server.port))), ("idle|f|", 1));
    let said = bytes_said_to(at_port(server.port));
    until("a few signs of life", || bytes_said_to(at_port(server.port)) >= said + 3 * SYNC);
    assert_eq!(ours(&server), "idle|f|");
    assert_eq!(holding.known().unwrap(), stands, "it is still the first one");
    holding.stop();
    until("the end of the session", || ours(&server).is_empty());
    until("a line about the end", || server.log().contains("disconnection: session time"));
    let log = server.log();
    let of_it: Vec<&str> = log.lines().filter(|line| line.starts_with("netsplit: ")).collect();
    let is_odd =
        |line: &&&str| line.contains("unexpected EOF") || line.contains("statement:") || line.contains("ERROR");
    assert_eq!(of_it.iter().filter(is_odd).count(), 0, "{of_it:?}");
}

#[test]
fn a_session_that_an_administrator_ends_is_lost_with_his_word_and_begun_again() {
    let Some(server) = Server::start(&[]) else { return };
    let holding = Holding::to(Check::Postgres(held(&server)));
    holding.stands();
    server.does("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'netsplit'");
    let close = holding.is_lost_by(STOPS);
    assert_eq!(close.why.detail, "terminating connection due to administrator command (57P01)");
    let again = holding.stands_again(2);
    assert_eq!((again.established, again.losses.get("unhealthy")), (2, Some(&1)));
    assert_eq!(ours(&server), "idle|f|");
}

#[test]
fn a_postgres_that_stops_at_once_says_so_before_it_is_gone() {
    let Some(mut server) = Server::start(&[]) else { return };
    let holding = Holding::to(Check::Postgres(held(&server)));
    holding.stands();
    server.stop();
    let close = holding.is_lost_by(STOPS);
    assert!(close.why.detail.contains("(57P0"), "{close:?}");
    holding.becomes("a trial that is refused", |held| format!("{:?}", held.standing).contains("Some(Refused)"));
}

#[test]
fn a_postgres_that_hangs_is_lost_by_timeout_and_found_again_when_it_goes_on() {
    let Some(server) = Server::start(&[]) else { return };
    let holding = Holding::with(Check::Postgres(held(&server)), Duration::from_secs(2));
    holding.stands();
    let session = "SELECT pid FROM pg_stat_activity WHERE application_name = 'netsplit'";
    let session = Pid::from_raw(server.does(session).parse().unwrap());
    // A process of a session is in no group with the others.
    server.signal(Signal::SIGSTOP);
    kill(session, Signal::SIGSTOP).unwrap();
    holding.is_lost_by(Cause::Timeout);
    let hung = holding.becomes("it is down", |held| held.is_up() == Some(false));
    kill(session, Signal::SIGCONT).unwrap();
    server.signal(Signal::SIGCONT);
    holding.stands_again(hung.established + 1);
}

#[test]
fn a_password_that_is_wrong_is_no_loss_and_one_that_is_mended_is_read_again() {
    let Some(server) = Server::start(&[]) else { return };
    let check = held_with(&server, "wrong");
    let file = check.credentials.as_ref().unwrap().password_file.clone();
    let holding = Holding::to(Check::Postgres(check));
    let is_auth = |standing: &Standing| matches!(standing, Standing::Down { why: Some(why), .. } if why.cause == Some(Cause::Auth));
    let down = holding.becomes("a login that is refused", |held| is_auth(&held.standing));
    assert_eq!((down.is_up(), down.established, down.lost_in_all()), (Some(false), 0, 0));
    std::fs::remove_file(&file).unwrap();
    let unasked = holding.becomes("a fault of this machine", |held| held.is_up().is_none());
    assert_eq!(unasked.lost_in_all(), 0);
    std::fs::write(&file, PASSWORD).unwrap();
    assert_eq!(holding.stands().established, 1);
}

#[test]
fn a_session_is_held_over_tls() {
    let certificates = Certificates::make();
    let server = Server::start_secured(&certificates.certificate(Shows::Good), &certificates.key(Shows::Good));
    let Some(server) = server else { return };
    let tls: Option<Tls> = Some(certificates.trust());
    let holding = Holding::to(Check::Postgres(Postgres { tls, ..held(&server) }));
    holding.stands();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE ssl AND application_name = 'netsplit'";
    assert_eq!(server.does(encrypted), "1");
    server.does("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'netsplit'");
    assert!(holding.is_lost_by(STOPS).why.detail.contains("57P01"));
    holding.stands_again(2);
}
