//! From the start of the agents until the first panel says that there is no partition, beside a Prometheus that runs.

use netsplit::clock::Clock;

use super::files::{self, Dashboard, Query};
use super::play::{NO_PARTITION, of_overview, told};
use crate::laboratory::cluster::Cluster;
use crate::laboratory::network::Family;
use crate::laboratory::{self, Laboratory};
use crate::monitoring::{Monitoring, what_is_missing};
use crate::needs;
use crate::shipped::Pace;
use crate::verify::{FIRST_PANEL, either};

const NODES: usize = 5;

/// What the guide says: a minute after the last step there is something to see.
const PROMISED: f64 = 60.0;

/// Seconds from the start of the agents.
struct Times {
    /// Until each of them is normal.
    normal: f64,
    /// Until the panel says so.
    panel: f64,
}

impl Times {
    fn take(laboratory: &Laboratory, pace: Pace) -> Self {
        let mut cluster = Cluster::of(laboratory, NODES, Family::V4);
        let monitoring = Monitoring::of(&cluster, pace);
        let dashboards = files::all();
        let queries: Vec<Query> = dashboards.iter().flat_map(Dashboard::queries).collect();
        let all = of_overview();
        let clock = Clock::start();
        let begin = clock.now();
        let passed = || clock.now().since(begin).as_secs_f64();
        cluster.settle();
        let normal = passed();
        monitoring.until(&cluster, "the first panel says something", || {
            let said = told(&monitoring, &queries, &all, clock.wall().as_secs());
            (said.values().copied().collect::<Vec<_>>() == [NO_PARTITION]).then_some(())
        });
        Self { normal, panel: passed() }
    }
}

#[test]
fn the_first_panel_answers_within_a_minute_of_the_start() {
    if let Some(reason) = what_is_missing() {
        return needs::skip(&reason);
    }
    let Some(laboratory) = laboratory::open() else { return };
    let (pace, runs) = either((Pace::Fast, 1), (Pace::Shipped, 10));
    let times: Vec<Times> = (0..runs).map(|_| Times::take(&laboratory, pace)).collect();
    for (part, of) in [
        ("until all agents are normal", (|times| times.normal) as fn(&Times) -> f64),
        ("until the first panel says so", |times| times.panel),
    ] {
        let mut taken: Vec<f64> = times.iter().map(of).collect();
        taken.sort_by(f64::total_cmp);
        let (median, max) = (taken[taken.len() / 2], taken[taken.len() - 1]);
        assert!(max < PROMISED, "{part}: {max} s");
        let every = format!("{} s", pace.scrape_interval());
        let (nodes, runs, part) = (NODES.to_string(), runs.to_string(), part.to_owned());
        FIRST_PANEL.row(&[every, nodes, runs, part, format!("{median:.1} s"), format!("{max:.1} s")]);
    }
}
