//! What an agent finds that asks beside the heartbeat: the truth about the other machine, after the time it takes.

use std::time::Duration;

use super::host::Host;
use super::network::Reach;
use crate::detector::evidence::{Evidence, HostAnswer, PortAnswer, Question};
use crate::detector::time::Now;

/// How long a machine that is reached takes to answer.
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// What `asker` finds out about `asked`, and when it knows. What does not answer is waited for until the timeout.
pub(super) fn find_out(
    question: Question,
    asker: &Host,
    asked: &Host,
    reached: Reach,
    timeout: Duration,
    now: Now,
) -> (Evidence, Now) {
    let (host, port, after) = if !asker.can_ask {
        (HostAnswer::NotAsked, PortAnswer::NotAsked, Duration::ZERO)
    } else if reached == Reach::Nothing || asked.lost {
        (HostAnswer::Silent, PortAnswer::Silent, timeout)
    } else if reached == Reach::Host {
        (HostAnswer::Replied, PortAnswer::Silent, timeout)
    } else if asked.detector.is_none() {
        (HostAnswer::Replied, PortAnswer::Refused, ROUND_TRIP)
    } else {
        let runs_after = asked.running.next(now).since(now);
        let answers = runs_after < timeout;
        let port = if answers { PortAnswer::Answered } else { PortAnswer::Accepted };
        (HostAnswer::Replied, port, runs_after.min(timeout))
    };
    let port = if question.port.is_some() { port } else { PortAnswer::NotAsked };
    // The answer is a round trip away, the timeout is not, but nobody is woken at the very moment.
    (Evidence { peer: question.peer, host, port }, now + after + ROUND_TRIP)
}
