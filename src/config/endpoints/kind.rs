//! The types of endpoints: their names, which keys each has, and where each is if its address has no port.

use super::super::error::Refusal;
use super::super::reader::Reader;
use super::schema;

/// A type of endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Icmp,
    Tcp,
    Http,
    Dns,
    Grpc,
    Amqp,
    Rabbitmq,
    Kafka,
    Redis,
    Postgres,
    Mysql,
    Etcd,
    Consul,
    Kubernetes,
    Registry,
}

/// Every type by its name in the configuration, which is that of [`crate::probe::Check::kind`].
pub(super) const KINDS: [(&str, Kind); 15] = [
    ("icmp", Kind::Icmp),
    ("tcp", Kind::Tcp),
    ("http", Kind::Http),
    ("dns", Kind::Dns),
    ("grpc", Kind::Grpc),
    ("amqp", Kind::Amqp),
    ("rabbitmq", Kind::Rabbitmq),
    ("kafka", Kind::Kafka),
    ("redis", Kind::Redis),
    ("postgres", Kind::Postgres),
    ("mysql", Kind::Mysql),
    ("etcd", Kind::Etcd),
    ("consul", Kind::Consul),
    ("kubernetes", Kind::Kubernetes),
    ("registry", Kind::Registry),
];

/// Where HTTP is spoken.
const WEB: &[Kind] = &[Kind::Http, Kind::Rabbitmq, Kind::Etcd, Kind::Consul, Kind::Kubernetes, Kind::Registry];

/// Whatever else is a connection.
const STREAMS: &[Kind] = &[Kind::Tcp, Kind::Grpc, Kind::Amqp, Kind::Kafka, Kind::Redis, Kind::Postgres, Kind::Mysql];

/// Where one logs in by the protocol's own means.
const LOGINS: &[Kind] = &[Kind::Amqp, Kind::Kafka, Kind::Redis, Kind::Postgres, Kind::Mysql];

/// Databases with primaries and replicas.
const REPLICATED: &[Kind] = &[Kind::Redis, Kind::Postgres, Kind::Mysql];

/// Which types have a key that not all have.
fn owners(key: &str) -> [&'static [Kind]; 2] {
    match key {
        "url" | "token_file" => [WEB, &[]],
        "address" => [STREAMS, &[]],
        "tls" => [WEB, STREAMS],
        "username" | "password_file" => [WEB, LOGINS],
        "host" => [&[Kind::Icmp], &[]],
        "query" | "record" | "server" => [&[Kind::Dns], &[]],
        "method" | "headers" | "expected_status" | "expected_body" | "http2" => [&[Kind::Http], &[]],
        "send" | "expect" => [&[Kind::Tcp], &[]],
        "service" => [&[Kind::Grpc], &[]],
        "virtual_host" => [&[Kind::Amqp], &[]],
        "database" | "max_lag" => [&[Kind::Postgres, Kind::Mysql], &[]],
        "role" => [REPLICATED, &[]],
        _ => [&[], &[]],
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        KINDS.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    pub(super) fn speaks_http(self) -> bool {
        WEB.contains(&self)
    }

    /// Whether it is a connection that can be held. One over which HTTP is spoken is not: a request may have one of its own.
    pub(super) fn is_stream(self) -> bool {
        STREAMS.contains(&self)
    }

    /// The names of all that are.
    pub(super) fn streams() -> String {
        STREAMS.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn has(self, key: &str) -> bool {
        owners(key).into_iter().any(|kinds| kinds.contains(&self))
    }

    /// The port that it has everywhere.
    pub(super) fn port(self, is_secure: bool) -> Option<u16> {
        match self {
            Self::Amqp => Some(if is_secure { 5671 } else { 5672 }),
            Self::Kafka => Some(9092),
            Self::Redis => Some(6379),
            Self::Postgres => Some(5432),
            Self::Mysql => Some(3306),
            Self::Dns => Some(53),
            _ => None,
        }
    }

    /// Refuses keys that only other types have.
    pub(super) fn refuse_strangers(self, keys: &schema::Endpoint, reader: &mut Reader<'_>) {
        for (key, place) in keys.given().filter(|(key, _)| !self.has(key)) {
            let owners: Vec<&str> = owners(key).into_iter().flatten().map(|kind| kind.name()).collect();
            let message = format!("`{key}` is no key of the type {}", self.name());
            let instead = self.instead_of(key).map_or(String::new(), |own| format!("; here it is `{own}`"));
            reader.refuse(place, Refusal::new(message, format!("these types have it: {}{instead}", owners.join(", "))));
        }
    }

    /// The key of this type that says the same.
    fn instead_of(self, key: &str) -> Option<&'static str> {
        let ways = ["url", "address", "host", "server"];
        ways.into_iter().find(|own| ways.contains(&key) && self.has(own))
    }
}
