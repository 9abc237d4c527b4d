//! One real detector in virtual time among peers that are played: as many as a test wants, at the cost of one agent.
//! For what is about the size of a cluster; what is about agents among each other is for `netsplit::simulation`.
//!
//! The peers answer challenges and polls, hold the detector's row, and have a row of their own. In benches/:
//! `#[path = "../tests/crowd/mod.rs"] mod crowd;`.

#![allow(dead_code, unreachable_pub, reason = "tests and benches share this, and each uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test or bench that cannot go on fails")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use netsplit::detector::row::{Cell, Cells};
use netsplit::detector::saved::Saved;
use netsplit::detector::settings::{Member, ModePolicy, Settings, Timing};
use netsplit::detector::time::Now;
use netsplit::detector::view::View;
use netsplit::detector::{Detector, Input, Listing, Output};
use netsplit::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};
use netsplit::wire::{Block, Datagram, Echo, Flags, Hearing, Kind, RowBlock, sealed_size};

const CLUSTER: &str = "crowd";

/// How long a datagram is on its way.
const WAY: Duration = Duration::from_micros(200);

/// Runs are numbered by the time of day.
const INCARNATION: Incarnation = Incarnation(1_763_726_400_000_000);

/// The first address: that of the detector.
const FIRST: u32 = u32::from_be_bytes([10, 0, 0, 0]);

/// One detector among many.
pub struct Crowd {
    detector: Detector,
    timing: Timing,
    now: Now,
    peers: Vec<Played>,
    roster: Digest,
    rows: Rows,
    queue: BTreeMap<(Now, usize), (usize, Moved)>,
    order: usize,
}

/// A peer that is played.
struct Played {
    id: NodeId,
    address: SocketAddr,
    is_silent: bool,
    sequence: u32,
    /// The digest of the detector's row, once it came.
    held: Digest,
    /// The newest number of the detector, and when it came.
    newest: (Sequence, Now),
    /// Which row of its own the detector holds.
    row_held: Digest,
    /// The electorate is that which the detector founds.
    electorate: Digest,
}

/// The row that all who are heard have.
struct Rows {
    block: Arc<RowBlock>,
    version: RowVersion,
}

/// What a peer does next.
enum Moved {
    Heartbeat,
    Answer(Vec<Block>),
    ShowRow,
}

/// What a cluster of thousands runs with. Nobody is polled and rows go with the heartbeats: with as many peers a detector
/// that waits for one cut would be busy for minutes, and what it knows in the end is the same.
pub fn large() -> Timing {
    Timing { polls_per_window: 0, ..Timing::of_period(Duration::from_secs(20)) }
}

impl Crowd {
    /// A detector and `peers` others in `zones` zones, all of whom it hears since two detection bounds.
    pub fn gathered(peers: usize, zones: usize, timing: Timing) -> Self {
        let mut crowd = Self::started(peers, zones, timing);
        crowd.run_for(timing.detection_bound() * 2);
        crowd
    }

    /// The same at its very start: it has heard nobody.
    pub fn started(peers: usize, zones: usize, timing: Timing) -> Self {
        let members: Vec<Member> = (0..=peers).map(|index| member(index, zones)).collect();
        let mut ids: Vec<NodeId> = members.iter().map(|member| NodeId::of(CLUSTER, &member.name)).collect();
        let played = |(member, &id): (&Member, &NodeId)| Played {
            id,
            address: member.address,
            is_silent: false,
            sequence: 0,
            held: Digest::NONE,
            newest: (Sequence::default(), Now::START),
            row_held: Digest::NONE,
            electorate: Digest::NONE,
        };
        let played: Vec<Played> = members.iter().zip(&ids).skip(1).map(played).collect();
        ids.sort();
        let roster = Digest::of_ids(ids.iter().copied());
        let mut cells = Cells::absent(ids.len());
        (0..ids.len()).for_each(|place| cells.set(place, Cell::Up));
        let rows = Rows { block: Arc::new(RowBlock { version: RowVersion(1), roster, cells }), version: RowVersion(1) };
        let settings = Settings {
            cluster: CLUSTER.to_owned(),
            node: members[0].clone(),
            timing: timing.into(),
            mode: ModePolicy::default(),
            endpoints: Vec::new(),
        };
        let mut detector = Detector::new(settings, Saved::default(), INCARNATION, [7; 32], Now::START);
        detector.handle(Input::Listing(Listing::of(members)), Now::START);
        let mut crowd =
            Self { detector, timing, now: Now::START, peers: played, roster, rows, queue: BTreeMap::new(), order: 0 };
        for peer in 0..peers {
            let phase = timing.period.mul_f64(peer as f64 / peers as f64);
            crowd.plan(Now::START + phase, peer, Moved::Heartbeat);
        }
        crowd.take_outputs();
        crowd
    }

    /// From now on these are silent. One detection bound later the rows of the others show it, and after two more that
    /// and the settling are over.
    pub fn cut_off(&mut self, is_silent: impl Fn(usize) -> bool) {
        for (index, peer) in self.peers.iter_mut().enumerate() {
            peer.is_silent = is_silent(index);
        }
        self.run_for(self.timing.detection_bound());
        self.show_rows();
        self.run_for(self.timing.detection_bound() * 2);
    }

    /// Everybody is there again, and says so in its row.
    pub fn heal(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.is_silent = false);
        self.show_rows();
    }

    /// Lets virtual time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let moved = self.queue.first_key_value().map(|(&(at, _), _)| at);
            let due = self.detector.poll_timeout();
            let Some(next) = [moved, due].into_iter().flatten().min().filter(|&next| next <= end) else { break };
            self.now = self.now.max(next);
            if moved == Some(next) {
                let (_, (peer, what)) = self.queue.pop_first().unwrap();
                self.play(peer, what);
            } else {
                self.detector.handle_timeout(self.now);
            }
            self.take_outputs();
        }
        self.now = end;
    }

    /// What the detector is told beside its datagrams.
    pub fn tell(&mut self, input: Input) {
        self.detector.handle(input, self.now);
        self.take_outputs();
    }

    /// What the detector knows now.
    pub fn view(&self) -> Arc<View> {
        self.detector.view(self.now)
    }

    /// Virtual time.
    pub fn now(&self) -> Now {
        self.now
    }

    fn plan(&mut self, at: Now, peer: usize, what: Moved) {
        self.order += 1;
        self.queue.insert((at, self.order), (peer, what));
    }

    /// Everybody who is heard has a new row, in which the silent ones are down, and shows it within a confirm period.
    fn show_rows(&mut self) {
        let mut block = RowBlock::clone(&self.rows.block);
        let mut ids: Vec<NodeId> = self.peers.iter().map(|peer| peer.id).collect();
        ids.push(self.detector.id());
        ids.sort();
        for peer in &self.peers {
            let cell = if peer.is_silent { Cell::Down } else { Cell::Up };
            block.cells.set(ids.binary_search(&peer.id).unwrap(), cell);
        }
        block.version = RowVersion(self.rows.version.0 + 1);
        self.rows = Rows { version: block.version, block: Arc::new(block) };
        let each = self.timing.confirm_period / u32::try_from(self.peers.len()).unwrap();
        for peer in 0..self.peers.len() {
            self.plan(self.now + each * u32::try_from(peer).unwrap(), peer, Moved::ShowRow);
        }
    }

    fn play(&mut self, peer: usize, what: Moved) {
        let last = matches!(what, Moved::Answer(_));
        let blocks = match what {
            Moved::Heartbeat => {
                self.plan(self.now + self.timing.period * 7 / 8, peer, Moved::Heartbeat);
                Vec::new()
            }
            Moved::Answer(blocks) => blocks,
            Moved::ShowRow => Vec::new(),
        };
        if !self.peers[peer].is_silent {
            self.send(peer, Flags { last, ..Flags::default() }, blocks);
        }
    }

    fn send(&mut self, index: usize, flags: Flags, blocks: Vec<Block>) {
        let (from, datagram) = self.write(index, flags, blocks);
        let size = sealed_size(&datagram);
        self.detector.handle(Input::Datagram { datagram, from, size }, self.now);
    }

    /// The next heartbeat of a peer, which is not sent, and where it would come from.
    pub fn next_heartbeat(&mut self, peer: usize) -> (SocketAddr, Datagram) {
        self.write(peer, Flags::default(), Vec::new())
    }

    /// The detector, for whoever hands it things himself. What it wants done is his matter, too: see [`Self::receive`].
    pub fn detector(&mut self) -> &mut Detector {
        &mut self.detector
    }

    /// It is so much later, and nobody did anything meanwhile.
    pub fn pass(&mut self, time: Duration) -> Now {
        self.now = self.now + time;
        self.now
    }

    fn write(&mut self, index: usize, flags: Flags, mut blocks: Vec<Block>) -> (SocketAddr, Datagram) {
        let sent = self.now - WAY;
        let peer = &mut self.peers[index];
        let (version, roster) = (self.rows.version, self.roster);
        let row_digest = self.rows.block.cells.digest(peer.id, INCARNATION, version, roster);
        let is_acquainted = peer.newest.0 != Sequence::default();
        if is_acquainted && peer.row_held != row_digest {
            blocks.push(Block::Row(Arc::clone(&self.rows.block)));
        }
        peer.sequence += 1;
        let datagram = Datagram {
            kind: Kind::Heartbeat,
            flags: Flags { hearing: if is_acquainted { Hearing::Heard } else { Hearing::Unknown }, ..flags },
            sender: peer.id,
            receiver: self.detector.id(),
            incarnation: INCARNATION,
            sequence: Sequence(peer.sequence),
            pace: self.timing.period,
            echo: Echo { sequence: peer.newest.0, delay: sent.since(peer.newest.1) },
            row_version: version,
            row_digest,
            held_digest: peer.held,
            roster_digest: roster,
            electorate_digest: peer.electorate,
            epoch: Epoch(0),
            blocks,
        };
        (peer.address, datagram)
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.detector.poll_output() {
            match output {
                Output::Transmit { to, datagram } => self.receive(to, &datagram),
                Output::Save(serial, _) => self.detector.handle(Input::Saved(serial), self.now),
                Output::Ask(_)
                | Output::Probe(_)
                | Output::Event(_)
                | Output::List { .. }
                | Output::View
                | Output::Stopped => {}
            }
        }
    }

    /// What the detector sent arrives.
    pub fn receive(&mut self, to: SocketAddr, datagram: &Datagram) {
        let index = index_of(to);
        let peer = &mut self.peers[index];
        if peer.is_silent {
            return;
        }
        peer.newest = (datagram.sequence, self.now + WAY);
        peer.row_held = datagram.held_digest;
        peer.electorate = datagram.electorate_digest;
        let mut blocks = Vec::new();
        for block in &datagram.blocks {
            match block {
                Block::Row(_) => peer.held = datagram.row_digest,
                Block::Challenge(nonce) => blocks.push(Block::Answer(*nonce)),
                _ => {}
            }
        }
        if datagram.flags.poll || datagram.kind == Kind::Hello {
            self.plan(self.now + WAY * 2, index, Moved::Answer(blocks));
        }
    }
}

/// The detector is node-0000, peer 0 is node-0001.
fn member(index: usize, zones: usize) -> Member {
    let address = Ipv4Addr::from(FIRST + u32::try_from(index).unwrap());
    Member::new(format!("node-{index:04}"), format!("zone-{:02}", index % zones), (address, 7475).into())
}

fn index_of(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { return 0 };
    usize::try_from(u32::from(*address.ip()) - FIRST - 1).unwrap()
}
