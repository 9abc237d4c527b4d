//! What came of it: of one run, or of many taken together.

use std::collections::BTreeMap;
use std::time::Duration;

use netsplit::detector::mode::Mode;
use netsplit::simulation::Sent;

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// How many clusters ran.
    pub(super) runs: u64,
    /// For how long they were judged, in virtual time, all of them together.
    pub(super) judged: Duration,
    /// What was told of each fault, in the order of the command line.
    pub(super) faults: Vec<Told>,
    pub(super) alarms: Alarms,
    /// In which modes agents were that could not be in them if they had told all right: when the judging began, and at its
    /// end.
    pub(super) amiss: [Modes; 2],
    /// Traffic while nothing was cut, and while something was.
    pub(super) whole: Traffic,
    pub(super) cut: Traffic,
}

/// What was told of one fault, by all agents in all its rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    /// How often the fault came.
    pub(super) rounds: u64,
    /// How many agents ought to have told it, counted once a round. None where it did not last long enough.
    pub(super) owed: u64,
    /// How many would have had to tell it, had it lasted for longer.
    pub(super) excused: u64,
    /// How many of those that ought to have told it did so, and never anything else.
    pub(super) right: u64,
    /// How many agents said something wrong at some moment, owed or not.
    pub(super) wrong: u64,
    /// How many had said nothing, or not yet the right thing, when it ended.
    pub(super) silent: u64,
    /// In how many rounds two agents called it by different ids.
    pub(super) named_twice: u64,
    /// How many agents there were, counted once a round.
    pub(super) agents: u64,
    /// How many of them might write when it ended.
    pub(super) writers: u64,
    /// For each link that fell: from the last datagram to the declaration.
    pub(super) links: Vec<Duration>,
    /// For each agent that told it: from the last datagram over all that was cut to the decision.
    pub(super) tellings: Vec<Duration>,
    /// For each agent that told it: from its end to the last word.
    pub(super) ends: Vec<Duration>,
    /// How many had not yet told the end when the next one came.
    pub(super) unended: u64,
    /// How often each wrong thing was said first, in words.
    pub(super) wrong_words: Vec<String>,
}

/// How many agents stood in each mode that does not fit to a cluster that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Modes(BTreeMap<Mode, u64>);

/// What was told without a reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Alarms {
    /// Partitions, each once however many agents told it.
    pub(super) partitions: u64,
    /// Nodes called silent or down, each once however many agents told it.
    pub(super) nodes: u64,
    /// Links declared down.
    pub(super) links: u64,
    /// Agents that called themselves blind.
    pub(super) blind: u64,
}

/// What went over the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Virtual time, of all agents together.
    pub(super) time: Duration,
    pub(super) datagrams: u64,
    /// With the headers of UDP and IPv4.
    pub(super) bytes: u64,
    /// The most that one agent sent in one second.
    pub(super) most: u64,
}

/// Headers of UDP and IPv4.
const HEADERS: u64 = 28;

impl Outcome {
    /// Nothing seen yet of so many faults.
    pub(super) fn of_faults(faults: usize) -> Self {
        Self { faults: vec![Told::default(); faults], ..Self::default() }
    }

    /// Adds what another saw of the same faults.
    pub(super) fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.judged += other.judged;
        self.faults.resize(self.faults.len().max(other.faults.len()), Told::default());
        for (told, other) in self.faults.iter_mut().zip(other.faults) {
            told.add(other);
        }
        self.alarms.partitions += other.alarms.partitions;
        self.alarms.nodes += other.alarms.nodes;
        self.alarms.links += other.alarms.links;
        self.alarms.blind += other.alarms.blind;
        for (modes, other) in self.amiss.iter_mut().zip(other.amiss) {
            modes.add(other);
        }
        self.whole.add(other.whole);
        self.cut.add(other.cut);
    }

    /// Every agent said the right thing, and nothing was said without a reason.
    pub(super) fn is_right(&self) -> bool {
        let alarms = self.alarms;
        self.faults.iter().all(|told| told.right == told.owed && told.wrong == 0)
            && alarms.partitions + alarms.nodes + alarms.blind == 0
            && self.amiss.iter().all(Modes::is_empty)
    }

    /// How many agents there were in all runs together.
    pub(super) fn agents(&self, nodes: usize) -> u64 {
        self.runs * u64::try_from(nodes).unwrap_or(u64::MAX)
    }

    /// How many agents could tell nothing, or took a whole cluster for cut: at the worse of the two moments.
    pub(super) fn agents_amiss(&self) -> u64 {
        self.amiss.iter().map(|modes| modes.mute() + modes.mistaken()).max().unwrap_or_default()
    }

    /// The times of all faults together, in order.
    pub(super) fn tellings(&self) -> Times {
        Times::of(self.faults.iter().flat_map(|told| told.tellings.iter().copied()).collect())
    }
}

impl Modes {
    /// Of agents in a cluster that is whole.
    pub(super) fn of_whole(modes: impl Iterator<Item = Mode>) -> Self {
        let mut counts = BTreeMap::new();
        for mode in modes.filter(|mode| !matches!(mode, Mode::Normal | Mode::Degraded)) {
            *counts.entry(mode).or_default() += 1;
        }
        Self(counts)
    }

    /// The same, where the last cut may not yet be told as over.
    pub(super) fn of_healing(modes: impl Iterator<Item = Mode>) -> Self {
        Self::of_whole(modes.filter(|mode| *mode == Mode::Starting))
    }

    fn add(&mut self, other: Self) {
        for (mode, count) in other.0 {
            *self.0.entry(mode).or_default() += count;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many could tell nothing: too early, or blind.
    pub(super) fn mute(&self) -> u64 {
        self.0.get(&Mode::Starting).copied().unwrap_or_default()
    }

    /// How many took the cluster for cut.
    pub(super) fn mistaken(&self) -> u64 {
        self.0.values().sum::<u64>() - self.mute()
    }

    /// Those who took the cluster for cut, by mode.
    pub(super) fn mistaken_words(&self) -> String {
        let others = self.0.iter().filter(|(mode, _)| **mode != Mode::Starting);
        others.map(|(mode, count)| format!("{} {count}", mode.as_str())).collect::<Vec<_>>().join(", ")
    }
}

impl Told {
    /// Adds what was told in other rounds.
    pub(super) fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.owed += other.owed;
        self.excused += other.excused;
        self.right += other.right;
        self.wrong += other.wrong;
        self.silent += other.silent;
        self.named_twice += other.named_twice;
        self.agents += other.agents;
        self.writers += other.writers;
        self.unended += other.unended;
        self.links.extend(other.links);
        self.tellings.extend(other.tellings);
        self.ends.extend(other.ends);
        self.wrong_words.extend(other.wrong_words);
    }
}

impl Traffic {
    /// What one agent sent in a second, or in less at the end of something.
    pub(super) fn count(&mut self, sent: Sent, time: Duration) {
        let bytes = sent.bytes + sent.datagrams * HEADERS;
        self.time += time;
        self.datagrams += sent.datagrams;
        self.bytes += bytes;
        self.most = self.most.max(bytes);
    }

    fn add(&mut self, other: Self) {
        self.time += other.time;
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.most = self.most.max(other.most);
    }

    /// Bytes that an agent sends in a second, on the average.
    pub(super) fn bytes_per_second(&self) -> f64 {
        per(self.bytes, self.time)
    }

    /// Datagrams that an agent sends in a second, on the average.
    pub(super) fn datagrams_per_second(&self) -> f64 {
        per(self.datagrams, self.time)
    }
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "counts are far below 2^53")]
fn per(sum: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { sum as f64 / time.as_secs_f64() }
}

/// Durations in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest that so many of a hundred do not exceed.
    pub(super) fn percentile(&self, of_hundred: usize) -> Option<Duration> {
        let place = (self.0.len() * of_hundred).div_ceil(100).max(1) - 1;
        self.0.get(place).copied()
    }

    pub(super) fn max(&self) -> Option<Duration> {
        self.0.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times = Times::of((1..=200).rev().map(Duration::from_secs).collect());
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        assert_eq!([50, 99, 100].map(|part| seconds(times.percentile(part))), [Some(100), Some(198), Some(200)]);
        assert_eq!(seconds(times.max()), Some(200));
        assert_eq!(Times::default().percentile(50), None);
        assert_eq!(Times::of(vec![Duration::from_secs(3)]).percentile(99), Some(Duration::from_secs(3)));
    }

    #[test]
    fn only_a_whole_cluster_in_the_modes_of_a_whole_cluster_is_right() {
        let outcome = |modes: &[Mode]| Outcome {
            amiss: [Modes::default(), Modes::of_whole(modes.iter().copied())],
            ..Outcome::default()
        };
        assert!(outcome(&[Mode::Normal, Mode::Degraded]).is_right());
        let mut sum = outcome(&[Mode::Starting, Mode::Normal]);
        assert!(!sum.is_right());
        sum.add(outcome(&[Mode::Isolated, Mode::Minority, Mode::Minority]));
        let modes = &sum.amiss[1];
        assert_eq!((modes.mute(), modes.mistaken(), sum.agents_amiss()), (1, 3, 4));
        assert_eq!(modes.mistaken_words(), "minority 2, isolated 1");
        let healing = Modes::of_healing([Mode::Minority, Mode::Starting].into_iter());
        assert_eq!((healing.mute(), healing.mistaken()), (1, 0));
    }

    #[test]
    fn bytes_are_with_their_headers() {
        let mut traffic = Traffic::default();
        traffic.count(Sent { datagrams: 10, bytes: 960 }, Duration::from_secs(1));
        traffic.count(Sent { datagrams: 0, bytes: 0 }, Duration::from_secs(1));
        assert!((traffic.bytes_per_second() - 620.0).abs() < 1e-9 && traffic.most == 1240);
    }
}
