//! Two agents of one name: both answer challenges, so neither is a recording and neither is a restart of the other.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::identity::NodeId;

use super::time::Now;

/// For how long both must have answered before it is told.
const TOLD_AFTER: Duration = Duration::from_secs(30);

/// After this time without a sign of the second agent there is only one.
const OVER_AFTER: Duration = Duration::from_secs(20);

/// The names that two agents use, as it seems.
#[derive(Debug, Default)]
pub(super) struct Rivalries(BTreeMap<NodeId, Rivalry>);

#[derive(Clone, Copy, Debug)]
struct Rivalry {
    since: Now,
    last: Now,
    told: bool,
}

impl Rivalries {
    /// A second agent of this name has just proved that it runs. True if it is to be told now, once.
    pub(super) fn note(&mut self, id: NodeId, now: Now) -> bool {
        self.0.retain(|_, rivalry| now.since(rivalry.last) < OVER_AFTER);
        let rivalry = self.0.entry(id).or_insert(Rivalry { since: now, last: now, told: false });
        rivalry.last = now;
        let is_due = !rivalry.told && now.since(rivalry.since) >= TOLD_AFTER;
        rivalry.told |= is_due;
        is_due
    }

    /// Whether a change of runs of this name may be no restart.
    pub(super) fn suspects(&self, id: NodeId, now: Now) -> bool {
        self.0.get(&id).is_some_and(|rivalry| rivalry.last > rivalry.since && now.since(rivalry.last) < OVER_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now::at(Duration::from_secs(seconds))
    }

    #[test]
    fn two_that_go_on_answering_are_told_once() {
        let mut rivalries = Rivalries::default();
        let told: Vec<u64> = (0..100).filter(|&second| rivalries.note(NodeId(1), at(second))).collect();
        assert_eq!(told, [30]);
    }

    #[test]
    fn one_restart_after_a_clock_was_set_back_is_no_rivalry() {
        let mut rivalries = Rivalries::default();
        assert!(!rivalries.note(NodeId(1), at(0)));
        assert!(!rivalries.suspects(NodeId(1), at(1)));
        assert!(!rivalries.note(NodeId(1), at(600)));
    }
}
