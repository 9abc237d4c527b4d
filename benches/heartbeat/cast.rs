//! The peers, all played by one thread: a socket for each, on an address of its own.
//!
//! To the agent they are peers as it wants them: they answer its challenge and its polls, say that they hear it, hold
//! its row, and have a row of their own that shows everybody up. To the bare loop they send as many bytes.

#![allow(dead_code, reason = "two benches share this, and each uses its own part")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::row::{Cell, Cells};
use netsplit::detector::settings::Timing;
use netsplit::detector::time::Now;
use netsplit::hlc::HybridClock;
use netsplit::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};
use netsplit::wire::{self, Block, Datagram, Echo, Flags, Hearing, Keys, Kind, RowBlock, RowPart};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::child::Role;
use crate::cluster::{self, Cap};

/// How the rows of the peers change once half of them are silent, and when in bounds after it: late ones first, then
/// those that are down, some in one version and all in the next.
const VERSIONS: [(f64, Cell, usize); 4] =
    [(0.6, Cell::Late, 4), (0.7, Cell::Late, 1), (0.9, Cell::Down, 4), (1.0, Cell::Down, 1)];

/// A row goes out again after half a confirm period, until it is held.
const PATIENCE: u32 = 2;

/// The sockets of the peers, before it is known with whom they speak.
pub struct Sockets(Vec<UdpSocket>);

impl Sockets {
    /// One for each peer, on 127.1.x.y as a cluster has a machine for each.
    pub fn bind(count: usize) -> Self {
        let bind = |index: usize| {
            let [.., high, low] = u32::try_from(index + 1).unwrap().to_be_bytes();
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 1, high, low), 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Self((0..count).map(bind).collect())
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|socket| socket.local_addr().unwrap()).collect()
    }
}

/// What the peers sent and received.
#[derive(Debug, Default)]
pub struct Traffic {
    pub sent: AtomicU64,
    pub received: AtomicU64,
}

/// The peers at play.
pub struct Playing {
    pub traffic: Arc<Traffic>,
    stop: Arc<AtomicBool>,
    cut: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Playing {
    /// Starts to play the peers of a child that listens at `to`.
    pub fn start(sockets: Sockets, role: Role, cap: Cap, to: SocketAddr) -> Self {
        let (traffic, stop) = (Arc::new(Traffic::default()), Arc::new(AtomicBool::new(false)));
        let cut = Arc::new(AtomicBool::new(false));
        let (counted, stopped, is_cut) = (Arc::clone(&traffic), Arc::clone(&stop), Arc::clone(&cut));
        let thread = thread::spawn(move || Stage::set(sockets, role, cap, to, counted).play(&stopped, &is_cut));
        Self { traffic, stop, cut, thread }
    }

    /// From now on every other peer is cut off.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// What one peer remembers.
struct Peer {
    socket: UdpSocket,
    id: NodeId,
    sequence: u32,
    /// Which of the rows it has now, and the digest of that.
    shown: usize,
    row: Digest,
    row_sent: Option<Now>,
    /// The digest of the agent's row, once it came.
    held: Digest,
    /// The newest number of the agent, and when it came.
    newest: (Sequence, Now),
    /// Whether the agent holds this peer's row.
    is_held: bool,
    /// The electorate of the agent, once it was told.
    electorate: Digest,
}

/// What a peer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Heartbeat,
    /// Its row is the next one.
    Row,
    /// The row, which is still this one of its rows, goes out again, unless it is held.
    RowAgain(usize),
}

/// Who does what when: as peers do it, each with jitter of its own. Without it the peers would fall into step with the bare
/// loop, and one waking would do for what came and what went.
struct Schedule {
    times: BinaryHeap<Reverse<(Duration, usize, Due)>>,
    grid: Vec<Duration>,
    period: Duration,
    random: ChaCha8Rng,
}

impl Schedule {
    fn new(peers: usize, period: Duration) -> Self {
        let step = period / 8 * 7 / u32::try_from(peers).unwrap();
        let grid: Vec<_> = (0..peers).map(|peer| step * u32::try_from(peer).unwrap()).collect();
        let times = grid.iter().enumerate().map(|(peer, &time)| Reverse((time, peer, Due::Heartbeat))).collect();
        Self { times, grid, period, random: ChaCha8Rng::seed_from_u64(1) }
    }

    fn next(&self) -> Duration {
        self.times.peek().unwrap().0.0
    }

    fn add(&mut self, at: Duration, peer: usize, due: Due) {
        self.times.push(Reverse((at, peer, due)));
    }

    /// Somebody who is due, and from now on not until his next time.
    fn next_due(&mut self, now: Duration) -> Option<(usize, Due)> {
        let Reverse((_, peer, due)) = self.times.peek().filter(|next| next.0.0 <= now).copied()?;
        self.times.pop();
        if due == Due::Heartbeat {
            self.grid[peer] += self.period / 8 * 7;
            let jitter = (self.period / 8).mul_f64(self.jitter());
            self.add(self.grid[peer] + jitter, peer, Due::Heartbeat);
        }
        Some((peer, due))
    }

    fn jitter(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }
}

struct Stage {
    peers: Vec<Peer>,
    role: Role,
    timing: Timing,
    to: SocketAddr,
    agent: NodeId,
    roster: Digest,
    /// The rows that all who are heard have, one after the other.
    rows: Vec<ShownRow>,
    schedule: Schedule,
    is_cut: bool,
    incarnation: Incarnation,
    keys: Keys,
    clock: Clock,
    hybrid: HybridClock,
    buffer: Vec<u8>,
    traffic: Arc<Traffic>,
}

/// How many cells one datagram carries, as agents take rows apart.
const CELLS_IN_A_PART: usize = 2_816;

/// A row, and the blocks that carry it, each in a datagram of its own.
struct ShownRow {
    whole: RowBlock,
    blocks: Vec<Block>,
}

impl ShownRow {
    fn of(whole: RowBlock) -> Self {
        let total = whole.cells.len();
        if total <= CELLS_IN_A_PART {
            return Self { blocks: vec![Block::Row(Arc::new(whole.clone()))], whole };
        }
        let part = |from: usize| {
            let len = (total - from).min(CELLS_IN_A_PART);
            let words = from / 64..(from + len).div_ceil(64);
            let planes = whole.cells.planes().each_ref().map(|plane| plane[words.clone()].to_vec());
            Block::RowPart(Arc::new(RowPart {
                version: whole.version,
                roster: whole.roster,
                total: total.try_into().unwrap(),
                from: from.try_into().unwrap(),
                cells: Cells::from_planes(planes, len),
            }))
        };
        Self { blocks: (0..total).step_by(CELLS_IN_A_PART).map(part).collect(), whole }
    }
}

/// Whether a peer is silent once there is a cut.
fn is_cut_off(peer: usize) -> bool {
    peer % 2 == 1
}

/// The rows of a cluster half of which falls silent: everybody is up, and then as in [`VERSIONS`].
fn rows(ids: &[NodeId], peers: &[NodeId], roster: Digest) -> Vec<ShownRow> {
    let mut cells = Cells::absent(ids.len());
    (0..ids.len()).for_each(|place| cells.set(place, Cell::Up));
    let mut rows = vec![ShownRow::of(RowBlock { version: RowVersion(1), roster, cells: cells.clone() })];
    for (version, (_, cell, share)) in (2..).zip(VERSIONS) {
        let silent = peers.iter().enumerate().filter(|&(index, _)| is_cut_off(index));
        for (_, id) in silent.step_by(share) {
            cells.set(ids.binary_search(id).unwrap(), cell);
        }
        rows.push(ShownRow::of(RowBlock { version: RowVersion(version), roster, cells: cells.clone() }));
    }
    rows
}

impl Stage {
    fn set(sockets: Sockets, role: Role, cap: Cap, to: SocketAddr, traffic: Arc<Traffic>) -> Self {
        let clock = Clock::start();
        let incarnation = Incarnation(u64::try_from(clock.wall().as_micros()).unwrap());
        let addresses = sockets.addresses();
        let mut members: Vec<_> =
            addresses.iter().enumerate().map(|(index, &address)| cluster::peer(index, address)).collect();
        members.push(cluster::agent(to));
        let mut ids: Vec<NodeId> = members.iter().map(cluster::id).collect();
        let (agent, roster) = (cluster::id(&cluster::agent(to)), cluster::roster_digest(&members));
        let peer_ids = ids[..addresses.len()].to_vec();
        ids.sort();
        let rows = rows(&ids, &peer_ids, roster);
        let peer = |(socket, &id)| Peer {
            socket,
            id,
            sequence: 0,
            shown: 0,
            row: row_digest(&rows[0].whole, id, incarnation),
            row_sent: None,
            held: Digest::NONE,
            newest: (Sequence::default(), Now::START),
            is_held: false,
            electorate: Digest::NONE,
        };
        let peers: Vec<Peer> = sockets.0.into_iter().zip(&peer_ids).map(peer).collect();
        let timing = cap.timing(peers.len());
        let schedule = Schedule::new(peers.len(), timing.period);
        let (keys, hybrid, buffer, is_cut) = (cluster::keys(), HybridClock::default(), Vec::new(), false);
        Self {
            peers,
            role,
            timing,
            to,
            agent,
            roster,
            rows,
            schedule,
            is_cut,
            incarnation,
            keys,
            clock,
            hybrid,
            buffer,
            traffic,
        }
    }

    /// Sends what is due and answers what comes, until stopped.
    fn play(mut self, stopped: &AtomicBool, is_cut: &AtomicBool) {
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        for (index, peer) in self.peers.iter().enumerate() {
            epoll.add(&peer.socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64)).unwrap();
        }
        let mut events = vec![EpollEvent::empty(); 256];
        while !stopped.load(Ordering::Relaxed) {
            let now = self.clock.now().since_start();
            if is_cut.load(Ordering::Relaxed) && !self.is_cut {
                self.cut(now);
            }
            while let Some((peer, due)) = self.schedule.next_due(now) {
                self.act(peer, due, now);
            }
            let wait = self.schedule.next().saturating_sub(now).as_micros().div_ceil(1000);
            let ready = epoll.wait(&mut events, EpollTimeout::try_from(wait).unwrap()).unwrap();
            for event in &events[..ready] {
                self.receive(usize::try_from(event.data()).unwrap());
            }
        }
    }

    /// Half of the peers are silent from now on; the others find out, each a little apart from the next.
    fn cut(&mut self, now: Duration) {
        self.is_cut = true;
        if self.role != Role::Agent {
            return;
        }
        for peer in (0..self.peers.len()).filter(|&peer| !is_cut_off(peer)) {
            let apart = (self.timing.confirm_period / 2).mul_f64(self.schedule.jitter());
            for (bounds, ..) in VERSIONS {
                let at = now + self.timing.detection_bound().mul_f64(bounds) + apart;
                self.schedule.add(at, peer, Due::Row);
            }
        }
    }

    fn is_silent(&self, index: usize) -> bool {
        self.is_cut && is_cut_off(index)
    }

    fn act(&mut self, index: usize, due: Due, now: Duration) {
        if self.is_silent(index) {
            return;
        }
        match (self.role, due) {
            (Role::Bare | Role::Patient, _) => {
                let sent = self.peers[index].socket.send_to(&[0; cluster::HEARTBEAT_SIZE], self.to);
                assert_eq!(sent.unwrap(), cluster::HEARTBEAT_SIZE);
                self.traffic.sent.fetch_add(1, Ordering::Relaxed);
            }
            (Role::Agent, Due::Heartbeat) => self.send(index, Flags::default(), Vec::new()),
            (Role::Agent, Due::Row) => {
                let peer = &mut self.peers[index];
                peer.shown += 1;
                peer.row = row_digest(&self.rows[peer.shown].whole, peer.id, self.incarnation);
                (peer.is_held, peer.row_sent) = (false, None);
                self.send(index, Flags::default(), Vec::new());
                self.send_row_again(index, now);
            }
            (Role::Agent, Due::RowAgain(shown)) => {
                if !self.peers[index].is_held && self.peers[index].shown == shown {
                    self.send(index, Flags::default(), Vec::new());
                    self.send_row_again(index, now);
                }
            }
        }
    }

    fn send_row_again(&mut self, index: usize, now: Duration) {
        let again = Due::RowAgain(self.peers[index].shown);
        self.schedule.add(now + self.timing.confirm_period / PATIENCE, index, again);
    }

    fn receive(&mut self, index: usize) {
        let mut room = [0; wire::MAX_DATAGRAM];
        while let Ok(size) = self.peers[index].socket.recv(&mut room) {
            self.traffic.received.fetch_add(1, Ordering::Relaxed);
            if self.role == Role::Agent && !self.is_silent(index) {
                let opened = wire::open(&room[..size], self.peers[index].id, &self.keys);
                self.answer(index, &opened.expect("what the agent sends is authentic").datagram);
            }
        }
    }

    fn answer(&mut self, index: usize, datagram: &Datagram) {
        let now = self.clock.now();
        let peer = &mut self.peers[index];
        peer.newest = (datagram.sequence, now);
        peer.is_held = datagram.held_digest == peer.row;
        // Whoever founds the electorate waits until all agree.
        peer.electorate = datagram.electorate_digest;
        let mut blocks = Vec::new();
        for block in &datagram.blocks {
            match block {
                Block::Row(_) => peer.held = datagram.row_digest,
                Block::RowPart(part) if usize::from(part.from) + part.cells.len() == usize::from(part.total) => {
                    peer.held = datagram.row_digest;
                }
                Block::Challenge(nonce) => blocks.push(Block::Answer(*nonce)),
                _ => {}
            }
        }
        if datagram.flags.poll || datagram.kind == Kind::Hello {
            self.send(index, Flags { last: true, ..Flags::default() }, blocks);
        }
    }

    /// Whether the row of a peer is due on a datagram of this moment.
    fn is_row_due(&self, index: usize, now: Now) -> bool {
        let peer = &self.peers[index];
        let is_acquainted = peer.newest.0 != Sequence::default();
        let rested = peer.row_sent.is_none_or(|sent| now.since(sent) >= self.timing.confirm_period / PATIENCE);
        is_acquainted && !peer.is_held && rested
    }

    /// Sends these blocks, and the row if it is due. The last of its datagrams asks for an answer, as rows do.
    fn send(&mut self, index: usize, flags: Flags, mut blocks: Vec<Block>) {
        let now = self.clock.now();
        let rows =
            if self.is_row_due(index, now) { self.rows[self.peers[index].shown].blocks.clone() } else { Vec::new() };
        let mut rows = rows.into_iter();
        let first = rows.next();
        if first.is_some() {
            self.peers[index].row_sent = Some(now);
        }
        let poll = first.is_some() && rows.len() == 0;
        blocks.extend(first);
        self.send_one(index, Flags { poll, ..flags }, blocks, now);
        while let Some(block) = rows.next() {
            self.send_one(index, Flags { poll: rows.len() == 0, ..Flags::default() }, vec![block], now);
        }
    }

    fn send_one(&mut self, index: usize, flags: Flags, blocks: Vec<Block>, now: Now) {
        let wall = self.clock.wall();
        let peer = &mut self.peers[index];
        peer.sequence += 1;
        let is_acquainted = peer.newest.0 != Sequence::default();
        let datagram = Datagram {
            kind: Kind::Heartbeat,
            flags: Flags { hearing: if is_acquainted { Hearing::Heard } else { Hearing::Unknown }, ..flags },
            sender: peer.id,
            receiver: self.agent,
            incarnation: self.incarnation,
            sequence: Sequence(peer.sequence),
            pace: self.timing.period,
            echo: Echo { sequence: peer.newest.0, delay: now.since(peer.newest.1) },
            row_version: self.rows[peer.shown].whole.version,
            row_digest: peer.row,
            held_digest: peer.held,
            roster_digest: self.roster,
            electorate_digest: peer.electorate,
            epoch: Epoch(0),
            blocks,
        };
        let newest = Some(self.keys.newest());
        wire::seal(&datagram, self.hybrid.stamp(wall), &self.keys, newest, &mut self.buffer).unwrap();
        peer.socket.send_to(&self.buffer, self.to).unwrap();
        self.traffic.sent.fetch_add(1, Ordering::Relaxed);
    }
}

fn row_digest(row: &RowBlock, owner: NodeId, incarnation: Incarnation) -> Digest {
    row.cells.digest(owner, incarnation, row.version, row.roster)
}
