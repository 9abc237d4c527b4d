//! Asking a running agent: where it is (`address`), how its HTTP server is asked (`client`), and what keeps it from
//! answering. The commands that ask share their arguments here.

mod address;
mod client;

use std::time::Duration;

use clap::Args;
use hyper::StatusCode;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use super::page::{Page, Reader, note, write_raw};
pub(super) use address::Address;
use client::Reply;

/// How long an agent may take to connect and to begin its answer; and, of a long answer, to go on with it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long whoever follows waits before the next try with an agent that does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Where to ask, and how to answer.
#[derive(Clone, Debug, Args)]
pub(super) struct Asking {
    /// Where the agent answers HTTP; IPv6 in brackets.
    #[arg(long, value_name = "HOST:PORT", env = "NETSPLIT_ADDRESS", default_value = "127.0.0.1:7476")]
    address: Address,
    /// Print what the agent said, as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// An agent to ask.
pub(super) struct Agent {
    address: Address,
    runtime: Runtime,
}

/// What an agent said.
pub(super) struct Answer<T> {
    /// As it is understood.
    pub(super) said: T,
    /// As it came.
    pub(super) text: String,
    /// What tells it from the next one that is not the same.
    pub(super) tag: Option<String>,
    /// What an operator put in the place of its mode, and until when.
    pub(super) overridden: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("cannot ask {0}: nobody listens there; is the agent running? Say where it is with --address HOST:PORT")]
    Refused(Address),
    #[error("cannot ask {0}: no answer within 5 s; is it the agent's HTTP port, and is the way to it open?")]
    TimedOut(Address),
    #[error("cannot ask {0}: this name has no address")]
    Unnamed(Address),
    #[error("cannot ask {address}: {cause}")]
    Unreachable { address: Address, cause: std::io::Error },
    #[error("cannot ask {0}: it ended the connection before it had answered; it may have too many clients: try again")]
    Cut(Address),
    #[error("cannot ask {0}: what answers there is not netsplit; say where the agent is with --address HOST:PORT")]
    NotNetsplit(Address),
    #[error("cannot ask {address}: its answer to {path} is not that of netsplit {}: {cause}", env!("CARGO_PKG_VERSION"))]
    NotUnderstood { address: Address, path: String, cause: String },
    #[error(
        "cannot ask {address}: {reason}; ask on its own node (kubectl exec POD -- netsplit …), or let it answer \
         everybody with `http.expose: all`"
    )]
    Forbidden { address: Address, reason: String },
    #[error("cannot ask {address}: it says {status}: {reason}")]
    Declined { address: Address, status: StatusCode, reason: String },
    #[error("cannot ask {0}: its answer is larger than 64 MiB")]
    TooLarge(Address),
    #[error("cannot ask: the system has nothing to wait with: {0}")]
    NoRuntime(std::io::Error),
}

impl Asking {
    /// The agent that is meant.
    pub(super) fn agent(&self) -> Result<Agent, AskError> {
        Agent::at(self.address.clone())
    }

    /// What a further command needs to ask the same agent: nothing, or the option with a space before it.
    pub(super) fn option(&self) -> String {
        let is_usual = self.address.host == "127.0.0.1" && self.address.port == address::PORT;
        if is_usual { String::new() } else { format!(" --address {}", self.address) }
    }

    /// What the agent says at `path`.
    pub(super) fn ask<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Answer<T>> {
        Ok(self.agent()?.get(path)?)
    }

    /// Prints an answer, in words or as it came.
    pub(super) fn print<T>(
        &self,
        answer: &Answer<T>,
        in_words: impl FnOnce(&T, &Page) -> String,
    ) -> anyhow::Result<()> {
        if let Some(overridden) = &answer.overridden {
            note(&format!("An operator overrides the mode of this node: {overridden}. `netsplit mode` says why."));
        }
        if self.json {
            write_raw(&format!("{}\n", answer.text.trim_end()))?;
        } else {
            let page = Page::standard();
            page.write(&in_words(&answer.said, &page))?;
        }
        Ok(())
    }
}

impl Agent {
    /// The agent that answers there.
    pub(super) fn at(address: Address) -> Result<Self, AskError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AskError::NoRuntime)?;
        Ok(Self { address, runtime })
    }

    /// What it says at `path`.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, AskError> {
        match self.wait_for(path, None, Duration::ZERO)? {
            Some(answer) => Ok(answer),
            None => Err(AskError::NotNetsplit(self.address.clone())),
        }
    }

    /// What it says at `path`; none if that is still what `tag` was given for. The agent may wait for so long first.
    pub(super) fn wait_for<T: DeserializeOwned>(
        &self,
        path: &str,
        tag: Option<&str>,
        wait: Duration,
    ) -> Result<Option<Answer<T>>, AskError> {
        let request = client::Request { address: &self.address, path, tag, patience: PATIENCE + wait };
        let Reply { status, body, tag, overridden } = self.runtime.block_on(request.send())?;
        match status {
            StatusCode::OK => {
                self.understand(path, body).map(|(said, text)| Some(Answer { said, text, tag, overridden }))
            }
            StatusCode::NOT_MODIFIED => Ok(None),
            _ => Err(self.declined(status, &body)),
        }
    }

    fn understand<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<(T, String), AskError> {
        let text = String::from_utf8(body).map_err(|_| AskError::NotNetsplit(self.address.clone()))?;
        let said = serde_json::from_str(&text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => AskError::NotUnderstood {
                address: self.address.clone(),
                path: path.to_owned(),
                cause: error.to_string(),
            },
            _ => AskError::NotNetsplit(self.address.clone()),
        })?;
        Ok((said, text))
    }

    /// An agent says why as JSON; whoever does not is none.
    fn declined(&self, status: StatusCode, body: &[u8]) -> AskError {
        #[derive(serde::Deserialize)]
        struct Why {
            error: String,
        }
        let address = self.address.clone();
        match (status, serde_json::from_slice::<Why>(body)) {
            (StatusCode::FORBIDDEN, Ok(Why { error: reason })) => AskError::Forbidden { address, reason },
            (status, Ok(Why { error: reason })) => AskError::Declined { address, status, reason },
            _ => AskError::NotNetsplit(address),
        }
    }

    /// Lets some time pass.
    pub(super) fn pause(&self, time: Duration) {
        // A timer is made where there is a runtime to wake it.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// Does `round` again and again until nobody reads any more. That the agent does not answer for a while, as when it is
    /// restarted, is said once; if it never answered that is an error.
    pub(super) fn follow(&self, mut round: impl FnMut(&Self) -> anyhow::Result<Reader>) -> anyhow::Result<()> {
        let (mut has_answered, mut is_silent) = (false, false);
        loop {
            match round(self) {
                Ok(Reader::Gone) => return Ok(()),
                Ok(Reader::Reads) => (has_answered, is_silent) = (true, false),
                Err(error) if !has_answered || !error.is::<AskError>() => return Err(error),
                Err(error) => {
                    if !std::mem::replace(&mut is_silent, true) {
                        note(&format!("{error:#}; trying again until it answers"));
                    }
                    self.pause(PAUSE);
                }
            }
        }
    }
}
