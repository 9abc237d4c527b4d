//! Everything that can be wrong at the other end of a probe, on loopback: ports that are closed, silent, full, slow, that
//! break off or speak another protocol; and TLS with each kind of certificate.
//!
//! [`are_told_apart`] holds a type against all that is the same for every protocol over TCP.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::outcome::{Cause, Outcome};
use netsplit::probe::{self, Check, Report, Target, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

/// Longer than any answer takes, however busy the machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Long enough for what does not come.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

/// What comes of one probe.
pub(crate) fn probed(check: Check, timeout: Duration) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(probe::probe(&Target { check, timeout }, Clock::start(), 0))
}

/// Fails unless the probe of this check fails for this cause.
#[track_caller]
pub(crate) fn fails(check: Check, cause: Cause) {
    let report = probed(check, LONG);
    assert_eq!(report.outcome, Outcome::Failure(cause), "{report:?}");
    assert!(!report.detail.is_empty(), "a failure says why");
}

/// Fails unless the probe of this check takes all of its time, and no more than it.
#[track_caller]
pub(crate) fn times_out(check: Check) {
    let report = probed(check, SHORT);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Timeout), "{report:?}");
}

/// What each protocol over TCP makes of a port where something is wrong. `beginning` is how a good answer begins, and not
/// all of one: it comes a byte at a time.
#[track_caller]
pub(crate) fn are_told_apart(check: impl Fn(SocketAddr) -> Check, beginning: &'static [u8]) {
    fails(check(closed()), Cause::Refused);
    fails(check(resetting().address), Cause::Reset);
    fails(check(ending().address), Cause::Reset);
    times_out(check(hung().address));
    times_out(check(full().address));
    times_out(check(dripping(beginning).address));
}

// ------------------------------------------------------------------------------------------- ports

/// A port at which something is wrong, for as long as the program runs.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    /// What has to stay open.
    _kept: Vec<Socket>,
}

/// A port that nobody has.
pub(crate) fn closed() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Takes connections and says nothing.
pub(crate) fn hung() -> Port {
    serving(|stream| {
        let _ = swallow(stream);
    })
}

/// Takes no more connections: what would open one is dropped, as a firewall drops it.
pub(crate) fn full() -> Port {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    // The kernel takes one more than it is told to.
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut kept = vec![listener];
    while let Some(taken) = connected(&address) {
        kept.push(taken);
        assert!(kept.len() < 10, "this kernel does not mind how many wait");
    }
    Port { address: address.as_socket().unwrap(), _kept: kept }
}

fn connected(address: &SockAddr) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.connect_timeout(address, Duration::from_millis(200)).ok()?;
    Some(socket)
}

/// Resets each connection once something was said on it, or at once if it takes too long.
pub(crate) fn resetting() -> Port {
    serving(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = stream.read(&mut [0; 1]);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
}

/// Ends each connection in good order without a word.
pub(crate) fn ending() -> Port {
    serving(|stream| {
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = swallow(stream);
    })
}

/// Says this to whoever connects, whatever they say, and leaves the connection open: another protocol.
pub(crate) fn saying(text: &'static [u8]) -> Port {
    serving(move |mut stream| {
        let _ = stream.write_all(text);
        let _ = swallow(stream);
    })
}

/// Waits for the first word, answers with this, and ends: a whole answer of one request.
pub(crate) fn answering(text: impl Into<Vec<u8>>) -> Port {
    let text = text.into();
    serving(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&text);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = swallow(stream);
    })
}

/// Says this a byte at a time, and never comes to an end with it: the last byte over and over. It begins once something was
/// said, or soon: to some protocols an answer that comes before the question is no answer.
pub(crate) fn dripping(text: &'static [u8]) -> Port {
    serving(move |mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = stream.read(&mut [0; 4096]);
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let last = text.last().copied().unwrap_or(b'x');
        for byte in text.iter().copied().chain(std::iter::repeat(last)) {
            if stream.write_all(&[byte]).is_err() || is_over(&mut stream) {
                return;
            }
        }
    })
}

/// Waits a moment; whether the other side has gone.
fn is_over(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 4096]) {
        Ok(size) => size == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

fn swallow(mut stream: TcpStream) -> io::Result<u64> {
    io::copy(&mut stream, &mut io::sink())
}

/// A port whose every connection is treated like this, in a thread of its own.
pub(crate) fn serving(treat: impl Fn(TcpStream) + Clone + Send + 'static) -> Port {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let treat = treat.clone();
            thread::spawn(move || treat(stream));
        }
    });
    Port { address, _kept: Vec::new() }
}

// ------------------------------------------------------------------------------------ certificates

/// Which certificate a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Of `localhost` and 127.0.0.1, by the authority that is trusted.
    Good,
    /// The same, but its time is over.
    Expired,
    /// By the authority that is trusted, of another name.
    WrongName,
    /// Of the right name, by somebody else.
    UnknownAuthority,
}

/// When the good certificates end.
pub(crate) const EXPIRES: &str = "2096-01-01T00:00:00Z";

/// An authority and what it signed, as files that real servers read too: for each of [`Shows`] a certificate and its key,
/// a client's certificate, and the authority's own.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    /// Makes all of them.
    pub(crate) fn make() -> Self {
        let all = Self(tempfile::tempdir().unwrap());
        let trusted = all.authority("authority");
        let unknown = all.authority("somebody");
        all.sign(Shows::Good.name(), "localhost", 2096, &trusted);
        all.sign(Shows::Expired.name(), "localhost", 2020, &trusted);
        all.sign(Shows::WrongName.name(), "elsewhere.example", 2096, &trusted);
        all.sign(Shows::UnknownAuthority.name(), "localhost", 2096, &unknown);
        all.sign("client", "client", 2096, &trusted);
        all
    }

    /// How a probe trusts the authority.
    pub(crate) fn trust(&self) -> Tls {
        Tls { ca_file: Some(self.authority_file()), ..Tls::default() }
    }

    /// The same, showing the client's certificate.
    pub(crate) fn trust_and_show(&self) -> Tls {
        Tls { identity: Some((self.file("client.pem"), self.file("client.key"))), ..self.trust() }
    }

    /// The certificate of the authority that is trusted.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// The certificate that a server shows.
    pub(crate) fn certificate(&self, shows: Shows) -> PathBuf {
        self.file(&format!("{}.pem", shows.name()))
    }

    /// Its key.
    pub(crate) fn key(&self, shows: Shows) -> PathBuf {
        self.file(&format!("{}.key", shows.name()))
    }

    fn identity(&self, shows: Shows) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_file(self.certificate(shows)).unwrap();
        (vec![certificate], PrivateKeyDer::from_pem_file(self.key(shows)).unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        fs::write(self.file(&format!("{name}.pem")), parameters.self_signed(&key).unwrap().pem()).unwrap();
        Issuer::new(parameters, key)
    }

    fn sign(&self, file: &str, name: &str, until: i32, authority: &Issuer<'_, KeyPair>) {
        let names = if name == "localhost" { vec![name.to_owned(), "127.0.0.1".to_owned()] } else { vec![name.into()] };
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_before = date_time_ymd(2019, 1, 1);
        parameters.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, authority).unwrap();
        fs::write(self.file(&format!("{file}.pem")), certificate.pem()).unwrap();
        fs::write(self.file(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }
}

impl Shows {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::WrongName => "wrong-name",
            Self::UnknownAuthority => "unknown-authority",
        }
    }
}

/// A connection of a TLS server.
pub(crate) type Secured = StreamOwned<ServerConnection, TcpStream>;

/// A TLS server that shows this certificate, speaks these protocols (ALPN) and treats each connection like this.
pub(crate) fn secured(
    certificates: &Certificates,
    shows: Shows,
    alpn: &[&str],
    treat: impl Fn(&mut Secured) + Clone + Send + 'static,
) -> Port {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let (chain, key) = certificates.identity(shows);
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    treated(config, treat)
}

/// The same with a good certificate, for clients only that show the certificate of [`Certificates::trust_and_show`].
pub(crate) fn secured_for_known(
    certificates: &Certificates,
    treat: impl Fn(&mut Secured) + Clone + Send + 'static,
) -> Port {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut known = RootCertStore::empty();
    known.add(CertificateDer::from_pem_file(certificates.authority_file()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(known), Arc::clone(&provider));
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let (chain, key) = certificates.identity(Shows::Good);
    let config = builder.with_client_cert_verifier(verifier.build().unwrap()).with_single_cert(chain, key);
    treated(config.unwrap(), treat)
}

fn treated(config: ServerConfig, treat: impl Fn(&mut Secured) + Clone + Send + 'static) -> Port {
    let config = Arc::new(config);
    serving(move |stream| {
        let mut secured = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        treat(&mut secured);
        // Whoever did not like the certificate has gone already.
        secured.conn.send_close_notify();
        let _ = secured.flush();
    })
}

/// What each protocol over TLS makes of a certificate that is not good. `port` is of a server that shows this one.
#[track_caller]
pub(crate) fn certificates_are_told_apart(check: impl Fn(SocketAddr, Tls) -> Check) {
    let certificates = Certificates::make();
    for shows in [Shows::Expired, Shows::WrongName, Shows::UnknownAuthority] {
        let port = secured(&certificates, shows, &[], |stream| {
            let _ = stream.read(&mut [0; 1]);
        });
        fails(check(port.address, certificates.trust()), Cause::Tls);
    }
    // What speaks no TLS at all.
    fails(check(saying(b"SSH-2.0-OpenSSH_10.0\r\n").address, certificates.trust()), Cause::Tls);
}
