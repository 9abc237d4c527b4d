//! A connection with an AMQP broker that is held: logged in, its virtual host open, and no channel on it. Both sides send
//! heartbeats (specification, section 4.2.7) at half of the interval that they agreed on; whoever is silent for two of them
//! is gone.

use std::num::NonZeroU16;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::frame::{self, Frame};
use super::{Amqp, Talk};
use crate::detector::outcome::Cause;
use crate::probe::attempt::Attempt;
use crate::probe::report::Fault;

/// Two intervals, each of two heartbeats.
const MOST_SILENT: u8 = 4;

/// A connection that stands.
pub(in crate::probe) struct Held {
    talk: Talk,
    /// As both sides agreed.
    heartbeat: NonZeroU16,
    /// How many heartbeats were sent since something came.
    silent: u8,
}

impl Amqp {
    /// `every`: how often a sign of life is wanted; brokers send two in an interval, so that is two of these.
    pub(in crate::probe) async fn hold(&self, attempt: &mut Attempt, every: Duration) -> Result<Held, Fault> {
        let wanted = u16::try_from(every.as_secs().div_ceil(2)).ok().and_then(NonZeroU16::new);
        let wanted = wanted.unwrap_or(NonZeroU16::MIN);
        let (talk, is_in) = self.open(attempt, Some(wanted)).await?;
        if !is_in {
            return Err(Fault::local("a connection with a broker needs a login"));
        }
        let heartbeat = talk.heartbeat.unwrap_or(wanted);
        Ok(Held { talk, heartbeat, silent: 0 })
    }
}

impl Held {
    /// How often a heartbeat goes.
    pub(in crate::probe) fn pace(&self) -> Duration {
        Duration::from_secs(self.heartbeat.get().into()) / 2
    }

    pub(in crate::probe) async fn stirs(&mut self) -> Result<(), Fault> {
        self.talk.stream.stirs().await
    }

    /// A heartbeat, an alarm, or why the broker closes.
    pub(in crate::probe) async fn hear(&mut self) -> Result<(), Fault> {
        match frame::read(&mut self.talk.stream).await? {
            Frame::Heartbeat => {}
            Frame::Method(method, arguments) => self.talk.take_unasked(method, &arguments).await?,
        }
        self.silent = 0;
        Ok(())
    }

    /// Sends a heartbeat. It is not answered: those of the broker come by themselves, or do not.
    pub(in crate::probe) async fn beat(&mut self) -> Result<(), Fault> {
        if self.silent >= MOST_SILENT {
            let silence = self.heartbeat.get().saturating_mul(2);
            return Err(Fault::new(Cause::Timeout, format!("nothing came from it for {silence} s, two heartbeats")));
        }
        self.silent += 1;
        self.talk.stream.write_all(&frame::HEARTBEAT).await?;
        Ok(self.talk.stream.flush().await?)
    }

    pub(in crate::probe) async fn leave(mut self, left: Duration) {
        let end = async {
            // Whoever is on the other side may have gone already.
            let _ = self.talk.close().await;
            let _ = self.talk.stream.shutdown().await;
        };
        let _ = timeout(left, end).await;
    }
}
