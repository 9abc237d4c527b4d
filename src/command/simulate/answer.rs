//! The answer as data: whether it is a good one, and the JSON that says it.

use std::time::Duration;

use serde_json::{Value, json};

use super::advice::Advice;
use super::outcome::{Modes, Outcome, Times, Told, Traffic};
use super::poisson::Rate;
use super::question::Question;
use super::scenario::Fault;
use crate::command::budget::partition_budget;

/// What was asked, what came out, and what to change.
pub(super) struct Answer<'a> {
    pub(super) question: &'a Question,
    pub(super) outcome: &'a Outcome,
    pub(super) advice: &'a [Advice],
}

impl Answer<'_> {
    /// Every agent told what is right, in time, and nothing was told without a reason.
    pub(super) fn is_fine(&self) -> bool {
        self.outcome.is_right() && self.wish_is_met() != Some(false)
    }

    /// Whether 99 of a hundred agents told it as soon as was wished. None if nothing was wished, or nothing told.
    pub(super) fn wish_is_met(&self) -> Option<bool> {
        Some(self.outcome.tellings().percentile(99)? <= self.question.want?)
    }

    /// What a fault is called.
    pub(super) fn name(&self, fault: &Fault) -> String {
        match fault {
            Fault::Cut(cut) => format!("cut {}", cut.text),
            Fault::Stall { node, .. } => format!("stall of {}", self.question.scenario.nodes.name(*node)),
        }
    }

    /// All of it as one object.
    pub(super) fn json(&self) -> Value {
        let (scenario, outcome) = (&self.question.scenario, self.outcome);
        let timing = self.question.settings.timing_at(&scenario.nodes);
        let zones: Vec<Value> =
            scenario.nodes.zones().into_iter().map(|(zone, nodes)| json!({"zone": zone, "nodes": nodes})).collect();
        let faults = scenario.faults.iter().zip(&outcome.faults);
        json!({
            "fine": self.is_fine(),
            "nodes": scenario.nodes.len(),
            "zones": zones,
            "seeds": { "first": scenario.seeds.start, "count": outcome.runs },
            "virtual_seconds": rounded(outcome.judged),
            "settings": {
                "source": self.question.source,
                "period_seconds": rounded(timing.period),
                "timeout_seconds": rounded(timing.timeout),
                "confirm_period_seconds": rounded(timing.confirm_period),
                "failure_threshold": timing.failure_threshold,
                "link_bound_seconds": rounded(timing.detection_bound()),
                "partition_bound_seconds": rounded(partition_budget(&timing)),
            },
            "faults": faults.map(|(fault, told)| self.fault(fault, told)).collect::<Vec<_>>(),
            "amiss": { "begin": amiss(&outcome.amiss[0]), "end": amiss(&outcome.amiss[1]) },
            "false_alarms": {
                "partitions": alarm(outcome.alarms.partitions, outcome.judged),
                "nodes": alarm(outcome.alarms.nodes, outcome.judged),
                "blind": alarm(outcome.alarms.blind, outcome.judged),
                "links": alarm(outcome.alarms.links, outcome.judged),
            },
            "traffic": { "whole": traffic(&outcome.whole), "cut": traffic(&outcome.cut) },
            "want_seconds": self.question.want.map(rounded),
            "want_met": self.wish_is_met(),
            "advice": self.advice,
        })
    }

    fn fault(&self, fault: &Fault, told: &Told) -> Value {
        let timing = self.question.settings.timing_at(&self.question.scenario.nodes);
        let right = fault.truth(&self.question.scenario.nodes, &timing).words(&self.question.scenario.nodes);
        json!({
            "fault": self.name(fault),
            "right": right,
            "rounds": told.rounds,
            "lasts_seconds": rounded(fault.length(self.question.scenario.rhythm)),
            "agents": { "owed": told.owed, "excused": told.excused, "right": told.right, "wrong": told.wrong, "silent": told.silent },
            "named_twice": told.named_twice,
            "may_write": told.writers,
            "link_seconds": times(&told.links),
            "partition_seconds": times(&told.tellings),
            "end_seconds": times(&told.ends),
            "unended": told.unended,
            "wrong_words": told.wrong_words,
        })
    }
}

fn times(of: &[Duration]) -> Value {
    let times = Times::of(of.to_vec());
    json!({
        "count": times.count(),
        "median": times.percentile(50).map(rounded),
        "p99": times.percentile(99).map(rounded),
        "max": times.max().map(rounded),
    })
}

fn amiss(modes: &Modes) -> Value {
    json!({ "mute": modes.mute(), "mistaken": modes.mistaken() })
}

fn alarm(count: u64, time: Duration) -> Value {
    json!({ "count": count, "per_day": Rate::of(count, time) })
}

fn traffic(of: &Traffic) -> Value {
    json!({
        "datagrams_per_second": of.datagrams_per_second(),
        "bytes_per_second": of.bytes_per_second(),
        "most_bytes_in_a_second": of.most,
    })
}

/// Seconds to the millisecond.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}
