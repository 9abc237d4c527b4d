//! Held to RabbitMQ, and to brokers that are played.

use std::time::Duration;

use netsplit::detector::outcome::{Ailment, Cause};
use netsplit::probe::amqp::Amqp;
use netsplit::probe::{Check, Credentials};

use super::holding::{Holding, connections_to, until};
use crate::servers::databases::to;
use crate::servers::rabbitmq::{Rabbitmq, USER};

const STOPS: Cause = Cause::Unhealthy(Ailment::NotServing);

fn held(broker: &Rabbitmq) -> Amqp {
    let credentials = Credentials { username: USER.to_owned(), password_file: broker.password_file() };
    Amqp { address: to(broker.amqp), tls: None, credentials: Some(credentials), virtual_host: "/".to_owned() }
}

/// What the broker lists of its connections: how many channels each has, its heartbeat in seconds, how many packets came, and
/// what it says of itself.
fn listed(broker: &Rabbitmq) -> Vec<(u64, u64, u64, String)> {
    let said =
        broker.control(&["list_connections", "channels", "timeout", "recv_cnt", "client_properties", "--silent"]);
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| cells[at].trim().parse().unwrap();
        (number(0), number(1), number(2), cells[3].trim().to_owned())
    };
    said.lines().filter(|line| line.contains('\t')).map(row).collect()
}

#[test]
fn a_connection_with_rabbitmq_is_one_without_a_channel_and_what_ends_it_is_quoted() {
    let Some(broker) = Rabbitmq::alone() else { return };
    let logged = broker.log().len();
    let holding = Holding::to(Check::Amqp(held(&broker)));
    let stands = holding.stands();
    // Its numbers are as old as its statistics.
    until("a few heartbeats", || listed(&broker).first().is_some_and(|(.., packets, _)| *packets > 10));
    let [(0, 1, _, ref client)] = listed(&broker)[..] else { panic!("{:?}", listed(&broker)) };
    assert!(client.contains(r#"{"connection_name","netsplit"}"#), "{client}");
    assert_eq!(connections_to(broker.amqp), 1);
    assert_eq!(holding.known().unwrap(), stands, "it is still the first one");
    broker.control(&["close_all_connections", "maintenance at noon"]);
    let close = holding.is_lost_by(STOPS);
    assert!(close.why.detail.contains("320") && close.why.detail.contains("maintenance at noon"), "{close:?}");
    let again = holding.stands_again(2);
    assert_eq!((again.established, again.lost_in_all()), (2, 1));
    holding.stop();
    until("no connection", || listed(&broker).is_empty());
    let log = broker.log()[logged..].to_owned();
    assert!(!log.contains("unexpectedly") && !log.contains("missed heartbeats"), "{log}");
}

#[test]
fn a_rabbitmq_that_is_stopped_says_so_and_is_found_again_when_it_is_started() {
    let Some(broker) = Rabbitmq::alone() else { return };
    let holding = Holding::to(Check::Amqp(held(&broker)));
    holding.stands();
    broker.control(&["stop_app"]);
    let close = holding.is_lost_by(STOPS);
    assert!(close.why.detail.contains("'shutdown'"), "{close:?}");
    holding.becomes("a trial that is refused", |held| format!("{:?}", held.standing).contains("Some(Refused)"));
    broker.control(&["start_app"]);
    holding.stands_again(2);
}

#[test]
fn a_rabbitmq_that_hangs_is_lost_by_timeout_and_one_that_is_gone_by_reset() {
    let Some(mut broker) = Rabbitmq::alone() else { return };
    let holding = Holding::with(Check::Amqp(held(&broker)), Duration::from_secs(5));
    holding.stands();
    broker.hang();
    let close = holding.is_lost_by(Cause::Timeout);
    assert!(close.why.detail.contains("two heartbeats"), "{close:?}");
    let hung = holding.becomes("it is down", |held| held.is_up() == Some(false));
    broker.go_on();
    holding.stands_again(hung.established + 1);
    broker.kill();
    holding.is_lost_by(Cause::Reset);
}
