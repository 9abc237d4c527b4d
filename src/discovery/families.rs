//! Which addresses the agent's socket reaches, and which of a node's are taken where it has several.

use std::net::{IpAddr, SocketAddr};

/// Which addresses the agent's socket reaches. The others are not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
    prefers_ipv6: bool,
}

impl Families {
    /// What a socket that is bound there reaches; `[::]` serves both.
    pub fn reached_from(listen: SocketAddr) -> Self {
        let ipv4 = listen.is_ipv4() || listen.ip().is_unspecified();
        Self { ipv4, ipv6: listen.is_ipv6(), prefers_ipv6: false }
    }

    /// Of two addresses of a node, that of the family is taken of which this agent's own is, if it is known.
    #[must_use]
    pub fn preferring(self, own: Option<IpAddr>) -> Self {
        Self { prefers_ipv6: own.is_some_and(|own| own.is_ipv6()), ..self }
    }

    /// Whether the socket reaches this address.
    pub(super) fn reach(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.ipv4 } else { self.ipv6 }
    }

    /// Whether this address is of the family that is taken first.
    pub(super) fn prefer(self, address: IpAddr) -> bool {
        address.is_ipv6() == self.prefers_ipv6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_the_socket_reaches_are_asked_for() {
        let reached = |listen: &str| {
            let families = Families::reached_from(listen.parse().unwrap());
            ["10.0.0.1", "fd00::1"].map(|address| families.reach(address.parse().unwrap()))
        };
        assert_eq!(reached("[::]:7475"), [true, true]);
        assert_eq!(reached("0.0.0.0:7475"), [true, false]);
        assert_eq!(reached("10.0.0.1:7475"), [true, false]);
        assert_eq!(reached("[fd00::1]:7475"), [false, true]);
    }

    #[test]
    fn of_two_families_that_of_the_agent_itself_comes_first() {
        let both = Families::reached_from("[::]:7475".parse().unwrap());
        let prefers = |own: Option<&str>, address: &str| {
            both.preferring(own.map(|own| own.parse().unwrap())).prefer(address.parse().unwrap())
        };
        assert!(prefers(None, "10.0.0.1") && !prefers(None, "fd00::1"));
        assert!(prefers(Some("10.0.0.2"), "10.0.0.1") && prefers(Some("fd00::2"), "fd00::1"));
        assert!(!prefers(Some("fd00::2"), "10.0.0.1"));
    }
}
