//! What a cause means to somebody in trouble, and where to look next: one sentence each.

use netsplit::detector::outcome::{Ailment, Cause, Outcome};

/// What is told of an outcome beside its name; nothing of a success.
pub(super) fn of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "",
        Outcome::Failure(Cause::Unhealthy(ailment)) => of_ailment(ailment),
        Outcome::Failure(cause) => of_cause(cause),
        Outcome::Inconclusive => {
            "The fault is on this machine: the endpoint was not asked, and nothing is known of it."
        }
    }
}

fn of_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Refused => {
            "Its host answers, and nobody listens on that port: does it run there, and is the port right?"
        }
        Cause::Timeout => {
            "Nothing came in time: the phases show how far it got. Without `connect` the way there is cut, or a firewall \
             drops what it does not like; with it, the endpoint hangs or is overloaded."
        }
        Cause::Reset => "The connection broke before the answer was there: it crashed, or something between ended it.",
        Cause::Unreachable => {
            "A router or the host itself says that there is no way to it: look at routes and policies."
        }
        Cause::Dns => "Its name could not be found out; whether the endpoint is well is not known. Probe the DNS next.",
        Cause::Tls => "The handshake failed, or the certificate is not good: nobody should talk to it like that.",
        Cause::Protocol => "Something else answers there than what was expected: is it the right port, and TLS or not?",
        Cause::Status => "It answers, but not with what was expected.",
        Cause::Auth => "It runs, and does not take these credentials, or wants some.",
        Cause::Unhealthy(ailment) => of_ailment(ailment),
    }
}

fn of_ailment(ailment: Ailment) -> &'static str {
    match ailment {
        Ailment::NotServing => "It answers, and says that it does not serve.",
        Ailment::Partitioned => "It answers, and says that its own cluster is partitioned.",
        Ailment::NodesDown => "It answers, and says that members of its own cluster do not run.",
        Ailment::NoLeader => "It answers, and has no leader: it has lost its quorum, or is electing.",
        Ailment::PartitionsWithoutLeader => "It answers, and some of its partitions have no leader.",
        Ailment::QueuesWithoutMajority => "It answers, and some of its queues have lost their majority, or soon might.",
        Ailment::ReplicationDown => "It answers, and does not hear its primary: what it tells grows old.",
        Ailment::ReplicationLag => "It answers, and is further behind its primary than it may be.",
        Ailment::Role => "It answers, and has another role than the expected one: was there a failover?",
        Ailment::Alarm => "It answers, and reports an alarm of its own: it has no space, or its data is damaged.",
    }
}
