//! What stands before the detector: a limit for strangers, then the keys. Whatever is refused here is counted by its
//! [`Reason`] and changes nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::counters::Reason;
use crate::detector::Listing;
use crate::detector::time::Now;
use crate::detector::view::View;
use crate::identity::NodeId;
use crate::wire::{self, Keys, Opened, Refusal};

/// How many datagrams a second from addresses that are not in the roster may cost an HMAC, all of them together.
const STRANGERS_A_SECOND: u32 = 100;

/// Opens what came in, or refuses it.
pub(super) struct Gate {
    own: NodeId,
    keys: Keys,
    /// Where the roster's nodes are.
    members: BTreeSet<IpAddr>,
    /// What the discovery lists, whether it is known whose it is or not.
    listed: BTreeSet<IpAddr>,
    roster_version: u64,
    strangers: Bucket,
}

impl Gate {
    pub(super) fn new(own: NodeId, keys: Keys, view: &View, now: Now) -> Self {
        let (members, roster_version) = (addresses(view), view.roster_version);
        Self { own, keys, members, listed: BTreeSet::new(), roster_version, strangers: Bucket::full(now) }
    }

    /// Whoever is in the roster is no stranger. Whether the roster is another than before.
    pub(super) fn learn_addresses(&mut self, view: &View) -> bool {
        let is_another = view.roster_version != self.roster_version;
        if is_another {
            (self.members, self.roster_version) = (addresses(view), view.roster_version);
        }
        is_another
    }

    /// Whoever is listed is no stranger either.
    pub(super) fn learn_listing(&mut self, listing: &Listing) {
        let named = listing.members.iter().map(|member| member.address);
        self.listed =
            named.chain(listing.addresses.iter().copied()).map(|address| address.ip().to_canonical()).collect();
    }

    /// From now on these keys vouch for datagrams.
    pub(super) fn change_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// Refuses a flood from strangers before it costs an HMAC each, and then what no key vouches for.
    pub(super) fn open(&mut self, bytes: &[u8], from: SocketAddr, now: Now) -> Result<Opened, Refused> {
        let is_known = self.members.contains(&from.ip()) || self.listed.contains(&from.ip());
        if !is_known && !self.strangers.take(now) {
            return Err(Refused::Rate);
        }
        wire::open(bytes, self.own, &self.keys).map_err(Refused::Wire)
    }
}

fn addresses(view: &View) -> BTreeSet<IpAddr> {
    view.nodes.iter().map(|node| node.member.address.ip().to_canonical()).collect()
}

/// Why a datagram does not come to the detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too many came from addresses that are not in the roster.
    Rate,
    /// The wire did not open it.
    Wire(Refusal),
}

impl Refused {
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Rate => Reason::RATE,
            Self::Wire(refusal) => Reason::of(refusal),
        }
    }
}

/// A token bucket that holds one second's worth.
struct Bucket {
    tokens: u32,
    filled: Now,
}

impl Bucket {
    fn full(now: Now) -> Self {
        Self { tokens: STRANGERS_A_SECOND, filled: now }
    }

    fn take(&mut self, now: Now) -> bool {
        let one = Duration::from_secs(1) / STRANGERS_A_SECOND;
        let ripe = now.since(self.filled).as_nanos() / one.as_nanos();
        let ripe = u32::try_from(ripe).unwrap_or(STRANGERS_A_SECOND).min(STRANGERS_A_SECOND);
        if self.tokens + ripe >= STRANGERS_A_SECOND {
            *self = Self::full(now);
        } else {
            *self = Self { tokens: self.tokens + ripe, filled: self.filled + one * ripe };
        }
        let left = self.tokens.checked_sub(1);
        self.tokens = left.unwrap_or_default();
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::saved::Saved;
    use crate::detector::settings::{Member, ModePolicy, Settings, Timing};
    use crate::detector::{Detector, Input, Listing};
    use crate::identity::Incarnation;

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    #[test]
    fn strangers_have_a_hundred_tries_a_second_in_all() {
        let mut bucket = Bucket::full(at(0));
        assert_eq!((0..1000).filter(|_| bucket.take(at(0))).count(), 100);
        assert_eq!((1..=1000).filter(|&now| bucket.take(at(now))).count(), 100);
    }

    #[test]
    fn what_strangers_leave_unused_is_not_saved_up() {
        let mut bucket = Bucket::full(at(0));
        assert_eq!((0..1000).filter(|_| bucket.take(at(3_600_000))).count(), 100);
    }

    #[test]
    fn whoever_joins_the_roster_is_no_stranger_any_more() {
        let member = |number: u8| Member::new(format!("n{number}"), "", SocketAddr::from(([10, 0, 0, number], 7475)));
        let timing = Timing::of_period(Duration::from_secs(1));
        let settings = Settings {
            cluster: "c".into(),
            node: member(1),
            timing: timing.into(),
            mode: ModePolicy::default(),
            endpoints: Vec::new(),
        };
        let mut detector = Detector::new(settings, Saved::default(), Incarnation(1), [7; 32], at(0));
        let mut gate = Gate::new(detector.id(), Keys::insecure(), &detector.view(at(0)), at(0));
        assert!(!gate.learn_addresses(&detector.view(at(0))), "it is as before");
        detector.handle(Input::Listing(Listing::of(vec![member(1), member(2)])), at(0));
        assert!(gate.learn_addresses(&detector.view(at(0))));
        assert!(!gate.learn_addresses(&detector.view(at(0))));
        assert!(gate.members.contains(&member(2).address.ip()) && !gate.members.contains(&member(3).address.ip()));
        gate.learn_listing(&Listing::of_addresses(vec![member(3).address]));
        assert!(gate.listed.contains(&member(3).address.ip()));
    }
}
