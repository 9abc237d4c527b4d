//! Says what is wrong with keys: datagrams that no key here vouches for, and peers that hold a newer key than this
//! agent. Each is gathered for some seconds and said at most once a minute, with how many: a forgotten key on one of a
//! thousand nodes is a line or two on each, not a thousand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::detector::time::Now;
use crate::identity::NodeId;
use crate::wire::{KeyId, Keys};

/// How long like troubles are gathered before the first line. Keys are looked at as often, so a key that just arrives
/// everywhere is often no trouble any more.
const GATHER: Duration = Duration::from_secs(5);

/// The least time between two lines of one kind.
const SILENCE: Duration = Duration::from_mins(1);

/// How many peers a line names.
const NAMED: usize = 3;

/// What was not said yet, and what is no news.
#[derive(Debug, Default)]
pub(super) struct KeyTroubles {
    /// The newest key of each peer that this agent lacks.
    lacked: BTreeMap<NodeId, KeyId>,
    lacking: Tally,
    names: Vec<String>,
    refused: Tally,
    refused_from: Option<SocketAddr>,
}

impl KeyTroubles {
    /// A peer holds this key, and this agent does not. Whether that is news.
    pub(super) fn lack(&mut self, peer: NodeId, key: KeyId, now: Now) -> bool {
        let is_news = self.lacked.insert(peer, key) != Some(key);
        if is_news {
            self.lacking.add(now);
        }
        is_news
    }

    /// How people call the peer of the last news.
    pub(super) fn name(&mut self, peer: String) {
        if self.names.len() < NAMED {
            self.names.push(peer);
        }
    }

    /// No key here vouched for a datagram.
    pub(super) fn refuse(&mut self, from: SocketAddr, now: Now) {
        self.refused_from = Some(from);
        self.refused.add(now);
    }

    /// The keys are others now: what they lack is to be found anew.
    pub(super) fn forget_held(&mut self, keys: &Keys) {
        self.lacked.retain(|_, key| !keys.holds(*key));
        if self.lacked.is_empty() {
            self.lacking.count = 0;
            self.names.clear();
        }
    }

    /// Only who belongs is remembered.
    pub(super) fn forget_all_but(&mut self, belongs: impl Fn(NodeId) -> bool) {
        self.lacked.retain(|&peer, _| belongs(peer));
    }

    /// Says what is due.
    pub(super) fn tell(&mut self, now: Now) {
        if let Some(peers) = self.lacking.due(now) {
            let for_example = std::mem::take(&mut self.names).join(" ");
            tracing::warn!(
                peers,
                for_example,
                "peers hold a newer key that this agent lacks: put the same files into the key directory of every node; \
                 until then they sign with an older key for this one"
            );
        }
        if let Some(datagrams) = self.refused.due(now) {
            let last_from = self.refused_from.map(tracing::field::display);
            tracing::warn!(
                datagrams,
                last_from,
                "datagrams were refused because no key here vouches for them: their sender or this node has a wrong \
                 key, or somebody forges; compare the key directories"
            );
        }
    }
}

/// How often something happened that was not said yet.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    since: Now,
    said: Option<Now>,
}

impl Tally {
    fn add(&mut self, now: Now) {
        if self.count == 0 {
            self.since = now;
        }
        self.count += 1;
    }

    /// What is to be said now. It counts anew afterwards.
    fn due(&mut self, now: Now) -> Option<u64> {
        let is_due = self.count > 0
            && now.since(self.since) >= GATHER
            && self.said.is_none_or(|said| now.since(said) >= SILENCE);
        is_due.then(|| {
            self.said = Some(now);
            std::mem::take(&mut self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Key;

    fn at(seconds: u64) -> Now {
        Now::at(Duration::from_secs(seconds))
    }

    fn peer(number: u64) -> NodeId {
        NodeId(number)
    }

    #[test]
    fn a_thousand_peers_with_a_newer_key_are_one_line_with_a_count() {
        let mut troubles = KeyTroubles::default();
        let news = (0..3000).filter(|&n| troubles.lack(peer(n % 1000), KeyId(7), at(n / 1000))).count();
        assert_eq!(news, 1000, "each peer and key once");
        assert_eq!((troubles.lacking.due(at(4)), troubles.lacking.due(at(5))), (None, Some(1000)));
        assert!(!troubles.lack(peer(3), KeyId(7), at(100)));
        assert_eq!(troubles.lacking.due(at(200)), None, "it was said");
        assert!(troubles.lack(peer(3), KeyId(8), at(100)), "another key is news");
        assert_eq!(troubles.lacking.due(at(105)), Some(1));
    }

    #[test]
    fn a_key_that_has_come_is_no_trouble_any_more() {
        let (mut troubles, key) = (KeyTroubles::default(), Key::new(&[1; 32]));
        troubles.lack(peer(1), key.id(), at(0));
        troubles.forget_held(&Keys::oldest_first(vec![key]).unwrap());
        assert_eq!(troubles.lacking.due(at(60)), None);
    }

    #[test]
    fn refused_datagrams_are_said_once_a_minute_with_their_count() {
        let mut tally = Tally::default();
        let mut said = Vec::new();
        for second in 0..180 {
            tally.add(at(second));
            said.extend(tally.due(at(second)).map(|count| (second, count)));
        }
        assert_eq!(said, [(5, 6), (65, 60), (125, 60)]);
    }
}
