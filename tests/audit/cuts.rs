//! Cuts of the power at random steps: nothing that was shown as durable is missing, whatever the disk forgets.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use netsplit::audit::read::Line;
use netsplit::audit::verify::verify_lines;
use netsplit::audit::{PATIENCE, Settings, Shown};
use netsplit::clock::Clock;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::forgetful::{Cut, Forgetful, below};
use crate::laboratory::{Running, until};
use crate::verify::AUDIT;

/// A disk through many cuts, and what it may not forget.
struct Trial {
    luck: ChaCha8Rng,
    disk: Forgetful,
    settings: Settings,
    /// Whether no file is ever dropped.
    keeps_all: bool,
    durable: BTreeMap<u64, Arc<str>>,
    torn: u64,
    /// How often this machine was too busy to read the log within the time that a start has for it.
    late: usize,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut luck = ChaCha8Rng::seed_from_u64(seed);
        let disk = Forgetful::new(ChaCha8Rng::seed_from_u64(seed ^ u64::MAX));
        let keep = [1, 2, 3, 1000, 1000][below(&mut luck, 5)];
        let max_size = [700, 1500, 1 << 20][below(&mut luck, 3)];
        let settings = Settings { path: "log".into(), max_size, keep, stdout: false };
        let keeps_all = keep == 1000 || max_size == 1 << 20;
        Self { luck, disk, settings, keeps_all, durable: BTreeMap::new(), torn: 0, late: 0 }
    }

    /// An agent that has the power for so many steps.
    fn run(&mut self, steps: usize, records: usize) {
        self.disk.allow(steps);
        let clock = Clock::start();
        let mut running = Running::on(self.disk.clone(), io::sink(), self.settings.clone());
        self.late += usize::from(clock.now().since_start() >= PATIENCE);
        for record in 0..records {
            running.accept([record]);
            if below(&mut self.luck, 3) == 0 {
                let counters = &running.readers.counters;
                until("the disk is idle or has no power", || counters.queued() == 0 || counters.errors() > 0);
            }
        }
        let (tail, counters) = (running.readers.tail.clone(), Arc::clone(&running.readers.counters));
        running.finish();
        let shown = tail.since(0, usize::MAX).lines;
        assert_eq!(shown.len(), records, "everything is shown, durable or not");
        let durable = shown.into_iter().filter(|shown| shown.durable);
        self.durable.extend(durable.map(|Shown { seq, line, .. }| (seq, line)));
        self.torn += counters.torn();
    }

    /// What is on the disk has all that it must.
    fn check(&self, what: &str) {
        let verified = verify_lines(self.disk.lines()).unwrap();
        assert!(verified.is_whole(), "{what}: {verified:?}");
        assert!(verified.new_chains.len() <= self.late, "{what}: {verified:?}");
        assert!(self.disk.files() <= self.settings.keep + 1, "{what}: {} files", self.disk.files());
        let first = verified.first.unwrap_or(1);
        assert!(!self.keeps_all || first == 1, "{what}: the first is {first}");
        let lines: BTreeMap<u64, Line> =
            self.disk.lines().filter_map(|line| line.ok().and_then(|line| Some((line.seq()?, line)))).collect();
        for (seq, text) in self.durable.range(first..) {
            let line = lines.get(seq).unwrap_or_else(|| panic!("{what}: event {seq} is missing: {verified:?}"));
            assert_eq!(line.bytes, text.as_bytes(), "{what}");
        }
        let newest = self.durable.last_key_value().map_or(0, |(seq, _)| *seq);
        assert!(verified.last.unwrap_or(0) >= newest, "{what}: {newest} is missing");
    }
}

#[test]
fn no_cut_of_the_power_loses_what_was_shown_as_durable() {
    const CUTS_EACH: usize = 25;
    let cuts = 10_000;
    let (mut durable, mut torn) = (0, 0);
    for seed in 0..cuts / CUTS_EACH {
        let mut trial = Trial::new(u64::try_from(seed).unwrap());
        // A hole is for the next start to see to.
        let mut has_holes = false;
        for cut in 0..CUTS_EACH {
            let what = format!("trial {seed}, cut {cut}, {:?}", trial.settings);
            let (steps, records) = (below(&mut trial.luck, 70), 1 + below(&mut trial.luck, 8));
            trial.run(steps, records);
            let kind = if below(&mut trial.luck, 2) == 0 { Cut::Torn } else { Cut::Scattered };
            trial.disk.cut(kind);
            has_holes |= kind == Cut::Scattered;
            if !has_holes {
                trial.check(&what);
            }
            if below(&mut trial.luck, 3) == 0 {
                trial.run(usize::MAX, 1);
                trial.check(&format!("{what}, after the next start"));
                has_holes = false;
            }
        }
        durable += trial.durable.len();
        torn += trial.torn;
    }
    assert!(durable > cuts, "most runs got something done: {durable}");
    assert!(torn > 0, "some lines were torn");
    let (cuts, durable, torn) = (cuts.to_string(), durable.to_string(), torn.to_string());
    AUDIT.row(&["power cut, a disk that forgets what was not synced".to_owned(), cuts, durable, torn]);
}
