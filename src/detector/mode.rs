//! The mode: what this agent's own side may do, given the published verdict and the electorate.
//!
//! It is advice that is right as long as the sides held the same electorate when they parted. It is no lock.

use serde::{Deserialize, Serialize};

use super::settings::{ModePolicy, Policy, Tie, WriteQuorum};

/// What this side may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Too early to tell: just started, or what was so before a stall or a blind time may not be so any more.
    #[default]
    Starting,
    /// Everybody is heard.
    Normal,
    /// A majority without a cut, but not everybody is heard, or a link loses too much.
    Degraded,
    /// The cluster is cut and this side has the majority.
    Majority,
    /// This side has no majority.
    Minority,
    /// This node is alone.
    Isolated,
}

/// What an application may expect of this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceLevel {
    /// Nobody can tell.
    Unknown,
    /// Everything.
    Full,
    /// What this node remembers.
    Cached,
    /// Reads.
    ReadOnly,
    /// Nothing but what the application holds itself: this node is alone, and reaches no endpoint either.
    Emergency,
}

/// How much of what was written elsewhere a reader of this side may miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Nobody can tell.
    Unknown,
    /// Nothing.
    Strong,
    /// What the other sides write, until they meet again.
    Eventual,
    /// Everything that is not on this node.
    Stale,
}

impl Mode {
    /// Every mode, in the order of the enum.
    pub const ALL: [Self; 6] =
        [Self::Starting, Self::Normal, Self::Degraded, Self::Majority, Self::Minority, Self::Isolated];

    /// Whether this side may write.
    pub fn may_write(self, policy: Policy) -> bool {
        match self {
            Self::Starting => false,
            Self::Normal | Self::Degraded | Self::Majority => true,
            Self::Minority | Self::Isolated => policy == Policy::Ap,
        }
    }

    /// Whether this side may answer reads; [`Self::consistency`] says how far they are to be trusted.
    pub fn may_read(self) -> bool {
        self != Self::Starting
    }

    /// What a reader of this side may miss.
    pub fn consistency(self) -> Consistency {
        match self {
            Self::Starting => Consistency::Unknown,
            Self::Normal | Self::Degraded | Self::Majority => Consistency::Strong,
            Self::Minority => Consistency::Eventual,
            Self::Isolated => Consistency::Stale,
        }
    }

    /// What an application may expect. `reaches_nothing`: this agent probes endpoints, and none of them answers.
    pub fn service_level(self, reaches_nothing: bool) -> ServiceLevel {
        match self {
            Self::Isolated if reaches_nothing => ServiceLevel::Emergency,
            Self::Starting => ServiceLevel::Unknown,
            Self::Normal | Self::Degraded | Self::Majority => ServiceLevel::Full,
            Self::Minority => ServiceLevel::ReadOnly,
            Self::Isolated => ServiceLevel::Cached,
        }
    }

    /// The name of the mode in metrics and in text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Normal => "normal",
            Self::Degraded => "degraded",
            Self::Majority => "majority",
            Self::Minority => "minority",
            Self::Isolated => "isolated",
        }
    }
}

/// How a side stands in one electorate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Members joined to this node on its side, itself included: k.
    pub members: usize,
    /// Members in all: n.
    pub size: usize,
    /// This side has the lowest name, for certain.
    pub has_lowest: bool,
    /// It was never whole yet.
    pub in_foundation: bool,
}

/// What the mode is computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the table of modes")]
pub struct Standing {
    /// Just started, just stalled, or blind.
    pub starting: bool,
    /// How this side stands in each electorate that counts, the newest first. None: no electorate is known.
    pub counts: Vec<Count>,
    /// A complete cut is published.
    pub cut: bool,
    /// Any other partition is published.
    pub partition: bool,
    /// Some link is in the loss class.
    pub lossy: bool,
}

impl Standing {
    /// The mode: the first row of the table that matches.
    pub fn mode(&self, policy: &ModePolicy) -> Mode {
        let Some(newest) = self.counts.first().filter(|_| !self.starting) else { return Mode::Starting };
        if self.counts.iter().any(|count| count.in_foundation) {
            return Mode::Starting;
        }
        let quorate = self.is_quorate(policy.write_quorum);
        if !self.cut && quorate {
            let whole = newest.members == newest.size && !self.partition && !self.lossy;
            if whole { Mode::Normal } else { Mode::Degraded }
        } else if self.cut
            && self.counts.iter().all(|count| count.is_quorate(policy.write_quorum) || count.wins_tie(*policy))
        {
            Mode::Majority
        } else if newest.members <= 1 && newest.size >= 2 {
            Mode::Isolated
        } else {
            Mode::Minority
        }
    }

    /// Whether this side has a majority of every electorate that counts.
    pub fn is_quorate(&self, quorum: WriteQuorum) -> bool {
        !self.counts.is_empty() && self.counts.iter().all(|count| count.is_quorate(quorum))
    }
}

impl Count {
    pub(super) fn is_quorate(self, quorum: WriteQuorum) -> bool {
        let asked = match quorum {
            WriteQuorum::Majority => 0,
            WriteQuorum::AtLeast(members) => usize::from(members),
        };
        self.members >= asked.max(self.size / 2 + 1)
    }

    /// An exact half wins only under `tie: lowest`, and only where no larger quorum is asked for.
    fn wins_tie(self, policy: ModePolicy) -> bool {
        policy.tie == Tie::Lowest
            && policy.write_quorum == WriteQuorum::Majority
            && self.members * 2 == self.size
            && self.has_lowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(members: usize, size: usize) -> Count {
        Count { members, size, has_lowest: true, in_foundation: false }
    }

    fn standing(members: usize, size: usize, cut: bool) -> Standing {
        Standing { starting: false, counts: vec![count(members, size)], cut, partition: false, lossy: false }
    }

    #[test]
    fn a_majority_of_the_new_electorate_is_none_without_one_of_the_old() {
        let policy = ModePolicy::default();
        let counts = vec![count(4, 6), count(1, 3)];
        assert_eq!(Standing { counts, ..standing(0, 0, true) }.mode(&policy), Mode::Minority);
        let counts = vec![count(4, 6), count(2, 3)];
        assert_eq!(Standing { counts, ..standing(0, 0, true) }.mode(&policy), Mode::Majority);
    }

    #[test]
    fn an_electorate_that_is_not_founded_yet_elects_nobody() {
        let counts = vec![Count { in_foundation: true, ..count(5, 5) }];
        assert_eq!(Standing { counts, ..standing(0, 0, false) }.mode(&ModePolicy::default()), Mode::Starting);
    }

    #[test]
    fn without_an_electorate_nobody_elects_itself() {
        assert_eq!(
            Standing { counts: Vec::new(), ..standing(0, 0, false) }.mode(&ModePolicy::default()),
            Mode::Starting
        );
    }

    #[test]
    fn who_is_alone_and_reaches_no_endpoint_is_in_an_emergency() {
        for (mode, reaches_nothing, expected) in [
            (Mode::Isolated, true, ServiceLevel::Emergency),
            (Mode::Isolated, false, ServiceLevel::Cached),
            (Mode::Minority, true, ServiceLevel::ReadOnly),
            (Mode::Normal, true, ServiceLevel::Full),
        ] {
            assert_eq!(mode.service_level(reaches_nothing), expected, "{mode:?}, {reaches_nothing}");
        }
    }

    #[test]
    fn the_table_matches_from_the_top() {
        let policy = ModePolicy::default();
        for (members, electorate, cut, expected) in [
            (5, 5, false, Mode::Normal),
            (4, 5, false, Mode::Degraded),
            (3, 5, true, Mode::Majority),
            (2, 5, true, Mode::Minority),
            (2, 5, false, Mode::Minority),
            (1, 5, true, Mode::Isolated),
            (2, 4, true, Mode::Minority),
            (1, 1, false, Mode::Normal),
        ] {
            assert_eq!(standing(members, electorate, cut).mode(&policy), expected, "{members} of {electorate}");
        }
    }

    #[test]
    fn a_tie_is_won_by_nobody_unless_the_operator_chose_so() {
        let lowest = ModePolicy { tie: Tie::Lowest, ..ModePolicy::default() };
        assert_eq!(standing(2, 4, true).mode(&lowest), Mode::Majority);
        let counts = vec![Count { has_lowest: false, ..count(2, 4) }];
        let without = Standing { counts, ..standing(2, 4, true) };
        assert_eq!(without.mode(&lowest), Mode::Minority);
    }

    #[test]
    fn a_write_quorum_only_raises_the_majority() {
        let of = |members| ModePolicy { write_quorum: WriteQuorum::AtLeast(members), ..ModePolicy::default() };
        assert_eq!(standing(3, 5, true).mode(&of(4)), Mode::Minority);
        assert_eq!(standing(2, 5, true).mode(&of(1)), Mode::Minority);
    }
}
