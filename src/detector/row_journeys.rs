//! Rows that take several datagrams, on their way between two agents of a roster of 5,000.

use std::net::SocketAddr;
use std::time::Duration;

use super::saved::Saved;
use super::settings::{ConfiguredTiming, Member, ModePolicy, Settings};
use super::time::Now;
use super::{Detector, Input, Listing, Output};
use crate::identity::Incarnation;
use crate::wire::{Block, Datagram, GoodbyeReason, MAX_DATAGRAM, sealed_size};

/// Two agents of a roster of which nobody else runs.
struct Pair {
    agents: [Detector; 2],
    now: Now,
    /// How many of the next parts of rows are lost.
    to_lose: usize,
    /// How many were sent.
    parts: usize,
    /// The largest datagram without a block, and with any.
    sizes: [usize; 2],
}

fn member(number: u16) -> Member {
    let [high, low] = number.to_be_bytes();
    Member::new(format!("n{number}"), "", SocketAddr::from(([10, 0, high, low], 7475)))
}

fn agent(number: u16, nodes: u16) -> Detector {
    let timing =
        ConfiguredTiming { max_heartbeats_per_second: None, ..ConfiguredTiming::of_period(Duration::from_secs(1)) };
    let settings = Settings {
        cluster: "c".into(),
        node: member(number),
        timing,
        mode: ModePolicy::default(),
        endpoints: Vec::new(),
    };
    let mut agent = Detector::new(settings, Saved::default(), Incarnation(9), [7; 32], Now::START);
    agent.handle(Input::Listing(Listing::of((0..nodes).map(member).collect())), Now::START);
    agent
}

impl Pair {
    fn among(nodes: u16) -> Self {
        let agents = [0, 1].map(|number| agent(number, nodes));
        Self { agents, now: Now::START, to_lose: 0, parts: 0, sizes: [0; 2] }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.agents.iter().filter_map(Detector::poll_timeout).min().filter(|&due| due <= end) {
            self.now = due.max(self.now);
            for agent in &mut self.agents {
                if agent.poll_timeout().is_some_and(|due| due <= self.now) {
                    agent.handle_timeout(self.now);
                }
            }
            while self.carry(0) | self.carry(1) {}
        }
        self.now = end;
    }

    /// Delivers what one sent to the other. True if there was anything.
    fn carry(&mut self, from: usize) -> bool {
        let receiver = self.agents[1 - from].id();
        let mut carried = false;
        while let Some(output) = self.agents[from].poll_output() {
            let Output::Transmit { datagram, .. } = output else { continue };
            if datagram.receiver != receiver || self.loses(&datagram) {
                continue;
            }
            let size = sealed_size(&datagram);
            let largest = &mut self.sizes[usize::from(!datagram.blocks.is_empty())];
            *largest = size.max(*largest);
            let address = member(u16::try_from(from).unwrap()).address;
            self.agents[1 - from].handle(Input::Datagram { datagram, from: address, size }, self.now);
            carried = true;
        }
        carried
    }

    fn loses(&mut self, datagram: &Datagram) -> bool {
        let is_part = datagram.blocks.iter().any(|block| matches!(block, Block::RowPart(_)));
        self.parts += usize::from(is_part);
        let lost = is_part && self.to_lose > 0;
        self.to_lose -= usize::from(lost);
        lost
    }

    /// Whether each holds the row of the other as it is.
    fn agree(&self) -> bool {
        (0..2).all(|one| {
            let (agent, other) = (&self.agents[one], &self.agents[1 - one]);
            let place = agent.place_of(other.id()).unwrap();
            agent.peers[place].row().is_some_and(|row| row.cells == other.row.held.cells)
        })
    }

    /// Each learns of a node that it had no word of, as from a row of somebody else: the row changes.
    fn change_rows(&mut self) {
        for agent in &mut self.agents {
            let place = (0..agent.peers.len()).rfind(|&place| !agent.peers[place].link.is_known()).unwrap();
            let timing = agent.timing;
            agent.peers[place].link.learn_known(self.now, &timing);
            agent.hasten_turn(place);
            agent.row.touch();
        }
    }
}

#[test]
fn a_row_of_5000_nodes_arrives_and_is_acknowledged() {
    let mut pair = Pair::among(5_000);
    pair.run_for(Duration::from_secs(6));
    assert!(pair.agree());
    assert_eq!(pair.sizes[0], 96, "a healthy heartbeat");
    assert!(pair.sizes[1] <= MAX_DATAGRAM, "{} bytes", pair.sizes[1]);
    let sent = pair.parts;
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.parts, sent, "what is acknowledged is not sent again");
}

#[test]
fn a_lost_part_comes_again_within_half_a_window() {
    let mut pair = Pair::among(5_000);
    pair.run_for(Duration::from_secs(6));
    pair.change_rows();
    (pair.parts, pair.to_lose) = (0, 3);
    pair.run_for(Duration::from_millis(100));
    assert_eq!((pair.parts, pair.agree()), (4, false), "two rows of two parts, of which one part came");
    pair.run_for(Duration::from_millis(250));
    assert!(pair.agree());
}

#[test]
fn what_is_half_there_goes_with_its_owner() {
    let mut pair = Pair::among(5_000);
    pair.run_for(Duration::from_secs(6));
    pair.change_rows();
    pair.to_lose = 1;
    pair.run_for(Duration::from_millis(100));
    let is_half = |agent: &Detector| agent.peers.iter().any(|peer| peer.row_under_way.is_some());
    let holder = pair.agents.iter().position(is_half).unwrap();
    let (owner, now) = (1 - holder, pair.now);
    pair.agents[owner].handle(Input::Stop(GoodbyeReason::Stopped), now);
    while pair.carry(owner) {}
    assert!(!is_half(&pair.agents[holder]));
}
