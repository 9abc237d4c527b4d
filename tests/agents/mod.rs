//! Agents as they run, for tests: real sockets on loopback, real time. A test waits for what must come to be, and for
//! nothing that must come soon.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use netsplit::agent::{Agent, AgentHandle, Record, Setup};
use netsplit::clock::Clock;
use netsplit::detector::event::Event;
use netsplit::detector::mode::Mode;
use netsplit::detector::settings::{Member, ModePolicy, Settings, Timing};
use netsplit::detector::view::View;
use netsplit::discovery::Discovery;
use netsplit::network::{SourcePorts, UdpNetwork};
use netsplit::state::Memory;
use netsplit::wire::{Key, Keys};
use tokio::task::{JoinHandle, LocalSet};

pub(crate) const CLUSTER: &str = "test";

/// An agent that runs.
pub(crate) struct Running {
    pub(crate) member: Member,
    pub(crate) handle: AgentHandle,
    pub(crate) task: JoinHandle<()>,
    pub(crate) records: Rc<RefCell<Vec<Record>>>,
}

impl Running {
    /// Starts the agent of a node among these. Within a `LocalSet`.
    pub(crate) fn start(
        network: UdpNetwork,
        node: &Member,
        roster: &[Member],
        keys: &Keys,
        memory: Memory,
        clock: Clock,
    ) -> Self {
        let discovery = Discovery::fixed(roster.to_vec(), clock);
        Self::start_discovering(network, node, discovery, keys, memory, clock)
    }

    /// Starts the agent of a node that finds the others like this. Within a `LocalSet`.
    pub(crate) fn start_discovering(
        network: UdpNetwork,
        node: &Member,
        discovery: Discovery,
        keys: &Keys,
        memory: Memory,
        clock: Clock,
    ) -> Self {
        let settings = settings(node);
        let records = Rc::new(RefCell::new(Vec::new()));
        let written = Rc::clone(&records);
        let setup = Setup { settings, discovery, keys: keys.clone(), memory, prober: None };
        let (agent, handle) =
            Agent::new(setup, network, clock, move |record| written.borrow_mut().push(record)).unwrap();
        Self { member: node.clone(), handle, task: tokio::task::spawn_local(agent.run()), records }
    }

    pub(crate) fn has_told(&self, is_it: impl Fn(&Event) -> bool) -> bool {
        self.records.borrow().iter().any(|record| record.decision().is_some_and(&is_it))
    }

    pub(crate) fn sees(&self, is_so: impl Fn(&View) -> bool) -> bool {
        is_so(&self.handle.view().borrow())
    }

    pub(crate) fn is_normal(&self) -> bool {
        self.sees(|view| view.mode == Mode::Normal)
    }

    pub(crate) fn refused(&self, reason: &str) -> u64 {
        self.handle.counters().refused().find(|(name, _)| *name == reason).unwrap().1
    }
}

/// What its detector is told.
pub(crate) fn settings(node: &Member) -> Settings {
    let timing = Timing::of_period(Duration::from_secs(1));
    Settings {
        cluster: CLUSTER.to_owned(),
        node: node.clone(),
        timing: timing.into(),
        mode: ModePolicy::default(),
        endpoints: Vec::new(),
    }
}

/// A socket on loopback; port 0 is any.
pub(crate) fn bind(port: u16) -> UdpNetwork {
    UdpNetwork::bind((Ipv4Addr::LOCALHOST, port).into(), SourcePorts::default()).unwrap()
}

/// node-1 and on, one for each socket.
pub(crate) fn members(networks: &[UdpNetwork]) -> Vec<Member> {
    let address = |network: &UdpNetwork| -> SocketAddr { network.local_address() };
    (1..).zip(networks).map(|(number, network)| Member::new(format!("node-{number}"), "", address(network))).collect()
}

/// Starts one agent for each set of keys.
pub(crate) fn start(keys: &[Keys]) -> Vec<Running> {
    let networks: Vec<UdpNetwork> = keys.iter().map(|_| bind(0)).collect();
    let roster = members(&networks);
    let each = roster.iter().zip(networks).zip(keys);
    each.map(|((node, network), keys)| Running::start(network, node, &roster, keys, Memory::default(), Clock::start()))
        .collect()
}

/// Keys made of these numbers, oldest first.
pub(crate) fn keys(seeds: &[u8]) -> Keys {
    Keys::oldest_first(seeds.iter().map(|&seed| Key::new(&[seed; 32])).collect()).unwrap()
}

pub(crate) fn all_normal(agents: &[Running]) -> bool {
    agents.iter().all(Running::is_normal)
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[track_caller]
pub(crate) fn until(what: &'static str, is_so: impl Fn() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        for _ in 0..6000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{place}: waited a minute for this: {what}");
    }
}
