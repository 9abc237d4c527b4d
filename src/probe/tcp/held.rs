//! A connection of type `tcp` that is held: nothing is said on it, what comes is thrown away, and the kernel asks the other
//! one for signs of life. So a process that hangs is not seen here, as none of its clients would see it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Tcp;
use crate::probe::attempt::Attempt;
use crate::probe::report::Fault;
use crate::probe::stream::Stream;

/// How much is taken at once of what comes.
const PIECE: usize = 4096;

/// A connection that stands.
pub(in crate::probe) struct Held(Stream);

impl Tcp {
    /// `every` and `patience`: as for [`Stream::keep_alive`].
    pub(in crate::probe) async fn hold(
        &self,
        attempt: &mut Attempt,
        every: Duration,
        patience: Duration,
    ) -> Result<Held, Fault> {
        let stream = self.open(attempt).await?;
        stream.keep_alive(every, patience)?;
        Ok(Held(stream))
    }
}

impl Held {
    pub(in crate::probe) async fn stirs(&mut self) -> Result<(), Fault> {
        self.0.stirs().await
    }

    pub(in crate::probe) async fn hear(&mut self) -> Result<(), Fault> {
        match self.0.read(&mut [0; PIECE]).await? {
            0 => Err(Fault::closed()),
            _ => Ok(()),
        }
    }

    pub(in crate::probe) async fn leave(mut self, left: Duration) {
        // Whoever is on the other side may have gone already.
        let _ = timeout(left, self.0.shutdown()).await;
    }
}
