//! A connection with MySQL or MariaDB that is held: `COM_PING` from time to time, which is no statement and changes no
//! transaction. In the list of processes it sleeps.

use std::time::Duration;

use super::packet::Packets;
use super::{Mysql, QUIT, refusal};
use crate::probe::attempt::Attempt;
use crate::probe::farewell::farewell;
use crate::probe::report::Fault;

/// `COM_PING`.
const PING: u8 = 0x0e;

/// A connection that stands.
pub(in crate::probe) struct Held(Packets);

impl Mysql {
    pub(in crate::probe) async fn hold(&self, attempt: &mut Attempt) -> Result<Held, Fault> {
        let (packets, _, entered) = self.open(attempt).await?;
        entered.map(|()| Held(packets))
    }
}

impl Held {
    pub(in crate::probe) async fn stirs(&mut self) -> Result<(), Fault> {
        self.0.stream.stirs().await
    }

    /// What it says unasked is why it closes.
    pub(in crate::probe) async fn hear(&mut self) -> Result<(), Fault> {
        let packet = self.0.next().await?;
        match packet.first() {
            Some(0xff) => Err(refusal(&packet)),
            _ => Err(Fault::unasked()),
        }
    }

    pub(in crate::probe) async fn beat(&mut self) -> Result<(), Fault> {
        self.0.command(&[PING]).await?;
        let packet = self.0.next().await?;
        match packet.first() {
            Some(0x00) => Ok(()),
            Some(0xff) => Err(refusal(&packet)),
            _ => Err(Fault::protocol("the answer to a ping is not one of MySQL")),
        }
    }

    pub(in crate::probe) async fn leave(mut self, left: Duration) {
        farewell(&mut self.0.stream, &QUIT, left).await;
    }
}
