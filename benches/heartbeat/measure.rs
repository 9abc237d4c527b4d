//! Agent and loops side by side through the same windows of time, so that whatever else this machine does falls on both.

#![allow(dead_code, reason = "two benches share this, and each uses its own part")]

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use netsplit::clock::Clock;

use crate::cast::{Playing, Sockets};
use crate::child::{Role, Running};
use crate::cluster::Cap;

/// How many windows are measured; the median counts.
const WINDOWS: usize = 3;

/// What to measure.
pub struct Plan {
    pub peers: usize,
    pub cap: Cap,
    pub warm_up: Duration,
    pub window: Duration,
    /// Whether the patient loop runs beside the bare one.
    pub with_patient: bool,
    /// By which share the traffic may be another than the schedule says: a machine that plays thousands may not keep up.
    pub tolerance: f64,
}

/// What was measured.
pub struct Comparison {
    pub peers: usize,
    pub agent: Cost,
    pub bare: Cost,
    pub patient: Option<Cost>,
    /// Agent to loop, the median of the windows: to the one that each datagram wakes up, and to the patient one.
    pub ratio: f64,
    pub patient_ratio: Option<f64>,
    /// What the agent said at its end.
    pub heard: String,
}

/// The median window of one child, and its memory.
pub struct Cost {
    window: Window,
    pub memory: Memory,
}

impl Cost {
    /// The processor time that one heartbeat out and one in cost.
    pub fn per_heartbeat(&self) -> Duration {
        self.window.per_heartbeat()
    }

    pub fn share_of_a_core(&self) -> f64 {
        self.window.processor.as_secs_f64() / self.window.time.as_secs_f64()
    }

    /// Datagrams sent a second.
    pub fn rate(&self) -> f64 {
        self.window.sent as f64 / self.window.time.as_secs_f64()
    }

    /// Datagrams received a second.
    pub fn incoming(&self) -> f64 {
        self.window.received as f64 / self.window.time.as_secs_f64()
    }

    /// How many datagrams its socket had no room for.
    pub fn dropped(&self) -> u64 {
        self.window.dropped
    }

    /// Which share of the processor time the kernel used for it.
    pub fn in_kernel(&self) -> f64 {
        let Ticks { user, system } = self.window.ticks;
        system as f64 / (user + system).max(1) as f64
    }
}

/// Processor time as the kernel splits it, in hundredths of a second.
#[derive(Clone, Copy, Default)]
struct Ticks {
    user: u64,
    system: u64,
}

impl Ticks {
    fn of(process: u32) -> Self {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // The name may have spaces, and ends with the last parenthesis.
        let mut fields =
            text.rsplit(')').next().unwrap().split_whitespace().skip(11).map(|field| field.parse().unwrap());
        Self { user: fields.next().unwrap(), system: fields.next().unwrap() }
    }

    fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}

#[derive(Clone, Copy)]
struct Window {
    processor: Duration,
    ticks: Ticks,
    sent: u64,
    received: u64,
    dropped: u64,
    time: Duration,
}

impl Window {
    fn per_heartbeat(&self) -> Duration {
        self.processor.div_f64(self.sent as f64)
    }
}

/// The memory of a process that is in RAM.
#[derive(Clone, Copy)]
pub struct Memory {
    kibibytes: u64,
}

impl Memory {
    pub fn mebibytes(self) -> f64 {
        self.kibibytes as f64 / 1024.0
    }

    /// The most that the process ever had.
    fn peak_of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        Self { kibibytes: line.trim().trim_end_matches(" kB").parse().unwrap() }
    }
}

/// What a child used, sent and received.
#[derive(Clone, Copy)]
pub struct Counts {
    processor: Duration,
    ticks: Ticks,
    sent: u64,
    received: u64,
    /// What its socket had no room for.
    pub dropped: u64,
}

/// How many datagrams the kernel dropped that came to this address.
fn dropped_at(address: SocketAddr) -> u64 {
    let port = format!(":{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    let listening =
        |line: &&str| line.split_whitespace().nth(1).is_some_and(|local| local == format!("0100007F{port}"));
    let line = table.lines().find(listening).expect("the child listens on 127.0.0.1");
    line.split_whitespace().last().unwrap().parse().unwrap()
}

/// One child with its peers.
pub struct Side {
    pub child: Running,
    pub playing: Playing,
}

impl Side {
    pub fn start(role: Role, cap: Cap, peers: usize) -> Self {
        let sockets = Sockets::bind(peers);
        let child = Running::start(role, cap, &sockets.addresses());
        let playing = Playing::start(sockets, role, cap, child.address);
        Self { child, playing }
    }

    /// Up to now.
    pub fn counts(&self) -> Counts {
        let traffic = &self.playing.traffic;
        // What the peers received is what the child sent.
        let (sent, received) = (traffic.received.load(Ordering::Relaxed), traffic.sent.load(Ordering::Relaxed));
        Counts {
            processor: processor_time(self.child.process()),
            ticks: Ticks::of(self.child.process()),
            sent,
            received,
            dropped: dropped_at(self.child.address),
        }
    }

    pub fn end(self) -> (Memory, String) {
        let memory = Memory::peak_of(self.child.process());
        let said = self.child.end();
        self.playing.stop();
        (memory, said)
    }
}

/// The processor time of all threads of a process, as its scheduler counts it: in nanoseconds.
pub fn processor_time(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of_task = |task: fs::DirEntry| -> u64 {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    };
    Duration::from_nanos(tasks.map(|task| of_task(task.unwrap())).sum())
}

/// Runs both and compares them.
///
/// # Panics
/// If the agent did not hear everybody, or one of the two had another amount of traffic: then the figures mean nothing.
pub fn compare(plan: &Plan) -> Comparison {
    let start = |role| Side::start(role, plan.cap, plan.peers);
    let patient = plan.with_patient.then_some(Role::Patient);
    let sides: Vec<Side> = [Role::Agent, Role::Bare].into_iter().chain(patient).map(start).collect();
    let clock = Clock::start();
    pause(plan.warm_up);
    let windows: Vec<Vec<Window>> = (0..WINDOWS).map(|_| window(&sides, &clock, plan.window)).collect();
    let (memories, mut said): (Vec<Memory>, Vec<String>) = sides.into_iter().map(Side::end).unzip();
    let heard = said.swap_remove(0);
    assert!(heard.starts_with("coverage 1 mode Normal "), "the agent did not hear everybody: {heard}");
    for window in windows.iter().flatten() {
        let expected = plan.peers as f64 * window.time.as_secs_f64() / plan.cap.step(plan.peers).as_secs_f64();
        for count in [window.sent, window.received] {
            let share = count as f64 / expected;
            assert!((share - 1.0).abs() < plan.tolerance, "{count} datagrams instead of {expected:.0}; {heard}");
        }
    }
    let cost = |side: usize| {
        let window = median(windows.iter().map(|sides| sides[side]), per_heartbeat);
        Cost { window, memory: memories[side] }
    };
    let ratio = |side: usize| {
        let ratios = windows.iter().map(|sides| per_heartbeat(&sides[0]) / per_heartbeat(&sides[side]));
        median(ratios, |ratio| *ratio)
    };
    Comparison {
        peers: plan.peers,
        agent: cost(0),
        bare: cost(1),
        patient: patient.map(|_| cost(2)),
        ratio: ratio(1),
        patient_ratio: patient.map(|_| ratio(2)),
        heard,
    }
}

fn per_heartbeat(window: &Window) -> f64 {
    window.per_heartbeat().as_secs_f64()
}

fn window(sides: &[Side], clock: &Clock, length: Duration) -> Vec<Window> {
    let counts = || -> Vec<Counts> { sides.iter().map(Side::counts).collect() };
    let (before, began) = (counts(), clock.now());
    pause(length);
    let (after, time) = (counts(), clock.now().since(began));
    let window = |(before, after): (&Counts, &Counts)| Window {
        processor: after.processor.saturating_sub(before.processor),
        ticks: after.ticks.since(before.ticks),
        sent: after.sent - before.sent,
        received: after.received - before.received,
        dropped: after.dropped - before.dropped,
        time,
    };
    before.iter().zip(&after).map(window).collect()
}

fn median<T>(of: impl Iterator<Item = T>, by: impl Fn(&T) -> f64) -> T {
    let mut sorted: Vec<T> = of.collect();
    sorted.sort_by(|one, other| by(one).total_cmp(&by(other)));
    let middle = sorted.len() / 2;
    sorted.swap_remove(middle)
}

#[expect(clippy::disallowed_methods, reason = "time that passes is what is measured in")]
pub fn pause(length: Duration) {
    thread::sleep(length);
}
