//! One run: a virtual cluster from its start to its end, with every word judged.
//!
//! Once everybody has known everybody for a while the judging begins; whoever cannot tell anything by then is counted. Faults come one after another, each at a random
//! moment of the heartbeats' schedules; the next comes when the one before is told as over, or when its agents had time
//! enough for that.

use std::collections::BTreeSet;
use std::time::Duration;

use netsplit::detector::mode::Mode;
use netsplit::detector::time::Now;
use netsplit::simulation::{Running, Sent, World};

use super::judge::Judge;
use super::outcome::{Modes, Outcome, Traffic};
use super::progress::Progress;
use super::scenario::{Fault, Judged, Rhythm, Scenario};
use super::truth::Truth;
use crate::command::budget::partition_budget;

/// Between two looks at what was said and sent.
const STEP: Duration = Duration::from_secs(1);

/// The longest time for which a partition that comes back is kept open (section 4 of the design).
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// Plays one run.
pub(super) fn play(scenario: &Scenario, settings: &Judged, seed: u64, progress: &Progress) -> Outcome {
    let timing = settings.timing_at(&scenario.nodes);
    let truths: Vec<Truth> = scenario.faults.iter().map(|fault| fault.truth(&scenario.nodes, &timing)).collect();
    let mut run = Run::begin(scenario, settings, seed, progress);
    let began = run.world.now();
    run.suffer(&truths);
    run.pass(began + scenario.length);
    run.outcome.runs = 1;
    run.outcome.judged = run.world.now().since(began);
    run.outcome.alarms = run.judge.alarms();
    run.outcome.amiss[1] = match scenario.rhythm {
        Rhythm::Once(_) => Modes::of_whole(run.modes()),
        Rhythm::Flapping { .. } => Modes::of_healing(run.modes()),
    };
    run.outcome
}

struct Run<'a> {
    scenario: &'a Scenario,
    settings: &'a Judged,
    world: World,
    judge: Judge<'a>,
    outcome: Outcome,
    /// What each agent had sent when it was looked at last.
    sent: Vec<Sent>,
    is_cut: bool,
    progress: &'a Progress,
}

impl<'a> Run<'a> {
    /// Everybody starts, and has time to get to know everybody.
    fn begin(scenario: &'a Scenario, settings: &'a Judged, seed: u64, progress: &'a Progress) -> Self {
        let nodes = &scenario.nodes;
        let timing = settings.timing_at(nodes);
        let machines = nodes.machines().to_vec();
        let mut world = World::of(machines, settings.timing, scenario.conditions.clone(), seed);
        world.set_policy(settings.mode);
        world.start_all();
        let troubled: BTreeSet<usize> =
            scenario.throttles.iter().flat_map(|throttle| throttle.nodes.iter().copied()).collect();
        throttle(&mut world, scenario);
        let mut run = Self {
            scenario,
            settings,
            judge: Judge::new(nodes, troubled, partition_budget(&timing)),
            outcome: Outcome::of_faults(scenario.faults.len()),
            sent: Vec::new(),
            is_cut: false,
            world,
            progress,
        };
        let settled = run.world.now() + timing.detection_bound() + timing.period * 3;
        run.settle(settled, settled + partition_budget(&timing) * 2);
        run
    }

    /// Lets time pass that is not judged; more of it where somebody needs it. What is told until then is forgotten, so
    /// how everybody stands then is looked at instead.
    fn settle(&mut self, end: Now, latest: Now) {
        while self.world.now() < end {
            self.wait(end);
        }
        while !Modes::of_whole(self.modes()).is_empty() && self.world.now() < latest {
            self.wait(latest);
        }
        self.outcome.amiss[0] = Modes::of_whole(self.modes());
        self.world.forget_told();
        self.sent = (0..self.world.size()).map(|host| self.world.sent(host)).collect();
    }

    fn wait(&mut self, end: Now) {
        self.world.run_until(end.min(self.world.now() + STEP));
        self.progress.step(STEP);
    }

    /// The mode of each agent.
    fn modes(&self) -> impl Iterator<Item = Mode> + '_ {
        (0..self.world.size()).filter_map(|host| self.world.detector(host)).map(netsplit::detector::Detector::mode)
    }

    /// All that happens, in its order.
    fn suffer(&mut self, truths: &'a [Truth]) {
        match self.scenario.rhythm {
            Rhythm::Once(_) => {
                for (place, truth) in truths.iter().enumerate() {
                    let moment = self.settings.timing_at(&self.scenario.nodes).period.mul_f64(self.world.chance());
                    self.pass(self.world.now() + moment);
                    self.strike(place, truth);
                    self.recover();
                    self.close(place);
                }
            }
            Rhythm::Flapping { off, .. } => {
                let end = self.world.now() + self.scenario.length;
                for (place, truth) in truths.iter().enumerate().cycle() {
                    if self.world.now() >= end {
                        break;
                    }
                    self.strike(place, truth);
                    self.pass(self.world.now() + off);
                    self.close(place);
                }
            }
        }
    }

    /// One fault, from its beginning to its end.
    fn strike(&mut self, place: usize, truth: &'a Truth) {
        let Some(fault) = self.scenario.faults.get(place) else { return };
        let began = self.world.now();
        self.judge.begin(truth, began);
        self.is_cut = true;
        match fault {
            Fault::Cut(cut) => cut.pairs().for_each(|(from, to)| self.world.block(from, to)),
            Fault::Stall { node, length } => self.world.stall(*node, *length),
        }
        self.pass(began + fault.length(self.scenario.rhythm));
        let crossed = truth.pairs().iter().map(|&(from, to)| self.world.last_arrival(from, to)).max();
        let policy = self.settings.mode.policy;
        let may_write = |agent| self.world.detector(agent).is_some_and(|detector| detector.mode().may_write(policy));
        self.judge.end(self.world.now(), crossed.unwrap_or(began).min(self.world.now()), may_write);
        self.is_cut = false;
        if let Fault::Cut(cut) = fault {
            cut.pairs().for_each(|(from, to)| self.world.unblock(from, to));
        }
    }

    /// Until everybody has told the end, or had time enough for it; then as long as a late word may take.
    fn recover(&mut self) {
        let budget = partition_budget(&self.settings.timing_at(&self.scenario.nodes));
        let latest = self.world.now() + budget * 4 + LONGEST_HOLD;
        self.pass(self.world.now() + budget);
        while !self.judge.is_quiet() && self.world.now() < latest {
            self.pass(self.world.now() + STEP);
        }
        self.pass(self.world.now() + budget);
    }

    fn close(&mut self, place: usize) {
        let told = self.judge.close();
        if let Some(sum) = self.outcome.faults.get_mut(place) {
            sum.add(told);
        }
    }

    /// Lets time pass, listens, and counts.
    fn pass(&mut self, end: Now) {
        while self.world.now() < end {
            let step = STEP.min(end.since(self.world.now()));
            self.world.run_for(step);
            for heard in self.world.take_told() {
                self.judge.hear(&heard);
            }
            self.count(step);
            self.progress.step(step);
        }
    }

    /// What was sent since it was looked at last.
    fn count(&mut self, step: Duration) {
        let traffic: &mut Traffic = if self.is_cut { &mut self.outcome.cut } else { &mut self.outcome.whole };
        for (host, before) in self.sent.iter_mut().enumerate() {
            let sent = self.world.sent(host);
            let datagrams = sent.datagrams - before.datagrams;
            traffic.count(Sent { datagrams, bytes: sent.bytes - before.bytes }, step);
            *before = sent;
        }
    }
}

/// Each stretch begins at a random phase.
fn throttle(world: &mut World, scenario: &Scenario) {
    for throttle in &scenario.throttles {
        for &node in &throttle.nodes {
            let phase = throttle.of.mul_f64(world.chance());
            world.set_running(node, Running::Throttled { run: throttle.run, of: throttle.of, phase });
        }
    }
}
