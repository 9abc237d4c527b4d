//! What a scrape of `/metrics` costs: a real detector among as many played peers, in virtual time, half of them cut off.
//! `cargo bench --bench scrape`; the target is in docs/performance.md.
//!
//! `NETSPLIT_BENCH_PEERS` are numbers of peers with commas between them.

#![expect(clippy::expect_used, reason = "a bench that cannot measure fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it found")]

#[path = "../tests/crowd/mod.rs"]
mod crowd;
#[path = "../tests/verify/mod.rs"]
mod verify;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use crowd::Crowd;
use netsplit::clock::Clock;
use netsplit::metrics::Exporter;
use netsplit::sources::Sources;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::sync::watch;

/// How often a page is rendered.
const SCRAPES: usize = 1_000;

/// The target of the design, section 17, at any number of peers.
const BUDGET: Duration = Duration::from_millis(5);

fn main() {
    let peers = env::var("NETSPLIT_BENCH_PEERS").unwrap_or_else(|_| "100,1000,5000".to_owned());
    for peers in peers.split(',').map(|peers| peers.trim().parse().expect("NETSPLIT_BENCH_PEERS: a number")) {
        measure(peers);
    }
}

fn measure(peers: usize) {
    let clock = Clock::start();
    let mut crowd = Crowd::gathered(peers, 3, crowd::large());
    eprintln!("{peers} peers gathered in {:.1?}", clock.now().since_start());
    crowd.cut_off(|peer| peer % 2 == 0);
    eprintln!("half of them cut off after {:.1?}", clock.now().since_start());
    let (_sender, view) = watch::channel(crowd.view());
    let exporter = Exporter::new(Sources::of_view(view, Arc::new(clock)));
    let used_before = processor_time();
    let (mut times, mut bytes, mut series) = (Vec::with_capacity(SCRAPES), 0, 0);
    for _ in 0..SCRAPES {
        let began = clock.now();
        let (_, text) = exporter.render();
        times.push(clock.now().since(began));
        bytes = text.len();
        series =
            text.split(|&byte| byte == b'\n').filter(|line| line.first().is_some_and(|&byte| byte != b'#')).count();
    }
    let processor = processor_time().saturating_sub(used_before) / u32::try_from(SCRAPES).unwrap_or(u32::MAX);
    times.sort();
    let (median, worst) = (times[SCRAPES / 2], times[SCRAPES * 99 / 100]);
    let row = [
        peers.to_string(),
        series.to_string(),
        format!("{:.1} kB", bytes as f64 / 1e3),
        format!("{:.2} ms", processor.as_secs_f64() * 1e3),
        format!("{:.2} ms", median.as_secs_f64() * 1e3),
        format!("{:.2} ms", worst.as_secs_f64() * 1e3),
    ];
    verify::SCRAPE.row(&row);
    for (column, cell) in verify::SCRAPE.columns.iter().zip(&row) {
        println!("{column:>24}  {cell}");
    }
    // A shared machine may have a bad day: the table says so, and does not fail.
    if median > BUDGET {
        eprintln!("over budget: {median:?}, {BUDGET:?} allowed");
    }
}

/// What this thread used: it does not count the time in which others had the processor.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("Linux tells it since 2.6.26");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
