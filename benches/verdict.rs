//! What one judgement of a fresh matrix costs, by the number of nodes and by what is wrong: from the rows to the cuts,
//! complete and partial. `cargo bench --bench verdict`; the target is in docs/performance.md.
//!
//! `NETSPLIT_BENCH_NODES` are numbers of nodes with commas between them.

#![expect(clippy::expect_used, reason = "a bench that cannot measure fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it found")]

#[path = "../tests/verify/mod.rs"]
mod verify;

use std::env;
use std::hint::black_box;
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::bits::Bits;
use netsplit::detector::partial::{BrokenPairs, Label, explain};
use netsplit::detector::verdict::{RowBits, judge};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How often each is judged.
const TIMES: usize = 31;

/// The targets of the design, section 17, by number of nodes.
const BUDGETS: [(usize, Duration); 2] = [(1000, Duration::from_millis(2)), (5000, Duration::from_millis(50))];

/// What is wrong.
#[derive(Clone, Copy)]
enum Matrix {
    Whole,
    HalfCutOff,
    /// A third does not hear another, and both hear the last.
    Bridged,
    /// Here and there a node does not hear another.
    Scattered,
    /// Half falls silent, and each row of the others shows another part of that yet.
    Falling,
}

impl Matrix {
    const ALL: [Self; 5] = [Self::Whole, Self::HalfCutOff, Self::Bridged, Self::Scattered, Self::Falling];

    fn name(self) -> &'static str {
        match self {
            Self::Whole => "nothing is wrong",
            Self::HalfCutOff => "half is cut off",
            Self::Bridged => "a third cut off from a third",
            Self::Scattered => "one pair in 10,000 broken",
            Self::Falling => "half falls silent, each row shows another part",
        }
    }

    /// Whether `owner`, one of `nodes`, does not hear `peer`. Node 0 judges.
    fn is_broken(self, owner: usize, peer: usize, random: &mut ChaCha8Rng) -> bool {
        match self {
            Self::Whole => false,
            Self::HalfCutOff => owner % 2 != peer % 2,
            Self::Bridged => (owner % 3, peer % 3) == (0, 1) || (owner % 3, peer % 3) == (1, 0),
            Self::Scattered => owner != peer && random.next_u32().is_multiple_of(20_000),
            Self::Falling => owner % 2 < peer % 2 && ((random.next_u32() % 100) as usize) < 20 + owner % 70,
        }
    }

    /// Whether the row of a node reaches node 0.
    fn is_valid(self, owner: usize) -> bool {
        !matches!(self, Self::HalfCutOff) || owner.is_multiple_of(2)
    }
}

struct Row {
    ok: Bits,
    broken: Bits,
}

impl Row {
    fn bits<'a>(&'a self, absent: &'a Bits) -> RowBits<'a> {
        let broken = Some(&self.broken).filter(|broken| !broken.is_empty());
        RowBits { ok: &self.ok, broken, down_agents: None, absent, relayed: false }
    }
}

fn main() {
    let nodes = env::var("NETSPLIT_BENCH_NODES").unwrap_or_else(|_| "100,1000,5000".to_owned());
    for nodes in nodes.split(',').map(|nodes| nodes.trim().parse().expect("NETSPLIT_BENCH_NODES: a number")) {
        for matrix in Matrix::ALL {
            measure(nodes, matrix);
        }
    }
}

fn rows(nodes: usize, matrix: Matrix) -> Vec<Option<Row>> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let row = |owner: usize| {
        let mut broken = Bits::none(nodes);
        broken.extend((0..nodes).filter(|&peer| matrix.is_broken(owner, peer, &mut random)));
        matrix.is_valid(owner).then(|| Row { ok: Bits::all(nodes).without(&broken), broken })
    };
    (0..nodes).map(row).collect()
}

fn measure(nodes: usize, matrix: Matrix) {
    let (rows, absent, left) = (rows(nodes, matrix), Bits::none(nodes), Bits::none(nodes));
    let names: Vec<(String, String)> =
        (0..nodes).map(|node| (format!("node-{node:04}"), format!("zone-{}", node % 3))).collect();
    let labels: Vec<Label<'_>> = names.iter().map(|(name, zone)| Label { name, zone }).collect();
    let clock = Clock::start();
    let (mut times, mut cuts) = (Vec::with_capacity(TIMES), 0);
    for _ in 0..TIMES {
        let began = clock.now();
        let bits: Vec<Option<RowBits<'_>>> = rows.iter().map(|row| row.as_ref().map(|row| row.bits(&absent))).collect();
        let verdict = judge(black_box(&bits), 0, &left);
        let within = verdict.component.clone();
        let pairs = BrokenPairs::among(&bits, &within);
        let partial = if pairs.is_empty() { Vec::new() } else { explain(pairs, &within, &labels) };
        times.push(clock.now().since(began));
        cuts = black_box(partial.len()) + usize::from(!verdict.outside().is_empty());
    }
    times.sort();
    let row = [
        nodes.to_string(),
        matrix.name().to_owned(),
        cuts.to_string(),
        format!("{:.3} ms", times[TIMES / 2].as_secs_f64() * 1e3),
        format!("{:.3} ms", times[TIMES - 1].as_secs_f64() * 1e3),
    ];
    verify::VERDICT.row(&row);
    println!("{}", row.join("  "));
    // A shared machine may have a bad day: the table says so, and does not fail.
    let budget = BUDGETS.into_iter().find(|&(size, _)| size == nodes).map(|(_, budget)| budget);
    if let Some(budget) = budget.filter(|&budget| times[TIMES / 2] > budget) {
        eprintln!("over budget: {:?}, {budget:?} allowed", times[TIMES / 2]);
    }
}
