//! The keys that an agent holds, and which of them it signs with for whom. Reading them from files is `crate::keys`.

#![deny(clippy::indexing_slicing, clippy::as_conversions, clippy::unwrap_used, clippy::expect_used)]

use std::fmt;
use std::hint::black_box;

use ring::{digest, hmac};

use super::codec::TAG_SIZE;
use super::header::KeyId;

/// The size of a key, in bytes: that of the output of SHA-256, below which HMAC loses strength (RFC 2104, section 3).
pub const KEY_SIZE: usize = 32;

/// One key of the cluster. Shows its id only.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    fingerprint: [u8; 32],
    mac: hmac::Key,
}

impl Key {
    /// The key of its bytes.
    pub fn new(bytes: &[u8; KEY_SIZE]) -> Self {
        let hash = digest::digest(&digest::SHA256, bytes);
        let mut fingerprint = [0; 32];
        fingerprint.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        let [id, ..] = fingerprint;
        Self { id: KeyId(id), fingerprint, mac: hmac::Key::new(hmac::HMAC_SHA256, bytes) }
    }

    /// The first byte of SHA-256 of the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The first 16 bytes of HMAC-SHA256 (RFC 2104, section 5 allows half of it).
    pub(super) fn tag(&self, bytes: &[u8]) -> [u8; TAG_SIZE] {
        let whole = hmac::sign(&self.mac, bytes);
        let mut tag = [0; TAG_SIZE];
        tag.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }

    /// Whether `tag` is that of `bytes`.
    ///
    /// `ring::hmac::verify` wants all 32 bytes, and ring's comparison is deprecated, so this compares by itself: every
    /// byte whatever came before, because the time of a comparison that stops at the first difference tells a forger
    /// how many bytes were right.
    pub(super) fn verify(&self, bytes: &[u8], tag: &[u8; TAG_SIZE]) -> bool {
        let differences =
            self.tag(bytes).iter().zip(tag).fold(0, |sum, (mine, theirs)| black_box(sum | (mine ^ theirs)));
        black_box(differences) == 0
    }
}

/// The same bytes: told by their SHA-256.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x})", self.id.0)
    }
}

/// All keys that an agent holds, oldest first; or none, for `authentication: insecure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// The keys in order of age, oldest first. None if there is no key: to run without is to be said with
    /// [`Keys::insecure`], and never the outcome of an empty directory.
    pub fn oldest_first(keys: Vec<Key>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// No key: tags are zeros and nobody looks at them.
    pub const fn insecure() -> Self {
        Self(Vec::new())
    }

    /// Whether there is no key.
    pub fn is_insecure(&self) -> bool {
        self.0.is_empty()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The same as [`Keys::is_insecure`].
    pub fn is_empty(&self) -> bool {
        self.is_insecure()
    }

    /// The id of the newest key, which every datagram announces. 0 without keys.
    pub fn newest(&self) -> KeyId {
        self.0.last().map(Key::id).unwrap_or_default()
    }

    /// Whether a key has this id.
    pub fn holds(&self, id: KeyId) -> bool {
        self.matching(id).next().is_some()
    }

    /// Whether some key is in both.
    pub fn share_one_with(&self, other: &Self) -> bool {
        self.0.iter().any(|key| other.0.contains(key))
    }

    /// Every key with this id. Ids are one byte, so two keys in 256 share one; a tag tells them apart.
    pub(super) fn matching(&self, id: KeyId) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.id == id)
    }

    /// The key to sign with for a peer whose latest authentic datagram announced `peer_newest` as its newest
    /// key. None only without keys.
    ///
    /// Keys are files, so their age has the same order on every node, and nodes differ only in how far a change has
    /// come: a key is *added* on some nodes minutes before the others, and *removed* likewise, later. It has to be the
    /// newest of my keys that the peer holds:
    ///
    /// - The peer announced one of mine: it holds that one and none that is newer. So it is that one. That holds while
    ///   old keys are being removed, too: the newest is never among them. (Of two of mine with that id, the older:
    ///   while a key is being added everybody has the older.)
    /// - The peer announced a key that I lack: it is one that was added there and has not come to me, so all of mine are
    ///   older, and the peer holds my newest: nobody removes a key before its successor is everywhere. So it is my
    ///   newest. (Or the peer is a removal *and* an addition behind me; then no choice of mine would be understood.)
    /// - The peer was never heard: it may lack every key that is being added, but has the oldest, unless that is being
    ///   removed and I am behind. So it is the oldest. If the peer refuses that, its own datagrams, signed with a
    ///   key that I hold, tell me its newest, and the next one is signed right.
    pub fn for_peer(&self, peer_newest: Option<KeyId>) -> Option<&Key> {
        match peer_newest {
            None => self.0.first(),
            Some(id) => self.matching(id).next().or(self.0.last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> Key {
        Key::new(&[seed; KEY_SIZE])
    }

    fn keys(seeds: impl IntoIterator<Item = u8>) -> Keys {
        Keys(seeds.into_iter().map(key).collect())
    }

    fn chosen(mine: &Keys, theirs: Option<&Keys>) -> Option<KeyId> {
        mine.for_peer(theirs.map(Keys::newest)).map(Key::id)
    }

    #[test]
    fn a_key_shows_its_id_and_nothing_else() {
        // printf '\1%.0s' {1..32} | sha256sum
        assert_eq!(format!("{:?}", key(1)), "Key(72)");
    }

    #[test]
    fn an_empty_directory_is_not_insecure_by_accident() {
        assert!(Keys::oldest_first(Vec::new()).is_none());
    }

    #[test]
    fn a_peer_never_heard_gets_the_oldest_key() {
        assert_eq!(chosen(&keys([1, 2]), None), Some(key(1).id()));
    }

    #[test]
    fn a_peer_that_lacks_the_new_key_gets_the_newest_that_it_holds() {
        assert_eq!(chosen(&keys([1, 2, 3]), Some(&keys([1, 2]))), Some(key(2).id()));
    }

    #[test]
    fn a_peer_with_a_key_that_i_lack_gets_my_newest() {
        assert_eq!(chosen(&keys([1, 2]), Some(&keys([1, 2, 3]))), Some(key(2).id()));
    }

    #[test]
    fn without_keys_nothing_is_signed() {
        assert!(Keys::insecure().for_peer(None).is_none());
        assert!(Keys::insecure().for_peer(Some(KeyId(7))).is_none());
    }

    #[test]
    fn a_rotation_that_arrives_minutes_apart_leaves_no_pair_without_a_common_key() {
        // Key 2 is added and, once it is everywhere, key 1 removed. Any two nodes, at any step that they can be in at
        // the same time, each having heard the other.
        for stages in [[vec![1], vec![1, 2]], [vec![1, 2], vec![2]]] {
            for mine in &stages {
                for theirs in &stages {
                    let (mine, theirs) = (keys(mine.iter().copied()), keys(theirs.iter().copied()));
                    let used = chosen(&mine, Some(&theirs)).unwrap_or_default();
                    assert_ne!(theirs.matching(used).count(), 0, "{mine:?} signs {used:?} for {theirs:?}");
                }
            }
        }
    }

    #[test]
    fn strangers_in_the_middle_of_a_rotation_understand_each_other_after_one_datagram() {
        for stages in [[vec![1], vec![1, 2]], [vec![1, 2], vec![2]]] {
            let [one, other] = stages.map(keys);
            let first = chosen(&one, None).filter(|&id| other.matching(id).count() > 0);
            let back = chosen(&other, None).filter(|&id| one.matching(id).count() > 0);
            assert!(first.is_some() || back.is_some(), "{one:?} and {other:?}");
        }
    }
}
