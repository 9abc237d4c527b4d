//! What is probed, and how: as the configuration says it, or a URL on the command line.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::amqp::Amqp;
use super::consul::Consul;
use super::dns::Dns;
use super::etcd::Etcd;
use super::grpc::Grpc;
use super::http::Http;
use super::icmp::Icmp;
use super::kafka::Kafka;
use super::kubernetes::Kubernetes;
use super::mysql::Mysql;
use super::postgres::Postgres;
use super::rabbitmq::Rabbitmq;
use super::redis::Redis;
use super::registry::Registry;
use super::tcp::Tcp;

/// One endpoint, as a probe sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How it is asked.
    pub check: Check,
    /// How long the whole probe may take.
    pub timeout: Duration,
}

/// How an endpoint is asked: one for each type, each in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An echo request.
    Icmp(Icmp),
    /// A TCP connection.
    Tcp(Tcp),
    /// A request.
    Http(Http),
    /// A question to a name server.
    Dns(Dns),
    /// The health service of gRPC.
    Grpc(Grpc),
    /// The greeting of a broker.
    Amqp(Amqp),
    /// The management API of RabbitMQ.
    Rabbitmq(Rabbitmq),
    /// A broker of Kafka.
    Kafka(Kafka),
    /// A server of Redis.
    Redis(Redis),
    /// A server of PostgreSQL.
    Postgres(Postgres),
    /// A server of MySQL or MariaDB.
    Mysql(Mysql),
    /// A member of etcd.
    Etcd(Etcd),
    /// An agent of Consul.
    Consul(Consul),
    /// An API server.
    Kubernetes(Kubernetes),
    /// A registry of images.
    Registry(Registry),
}

impl Check {
    /// The name of the type in configuration, metrics and text.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Icmp(_) => "icmp",
            Self::Tcp(_) => "tcp",
            Self::Http(_) => "http",
            Self::Dns(_) => "dns",
            Self::Grpc(_) => "grpc",
            Self::Amqp(_) => "amqp",
            Self::Rabbitmq(_) => "rabbitmq",
            Self::Kafka(_) => "kafka",
            Self::Redis(_) => "redis",
            Self::Postgres(_) => "postgres",
            Self::Mysql(_) => "mysql",
            Self::Etcd(_) => "etcd",
            Self::Consul(_) => "consul",
            Self::Kubernetes(_) => "kubernetes",
            Self::Registry(_) => "registry",
        }
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// A machine by name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Looked up anew for each probe.
    Name(String),
    /// As it is.
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(ip @ IpAddr::V4(_)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How a connection is secured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whom to trust beside the usual authorities: a file with certificates (PEM).
    pub ca_file: Option<PathBuf>,
    /// The certificate (PEM) that this agent shows, and the file with its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name in the certificate, where it is not that of the host.
    pub server_name: Option<String>,
    /// Whether any certificate is taken.
    pub insecure_skip_verify: bool,
}

/// Who this agent is to an endpoint. The secret stands in a file, which is read for each probe: it may be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The file with the password.
    pub password_file: PathBuf,
}

/// Which role a server should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Either.
    #[default]
    Any,
    /// The one that is written to.
    Primary,
    /// One that follows.
    Replica,
}
