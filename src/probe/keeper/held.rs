//! A connection that stands, whatever its protocol: each is in a file beside its probe, and opened by the same code.

use std::time::Duration;

use super::Hold;
use crate::probe::attempt::Attempt;
use crate::probe::report::Fault;
use crate::probe::target::Check;
use crate::probe::{amqp, grpc, kafka, mysql, postgres, redis, tcp};

/// A connection that stands.
pub(super) enum Held {
    Tcp(tcp::Held),
    Grpc(grpc::Held),
    Amqp(amqp::Held),
    Kafka(kafka::Held),
    Redis(redis::Held),
    Postgres(postgres::Held),
    Mysql(mysql::Held),
}

impl Held {
    /// Connects, secures the connection, logs in: all that a consumer does before it waits.
    pub(super) async fn open(hold: &Hold, attempt: &mut Attempt) -> Result<Self, Fault> {
        let (every, patience) = (hold.every, hold.target.timeout);
        Ok(match &hold.target.check {
            Check::Tcp(tcp) => Self::Tcp(tcp.hold(attempt, every, patience).await?),
            Check::Grpc(grpc) => Self::Grpc(grpc.hold(attempt, patience).await?),
            Check::Amqp(amqp) => Self::Amqp(amqp.hold(attempt, every).await?),
            Check::Kafka(kafka) => Self::Kafka(kafka.hold(attempt).await?),
            Check::Redis(redis) => Self::Redis(redis.hold(attempt).await?),
            Check::Postgres(postgres) => Self::Postgres(postgres.hold(attempt).await?),
            Check::Mysql(mysql) => Self::Mysql(mysql.hold(attempt).await?),
            // The configuration refuses it.
            other => return Err(Fault::local(format!("no connection is held to the type {}", other.kind()))),
        })
    }

    /// How often a sign of life goes, where `every` is wanted.
    pub(super) fn pace(&self, every: Duration) -> Duration {
        if let Self::Amqp(held) = self { held.pace() } else { every }
    }

    /// Waits until something comes that nobody asked for, or the connection is over. May be dropped at any time.
    pub(super) async fn stirs(&mut self) -> Result<(), Fault> {
        match self {
            Self::Tcp(held) => held.stirs().await,
            Self::Grpc(held) => held.stirs().await,
            Self::Amqp(held) => held.stirs().await,
            Self::Kafka(held) => held.stirs().await,
            Self::Redis(held) => held.stirs().await,
            Self::Postgres(held) => held.stirs().await,
            Self::Mysql(held) => held.stirs().await,
        }
    }

    /// Takes what comes unasked. A fault is the end of the connection.
    pub(super) async fn hear(&mut self) -> Result<(), Fault> {
        match self {
            Self::Tcp(held) => held.hear().await,
            Self::Amqp(held) => held.hear().await,
            Self::Redis(held) => held.hear().await,
            Self::Postgres(held) => held.hear().await,
            Self::Mysql(held) => held.hear().await,
            // These answer, and say nothing else.
            Self::Grpc(_) | Self::Kafka(_) => Err(Fault::unasked()),
        }
    }

    /// Asks for a sign of life, and waits for it. A fault is the end of the connection.
    pub(super) async fn beat(&mut self) -> Result<(), Fault> {
        match self {
            // That is for the kernel to do.
            Self::Tcp(_) => Ok(()),
            Self::Grpc(held) => held.beat().await,
            Self::Amqp(held) => held.beat().await,
            Self::Kafka(held) => held.beat().await,
            Self::Redis(held) => held.beat().await,
            Self::Postgres(held) => held.beat().await,
            Self::Mysql(held) => held.beat().await,
        }
    }

    /// Takes leave as the protocol wants, within the time that is `left`.
    pub(super) async fn leave(self, left: Duration) {
        match self {
            Self::Tcp(held) => held.leave(left).await,
            Self::Grpc(held) => held.leave(left).await,
            Self::Amqp(held) => held.leave(left).await,
            Self::Kafka(held) => held.leave(left).await,
            Self::Redis(held) => held.leave(left).await,
            Self::Postgres(held) => held.leave(left).await,
            Self::Mysql(held) => held.leave(left).await,
        }
    }
}
