//! A connection over which gRPC is spoken that is held: the health service is called from time to time. Any answer of gRPC is
//! one; whether it is a good one, the probe says.
//!
//! It is a call and not a ping of HTTP/2: servers of gRPC end the connection of who pings more than once in five minutes
//! (`ENHANCE_YOUR_CALM`, "too many pings"). And it is no `Watch`, which not every health service has.

use std::time::Duration;

use super::{Grpc, no_grpc, status_of};
use crate::probe::attempt::Attempt;
use crate::probe::conversation::Conversation;
use crate::probe::report::Fault;

/// A connection that stands.
pub(in crate::probe) struct Held {
    conversation: Conversation,
    of: Grpc,
    patience: Duration,
}

impl Grpc {
    /// `patience`: how long a server need not go on with a call.
    pub(in crate::probe) async fn hold(&self, attempt: &mut Attempt, patience: Duration) -> Result<Held, Fault> {
        let stream = attempt.open(&self.address, self.tls.as_ref(), &["h2"]).await?;
        let conversation = Conversation::over_http2(stream).await?;
        let mut held = Held { conversation, of: self.clone(), patience };
        held.beat().await?;
        Ok(held)
    }
}

impl Held {
    /// Nothing comes that nobody asked for; what is waited for is the end.
    pub(in crate::probe) async fn stirs(&mut self) -> Result<(), Fault> {
        Err(self.conversation.ended().await)
    }

    pub(in crate::probe) async fn beat(&mut self) -> Result<(), Fault> {
        let answer = self.conversation.ask(self.of.request(self.patience)?).await?;
        if status_of(&answer).is_some() { Ok(()) } else { Err(no_grpc(&answer)) }
    }

    pub(in crate::probe) async fn leave(self, left: Duration) {
        self.conversation.leave(left).await;
    }
}
