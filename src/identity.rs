//! The names and numbers by which agents know each other: one newtype per idea, so that none is taken for another.
//!
//! Nothing here decides; the detector, the wire and the shell all speak in these words.

use std::fmt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A node as it stands in a datagram: the first 8 bytes of SHA-256 over cluster and node name.
///
/// A hash and not an address: a datagram for another node, after an address was reused, is seen to be for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The receiver of a hello whose name is not known yet.
    pub const ANYONE: Self = Self(0);

    /// The id of the node `name` in `cluster`.
    pub fn of(cluster: &str, name: &str) -> Self {
        Self(u64::from_be_bytes(Hash::new().field(cluster.as_bytes()).field(name.as_bytes()).first()))
    }
}

impl Serialize for NodeId {
    /// As 16 hex digits: a number of 64 bits does not survive every reader of JSON.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        u64::from_str_radix(&digits, 16).map(Self).map_err(de::Error::custom)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One run of an agent: microseconds since the epoch at its start. A later run has a larger one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// The number of a datagram on its way from one incarnation to one peer. Starts at 1; 0 means "none yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u32);

/// How many times a row changed within one incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowVersion(pub u32);

/// A number that closing a partition raises: it keeps a cut that comes back from being the same cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

/// The first 4 bytes of a SHA-256: enough to see a difference, never a proof against a forger. 0 means "none".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u32);

impl Serialize for Digest {
    /// As 8 hex digits, as people compare them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:08x}", self.0))
    }
}

impl Digest {
    /// Nothing is held.
    pub const NONE: Self = Self(0);

    /// The digest of a set of nodes; `ids` must be sorted.
    pub fn of_ids(ids: impl IntoIterator<Item = NodeId>) -> Self {
        ids.into_iter().fold(Hash::new(), |hash, id| hash.field(&id.0.to_be_bytes())).digest()
    }
}

/// SHA-256 over length-prefixed fields, so that ("ab", "c") and ("a", "bc") differ.
pub struct Hash(Context);

impl Hash {
    /// An empty hash.
    #[expect(clippy::new_without_default, reason = "a default hash reads like a hash of something")]
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds one field with its length before it.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// The first `N` bytes of the hash.
    pub fn first<const N: usize>(self) -> [u8; N] {
        let whole = self.0.finish();
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(whole.as_ref()) {
            *to = *from;
        }
        out
    }

    /// The digest; never [`Digest::NONE`], which means that there is nothing.
    pub fn digest(self) -> Digest {
        Digest(u32::from_be_bytes(self.first()).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_prefixes_keep_fields_apart() {
        assert_ne!(NodeId::of("ab", "c"), NodeId::of("a", "bc"));
    }

    #[test]
    fn an_id_is_the_head_of_sha256_over_length_prefixed_fields() {
        // printf '\0\0\0\1a\0\0\0\1b' | sha256sum
        assert_eq!(NodeId::of("a", "b").to_string(), "16275ef0f5d0eb9d");
    }
}
