//! What one probe found out: the outcome for the detector, and the rest for people.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;

use crate::detector::outcome::{Ailment, Cause, Outcome};

/// What one probe found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in words; empty if all is well. It may quote the endpoint, so it is shown to who asks and kept nowhere.
    pub detail: String,
    /// The address that was spoken with; its port is 0 where there are none (ICMP).
    pub address: Option<SocketAddr>,
    /// How long each part took.
    pub phases: Phases,
    /// How long all of it took.
    pub took: Duration,
    /// What the endpoint says of itself, in the order in which it is shown.
    pub facts: Vec<(&'static str, Fact)>,
}

impl Report {
    /// The address that was spoken with, for people and programs: without a port where there are none.
    pub fn shown_address(&self) -> Option<String> {
        self.address.map(|address| if address.port() == 0 { address.ip().to_string() } else { address.to_string() })
    }
}

/// How long each part of a probe took; none where it did not come to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Finding the addresses of the name.
    pub dns: Option<Duration>,
    /// Until the connection stood.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the first question to the last answer, the polite end included.
    pub exchange: Option<Duration>,
}

/// One thing that an endpoint says of itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A name, a version, a role.
    Word(String),
    /// A number of something.
    Count(u64),
    /// Whether it is so.
    Flag(bool),
    /// A length of time.
    Time(Duration),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Count(count) => count.fmt(f),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Time(time) => write!(f, "{:.3}s", time.as_secs_f64()),
        }
    }
}

/// Why a probe did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What it says of the endpoint; none if the fault is of this machine.
    pub(super) cause: Option<Cause>,
    /// In words.
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause: Some(cause), detail: detail.into() }
    }

    /// A fault of this machine.
    pub(super) fn local(detail: impl Into<String>) -> Self {
        Self { cause: None, detail: detail.into() }
    }

    /// What came is not of the protocol.
    pub(super) fn protocol(detail: impl Into<String>) -> Self {
        Self::new(Cause::Protocol, detail)
    }

    /// What the endpoint says of itself.
    pub(super) fn unhealthy(ailment: Ailment, detail: impl Into<String>) -> Self {
        Self::new(Cause::Unhealthy(ailment), detail)
    }

    /// What an error of an open connection says.
    pub(super) fn of_connection(error: &io::Error) -> Self {
        // Where the certificate of this agent is refused, TLS says so only once something is read.
        if let Some(refused) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::new(Cause::Tls, refused.to_string());
        }
        let cause = match error.kind() {
            io::ErrorKind::ConnectionRefused => Cause::Refused,
            io::ErrorKind::TimedOut => Cause::Timeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Cause::Unreachable,
            io::ErrorKind::InvalidData => Cause::Protocol,
            _ => Cause::Reset,
        };
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::closed();
        }
        Self::new(cause, error.to_string())
    }

    /// Nothing came within the time that there was.
    pub(super) fn too_late() -> Self {
        Self::new(Cause::Timeout, "it took longer than the timeout")
    }

    /// Something came on a connection where the other end only answers.
    pub(super) fn unasked() -> Self {
        Self::protocol("it answers what nobody asked")
    }

    /// The other end closed the connection and did not say why.
    pub(super) fn closed() -> Self {
        Self::new(Cause::Reset, "it closed the connection")
    }

    /// What it says of an endpoint that a connection could not even be begun: nothing, but for a refusal on this machine.
    pub(super) fn of_beginning(error: &io::Error) -> Self {
        if error.raw_os_error().map(Errno::from_raw) == Some(Errno::ECONNREFUSED) {
            return Self::new(Cause::Refused, error.to_string());
        }
        Self::local(format!("this machine could not begin a connection: {error}"))
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.cause.map_or(Outcome::Inconclusive, Outcome::Failure)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::of_connection(&error)
    }
}
