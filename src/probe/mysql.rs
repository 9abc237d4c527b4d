//! `mysql`: the handshake of MySQL and MariaDB, and a polite end; with credentials a question about replication.
//!
//! These servers count whoever leaves before the login is decided (`Aborted_connects`, `host_cache`) and block the host
//! after `max_connect_errors` of them, for everybody on it. So no probe leaves before: what was measured on MariaDB 10.11
//! is that a bare connect, a greeting that is only read, a QUIT in place of the login and TLS that is broken off all count
//! towards the block, and that a login which is refused does not. A login that succeeds leaves nothing behind.
//!
//! Without credentials the probe is the user `netsplit` without a password. `CREATE USER netsplit` makes one that may do
//! nothing at all, and then no trace is left. Where it does not exist the server says so, which is an answer, and counts
//! one `Aborted_connects` and one `Access_denied_errors` and (MariaDB, `log_warnings` ≥ 2) logs `Access denied` for each
//! probe; nobody is blocked.
//!
//! With credentials it asks for `read_only` and the state of replication. For the latter the user needs SLAVE MONITOR
//! (MariaDB) or REPLICATION CLIENT (MySQL). Passwords are proved by `mysql_native_password` and `caching_sha2_password`;
//! where the latter wants the password itself (once after each start of the server), that is said over TLS only. A replica
//! whose link is cut without a word notices after its own `slave_net_timeout` (60 s).
//!
//! A certificate that is not good is found out after the handshake, and left by a login without a secret. What cannot be
//! done politely is to leave a server with which no handshake succeeds (TLS 1.1, say): that counts as an error.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod held;
mod login;
mod packet;

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::attempt::Attempt;
use super::farewell::farewell;
use super::report::{Fact, Fault};
use super::target::{Address, Credentials, Role, Tls};
use super::unseen;
use super::words::words;
use crate::detector::outcome::{Ailment, Cause};
pub(super) use held::Held;
use login::{Greeting, User};
use packet::{Fields, Packets, Value};

/// As whom a probe without credentials comes.
const NOBODY: User<'static> = User { name: "netsplit", password: "", database: "" };

/// `COM_QUIT` with the head of its packet.
const QUIT: [u8; 5] = [1, 0, 0, 0, 0x01];

/// `COM_QUERY`.
const QUERY: u8 = 0x03;

/// SHOW REPLICA STATUS has 63 columns in MySQL 8.4 and 59 in MariaDB 11.
const MOST_COLUMNS: usize = 128;

/// A row for each primary that is followed: MySQL takes up to 256 of them.
const MOST_ROWS: usize = 256;

/// A database server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mysql {
    /// Whereto.
    pub address: Address,
    /// With TLS, begun in the middle of the protocol.
    pub tls: Option<Tls>,
    /// As whom; without, the server's answer to somebody without a password is enough.
    pub credentials: Option<Credentials>,
    /// Which database is opened, where there are credentials. Empty: none.
    pub database: String,
    /// Which role it should have. Only with credentials can it be told.
    pub role: Role,
    /// How far a replica may be behind.
    pub max_lag: Option<Duration>,
}

impl Mysql {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let (mut packets, greeting, entered) = self.open(attempt).await?;
        if let Err(fault) = entered {
            let is_an_answer = self.credentials.is_none() && fault.cause == Some(Cause::Auth);
            return if is_an_answer { Ok(()) } else { Err(fault) };
        }
        let found = if self.credentials.is_some() { self.ask(&mut packets, &greeting, attempt).await } else { Ok(()) };
        farewell(&mut packets.stream, &QUIT, attempt.left()).await;
        found
    }

    /// A connection, the greeting of the server, and whether it took the login.
    async fn open(&self, attempt: &mut Attempt) -> Result<(Packets, Greeting, Result<(), Fault>), Fault> {
        attempt.prepare(self.tls.as_ref()).await?;
        let password = attempt.password(self.credentials.as_ref()).await?;
        let user = match (&self.credentials, &password) {
            (Some(own), Some(password)) => {
                User { name: &own.username, password: password.expose(), database: &self.database }
            }
            _ => NOBODY,
        };
        let mut packets = Packets::new(attempt.open(&self.address, None, &[]).await?);
        let greeting = greeting(&mut packets, attempt).await?;
        if let Some(tls) = &self.tls {
            packets = self.secure(packets, &greeting, &user, tls, attempt).await?;
        }
        let entered = greeting.log_in(&mut packets, &user).await;
        if entered.is_err() {
            // It has hung up, or does so now.
            let _ = packets.stream.shutdown().await;
        }
        Ok((packets, greeting, entered))
    }

    async fn secure(
        &self,
        mut packets: Packets,
        greeting: &Greeting,
        user: &User<'_>,
        tls: &Tls,
        attempt: &mut Attempt,
    ) -> Result<Packets, Fault> {
        if !greeting.offers_tls() {
            leave(&mut packets, greeting, attempt).await;
            return Err(Fault::new(Cause::Tls, "it does not offer TLS"));
        }
        greeting.ask_for_tls(&mut packets, user).await?;
        let mut judged = Ok(());
        let secure = async |stream| {
            let secured = unseen::secure(attempt, stream, &self.address.host, tls).await?;
            judged = secured.1;
            Ok::<_, Fault>(secured.0)
        };
        packets = packets.over(secure).await?;
        if judged.is_err() {
            leave(&mut packets, greeting, attempt).await;
        }
        judged.map(|()| packets)
    }

    async fn ask(&self, packets: &mut Packets, greeting: &Greeting, attempt: &mut Attempt) -> Result<(), Fault> {
        let rows = query(packets, "SELECT @@global.read_only AS read_only").await?;
        let read_only = rows.first().and_then(|row| row.get("read_only")).is_some_and(|value| is_on(value));
        attempt.note("read_only", Fact::Flag(read_only));
        match query(packets, question(&greeting.version)).await {
            Ok(rows) => {
                let told = Replication::told(&rows);
                told.note(attempt);
                told.judge(self.role, read_only, self.max_lag)
            }
            // Without the right to ask, an answer is enough unless more is expected.
            Err(fault) if fault.cause == Some(Cause::Auth) && self.role == Role::Any && self.max_lag.is_none() => {
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Leaves in peace before the login, which is by a login without a secret.
async fn leave(packets: &mut Packets, greeting: &Greeting, attempt: &Attempt) {
    if greeting.log_in(packets, &NOBODY).await.is_ok() {
        farewell(&mut packets.stream, &QUIT, attempt.left()).await;
    }
}

async fn greeting(packets: &mut Packets, attempt: &mut Attempt) -> Result<Greeting, Fault> {
    let packet = packets.next().await?;
    if packet.first() == Some(&0xff) {
        return Err(refusal(&packet));
    }
    let greeting = Greeting::read(&packet)?;
    attempt.note("version", Fact::Word(words(version(&greeting.version).as_bytes())));
    Ok(greeting)
}

/// MariaDB 10 says 5.5.5 first, for replicas that would not follow a version of two digits.
fn version(said: &str) -> &str {
    if said.contains("MariaDB") { said.strip_prefix("5.5.5-").unwrap_or(said) } else { said }
}

/// The question that this server understands: MySQL has had it under another name since 8.0.22, and the old one is gone
/// in 8.4. MariaDB knows both, and shows those of all connections only if asked.
fn question(said: &str) -> &'static str {
    if said.contains("MariaDB") {
        return "SHOW ALL SLAVES STATUS";
    }
    let mut numbers = said.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or_default());
    let number = [numbers.next(), numbers.next(), numbers.next()].map(Option::unwrap_or_default);
    if number >= [8, 0, 22] { "SHOW REPLICA STATUS" } else { "SHOW SLAVE STATUS" }
}

/// What an error says, by its number (the server error references of MySQL and MariaDB).
fn refusal(packet: &[u8]) -> Fault {
    let mut fields = Fields(packet);
    let (Some(0xff), Some(code)) = (fields.u8(), fields.u16()) else {
        return Fault::protocol("an error without a number");
    };
    // Before the greeting there is no SQLSTATE.
    let message = match fields.0 {
        [b'#', _, _, _, _, _, message @ ..] => message,
        message => message,
    };
    let detail = format!("{} ({code})", words(message));
    match code {
        // Too many connections, no memory, no thread; shutting down; this host is blocked; offline.
        1040 | 1041 | 1053 | 1129 | 1135 | 1203 | 1226 | 3032 | 3168 => Fault::unhealthy(Ailment::NotServing, detail),
        // The disk is full.
        1021 => Fault::unhealthy(Ailment::Alarm, detail),
        // Wrong password or user, no right, this host may not, account locked or expired, plain text forbidden.
        1044 | 1045 | 1130 | 1142 | 1227 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 4151 => {
            Fault::new(Cause::Auth, detail)
        }
        _ => Fault::new(Cause::Status, detail),
    }
}

fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "OFF")
}

/// The columns of a row by name; those that are NULL are not there.
type Row = std::collections::BTreeMap<String, String>;

/// Asks, and reads the answer: the columns, an end, the rows, an end.
async fn query(packets: &mut Packets, text: &str) -> Result<Vec<Row>, Fault> {
    packets.command(&[&[QUERY], text.as_bytes()].concat()).await?;
    let wrong = || Fault::protocol("the answer to a query is not one of MySQL");
    let head = packets.next().await?;
    let count = match head.first() {
        Some(0xff) => return Err(refusal(&head)),
        _ => Fields(&head).length().filter(|count| (1..=MOST_COLUMNS).contains(count)).ok_or_else(wrong)?,
    };
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(name(&packets.next().await?).ok_or_else(wrong)?);
    }
    if !is_end(&packets.next().await?) {
        return Err(wrong());
    }
    let mut rows = Vec::new();
    while rows.len() <= MOST_ROWS {
        let packet = packets.next().await?;
        match packet.first() {
            Some(0xff) => return Err(refusal(&packet)),
            _ if is_end(&packet) => return Ok(rows),
            _ => rows.push(row(&names, &packet).ok_or_else(wrong)?),
        }
    }
    Err(wrong())
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

/// The name of a column: catalog, schema, table and the table's own name come before it.
fn name(packet: &[u8]) -> Option<String> {
    let mut fields = Fields(packet);
    for _ in 0..4 {
        fields.text()?;
    }
    fields.text().map(|name| String::from_utf8_lossy(name).into_owned())
}

fn row(names: &[String], packet: &[u8]) -> Option<Row> {
    let mut fields = Fields(packet);
    let mut row = Row::new();
    for name in names {
        if let Value::Text(value) = fields.value()? {
            row.insert(name.clone(), String::from_utf8_lossy(value).into_owned());
        }
    }
    Some(row)
}

/// What a server says of its replication.
#[derive(Debug, PartialEq, Eq)]
enum Replication {
    /// It follows nobody.
    Primary,
    /// It follows at least one.
    Replica {
        /// Why what is written does not arrive, or is not done.
        broken: Option<String>,
        /// How far it is behind the last of those it follows, where it knows.
        lag: Option<Duration>,
    },
}

impl Replication {
    fn told(rows: &[Row]) -> Self {
        if rows.is_empty() {
            return Self::Primary;
        }
        let lag = |row: &Row| {
            let seconds = either(row, "Seconds_Behind_Source", "Seconds_Behind_Master")?;
            seconds.parse().ok().map(Duration::from_secs)
        };
        Self::Replica { broken: rows.iter().find_map(broken), lag: rows.iter().filter_map(lag).max() }
    }

    fn note(&self, attempt: &mut Attempt) {
        match self {
            Self::Primary => attempt.note("role", Fact::Word("primary".to_owned())),
            Self::Replica { broken, lag } => {
                attempt.note("role", Fact::Word("replica".to_owned()));
                attempt.note("link", Fact::Word(if broken.is_none() { "up" } else { "down" }.to_owned()));
                if let Some(lag) = lag {
                    attempt.note("lag", Fact::Time(*lag));
                }
            }
        }
    }

    /// The wrong role comes first: whoever writes to a replica is not helped by its link.
    fn judge(&self, expected: Role, read_only: bool, max_lag: Option<Duration>) -> Result<(), Fault> {
        match (expected, self) {
            (Role::Primary, Self::Replica { .. }) => Err(Fault::unhealthy(Ailment::Role, "it is a replica")),
            (Role::Primary, Self::Primary) if read_only => Err(Fault::unhealthy(Ailment::Role, "it is read only")),
            (Role::Replica, Self::Primary) => Err(Fault::unhealthy(Ailment::Role, "it follows nobody")),
            (_, Self::Replica { broken: Some(why), .. }) => {
                Err(Fault::unhealthy(Ailment::ReplicationDown, why.clone()))
            }
            (_, Self::Replica { lag: Some(lag), .. }) if max_lag.is_some_and(|most| *lag > most) => {
                let detail = format!("it is {} s behind its primary", lag.as_secs());
                Err(Fault::unhealthy(Ailment::ReplicationLag, detail))
            }
            _ => Ok(()),
        }
    }
}

fn either<'a>(row: &'a Row, new: &str, old: &str) -> Option<&'a str> {
    row.get(new).or_else(|| row.get(old)).map(String::as_str)
}

/// Why a replica does not follow: one thread fetches what is written, another does it.
fn broken(row: &Row) -> Option<String> {
    let threads = [
        ("fetches", "Replica_IO_Running", "Slave_IO_Running", "Last_IO_Error"),
        ("applies", "Replica_SQL_Running", "Slave_SQL_Running", "Last_SQL_Error"),
    ];
    threads.into_iter().find_map(|(does, new, old, error)| {
        let state = either(row, new, old).unwrap_or_default();
        let error = row.get(error).map_or(String::new(), |error| words(error.as_bytes()));
        (state != "Yes").then(|| {
            format!("nothing {does} what its primary writes ({}) {error}", words(state.as_bytes()))
                .trim_end()
                .to_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_asked_in_its_own_words() {
        assert_eq!(question("5.5.5-10.11.6-MariaDB-log"), "SHOW ALL SLAVES STATUS");
        assert_eq!(question("11.4.2-MariaDB"), "SHOW ALL SLAVES STATUS");
        for (version, words) in
            [("8.0.21", "SHOW SLAVE STATUS"), ("8.0.22", "SHOW REPLICA STATUS"), ("5.7.44-log", "SHOW SLAVE STATUS")]
        {
            assert_eq!(question(version), words, "{version}");
        }
        assert_eq!((question("8.4.0"), question("9.1.0-cluster")), ("SHOW REPLICA STATUS", "SHOW REPLICA STATUS"));
        assert_eq!((version("5.5.5-10.11.6-MariaDB"), version("5.5.5")), ("10.11.6-MariaDB", "5.5.5"));
    }

    #[test]
    fn errors_come_with_and_without_a_state() {
        // "Protocol::ERR_Packet" in MySQL's protocol documentation, and a host that is blocked, before the greeting.
        let cases: [(&[u8], Cause, &str); 3] = [
            (b"\xff\x48\x04#HY000No tables used", Cause::Status, "No tables used (1096)"),
            (b"\xff\x69\x04Host 'a' is blocked", Cause::Unhealthy(Ailment::NotServing), "Host 'a' is blocked (1129)"),
            (b"\xff\x15", Cause::Protocol, "an error without a number"),
        ];
        for (packet, cause, detail) in cases {
            assert_eq!(refusal(packet), Fault::new(cause, detail));
        }
    }
}
