//! How an endpoint is asked: the keys that only its type has, one function for each type that has more than an address.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_yaml::{Location, Spanned};

use super::super::error::Refusal;
use super::super::name;
use super::super::reader::{Reader, Setting};
use super::super::schema::Text;
use super::credentials::login;
use super::entry::{Entry, duration, plain_name, text};
use super::http;
use super::kind::Kind;
use super::tls;
use super::whereto;
use crate::probe::amqp::Amqp;
use crate::probe::consul::Consul;
use crate::probe::dns::Dns;
use crate::probe::etcd::Etcd;
use crate::probe::grpc::Grpc;
use crate::probe::icmp::Icmp;
use crate::probe::kafka::Kafka;
use crate::probe::kubernetes::Kubernetes;
use crate::probe::mysql::Mysql;
use crate::probe::postgres::Postgres;
use crate::probe::rabbitmq::Rabbitmq;
use crate::probe::redis::Redis;
use crate::probe::registry::Registry;
use crate::probe::tcp::Tcp;
use crate::probe::{Address, Check, Credentials, Role, Tls};

/// How far a replica may be allowed to be behind. What a replica measures is no finer than that.
const MAX_LAG: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

/// Types of records that name something or say where it is.
const RECORDS: [&str; 10] = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];

/// Reads what the type of the entry has. `None` if something is wrong with it, which was said.
pub(super) fn read(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Check> {
    entry.kind.refuse_strangers(entry.keys, reader);
    Some(match entry.kind {
        Kind::Icmp => Check::Icmp(icmp(entry, reader)?),
        Kind::Tcp => Check::Tcp(tcp(entry, reader)?),
        Kind::Http => Check::Http(http::http(entry, reader)?),
        Kind::Dns => Check::Dns(dns(entry, reader)?),
        Kind::Grpc => Check::Grpc(grpc(entry, reader)?),
        Kind::Amqp => Check::Amqp(amqp(entry, reader)?),
        Kind::Rabbitmq => Check::Rabbitmq(rabbitmq(entry, reader)?),
        Kind::Kafka => Check::Kafka(kafka(entry, reader)?),
        Kind::Redis => Check::Redis(redis(entry, reader)?),
        Kind::Postgres => {
            let Database { address, tls, credentials, database, role, max_lag } = database(entry, "postgres", reader)?;
            Check::Postgres(Postgres { address, tls, credentials, database, role, max_lag })
        }
        Kind::Mysql => {
            let Database { address, tls, credentials, database, role, max_lag } = database(entry, "", reader)?;
            Check::Mysql(Mysql { address, tls, credentials, database, role, max_lag })
        }
        Kind::Etcd => Check::Etcd(Etcd { web: http::web(entry, reader)? }),
        Kind::Consul => Check::Consul(Consul { web: http::web(entry, reader)? }),
        Kind::Kubernetes => Check::Kubernetes(Kubernetes { web: http::web(entry, reader)? }),
        Kind::Registry => Check::Registry(Registry { web: http::web(entry, reader)? }),
    })
}

/// Where it is and whether it is secured, for types that are a connection.
fn stream(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<(Address, Option<Tls>)> {
    let tls = tls::read(entry.keys, reader).map(tls::Wish::if_wished);
    let is_secure = matches!(tls, Some(Some(_)));
    let address = entry.address(is_secure, reader);
    Some((address?, tls?))
}

fn icmp(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Icmp> {
    let missing = entry.missing("host", "10.0.0.1");
    let (host, _) = reader.required("the host", entry.keys.host.as_ref(), missing, whereto::host)?;
    Some(Icmp { host })
}

fn tcp(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Tcp> {
    let stream = stream(entry, reader);
    let send = text("send", entry.keys.send.as_ref(), reader);
    let expect = text("expect", entry.keys.expect.as_ref(), reader);
    let (address, tls) = stream?;
    Some(Tcp { address, tls, send: send?, expect: expect? })
}

fn dns(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Dns> {
    let missing = entry.missing("query", "kubernetes.default.svc.cluster.local");
    let name = reader.required("the query", entry.keys.query.as_ref(), missing, question);
    let record = reader.read("the record", entry.keys.record.as_ref(), record).or("A");
    let port = Kind::Dns.port(false);
    let server = reader.read("the server", entry.keys.server.as_ref(), |text| whereto::address(text, port).map(Some));
    let ((name, _), record, server) = (name?, record?, server.or(None)?);
    Some(Dns { name, record: record.to_owned(), server })
}

/// The name that is asked for; it comes back absolute, as search domains would make it another on another node.
fn question(text: &str) -> Result<String, Refusal> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        let hint = "write a name; to ask for the name of an address write it as one, as in `1.0.0.10.in-addr.arpa`, with \
                    `record: PTR`";
        return Err(Refusal::new("is an address", hint));
    }
    name::domain(text)
        .map_err(|refusal| Refusal::new(refusal.message, "write the whole name, as in `app.example.internal`"))
}

fn record(text: &str) -> Result<&'static str, Refusal> {
    let found = RECORDS.into_iter().find(|record| *record == text.to_ascii_uppercase());
    found.ok_or_else(|| Refusal::new("is not known", format!("write one of: {}", RECORDS.join(", "))))
}

fn grpc(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Grpc> {
    let stream = stream(entry, reader);
    let service = reader.read("the service", entry.keys.service.as_ref(), |text| {
        let hint = "write the name of a service, as in `orders.v1.Orders`; empty stands for the server as a whole";
        let is_good = text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_good { Ok(text.to_owned()) } else { Err(Refusal::new("is no name for a service", hint)) }
    });
    let (address, tls) = stream?;
    Some(Grpc { address, tls, service: service.or(String::new())? })
}

fn amqp(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Amqp> {
    let (stream, credentials) = (stream(entry, reader), login(entry, reader));
    let given = entry.keys.virtual_host.as_ref();
    let virtual_host = reader.read("the virtual_host", given, plain_name);
    let is_idle = is_idle("virtual_host", given, credentials.as_ref(), reader);
    let (address, tls) = stream?;
    let (credentials, virtual_host) = (credentials?, virtual_host.or("/".to_owned())?);
    (!is_idle).then_some(Amqp { address, tls, credentials, virtual_host })
}

fn rabbitmq(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Rabbitmq> {
    let web = http::web(entry, reader)?;
    if web.authorization.is_none() {
        let hint = "write `username` and `password_file` of a user with the tag `monitoring`";
        reader.refuse(entry.place, Refusal::new("the management API of RabbitMQ tells nothing without a login", hint));
        return None;
    }
    Some(Rabbitmq { web })
}

fn kafka(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Kafka> {
    let (stream, credentials) = (stream(entry, reader), login(entry, reader));
    let (address, tls) = stream?;
    Some(Kafka { address, tls, credentials: credentials? })
}

fn redis(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Option<Redis> {
    let (stream, credentials, role) = (stream(entry, reader), login(entry, reader), role(entry, reader));
    let (address, tls) = stream?;
    Some(Redis { address, tls, credentials: credentials?, role: role.or(Role::Any)? })
}

fn role(entry: &Entry<'_>, reader: &mut Reader<'_>) -> Setting<Role> {
    let roles = [("any", Role::Any), ("primary", Role::Primary), ("replica", Role::Replica)];
    reader.word("the role", entry.keys.role.as_ref(), &roles)
}

/// What PostgreSQL and MySQL have in common.
struct Database {
    address: Address,
    tls: Option<Tls>,
    credentials: Option<Credentials>,
    database: String,
    role: Role,
    max_lag: Option<Duration>,
}

fn database(entry: &Entry<'_>, usual: &str, reader: &mut Reader<'_>) -> Option<Database> {
    let keys = entry.keys;
    let (stream, credentials) = (stream(entry, reader), login(entry, reader));
    let database = reader.read("the database", keys.database.as_ref(), plain_name);
    let role = role(entry, reader);
    let hint = "5m suits many; a replica further behind is unhealthy";
    let max_lag =
        reader.read("max_lag", keys.max_lag.as_ref(), |text| duration(text, &MAX_LAG, hint).map(Some)).or(None);
    let idle = [("database", &keys.database), ("role", &keys.role), ("max_lag", &keys.max_lag)]
        .map(|(key, text)| is_idle(key, text.as_ref(), credentials.as_ref(), reader));
    let (address, tls) = stream?;
    let (credentials, database) = (credentials?, database.or(usual.to_owned())?);
    let (role, max_lag) = (role.or(Role::Any)?, max_lag?);
    (!idle.contains(&true)).then_some(Database { address, tls, credentials, database, role, max_lag })
}

/// Whether a key is there that counts only with a login, and there is none; says so.
fn is_idle(key: &str, text: Option<&Text>, credentials: Option<&Option<Credentials>>, reader: &mut Reader<'_>) -> bool {
    let (Some(Spanned { referenced: place, .. }), Some(None)) = (text, credentials) else { return false };
    refuse_idle(key, *place, reader);
    true
}

fn refuse_idle(key: &str, place: Location, reader: &mut Reader<'_>) {
    let hint =
        "write `username` and `password_file`, or take it out: without a login nothing is asked beyond the greeting";
    reader.refuse(place, Refusal::new(format!("{key} needs a login"), hint));
}
