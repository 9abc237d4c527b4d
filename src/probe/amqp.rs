//! `amqp`: the greeting of an AMQP 0-9-1 broker, and a polite end.
//!
//! **With credentials** the probe logs in, opens the virtual host and closes the connection as the protocol wants.
//! RabbitMQ logs three lines of level info for it, as for any client, and none of a higher level.
//!
//! **Without credentials** it reads the greeting (`Connection.Start`) and closes the TCP connection. The protocol knows no
//! other end before a login, and RabbitMQ (3.10 to 4) logs a warning for each: "client unexpectedly closed TCP connection".
//! All else (`Connection.Close`, a login that fails, the header of another version) it logs as an error. So credentials are
//! better, of a user who may do nothing; else `log.connection.level = error` keeps the warnings from its log.
//!
//! A broker that has an alarm tells so (`Connection.Blocked`) those who publish, and a probe publishes nothing. Where it
//! does tell, that counts; the management API (type `rabbitmq`) always tells.
#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod frame;
mod held;

use std::num::NonZeroU16;

use tokio::io::AsyncWriteExt;

use self::frame::{Arguments, Frame, Table};
use super::attempt::Attempt;
use super::report::{Fact, Fault};
use super::stream::Stream;
use super::target::{Address, Credentials, Tls};
use super::words::words;
use crate::detector::outcome::{Ailment, Cause};
pub(super) use held::Held;

/// The greeting of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amqp {
    /// Whereto.
    pub address: Address,
    /// With TLS (`amqps`).
    pub tls: Option<Tls>,
    /// As whom; without, the greeting is enough.
    pub credentials: Option<Credentials>,
    /// The virtual host that is opened, where there are credentials.
    pub virtual_host: String,
}

/// The methods of class `connection` that are spoken here.
mod number {
    pub(super) const START: u16 = 10;
    pub(super) const START_OK: u16 = 11;
    pub(super) const SECURE: u16 = 20;
    pub(super) const TUNE: u16 = 30;
    pub(super) const TUNE_OK: u16 = 31;
    pub(super) const OPEN: u16 = 40;
    pub(super) const OPEN_OK: u16 = 41;
    pub(super) const CLOSE: u16 = 50;
    pub(super) const CLOSE_OK: u16 = 51;
    pub(super) const BLOCKED: u16 = 60;
    pub(super) const UNBLOCKED: u16 = 61;
}

/// How many frames may come where one is waited for. Heartbeats and alarms may come between, but not many.
const FRAMES: usize = 16;

impl Amqp {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let (mut talk, is_in) = self.open(attempt, None).await?;
        if is_in {
            talk.close().await?;
        }
        // Whoever is on the other side may have gone already.
        let _ = talk.stream.shutdown().await;
        match talk.blocked {
            Some(why) => Err(Fault::unhealthy(Ailment::Alarm, format!("it takes no messages: {why}"))),
            None => Ok(()),
        }
    }

    /// A connection that was greeted, and whether it is logged in on: where there are credentials. `heartbeat`: how far apart
    /// signs of life should be, in seconds; none where it does not live that long.
    async fn open(&self, attempt: &mut Attempt, heartbeat: Option<NonZeroU16>) -> Result<(Talk, bool), Fault> {
        let login = attempt.sasl_plain(self.credentials.as_ref()).await?;
        let virtual_host = frame::short(&self.virtual_host)?;
        let mut stream = attempt.open(&self.address, self.tls.as_ref(), &[]).await?;
        stream.write_all(&frame::HEADER).await?;
        stream.flush().await?;
        let mut talk = Talk { stream, blocked: None, heartbeat };
        let greeting = Greeting::read(&talk.await_method(number::START).await?, attempt)?;
        let Some(login) = login else { return Ok((talk, false)) };
        let opened = talk.open(&greeting, &login, &virtual_host).await;
        opened.map_err(|fault| fault.of_login(&greeting))?;
        Ok((talk, true))
    }
}

/// What a broker says first.
#[derive(Debug)]
struct Greeting {
    takes_passwords: bool,
    mechanisms: String,
    /// Whether it says so when it refuses a login, rather than close the connection.
    tells_refusals: bool,
}

impl Greeting {
    fn read(arguments: &[u8], attempt: &mut Attempt) -> Result<Self, Fault> {
        let mut arguments = Arguments(arguments);
        let version = (arguments.u8()?, arguments.u8()?);
        if version != (0, 9) {
            return Err(Fault::protocol(format!("it greets as AMQP {}-{}", version.0, version.1)));
        }
        let properties = arguments.table()?;
        for name in ["product", "version", "cluster_name"] {
            if let Some(text) = properties.text(name) {
                attempt.note(name, Fact::Word(text));
            }
        }
        let mechanisms = words(arguments.long()?);
        Ok(Self {
            takes_passwords: mechanisms.split(' ').any(|mechanism| mechanism == "PLAIN"),
            mechanisms,
            tells_refusals: tells_refusals(properties),
        })
    }
}

fn tells_refusals(properties: Table<'_>) -> bool {
    properties.table("capabilities").is_some_and(|capabilities| capabilities.flag("authentication_failure_close"))
}

/// Why a login did not get to its end.
#[derive(Debug)]
enum Refusal {
    /// The connection ended where the broker was to answer the login: as the specification wants it of one that refuses.
    Ended(Fault),
    /// Anything else.
    Other(Fault),
}

impl Refusal {
    fn of_login(self, greeting: &Greeting) -> Fault {
        match self {
            Self::Ended(fault) if !greeting.tells_refusals && fault.cause == Some(Cause::Reset) => {
                Fault::new(Cause::Auth, "it closed the connection, which is how it refuses a login")
            }
            Self::Ended(fault) | Self::Other(fault) => fault,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}

/// A connection on which AMQP is spoken.
struct Talk {
    stream: Stream,
    /// Why the broker takes no messages, if it says so.
    blocked: Option<String>,
    /// How far apart signs of life are, in seconds: first as it is wanted here, after the login as both sides have it.
    heartbeat: Option<NonZeroU16>,
}

impl Talk {
    /// Logs in and opens the virtual host.
    async fn open(&mut self, greeting: &Greeting, login: &[u8], virtual_host: &[u8]) -> Result<(), Refusal> {
        if !greeting.takes_passwords {
            let offered = format!("it takes no passwords, only {}", greeting.mechanisms);
            return Err(Fault::new(Cause::Auth, offered).into());
        }
        let answer = [&client()?[..], &frame::short("PLAIN")?, &frame::long(login), &frame::short("en_US")?].concat();
        self.say(number::START_OK, &answer).await?;
        let limits = self.await_method(number::TUNE).await.map_err(Refusal::Ended)?;
        let mut limits = Arguments(&limits);
        let (channels, largest, heartbeat) = (limits.u16()?, limits.u32()?, limits.u16()?);
        // The more frequent one. Zero of theirs is no wish.
        self.heartbeat = self.heartbeat.map(|own| NonZeroU16::new(heartbeat).map_or(own, |theirs| theirs.min(own)));
        let heartbeat = self.heartbeat.map_or(0, NonZeroU16::get);
        // Its own limits.
        let limits = [&channels.to_be_bytes()[..], &largest.to_be_bytes(), &heartbeat.to_be_bytes()].concat();
        self.say(number::TUNE_OK, &limits).await?;
        self.say(number::OPEN, &[virtual_host, &[0, 0]].concat()).await?;
        self.await_method(number::OPEN_OK).await?;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), Fault> {
        let success = [&200_u16.to_be_bytes()[..], &frame::short("probed")?, &[0; 4]].concat();
        self.say(number::CLOSE, &success).await?;
        self.await_method(number::CLOSE_OK).await.map(|_| ())
    }

    async fn say(&mut self, method: u16, arguments: &[u8]) -> Result<(), Fault> {
        self.stream.write_all(&frame::method(method, arguments)).await?;
        Ok(self.stream.flush().await?)
    }

    /// The arguments of `wanted`. A broker that closes the connection instead is answered, and has said why.
    async fn await_method(&mut self, wanted: u16) -> Result<Vec<u8>, Fault> {
        for _ in 0..FRAMES {
            let Frame::Method(method, arguments) = frame::read(&mut self.stream).await? else { continue };
            if method == wanted {
                return Ok(arguments);
            }
            self.take_unasked(method, &arguments).await?;
        }
        Err(Fault::protocol("many frames, and not the one that should come"))
    }

    /// A method that is not the one that is waited for, if any is.
    async fn take_unasked(&mut self, method: u16, arguments: &[u8]) -> Result<(), Fault> {
        match method {
            number::BLOCKED => self.blocked = Some(words(Arguments(arguments).short()?)),
            number::UNBLOCKED => self.blocked = None,
            number::CLOSE => {
                let fault = closed(arguments)?;
                // It may not wait for it.
                let _ = self.say(number::CLOSE_OK, &[]).await;
                let _ = self.stream.shutdown().await;
                return Err(fault);
            }
            number::SECURE => return Err(Fault::new(Cause::Auth, "it wants more than a password")),
            other => return Err(Fault::protocol(format!("method {other} where nobody expects it"))),
        }
        Ok(())
    }
}

/// What it means that a broker closes the connection (reply codes: specification, section 1.3).
fn closed(arguments: &[u8]) -> Result<Fault, Fault> {
    let mut arguments = Arguments(arguments);
    let (code, text) = (arguments.u16()?, words(arguments.short()?));
    let detail = format!("it closed the connection: {code} {text}");
    Ok(match code {
        // access-refused
        403 => Fault::new(Cause::Auth, detail),
        // connection-forced (it is being stopped), resource-error, internal-error
        320 | 506 | 541 => Fault::unhealthy(Ailment::NotServing, detail),
        // frame-error, syntax-error, command-invalid, channel-error, unexpected-frame, not-implemented
        501..=505 | 540 => Fault::protocol(detail),
        // invalid-path, not-allowed: such as a virtual host that does not exist
        _ => Fault::new(Cause::Status, detail),
    })
}

/// Who this is, and what it understands: that a login is refused in words, and that the broker has an alarm.
fn client() -> Result<Vec<u8>, Fault> {
    let mut capabilities = Vec::new();
    for name in ["authentication_failure_close", "connection.blocked"] {
        capabilities.extend(frame::short(name)?);
        capabilities.extend(b"t\x01");
    }
    let mut properties = [&frame::short("capabilities")?[..], b"F", &frame::long(&capabilities)].concat();
    let texts = [("product", "netsplit"), ("version", env!("CARGO_PKG_VERSION")), ("connection_name", "netsplit")];
    for (name, text) in texts {
        properties.extend(frame::short(name)?);
        properties.push(b'S');
        properties.extend(frame::long(text.as_bytes()));
    }
    Ok(frame::long(&properties))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table has to hold what is looked for, so the client's own is read back.
    #[test]
    fn the_client_says_who_it_is_and_what_it_understands() {
        let said = client().unwrap();
        let table = Arguments(&said).table().unwrap();
        assert_eq!(table.text("product").as_deref(), Some("netsplit"));
        let capabilities = table.table("capabilities").unwrap();
        assert!(capabilities.flag("authentication_failure_close") && capabilities.flag("connection.blocked"));
    }

    #[test]
    fn each_reason_to_close_is_told_apart() {
        let fault = |code: u16| closed(&[&code.to_be_bytes()[..], b"\x02no", &[0; 4]].concat()).unwrap();
        assert_eq!(fault(403).cause, Some(Cause::Auth));
        assert_eq!(fault(530).cause, Some(Cause::Status));
        assert_eq!(fault(320).cause, Some(Cause::Unhealthy(Ailment::NotServing)));
        assert_eq!(fault(501).cause, Some(Cause::Protocol));
        assert_eq!(fault(530).detail, "it closed the connection: 530 no");
    }
}
