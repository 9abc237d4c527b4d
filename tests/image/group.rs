//! What the control group of a container says: its limits, what was used of them, and whether the kernel killed for them. It
//! is read from version 1 or 2, whichever this machine has.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where control groups are.
const ROOT: &str = "/sys/fs/cgroup";

/// What there is of a container's group.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// Bytes.
    pub memory_limit: u64,
    /// Bytes: what was in use at most, with what it read and wrote of files. None before Linux 5.19 with version 2.
    pub memory_peak: Option<u64>,
    /// How many processes were killed for their memory.
    pub killed: u64,
    /// The processor time in each period.
    pub quota: Duration,
    pub period: Duration,
    pub busy: Duration,
    /// Periods in which it wanted the processor, and those of them in which it had to wait for the next one.
    pub periods: u64,
    pub throttled: u64,
}

impl Group {
    pub fn of(name: &str) -> Self {
        Self::read(Path::new(ROOT), name)
    }

    fn read(root: &Path, name: &str) -> Self {
        if root.join("cgroup.controllers").exists() { second(&root.join(name)) } else { first(root, name) }
    }

    /// The part of its time in which it had to wait.
    pub fn share_throttled(&self) -> f64 {
        if self.periods == 0 { 0.0 } else { self.throttled as f64 / self.periods as f64 }
    }
}

fn first(root: &Path, name: &str) -> Group {
    let read = |controller: &str, file: &str| text(&root.join(controller).join(name).join(file));
    let stat = read("cpu", "cpu.stat");
    Group {
        memory_limit: number(&read("memory", "memory.limit_in_bytes")),
        memory_peak: Some(number(&read("memory", "memory.max_usage_in_bytes"))),
        killed: field(&read("memory", "memory.oom_control"), "oom_kill"),
        quota: Duration::from_micros(number(&read("cpu", "cpu.cfs_quota_us"))),
        period: Duration::from_micros(number(&read("cpu", "cpu.cfs_period_us"))),
        busy: Duration::from_nanos(number(&read("cpuacct", "cpuacct.usage"))),
        periods: field(&stat, "nr_periods"),
        throttled: field(&stat, "nr_throttled"),
    }
}

fn second(group: &Path) -> Group {
    let read = |file: &str| text(&group.join(file));
    let (stat, most) = (read("cpu.stat"), read("cpu.max"));
    let (quota, period) = most.trim().split_once(' ').unwrap();
    Group {
        memory_limit: number(&read("memory.max")),
        memory_peak: fs::read_to_string(group.join("memory.peak")).ok().map(|peak| number(&peak)),
        killed: field(&read("memory.events"), "oom_kill"),
        quota: Duration::from_micros(number(quota)),
        period: Duration::from_micros(number(period)),
        busy: Duration::from_micros(field(&stat, "usage_usec")),
        periods: field(&stat, "nr_periods"),
        throttled: field(&stat, "nr_throttled"),
    }
}

/// Removes the empty groups of tests that are gone.
pub fn sweep() {
    let inside = fs::read_dir(ROOT).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for directory in inside.chain([PathBuf::from(ROOT)]) {
        for name in crate::laboratory::left_behind(&directory) {
            // One that still has processes stays for the next test.
            let _ = fs::remove_dir(directory.join(name));
        }
    }
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The number behind a word at the start of a line.
fn field(text: &str, name: &str) -> u64 {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    number(found.unwrap_or_else(|| panic!("no {name} in {text}")))
}

#[test]
fn both_versions_of_control_groups_are_read() {
    let right = Group {
        memory_limit: 134_217_728,
        memory_peak: Some(9_000_000),
        killed: 1,
        quota: Duration::from_millis(10),
        period: Duration::from_millis(100),
        busy: Duration::from_millis(1500),
        periods: 200,
        throttled: 50,
    };
    assert!((right.share_throttled() - 0.25).abs() < 1e-9);
    // As the kernel's documents have them: admin-guide/cgroup-v1 and cgroup-v2, scheduler/sched-bwc.
    let versions: [&[(&str, &str)]; 2] = [
        &[
            ("memory/one/memory.limit_in_bytes", "134217728\n"),
            ("memory/one/memory.max_usage_in_bytes", "9000000\n"),
            ("memory/one/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            ("cpu/one/cpu.cfs_quota_us", "10000\n"),
            ("cpu/one/cpu.cfs_period_us", "100000\n"),
            ("cpu/one/cpu.stat", "nr_periods 200\nnr_throttled 50\nthrottled_time 123456789\n"),
            ("cpuacct/one/cpuacct.usage", "1500000000\n"),
        ],
        &[
            ("cgroup.controllers", "cpu memory\n"),
            ("one/memory.max", "134217728\n"),
            ("one/memory.peak", "9000000\n"),
            ("one/memory.events", "low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\noom_group_kill 0\n"),
            ("one/cpu.max", "10000 100000\n"),
            (
                "one/cpu.stat",
                "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\nnr_periods 200\nnr_throttled 50\nthrottled_usec 123456\n",
            ),
        ],
    ];
    for files in versions {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        assert_eq!(Group::read(root.path(), "one"), right);
    }
}
