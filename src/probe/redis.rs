//! `redis`: PING, and what INFO says of replication.
//!
//! It speaks RESP2 as every Redis and Valkey does, and leaves by QUIT; the server logs nothing. A user of its own needs
//! `+ping +info` and no key. Without the right to INFO the answer to PING is enough, but then the server's ACL LOG names
//! the probe: whoever has `acllog` in its alerts gives the right, or no credentials.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod held;

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::attempt::Attempt;
use super::farewell::farewell;
use super::report::{Fact, Fault};
use super::secret::Secret;
use super::stream::Stream;
use super::target::{Address, Credentials, Role, Tls};
use super::words::words;
use crate::detector::outcome::{Ailment, Cause};
pub(super) use held::Held;

/// The longest line of an answer: that of the protected mode, the longest that Redis has, is a thousand bytes.
const LONGEST_LINE: u64 = 4096;

/// The largest answer: INFO replication of a primary takes 100 bytes for each of its replicas.
const LARGEST: usize = 64 * 1024;

/// A server of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Whereto.
    pub address: Address,
    /// With TLS.
    pub tls: Option<Tls>,
    /// As whom; the name may be empty, as it was before Redis 6.
    pub credentials: Option<Credentials>,
    /// Which role it should have.
    pub role: Role,
}

impl Redis {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let (mut talk, entered) = self.open(attempt).await?;
        let found = match entered {
            Ok(()) => self.ask(&mut talk, attempt).await,
            refused => refused,
        };
        talk.leave_after(&found, attempt.left()).await;
        found
    }

    /// A connection, and whether the server took the login and answered.
    async fn open(&self, attempt: &mut Attempt) -> Result<(Talk, Result<(), Fault>), Fault> {
        let password = attempt.password(self.credentials.as_ref()).await?;
        let stream = attempt.open(&self.address, self.tls.as_ref(), &[]).await?;
        let mut talk = Talk(BufReader::new(stream));
        let entered = self.enter(&mut talk, password).await;
        Ok((talk, entered))
    }

    async fn enter(&self, talk: &mut Talk, password: Option<Secret>) -> Result<(), Fault> {
        if let (Some(own), Some(password)) = (&self.credentials, password) {
            talk.authenticate(&own.username, &password).await?;
        }
        match talk.ask(&["PING"]).await? {
            Reply::Text(text) if text == b"PONG" => Ok(()),
            Reply::Error(error) => Err(refusal(&error)),
            Reply::Text(_) => Err(Fault::protocol("PING was answered by something else than PONG")),
        }
    }

    async fn ask(&self, talk: &mut Talk, attempt: &mut Attempt) -> Result<(), Fault> {
        match talk.ask(&["INFO", "replication"]).await? {
            Reply::Text(text) => {
                let told = Replication::told(&String::from_utf8_lossy(&text));
                talk.note_version(attempt).await?;
                told.note(attempt);
                told.judge(self.role)
            }
            Reply::Error(_) if self.role == Role::Any => Ok(()),
            Reply::Error(error) => {
                Err(Fault::new(Cause::Auth, format!("its role cannot be told, INFO is refused: {}", words(&error))))
            }
        }
    }
}

/// What an error says in place of an answer.
fn refusal(error: &[u8]) -> Fault {
    let code = error.split(|byte| *byte == b' ').next().unwrap_or_default();
    let detail = words(error);
    match code {
        b"NOAUTH" | b"WRONGPASS" | b"NOPERM" | b"DENIED" => Fault::new(Cause::Auth, detail),
        b"LOADING" | b"MASTERDOWN" | b"BUSY" => Fault::unhealthy(Ailment::NotServing, detail),
        // It refuses PING, too, when it cannot write its snapshot.
        b"MISCONF" => Fault::unhealthy(Ailment::Alarm, detail),
        _ if error.starts_with(b"ERR max number of clients") => Fault::unhealthy(Ailment::NotServing, detail),
        _ => Fault::new(Cause::Status, detail),
    }
}

/// A command as RESP2 has it: an array of strings, which may hold any byte.
fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Text(Vec<u8>),
    Error(Vec<u8>),
}

/// A connection, one question at a time.
struct Talk(BufReader<Stream>);

impl Talk {
    /// Says who asks. A server that wants no password does not take one, either: the configuration is not what it seems.
    async fn authenticate(&mut self, username: &str, password: &Secret) -> Result<(), Fault> {
        let reply = if username.is_empty() {
            self.ask(&["AUTH", password.expose()]).await?
        } else {
            self.ask(&["AUTH", username, password.expose()]).await?
        };
        match reply {
            Reply::Text(text) if text == b"OK" => Ok(()),
            Reply::Text(_) => Err(Fault::protocol("AUTH was answered by something else than OK")),
            // It may quote what it was asked.
            Reply::Error(error) if error.starts_with(b"ERR unknown command") => {
                Err(Fault::new(Cause::Auth, "it knows no AUTH"))
            }
            Reply::Error(error) => {
                let fault = refusal(&error);
                Err(if fault.cause == Some(Cause::Status) { Fault::new(Cause::Auth, fault.detail) } else { fault })
            }
        }
    }

    /// Asks. A server that is full answers before it is asked and hangs up: so what was not sent matters less than what
    /// was said.
    async fn ask(&mut self, words: &[&str]) -> Result<Reply, Fault> {
        let sent = self.0.write_all(&command(words)).await;
        let flushed = self.0.flush().await;
        let reply = reply(&mut self.0).await;
        if reply.is_err() {
            sent.and(flushed)?;
        }
        reply
    }

    /// Leaves, unless whoever is there has gone, or speaks another protocol.
    async fn leave_after(&mut self, found: &Result<(), Fault>, left: Duration) {
        let is_no_redis = matches!(found, Err(fault) if matches!(fault.cause, Some(Cause::Protocol | Cause::Reset)));
        if !is_no_redis {
            farewell(&mut self.0, &command(&["QUIT"]), left).await;
        }
    }

    async fn note_version(&mut self, attempt: &mut Attempt) -> Result<(), Fault> {
        if let Reply::Text(text) = self.ask(&["INFO", "server"]).await? {
            let text = String::from_utf8_lossy(&text);
            let version = field(&text, "valkey_version").or_else(|| field(&text, "redis_version"));
            if let Some(version) = version {
                attempt.note("version", Fact::Word(words(version.as_bytes())));
            }
        }
        Ok(())
    }
}

/// Reads one answer: a simple string, an error, or a string with its length before it. Nothing else is an answer to what
/// is asked here.
async fn reply(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Result<Reply, Fault> {
    let line = line(reader).await?;
    match line.split_first() {
        Some((b'+', text)) => Ok(Reply::Text(text.to_vec())),
        Some((b'-', error)) => Ok(Reply::Error(error.to_vec())),
        Some((b'$', length)) => Ok(Reply::Text(text(reader, length).await?)),
        _ => Err(Fault::protocol("the answer is not one of Redis")),
    }
}

async fn line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Result<Vec<u8>, Fault> {
    let kind = reader.read_u8().await?;
    // A stranger may say a lot before the end of a line, or nothing more.
    if !matches!(kind, b'+' | b'-' | b'$') {
        return Err(Fault::protocol("the answer is not one of Redis"));
    }
    let mut line = vec![kind];
    reader.take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(line.to_vec()),
        None if line.len() > 4096 => Err(Fault::protocol("a line of the answer does not end within 4 KiB")),
        None => Err(Fault::new(Cause::Reset, "it ended in the middle of an answer")),
    }
}

async fn text(reader: &mut (impl AsyncReadExt + Unpin), length: &[u8]) -> Result<Vec<u8>, Fault> {
    let length = std::str::from_utf8(length).ok().and_then(|length| length.parse::<usize>().ok());
    let length = length.filter(|length| *length <= LARGEST);
    let length = length.ok_or_else(|| Fault::protocol("the length of the answer is none, or above 64 KiB"))?;
    let mut text = vec![0; length];
    reader.read_exact(&mut text).await?;
    let mut end = [0; 2];
    reader.read_exact(&mut end).await?;
    if end == *b"\r\n" { Ok(text) } else { Err(Fault::protocol("the answer is longer than it says")) }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| *key == name)).map(|(_, value)| value.trim())
}

/// What a server says of its replication.
#[derive(Debug, PartialEq, Eq)]
enum Replication {
    /// It is written to.
    Primary {
        /// How many follow it.
        replicas: u64,
        /// How far the last of them is behind.
        lag_bytes: Option<u64>,
    },
    /// It follows.
    Replica {
        /// Whether the link to its primary is up.
        linked: bool,
        /// Whether it is taking over all the data of its primary.
        copies: bool,
        /// How long ago it heard its primary.
        heard: Option<Duration>,
        /// How much it has read and not yet done.
        lag_bytes: Option<u64>,
    },
    /// Neither, or nothing is said: a Sentinel, a proxy.
    Untold,
}

impl Replication {
    fn told(text: &str) -> Self {
        let count = |name| field(text, name).and_then(|value| value.parse::<u64>().ok());
        match field(text, "role") {
            Some("master") => Self::Primary {
                replicas: count("connected_slaves").unwrap_or_default(),
                lag_bytes: count("master_repl_offset").and_then(|offset| lag_of_the_last(text, offset)),
            },
            Some("slave") => Self::Replica {
                linked: field(text, "master_link_status") == Some("up"),
                copies: field(text, "master_sync_in_progress") == Some("1"),
                // Minus one while there is no link.
                heard: count("master_last_io_seconds_ago").map(Duration::from_secs),
                lag_bytes: count("slave_read_repl_offset")
                    .zip(count("slave_repl_offset"))
                    .map(|(read, done)| read.saturating_sub(done)),
            },
            _ => Self::Untold,
        }
    }

    fn note(&self, attempt: &mut Attempt) {
        match *self {
            Self::Primary { replicas, lag_bytes } => {
                attempt.note("role", Fact::Word("primary".to_owned()));
                attempt.note("replicas", Fact::Count(replicas));
                if let Some(bytes) = lag_bytes {
                    attempt.note("lag_bytes", Fact::Count(bytes));
                }
            }
            Self::Replica { linked, copies: _, heard, lag_bytes } => {
                attempt.note("role", Fact::Word("replica".to_owned()));
                attempt.note("link", Fact::Word(if linked { "up" } else { "down" }.to_owned()));
                if let Some(time) = heard {
                    attempt.note("heard_from_primary", Fact::Time(time));
                }
                if let Some(bytes) = lag_bytes {
                    attempt.note("lag_bytes", Fact::Count(bytes));
                }
            }
            Self::Untold => {}
        }
    }

    /// The wrong role comes first: whoever writes to a replica is not helped by its link.
    fn judge(&self, expected: Role) -> Result<(), Fault> {
        match (expected, self) {
            (Role::Primary, Self::Replica { .. }) => Err(Fault::unhealthy(Ailment::Role, "it is a replica")),
            (Role::Replica, Self::Primary { .. }) => Err(Fault::unhealthy(Ailment::Role, "it is a primary")),
            (Role::Primary | Role::Replica, Self::Untold) => {
                Err(Fault::unhealthy(Ailment::Role, "it does not say which role it has"))
            }
            (_, Self::Replica { linked: false, copies, .. }) => {
                let why = if *copies { "; it copies all of its primary's data" } else { "" };
                Err(Fault::unhealthy(Ailment::ReplicationDown, format!("the link to its primary is down{why}")))
            }
            _ => Ok(()),
        }
    }
}

/// How far the last replica is behind: `slave0:ip=…,port=…,state=online,offset=…,lag=…`.
fn lag_of_the_last(text: &str, offset: u64) -> Option<u64> {
    let replicas = text.lines().filter_map(|line| line.strip_prefix("slave")?.split_once(':'));
    let offsets = replicas.filter_map(|(_, said)| said.split(',').find_map(|part| part.strip_prefix("offset=")));
    offsets.filter_map(|said| said.trim().parse::<u64>().ok()).map(|done| offset.saturating_sub(done)).max()
}
