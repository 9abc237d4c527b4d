//! When each host wants to be woken next: a tournament, in which the first of all is known at once, and a change costs one
//! match on each level. A host has one wake at a time, so this is less work than a queue of all of them.

use crate::detector::time::Now;

/// When, and in which order those of one moment were asked for.
pub(super) type Wake = (Now, u64);

/// The next wake of every host.
pub(super) struct Wakes {
    /// Of each host, with room up to a power of two.
    wanted: Vec<Option<Wake>>,
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
        Self { wanted: vec![None; size], winners }
    }

    /// When a host is woken.
    pub(super) fn of_host(&self, host: usize) -> Option<Now> {
        self.wanted[host].map(|(at, _)| at)
    }

    /// The first of all, and whose it is.
    pub(super) fn first(&self) -> Option<(Wake, usize)> {
        let host = self.winners[1];
        self.wanted[host].map(|wake| (wake, host))
    }

    /// From now on this is when a host is woken.
    pub(super) fn set(&mut self, host: usize, wake: Option<Wake>) {
        self.wanted[host] = wake;
        let mut node = usize::midpoint(self.wanted.len(), host);
        while node > 0 {
            let (one, other) = (self.winners[2 * node], self.winners[2 * node + 1]);
            let (before, now) = (self.winners[node], if self.is_before(other, one) { other } else { one });
            if before == now && now != host {
                // It lost here before and loses now: nothing changes above.
                break;
            }
            self.winners[node] = now;
            node /= 2;
        }
    }

    fn is_before(&self, one: usize, other: usize) -> bool {
        match (self.wanted[one], self.wanted[other]) {
            (Some(one), Some(other)) => one < other,
            (one, _) => one.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    fn drained(wakes: &mut Wakes) -> Vec<usize> {
        let next = || {
            let (_, host) = wakes.first()?;
            wakes.set(host, None);
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
            (0..hosts).for_each(|host| wakes.set(host, Some(moments(host))));
            let mut expected: Vec<usize> = (0..hosts).collect();
            expected.sort_by_key(|&host| moments(host));
            assert_eq!(drained(&mut wakes), expected, "{hosts}");
        }
    }

    #[test]
    fn a_host_is_woken_though_its_neighbours_never_want_to_be() {
        let mut wakes = Wakes::of(8);
        wakes.set(0, Some((at(1), 1)));
        wakes.set(5, Some((at(2), 2)));
        assert_eq!(drained(&mut wakes), [0, 5]);
    }

    #[test]
    fn a_wake_that_is_moved_counts_once() {
        let mut wakes = Wakes::of(3);
        wakes.set(1, Some((at(5), 1)));
        wakes.set(2, Some((at(3), 2)));
        wakes.set(2, Some((at(9), 3)));
        assert_eq!((wakes.of_host(0), wakes.of_host(2)), (None, Some(at(9))));
        assert_eq!(drained(&mut wakes), [1, 2]);
    }
}
