//! An endpoint with nothing left out, as `netsplit check` prints it: the way back from what was read to the keys.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::super::duration::Human;
use super::super::effective::plain;
use super::schedule::From;
use super::{Endpoint, Schedule};
use crate::probe::http::Http;
use crate::probe::web::{Authorization, Web};
use crate::probe::{Address, Check, Credentials, Role, Tls};

/// The keys of an endpoint with their values.
#[derive(Clone, Debug, Serialize)]
pub(in super::super) struct Shown {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    own: Own,
    period: String,
    timeout: String,
    failure_threshold: u8,
    success_threshold: u8,
    confirm_period: String,
    from: String,
    partition: bool,
    keep: bool,
}

/// The keys that only some types have.
#[derive(Clone, Debug, Default, Serialize)]
struct Own {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Secured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expected_status: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http2: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_lag: Option<String>,
}

/// `tls`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Secured {
    Plainly(bool),
    With(Options),
}

#[derive(Clone, Debug, Serialize)]
struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    insecure_skip_verify: bool,
}

impl Shown {
    pub(in super::super) fn of(endpoint: &Endpoint) -> Self {
        let Schedule { period, timeout, failure_threshold, success_threshold, confirm_period, from, partition, keep } =
            endpoint.schedule;
        let human = |duration: Duration| Human(duration).to_string();
        Self {
            name: endpoint.name.clone(),
            kind: endpoint.target.check.kind(),
            own: Own::of(&endpoint.target.check),
            period: human(period),
            timeout: human(timeout),
            failure_threshold: failure_threshold.get(),
            success_threshold: success_threshold.get(),
            confirm_period: human(confirm_period),
            from: match from {
                From::All => "all".to_owned(),
                From::Sample(agents) => format!("sample({agents})"),
            },
            partition,
            keep,
        }
    }
}

impl Own {
    fn of(check: &Check) -> Self {
        match check {
            Check::Icmp(icmp) => Self { host: Some(bare(&icmp.host)), ..Self::default() },
            Check::Tcp(tcp) => Self {
                send: tcp.send.as_deref().map(plain),
                expect: tcp.expect.as_deref().map(plain),
                ..Self::of_stream(&tcp.address, tcp.tls.as_ref(), None)
            },
            Check::Http(http) => Self::of_http(http),
            Check::Dns(dns) => Self {
                query: Some(plain(&dns.name)),
                record: Some(dns.record.clone()),
                server: dns.server.as_ref().map(Address::to_string),
                ..Self::default()
            },
            Check::Grpc(grpc) => {
                Self { service: Some(plain(&grpc.service)), ..Self::of_stream(&grpc.address, grpc.tls.as_ref(), None) }
            }
            Check::Amqp(amqp) => Self {
                virtual_host: amqp.credentials.is_some().then(|| plain(&amqp.virtual_host)),
                ..Self::of_stream(&amqp.address, amqp.tls.as_ref(), amqp.credentials.as_ref())
            },
            Check::Kafka(kafka) => Self::of_stream(&kafka.address, kafka.tls.as_ref(), kafka.credentials.as_ref()),
            Check::Redis(redis) => Self {
                role: Some(word(redis.role)),
                ..Self::of_stream(&redis.address, redis.tls.as_ref(), redis.credentials.as_ref())
            },
            Check::Postgres(postgres) => Self::of_stream(
                &postgres.address,
                postgres.tls.as_ref(),
                postgres.credentials.as_ref(),
            )
            .with_database(&postgres.database, postgres.role, postgres.max_lag),
            Check::Mysql(mysql) => Self::of_stream(&mysql.address, mysql.tls.as_ref(), mysql.credentials.as_ref())
                .with_database(&mysql.database, mysql.role, mysql.max_lag),
            Check::Rabbitmq(rabbitmq) => Self::of_web(&rabbitmq.web),
            Check::Etcd(etcd) => Self::of_web(&etcd.web),
            Check::Consul(consul) => Self::of_web(&consul.web),
            Check::Kubernetes(kubernetes) => Self::of_web(&kubernetes.web),
            Check::Registry(registry) => Self::of_web(&registry.web),
        }
    }

    fn of_stream(address: &Address, tls: Option<&Tls>, credentials: Option<&Credentials>) -> Self {
        let (username, password_file) = login(credentials);
        let tls = Some(tls.map_or(Secured::Plainly(false), Secured::of));
        Self { address: Some(address.to_string()), tls, username, password_file, ..Self::default() }
    }

    fn of_web(web: &Web) -> Self {
        let (credentials, token) = match &web.authorization {
            None => (None, None),
            Some(Authorization::Basic(credentials)) => (Some(credentials), None),
            Some(Authorization::Bearer(token)) => (None, Some(shown(token))),
        };
        let (username, password_file) = login(credentials);
        let tls = web.tls.as_ref().map(Secured::of);
        Self { url: Some(plain(&url(web))), tls, username, password_file, token_file: token, ..Self::default() }
    }

    fn of_http(http: &Http) -> Self {
        let status = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least}-{most}"),
        };
        Self {
            method: Some(http.method.clone()),
            headers: http.headers.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            expected_status: http.expected_status.iter().map(status).collect(),
            expected_body: http.expected_body.as_deref().map(plain),
            http2: Some(http.http2),
            ..Self::of_web(&http.web)
        }
    }

    /// What counts only with a login is left out without.
    fn with_database(mut self, database: &str, role: Role, max_lag: Option<Duration>) -> Self {
        if self.username.is_some() {
            self.database = Some(plain(database)).filter(|database| !database.is_empty());
            self.role = Some(word(role));
            self.max_lag = max_lag.map(|lag| Human(lag).to_string());
        }
        self
    }
}

impl Secured {
    fn of(tls: &Tls) -> Self {
        if *tls == Tls::default() {
            return Self::Plainly(true);
        }
        let (certificate, key) =
            tls.identity.as_ref().map(|(certificate, key)| (shown(certificate), shown(key))).unzip();
        Self::With(Options {
            ca_file: tls.ca_file.as_deref().map(shown),
            certificate_file: certificate,
            key_file: key,
            server_name: tls.server_name.clone(),
            insecure_skip_verify: tls.insecure_skip_verify,
        })
    }
}

fn login(credentials: Option<&Credentials>) -> (Option<String>, Option<String>) {
    let name = credentials.map(|credentials| plain(&credentials.username)).filter(|name| !name.is_empty());
    (name, credentials.map(|credentials| shown(&credentials.password_file)))
}

fn shown(path: &Path) -> String {
    plain(&path.display().to_string())
}

/// A host by itself: IPv6 without its brackets.
fn bare(host: &crate::probe::Host) -> String {
    host.to_string().trim_matches(['[', ']']).to_owned()
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Any => "any",
        Role::Primary => "primary",
        Role::Replica => "replica",
    }
}

fn url(web: &Web) -> String {
    let (scheme, usual) = if web.tls.is_some() { ("https", 443) } else { ("http", 80) };
    let Address { host, port } = &web.address;
    if *port == usual {
        format!("{scheme}://{host}{}", web.path)
    } else {
        format!("{scheme}://{host}:{port}{}", web.path)
    }
}

/// Where an endpoint is, as people write it: a URL, a host and a port, a question.
pub fn whereabouts(check: &Check) -> String {
    match check {
        Check::Icmp(icmp) => bare(&icmp.host),
        Check::Tcp(tcp) => tcp.address.to_string(),
        Check::Http(http) => url(&http.web),
        Check::Dns(dns) => match &dns.server {
            Some(server) => format!("{} {} at {server}", dns.record, dns.name),
            None => format!("{} {} at the servers of /etc/resolv.conf", dns.record, dns.name),
        },
        Check::Grpc(grpc) => grpc.address.to_string(),
        Check::Amqp(amqp) => amqp.address.to_string(),
        Check::Rabbitmq(rabbitmq) => url(&rabbitmq.web),
        Check::Kafka(kafka) => kafka.address.to_string(),
        Check::Redis(redis) => redis.address.to_string(),
        Check::Postgres(postgres) => postgres.address.to_string(),
        Check::Mysql(mysql) => mysql.address.to_string(),
        Check::Etcd(etcd) => url(&etcd.web),
        Check::Consul(consul) => url(&consul.web),
        Check::Kubernetes(kubernetes) => url(&kubernetes.web),
        Check::Registry(registry) => url(&registry.web),
    }
}
