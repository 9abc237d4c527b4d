//! The peers, all played by one thread: a socket for each, on an address of its own.
//!
//! To the agent they are peers as it wants them: they answer its challenge and its polls, say that they hear it, hold
//! its row, and have a row of their own that shows everybody up. To the bare loop they send as many bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::row::{Cell, Cells};
use netsplit::detector::time::Now;
use netsplit::hlc::HybridClock;
use netsplit::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};
use netsplit::wire::{self, Block, Datagram, Echo, Flags, Hearing, Keys, Kind, RowBlock};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::child::Role;
use crate::cluster;

const ROW_VERSION: RowVersion = RowVersion(1);

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
    thread: JoinHandle<()>,
}

impl Playing {
    /// Starts to play the peers of a child that listens at `to`.
    pub fn start(sockets: Sockets, role: Role, to: SocketAddr) -> Self {
        let (traffic, stop) = (Arc::new(Traffic::default()), Arc::new(AtomicBool::new(false)));
        let (counted, stopped) = (Arc::clone(&traffic), Arc::clone(&stop));
        let thread = thread::spawn(move || Stage::set(sockets, role, to, counted).play(&stopped));
        Self { traffic, stop, thread }
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
    row: Digest,
    /// The digest of the agent's row, once it came.
    held: Digest,
    /// The newest number of the agent, and when it came.
    newest: (Sequence, Now),
    /// Whether the agent holds this peer's row.
    is_held: bool,
    /// The electorate of the agent, once it was told.
    electorate: Digest,
}

/// Who sends when: as peers do it, each with jitter of its own. Without it the peers would fall into step with the bare
/// loop, and one waking would do for what came and what went.
struct Schedule {
    times: BinaryHeap<Reverse<(Duration, usize)>>,
    grid: Vec<Duration>,
    random: ChaCha8Rng,
}

impl Schedule {
    fn new(peers: usize) -> Self {
        let step = cluster::STEP / u32::try_from(peers).unwrap();
        let grid: Vec<_> = (0..peers).map(|peer| step * u32::try_from(peer).unwrap()).collect();
        let times = grid.iter().enumerate().map(|(peer, &time)| Reverse((time, peer))).collect();
        Self { times, grid, random: ChaCha8Rng::seed_from_u64(1) }
    }

    fn next(&self) -> Duration {
        self.times.peek().unwrap().0.0
    }

    /// Somebody who is due, and from now on not until his next time.
    fn next_due(&mut self, now: Duration) -> Option<usize> {
        let Reverse((_, peer)) = self.times.peek().filter(|next| next.0.0 <= now).copied()?;
        self.times.pop();
        let jitter = f64::from(self.random.next_u32()) / f64::from(u32::MAX);
        self.grid[peer] += cluster::STEP;
        self.times.push(Reverse((self.grid[peer] + (cluster::PERIOD / 8).mul_f64(jitter), peer)));
        Some(peer)
    }
}

struct Stage {
    peers: Vec<Peer>,
    role: Role,
    to: SocketAddr,
    agent: NodeId,
    roster: Digest,
    block: Arc<RowBlock>,
    incarnation: Incarnation,
    keys: Keys,
    clock: Clock,
    hybrid: HybridClock,
    buffer: Vec<u8>,
    traffic: Arc<Traffic>,
}

impl Stage {
    fn set(sockets: Sockets, role: Role, to: SocketAddr, traffic: Arc<Traffic>) -> Self {
        let clock = Clock::start();
        let incarnation = Incarnation(u64::try_from(clock.wall().as_micros()).unwrap());
        let addresses = sockets.addresses();
        let mut members: Vec<_> =
            addresses.iter().enumerate().map(|(index, &address)| cluster::peer(index, address)).collect();
        members.push(cluster::agent(to));
        let roster = cluster::roster_digest(&members);
        let mut cells = Cells::absent(members.len());
        (0..members.len()).for_each(|place| cells.set(place, Cell::Up));
        let peer = |(socket, member)| {
            let id = cluster::id(member);
            let row = cells.digest(id, incarnation, ROW_VERSION, roster);
            let newest = (Sequence::default(), Now::START);
            Peer { socket, id, sequence: 0, row, held: Digest::NONE, newest, is_held: false, electorate: Digest::NONE }
        };
        let peers = sockets.0.into_iter().zip(&members).map(peer).collect();
        let agent = cluster::id(&cluster::agent(to));
        let block = Arc::new(RowBlock { version: ROW_VERSION, roster, cells });
        let (keys, hybrid, buffer) = (cluster::keys(), HybridClock::default(), Vec::new());
        Self { peers, role, to, agent, roster, block, incarnation, keys, clock, hybrid, buffer, traffic }
    }

    /// Sends what is due and answers what comes, until stopped.
    fn play(mut self, stopped: &AtomicBool) {
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        for (index, peer) in self.peers.iter().enumerate() {
            epoll.add(&peer.socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64)).unwrap();
        }
        let mut schedule = Schedule::new(self.peers.len());
        let mut events = vec![EpollEvent::empty(); 256];
        while !stopped.load(Ordering::Relaxed) {
            let now = self.clock.now().since_start();
            while let Some(peer) = schedule.next_due(now) {
                self.send_heartbeat(peer);
            }
            let wait = EpollTimeout::try_from(schedule.next().saturating_sub(now).as_micros().div_ceil(1000)).unwrap();
            let ready = epoll.wait(&mut events, wait).unwrap();
            for event in &events[..ready] {
                self.receive(usize::try_from(event.data()).unwrap());
            }
        }
    }

    fn send_heartbeat(&mut self, index: usize) {
        match self.role {
            Role::Agent => self.send(index, Flags::default(), Vec::new()),
            Role::Bare => {
                let sent = self.peers[index].socket.send_to(&[0; cluster::HEARTBEAT_SIZE], self.to);
                assert_eq!(sent.unwrap(), cluster::HEARTBEAT_SIZE);
                self.traffic.sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn receive(&mut self, index: usize) {
        let mut room = [0; wire::MAX_DATAGRAM];
        while let Ok(size) = self.peers[index].socket.recv(&mut room) {
            self.traffic.received.fetch_add(1, Ordering::Relaxed);
            if self.role == Role::Agent {
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
                Block::Challenge(nonce) => blocks.push(Block::Answer(*nonce)),
                _ => {}
            }
        }
        if datagram.flags.poll || datagram.kind == Kind::Hello {
            self.send(index, Flags { last: true, ..Flags::default() }, blocks);
        }
    }

    fn send(&mut self, index: usize, flags: Flags, mut blocks: Vec<Block>) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let peer = &mut self.peers[index];
        peer.sequence += 1;
        let is_acquainted = peer.newest.0 != Sequence::default();
        if is_acquainted && !peer.is_held {
            blocks.push(Block::Row(Arc::clone(&self.block)));
        }
        let datagram = Datagram {
            kind: Kind::Heartbeat,
            flags: Flags { hearing: if is_acquainted { Hearing::Heard } else { Hearing::Unknown }, ..flags },
            sender: peer.id,
            receiver: self.agent,
            incarnation: self.incarnation,
            sequence: Sequence(peer.sequence),
            pace: cluster::PERIOD,
            echo: Echo { sequence: peer.newest.0, delay: now.since(peer.newest.1) },
            row_version: ROW_VERSION,
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
