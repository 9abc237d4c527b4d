//! The world: hosts, the network between them, and one queue of what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::discovery::{Discovery, Lists};
use super::evidence::find_out;
use super::host::{Host, Running};
use super::network::{Conditions, Network, chance};
use crate::detector::bits::Bits;
use crate::detector::event::Event;
use crate::detector::evidence::{Evidence, Question};
use crate::detector::settings::{Member, ModePolicy, Settings, Timing};
use crate::detector::time::Now;
use crate::detector::{Detector, Input, Listing, LocalFault, Output};
use crate::identity::Sequence;
use crate::wire::{Datagram, GoodbyeReason};

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

/// What happens next. Small, so that the queue is fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// The datagram in this slot arrives.
    Arrival(usize),
    /// A host looks at its timers.
    Wake(usize),
    /// A host hears of its discovery.
    Listing(usize),
    /// The answer in this slot arrives.
    Answer(usize),
}

/// A datagram on its way.
struct InFlight {
    from: usize,
    to: usize,
    datagram: Datagram,
}

/// A cluster in virtual time.
pub struct World {
    now: Now,
    hosts: Vec<Host>,
    network: Network,
    random: ChaCha8Rng,
    queue: BinaryHeap<Reverse<(Now, u64, Next)>>,
    order: u64,
    slots: Vec<Option<InFlight>>,
    /// When the last datagram arrived, for each directed pair.
    arrived: Vec<Now>,
    free: Vec<usize>,
    /// Answers on their way, and to whom.
    answers: BTreeMap<usize, (usize, Evidence)>,
    told: Vec<Told>,
    timing: Timing,
    policy: ModePolicy,
    lists: Option<Lists>,
    datagrams: u64,
    questions: u64,
    recorded: Option<Vec<(usize, usize, Datagram)>>,
}

impl World {
    /// A world of `hosts` machines named n000, n001, …, none of which runs an agent yet.
    pub fn new(hosts: usize, timing: Timing, conditions: Conditions, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let _ = random.next_u64();
        Self {
            now: Now::START,
            hosts: (0..hosts).map(|index| Host::new(member(index))).collect(),
            network: Network::new(hosts, conditions),
            random,
            queue: BinaryHeap::new(),
            order: 0,
            slots: Vec::new(),
            arrived: vec![Now::START; hosts * hosts],
            free: Vec::new(),
            answers: BTreeMap::new(),
            told: Vec::new(),
            timing,
            policy: ModePolicy::default(),
            lists: None,
            datagrams: 0,
            questions: 0,
            recorded: None,
        }
    }

    /// A world whose agents all started within one period, each knowing all.
    pub fn started(hosts: usize, timing: Timing, conditions: Conditions, seed: u64) -> Self {
        let mut world = Self::new(hosts, timing, conditions, seed);
        let mut starts: Vec<(Now, usize)> =
            (0..hosts).map(|host| (Now::START + timing.period.mul_f64(world.chance()), host)).collect();
        starts.sort_unstable();
        for (at, host) in starts {
            world.run_until(at);
            world.start(host, false);
        }
        world
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

    /// How many datagrams were sent.
    pub fn datagrams(&self) -> u64 {
        self.datagrams
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

    /// What a side without a majority may do, for agents started from now on.
    pub fn set_policy(&mut self, policy: ModePolicy) {
        self.policy = policy;
    }

    /// Changes loss and delay from now on.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.network.conditions = conditions;
    }

    /// Nothing arrives from `from` at `to` any more.
    pub fn block(&mut self, from: usize, to: usize) {
        self.network.block(from, to);
    }

    /// No datagram of `from` arrives at `to` any more, but everything else does.
    pub fn block_udp(&mut self, from: usize, to: usize) {
        self.network.block_udp(from, to);
    }

    /// Nothing passes from the agent of `from` to that of `to` any more, but between their hosts it does.
    pub fn block_overlay(&mut self, from: usize, to: usize) {
        self.network.block_overlay(from, to);
    }

    /// Datagrams from `from` arrive at `to` again.
    pub fn unblock(&mut self, from: usize, to: usize) {
        self.network.unblock(from, to);
    }

    /// Cuts the network into these sides: nothing passes between two of them.
    pub fn cut(&mut self, sides: &[Vec<usize>]) {
        for (index, side) in sides.iter().enumerate() {
            for other in sides.iter().skip(index + 1) {
                for (&one, &two) in side.iter().flat_map(|one| other.iter().map(move |two| (one, two))) {
                    self.block(one, two);
                    self.block(two, one);
                }
            }
        }
    }

    /// When the last datagram arrived from one side at another.
    pub fn last_crossing(&self, sides: &[Vec<usize>]) -> Now {
        let side_of = |host: usize| sides.iter().position(|side| side.contains(&host));
        let hosts = self.hosts.len();
        let pairs = (0..hosts).flat_map(|from| (0..hosts).map(move |to| (from, to)));
        let across = pairs.filter(|&(from, to)| side_of(from) != side_of(to));
        across.map(|(from, to)| self.arrived[from * hosts + to]).max().unwrap_or_default()
    }

    /// The network is whole again.
    pub fn heal(&mut self) {
        self.network.heal();
    }

    /// Starts the agent of a host, with the state that its last run saved or without any.
    pub fn start(&mut self, host: usize, state: bool) {
        if self.lists.is_some() {
            self.start_unlisted(host, state);
            self.tell_listing(host);
        } else {
            let everybody: Vec<usize> = (0..self.hosts.len()).collect();
            self.start_listing(host, state, &everybody);
        }
    }

    /// As [`Self::start`], but its list names only these hosts.
    pub fn start_listing(&mut self, host: usize, state: bool, listed: &[usize]) {
        self.start_unlisted(host, state);
        let members = listed.iter().map(|&host| self.hosts[host].member.clone()).collect();
        let now = self.now;
        self.hosts[host].discover(Listing::of(members), now);
        self.take_outputs(host);
    }

    /// As [`Self::start`], but its discovery tells it nothing yet.
    pub fn start_unlisted(&mut self, host: usize, state: bool) {
        let node = self.hosts[host].member.clone();
        let settings = Settings { cluster: "test".to_owned(), node, timing: self.timing, mode: self.policy };
        let mut seed = [0; 32];
        self.random.fill_bytes(&mut seed);
        let now = self.now;
        self.hosts[host].start(settings, state, seed, now);
        self.take_outputs(host);
    }

    /// From now on hosts learn by this discovery who belongs; these do. Agents that run hear of it within a period.
    pub fn discover(&mut self, discovery: Discovery, listed: &[usize]) {
        let mut bits = Bits::none(self.hosts.len());
        bits.extend(listed.iter().copied());
        self.lists = Some(Lists::new(discovery, bits, self.now));
        for host in 0..self.hosts.len() {
            let at = self.now + discovery.period.mul_f64(self.chance());
            self.push(at, Next::Listing(host));
        }
    }

    /// The discovery lists a host from now on, or no longer does.
    pub fn list(&mut self, host: usize, listed: bool) {
        if let Some(lists) = &mut self.lists {
            lists.list(host, listed, self.now);
        }
    }

    /// How old the lists are that the hosts get.
    pub fn lag(&mut self, lag: Duration) {
        if let Some(lists) = &mut self.lists {
            lists.lag = lag;
        }
    }

    /// The discovery answers a host no longer, or again.
    pub fn set_discovery_down(&mut self, host: usize, down: bool) {
        if let Some(lists) = &mut self.lists {
            lists.set_down(host, down);
        }
    }

    /// The disk of a host hangs, or works again.
    pub fn hang_disk(&mut self, host: usize, hung: bool) {
        let now = self.now;
        self.hosts[host].hang_disk(hung, now);
        self.take_outputs(host);
    }

    /// An operator tells an agent to forget a host.
    pub fn forget(&mut self, host: usize, forgotten: usize) {
        let (now, name) = (self.now, self.hosts[forgotten].member.name.clone());
        if let Some(detector) = &mut self.hosts[host].detector {
            detector.handle(Input::Forget(name), now);
        }
        self.take_outputs(host);
    }

    /// A host moves to another address: its agent says so from its next start on, and nothing reaches it at the old one.
    pub fn move_host(&mut self, host: usize, to: usize) {
        self.hosts[host].member.address = address(FIRST_MOVED, to);
    }

    /// From its next start on the agent of a host uses the name of another.
    pub fn impersonate(&mut self, host: usize, other: usize) {
        self.hosts[host].member.name = self.hosts[other].member.name.clone();
    }

    fn tell_listing(&mut self, host: usize) {
        let Some(lists) = &self.lists else { return };
        let (discovery, told) = (lists.discovery, lists.told(host, self.now).cloned());
        if let Some(told) = told.filter(|told| !told.is_empty()) {
            let members: Vec<Member> = told.iter().map(|listed| self.hosts[listed].member.clone()).collect();
            let listing = if discovery.names {
                Listing::of(members)
            } else {
                Listing { members: Vec::new(), addresses: members.iter().map(|member| member.address).collect() }
            };
            let now = self.now;
            self.hosts[host].discover(listing, now);
            self.take_outputs(host);
        }
    }

    fn tell_listing_again(&mut self, host: usize) {
        self.tell_listing(host);
        if let Some(lists) = &self.lists {
            let next = self.now + lists.discovery.period;
            self.push(next, Next::Listing(host));
        }
    }

    /// The agent of a host is killed, without a goodbye.
    pub fn kill(&mut self, host: usize) {
        self.hosts[host].kill();
    }

    /// A machine is gone, with all that ran on it.
    pub fn lose(&mut self, host: usize) {
        self.hosts[host].kill();
        self.hosts[host].lost = true;
    }

    /// Whether the agent of a host can ask beside the heartbeat: not where the kernel refuses.
    pub fn let_ask(&mut self, host: usize, can_ask: bool) {
        self.hosts[host].can_ask = can_ask;
    }

    /// The agent of a host is told to stop: it says goodbye and is gone 100 ms later.
    pub fn stop(&mut self, host: usize) {
        let now = self.now;
        if let Some(detector) = &mut self.hosts[host].detector {
            detector.handle(Input::Stop(GoodbyeReason::Stopped), now);
        }
        self.take_outputs(host);
    }

    /// Sets when a host runs.
    pub fn set_running(&mut self, host: usize, running: Running) {
        self.hosts[host].running = running;
        self.wake(host, self.now);
    }

    /// A host does not run for a while.
    pub fn stall(&mut self, host: usize, length: Duration) {
        self.set_running(host, Running::StalledUntil(self.now + length));
    }

    /// The socket of a host is full of other things, or no longer: what arrives is dropped, and counted.
    pub fn flood(&mut self, host: usize, flooded: bool) {
        self.hosts[host].flooded = flooded;
    }

    /// An agent gets a datagram of a version that it cannot read.
    pub fn send_unreadable(&mut self, from: usize, to: usize, sequence: Sequence) {
        let Some(sender) = self.detector(from).map(|detector| (detector.id(), detector.incarnation())) else { return };
        let now = self.now;
        if let Some(detector) = &mut self.hosts[to].detector {
            detector.handle(Input::NewerVersion { sender: sender.0, incarnation: sender.1, sequence }, now);
        }
        self.take_outputs(to);
    }

    /// The wall clock of a host jumps: it shows in the incarnation of its next run.
    pub fn jump_clock(&mut self, host: usize, microseconds: i64) {
        self.hosts[host].wall_offset += microseconds;
    }

    /// Keeps a copy of what is sent from now on: what an eavesdropper records.
    pub fn record(&mut self) {
        self.recorded = Some(Vec::new());
    }

    /// What was recorded: sender, receiver, datagram.
    pub fn recorded(&mut self) -> Vec<(usize, usize, Datagram)> {
        self.recorded.take().unwrap_or_default()
    }

    /// A datagram arrives at a host now, wherever it comes from.
    pub fn inject(&mut self, to: usize, datagram: Datagram) {
        self.hosts[to].arrive(datagram);
        self.run_or_wait(to);
    }

    /// An agent is told of a fault of its own machine.
    pub fn fault(&mut self, host: usize, fault: LocalFault) {
        let now = self.now;
        if let Some(detector) = &mut self.hosts[host].detector {
            detector.handle(Input::LocalFault(fault), now);
        }
        self.take_outputs(host);
    }

    /// Lets virtual time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets virtual time pass until `end`.
    pub fn run_until(&mut self, end: Now) {
        while let Some(&Reverse((at, _, next))) = self.queue.peek() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.now = at;
            match next {
                Next::Arrival(slot) => self.arrive(slot),
                Next::Wake(host) => self.woken(host),
                Next::Listing(host) => self.tell_listing_again(host),
                Next::Answer(slot) => self.answered(slot),
            }
        }
        self.now = end;
    }

    fn arrive(&mut self, slot: usize) {
        let Some(InFlight { from, to, datagram }) = self.slots[slot].take() else { return };
        self.free.push(slot);
        let pair = from * self.hosts.len() + to;
        self.arrived[pair] = self.now;
        self.hosts[to].arrive(datagram);
        self.run_or_wait(to);
    }

    fn answered(&mut self, slot: usize) {
        let Some((host, evidence)) = self.answers.remove(&slot) else { return };
        self.hosts[host].learn(evidence);
        self.run_or_wait(host);
    }

    /// Finds out what an agent asks for, as it is now.
    fn ask(&mut self, host: usize, question: Question) {
        self.questions += 1;
        let Some(to) = self.host_with(question.host) else { return };
        let reached = self.network.reach(host, to);
        let (evidence, at) =
            find_out(question, &self.hosts[host], &self.hosts[to], reached, self.timing.confirm_period, self.now);
        let slot = self.answers.last_key_value().map_or(0, |(last, _)| last + 1);
        self.answers.insert(slot, (host, evidence));
        self.push(at, Next::Answer(slot));
    }

    fn woken(&mut self, host: usize) {
        if self.hosts[host].wake.is_some_and(|wake| wake <= self.now) {
            self.hosts[host].wake = None;
            self.run_or_wait(host);
        }
    }

    /// Runs a host now if it runs at all, else when it does.
    fn run_or_wait(&mut self, host: usize) {
        let runs = self.hosts[host].running.next(self.now);
        if runs > self.now {
            return self.wake(host, runs);
        }
        let now = self.now;
        self.hosts[host].run(now);
        self.take_outputs(host);
    }

    fn wake(&mut self, host: usize, at: Now) {
        if self.hosts[host].wake.is_none_or(|wake| at < wake) {
            self.hosts[host].wake = Some(at);
            self.push(at, Next::Wake(host));
        }
    }

    fn push(&mut self, at: Now, next: Next) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, next)));
    }

    fn take_outputs(&mut self, host: usize) {
        while let Some(output) = self.hosts[host].output(self.now) {
            match output {
                Output::Transmit { to, datagram } => self.transmit(host, to, datagram),
                Output::Event(event) => self.told.push(Told { at: self.now, host, event }),
                Output::Stopped => self.kill(host),
                Output::Ask(question) => self.ask(host, question),
                Output::Save(..) | Output::View => {}
            }
        }
        if let Some(due) = self.hosts[host].due() {
            let runs = self.hosts[host].running.next(due.max(self.now));
            self.wake(host, runs);
        }
    }

    fn transmit(&mut self, from: usize, to: SocketAddr, datagram: Datagram) {
        self.datagrams += 1;
        let Some(to) = self.host_with(to.ip()) else { return };
        if let Some(recorded) = &mut self.recorded {
            recorded.push((from, to, datagram.clone()));
        }
        let [once, twice] = self.network.carry(from, to, self.now, &mut self.random);
        if let Some(at) = twice {
            self.deliver(at, InFlight { from, to, datagram: datagram.clone() });
        }
        if let Some(at) = once {
            self.deliver(at, InFlight { from, to, datagram });
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

fn member(index: usize) -> Member {
    Member { http_port: Some(7476), ..Member::new(format!("n{index:03}"), "", address(FIRST, index)) }
}

fn address(first: u32, index: usize) -> SocketAddr {
    let ip = Ipv4Addr::from(first + u32::try_from(index).unwrap_or_default());
    SocketAddr::from((ip, 7475))
}
