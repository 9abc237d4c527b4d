//! Probes: one file per protocol. What comes of one is data, never an error.
//!
//! [`probe`] asks an endpoint: each type is a file with its options and a `probe` that speaks its protocol over what an
//! `Attempt` opens, notes what the endpoint says of itself, and ends it as the protocol wants. [`prober`] is the thread on which
//! that happens, and [`keeper`] holds connections there. [`look`] takes second opinions
//! about a silent peer: does its host answer (`echo`), and its agent's port (`http_port`)?

pub mod amqp;
mod attempt;
pub mod consul;
mod conversation;
pub mod dns;
mod echo;
pub mod etcd;
mod farewell;
pub mod grpc;
pub mod http;
mod http_port;
pub mod icmp;
pub mod kafka;
pub mod keeper;
pub mod kubernetes;
pub mod mysql;
pub mod postgres;
pub mod prober;
pub mod rabbitmq;
pub mod redis;
pub mod registry;
mod report;
mod resolve;
mod secret;
mod stream;
mod target;
pub mod tcp;
mod tls;
mod unseen;
pub mod web;
mod words;

use std::time::Duration;

use crate::clock::Clock;
use crate::detector::evidence::{Evidence, PortAnswer, Question};
use crate::detector::outcome::Outcome;

use attempt::Attempt;
use report::Fault;

pub use report::{Fact, Phases, Report};
pub use target::{Address, Check, Credentials, Host, Role, Target, Tls};

/// Probes an endpoint once. Of several addresses the one whose turn it is comes first.
///
/// It must run within a tokio runtime.
pub async fn probe(target: &Target, clock: Clock, turn: usize) -> Report {
    let begun = clock.now();
    let mut attempt = Attempt::new(clock, target.timeout, turn);
    let done = tokio::time::timeout(target.timeout, ask(&target.check, &mut attempt)).await;
    let done = done.unwrap_or_else(|_| Err(attempt.too_late()));
    let (outcome, detail) = match done {
        Ok(()) => (Outcome::Success, String::new()),
        Err(fault) => (fault.outcome(), fault.detail),
    };
    attempt.end();
    let took = clock.now().since(begun);
    let Attempt { address, phases, facts, .. } = attempt;
    Report { outcome, detail, address, phases, took, facts }
}

async fn ask(check: &Check, attempt: &mut Attempt) -> Result<(), Fault> {
    match check {
        Check::Icmp(icmp) => icmp.probe(attempt).await,
        Check::Tcp(tcp) => tcp.probe(attempt).await,
        Check::Http(http) => http.probe(attempt).await,
        Check::Dns(dns) => dns.probe(attempt).await,
        Check::Grpc(grpc) => grpc.probe(attempt).await,
        Check::Amqp(amqp) => amqp.probe(attempt).await,
        Check::Rabbitmq(rabbitmq) => rabbitmq.probe(attempt).await,
        Check::Kafka(kafka) => kafka.probe(attempt).await,
        Check::Redis(redis) => redis.probe(attempt).await,
        Check::Postgres(postgres) => postgres.probe(attempt).await,
        Check::Mysql(mysql) => mysql.probe(attempt).await,
        Check::Etcd(etcd) => etcd.probe(attempt).await,
        Check::Consul(consul) => consul.probe(attempt).await,
        Check::Kubernetes(kubernetes) => kubernetes.probe(attempt).await,
        Check::Registry(registry) => registry.probe(attempt).await,
    }
}

/// Asks the peer's host and its agent's port, both at once, and takes `timeout` at the longest.
///
/// It must run within a tokio runtime.
pub async fn look(question: Question, timeout: Duration) -> Evidence {
    let port = async {
        match question.port {
            Some(address) => http_port::ask(address, timeout).await,
            None => PortAnswer::NotAsked,
        }
    };
    let (host, port) = tokio::join!(echo::ask(question.host, timeout), port);
    Evidence { peer: question.peer, host, port }
}
