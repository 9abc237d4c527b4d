//! `dns`: a question to a name server, and what it answers.
//!
//! The name is taken as it stands: no search domains, no `/etc/hosts`. The servers of `/etc/resolv.conf` are asked in their
//! order, the addresses of a server that is named in turn; the first that knows whether there are such records is heard.
//! Nothing is cached here; what the server caches is its own affair, and part of what its clients see.
#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod exchange;

use std::net::SocketAddr;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use ring::rand::{SystemRandom, generate};
use tokio::time::timeout;

use super::attempt::Attempt;
use super::report::{Fact, Fault};
use super::target::Address;
use crate::detector::outcome::{Ailment, Cause};

/// A question to a name server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The name.
    pub name: String,
    /// The type of record, such as `A` or `SRV`.
    pub record: String,
    /// Whom to ask; the servers of `/etc/resolv.conf` if nobody is named.
    pub server: Option<Address>,
}

/// As many servers of `/etc/resolv.conf` as the system's own resolver asks (resolv.conf(5)).
const SERVERS: usize = 3;

/// Where name servers listen.
const PORT: u16 = 53;

impl Dns {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let question = self.question()?;
        let servers = self.servers(attempt).await?;
        let (all, begun) = (servers.len(), attempt.now());
        let mut last = Err(Fault::local("/etc/resolv.conf names no server"));
        for (tried, server) in servers.into_iter().enumerate() {
            attempt.address = Some(server);
            let share = attempt.left() / u32::try_from(all - tried).unwrap_or(u32::MAX);
            let asked = timeout(share, exchange::ask(&question, server, attempt)).await;
            attempt.phases.exchange = Some(attempt.since(begun));
            last = match asked {
                Ok(answered) => answered.map(|message| Answer::read(&question, &message)),
                Err(_) => Err(Fault::new(Cause::Timeout, format!("no answer from {server}"))),
            };
            if last.as_ref().is_ok_and(|answer| answer.knows()) {
                break;
            }
        }
        let answer = last?;
        attempt.note("rcode", Fact::Word(answer.name()));
        attempt.note("answers", Fact::Count(answer.records));
        answer.judge(&self.name, &self.record)
    }

    fn question(&self) -> Result<Message, Fault> {
        let bad = |what: &str| Fault::local(format!("{what} of the question cannot be asked for"));
        let name = if self.name.is_ascii() { Name::from_ascii(&self.name) } else { Name::from_utf8(&self.name) };
        let mut name = name.map_err(|_| bad(&format!("the name {:?}", self.name)))?;
        name.set_fqdn(true);
        let record = self.record.to_ascii_uppercase().parse().map_err(|_| bad(&format!("type {:?}", self.record)))?;
        if matches!(record, RecordType::AXFR | RecordType::IXFR) {
            return Err(bad("a transfer of the zone, which is no type"));
        }
        let id = generate(&SystemRandom::new()).map_err(|_| Fault::local("this machine gives no random numbers"))?;
        let mut question = Message::new(u16::from_be_bytes(id.expose()), MessageType::Query, OpCode::Query);
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(name, record));
        Ok(question)
    }

    async fn servers(&self, attempt: &mut Attempt) -> Result<Vec<SocketAddr>, Fault> {
        if let Some(server) = &self.server {
            let addresses = attempt.addresses_of(&server.host).await?;
            return Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, server.port)).collect());
        }
        let (config, _) = read_system_conf().map_err(|error| Fault::local(format!("/etc/resolv.conf: {error}")))?;
        Ok(config.name_servers().iter().take(SERVERS).map(|server| SocketAddr::new(server.ip, PORT)).collect())
    }
}

/// What is heard of an answer.
#[derive(Clone, Copy, Debug)]
struct Answer {
    code: ResponseCode,
    /// How many records of the type that was asked for.
    records: u64,
}

impl Answer {
    fn read(question: &Message, message: &Message) -> Self {
        let wanted = question.queries.first().map(Query::query_type);
        let is_wanted = |record| wanted == Some(RecordType::ANY) || wanted == Some(record);
        let records = message.answers.iter().filter(|record| is_wanted(record.record_type())).count();
        Self { code: message.metadata.response_code, records: u64::try_from(records).unwrap_or(u64::MAX) }
    }

    /// Whether the server knows if there are such records, be it that there are none. From one that does not, the
    /// system's resolver goes on to the next.
    fn knows(self) -> bool {
        matches!(self.code, ResponseCode::NoError | ResponseCode::NXDomain)
    }

    /// The code as everybody writes it (RFC 1035, section 4.1.1, and its registry): `NXDOMAIN`.
    fn name(self) -> String {
        format!("{:?}", self.code).to_ascii_uppercase()
    }

    fn judge(self, name: &str, record: &str) -> Result<(), Fault> {
        match self.code {
            ResponseCode::NoError if self.records > 0 => Ok(()),
            ResponseCode::NoError => Err(Fault::new(Cause::Status, format!("{name} has no records of type {record}"))),
            ResponseCode::NXDomain => Err(Fault::new(Cause::Status, format!("{name} does not exist"))),
            ResponseCode::ServFail | ResponseCode::Refused => {
                Err(Fault::unhealthy(Ailment::NotServing, format!("it answers {} to {name}", self.name())))
            }
            _ => Err(Fault::new(Cause::Status, format!("it answers {} to {name}", self.name()))),
        }
    }
}
