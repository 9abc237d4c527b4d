//! What one datagram says, as data. `wire::codec` turns it into bytes and back, `wire::seal` vouches for it.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::membership::{ElectoratePart, Introduction};
use crate::detector::endpoint_states::States;
use crate::detector::row::Cells;
use crate::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};

/// The largest datagram that leaves an agent, in bytes of UDP payload.
pub const MAX_DATAGRAM: usize = 1200;

/// The size to which every hello is padded, so that no answer is larger than its question. With the longest of all that
/// it may carry a hello is 588 bytes.
pub const HELLO_SIZE: usize = 608;

/// One datagram without what the shell adds when it seals it: keys, the hybrid logical clock and the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// What it is for.
    pub kind: Kind,
    /// What it asks and says beside its numbers.
    pub flags: Flags,
    /// Who sends it.
    pub sender: NodeId,
    /// For whom it is; [`NodeId::ANYONE`] only in a hello.
    pub receiver: NodeId,
    /// The run of the sender.
    pub incarnation: Incarnation,
    /// Its number among the datagrams of this incarnation to this receiver.
    pub sequence: Sequence,
    /// How long until the next heartbeat at the latest.
    pub pace: Duration,
    /// The last sequence number that came from the receiver, and how long ago.
    pub echo: Echo,
    /// The version of the sender's row.
    pub row_version: RowVersion,
    /// The digest of the sender's row.
    pub row_digest: Digest,
    /// The digest of the receiver's row as the sender holds it.
    pub held_digest: Digest,
    /// The digest of the sender's roster.
    pub roster_digest: Digest,
    /// The digest of the sender's electorate.
    pub electorate_digest: Digest,
    /// The highest epoch that the sender knows.
    pub epoch: Epoch,
    /// What not every datagram carries. Empty in a healthy heartbeat.
    pub blocks: Vec<Block>,
}

/// What a datagram is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A heartbeat to a peer that is known.
    #[default]
    Heartbeat,
    /// A heartbeat that introduces its sender; padded.
    Hello,
}

/// How the sender hears the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hearing {
    /// Not known: never heard, or not yet verified.
    #[default]
    Unknown,
    /// Heard.
    Heard,
    /// Not heard: suspect or down.
    Silent,
}

/// Why an agent says goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// It was told to stop (SIGTERM, SIGINT).
    Stopped,
    /// It stops to start anew.
    Restarting,
}

/// The bits beside the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of its own")]
pub struct Flags {
    /// Answer at once.
    pub poll: bool,
    /// This is such an answer; it is not answered.
    pub last: bool,
    /// The sender leaves.
    pub goodbye: Option<GoodbyeReason>,
    /// The sender distrusts its own row: it stalled, or lost datagrams that had arrived.
    pub impaired: bool,
    /// How the sender hears the receiver.
    pub hearing: Hearing,
    /// The sender has a complete cut open.
    pub cut: bool,
}

/// An answer to the last datagram: what round trip time is measured with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// The receiver's last sequence number.
    pub sequence: Sequence,
    /// How long before this datagram left it came.
    pub delay: Duration,
}

/// The random part of a challenge; whoever sends it back was there after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nonce(pub [u8; 16]);

/// What only some datagrams carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// The sender's row.
    Row(Arc<RowBlock>),
    /// A part of the sender's row, which does not fit one datagram.
    RowPart(Arc<RowPart>),
    /// What the sender's probes come to, as it goes with a row.
    EndpointStates(Arc<EndpointStates>),
    /// Another's row, passed on.
    Relay(Arc<RelayBlock>),
    /// Pass these rows on to me, or say that they are still these.
    RowsWanted(Vec<RowWanted>),
    /// Rows of others that are still what you hold.
    RowsUnchanged(Vec<RowUnchanged>),
    /// Send this back, so that I know that this incarnation of yours is alive now.
    Challenge(Nonce),
    /// What you asked me to send back.
    Answer(Nonce),
    /// The newest incarnation of yours that I know, which is not this one.
    NewestIncarnation(Incarnation),
    /// I slept this long, and woke that long ago.
    Slept(Slept),
    /// Who I am.
    Hello(Box<Hello>),
    /// Send me the roster of this digest, from this index on.
    RosterWanted(PartWanted),
    /// A part of a roster.
    Roster(Arc<RosterPart>),
    /// Send me the electorate of this digest, from this index on.
    ElectorateWanted(PartWanted),
    /// Beside the electorate of this datagram, these count for the sender too: it replaced them a moment ago.
    AlsoCounted(Vec<Digest>),
    /// A part of an electorate.
    Electorate(Arc<ElectoratePart>),
    /// Introduce these nodes to me: I know only their ids.
    NodesWanted(Vec<NodeId>),
    /// Such a node.
    Introduction(Box<Introduction>),
}

/// A row as its owner sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowBlock {
    /// Its version within the owner's incarnation.
    pub version: RowVersion,
    /// The roster that its cells are about.
    pub roster: Digest,
    /// One cell for each node of that roster, in order of id.
    pub cells: Cells,
}

/// Those cells of a row that one datagram carries; all of them, where they fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPart {
    /// The version of the row.
    pub version: RowVersion,
    /// The roster that its cells are about.
    pub roster: Digest,
    /// How many cells the whole row has.
    pub total: u16,
    /// The index of the first cell here: a multiple of 64.
    pub from: u16,
    /// The cells: a multiple of 64, too, or up to the end of the row.
    pub cells: Cells,
}

/// What the sender's probes of all endpoints come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointStates {
    /// The version of the row with which they go.
    pub version: RowVersion,
    /// The digest of the names of the endpoints.
    pub list: Digest,
    /// The states, in order of name.
    pub states: States,
}

/// A row passed on by somebody who hears its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayBlock {
    /// Whose row it is.
    pub owner: NodeId,
    /// Which run of the owner wrote it.
    pub incarnation: Incarnation,
    /// The last sequence number that the relay heard from the owner: proof of age.
    pub heard: Sequence,
    /// How long ago the relay heard the owner.
    pub age: Duration,
    /// Whether the owner distrusted its row.
    pub impaired: bool,
    /// The row itself, or a part of it.
    pub row: RowPart,
}

/// Whose row is wanted, and which one the asker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowWanted {
    /// Whose.
    pub owner: NodeId,
    /// The run of the owner whose row the asker holds; 0 if it holds none.
    pub incarnation: Incarnation,
    /// The version of that row.
    pub version: RowVersion,
}

/// A row that has not changed since the asker got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowUnchanged {
    /// Whose it is.
    pub owner: NodeId,
    /// Which run of the owner wrote it.
    pub incarnation: Incarnation,
    /// Its version.
    pub version: RowVersion,
    /// The last sequence number that the relay heard from the owner: proof of age.
    pub heard: Sequence,
    /// How long ago the relay heard the owner.
    pub age: Duration,
    /// Whether the owner distrusts it.
    pub impaired: bool,
}

/// How long the sender did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slept {
    /// For how long.
    pub length: Duration,
    /// How long ago it woke.
    pub ago: Duration,
}

/// How a starting agent introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The node's name: its id must be the sender's.
    pub name: String,
    /// Its zone, or empty.
    pub zone: String,
    /// Where the agent listens; the port counts, and the address where it is not the unspecified one.
    pub address: SocketAddr,
    /// The address of its host, where that is another than the agent's.
    pub host: Option<IpAddr>,
    /// The port of the agent's HTTP server, at the agent's address, if others reach it there.
    pub http_port: Option<NonZeroU16>,
    /// The agent's software version, for people.
    pub version: String,
}

/// A request for a part of a roster or of an electorate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartWanted {
    /// Which one.
    pub digest: Digest,
    /// From which index on.
    pub from: u16,
}

/// Some of the ids of a roster, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterPart {
    /// The digest of the whole.
    pub digest: Digest,
    /// How many ids the whole has.
    pub total: u16,
    /// The index of the first id here.
    pub from: u16,
    /// The ids.
    pub ids: Vec<NodeId>,
}
