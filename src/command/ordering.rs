//! What the commands that order an agent share: where its state directory is, and how it is asked what it made of an order.

use std::path::PathBuf;
use std::thread::park_timeout;
use std::time::Duration;

use clap::Args;
use netsplit::clock::Clock;
use netsplit::detector::time::Now;
use netsplit::orders::Orders;
use serde::de::DeserializeOwned;

use super::Exit;
use super::ask::{Address, Agent, AskError};
use super::page::note;

/// How long the agent has for an order: it looks every second.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the agent takes orders, and where it answers.
#[derive(Debug, Args)]
pub(super) struct Ordering {
    /// The state directory of the agent, `state.directory` in its configuration.
    #[arg(long, value_name = "DIRECTORY", env = "NETSPLIT_STATE_DIRECTORY", default_value = "/var/lib/netsplit")]
    state_directory: PathBuf,
    /// Where the agent answers HTTP; IPv6 in brackets.
    #[arg(long, value_name = "HOST:PORT", env = "NETSPLIT_ADDRESS", default_value = "127.0.0.1:7476")]
    address: Address,
}

impl Ordering {
    pub(super) fn orders(&self) -> Orders {
        Orders::of(&self.state_directory)
    }

    pub(super) fn directory(&self) -> String {
        self.state_directory.display().to_string()
    }

    /// For an error of the disk: what, where and what to do.
    pub(super) fn cannot(&self) -> String {
        format!(
            "cannot order anything in {}: is it the agent's state directory (--state-directory), and may you write there?",
            self.directory()
        )
    }

    /// Asks the agent until it answers as wanted, for some seconds: its last answer.
    pub(super) fn wait_until<T: DeserializeOwned>(
        &self,
        path: &str,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<T, AskError> {
        let agent = Agent::at(self.address.clone())?;
        let clock = Clock::start();
        loop {
            let answer: T = agent.get(path)?.said;
            if is_wanted(&answer) || clock.now() > Now::at(PATIENCE) {
                return Ok(answer);
            }
            park_timeout(PAUSE);
        }
    }
}

/// The order is given, and this is all that the agent says to it. Fine if it does not run: then it takes the order later.
pub(super) fn unanswered(error: AskError) -> anyhow::Result<Exit> {
    if let AskError::Refused(_) = error {
        note(&format!("{error:#}\nThe order waits until the agent runs."));
        return Ok(Exit::Fine);
    }
    Err(anyhow::Error::new(error).context("the order is given, but the agent does not say what it makes of it"))
}
