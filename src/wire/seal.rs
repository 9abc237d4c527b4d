//! Who vouches for a datagram: HMAC-SHA256 under a key of the cluster, cut to 16 bytes, over everything before it.
//!
//! It proves that a holder of the key wrote it, and nothing about when: freshness is the detector's business.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use super::codec::{self, TAG_SIZE, TooLarge};
use super::header::{Envelope, HEADER_SIZE, KeyId, Prelude, VERSION, kind_of};
use super::keyring::{Key, Keys};
use super::{Datagram, HELLO_SIZE, Kind, MAX_DATAGRAM};
use crate::hlc::Stamp;
use crate::identity::{Incarnation, NodeId, Sequence};

/// The smallest datagram, in bytes.
pub const MIN_DATAGRAM: usize = HEADER_SIZE + TAG_SIZE;

/// A datagram that a holder of a key wrote, and what the shell wants of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What it says.
    pub datagram: Datagram,
    /// The sender's hybrid logical clock when it was sealed.
    pub stamp: Stamp,
    /// The newest key that the sender holds. To be believed (see [`Keys::for_peer`]) only when the datagram is fresh or
    /// later than all before: an old one, replayed, would have this agent sign with a key that the peer may have
    /// dropped.
    pub newest_key: KeyId,
}

/// Why a datagram was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Shorter than its kind can be. A hello is never shorter than [`HELLO_SIZE`].
    TooShort,
    /// Longer than [`MAX_DATAGRAM`].
    TooLong,
    /// A wire version that is older than any.
    Version,
    /// Authentic, but in a wire version that this agent does not speak: the link is unknown, not down.
    NewerVersion(Newer),
    /// No kind of this version.
    Kind,
    /// For another node; or for anyone, and not a hello.
    Receiver,
    /// Signed with a key whose id no key here has.
    Key,
    /// The tag is not that of these bytes under any key of that id.
    Tag,
    /// Authentic, and yet not what the layout says: a fault in the sender.
    Malformed,
}

/// What can be told of a datagram of a newer version. It is authentic, and it is the detector's to see whether it is
/// fresh before it believes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newer {
    /// The wire version, 2 to 15.
    pub version: u8,
    /// Who sent it.
    pub sender: NodeId,
    /// The run of the sender.
    pub incarnation: Incarnation,
    /// Its number.
    pub sequence: Sequence,
}

impl Refusal {
    /// The reason as the label of a metric; stable.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Version => "version",
            Self::NewerVersion(_) => "newer_version",
            Self::Kind => "kind",
            Self::Receiver => "receiver",
            Self::Key => "key",
            Self::Tag => "tag",
            Self::Malformed => "malformed",
        }
    }
}

/// Writes a datagram into `buffer`, which it empties first: keep one buffer, and sealing allocates nothing.
///
/// `peer_newest_key` is the newest key that the receiver said it holds; see [`Keys::for_peer`]. On an error the buffer
/// is empty.
pub fn seal(
    datagram: &Datagram,
    stamp: Stamp,
    keys: &Keys,
    peer_newest_key: Option<KeyId>,
    buffer: &mut Vec<u8>,
) -> Result<(), TooLarge> {
    let key = keys.for_peer(peer_newest_key);
    let envelope = Envelope { key: key.map(Key::id).unwrap_or_default(), newest_key: keys.newest(), stamp };
    codec::encode(datagram, envelope, buffer)?;
    let tag = key.map_or([0; TAG_SIZE], |key| key.tag(buffer));
    buffer.extend_from_slice(&tag);
    Ok(())
}

/// Opens what came in for the node `own`.
///
/// In this order: length, version, kind, receiver (so that what is not for this node costs no HMAC), then key and tag,
/// and only then is the rest looked at.
pub fn open(bytes: &[u8], own: NodeId, keys: &Keys) -> Result<Opened, Refusal> {
    let prelude = glance(bytes, own)?;
    let (content, tag) = bytes.split_last_chunk::<TAG_SIZE>().ok_or(Refusal::TooShort)?;
    if !keys.is_insecure() {
        authenticate(prelude.key, content, tag, keys)?;
    }
    // After the tag: else a stranger could make a link unknown, and so silence a detector, with 96 bytes of nothing.
    if prelude.version > VERSION {
        let Prelude { version, sender, incarnation, sequence, .. } = prelude;
        return Err(Refusal::NewerVersion(Newer { version, sender, incarnation, sequence }));
    }
    let (datagram, Envelope { newest_key, stamp, .. }) = codec::decode(content).map_err(|_| Refusal::Malformed)?;
    Ok(Opened { datagram, stamp, newest_key })
}

/// All that is looked at before the tag.
fn glance(bytes: &[u8], own: NodeId) -> Result<Prelude, Refusal> {
    if bytes.len() < MIN_DATAGRAM {
        return Err(Refusal::TooShort);
    }
    if bytes.len() > MAX_DATAGRAM {
        return Err(Refusal::TooLong);
    }
    let prelude = Prelude::read(bytes).map_err(|_| Refusal::TooShort)?;
    let for_anyone = match (prelude.version, kind_of(prelude.kind)) {
        (0, _) => return Err(Refusal::Version),
        (VERSION, None) => return Err(Refusal::Kind),
        // A short hello could be answered with more than it brought.
        (VERSION, Some(Kind::Hello)) if bytes.len() < HELLO_SIZE => return Err(Refusal::TooShort),
        (VERSION, Some(kind)) => kind == Kind::Hello,
        // Which kinds a newer version addresses to anyone is not known here.
        _ => true,
    };
    if prelude.receiver == own || for_anyone && prelude.receiver == NodeId::ANYONE {
        return Ok(prelude);
    }
    Err(Refusal::Receiver)
}

fn authenticate(id: KeyId, content: &[u8], tag: &[u8; TAG_SIZE], keys: &Keys) -> Result<(), Refusal> {
    let mut refusal = Refusal::Key;
    for key in keys.matching(id) {
        if key.verify(content, tag) {
            return Ok(());
        }
        refusal = Refusal::Tag;
    }
    Err(refusal)
}
