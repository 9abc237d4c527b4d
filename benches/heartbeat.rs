//! What a heartbeat costs: one real agent among peers that this program plays, beside a bare UDP loop that sends and
//! receives as many datagrams of the same size, in the same run. `make bench`; the targets are in docs/performance.md.
//!
//! The program starts itself twice: as the agent and as the loop (role by environment), each a process of its own so
//! that its processor time and memory are its own. `NETSPLIT_BENCH_WARM_UP` and `NETSPLIT_BENCH_WINDOW` are seconds,
//! `NETSPLIT_BENCH_PEERS` numbers of peers with commas between them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot measure fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it found")]
#![expect(unreachable_pub, reason = "the modules of one bench share what they need")]

#[path = "heartbeat/agent.rs"]
mod agent;
#[path = "heartbeat/bare.rs"]
mod bare;
#[path = "heartbeat/cast.rs"]
mod cast;
#[path = "heartbeat/child.rs"]
mod child;
#[path = "heartbeat/cluster.rs"]
mod cluster;
#[path = "heartbeat/measure.rs"]
mod measure;
#[path = "../tests/verify/mod.rs"]
mod verify;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use child::Role;
use cluster::Cap;
use measure::{Comparison, Plan};

/// The targets of the design, section 17: the share of a core and the memory, by number of peers.
const BUDGETS: [(usize, f64, f64); 2] = [(100, 0.005, 16.0), (1000, 0.025, 24.0)];

/// How much more than the bare loop the agent may cost.
const MOST_RATIO: f64 = 2.0;

fn main() -> ExitCode {
    match Role::of_process() {
        Some(Role::Agent) => agent::run(),
        Some(Role::Bare) => bare::run(false),
        Some(Role::Patient) => bare::run(true),
        None => return compare(),
    }
    ExitCode::SUCCESS
}

fn compare() -> ExitCode {
    let peers = env::var("NETSPLIT_BENCH_PEERS").unwrap_or_else(|_| "100,1000".to_owned());
    let mut missed = Vec::new();
    for peers in peers.split(',').map(|peers| peers.trim().parse().expect("NETSPLIT_BENCH_PEERS: a number")) {
        let plan = Plan {
            peers,
            cap: Cap::Off,
            warm_up: seconds("NETSPLIT_BENCH_WARM_UP", 10),
            window: seconds("NETSPLIT_BENCH_WINDOW", 20),
            with_patient: true,
            tolerance: 0.03,
        };
        let found = measure::compare(&plan);
        tell(&found);
        missed.extend(misses(&found));
    }
    for miss in missed {
        eprintln!("over budget: {miss}");
    }
    // A shared machine may have a bad day: the table says so, and does not fail.
    ExitCode::SUCCESS
}

fn seconds(variable: &str, default: u64) -> Duration {
    let given = env::var(variable).ok().map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(given.unwrap_or(default))
}

fn tell(found: &Comparison) {
    let row = [
        found.peers.to_string(),
        format!("{:.1} µs", found.agent.per_heartbeat().as_secs_f64() * 1e6),
        format!("{:.1} µs", found.bare.per_heartbeat().as_secs_f64() * 1e6),
        format!("{:.2}", found.ratio),
        found
            .patient
            .as_ref()
            .map_or_else(String::new, |cost| format!("{:.1} µs", cost.per_heartbeat().as_secs_f64() * 1e6)),
        found.patient_ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        format!("{:.2} %", found.agent.share_of_a_core() * 100.0),
        format!("{:.1} MiB", found.agent.memory.mebibytes()),
    ];
    verify::HEARTBEAT.row(&row);
    for (column, cell) in verify::HEARTBEAT.columns.iter().zip(&row) {
        println!("{column:>24}  {cell}");
    }
    println!("{:>24}  {}", "agent heard", found.heard);
    println!("{:>24}  {:.0} and {:.0} a second\n", "sent by agent and loop", found.agent.rate(), found.bare.rate());
}

fn misses(found: &Comparison) -> Vec<String> {
    let mut missed = Vec::new();
    if found.ratio > MOST_RATIO {
        missed.push(format!("{} peers: {:.2} times the bare loop, {MOST_RATIO} allowed", found.peers, found.ratio));
    }
    let (share, memory) = (found.agent.share_of_a_core(), found.agent.memory.mebibytes());
    for (peers, most_share, most_memory) in BUDGETS {
        if peers == found.peers && share > most_share {
            missed.push(format!("{peers} peers: {share:.4} of a core, {most_share} allowed"));
        }
        if peers == found.peers && memory > most_memory {
            missed.push(format!("{peers} peers: {memory:.1} MiB, {most_memory} allowed"));
        }
    }
    missed
}
