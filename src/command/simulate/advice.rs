//! What other settings would do: each is tried on the same clusters, and told with what it changes and what it costs.
//!
//! False alarms call for more patience (`timeout` where datagrams take longer than that, else `failure_threshold`); a
//! detection slower than wished for a shorter period, without the cap where that makes it long; one much faster than
//! wished for a longer period; halves of which neither may write for a tie-break. What does not help is told as well.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use netsplit::config::Human;
use netsplit::detector::settings::{ConfiguredTiming, Policy, Tie};

use super::outcome::Outcome;
use super::poisson::Rate;
use super::progress::Progress;
use super::question::Question;
use super::report::seconds;
use super::runs::play_all;
use super::scenario::{Fault, Judged};
use crate::command::budget::partition_budget;

/// How often a setting is changed further before it is given up.
const TRIES: usize = 4;

/// No more is a threshold, and no less a period, in a configuration.
const HIGHEST_THRESHOLD: u8 = 20;
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);
const LONGEST_PERIOD: Duration = Duration::from_secs(600);

/// A wish is met with a little to spare.
const MARGIN: f64 = 0.95;

/// Periods are told in steps of so much.
const STEP: Duration = Duration::from_millis(10);

/// Other settings, and what they did.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Advice {
    /// What is wrong with the settings as they are.
    pub(super) why: String,
    /// What to write into the configuration.
    pub(super) settings: Vec<String>,
    /// Whether it helps enough.
    pub(super) helps: bool,
    pub(super) figures: Vec<Figure>,
}

/// Something that can be measured, under the settings as they are and under the others.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) before: String,
    pub(super) after: String,
}

/// Everything that there is to say.
pub(super) fn of(question: &Question, outcome: &Outcome, progress: &Progress) -> Vec<Advice> {
    let bench = Bench { question, outcome, progress };
    [bench.against_alarms(), bench.for_the_wish(), bench.for_halves()].into_iter().flatten().collect()
}

/// Where settings are tried.
struct Bench<'a> {
    question: &'a Question,
    outcome: &'a Outcome,
    progress: &'a Progress,
}

impl Bench<'_> {
    fn play(&self, settings: &Judged, what: &[String]) -> Outcome {
        self.progress.begin(format!("with {}", what.join(", ")));
        play_all(&self.question.scenario, settings, self.progress)
    }

    /// More patience, until three of four false alarms are gone.
    fn against_alarms(&self) -> Option<Advice> {
        let before = alarms(self.outcome);
        if before == 0 {
            return None;
        }
        let mut tried = None;
        for more in 1..=TRIES {
            let Some((settings, lines)) = self.more_patient(more) else { break };
            let after = self.play(&settings, &lines);
            let is_enough = alarms(&after) * 4 <= before;
            tried = Some((settings, lines, after));
            if is_enough {
                break;
            }
        }
        let (settings, lines, after) = tried?;
        let helps = alarms(&after) * 4 <= before;
        let figures = [self.alarm_figures(&after), self.usual_figures(&settings, &after)].concat();
        let why = if self.outcome.agents_amiss() > 0 {
            "agents can tell nothing, or take a whole cluster for cut".to_owned()
        } else {
            "something is told that is not so, or links fall that are only lossy".to_owned()
        };
        Some(Advice { why, settings: lines, helps, figures })
    }

    /// A timeout that datagrams keep, or so many failures more.
    fn more_patient(&self, more: usize) -> Option<(Judged, Vec<String>)> {
        let now = self.question.settings;
        let timing = now.timing_at(&self.question.scenario.nodes);
        let conditions = &self.question.scenario.conditions;
        // A poll and its answer have to fit into a window.
        let round_trip = (conditions.delay + conditions.jitter) * 2;
        if round_trip > timing.timeout {
            let factor = u32::try_from(more).unwrap_or(1) + 1;
            let timeout = rounded_up(conditions.delay + conditions.jitter) * factor;
            let period = timing.period.max(timeout * 2);
            let settings = ConfiguredTiming { period, timeout: Some(timeout), confirm_period: None, ..now.timing };
            let mut lines = vec![format!("peers.timeout: {}", Human(timeout))];
            lines.extend((period != timing.period).then(|| format!("peers.period: {}", Human(period))));
            return Some((Judged { timing: settings, ..now }, lines));
        }
        let threshold = u8::try_from(usize::from(timing.failure_threshold.get()) + more).ok()?;
        let failure_threshold = NonZeroU8::new(threshold).filter(|_| threshold <= HIGHEST_THRESHOLD)?;
        let timing = ConfiguredTiming { failure_threshold, ..now.timing };
        Some((Judged { timing, ..now }, vec![format!("peers.failure_threshold: {threshold}")]))
    }

    /// A shorter period where it takes too long, a longer one where there is time for it.
    fn for_the_wish(&self) -> Option<Advice> {
        let want = self.question.want?;
        let before = self.outcome.tellings().percentile(99)?;
        let is_slow = before > want;
        if !is_slow && before * 2 > want {
            return None;
        }
        let (mut settings, mut took) = (self.question.settings, before);
        let mut tried = None;
        for _ in 0..TRIES {
            let period = self.period_for(want, &settings, took);
            let (next, lines) = self.of_period(period);
            let after = self.play(&next, &lines);
            let Some(time) = after.tellings().percentile(99) else { break };
            (settings, took) = (next, time);
            tried = Some((lines, after));
            if took <= want || period == SHORTEST_PERIOD {
                break;
            }
        }
        let (lines, after) = tried?;
        let helps = took <= want && (after.is_right() || !self.outcome.is_right());
        let wish = Human(want);
        let why = if is_slow {
            format!("of a hundred agents the slowest needs longer than the {wish} that are wanted")
        } else {
            format!("{wish} are wanted, and it takes less than half of that")
        };
        let figures = [self.usual_figures(&settings, &after), self.alarm_figures(&after)].concat();
        Some(Advice { why, settings: lines, helps, figures })
    }

    /// The longest period that should do, going by what was promised and what it took with these settings.
    fn period_for(&self, want: Duration, settings: &Judged, took: Duration) -> Duration {
        let nodes = &self.question.scenario.nodes;
        let share = took.as_secs_f64() / partition_budget(&settings.timing_at(nodes)).as_secs_f64();
        let meets = |period| {
            let promised = partition_budget(&self.of_period(period).0.timing_at(nodes));
            promised.mul_f64(share) <= want.mul_f64(MARGIN)
        };
        let (mut low, mut high) = (SHORTEST_PERIOD, LONGEST_PERIOD);
        while high.saturating_sub(low) > STEP {
            let middle = rounded(low + high.saturating_sub(low) / 2).max(low + STEP);
            if meets(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// These settings with another period, and without a cap that would make it longer.
    fn of_period(&self, period: Duration) -> (Judged, Vec<String>) {
        let now = self.question.settings;
        let mut timing = ConfiguredTiming {
            period,
            timeout: now.timing.timeout.filter(|timeout| *timeout < period),
            confirm_period: now.timing.confirm_period.filter(|confirm| *confirm <= period),
            ..now.timing
        };
        let mut lines = vec![format!("peers.period: {}", Human(period))];
        let nodes = self.question.scenario.nodes.len();
        if timing.at(nodes).period > period {
            let peers = u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX);
            let milliseconds = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
            let needed = (u64::from(peers) * 1000).div_ceil(milliseconds);
            let cap = NonZeroU32::new(u32::try_from(needed).unwrap_or(u32::MAX));
            timing.max_heartbeats_per_second = cap;
            lines.extend(cap.map(|cap| format!("peers.max_heartbeats_per_second: {cap}")));
        }
        let left_out = [
            ("peers.timeout", now.timing.timeout.is_some() && timing.timeout.is_none()),
            ("peers.confirm_period", now.timing.confirm_period.is_some() && timing.confirm_period.is_none()),
        ];
        lines.extend(left_out.into_iter().filter(|(_, is_so)| *is_so).map(|(key, _)| format!("{key}: leave it out")));
        (Judged { timing, ..now }, lines)
    }

    /// Exact halves may both not write, unless one of them wins.
    fn for_halves(&self) -> Option<Advice> {
        let now = self.question.settings;
        let half = self.question.scenario.nodes.len();
        let is_halved = self.question.scenario.faults.iter().zip(&self.outcome.faults).any(|(fault, told)| {
            let Fault::Cut(cut) = fault else { return false };
            let is_even = cut.bridges.is_empty() && cut.sides.iter().all(|side| side.len() * 2 == half);
            is_even && told.owed > 0 && told.writers == 0
        });
        if !is_halved || now.mode.tie == Tie::Lowest || now.mode.policy == Policy::Ap {
            return None;
        }
        let mut settings = now;
        settings.mode.tie = Tie::Lowest;
        let lines = vec!["mode.tie: lowest".to_owned()];
        let after = self.play(&settings, &lines);
        let writers = |outcome: &Outcome| {
            let sum = |of: fn(&super::outcome::Told) -> u64| outcome.faults.iter().map(of).sum::<u64>();
            format!("{} of {}", sum(|told| told.writers), sum(|told| told.agents))
        };
        let figure = Figure { what: "agents that may write", before: writers(self.outcome), after: writers(&after) };
        let helps = figure.before != figure.after;
        let why = "the cluster is cut into halves, and neither may write".to_owned();
        Some(Advice { why, settings: lines, helps, figures: vec![figure] })
    }

    fn alarm_figures(&self, after: &Outcome) -> Vec<Figure> {
        let figure = |what, of: fn(&Outcome) -> u64| {
            let (before, after) = (rate(of(self.outcome), self.outcome), rate(of(after), after));
            Figure { what, before, after }
        };
        let figures = [
            figure("false partitions a day", |outcome| outcome.alarms.partitions),
            figure("false alarms of nodes a day", |outcome| outcome.alarms.nodes + outcome.alarms.blind),
            figure("links down for nothing a day", |outcome| outcome.alarms.links),
        ];
        let amiss = |outcome: &Outcome| match outcome.agents_amiss() {
            0 => "0".to_owned(),
            count => format!("{count} of {}", outcome.agents(self.question.scenario.nodes.len())),
        };
        let unfit =
            Figure { what: "agents that can tell nothing right", before: amiss(self.outcome), after: amiss(after) };
        let all = [unfit].into_iter().chain(figures);
        all.filter(|figure| figure.before != "0" || figure.after != "0").collect()
    }

    fn usual_figures(&self, settings: &Judged, after: &Outcome) -> Vec<Figure> {
        let nodes = &self.question.scenario.nodes;
        let budget = |settings: &Judged| seconds(partition_budget(&settings.timing_at(nodes)));
        let took = |outcome: &Outcome| outcome.tellings().percentile(99).map(seconds);
        let traffic = |outcome: &Outcome| bytes(outcome.whole.bytes_per_second());
        let promised = Figure {
            what: "a cut is promised to be told within",
            before: budget(&self.question.settings),
            after: budget(settings),
        };
        let told = took(self.outcome).zip(took(after));
        let told = told.map(|(before, after)| Figure { what: "a cut is told within (p99)", before, after });
        let sent = Figure { what: "each agent sends", before: traffic(self.outcome), after: traffic(after) };
        [Some(promised), told, Some(sent)].into_iter().flatten().collect()
    }
}

/// How much there is to be rid of: what people are told counts before what only stands in the log.
fn alarms(outcome: &Outcome) -> u64 {
    let alarms = outcome.alarms;
    let told = alarms.partitions + alarms.nodes + alarms.blind + outcome.agents_amiss();
    if told > 0 { told } else { alarms.links }
}

fn rate(count: u64, outcome: &Outcome) -> String {
    if count == 0 { "0".to_owned() } else { format!("{:.1}", Rate::of(count, outcome.judged).per_day) }
}

/// Bytes in a second, as people say them.
pub(super) fn bytes(per_second: f64) -> String {
    if per_second < 1e6 { format!("{:.1} kB/s", per_second / 1e3) } else { format!("{:.1} MB/s", per_second / 1e6) }
}

fn rounded(duration: Duration) -> Duration {
    let steps = duration.as_nanos() / STEP.as_nanos();
    STEP * u32::try_from(steps).unwrap_or(u32::MAX)
}

fn rounded_up(duration: Duration) -> Duration {
    rounded(duration + STEP.saturating_sub(Duration::from_nanos(1)))
}
