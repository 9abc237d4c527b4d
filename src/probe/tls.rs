//! TLS by rustls with ring: the usual authorities and those of the configuration, a certificate of one's own, the time at
//! which that of the endpoint expires.
//!
//! A certificate that is not good is told to the server by an alert, as TLS wants it. Some servers write a line about that
//! (those in Go: "remote error: tls: …"): there is no handshake that ends so and is silent.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::attempt::Attempt;
use super::report::Fault;
use super::target::{Host, Tls};
use crate::detector::outcome::Cause;

/// A secured connection, and when the certificate of the endpoint expires.
pub(super) async fn secure(
    stream: TcpStream,
    name: ServerName<'static>,
    config: ClientConfig,
) -> Result<(TlsStream<TcpStream>, Option<String>), Fault> {
    let secured = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| refused(&error))?;
    let expires = secured.get_ref().1.peer_certificates().and_then(|chain| expiry(chain.first()?));
    Ok((secured, expires))
}

/// The name that the certificate must have.
pub(super) fn server_name(host: &Host, tls: &Tls) -> Result<ServerName<'static>, Fault> {
    match (&tls.server_name, host) {
        (Some(name), _) | (None, Host::Name(name)) => {
            let name = name.trim_end_matches('.').to_owned();
            ServerName::try_from(name).map_err(|error| Fault::local(format!("the server name: {error}")))
        }
        (None, Host::Ip(ip)) => Ok(ServerName::from(*ip)),
    }
}

/// What a handshake needs, its files read.
pub(super) async fn config(tls: &Tls, alpn: &[&str], attempt: &mut Attempt) -> Result<ClientConfig, Fault> {
    let mut config = unnegotiated(tls, attempt).await?;
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

async fn unnegotiated(tls: &Tls, attempt: &mut Attempt) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Fault::local(error.to_string()))?;
    let builder = if tls.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
    } else {
        let verifier = WebPkiServerVerifier::builder_with_provider(authorities(tls, attempt).await?, provider).build();
        builder.with_webpki_verifier(verifier.map_err(|error| Fault::local(error.to_string()))?)
    };
    match &tls.identity {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let bad = |error: &dyn std::fmt::Display| Fault::local(format!("{}: {error}", key.display()));
            let own = PrivateKeyDer::from_pem_slice(&attempt.read(key).await?).map_err(|error| bad(&error))?;
            builder.with_client_auth_cert(certificates(certificate, attempt).await?, own).map_err(|error| bad(&error))
        }
    }
}

/// Whether a chain of certificates that was taken unseen is good after all, `now` since the epoch.
pub(super) fn judge(
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    authorities: Arc<RootCertStore>,
    now: Duration,
) -> Result<(), Fault> {
    let Some((certificate, between)) = chain.split_first() else {
        return Err(Fault::new(Cause::Tls, "it shows no certificate"));
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(authorities, provider).build();
    let verifier = verifier.map_err(|error| Fault::local(error.to_string()))?;
    let now = UnixTime::since_unix_epoch(now);
    match verifier.verify_server_cert(certificate, between, name, &[], now) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::new(Cause::Tls, error.to_string())),
    }
}

/// Who is trusted to sign certificates.
pub(super) async fn authorities(tls: &Tls, attempt: &mut Attempt) -> Result<Arc<RootCertStore>, Fault> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = &tls.ca_file {
        for certificate in certificates(file, attempt).await? {
            roots.add(certificate).map_err(|error| Fault::local(format!("{}: {error}", file.display())))?;
        }
    }
    Ok(Arc::new(roots))
}

async fn certificates(file: &Path, attempt: &mut Attempt) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let text = attempt.read(file).await?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(Fault::local(format!("{} has no certificate in it (PEM)", file.display()))),
        Err(error) => Err(Fault::local(format!("{}: {error}", file.display()))),
    }
}

/// A handshake that fails in TLS is cause `tls`; one that breaks off is what a broken connection is.
fn refused(error: &io::Error) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => Fault::new(Cause::Tls, inner.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Fault::new(Cause::Tls, "it ended the handshake"),
        None => Fault::of_connection(error),
    }
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let seconds = Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()?;
    Some(seconds.to_string())
}

/// Takes whoever shows a certificate, and is said so out loud: what is signed is looked at all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
