//! Held to Kafka.

use std::net::SocketAddr;
use std::time::Duration;

use netsplit::detector::outcome::Cause;
use netsplit::probe::kafka::Kafka;
use netsplit::probe::{Check, Credentials};

use super::holding::{Holding, connections_to, until};
use crate::servers::databases::to;
use crate::servers::kafka::{USER, cluster};

fn held(address: SocketAddr) -> Kafka {
    Kafka { address: to(address), tls: None, credentials: None }
}

/// One broker for all of it: it takes long to start.
#[test]
fn a_connection_with_kafka_is_one_and_is_lost_when_the_broker_hangs_or_is_gone() {
    let Some(mut brokers) = cluster(1) else { return };
    let mut broker = brokers.remove(0);
    let credentials = Credentials { username: USER.to_owned(), password_file: broker.password_file() };
    let with_login = Holding::to(Check::Kafka(Kafka { credentials: Some(credentials), ..held(broker.login) }));
    with_login.stands();
    assert_eq!(connections_to(broker.login), 1);
    assert_eq!(with_login.stop().lost_in_all(), 0);
    until("no connection", || connections_to(broker.login) == 0);

    let without = Holding::to(Check::Kafka(held(broker.login)));
    let down = without.becomes("a login that is wanted", |held| format!("{:?}", held.standing).contains("Some(Auth)"));
    assert_eq!((down.established, down.lost_in_all()), (0, 0), "{down:?}");
    without.stop();

    let holding = Holding::with(Check::Kafka(held(broker.open)), Duration::from_secs(5));
    holding.stands();
    assert_eq!(connections_to(broker.open), 1);
    broker.process.freeze();
    holding.is_lost_by(Cause::Timeout);
    let hung = holding.becomes("it is down", |held| held.is_up() == Some(false));
    broker.process.thaw();
    holding.stands_again(hung.established + 1);
    broker.process.kill();
    holding.is_lost_by(Cause::Reset);
    holding.becomes("a trial that is refused", |held| format!("{:?}", held.standing).contains("Some(Refused)"));
}
