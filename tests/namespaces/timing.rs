//! How long real agents take: from the cut to links that are down and a partition that is named.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::laboratory::cluster::{Cluster, timing};
use crate::laboratory::network::Family;
use crate::laboratory::truth::Truth;
use crate::laboratory::{self, Laboratory};
use crate::verify::{TIMING, either};

const SIDES: [&[usize]; 2] = [&[1, 2, 3], &[4, 5]];

/// What the processes of a real machine may take beyond the bound.
const GRACE: Duration = Duration::from_millis(100);

/// Within this a partition is decided, from the last datagram over the links that were cut (section 17 of the design).
const PARTITION: Duration = Duration::from_millis(4700);

/// What was measured, over all agents and runs.
#[derive(Default)]
struct Figures {
    /// Of each link, from the last datagram that arrived to the declaration.
    link: Vec<Duration>,
    /// Of each link, from the cut to the line that tells it.
    link_line: Vec<Duration>,
    /// Of each agent, from the last datagram to the decision.
    partition: Vec<Duration>,
    /// Of each agent, from the cut to the line that tells it.
    partition_line: Vec<Duration>,
}

impl Figures {
    /// Cuts once, at another time of the heartbeats' schedules in each run.
    fn take(cluster: &mut Cluster, run: u32) -> Self {
        cluster.settle();
        cluster.listen(timing().period * run / 20);
        cluster.cut(&SIDES);
        let cut = cluster.words.now();
        Truth(&SIDES).opens(cluster);
        let mut figures = Self::default();
        for node in cluster.all() {
            let others = if SIDES[0].contains(&node) { SIDES[1].len() } else { SIDES[0].len() };
            let links = |line: &serde_json::Value| line["links"].as_array().map_or(0, Vec::len);
            cluster.wait_for(node, "that every link across the cut is down", |said| {
                said.iter().filter(|word| word.is("link_down")).map(|word| links(&word.line)).sum::<usize>() >= others
            });
            for word in cluster.words_of(node) {
                if word.is("link_down") {
                    for link in word.line["links"].as_array().unwrap() {
                        figures.link.push(seconds(&link["silent_seconds"]));
                        figures.link_line.push(word.at.since(cut));
                    }
                } else if word.is("partition_opened") {
                    figures.partition.push(seconds(&word.line["detection_seconds"]));
                    figures.partition_line.push(word.at.since(cut));
                }
            }
        }
        figures
    }

    fn add(&mut self, run: Self) {
        self.link.extend(run.link);
        self.link_line.extend(run.link_line);
        self.partition.extend(run.partition);
        self.partition_line.extend(run.partition_line);
    }
}

fn seconds(value: &serde_json::Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().expect("a number of seconds"))
}

/// A run in which an agent stalled says something of the machine, not of the agents. `None`, then.
fn run(laboratory: &Laboratory, number: u32) -> Option<Figures> {
    let mut cluster = Cluster::of(laboratory, 5, Family::V4);
    let taken = catch_unwind(AssertUnwindSafe(|| Figures::take(&mut cluster, number)));
    if cluster.has_stalled() {
        return None;
    }
    Some(taken.unwrap_or_else(|failure| {
        eprintln!("{}", cluster.report());
        resume_unwind(failure)
    }))
}

#[test]
fn links_are_down_within_the_bound_and_the_cut_is_named_soon_after() {
    let Some(laboratory) = laboratory::open() else { return };
    let (runs, most_repeated) = either((5, 1), (20, 2));
    let (mut figures, mut repeated) = (Figures::default(), 0);
    for number in 0..runs {
        while run(&laboratory, number).map(|taken| figures.add(taken)).is_none() {
            repeated += 1;
            assert!(repeated <= most_repeated, "agents stalled in {repeated} runs: this machine has no time for them");
        }
    }
    let bound = timing().detection_bound();
    let told = bound + timing().confirm_period;
    let all = [
        ("link down: silence", bound, &mut figures.link),
        ("link down: cut to line", told, &mut figures.link_line),
        ("partition: silence", PARTITION, &mut figures.partition),
        ("partition: cut to line", PARTITION, &mut figures.partition_line),
    ];
    let mut missed = Vec::new();
    for (what, promised, times) in all {
        times.sort();
        let (median, max) = (times[times.len() / 2], times[times.len() - 1]);
        let cells = [
            "3|2".to_owned(),
            runs.to_string(),
            repeated.to_string(),
            what.to_owned(),
            format!("{:.2} s", promised.as_secs_f64()),
            format!("{:.3} s", median.as_secs_f64()),
            format!("{:.3} s", max.as_secs_f64()),
        ];
        eprintln!("| {} |", cells.join(" | "));
        if max > promised + GRACE {
            missed.push(format!("{what} {max:?}"));
        }
        TIMING.row(&cells);
    }
    assert!(missed.is_empty(), "beyond what is promised: {missed:?}");
}
