//! The world: hosts, the network between them, and one queue of what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::discovery::Lists;
use super::evidence::find_out;
use super::host::{Host, Running};
use super::network::{Conditions, Network, chance};
use super::services::Services;
use super::wakes::Wakes;
use crate::detector::event::Event;
use crate::detector::evidence::Question;
use crate::detector::settings::{ConfiguredTiming, Member, ModePolicy};
use crate::detector::time::Now;
use crate::detector::{Detector, Input, Output};
use crate::wire::{Datagram, MAX_DATAGRAM, sealed_size};

/// The first address of the virtual network: host 0.
const FIRST: u32 = u32::from_be_bytes([10, 0, 0, 0]);
/// The first address of hosts that moved.
const FIRST_MOVED: u32 = u32::from_be_bytes([10, 1, 0, 0]);

/// An event, and whose and when it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When, in virtual time.
    pub at: Now,
    /// Which host's agent.
    pub host: usize,
    /// What it said.
    pub event: Event,
}

/// A machine, as an operator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The name of its node.
    pub name: String,
    /// Its zone; empty if it has none.
    pub zone: String,
}

/// What happens next. Small, so that the queue is fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Next {
    /// The datagram in this slot arrives.
    Arrival(usize),
    /// A host hears of its discovery, as it does again and again.
    Listing(usize),
    /// A host hears of its discovery because it asked.
    ListingAsked(usize),
    /// The answer in this slot arrives.
    Answer(usize),
}

/// A datagram on its way.
struct InFlight {
    from: usize,
    to: usize,
    datagram: Datagram,
    size: usize,
}

/// What an agent sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many datagrams.
    pub datagrams: u64,
    /// How many bytes of UDP payload, as they are when sealed.
    pub bytes: u64,
}

/// A cluster in virtual time.
pub struct World {
    pub(super) now: Now,
    pub(super) hosts: Vec<Host>,
    pub(super) network: Network,
    pub(super) random: ChaCha8Rng,
    queue: BinaryHeap<Reverse<(Now, u64, Next)>>,
    /// When each host looks at its timers.
    wakes: Wakes,
    order: u64,
    slots: Vec<Option<InFlight>>,
    /// When the last datagram arrived, for each directed pair.
    arrived: Vec<Now>,
    free: Vec<usize>,
    /// Answers on their way, and to whom.
    answers: BTreeMap<usize, (usize, Input)>,
    told: Vec<Told>,
    pub(super) timing: ConfiguredTiming,
    pub(super) policy: ModePolicy,
    pub(super) lists: Option<Lists>,
    pub(super) services: Services,
    sent: Vec<Sent>,
    questions: u64,
    pub(super) recorded: Option<Vec<(usize, usize, Datagram)>>,
}

impl World {
    /// A world of `hosts` machines named n000, n001, …, none of which runs an agent yet.
    ///
    /// A `Timing` is just so at any number of hosts; a `ConfiguredTiming` may have a cap on heartbeats a second.
    pub fn new(hosts: usize, timing: impl Into<ConfiguredTiming>, conditions: Conditions, seed: u64) -> Self {
        let machine = |index| Machine { name: format!("n{index:03}"), zone: String::new() };
        Self::of((0..hosts).map(machine).collect(), timing, conditions, seed)
    }

    /// As [`Self::new`], with machines that have names and zones.
    pub fn of(machines: Vec<Machine>, timing: impl Into<ConfiguredTiming>, conditions: Conditions, seed: u64) -> Self {
        let hosts = machines.len();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let _ = random.next_u64();
        Self {
            now: Now::START,
            hosts: machines.into_iter().enumerate().map(|(index, machine)| Host::new(member(index, machine))).collect(),
            network: Network::new(hosts, conditions),
            random,
            queue: BinaryHeap::new(),
            wakes: Wakes::of(hosts),
            order: 0,
            slots: Vec::new(),
            arrived: vec![Now::START; hosts * hosts],
            free: Vec::new(),
            answers: BTreeMap::new(),
            told: Vec::new(),
            timing: timing.into(),
            policy: ModePolicy::default(),
            lists: None,
            services: Services::default(),
            sent: vec![Sent::default(); hosts],
            questions: 0,
            recorded: None,
        }
    }

    /// A world whose agents all started within one period, each knowing all.
    pub fn started(hosts: usize, timing: impl Into<ConfiguredTiming>, conditions: Conditions, seed: u64) -> Self {
        let mut world = Self::new(hosts, timing, conditions, seed);
        world.start_all();
        world
    }

    /// Starts every agent within one period, each knowing all.
    pub fn start_all(&mut self) {
        let (begin, period) = (self.now, self.timing.period);
        let mut starts: Vec<(Now, usize)> =
            (0..self.hosts.len()).map(|host| (begin + period.mul_f64(self.chance()), host)).collect();
        starts.sort_unstable();
        for (at, host) in starts {
            self.run_until(at);
            self.start(host, false);
        }
    }

    /// Virtual time.
    pub fn now(&self) -> Now {
        self.now
    }

    /// How many hosts there are.
    pub fn size(&self) -> usize {
        self.hosts.len()
    }

    /// The name of a host.
    pub fn name(&self, host: usize) -> &str {
        &self.hosts[host].member.name
    }

    /// The detector of a host, if its agent runs.
    pub fn detector(&self, host: usize) -> Option<&Detector> {
        self.hosts[host].detector.as_ref()
    }

    /// All events so far, in order.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Forgets the events so far.
    pub fn forget_told(&mut self) {
        self.told.clear();
    }

    /// All events since they were taken last, in order.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// How many datagrams were sent.
    pub fn datagrams(&self) -> u64 {
        self.sent.iter().map(|sent| sent.datagrams).sum()
    }

    /// What the agents of a host sent.
    pub fn sent(&self, host: usize) -> Sent {
        self.sent[host]
    }

    /// When the last datagram of a host arrived at another.
    pub fn last_arrival(&self, from: usize, to: usize) -> Now {
        self.arrived[from * self.hosts.len() + to]
    }

    /// How many questions were asked beside the heartbeat.
    pub fn questions(&self) -> u64 {
        self.questions
    }

    /// Uniform in [0, 1), from the world's own generator.
    pub fn chance(&mut self) -> f64 {
        chance(&mut self.random)
    }

    /// A number below `limit`, from the world's own generator.
    pub fn pick(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.next_u64() % limit.max(1) as u64).unwrap_or_default()
    }

    /// When the last datagram arrived from one side at another.
    pub fn last_crossing(&self, sides: &[Vec<usize>]) -> Now {
        let side_of = |host: usize| sides.iter().position(|side| side.contains(&host));
        let hosts = self.hosts.len();
        let pairs = (0..hosts).flat_map(|from| (0..hosts).map(move |to| (from, to)));
        let across = pairs.filter(|&(from, to)| side_of(from) != side_of(to));
        across.map(|(from, to)| self.last_arrival(from, to)).max().unwrap_or_default()
    }

    /// Lets virtual time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets virtual time pass until `end`.
    pub fn run_until(&mut self, end: Now) {
        while self.step(end) {}
        self.now = end;
    }

    /// The next thing that happens, if it does until `end`: of those at one moment what was asked for first.
    fn step(&mut self, end: Now) -> bool {
        let wake = self.wakes.first().filter(|&((at, _), _)| at <= end);
        let queued = self.queue.peek().map(|&Reverse(queued)| queued).filter(|&(at, ..)| at <= end);
        match (queued, wake) {
            (Some((at, order, next)), wake) if wake.is_none_or(|(wake, _)| (at, order) < wake) => {
                self.queue.pop();
                self.now = at;
                match next {
                    Next::Arrival(slot) => self.arrive(slot),
                    Next::Listing(host) => self.tell_listing_again(host),
                    Next::ListingAsked(host) => self.tell_listing(host),
                    Next::Answer(slot) => self.answered(slot),
                }
            }
            (_, Some(((at, _), host))) => {
                self.now = at;
                self.wakes.lift(host);
                self.run_or_wait(host);
                self.wakes.settle(host);
            }
            (_, None) => return false,
        }
        true
    }

    fn arrive(&mut self, slot: usize) {
        let Some(InFlight { from, to, datagram, size }) = self.slots[slot].take() else { return };
        self.free.push(slot);
        let pair = from * self.hosts.len() + to;
        self.arrived[pair] = self.now;
        if self.hosts[to].running == Running::Always {
            self.hosts[to].take(datagram, size, self.now);
        } else {
            self.hosts[to].arrive(datagram, size);
        }
        self.run_or_wait(to);
    }

    fn answered(&mut self, slot: usize) {
        let Some((host, answer)) = self.answers.remove(&slot) else { return };
        self.hosts[host].learn(answer);
        self.run_or_wait(host);
    }

    /// Finds out what an agent asks for, as it is now.
    fn ask(&mut self, host: usize, question: Question) {
        self.questions += 1;
        let Some(to) = self.host_with(question.host) else { return };
        let reached = self.network.reach(host, to);
        let Some(timeout) = self.detector(host).map(|asker| asker.timing().confirm_period) else { return };
        let (evidence, at) = find_out(question, &self.hosts[host], &self.hosts[to], reached, timeout, self.now);
        self.answer(host, Input::Evidence(evidence), at);
    }

    /// An answer is on its way to a host.
    pub(super) fn answer(&mut self, host: usize, answer: Input, at: Now) {
        let slot = self.answers.last_key_value().map_or(0, |(last, _)| last + 1);
        self.answers.insert(slot, (host, answer));
        self.push(at, Next::Answer(slot));
    }

    /// Runs a host now if it runs at all, else when it does.
    pub(super) fn run_or_wait(&mut self, host: usize) {
        let runs = self.hosts[host].running.next(self.now);
        if runs > self.now {
            return self.wake(host, runs);
        }
        let now = self.now;
        self.hosts[host].run(now);
        self.take_outputs(host);
    }

    pub(super) fn wake(&mut self, host: usize, at: Now) {
        if self.wakes.of_host(host).is_none_or(|wake| at < wake) {
            self.order += 1;
            self.wakes.set(host, (at, self.order));
        }
    }

    pub(super) fn push(&mut self, at: Now, next: Next) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, next)));
    }

    pub(super) fn take_outputs(&mut self, host: usize) {
        while let Some(output) = self.hosts[host].output(self.now) {
            match output {
                Output::Transmit { to, datagram } => self.transmit(host, to, datagram),
                Output::Event(event) => self.told.push(Told { at: self.now, host, event: *event }),
                Output::Stopped => self.kill(host),
                Output::Ask(question) => self.ask(host, question),
                Output::Probe(order) => self.probe(host, &order),
                Output::List { within } => self.ask_for_list(host, within),
                Output::Save(..) | Output::View => {}
            }
        }
        if let Some(due) = self.hosts[host].due() {
            let runs = self.hosts[host].running.next(due.max(self.now));
            self.wake(host, runs);
        }
    }

    fn transmit(&mut self, from: usize, to: SocketAddr, datagram: Datagram) {
        let size = sealed_size(&datagram);
        debug_assert!(size <= MAX_DATAGRAM, "{size} bytes: {datagram:?}");
        let sent = &mut self.sent[from];
        *sent = Sent { datagrams: sent.datagrams + 1, bytes: sent.bytes + size as u64 };
        let Some(to) = self.host_with(to.ip()) else { return };
        if let Some(recorded) = &mut self.recorded {
            recorded.push((from, to, datagram.clone()));
        }
        let [once, twice] = self.network.carry(from, to, self.now, &mut self.random);
        if let Some(at) = twice {
            self.deliver(at, InFlight { from, to, datagram: datagram.clone(), size });
        }
        if let Some(at) = once {
            self.deliver(at, InFlight { from, to, datagram, size });
        }
    }

    fn deliver(&mut self, at: Now, datagram: InFlight) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(datagram);
        self.push(at, Next::Arrival(slot));
    }

    /// Questions go to a host and datagrams to its agent, but there is one agent on each.
    fn host_with(&self, ip: IpAddr) -> Option<usize> {
        let IpAddr::V4(v4) = ip else { return None };
        let index = usize::try_from(u32::from(v4).checked_sub(FIRST)?).ok()?;
        let is_there = |host: &Host| host.member.address.ip() == ip;
        let first_guess = self.hosts.get(index).filter(|host| is_there(host)).map(|_| index);
        first_guess.or_else(|| self.hosts.iter().position(is_there))
    }
}

fn member(index: usize, machine: Machine) -> Member {
    Member { http_port: Some(7476), ..Member::new(machine.name, machine.zone, address(FIRST, index)) }
}

fn address(first: u32, index: usize) -> SocketAddr {
    let ip = Ipv4Addr::from(first + u32::try_from(index).unwrap_or_default());
    SocketAddr::from((ip, 7475))
}

/// Where a host is after it moved.
pub(super) fn moved_address(index: usize) -> SocketAddr {
    address(FIRST_MOVED, index)
}
