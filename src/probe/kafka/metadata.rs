//! What a broker knows of its cluster (`Metadata`, version 4 of its answer), counted while it comes.
#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use super::wire::Talk;
use crate::probe::report::Fault;

/// `LEADER_NOT_AVAILABLE`.
const LEADER_NOT_AVAILABLE: i16 = 5;

/// The numbers of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// How many brokers are alive.
    pub(super) brokers: u64,
    /// The number of the broker that is the controller, or stands for it.
    pub(super) controller: Option<u64>,
    /// How many partitions there are, of all topics that are shown: the internal ones too.
    pub(super) partitions: u64,
    /// How many of them have no leader: nobody can write or read there.
    pub(super) without_leader: u64,
}

impl Metadata {
    /// Reads it to its end.
    pub(super) async fn read(talk: &mut Talk) -> Result<Self, Fault> {
        let mut found = Self::default();
        let _throttled = talk.i32().await?;
        for _ in 0..talk.length().await? {
            found.brokers += 1;
            let _number = talk.i32().await?;
            // Its host.
            talk.skip_string().await?;
            let _port = talk.i32().await?;
            // Its rack.
            talk.skip_string().await?;
        }
        // The name of the cluster.
        talk.skip_string().await?;
        found.controller = u64::try_from(talk.i32().await?).ok();
        for _ in 0..talk.length().await? {
            found.read_topic(talk).await?;
        }
        talk.end()?;
        Ok(found)
    }

    async fn read_topic(&mut self, talk: &mut Talk) -> Result<(), Fault> {
        let _code = talk.i16().await?;
        // Its name.
        talk.skip_string().await?;
        let _is_internal = talk.i8().await?;
        for _ in 0..talk.length().await? {
            let code = talk.i16().await?;
            let _number = talk.i32().await?;
            let leader = talk.i32().await?;
            // The replicas, and those of them that are in sync.
            talk.skip_numbers().await?;
            talk.skip_numbers().await?;
            self.partitions += 1;
            self.without_leader += u64::from(leader < 0 || code == LEADER_NOT_AVAILABLE);
        }
        Ok(())
    }
}
