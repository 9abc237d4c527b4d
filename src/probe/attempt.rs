//! One probe under way: it finds the addresses of the name, connects, secures the connection, and notes how long each took.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::{Fact, Fault, Phases};
use super::resolve;
use super::secret::{self, Secret};
use super::stream::Stream;
use super::target::{Address, Credentials, Host, Tls};
use super::tls;
use crate::clock::Clock;
use crate::detector::outcome::Cause;
use crate::detector::time::Now;

/// One probe under way.
#[derive(Debug)]
pub(super) struct Attempt {
    clock: Clock,
    ends: Now,
    /// Which of several addresses is tried first: each has its turn.
    turn: usize,
    /// The part that it is in, and since when: what is cut off by the timeout has taken time, too.
    under_way: Option<(Part, Now)>,
    /// The file that it reads, or has read last.
    file: PathBuf,
    /// What was read before it connected: nothing of the endpoint's time is spent on a disk.
    prepared: BTreeMap<PathBuf, Vec<u8>>,
    pub(super) address: Option<SocketAddr>,
    pub(super) phases: Phases,
    pub(super) facts: Vec<(&'static str, Fact)>,
}

/// A part of a probe whose time is measured, if it is one that others have a hand in.
#[derive(Clone, Copy, Debug)]
enum Part {
    File,
    Dns,
    Connect,
    Tls,
    Exchange,
}

impl Attempt {
    pub(super) fn new(clock: Clock, time: Duration, turn: usize) -> Self {
        let ends = clock.now() + time;
        let (file, prepared, phases, facts) = Default::default();
        Self { clock, ends, turn, under_way: None, file, prepared, address: None, phases, facts }
    }

    /// Notes what the endpoint says of itself.
    pub(super) fn note(&mut self, name: &'static str, fact: Fact) {
        self.facts.push((name, fact));
    }

    /// How much of the probe's time is left.
    pub(super) fn left(&self) -> Duration {
        self.ends.since(self.clock.now())
    }

    /// What it means that the time is over: a disk that hangs and silent name servers say nothing of the endpoint.
    pub(super) fn too_late(&self) -> Fault {
        match self.under_way {
            Some((Part::File, _)) => {
                Fault::local(format!("{} was not read in time: does its disk hang?", self.file.display()))
            }
            Some((Part::Dns, _)) => Fault::new(Cause::Dns, "no name server told the addresses in time"),
            _ => Fault::too_late(),
        }
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// The time of day, since the epoch: certificates have one.
    pub(super) fn wall(&self) -> Duration {
        self.clock.wall()
    }

    /// The time since `begun`, for a phase.
    pub(super) fn since(&self, begun: Now) -> Duration {
        self.clock.now().since(begun)
    }

    /// Ends the part that it is in, and begins the next.
    fn begin(&mut self, part: Part) {
        self.end();
        self.under_way = Some((part, self.now()));
    }

    /// Ends the part that it is in. A part that comes again, as an exchange after TLS in the middle of it, adds up.
    pub(super) fn end(&mut self) {
        let Some((part, begun)) = self.under_way.take() else { return };
        let took = self.since(begun);
        let phase = match part {
            Part::File => return,
            Part::Dns => &mut self.phases.dns,
            Part::Connect => &mut self.phases.connect,
            Part::Tls => &mut self.phases.tls,
            Part::Exchange => &mut self.phases.exchange,
        };
        *phase = Some(phase.unwrap_or_default() + took);
    }

    /// What is in a file that the configuration names, read while the rest of this probe waits and no other does.
    pub(super) async fn read(&mut self, path: &Path) -> Result<Vec<u8>, Fault> {
        if let Some(text) = self.prepared.get(path) {
            return Ok(text.clone());
        }
        let before = self.under_way.map(|(part, _)| part);
        path.clone_into(&mut self.file);
        self.begin(Part::File);
        let text = secret::read(path).await;
        self.end();
        if let Some(before) = before {
            self.begin(before);
        }
        text
    }

    /// Reads what TLS will need. One that is missing or hangs must not break a handshake off in the middle: some servers
    /// count that against the host.
    pub(super) async fn prepare(&mut self, tls: Option<&Tls>) -> Result<(), Fault> {
        let Some(tls) = tls else { return Ok(()) };
        let identity = tls.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        for path in tls.ca_file.iter().chain(identity) {
            let text = self.read(path).await?;
            self.prepared.insert(path.clone(), text);
        }
        Ok(())
    }

    /// The password or token in a file.
    pub(super) async fn secret(&mut self, path: &Path) -> Result<Secret, Fault> {
        Secret::of(self.read(path).await?, path)
    }

    /// The password of who logs in.
    pub(super) async fn password(&mut self, credentials: Option<&Credentials>) -> Result<Option<Secret>, Fault> {
        let Some(own) = credentials else { return Ok(None) };
        Ok(Some(self.secret(&own.password_file).await?))
    }

    /// The message of SASL PLAIN (RFC 4616) of who logs in.
    pub(super) async fn sasl_plain(&mut self, credentials: Option<&Credentials>) -> Result<Option<Vec<u8>>, Fault> {
        let (Some(own), Some(password)) = (credentials, self.password(credentials).await?) else { return Ok(None) };
        Ok(Some(["", &own.username, password.expose()].join("\0").into_bytes()))
    }

    /// The addresses of a host, those first whose turn it is.
    pub(super) async fn addresses_of(&mut self, host: &Host) -> Result<Vec<IpAddr>, Fault> {
        let Host::Name(name) = host else {
            let Host::Ip(ip) = host else { return Err(Fault::local("a host is a name or an address")) };
            return Ok(vec![*ip]);
        };
        self.begin(Part::Dns);
        let found = resolve::addresses_of(name, self.left()).await;
        self.end();
        let mut addresses = found?;
        let turn = self.turn % addresses.len().max(1);
        addresses.rotate_left(turn);
        Ok(addresses)
    }

    /// A connection, secured if that is wanted. `alpn` names the protocols to offer in TLS.
    pub(super) async fn open(&mut self, to: &Address, tls: Option<&Tls>, alpn: &[&str]) -> Result<Stream, Fault> {
        self.prepare(tls).await?;
        let stream = Stream::Plain(self.connect(to).await?);
        if let Some(tls) = tls {
            return self.secure(stream, &to.host, tls, alpn).await;
        }
        self.begin(Part::Exchange);
        Ok(stream)
    }

    /// A TCP connection to the first address that takes one; each has an even share of the time that is left. Those that
    /// did not take one are noted: half of a service is not all of it.
    async fn connect(&mut self, to: &Address) -> Result<TcpStream, Fault> {
        let addresses = self.addresses_of(&to.host).await?;
        let all = addresses.len();
        self.begin(Part::Connect);
        let mut last = Fault::new(Cause::Dns, format!("{} has no address", to.host));
        for (tried, ip) in addresses.into_iter().enumerate() {
            let address = SocketAddr::new(ip, to.port);
            self.address = Some(address);
            let share = self.left() / u32::try_from(all - tried).unwrap_or(u32::MAX);
            let connected = timeout(share, connect(address)).await;
            match connected {
                Ok(Ok(stream)) => {
                    self.end();
                    self.note_addresses(all, tried);
                    return Ok(stream);
                }
                Ok(Err(fault)) => last = fault,
                Err(_) => last = Fault::new(Cause::Timeout, format!("no answer from {address}")),
            }
        }
        self.end();
        Err(last)
    }

    /// Notes of how many addresses so many did not answer.
    pub(super) fn note_addresses(&mut self, all: usize, failed: usize) {
        if failed > 0 {
            self.note("addresses", Fact::Count(all as u64));
            self.note("addresses_failed", Fact::Count(failed as u64));
        }
    }

    /// Secures a connection that stands; protocols that begin in plain text do so in the middle of it.
    pub(super) async fn secure(
        &mut self,
        stream: Stream,
        host: &Host,
        tls: &Tls,
        alpn: &[&str],
    ) -> Result<Stream, Fault> {
        let Stream::Plain(stream) = stream else { return Err(Fault::local("a connection is secured once")) };
        let config = tls::config(tls, alpn, self).await?;
        let name = tls::server_name(host, tls)?;
        self.begin(Part::Tls);
        let secured = tls::secure(stream, name, config).await;
        self.end();
        let (stream, expires) = secured?;
        self.begin(Part::Exchange);
        if let Some(expires) = expires {
            self.note("certificate_expires", Fact::Word(expires));
        }
        Ok(Stream::Secure(Box::new(stream)))
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Fault> {
    let stream = begin(address).map_err(|error| Fault::of_beginning(&error))?;
    match stream.writable().await.and_then(|()| stream.take_error()) {
        Ok(None) => Ok(stream),
        Ok(Some(error)) | Err(error) => Err(Fault::of_connection(&error)),
    }
}

/// Begins to connect. What fails here fails on this machine; what fails later, the network told us.
fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    // Else the second of two small messages waits for the first to be acknowledged, which takes 40 ms.
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error().map(Errno::from_raw) != Some(Errno::EINPROGRESS) => Err(error),
        _ => TcpStream::from_std(socket.into()),
    }
}
