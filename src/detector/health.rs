//! The agent distrusts itself first: stalls, drops, and what follows for its own row and mode.

use std::collections::BTreeSet;
use std::time::Duration;

use super::event::BlindCause;
use super::time::Now;
use crate::identity::NodeId;
use crate::wire::Slept;

/// Drops that go on for longer than this make the agent blind.
const DROPS_TOLERATED: Duration = Duration::from_secs(10);

/// What this agent knows against itself.
#[derive(Clone, Debug, Default)]
pub struct Health {
    impaired_until: Option<Now>,
    stalled: Option<Stall>,
    drops: Option<Drops>,
    /// The peers whose silence is this agent's own matter: their datagrams do not get through.
    unreachable: BTreeSet<NodeId>,
    /// When one bound has passed since one of them was heard again.
    udp_back_until: Option<Now>,
}

/// Ends are kept and not computed: other settings later do not bring back what is over.
#[derive(Clone, Copy, Debug)]
struct Stall {
    length: Duration,
    woke: Now,
    /// One bound after it woke.
    until: Now,
}

#[derive(Clone, Copy, Debug)]
struct Drops {
    since: Now,
    last: Now,
    /// One bound after the last.
    until: Now,
}

impl Health {
    /// The agent did not run for `length`, until now.
    pub fn stall(&mut self, now: Now, length: Duration, bound: Duration) {
        self.impaired_until = Some(now + bound);
        self.stalled = Some(Stall { length, woke: now, until: now + bound });
    }

    /// The socket dropped datagrams. True if they have been dropped for so long that the agent is blind from now on.
    pub fn drop(&mut self, now: Now, bound: Duration) -> bool {
        self.impaired_until = Some(now + bound);
        let before = self.drops.filter(|drops| now < drops.until);
        let was_blind = before.is_some_and(Drops::blinds);
        let drops = Drops { since: before.map_or(now, |drops| drops.since), last: now, until: now + bound };
        self.drops = Some(drops);
        !was_blind && drops.blinds()
    }

    /// UDP is blocked here: these peers fell silent, and are there.
    pub fn block_udp(&mut self, silent: BTreeSet<NodeId>) {
        self.unreachable = silent;
    }

    /// Whether UDP is blocked here.
    pub fn is_udp_blocked(&self) -> bool {
        !self.unreachable.is_empty()
    }

    /// A peer is heard, or gone. True if that ends the time in which UDP was blocked: now one bound begins in which
    /// nothing can be told.
    pub fn udp_passes(&mut self, peer: NodeId, now: Now, bound: Duration) -> bool {
        let ends = self.is_udp_blocked() && self.unreachable.contains(&peer);
        if ends {
            self.unreachable.clear();
            self.udp_back_until = Some(now + bound);
            self.impaired_until = self.impaired_until.max(Some(now + bound));
        }
        ends
    }

    /// Whether others should not believe that what it calls down is down.
    pub fn is_impaired(&self, now: Now) -> bool {
        self.is_udp_blocked() || self.impaired_until.is_some_and(|until| now < until)
    }

    /// Whether a stall, or the time in which UDP was blocked, ended less than one bound ago.
    pub fn is_waking(&self, now: Now) -> bool {
        let stalled = self.stalled.map(|stall| stall.until);
        [stalled, self.udp_back_until].into_iter().flatten().any(|until| now < until)
    }

    /// Why it cannot judge: UDP is blocked, or its socket has been dropping for long.
    pub fn blind_cause(&self, now: Now) -> Option<BlindCause> {
        let dropping = || self.drops.is_some_and(|drops| drops.blinds() && now < drops.until);
        let udp = self.is_udp_blocked().then_some(BlindCause::Udp);
        udp.or_else(|| dropping().then_some(BlindCause::Drops))
    }

    /// When the next of these ends.
    pub fn next_end(&self, now: Now) -> Option<Now> {
        let waking = self.stalled.map(|stall| stall.until);
        let dropping = self.drops.map(|drops| drops.until);
        [self.impaired_until, waking, dropping, self.udp_back_until]
            .into_iter()
            .flatten()
            .filter(|&end| end > now)
            .min()
    }

    /// What to tell the peers for one bound after a stall.
    pub fn slept(&self, now: Now) -> Option<Slept> {
        let Stall { length, woke, .. } = self.stalled.filter(|stall| now < stall.until)?;
        Some(Slept { length, ago: now.since(woke) })
    }
}

impl Drops {
    fn blinds(self) -> bool {
        self.last.since(self.since) > DROPS_TOLERATED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(2500);

    fn at(seconds: u64) -> Now {
        Now::at(Duration::from_secs(seconds))
    }

    #[test]
    fn a_stall_impairs_for_one_bound() {
        let mut health = Health::default();
        health.stall(at(10), Duration::from_secs(7), BOUND);
        assert!(health.is_impaired(at(12)) && health.is_waking(at(12)));
        assert!(!health.is_impaired(at(13)) && !health.is_waking(at(13)));
    }

    #[test]
    fn drops_that_go_on_for_more_than_ten_seconds_blind_and_say_so_once() {
        let mut health = Health::default();
        let said: Vec<bool> = (0..14).map(|second| health.drop(at(second), BOUND)).collect();
        assert_eq!(said.iter().filter(|&&blind| blind).count(), 1);
        assert!(said[11], "after more than ten seconds");
        assert_eq!([13, 16].map(|second| health.blind_cause(at(second))), [Some(BlindCause::Drops), None]);
    }

    #[test]
    fn drops_with_a_pause_between_them_begin_anew() {
        let mut health = Health::default();
        assert!(!(0..10).any(|turn| health.drop(at(turn * 3), BOUND)));
    }
}
