//! From the cut to the alert, part by part.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use netsplit::clock::Clock;

use crate::laboratory::cluster::{Cluster, timing};
use crate::laboratory::network::Family;
use crate::laboratory::truth::Truth;
use crate::laboratory::{self, Laboratory};
use crate::monitoring::{Monitoring, PARTITION, Series, what_is_missing};
use crate::needs;
use crate::shipped::Pace;
use crate::verify::{ALERT, either};

const SIDES: [&[usize]; 2] = [&[1, 2, 3], &[4, 5]];

/// Within this the first agent says it (section 17 of the design).
const DETECTION: f64 = 4.7;

/// What a machine with other work may take beside what is promised.
const GRACE: f64 = 1.0;

/// One of the times of a run.
type Part = fn(&Times) -> f64;

/// Seconds of one run.
struct Times {
    /// From the cut to the first line that tells the partition.
    detection: f64,
    /// From there to the first scrape that finds it.
    scrape: f64,
    /// From there to the evaluation that fires.
    evaluation: f64,
    /// From the cut to that evaluation.
    firing: f64,
    /// From the cut until Alertmanager has it.
    told: f64,
}

impl Times {
    /// Cuts once, at another time of the scrapes in each run.
    fn take(cluster: &mut Cluster, pace: Pace, share: f64) -> Self {
        let monitoring = Monitoring::of(cluster, pace);
        cluster.settle();
        monitoring.until_scraped(cluster, cluster.all().count());
        cluster.listen(Duration::from_secs(pace.scrape_interval()).mul_f64(share));
        let clock = Clock::start();
        cluster.cut(&SIDES);
        let (cut, wall) = (cluster.words.now(), clock.wall().as_secs_f64());
        monitoring.until(cluster, "the partition is told", || monitoring.told(PARTITION).pop());
        let told = clock.wall().as_secs_f64() - wall;
        Truth(&SIDES).opens(cluster);

        let lines = cluster.words.all();
        let line = lines.iter().find(|word| word.is("partition_opened")).expect("a line that tells the partition");
        let detection = line.at.since(cut).as_secs_f64();
        drop(lines);
        let firing = first(&monitoring.fired()) - wall;
        let scrape = first(&monitoring.query("netsplit_partition_active{kind=\"complete\"}[1h]")) - wall;
        Self { detection, scrape: scrape - detection, evaluation: firing - scrape, firing, told }
    }
}

/// When any of these was 1 first.
fn first(series: &[Series]) -> f64 {
    let ones = series.iter().flat_map(|series| &series.samples).filter(|&&(_, value)| value > 0.5);
    ones.map(|&(time, _)| time).reduce(f64::min).expect("somebody was 1 once")
}

/// A run in which an agent stalled says something of the machine. `None`, then.
fn run(laboratory: &Laboratory, pace: Pace, share: f64) -> Option<Times> {
    let mut cluster = Cluster::of(laboratory, 5, Family::V4);
    let taken = catch_unwind(AssertUnwindSafe(|| Times::take(&mut cluster, pace, share)));
    if cluster.has_stalled() {
        return None;
    }
    Some(taken.unwrap_or_else(|failure| {
        eprintln!("{}", cluster.report());
        resume_unwind(failure)
    }))
}

#[test]
fn a_cut_fires_within_the_detection_one_scrape_and_one_evaluation() {
    if let Some(reason) = what_is_missing() {
        return needs::skip(&reason);
    }
    let Some(laboratory) = laboratory::open() else { return };
    let (pace, runs, most_repeated) = either((Pace::Fast, 1, 2), (Pace::Shipped, 10, 2));
    let (mut taken, mut repeated) = (Vec::new(), 0);
    for number in 0..runs {
        let share = f64::from(number) / f64::from(runs);
        while run(&laboratory, pace, share).map(|times| taken.push(times)).is_none() {
            repeated += 1;
            assert!(repeated <= most_repeated, "agents stalled in {repeated} runs: this machine has no time for them");
        }
    }
    let (scrape, group) = (pace.scrape_interval() as f64, pace.group_interval() as f64);
    let firing = DETECTION + scrape + group;
    let parts: [(&str, f64, Part); 5] = [
        ("1 detection: cut to line", DETECTION, |times| times.detection),
        ("2 scrape: line to sample", scrape, |times| times.scrape),
        ("3 evaluation: sample to firing", group, |times| times.evaluation),
        ("all: cut to firing", firing, |times| times.firing),
        ("all: cut to Alertmanager", firing, |times| times.told),
    ];
    assert!(timing().detection_bound().as_secs_f64() < DETECTION);
    let mut missed = Vec::new();
    for (part, promised, of) in parts {
        let mut times: Vec<f64> = taken.iter().map(of).collect();
        times.sort_by(f64::total_cmp);
        let (median, max) = (times[times.len() / 2], times[times.len() - 1]);
        let cells = [
            format!("{scrape:.0} s / {group:.0} s"),
            runs.to_string(),
            repeated.to_string(),
            part.to_owned(),
            format!("{promised:.1} s"),
            format!("{median:.2} s"),
            format!("{max:.2} s"),
        ];
        eprintln!("| {} |", cells.join(" | "));
        if max > promised + GRACE {
            missed.push(format!("{part} {max:.2} s"));
        }
        ALERT.row(&cells);
    }
    assert!(missed.is_empty(), "beyond what is promised: {missed:?}");
}
