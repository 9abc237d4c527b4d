//! A connection with a broker of Kafka that is held: `ApiVersions` from time to time, long before `connections.max.idle.ms`
//! (ten minutes). A broker that wants a login anew (`connections.max.reauth.ms`) ends it, and a new one begins.

use std::time::Duration;

use tokio::time::timeout;

use super::{Kafka, Talk, takes, without_login};
use crate::probe::attempt::Attempt;
use crate::probe::report::Fault;

/// A connection that stands.
pub(in crate::probe) struct Held(Talk);

impl Kafka {
    pub(in crate::probe) async fn hold(&self, attempt: &mut Attempt) -> Result<Held, Fault> {
        let mut talk = self.open(attempt).await?;
        if self.credentials.is_none() {
            // Of who has to log in and does not the first question is answered, and no second one.
            takes(&mut talk).await.map_err(|fault| without_login(fault, true))?;
        }
        Ok(Held(talk))
    }
}

impl Held {
    pub(in crate::probe) async fn stirs(&mut self) -> Result<(), Fault> {
        self.0.stirs().await
    }

    pub(in crate::probe) async fn beat(&mut self) -> Result<(), Fault> {
        takes(&mut self.0).await
    }

    pub(in crate::probe) async fn leave(mut self, left: Duration) {
        // Whoever is on the other side may have gone already.
        let _ = timeout(left, self.0.shutdown()).await;
    }
}
