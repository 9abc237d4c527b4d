//! `postgres`: the first words of PostgreSQL's protocol; with credentials a question about replication.
//!
//! Without credentials it asks for encryption, which every server answers, with or without TLS; a startup packet of a user
//! that does not exist would be a line in the server's log for each probe. A server that agrees gets its handshake even
//! where no TLS is configured (then without a look at the certificate: nothing is said that could be secret), because a
//! connection that ends before it is logged as `could not accept SSL connection`. For the same reason a certificate is
//! judged after the handshake. What cannot be seen this way: that the server is starting up, or that it is full.
//!
//! With credentials it logs in (SCRAM-SHA-256, MD5, and clear text over TLS), asks one question in a read-only
//! transaction, and ends the session. It is `netsplit` in `pg_stat_activity`. The user needs the right to connect to the
//! database and nothing else; only with `pg_read_all_stats` it sees when the replica last heard its primary. A replica
//! whose link is cut without a word notices after its own `wal_receiver_timeout` (60 s). PostgreSQL 10 and later.
//!
//! Nothing of this is logged by a server as it comes; `log_connections`, `log_disconnections` and `log_statement` log
//! the probe as any client.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod held;

use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{DataRowBody, ErrorFields, Header, Message, ParameterStatusBody};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::attempt::Attempt;
use super::farewell::farewell;
use super::report::{Fact, Fault};
use super::secret::Secret;
use super::stream::Stream;
use super::target::{Address, Credentials, Role, Tls};
use super::unseen;
use super::words::words;
use crate::detector::outcome::{Ailment, Cause};
pub(super) use held::Held;

/// The largest message: an error with all its fields has some hundred bytes.
const LARGEST: usize = 64 * 1024;

/// The most messages until the server is ready: some 20 parameters and a few notices. A server that sends more keeps us
/// busy for as long as it likes.
const MOST: usize = 256;

/// Read only, and of no table: `pg_stat_wal_receiver` shows its status only to those with `pg_read_all_stats`, but has a
/// row for everybody. What was received and not yet replayed is as old as the last transaction that was replayed; where
/// nothing waits there is no lag, however long ago that was.
const QUESTION: &str = "BEGIN READ ONLY; \
    SELECT pg_is_in_recovery(), \
    (SELECT count(*) FROM pg_stat_replication), \
    (SELECT count(*) FROM pg_stat_wal_receiver WHERE status IS NULL OR status = 'streaming'), \
    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END, \
    (SELECT extract(epoch FROM clock_timestamp() - last_msg_receipt_time) FROM pg_stat_wal_receiver); \
    COMMIT";

/// A database server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postgres {
    /// Whereto.
    pub address: Address,
    /// With TLS, begun in the middle of the protocol.
    pub tls: Option<Tls>,
    /// As whom; without, the server's first answer is enough.
    pub credentials: Option<Credentials>,
    /// Which database is opened, where there are credentials. Empty: the one that is named as the user.
    pub database: String,
    /// Which role it should have. Only with credentials can it be told.
    pub role: Role,
    /// How far a replica may be behind.
    pub max_lag: Option<Duration>,
}

impl Postgres {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let Some(own) = &self.credentials else { return self.greet(attempt).await };
        let mut talk = self.open(own, attempt).await?;
        let found = self.ask(&mut talk, attempt).await;
        talk.leave(attempt.left()).await;
        found
    }

    /// A session that is ready.
    async fn open(&self, own: &Credentials, attempt: &mut Attempt) -> Result<Talk, Fault> {
        let password = attempt.secret(&own.password_file).await?;
        attempt.prepare(self.tls.as_ref()).await?;
        let mut stream = attempt.open(&self.address, None, &[]).await?;
        if let Some(tls) = &self.tls {
            if ask_for_encryption(&mut stream).await? == Encryption::Refused {
                return Err(no_tls());
            }
            stream = self.secure(stream, tls, attempt).await?;
        }
        let mut talk = Talk { stream, is_in: false };
        if let Err(fault) = talk.log_in(&own.username, &self.database, &password, attempt).await {
            talk.leave(attempt.left()).await;
            return Err(fault);
        }
        Ok(talk)
    }

    async fn greet(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        attempt.prepare(self.tls.as_ref()).await?;
        let mut stream = attempt.open(&self.address, None, &[]).await?;
        match (ask_for_encryption(&mut stream).await?, &self.tls) {
            (Encryption::Refused, Some(_)) => return Err(no_tls()),
            (Encryption::Refused, None) => expect_silence(&mut stream).await?,
            (Encryption::Agreed, Some(tls)) => stream = self.secure(stream, tls, attempt).await?,
            (Encryption::Agreed, None) => {
                let anybody = Tls { insecure_skip_verify: true, ..Tls::default() };
                let secured = attempt.secure(stream, &self.address.host, &anybody, &[]).await;
                // A banner may begin with this letter, too: that of SSH does.
                stream = secured.map_err(|fault| match fault.cause {
                    Some(Cause::Tls) => Fault::protocol(format!("it agreed to TLS and spoke none: {}", fault.detail)),
                    _ => fault,
                })?;
            }
        }
        // Whoever is on the other side may have gone already.
        let _ = stream.shutdown().await;
        Ok(())
    }

    async fn secure(&self, stream: Stream, tls: &Tls, attempt: &mut Attempt) -> Result<Stream, Fault> {
        let (mut stream, judged) = unseen::secure(attempt, stream, &self.address.host, tls).await?;
        if judged.is_err() {
            let _ = stream.shutdown().await;
        }
        judged.map(|()| stream)
    }

    async fn ask(&self, talk: &mut Talk, attempt: &mut Attempt) -> Result<(), Fault> {
        let row = talk.query(QUESTION).await?;
        let told = Replication::told(&row)?;
        told.note(attempt);
        told.judge(self.role, self.max_lag)
    }
}

fn no_tls() -> Fault {
    Fault::new(Cause::Tls, "it does not offer TLS")
}

#[derive(PartialEq, Eq)]
enum Encryption {
    Agreed,
    Refused,
}

/// Asks for encryption. One byte answers, and no more is read: what comes behind it in clear text may be of anybody.
async fn ask_for_encryption(stream: &mut Stream) -> Result<Encryption, Fault> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    stream.flush().await?;
    match stream.read_u8().await? {
        b'S' => Ok(Encryption::Agreed),
        b'N' => Ok(Encryption::Refused),
        b'E' => Err(not_begun(stream).await),
        _ => Err(Fault::protocol("the answer to the request for encryption is not one of PostgreSQL")),
    }
}

/// The refusal is one letter, with which a word or a greeting may begin, too: after it PostgreSQL waits to be asked.
async fn expect_silence(stream: &mut Stream) -> Result<(), Fault> {
    match timeout(Duration::ZERO, stream.read_u8()).await {
        Ok(Ok(_)) => Err(Fault::protocol("the answer to the request for encryption is not one of PostgreSQL")),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// A server that cannot begin a session answers with an error of version 2 of the protocol: text.
async fn not_begun(stream: &mut Stream) -> Fault {
    const BEGINNING: &[u8] = b"could not fork";
    let mut said = Vec::new();
    let read = stream.take(512).read_to_end(&mut said).await;
    if read.is_ok() && said.starts_with(BEGINNING) {
        let line = said.split(|byte| *byte == b'\n').next().unwrap_or_default();
        return Fault::unhealthy(Ailment::NotServing, words(line));
    }
    Fault::protocol("the answer to the request for encryption is not one of PostgreSQL")
}

/// The code and the message of an error or a notice; empty where there is none.
fn told(mut fields: ErrorFields<'_>) -> (Vec<u8>, Vec<u8>) {
    use fallible_iterator::FallibleIterator as _;
    let (mut code, mut message) = (Vec::new(), Vec::new());
    while let Ok(Some(field)) = fields.next() {
        match field.type_() {
            b'C' => code = field.value_bytes().to_vec(),
            b'M' => message = field.value_bytes().to_vec(),
            _ => {}
        }
    }
    (code, message)
}

/// What an error says, by its SQLSTATE (appendix A of PostgreSQL's manual).
fn refusal(fields: ErrorFields<'_>) -> Fault {
    let (code, message) = told(fields);
    let detail = format!("{} ({})", words(&message), words(&code));
    match code.as_slice() {
        // A password or user that is wrong, no line in pg_hba.conf, no right to connect.
        b"28P01" | b"28000" | b"42501" => Fault::new(Cause::Auth, detail),
        b"53100" | b"XX001" | b"XX002" => Fault::unhealthy(Ailment::Alarm, detail),
        // Starting up, shutting down, crashed; too many connections, out of memory.
        [b'5', b'7', b'P', ..] | [b'5', b'3', ..] => Fault::unhealthy(Ailment::NotServing, detail),
        [] => Fault::protocol("an error without a code"),
        _ => Fault::new(Cause::Status, detail),
    }
}

/// A session.
struct Talk {
    stream: Stream,
    /// Whether the server took the credentials.
    is_in: bool,
}

impl Talk {
    async fn log_in(
        &mut self,
        user: &str,
        database: &str,
        secret: &Secret,
        attempt: &mut Attempt,
    ) -> Result<(), Fault> {
        let mut parameters = vec![("user", user), ("application_name", "netsplit"), ("client_encoding", "UTF8")];
        if !database.is_empty() {
            parameters.push(("database", database));
        }
        self.say(|buffer| frontend::startup_message(parameters, buffer)).await?;
        for _ in 0..MOST {
            match self.next().await? {
                Message::AuthenticationOk => self.is_in = true,
                Message::AuthenticationSasl(_) => self.prove(secret).await?,
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(user.as_bytes(), secret.expose().as_bytes(), body.salt());
                    self.say(|buffer| frontend::password_message(hash.as_bytes(), buffer)).await?;
                }
                Message::AuthenticationCleartextPassword => self.say_password(secret).await?,
                Message::ParameterStatus(body) => note_version(&body, attempt),
                Message::ErrorResponse(body) => return Err(refusal(body.fields())),
                Message::ReadyForQuery(_) if self.is_in => return Ok(()),
                Message::BackendKeyData(_) | Message::NoticeResponse(_) => {}
                _ => return Err(Fault::new(Cause::Auth, "it wants a proof of identity that netsplit does not have")),
            }
        }
        Err(Fault::protocol("it is never ready"))
    }

    async fn say_password(&mut self, secret: &Secret) -> Result<(), Fault> {
        if matches!(self.stream, Stream::Plain(_)) {
            return Err(Fault::new(Cause::Auth, "it wants the password in clear text, which is said over TLS only"));
        }
        self.say(|buffer| frontend::password_message(secret.expose().as_bytes(), buffer)).await
    }

    /// SCRAM-SHA-256 (RFC 7677). The server proves, too, that it knows the password.
    async fn prove(&mut self, secret: &Secret) -> Result<(), Fault> {
        let mut scram = ScramSha256::new(secret.expose().as_bytes(), ChannelBinding::unsupported());
        self.say(|buffer| frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), buffer)).await?;
        let first = match self.next().await? {
            Message::AuthenticationSaslContinue(body) => body.data().to_vec(),
            Message::ErrorResponse(body) => return Err(refusal(body.fields())),
            _ => return Err(Fault::protocol("SCRAM did not go on")),
        };
        // The server says how many rounds (at most 100,000, says the library): that takes milliseconds, which the
        // heartbeats on this thread do not have.
        let counted = spawn_blocking(move || scram.update(&first).map(|()| scram)).await;
        let counted = counted.map_err(|error| Fault::local(error.to_string()))?;
        let mut scram = counted.map_err(|error| Fault::protocol(format!("SCRAM: {error}")))?;
        self.say(|buffer| frontend::sasl_response(scram.message(), buffer)).await?;
        match self.next().await? {
            Message::AuthenticationSaslFinal(body) => {
                scram.finish(body.data()).map_err(|error| Fault::new(Cause::Auth, format!("SCRAM: {error}")))
            }
            Message::ErrorResponse(body) => Err(refusal(body.fields())),
            _ => Err(Fault::protocol("SCRAM did not come to its end")),
        }
    }

    /// The first row that answers.
    async fn query(&mut self, question: &str) -> Result<DataRowBody, Fault> {
        self.say(|buffer| frontend::query(question, buffer)).await?;
        let mut row = None;
        for _ in 0..MOST {
            match self.next().await? {
                Message::DataRow(body) => row = row.or(Some(body)),
                Message::ErrorResponse(body) => return Err(refusal(body.fields())),
                Message::ReadyForQuery(_) => return row.ok_or_else(|| Fault::protocol("the answer has no row")),
                _ => {}
            }
        }
        Err(Fault::protocol("the answer does not end"))
    }

    async fn say(&mut self, write: impl FnOnce(&mut BytesMut) -> std::io::Result<()>) -> Result<(), Fault> {
        let mut buffer = BytesMut::new();
        // Only a name or password with a zero byte in it cannot be written.
        write(&mut buffer).map_err(|error| Fault::local(error.to_string()))?;
        self.stream.write_all(&buffer).await?;
        Ok(self.stream.flush().await?)
    }

    async fn next(&mut self) -> Result<Message, Fault> {
        let mut message = BytesMut::zeroed(5);
        self.stream.read_exact(&mut message).await?;
        let header = Header::parse(&message).ok().flatten();
        let length = header.and_then(|header| usize::try_from(header.len()).ok()).filter(|length| *length <= LARGEST);
        let length = length.ok_or_else(|| Fault::protocol("the length of a message is none, or above 64 KiB"))?;
        // The length counts itself.
        message.resize(length + 1, 0);
        if let Some(body) = message.get_mut(5..) {
            self.stream.read_exact(body).await?;
        }
        let parsed = Message::parse(&mut message).map_err(|error| Fault::protocol(error.to_string()))?;
        parsed.ok_or_else(|| Fault::protocol("a message that is none"))
    }

    /// Ends the session. Before the login there is none: then `Terminate` would be logged as an answer that is none, and an
    /// end without a word is not.
    async fn leave(&mut self, left: Duration) {
        if self.is_in {
            let mut last_words = BytesMut::new();
            frontend::terminate(&mut last_words);
            farewell(&mut self.stream, &last_words, left).await;
        } else {
            let _ = self.stream.shutdown().await;
        }
    }
}

fn note_version(body: &ParameterStatusBody, attempt: &mut Attempt) {
    if let (Ok("server_version"), Ok(version)) = (body.name(), body.value()) {
        attempt.note("version", Fact::Word(words(version.as_bytes())));
    }
}

/// What a server says of its replication.
#[derive(Debug, PartialEq)]
enum Replication {
    /// It is written to, and so many follow it.
    Primary { replicas: u64 },
    /// It follows.
    Replica {
        /// Whether what is written arrives.
        streams: bool,
        /// How old the state is that it shows, where it knows.
        lag: Option<Duration>,
        /// How long ago it heard its primary, where it may say so.
        heard: Option<Duration>,
    },
}

impl Replication {
    fn told(row: &DataRowBody) -> Result<Self, Fault> {
        let told = columns(row).and_then(|columns| {
            let [recovery, replicas, receivers, lag, heard] = <[Option<String>; 5]>::try_from(columns).ok()?;
            let count = |text: Option<String>| text?.parse::<u64>().ok();
            match recovery?.as_str() {
                "f" => Some(Self::Primary { replicas: count(replicas)? }),
                "t" => Some(Self::Replica { streams: count(receivers)? > 0, lag: seconds(lag), heard: seconds(heard) }),
                _ => None,
            }
        });
        told.ok_or_else(|| Fault::protocol("the answer is not one to the question"))
    }

    fn note(&self, attempt: &mut Attempt) {
        let role = if matches!(self, Self::Primary { .. }) { "primary" } else { "replica" };
        attempt.note("role", Fact::Word(role.to_owned()));
        attempt.note("in_recovery", Fact::Flag(role == "replica"));
        match *self {
            Self::Primary { replicas } => attempt.note("replicas", Fact::Count(replicas)),
            Self::Replica { streams, lag, heard } => {
                attempt.note("link", Fact::Word(if streams { "up" } else { "down" }.to_owned()));
                if let Some(lag) = lag {
                    attempt.note("lag", Fact::Time(lag));
                }
                if let Some(heard) = heard {
                    attempt.note("heard_from_primary", Fact::Time(heard));
                }
            }
        }
    }

    /// The wrong role comes first: whoever writes to a replica is not helped by its link.
    fn judge(&self, expected: Role, max_lag: Option<Duration>) -> Result<(), Fault> {
        match (expected, self) {
            (Role::Primary, Self::Replica { .. }) => Err(Fault::unhealthy(Ailment::Role, "it is a replica")),
            (Role::Replica, Self::Primary { .. }) => Err(Fault::unhealthy(Ailment::Role, "it is a primary")),
            (_, Self::Replica { streams: false, .. }) => {
                Err(Fault::unhealthy(Ailment::ReplicationDown, "nothing streams to it from its primary"))
            }
            (_, Self::Replica { lag: Some(lag), .. }) if max_lag.is_some_and(|most| *lag > most) => {
                let detail = format!("it is {:.1} s behind its primary", lag.as_secs_f64());
                Err(Fault::unhealthy(Ailment::ReplicationLag, detail))
            }
            _ => Ok(()),
        }
    }
}

/// The columns of a row as text; none if it is not well formed.
fn columns(row: &DataRowBody) -> Option<Vec<Option<String>>> {
    use fallible_iterator::FallibleIterator as _;
    let mut columns = Vec::new();
    let mut ranges = row.ranges();
    while let Some(range) = ranges.next().ok()? {
        let text = |range| row.buffer().get(range).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        columns.push(range.and_then(text));
    }
    Some(columns)
}

/// Clocks differ: what comes from the future is new.
fn seconds(text: Option<String>) -> Option<Duration> {
    let seconds = text?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
}
