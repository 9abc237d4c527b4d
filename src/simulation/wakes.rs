//! When each host wants to be woken next: a tournament, in which the first of all is known at once, and a change costs one
//! match on each level. A host has one wake at a time, so this is less work than a queue of all of them.

use std::time::Duration;

use crate::detector::time::Now;

/// When, and in which order those of one moment were asked for.
pub(super) type Wake = (Now, u64);

/// That of nobody comes last.
const NEVER: Wake = (Now::at(Duration::MAX), u64::MAX);

/// The next wake of every host.
pub(super) struct Wakes {
    /// Of each host, with room up to a power of two.
    wanted: Vec<Wake>,
    /// Node `i` has the children `2i` and `2i + 1`: the host that wins below it. The hosts themselves come last.
    winners: Vec<usize>,
}

impl Wakes {
    /// Nobody of so many hosts wants to be woken.
    pub(super) fn of(hosts: usize) -> Self {
        let size = hosts.next_power_of_two();
        // Of nobody each node knows the first below it: another's wake would be lost with it.
        let first_below = |mut node: usize| {
            while node < size {
                node = (2 * node).max(1);
            }
            node - size
        };
        let winners = (0..2 * size).map(first_below).collect();
        Self { wanted: vec![NEVER; size], winners }
    }

    /// When a host is woken.
    pub(super) fn of_host(&self, host: usize) -> Option<Now> {
        Some(self.wanted[host]).filter(|&wake| wake != NEVER).map(|(at, _)| at)
    }

    /// The first of all, and whose it is.
    pub(super) fn first(&self) -> Option<(Wake, usize)> {
        let host = self.winners[1];
        Some(self.wanted[host]).filter(|&wake| wake != NEVER).map(|wake| (wake, host))
    }

    /// From now on this is when a host is woken.
    pub(super) fn set(&mut self, host: usize, wake: Wake) {
        self.wanted[host] = wake;
        self.play(host);
    }

    /// A host is woken, and wants to be woken again when it says so. Until [`Self::settle`] is called nobody may ask who is the
    /// first: most hosts say so at once, and one round of matches is enough for both.
    pub(super) fn lift(&mut self, host: usize) {
        self.wanted[host] = NEVER;
    }

    /// A host that was woken has said what it wants, or nothing.
    pub(super) fn settle(&mut self, host: usize) {
        if self.wanted[host] == NEVER {
            self.play(host);
        }
    }

    fn play(&mut self, host: usize) {
        let mut node = usize::midpoint(self.wanted.len(), host);
        while node > 0 {
            let (one, other) = (self.winners[2 * node], self.winners[2 * node + 1]);
            let winner = if self.wanted[other] < self.wanted[one] { other } else { one };
            let before = std::mem::replace(&mut self.winners[node], winner);
            if before == winner && winner != host {
                // It lost here before, and loses now: nothing changes above.
                break;
            }
            node /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    fn drained(wakes: &mut Wakes) -> Vec<usize> {
        let next = || {
            let (_, host) = wakes.first()?;
            wakes.lift(host);
            wakes.settle(host);
            Some(host)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn hosts_wake_in_the_order_of_their_times_and_then_of_their_asking() {
        for hosts in [1, 2, 3, 7, 8, 100] {
            let mut wakes = Wakes::of(hosts);
            assert_eq!(wakes.first(), None);
            let moments = |host: usize| (at(host as u64 * 37 % 10), (hosts - host) as u64);
            (0..hosts).for_each(|host| wakes.set(host, moments(host)));
            let mut expected: Vec<usize> = (0..hosts).collect();
            expected.sort_by_key(|&host| moments(host));
            assert_eq!(drained(&mut wakes), expected, "{hosts}");
        }
    }

    #[test]
    fn a_host_is_woken_though_its_neighbours_never_want_to_be() {
        let mut wakes = Wakes::of(8);
        wakes.set(0, (at(1), 1));
        wakes.set(5, (at(2), 2));
        assert_eq!(drained(&mut wakes), [0, 5]);
    }

    #[test]
    fn a_wake_that_is_moved_counts_once() {
        let mut wakes = Wakes::of(3);
        wakes.set(1, (at(5), 1));
        wakes.set(2, (at(3), 2));
        wakes.set(2, (at(9), 3));
        assert_eq!((wakes.of_host(0), wakes.of_host(2)), (None, Some(at(9))));
        assert_eq!(drained(&mut wakes), [1, 2]);
    }
}
