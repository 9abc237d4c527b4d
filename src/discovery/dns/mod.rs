//! The roster as the DNS has it: the addresses of one name, such as that of a headless service. It knows no names of
//! nodes; those are learnt by hello.
//!
//! hickory-resolver asks, over UDP, and over TCP where the answer was truncated. Nothing is cached here: what is asked
//! is answered by the server, and how old that may be is the server's affair. The name is absolute, so search domains
//! and `ndots` do not matter; `/etc/hosts` is not looked at, since it would hide the DNS and is read only once.
//! A resolver is made anew for each question, so that a changed `/etc/resolv.conf` counts from the next one on.

mod judge;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

use self::judge::{Found, Lack, judge};
use super::reading::Reading;
use super::{Answer, Cause, Failure, Families, Source};

/// How long one server has for one try. There are two, and both fit the patience of a round.
const TRY: Duration = Duration::from_secs(4);

/// Which name to look up, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// The name, absolute: it ends with a dot.
    pub name: String,
    /// Where agents listen: the DNS knows no ports.
    pub port: u16,
    /// Whom to ask; `None` for the servers of `/etc/resolv.conf`.
    pub server: Option<SocketAddr>,
}

/// The addresses of a name.
#[derive(Clone, Debug)]
pub struct DnsList {
    settings: DnsSettings,
    families: Families,
    reading: Reading,
}

impl DnsList {
    /// The addresses of `settings.name` in `families`.
    pub fn new(settings: DnsSettings, families: Families) -> Self {
        Self { settings, families, reading: Reading::default() }
    }

    fn resolver(&self) -> Result<TokioResolver, Failure> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = match self.settings.server {
            Some(server) => Resolver::builder_with_config(only(server), provider),
            None => Resolver::builder(provider).map_err(|error| configuration(&error))?,
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.edns0 = true;
        options.timeout = TRY;
        options.attempts = 1;
        builder.build().map_err(|error| configuration(&error))
    }

    async fn find(&self, resolver: &TokioResolver, kind: RecordType, wanted: bool) -> Option<Found> {
        if !wanted {
            return None;
        }
        let name = match Name::from_ascii(&self.settings.name) {
            Ok(name) => name,
            Err(error) => return Some(Found::Failed(Failure::new(Cause::Configuration, error.to_string()))),
        };
        Some(match resolver.lookup(name, kind).await {
            Ok(lookup) => addresses(&lookup),
            Err(error) => without_answer(kind, &error),
        })
    }
}

impl Source for DnsList {
    const KIND: &'static str = "dns";

    fn hint(cause: Cause) -> &'static str {
        match cause {
            Cause::Empty | Cause::NotFound => {
                "check the name below peers.discovery, and that its records are published"
            }
            Cause::ServerFailure => "look at the DNS server's log: it, or the server behind it, cannot answer",
            Cause::Refused => "let the DNS server answer this node, or name another one",
            Cause::Timeout | Cause::Unreachable => {
                "is the DNS server up, and may this node reach its port 53, UDP and TCP?"
            }
            Cause::Truncated => "an answer holds about 4,000 addresses: publish fewer under this name",
            Cause::Malformed | Cause::Tls => "is this a DNS server?",
            Cause::Configuration => "correct /etc/resolv.conf, or name a server below peers.discovery",
            Cause::Internal => "this is a fault in netsplit, please report it",
        }
    }

    async fn ask(&self) -> Result<Answer, Failure> {
        let list = self.clone();
        let resolver = self.reading.by_another(move || list.resolver()).await?;
        let (ipv4, ipv6) = tokio::join!(
            self.find(&resolver, RecordType::A, self.families.ipv4),
            self.find(&resolver, RecordType::AAAA, self.families.ipv6),
        );
        judge([ipv4, ipv6].into_iter().flatten(), self.settings.port)
    }
}

/// This server and no other, over UDP and TCP.
fn only(server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    ResolverConfig::from_parts(None, Vec::new(), vec![server])
}

fn configuration(error: &NetError) -> Failure {
    Failure::new(Cause::Configuration, error.to_string())
}

fn addresses(lookup: &Lookup) -> Found {
    let address = |data: &RData| match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    };
    // Aliases on the way are among the records: their time counts too.
    let seconds = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
    Found::Addresses {
        addresses: lookup.answers().iter().filter_map(|record| address(&record.data)).collect(),
        good_for: Duration::from_secs(seconds.into()),
    }
}

/// What it means that there are no records. Only two codes say that there are none: anything else says nothing of them.
fn without_answer(kind: RecordType, error: &NetError) -> Found {
    let cause = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NoError => return Found::Nothing(Lack::NoRecords),
            ResponseCode::NXDomain => return Found::Nothing(Lack::NoSuchName),
            code => of_code(code),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => of_code(*code),
        NetError::Timeout => Cause::Timeout,
        NetError::Truncated => Cause::Truncated,
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => Cause::Unreachable,
        _ => Cause::Malformed,
    };
    Found::Failed(Failure::new(cause, format!("{kind}: {error}")))
}

fn of_code(code: ResponseCode) -> Cause {
    match code {
        ResponseCode::ServFail => Cause::ServerFailure,
        _ => Cause::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_codes_say_that_there_are_no_records() {
        let found = |code| {
            let none = hickory_resolver::net::NoRecords::new(hickory_resolver::proto::op::Query::default(), code);
            without_answer(RecordType::A, &none.into())
        };
        assert_eq!(found(ResponseCode::NoError), Found::Nothing(Lack::NoRecords));
        assert_eq!(found(ResponseCode::NXDomain), Found::Nothing(Lack::NoSuchName));
        for (code, cause) in
            [(ResponseCode::ServFail, Cause::ServerFailure), (ResponseCode::Unknown(4000), Cause::Refused)]
        {
            assert!(matches!(found(code), Found::Failed(failure) if failure.cause == cause), "{code}");
        }
    }
}
