//! Requests and answers of Kafka, and the types in them (the protocol's guide, "Protocol primitive types").
//!
//! An answer is read field by field as it comes, never past the length that it says it has, and each field is taken off
//! that length: an array that claims to be longer than its answer ends with it.
#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Take};

use crate::probe::report::Fault;
use crate::probe::stream::{Stream, stirs};
use crate::probe::words::words;

/// The longest answer that is read: of 400,000 partitions with three replicas, twice what Kafka's makers advise for a
/// cluster. It is read in pieces and takes no such memory, but time.
const LONGEST: u32 = 16 * 1024 * 1024;

/// How many names are kept of a list that is shown.
pub(super) const MANY: u32 = 16;

/// How this client calls itself; it shows in the broker's metrics and quotas.
const NAME: &str = "netsplit";

/// A question, in one of its versions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Api {
    pub(super) key: i16,
    pub(super) version: i16,
}

/// A connection with a broker: one question, then its answer to the end, then the next question.
pub(super) struct Talk {
    /// What is left of the answer.
    answer: Take<BufReader<Stream>>,
    asked: i32,
}

impl Talk {
    pub(super) fn new(stream: Stream) -> Self {
        Self { answer: BufReader::new(stream).take(0), asked: 0 }
    }

    /// Asks, and reads the beginning of the answer.
    pub(super) async fn ask(&mut self, api: Api, body: &[u8]) -> Result<(), Fault> {
        self.asked += 1;
        let head = [api.key.to_be_bytes(), api.version.to_be_bytes()].concat();
        let request = [&head[..], &self.asked.to_be_bytes(), &string(NAME)?, body].concat();
        let stream = self.answer.get_mut();
        stream.write_all(&bytes(&request)?).await?;
        stream.flush().await?;
        let size = stream.read_u32().await?;
        if !(4..=LONGEST).contains(&size) {
            return Err(Fault::protocol(format!("an answer of {size} bytes: this is no Kafka, or TLS is wanted")));
        }
        self.answer.set_limit(u64::from(size));
        if self.i32().await? == self.asked {
            Ok(())
        } else {
            Err(Fault::protocol("an answer, but not to the question"))
        }
    }

    /// Nothing more is in the answer.
    pub(super) fn end(&self) -> Result<(), Fault> {
        if self.answer.limit() == 0 { Ok(()) } else { Err(Fault::protocol("an answer is longer than what is in it")) }
    }

    /// Waits until something comes that nobody asked for, or the connection ends; takes nothing. May be dropped at any time.
    pub(super) async fn stirs(&mut self) -> Result<(), Fault> {
        stirs(self.answer.get_mut()).await
    }

    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.answer.get_mut().shutdown().await
    }

    pub(super) async fn i8(&mut self) -> Result<i8, Fault> {
        let read = self.answer.read_i8().await;
        read.map_err(|error| self.broken(&error))
    }

    pub(super) async fn i16(&mut self) -> Result<i16, Fault> {
        let read = self.answer.read_i16().await;
        read.map_err(|error| self.broken(&error))
    }

    pub(super) async fn i32(&mut self) -> Result<i32, Fault> {
        let read = self.answer.read_i32().await;
        read.map_err(|error| self.broken(&error))
    }

    /// How many elements an array has. One that is absent (-1) has none.
    pub(super) async fn length(&mut self) -> Result<u32, Fault> {
        Ok(u32::try_from(self.i32().await?).unwrap_or(0))
    }

    /// A text that may be absent, fit to be shown.
    pub(super) async fn string(&mut self) -> Result<Option<String>, Fault> {
        let Ok(size) = u16::try_from(self.i16().await?) else { return Ok(None) };
        let mut text = vec![0; usize::from(size)];
        let read = self.answer.read_exact(&mut text).await;
        read.map_err(|error| self.broken(&error))?;
        Ok(Some(words(&text)))
    }

    pub(super) async fn skip_string(&mut self) -> Result<(), Fault> {
        let size = u64::try_from(self.i16().await?).unwrap_or(0);
        self.skip(size).await
    }

    pub(super) async fn skip_bytes(&mut self) -> Result<(), Fault> {
        let size = u64::from(self.length().await?);
        self.skip(size).await
    }

    /// An array of numbers of 32 bits.
    pub(super) async fn skip_numbers(&mut self) -> Result<(), Fault> {
        let size = u64::from(self.length().await?) * 4;
        self.skip(size).await
    }

    async fn skip(&mut self, mut size: u64) -> Result<(), Fault> {
        while size > 0 {
            let there = match self.answer.fill_buf().await {
                Ok([]) => return Err(self.broken(&io::ErrorKind::UnexpectedEof.into())),
                Ok(there) => there.len(),
                Err(error) => return Err(error.into()),
            };
            let taken = usize::try_from(size).map_or(there, |size| size.min(there));
            self.answer.consume(taken);
            size = size.saturating_sub(u64::try_from(taken).unwrap_or(size));
        }
        Ok(())
    }

    /// An answer that ends before its fields do is a broken one, not a broken connection.
    fn broken(&self, error: &io::Error) -> Fault {
        if error.kind() == io::ErrorKind::UnexpectedEof && self.answer.limit() == 0 {
            return Fault::protocol("an answer is shorter than what should be in it");
        }
        Fault::of_connection(error)
    }
}

/// A text of up to 32,767 bytes; a longer one is a fault of the configuration.
pub(super) fn string(text: &str) -> Result<Vec<u8>, Fault> {
    let size = i16::try_from(text.len()).map_err(|_| Fault::local("a text for Kafka is too long"))?;
    Ok([&size.to_be_bytes(), text.as_bytes()].concat())
}

/// Bytes after their number.
pub(super) fn bytes(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let size = i32::try_from(bytes.len()).map_err(|_| Fault::local("too much for Kafka"))?;
    Ok([&size.to_be_bytes(), bytes].concat())
}
