//! Why a discovery does not answer: few causes, each with its name in metrics and logs and a hint for the operator.

/// Why a source did not answer. Closed: these are label values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It answered, and named nobody.
    Empty,
    /// What it was asked for does not exist.
    NotFound,
    /// It could not find out itself (SERVFAIL).
    ServerFailure,
    /// It does not answer such questions, or not to us.
    Refused,
    /// It did not answer in time.
    Timeout,
    /// It could not be reached at all.
    Unreachable,
    /// Its answer did not fit, even over TCP.
    Truncated,
    /// Its answer could not be read.
    Malformed,
    /// Whom to ask is not known: the resolver's own configuration is missing or wrong.
    Configuration,
    /// The asking itself failed: a fault in netsplit.
    Internal,
}

impl Cause {
    /// Every cause, in order.
    pub const ALL: [Self; 10] = [
        Self::Empty,
        Self::NotFound,
        Self::ServerFailure,
        Self::Refused,
        Self::Timeout,
        Self::Unreachable,
        Self::Truncated,
        Self::Malformed,
        Self::Configuration,
        Self::Internal,
    ];

    /// The cause as the label of a metric; stable.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotFound => "not_found",
            Self::ServerFailure => "server_failure",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Configuration => "configuration",
            Self::Internal => "internal",
        }
    }

    /// What an operator can do about it.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Empty | Self::NotFound => "check the name below peers.discovery, and that its records are published",
            Self::ServerFailure => "look at the DNS server's log: it, or the server behind it, cannot answer",
            Self::Refused => "let the DNS server answer this node, or name another one",
            Self::Timeout | Self::Unreachable => {
                "is the DNS server up, and may this node reach its port 53, UDP and TCP?"
            }
            Self::Truncated => "an answer holds about 4,000 addresses: publish fewer under this name",
            Self::Malformed => "is this a DNS server?",
            Self::Configuration => "correct /etc/resolv.conf, or name a server below peers.discovery",
            Self::Internal => "this is a fault in netsplit, please report it",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_place_and_a_name_of_its_own() {
        let names: BTreeSet<&str> = Cause::ALL.into_iter().map(Cause::as_str).collect();
        assert_eq!(names.len(), Cause::ALL.len());
        assert!(Cause::ALL.is_sorted());
        assert_eq!(Cause::ALL.last(), Some(&Cause::Internal));
    }
}
