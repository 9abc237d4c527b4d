//! A session with PostgreSQL that is held: idle, in no transaction. The sign of life is `Sync`, which is no statement: it stands
//! in no log, and `pg_stat_activity` goes on showing `idle`.

use std::time::Duration;

use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::{MOST, Postgres, Talk, refusal, told};
use crate::probe::attempt::Attempt;
use crate::probe::report::Fault;

/// A session that stands.
pub(in crate::probe) struct Held(Talk);

impl Postgres {
    pub(in crate::probe) async fn hold(&self, attempt: &mut Attempt) -> Result<Held, Fault> {
        let Some(own) = &self.credentials else { return Err(Fault::local("a session needs a login")) };
        Ok(Held(self.open(own, attempt).await?))
    }
}

impl Held {
    pub(in crate::probe) async fn stirs(&mut self) -> Result<(), Fault> {
        self.0.stream.stirs().await
    }

    /// A message that nobody asked for: a parameter that changed, a notice, or why the session ends.
    pub(in crate::probe) async fn hear(&mut self) -> Result<(), Fault> {
        let message = self.0.next().await?;
        unasked(&message)
    }

    pub(in crate::probe) async fn beat(&mut self) -> Result<(), Fault> {
        self.0
            .say(|buffer| {
                frontend::sync(buffer);
                Ok(())
            })
            .await?;
        for _ in 0..MOST {
            match self.0.next().await? {
                Message::ReadyForQuery(_) => return Ok(()),
                message => unasked(&message)?,
            }
        }
        Err(Fault::protocol("it is never ready"))
    }

    pub(in crate::probe) async fn leave(mut self, left: Duration) {
        self.0.leave(left).await;
    }
}

fn unasked(message: &Message) -> Result<(), Fault> {
    match message {
        Message::ErrorResponse(body) => Err(refusal(body.fields())),
        // A server that stops at once, or crashed, says so in a warning, and is gone.
        Message::NoticeResponse(body) if told(body.fields()).0.starts_with(b"57P") => Err(refusal(body.fields())),
        Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::NotificationResponse(_) => Ok(()),
        _ => Err(Fault::unasked()),
    }
}
