//! What one agent costs among thousands: processor, memory and datagrams at rest, beside a bare UDP loop with the same
//! datagrams in the same run; and while half of its peers fall silent at once, also under a limit of a tenth of a core.
//! `make scale`; the targets are in docs/performance.md.
//!
//! The agent is a process of its own and real but for its evidence; the peers are played by this program over loopback,
//! each from an address of its own. `NETSPLIT_BENCH_PEERS` are numbers of peers with commas between them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot measure fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it found")]
#![expect(unreachable_pub, reason = "the modules of one bench share what they need")]

#[path = "../heartbeat/agent.rs"]
mod agent;
#[path = "../heartbeat/bare.rs"]
mod bare;
#[path = "../heartbeat/cast.rs"]
mod cast;
#[path = "../heartbeat/child.rs"]
mod child;
#[path = "../heartbeat/cluster.rs"]
mod cluster;
mod cut;
mod limit;
#[path = "../heartbeat/measure.rs"]
mod measure;
#[path = "../../tests/verify/mod.rs"]
mod verify;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use child::Role;
use cluster::Cap;
use measure::{Comparison, Plan};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The targets of the design, section 17: the share of a core and the memory, by number of peers, at 1 Hz.
const BUDGETS: [(usize, f64, f64); 3] = [(100, 0.005, 16.0), (1000, 0.025, 24.0), (5000, 0.1, 64.0)];

/// The share of a core over any second of a cut of 1,000, and the longest time from the cut to the partition.
const MOST_IN_A_CUT: f64 = 0.08;
const LATEST_PARTITION: Duration = Duration::from_millis(4700);

fn main() -> ExitCode {
    match Role::of_process() {
        Some(Role::Agent) => agent::run(),
        Some(Role::Bare) => bare::run(false),
        Some(Role::Patient) => bare::run(true),
        None => measure_all(),
    }
    ExitCode::SUCCESS
}

fn measure_all() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("a socket for each peer");
    let sizes = env::var("NETSPLIT_BENCH_PEERS").unwrap_or_else(|_| "10,100,1000,5000".to_owned());
    let sizes: Vec<usize> = sizes.split(',').map(|peers| peers.trim().parse().expect("a number of peers")).collect();
    let parts = env::var("NETSPLIT_BENCH_PARTS").unwrap_or_else(|_| "rest,cut".to_owned());
    for &peers in sizes.iter().filter(|_| parts.contains("rest")) {
        at_rest(peers, Cap::Off);
        if Cap::Usual.timing(peers) != Cap::Off.timing(peers) {
            at_rest(peers, Cap::Usual);
        }
    }
    // Ten peers have no halves worth a figure.
    for &peers in sizes.iter().filter(|&&peers| peers >= 100 && parts.contains("cut")) {
        during_a_cut(peers, None);
        // A larger cluster is not run with a limit: at rest it needs nearly as much.
        if peers <= 1000 {
            during_a_cut(peers, Some(limit::TENTH));
        }
    }
}

fn at_rest(peers: usize, cap: Cap) {
    let timing = cap.timing(peers);
    let plan = Plan {
        peers,
        cap,
        // Until everybody was heard, and the electorate is founded.
        warm_up: (timing.detection_bound() * 3).max(Duration::from_secs(10)),
        window: verify::size(Duration::from_secs(5), Duration::from_secs(10)).max(timing.period),
        with_patient: false,
        tolerance: 0.1,
    };
    let Comparison { agent, bare, heard, .. } = measure::compare(&plan);
    let row = [
        peers.to_string(),
        cap.name().to_owned(),
        format!("{:.1} s", timing.period.as_secs_f64()),
        format!("{:.2} %", agent.share_of_a_core() * 100.0),
        format!("{:.0} %", agent.in_kernel() * 100.0),
        format!("{:.1} MiB", agent.memory.mebibytes()),
        format!("{:.0}", agent.rate()),
        format!("{:.0}", agent.incoming()),
        agent.dropped().to_string(),
        format!("{:.2} %", bare.share_of_a_core() * 100.0),
    ];
    verify::SCALE.row(&row);
    tell(&verify::SCALE.columns, &row);
    println!("{:>24}  {heard}", "agent");
    let budget = BUDGETS.into_iter().find(|&(size, ..)| size == peers && cap == Cap::Off);
    if let Some((_, core, memory)) = budget {
        warn("share of a core", agent.share_of_a_core(), core);
        warn("MiB in RAM", agent.memory.mebibytes(), memory);
    }
}

fn during_a_cut(peers: usize, limit: Option<limit::Share>) {
    let found = match cut::measure(peers, limit) {
        Ok(found) => found,
        Err(error) => return eprintln!("not measured: {error}"),
    };
    let row = [
        peers.to_string(),
        limit.map_or_else(|| "none".to_owned(), |limit| format!("{:.0} %", limit.of_a_core() * 100.0)),
        format!("{:.2} %", found.before * 100.0),
        format!("{:.2} %", found.worst_second * 100.0),
        found.detection.map_or_else(|| "none".to_owned(), |time| format!("{:.2} s", time.as_secs_f64())),
        found.dropped.to_string(),
    ];
    verify::SCALE_CUT.row(&row);
    tell(&verify::SCALE_CUT.columns, &row);
    println!("{:>24}  {}", "agent", found.heard);
    warn(
        "seconds from the cut to the partition",
        found.detection.map_or(f64::INFINITY, |time| time.as_secs_f64()),
        LATEST_PARTITION.as_secs_f64(),
    );
    if peers == 1000 {
        warn("share of a core in the worst second", found.worst_second, MOST_IN_A_CUT);
    }
}

fn tell(columns: &[&str], row: &[String]) {
    println!();
    for (column, cell) in columns.iter().zip(row) {
        println!("{column:>24}  {cell}");
    }
}

/// A shared machine may have a bad day: the table says so, and does not fail.
fn warn(what: &str, found: f64, allowed: f64) {
    if found > allowed {
        eprintln!("over budget: {what} {found:.4}, {allowed} allowed");
    }
}

fn word_after<'a>(text: &'a str, word: &str) -> &'a str {
    text.split_whitespace().skip_while(|found| *found != word).nth(1).unwrap_or_default()
}
