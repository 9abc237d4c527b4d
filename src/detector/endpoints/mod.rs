//! Endpoints: what is probed when by this agent, and what comes of it. The shell probes; what it finds out comes back as
//! [`super::Input::Probed`].
//!
//! Each endpoint is a [`watch::Watch`]. Which of them are this agent's is decided by [`sample`] for those that not everybody
//! probes. So many at once and no more are under way, those that are sound apart from those that fail: what hangs waits for
//! what hangs, and delays nothing else.

pub mod pauses;
mod probing;
pub mod reach;
pub mod sample;
pub mod settings;
mod sharing;
pub mod watch;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::bits::Bits;
use super::outcome::Outcome;
use super::time::Now;
use crate::identity::Digest;
use reach::Reach;
use settings::EndpointSettings;
use watch::Watch;

/// How many probes of endpoints that are sound may be under way. Of 1,000 endpoints that hang all at once, 167 are: each takes
/// 5 of its 30 s.
const MOST_SOUND: usize = 256;

/// How many of endpoints that fail. Together with the others they stay below 1,024 open files, the usual limit.
const MOST_FAILING: usize = 512;

/// One probe, so that an answer that comes late is not taken for that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeNumber(pub u64);

/// What the shell is to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOrder {
    /// Its number.
    pub number: ProbeNumber,
    /// The endpoint.
    pub endpoint: Arc<EndpointSettings>,
}

impl ProbeOrder {
    /// What comes of it where nobody could probe: nothing is said of the endpoint.
    pub fn unanswered(&self) -> Probed {
        Probed { number: self.number, endpoint: self.endpoint.name.clone(), outcome: Outcome::Inconclusive }
    }
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The number that it had.
    pub number: ProbeNumber,
    /// The name of the endpoint.
    pub endpoint: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Those that wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Sound,
    Failing,
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    number: ProbeNumber,
    class: Class,
}

/// One endpoint.
#[derive(Debug)]
struct Endpoint {
    settings: Arc<EndpointSettings>,
    /// Its number in rendezvous hashing.
    seed: u64,
    /// None if other agents probe it, and not this one.
    watch: Option<Watch>,
    under_way: Option<UnderWay>,
    waits: bool,
    /// From where it is reached, as the last judgement found.
    reach: Arc<Reach>,
}

/// By whose words endpoints were judged.
#[derive(Debug, PartialEq, Eq)]
struct JudgedBy {
    heard: Bits,
    all_heard: bool,
    silent: Bits,
}

/// All endpoints.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    /// In order of name.
    list: Vec<Endpoint>,
    /// The digest of the names.
    names: Digest,
    /// By the time of the next probe; entries that an endpoint has moved away from are skipped.
    turns: BinaryHeap<Reverse<(Now, usize)>>,
    /// Those that are due and have to wait for one of their class to end.
    waiting: [VecDeque<usize>; 2],
    under_way: [usize; 2],
    last: u64,
    /// Whose words were judged by last; none if there are new ones.
    judged_by: Option<JudgedBy>,
    /// When that was.
    judged: Now,
    /// When to judge anew though nobody says anything new.
    next_judgement: Option<Now>,
    /// When it is looked next for probes that never ended.
    overdue: Option<Now>,
    /// The nodes from which samples were taken last.
    sampled: Digest,
    /// Who probes what may have changed; looked at anew no sooner than this.
    sampling: Option<Now>,
}

impl Class {
    fn limit(self) -> usize {
        match self {
            Self::Sound => MOST_SOUND,
            Self::Failing => MOST_FAILING,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Sound => 0,
            Self::Failing => 1,
        }
    }
}

impl Endpoints {
    fn place_of(&self, name: &str) -> Option<usize> {
        self.list.binary_search_by(|endpoint| endpoint.settings.name.as_str().cmp(name)).ok()
    }

    /// When something of it is due.
    pub(super) fn next(&self) -> Option<Now> {
        let turn = self.turns.peek().map(|&Reverse((due, _))| due);
        let overdue = self.overdue.filter(|_| self.under_way != [0; 2]);
        [turn, self.sampling, overdue].into_iter().flatten().min()
    }

    /// Somebody said something new of an endpoint, or the roster got another shape.
    pub(super) fn touch(&mut self) {
        self.judged_by = None;
    }

    /// When they are to be judged anew though nobody says anything new.
    pub(super) fn next_judgement(&self) -> Option<Now> {
        self.next_judgement
    }

    /// This agent did not run for a while.
    pub(super) fn slept(&mut self) {
        self.list.iter_mut().filter_map(|endpoint| endpoint.watch.as_mut()).for_each(Watch::slept);
    }
}
