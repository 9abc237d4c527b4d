//! Why a discovery does not answer: few causes, each with its name in metrics and logs. What can be done about one depends on
//! who was asked, and is said by the source.

/// Why a source did not answer. Closed: these are label values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It answered, and named nobody.
    Empty,
    /// What it was asked for does not exist.
    NotFound,
    /// It could not find out itself (SERVFAIL, 500).
    ServerFailure,
    /// It does not answer such questions, or not to us.
    Refused,
    /// It did not answer in time.
    Timeout,
    /// It could not be reached at all.
    Unreachable,
    /// There is no trust between it and us: the handshake of TLS failed.
    Tls,
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
    pub const ALL: [Self; 11] = [
        Self::Empty,
        Self::NotFound,
        Self::ServerFailure,
        Self::Refused,
        Self::Timeout,
        Self::Unreachable,
        Self::Tls,
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
            Self::Tls => "tls",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Configuration => "configuration",
            Self::Internal => "internal",
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
