//! Held to Redis.

use std::time::Duration;

use netsplit::detector::outcome::Cause;
use netsplit::probe::redis::Redis;
use netsplit::probe::{Check, Role, Tls};
use nix::sys::signal::Signal;

use super::holding::{Holding, connections_to, until};
use crate::servers::databases::{at_port, credentials, to};
use crate::servers::faults::{Certificates, Shows};
use crate::servers::redis::Redis as Server;

fn held(server: &Server) -> Redis {
    Redis { address: to(at_port(server.port)), tls: None, credentials: None, role: Role::Any }
}

/// The connections that call themselves netsplit, as the server lists them.
fn ours(server: &Server) -> Vec<String> {
    let all = server.does(&["CLIENT", "LIST"]);
    all.lines().filter(|line| line.contains(" name=netsplit ")).map(str::to_owned).collect()
}

#[test]
fn a_connection_with_redis_stands_as_one_and_asks_for_signs_of_life() {
    let Some(server) = Server::start(&[]) else { return };
    let holding = Holding::to(Check::Redis(held(&server)));
    holding.stands();
    until("a few pings", || ours(&server).first().is_some_and(|line| line.contains(" cmd=ping ")));
    let pings = || {
        server
            .info("commandstats")
            .lines()
            .find_map(|line| Some(line.strip_prefix("cmdstat_ping:calls=")?.split(',').next()?.parse::<u64>().unwrap()))
            .unwrap_or_default()
    };
    until("a few pings", || pings() >= 4);
    assert_eq!((ours(&server).len(), connections_to(at_port(server.port))), (1, 1));
    assert_eq!(holding.known().unwrap().established, 1, "it is still the first one");
    let found = holding.stop();
    assert_eq!((found.lost_in_all(), ours(&server).len()), (0, 0));
}

#[test]
fn a_connection_that_redis_is_told_to_end_is_lost_and_established_again() {
    let Some(server) = Server::start(&[]) else { return };
    let holding = Holding::to(Check::Redis(held(&server)));
    holding.stands();
    server.does(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let close = holding.is_lost_by(Cause::Reset);
    assert_eq!(close.why.detail, "it closed the connection");
    let again = holding.stands_again(2);
    assert_eq!((again.established, again.losses.get("reset")), (2, Some(&1)));
}

#[test]
fn a_redis_that_hangs_is_lost_by_timeout_and_found_again_when_it_goes_on() {
    let Some(server) = Server::start(&[]) else { return };
    let holding = Holding::with(Check::Redis(held(&server)), Duration::from_secs(2));
    holding.stands();
    server.signal(Signal::SIGSTOP);
    holding.is_lost_by(Cause::Timeout);
    let hung = holding.becomes("it is down", |held| held.is_up() == Some(false));
    server.signal(Signal::SIGCONT);
    holding.stands_again(hung.established + 1);
}

#[test]
fn a_redis_that_wants_a_login_is_held_with_one_and_says_what_is_wrong_without() {
    let Some(server) = Server::start(&["--requirepass", "correct horse"]) else { return };
    let right = credentials(server.directory.path(), "", "correct horse");
    let with_login = Holding::to(Check::Redis(Redis { credentials: Some(right), ..held(&server) }));
    with_login.stands();
    let without = Holding::to(Check::Redis(held(&server)));
    let down = without.becomes("it is refused", |held| format!("{:?}", held.standing).contains("Some(Auth)"));
    assert_eq!((down.established, down.lost_in_all()), (0, 0), "what never stood is not lost: {down:?}");
}

#[test]
fn a_connection_is_held_over_tls_and_found_to_end() {
    let certificates = Certificates::make();
    let (certificate, key) = (certificates.certificate(Shows::Good), certificates.key(Shows::Good));
    let Some(mut server) = Server::start_secured(certificate, key) else { return };
    let tls: Option<Tls> = Some(certificates.trust());
    let holding = Holding::to(Check::Redis(Redis { tls, ..held(&server) }));
    holding.stands();
    assert_eq!(connections_to(at_port(server.port)), 1);
    server.stop();
    assert_eq!(holding.is_lost_by(Cause::Reset).why.detail, "it closed the connection");
    holding.becomes("a trial that is refused", |held| format!("{:?}", held.standing).contains("Refused"));
}

#[test]
fn a_changed_endpoint_gets_a_new_connection_and_one_that_is_taken_out_is_left() {
    let (Some(one), Some(other)) = (Server::start(&[]), Server::start(&[])) else { return };
    let holding = Holding::to(Check::Redis(held(&one)));
    holding.stands();
    holding.change(Some(Check::Redis(held(&other))));
    until("one connection to the other", || (ours(&one).len(), ours(&other).len()) == (0, 1));
    let found = holding.stands_again(2);
    assert_eq!((found.established, found.lost_in_all()), (2, 0), "what is ended here is no loss");
    holding.is_mine(false);
    until("no connection", || ours(&other).is_empty());
    holding.is_mine(true);
    holding.stands_again(3);
    holding.change(None);
    until("no connection", || ours(&other).is_empty());
    assert_eq!(holding.known(), None);
}
