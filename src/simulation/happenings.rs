//! What may happen to a world: to its network, its machines, its agents, its discovery.

use std::time::Duration;

use super::discovery::{Discovery, Lists};
use super::host::Running;
use super::network::Conditions;
use super::world::{Next, World, moved_address};
use crate::detector::bits::Bits;
use crate::detector::settings::{ConfiguredTiming, EndpointSettings, Member, ModePolicy, Settings};
use crate::detector::{Input, Listing, LocalFault};
use crate::identity::Sequence;
use crate::wire::{Datagram, GoodbyeReason, sealed_size};
use rand_chacha::rand_core::Rng;

impl World {
    /// What a side without a majority may do, for agents started from now on.
    pub fn set_policy(&mut self, policy: ModePolicy) {
        self.policy = policy;
    }

    /// An operator gives the agent of a host another timing. Agents started from now on have that of the beginning.
    pub fn change_timing(&mut self, host: usize, timing: impl Into<ConfiguredTiming>) {
        let (now, timing) = (self.now, timing.into());
        if let Some(detector) = &mut self.hosts[host].detector {
            let settings = Settings { timing, ..detector.settings().clone() };
            detector.handle(Input::Settings(Box::new(settings)), now);
        }
        self.take_outputs(host);
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
        let settings = Settings {
            cluster: "test".to_owned(),
            node,
            timing: self.timing,
            mode: self.policy,
            endpoints: self.services.settings(),
        };
        let mut seed = [0; 32];
        self.random.fill_bytes(&mut seed);
        let now = self.now;
        self.hosts[host].start(settings, state, seed, now);
        self.take_outputs(host);
    }

    /// From now on an agent probes these endpoints.
    pub fn change_endpoints(&mut self, host: usize, endpoints: &[EndpointSettings]) {
        let now = self.now;
        if let Some(detector) = &mut self.hosts[host].detector {
            let settings = Settings { endpoints: endpoints.to_vec(), ..detector.settings().clone() };
            detector.handle(Input::Settings(Box::new(settings)), now);
        }
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

    /// The lists say that the agent of a host is being ended, or no longer do.
    pub fn set_leaving(&mut self, host: usize, leaving: bool) {
        if let Some(lists) = &mut self.lists {
            lists.set_leaving(host, leaving);
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
        self.hosts[host].member.address = moved_address(to);
    }

    /// From its next start on the agent of a host uses the name of another.
    pub fn impersonate(&mut self, host: usize, other: usize) {
        self.hosts[host].member.name = self.hosts[other].member.name.clone();
    }

    pub(super) fn tell_listing(&mut self, host: usize) {
        let Some(lists) = &self.lists else { return };
        let (discovery, told) = (lists.discovery, lists.told(host, self.now).cloned());
        if let Some(told) = told.filter(|told| !told.is_empty()) {
            let members: Vec<Member> = told.iter().map(|listed| self.hosts[listed].member.clone()).collect();
            let leaving = lists.leaving().iter().map(|leaving| self.hosts[leaving].member.name.clone()).collect();
            let listing = if discovery.names {
                Listing { leaving, ..Listing::of(members) }
            } else {
                Listing::of_addresses(members.iter().map(|member| member.address).collect())
            };
            let now = self.now;
            self.hosts[host].discover(listing, now);
            self.take_outputs(host);
        }
    }

    pub(super) fn tell_listing_again(&mut self, host: usize) {
        self.tell_listing(host);
        if let Some(lists) = &self.lists {
            let next = self.now + lists.discovery.period;
            self.push(next, Next::Listing(host));
        }
    }

    pub(super) fn ask_for_list(&mut self, host: usize, within: Duration) {
        if self.lists.is_some() {
            let at = self.now + within.mul_f64(self.chance());
            self.push(at, Next::ListingAsked(host));
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
        let size = sealed_size(&datagram);
        self.hosts[to].arrive(datagram, size);
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
}
