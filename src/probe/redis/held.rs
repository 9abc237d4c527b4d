//! A connection with Redis that is held: PING from time to time. Any answer is one; whether it is a good one, the probe says.

use std::time::Duration;

use super::{Redis, Talk, refusal, reply};
use crate::probe::attempt::Attempt;
use crate::probe::report::Fault;
use crate::probe::stream::stirs;

/// A connection that stands.
pub(in crate::probe) struct Held(Talk);

impl Redis {
    pub(in crate::probe) async fn hold(&self, attempt: &mut Attempt) -> Result<Held, Fault> {
        let (mut talk, entered) = self.open(attempt).await?;
        if entered.is_err() {
            talk.leave_after(&entered, attempt.left()).await;
        }
        entered?;
        // For CLIENT LIST. Whoever may not say it is not named there, and no worse off.
        talk.ask(&["CLIENT", "SETNAME", "netsplit"]).await?;
        Ok(Held(talk))
    }
}

impl Held {
    pub(in crate::probe) async fn stirs(&mut self) -> Result<(), Fault> {
        stirs(&mut self.0.0).await
    }

    /// What it says unasked is why it closes.
    pub(in crate::probe) async fn hear(&mut self) -> Result<(), Fault> {
        match reply(&mut self.0.0).await? {
            super::Reply::Error(error) => Err(refusal(&error)),
            super::Reply::Text(_) => Err(Fault::unasked()),
        }
    }

    pub(in crate::probe) async fn beat(&mut self) -> Result<(), Fault> {
        self.0.ask(&["PING"]).await.map(|_| ())
    }

    pub(in crate::probe) async fn leave(mut self, left: Duration) {
        self.0.leave_after(&Ok(()), left).await;
    }
}
