//! `tcp`: a connection, with TLS if wanted; something to say, and something to wait for.
//!
//! It ends in good order (a close of TLS, then of TCP). What a server of another protocol makes of a connection that says
//! nothing is its own affair: some count it as an error, which is what the types that speak are for.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod held;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::attempt::Attempt;
use super::report::Fault;
use super::stream::Stream;
use super::target::{Address, Tls};
use crate::detector::outcome::Cause;
pub(super) use held::Held;

/// How much is read while what is expected has not come.
const MOST: usize = 64 * 1024;

/// A TCP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Whereto.
    pub address: Address,
    /// With TLS.
    pub tls: Option<Tls>,
    /// What is sent.
    pub send: Option<String>,
    /// What has to come, anywhere in what does.
    pub expect: Option<String>,
}

impl Tcp {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let mut stream = self.open(attempt).await?;
        // Whoever is on the other side may have gone already.
        let _ = stream.shutdown().await;
        Ok(())
    }

    /// A connection on which all was said and came.
    async fn open(&self, attempt: &mut Attempt) -> Result<Stream, Fault> {
        let mut stream = attempt.open(&self.address, self.tls.as_ref(), &[]).await?;
        if let Some(text) = &self.send {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await?;
        }
        if let Some(expected) = &self.expect {
            await_text(&mut stream, expected.as_bytes()).await?;
        }
        Ok(stream)
    }
}

async fn await_text(stream: &mut (impl AsyncReadExt + Unpin), expected: &[u8]) -> Result<(), Fault> {
    let mut come = Vec::new();
    while come.len() < MOST {
        // What was there already has been searched, but for a beginning of it at the end.
        let searched = come.len().saturating_sub(expected.len());
        if stream.read_buf(&mut come).await? == 0 {
            return Err(Fault::new(Cause::Status, "it ended before what was expected came"));
        }
        let new = come.get(searched..).unwrap_or_default();
        if new.windows(expected.len().max(1)).any(|part| part == expected || expected.is_empty()) {
            return Ok(());
        }
    }
    Err(Fault::new(Cause::Status, "what was expected is not in the first 64 KiB"))
}
