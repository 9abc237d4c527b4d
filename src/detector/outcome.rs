//! What comes of one probe of an endpoint, as data: the detector judges by it, and events, metrics and answers name it.

use serde::{Deserialize, Serialize};

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered as it should.
    Success,
    /// It did not.
    Failure(Cause),
    /// A fault of this machine (no route, no socket, no file with the password): it says nothing of the endpoint.
    Inconclusive,
}

/// Why a probe failed: a closed set. Written as `cause`, and `ailment` beside it if it is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "cause", content = "ailment", rename_all = "snake_case")]
pub enum Cause {
    /// Its host refused the connection.
    Refused,
    /// Nothing came in time.
    Timeout,
    /// The connection broke before the answer was there.
    Reset,
    /// A router or the host said that there is no way to it.
    Unreachable,
    /// Its name has no address, or the name servers did not say.
    Dns,
    /// The handshake failed, or its certificate is not good.
    Tls,
    /// What came is not of its protocol.
    Protocol,
    /// It answered with a status or a text that is not the expected one.
    Status,
    /// It did not take the credentials, or wants some.
    Auth,
    /// It answered, and says of itself that something is wrong.
    Unhealthy(Ailment),
}

/// What an endpoint says of itself: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ailment {
    /// It does not serve, as it says itself.
    NotServing,
    /// Its own cluster is partitioned.
    Partitioned,
    /// Members of its own cluster do not run.
    NodesDown,
    /// It has no leader, or has lost its quorum.
    NoLeader,
    /// Some of its partitions have no leader.
    PartitionsWithoutLeader,
    /// Some of its queues have lost their majority.
    QueuesWithoutMajority,
    /// The link to its primary is down.
    ReplicationDown,
    /// It is further behind its primary than it may be.
    ReplicationLag,
    /// It has another role than it should: a replica where the primary was expected, or the other way round.
    Role,
    /// It reports an alarm of its own: no space, corrupt data.
    Alarm,
}

impl Outcome {
    /// Whether the endpoint answered as it should.
    pub fn is_success(self) -> bool {
        self == Self::Success
    }
}

impl Cause {
    /// Every cause but that of an endpoint that says itself that it is unhealthy, in the order of the enum.
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Timeout,
        Self::Reset,
        Self::Unreachable,
        Self::Dns,
        Self::Tls,
        Self::Protocol,
        Self::Status,
        Self::Auth,
    ];

    /// What the endpoint says of itself, if that is the cause.
    pub fn ailment(self) -> Option<Ailment> {
        if let Self::Unhealthy(ailment) = self { Some(ailment) } else { None }
    }

    /// Its name in events, metrics and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Unreachable => "unreachable",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Auth => "auth",
            Self::Unhealthy(_) => "unhealthy",
        }
    }
}

impl Ailment {
    /// Every ailment, in the order of the enum.
    pub const ALL: [Self; 10] = [
        Self::NotServing,
        Self::Partitioned,
        Self::NodesDown,
        Self::NoLeader,
        Self::PartitionsWithoutLeader,
        Self::QueuesWithoutMajority,
        Self::ReplicationDown,
        Self::ReplicationLag,
        Self::Role,
        Self::Alarm,
    ];

    /// Its name in events, metrics and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotServing => "not_serving",
            Self::Partitioned => "partitioned",
            Self::NodesDown => "nodes_down",
            Self::NoLeader => "no_leader",
            Self::PartitionsWithoutLeader => "partitions_without_leader",
            Self::QueuesWithoutMajority => "queues_without_majority",
            Self::ReplicationDown => "replication_down",
            Self::ReplicationLag => "replication_lag",
            Self::Role => "role",
            Self::Alarm => "alarm",
        }
    }
}
