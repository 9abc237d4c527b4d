//! A flood of datagrams that are wrong: ten thousand a second at an agent that runs. What each costs, and that each is
//! counted.

#![expect(clippy::disallowed_methods, reason = "a flood has its pace, and nothing to wait for")]

use std::fs;
use std::net::UdpSocket;
use std::ops::Deref;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netsplit::agent::{Agent, AgentHandle, Record, Setup};
use netsplit::clock::Clock;
use netsplit::config::{self, Environment};
use netsplit::detector::mode::Mode;
use netsplit::detector::view::Refusal;
use netsplit::discovery::Discovery;
use netsplit::keys::read_directory;
use netsplit::network::UdpNetwork;
use netsplit::wire::GoodbyeReason;

use crate::laboratory;
use crate::laboratory::cluster::Cluster;
use crate::laboratory::network::{Family, PORT};
use crate::laboratory::words::Word;
use crate::tap::Tap;
use crate::verify::{self, FLOOD, size};

/// Datagrams a second.
const RATE: u32 = 10_000;

/// What one may cost (issue 4).
const BUDGET: Duration = Duration::from_micros(5);

/// The processor time of a process is counted in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// As many forged, replayed and altered datagrams, made of heartbeats that were overheard.
struct Wrong {
    forged: Vec<Vec<u8>>,
    replayed: Vec<Vec<u8>>,
    altered: Vec<Vec<u8>>,
}

impl Wrong {
    fn of(heard: &[Vec<u8>]) -> Self {
        let flip = |good: &Vec<u8>, place: usize| {
            let mut bad = good.clone();
            bad[place] ^= 1 << (place % 8);
            bad
        };
        // A tag that no key made; one bit of the header, another in each.
        let forged = heard.iter().map(|good| flip(good, good.len() - 1)).collect();
        let altered = heard.iter().enumerate().map(|(at, good)| flip(good, at * 7 % (good.len() - 16))).collect();
        Self { forged, replayed: heard.to_vec(), altered }
    }

    /// The datagram of this turn: each kind in turn.
    fn datagram(&self, turn: usize) -> &[u8] {
        let of = [&self.forged, &self.replayed, &self.altered][turn % 3];
        &of[turn / 3 % of.len()]
    }
}

/// Sends so many a second for so long, evenly. Returns how many were sent.
fn flood(from: &UdpSocket, cluster: &Cluster, wrong: &Wrong, time: Duration) -> u32 {
    let (to, clock, mut sent) = (cluster.network.agent(1), Clock::start(), 0);
    let all = RATE * u32::try_from(time.as_secs()).unwrap();
    while sent < all {
        let due = clock.now().since_start().as_micros() * u128::from(RATE) / 1_000_000;
        while u128::from(sent) < due.min(all.into()) {
            from.send_to(wrong.datagram(usize::try_from(sent).unwrap()), to).unwrap();
            sent += 1;
        }
        thread::sleep(Duration::from_secs(1) / RATE);
    }
    sent
}

/// The processor time that a process has used.
fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name, which may contain anything, `utime` and `stime` are fields 12 and 13.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    TICK * (fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap())
}

/// The datagrams that a node's programs have read, and those for which there was no room.
fn datagrams_of(cluster: &Cluster, node: usize) -> (u64, u64) {
    let text = cluster.network.within(node, || fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let of = |name| {
        let mut both = names.split(' ').zip(values.split(' '));
        both.find(|(field, _)| *field == name).unwrap().1.parse().unwrap()
    };
    (of("InDatagrams"), of("RcvbufErrors"))
}

/// What one datagram from `from` costs the agent of node 1.
fn cost_of_one(cluster: &Cluster, from: usize, who: &str, wrong: &Wrong, time: Duration) -> Duration {
    let process = cluster.node(1).process();
    let idle = processor_time(process);
    cluster.hears_no("anything", |_| true, time);
    let idle = processor_time(process).saturating_sub(idle);

    let mut answers = Tap::on(&cluster.network, 2);
    let (before, (read, lost)) = (processor_time(process), datagrams_of(cluster, 1));
    let sent = flood(&cluster.network.socket(from), cluster, wrong, time);
    let come = || (datagrams_of(cluster, 1).0 - read, datagrams_of(cluster, 1).1 - lost);
    until("all of them are read", || come().0 + come().1 >= sent.into());
    let (_, lost) = come();
    let busy = processor_time(process).saturating_sub(before);
    // A machine that does other things as well may stop the agent for longer than its buffer lasts.
    assert!(lost == 0 || !verify::is_full(), "{who}: {lost} datagrams found no room");
    assert!(lost < u64::from(sent) / 10, "{who}: {lost} of {sent} datagrams found no room");
    cluster.hears_no("anything", |_| true, Duration::ZERO);
    // Heartbeats went on meanwhile, and go on: the interval is at most a period.
    let count = usize::try_from(time.as_secs()).unwrap();
    answers.heartbeats(cluster.network.address(1), count);

    let each = busy.saturating_sub(idle) / (sent - u32::try_from(lost).unwrap());
    let cells = [
        who.to_owned(),
        sent.to_string(),
        RATE.to_string(),
        format!("{:.2} s", idle.as_secs_f64()),
        format!("{:.2} s", busy.as_secs_f64()),
        format!("{:.2} µs", each.as_secs_f64() * 1e6),
    ];
    eprintln!("| {} |", cells.join(" | "));
    FLOOD.row(&cells);
    each
}

#[test]
fn a_wrong_datagram_costs_little_whoever_sends_it() {
    let Some(laboratory) = laboratory::open() else { return };
    let time = Duration::from_secs(size(10, 100));
    let mut cluster = Cluster::of(&laboratory, 2, Family::V4);
    cluster.settle();
    let heard = Tap::on(&cluster.network, 1).heartbeats(cluster.network.address(2), 5);
    let wrong = Wrong::of(&heard);
    let listed = cost_of_one(&cluster, 2, "a listed node", &wrong, time);
    let stranger = cost_of_one(&cluster, cluster.stranger(), "a stranger", &wrong, time);
    // A short run on a machine that does other things as well shows a figure, and proves none.
    if verify::is_full() {
        assert!(listed <= BUDGET && stranger <= BUDGET, "{listed:?} and {stranger:?} are more than {BUDGET:?}");
    }
}

/// The agent of a node within this process, so that its counters can be read.
struct InProcess {
    handle: AgentHandle,
    records: mpsc::Receiver<Record>,
}

impl InProcess {
    /// Runs until it is stopped, on the calling thread.
    #[expect(clippy::needless_pass_by_value, reason = "it is gone when the agent is, so that nobody waits for it")]
    fn run(configuration: &std::path::Path, started: mpsc::Sender<Self>) {
        let config = config::read(configuration, &Environment::of_process()).unwrap().config;
        let keys = read_directory(&configuration.with_file_name("keys")).unwrap();
        let config::Discovery::Static(roster) = config.discovery else { panic!("the test writes a list") };
        let clock = Clock::start();
        let (tell, records) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let network = UdpNetwork::bind(config.listen, config.source_ports).unwrap();
            let setup = Setup::without_state(config.settings, Discovery::fixed(roster, clock), keys);
            let sink = move |record| tell.send(record).unwrap_or_default();
            let (agent, handle) = Agent::new(setup, network, clock, sink).unwrap();
            started.send(Self { handle, records }).unwrap();
            agent.run().await;
        });
    }

    fn refused_by_the_gate(&self) -> u64 {
        self.handle.counters().refused().map(|(_, count)| count).sum()
    }

    fn replays(&self) -> u64 {
        self.handle.view().borrow().counters.refused.get(&Refusal::Replayed).copied().unwrap_or_default()
    }

    /// Whatever a datagram could have changed, beside counters and times.
    fn state(&self) -> String {
        let view = self.handle.view().borrow().clone();
        let nodes: Vec<_> = view.nodes.iter().map(|node| (&node.member, node.link, node.incarnation)).collect();
        format!("{:?} {} {:?} {:?}", view.mode, view.incarnation.0, (view.epoch, view.electorate_digest), nodes)
    }

    fn received(&self) -> u64 {
        self.handle.view().borrow().counters.received
    }
}

/// An agent that is stopped at the end of the test, whatever ends it.
struct Ending(InProcess);

impl Deref for Ending {
    type Target = InProcess;

    fn deref(&self) -> &InProcess {
        &self.0
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.handle.stop(GoodbyeReason::Stopped);
    }
}

/// How many datagrams there is room for in the smallest receive buffer.
const STRIDE: usize = 99;

fn until(what: &str, is_so: impl Fn() -> bool) {
    let clock = Clock::start();
    while !is_so() {
        assert!(clock.now().since_start() < Duration::from_secs(30), "waited half a minute for this: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn every_datagram_of_a_flood_is_counted_and_none_changes_anything() {
    let Some(laboratory) = laboratory::open() else { return };
    // Of each kind as many.
    let turns: usize = size(30_000, 1_000_002);
    let mut cluster = Cluster::of(&laboratory, 2, Family::V4);
    cluster.start(2);
    let (started, starts) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| cluster.network.within(1, || InProcess::run(&cluster.node(1).configuration(), started)));
        let agent = Ending(starts.recv().unwrap());
        let normal = || agent.handle.view().borrow().mode == Mode::Normal;
        until("it hears its peer", normal);
        let heard = Tap::on(&cluster.network, 1).heartbeats(cluster.network.address(2), 5);
        let wrong = Wrong::of(&heard);
        let (from, to) = (cluster.network.socket(2), (cluster.network.address(1), PORT));
        let (state, refused, replays) = (agent.state(), agent.refused_by_the_gate(), agent.replays());
        let told = agent.records.try_iter().count();

        // In strides for which there is room in the socket: each is through before the next.
        for stride in 0..turns.div_ceil(STRIDE) {
            let end = turns.min((stride + 1) * STRIDE);
            for turn in stride * STRIDE..end {
                from.send_to(wrong.datagram(turn), to).unwrap();
            }
            let replayed = end / 3;
            let counted = u64::try_from(end - replayed).unwrap();
            until("what is not authentic is refused", || agent.refused_by_the_gate() - refused >= counted);
        }
        let of_each = u64::try_from(turns / 3).unwrap();
        until("every forged and altered one is counted", || agent.refused_by_the_gate() - refused >= 2 * of_each);
        until("every replay is counted", || agent.replays() - replays >= of_each);
        assert_eq!((agent.refused_by_the_gate() - refused, agent.replays() - replays), (2 * of_each, of_each));
        assert_eq!(agent.handle.view().borrow().counters.dropped, 0);
        let received = agent.received();
        until("heartbeats go on", || agent.received() > received + 2);
        assert_eq!((agent.state(), agent.records.try_iter().count()), (state, 0), "{told} events before");
    });
    cluster.hears_no("a verdict", Word::is_verdict, Duration::ZERO);
}
