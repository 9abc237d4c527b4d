//! One request, one answer, one connection: a client as small as that, bounded in time and in size.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, ETAG, HOST, IF_NONE_MATCH};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Address, AskError};
use netsplit::api::OVERRIDE;

/// How large an answer may be: the matrix of 5,000 nodes is 25 MB.
const LARGEST: usize = 64 << 20;

/// How long a whole answer may take, however steadily it comes.
const LONGEST: Duration = Duration::from_mins(2);

/// What is asked.
pub(super) struct Request<'a> {
    pub(super) address: &'a Address,
    pub(super) path: &'a str,
    pub(super) tag: Option<&'a str>,
    pub(super) patience: Duration,
}

/// What is answered.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) tag: Option<String>,
    pub(super) overridden: Option<String>,
}

impl Request<'_> {
    /// Asks.
    pub(super) async fn send(&self) -> Result<Reply, AskError> {
        let late = |_| AskError::TimedOut(self.address.clone());
        timeout(LONGEST, self.converse()).await.map_err(late)?
    }

    async fn converse(&self) -> Result<Reply, AskError> {
        let stream = self.in_time(self.connect()).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.failed(&error))?;
        let mut connection = pin!(connection);
        let mut answering = pin!(self.answer(&mut sender));
        tokio::select! {
            biased;
            answer = &mut answering => answer,
            // It ends with the last byte of the answer, or before: what has come by then is there to be read.
            _ = &mut connection => answering.await,
        }
    }

    async fn answer(&self, sender: &mut http1::SendRequest<Empty<Bytes>>) -> Result<Reply, AskError> {
        let mut request = hyper::Request::get(self.path)
            .header(HOST, self.address.to_string())
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close");
        if let Some(tag) = self.tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let request = request.body(Empty::new()).map_err(|_| AskError::NotNetsplit(self.address.clone()))?;
        let sent = async { sender.send_request(request).await.map_err(|error| self.failed(&error)) };
        let response = self.in_time(sent).await?;
        let status = response.status();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (tag, overridden) = (header(ETAG.as_str()), header(OVERRIDE));
        Ok(Reply { status, body: self.body(response).await?, tag, overridden })
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Vec<u8>, AskError> {
        let mut incoming = response.into_body();
        let mut body = Vec::new();
        loop {
            let next = async { incoming.frame().await.transpose().map_err(|error| self.failed(&error)) };
            let Some(frame) = self.in_time(next).await? else { return Ok(body) };
            let Ok(bytes) = frame.into_data() else { continue };
            if body.len() + bytes.len() > LARGEST {
                return Err(AskError::TooLarge(self.address.clone()));
            }
            body.extend_from_slice(&bytes);
        }
    }

    async fn connect(&self) -> Result<TcpStream, AskError> {
        let address = self.address.clone();
        let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
        let mut last = None;
        for candidate in found.into_iter().flatten() {
            match TcpStream::connect(candidate).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            None => AskError::Unnamed(address),
            Some(error) if error.kind() == ErrorKind::ConnectionRefused => AskError::Refused(address),
            Some(error) if error.kind() == ErrorKind::TimedOut => AskError::TimedOut(address),
            Some(cause) => AskError::Unreachable { address, cause },
        })
    }

    async fn in_time<T>(&self, step: impl Future<Output = Result<T, AskError>>) -> Result<T, AskError> {
        timeout(self.patience, step).await.map_err(|_| AskError::TimedOut(self.address.clone()))?
    }

    /// What speaks another language is not netsplit; what says nothing may be one that has too many clients.
    fn failed(&self, error: &hyper::Error) -> AskError {
        let address = self.address.clone();
        if error.is_parse() { AskError::NotNetsplit(address) } else { AskError::Cut(address) }
    }
}
