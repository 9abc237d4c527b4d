//! What a configuration costs on the network, at any number of nodes.
//!
//! An agent sends each of its N − 1 peers one heartbeat per Q = ⅞ P on average (DESIGN section 3), so (N − 1) / Q a second, and
//! hears as many. A healthy heartbeat is [`PAYLOAD`] bytes and the headers of UDP and IP. With the nodes spread evenly
//! over the zones, nᵢ of them in zone i, N² − Σ nᵢ² directed pairs cross a border between zones, each with one
//! heartbeat per Q. A month has 30 days. What is sent during a cut (polls, rows) is not in these numbers.

use netsplit::detector::settings::Timing;

/// The largest payload of a healthy heartbeat, in bytes.
const PAYLOAD: f64 = 96.0;

/// Headers of UDP and IPv4, in bytes.
const IPV4_HEADERS: f64 = 28.0;

/// Headers of UDP and IPv6, in bytes.
const IPV6_HEADERS: f64 = 48.0;

const MONTH: f64 = 30.0 * 86_400.0;

/// A cluster, as far as its traffic depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    /// The timing at so many nodes.
    pub(crate) timing: Timing,
    /// How many nodes.
    pub(crate) nodes: u32,
    /// Over how many zones they are spread.
    pub(crate) zones: u32,
    /// Whether heartbeats travel by IPv6.
    pub(crate) ipv6: bool,
}

impl Cluster {
    /// Heartbeats that each agent sends in a second; it receives as many.
    pub(crate) fn heartbeats_per_second(&self) -> f64 {
        f64::from(self.nodes.saturating_sub(1)) / self.mean_interval()
    }

    /// Bits that each agent sends in a second, headers included; it receives as many.
    pub(crate) fn bits_per_second(&self) -> f64 {
        self.heartbeats_per_second() * self.datagram() * 8.0
    }

    /// Bytes that cross a border between zones in 30 days, all agents together.
    pub(crate) fn bytes_between_zones_per_month(&self) -> f64 {
        self.pairs_between_zones() / self.mean_interval() * self.datagram() * MONTH
    }

    /// Bytes of one heartbeat on the wire, without the link layer.
    pub(crate) fn datagram(&self) -> f64 {
        PAYLOAD + if self.ipv6 { IPV6_HEADERS } else { IPV4_HEADERS }
    }

    /// Q, in seconds.
    fn mean_interval(&self) -> f64 {
        self.timing.period.as_secs_f64() * 7.0 / 8.0
    }

    fn pairs_between_zones(&self) -> f64 {
        let zones = self.zones.max(1);
        let (small, larger) = (self.nodes / zones, self.nodes % zones);
        let square = |n: u32| f64::from(n) * f64::from(n);
        let inside = f64::from(larger) * square(small + 1) + f64::from(zones - larger) * square(small);
        square(self.nodes) - inside
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn every(seconds: u64, nodes: u32) -> Cluster {
        let timing = Timing::of_period(Duration::from_secs(seconds));
        Cluster { timing, nodes, zones: 3, ipv6: false }
    }

    fn hundred() -> Cluster {
        every(7, 100)
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < b * 1e-9
    }

    #[test]
    fn a_peer_gets_a_heartbeat_per_seven_eighths_of_the_period() {
        let pair = every(8, 2);
        assert!(near(pair.heartbeats_per_second(), 1.0 / 7.0));
    }

    #[test]
    fn bandwidth_counts_the_headers() {
        let pair = every(8, 8);
        assert!(near(pair.bits_per_second(), 124.0 * 8.0));
        assert!(near(Cluster { ipv6: true, ..pair }.bits_per_second(), 144.0 * 8.0));
    }

    #[test]
    fn pairs_inside_a_zone_cost_nothing_between_zones() {
        // 34 + 33 + 33 nodes: 2 · (34·33 + 34·33 + 33·33) directed pairs.
        assert!(near(hundred().pairs_between_zones(), 6666.0));
        assert!(near(Cluster { zones: 1, ..hundred() }.pairs_between_zones() + 1.0, 1.0));
    }

    #[test]
    fn more_zones_than_nodes_make_every_pair_cross_a_border() {
        assert!(near(Cluster { nodes: 3, zones: 9, ..hundred() }.pairs_between_zones(), 6.0));
    }

    #[test]
    fn a_month_has_thirty_days() {
        let pair = Cluster { zones: 2, ..every(8, 2) };
        assert!(near(pair.bytes_between_zones_per_month(), 2.0 / 7.0 * 124.0 * 2_592_000.0));
    }
}
