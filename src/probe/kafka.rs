//! `kafka`: a broker tells what it speaks, and what it knows of its cluster.
//!
//! `ApiVersions`, a login where there are credentials (SASL PLAIN), `Metadata` of all topics, and the connection is closed,
//! as clients do. Nothing is created by that. Versions are those that each broker from 1.0 to 4 takes. The answer has about
//! 40 bytes for each partition; it is read as it comes, so that its size costs no memory.
//!
//! A broker logs none of this. But a listener that wants a login closes the connection at the first question of who does
//! not (cause `auth`), and a broker 4.1 logs a warning for it. So where a login is wanted there should be credentials; a
//! user who may do nothing sees the brokers, and of the topics those that it may describe.
#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod held;
mod metadata;
mod wire;

use self::metadata::Metadata;
use self::wire::Talk;
use super::attempt::Attempt;
use super::report::{Fact, Fault};
use super::target::{Address, Credentials, Tls};
use crate::detector::outcome::{Ailment, Cause};
pub(super) use held::Held;

/// A broker of Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// Whereto.
    pub address: Address,
    /// With TLS.
    pub tls: Option<Tls>,
    /// As whom (SASL PLAIN).
    pub credentials: Option<Credentials>,
}

/// What is asked (the protocol's guide, "API keys"), each in one version, none of which is a "flexible" one.
mod api {
    use super::wire::Api;

    pub(super) const METADATA: Api = Api { key: 3, version: 4 };
    pub(super) const SASL_HANDSHAKE: Api = Api { key: 17, version: 1 };
    pub(super) const API_VERSIONS: Api = Api { key: 18, version: 0 };
    pub(super) const SASL_AUTHENTICATE: Api = Api { key: 36, version: 0 };
}

/// `SASL_AUTHENTICATION_FAILED`, and what else a login is refused with.
const REFUSALS: [i16; 3] = [33, 34, 58];

/// Of all topics, and none is to be created.
const ALL_TOPICS: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0];

impl Kafka {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let mut talk = self.open(attempt).await?;
        let asked = talk.ask(api::METADATA, &ALL_TOPICS).await;
        asked.map_err(|fault| without_login(fault, self.credentials.is_none()))?;
        let metadata = Metadata::read(&mut talk).await?;
        // Whoever is on the other side may have gone already.
        let _ = talk.shutdown().await;
        attempt.note("brokers", Fact::Count(metadata.brokers));
        attempt.note("controller", metadata.controller.map_or(Fact::Word("none".to_owned()), Fact::Count));
        attempt.note("partitions", Fact::Count(metadata.partitions));
        attempt.note("partitions_without_leader", Fact::Count(metadata.without_leader));
        judge(&metadata)
    }

    /// A connection on which the broker told what it takes, and took the login where there is one.
    async fn open(&self, attempt: &mut Attempt) -> Result<Talk, Fault> {
        let login = attempt.sasl_plain(self.credentials.as_ref()).await?;
        let mut talk = Talk::new(attempt.open(&self.address, self.tls.as_ref(), &[]).await?);
        takes(&mut talk).await?;
        if let Some(login) = &login {
            authenticate(&mut talk, login).await?;
        }
        Ok(talk)
    }
}

fn judge(metadata: &Metadata) -> Result<(), Fault> {
    if metadata.without_leader > 0 {
        let (without, all) = (metadata.without_leader, metadata.partitions);
        let detail = format!("{without} of {all} partitions have no leader");
        return Err(Fault::unhealthy(Ailment::PartitionsWithoutLeader, detail));
    }
    if metadata.controller.is_none() {
        return Err(Fault::unhealthy(Ailment::NoLeader, "the cluster has no controller"));
    }
    Ok(())
}

/// Whether the broker takes what is asked of it here. It answers this question in each version, and before any login.
async fn takes(talk: &mut Talk) -> Result<(), Fault> {
    talk.ask(api::API_VERSIONS, &[]).await?;
    let code = talk.i16().await?;
    if code != 0 {
        return Err(Fault::protocol(format!("it does not say which versions it takes: error {code}")));
    }
    let mut metadata = None;
    for _ in 0..talk.length().await? {
        let (key, least, most) = (talk.i16().await?, talk.i16().await?, talk.i16().await?);
        if key == api::METADATA.key {
            metadata = Some((least, most));
        }
    }
    talk.end()?;
    match metadata {
        Some((least, most)) if (least..=most).contains(&api::METADATA.version) => Ok(()),
        Some((least, most)) => Err(Fault::protocol(format!("it takes Metadata of versions {least} to {most} only"))),
        None => Err(Fault::protocol("it takes no Metadata: this is no broker for clients")),
    }
}

async fn authenticate(talk: &mut Talk, login: &[u8]) -> Result<(), Fault> {
    talk.ask(api::SASL_HANDSHAKE, &wire::string("PLAIN")?).await?;
    let code = talk.i16().await?;
    let mut offered = Vec::new();
    for _ in 0..talk.length().await?.min(wire::MANY) {
        offered.push(talk.string().await?.unwrap_or_default());
    }
    accepted(code, || format!("it takes no passwords here; it offers {offered:?}"))?;
    talk.end()?;
    talk.ask(api::SASL_AUTHENTICATE, &wire::bytes(login)?).await?;
    let code = talk.i16().await?;
    let said = talk.string().await?.unwrap_or_default();
    accepted(code, || format!("it refuses the login: {said}"))?;
    talk.skip_bytes().await?;
    talk.end()
}

fn accepted(code: i16, why: impl Fn() -> String) -> Result<(), Fault> {
    match code {
        0 => Ok(()),
        code if REFUSALS.contains(&code) => Err(Fault::new(Cause::Auth, why())),
        code => Err(Fault::protocol(format!("error {code} at the login: {}", why()))),
    }
}

/// A broker that has told its versions, and closes at the next question, wants a login.
fn without_login(fault: Fault, is_nobody: bool) -> Fault {
    if is_nobody && fault.cause == Some(Cause::Reset) {
        return Fault::new(Cause::Auth, "it closes the connection of who does not log in");
    }
    fault
}
