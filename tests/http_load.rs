//! Clients do their worst at the HTTP port of an agent, and its heartbeats stay on time: none is late by more than T/4, its
//! peer misses none, and the kubelet gets its answers.
//!
//! The machine of the test does the clients' work, too, and that of other tests. So a second pair of agents, whose ports
//! nobody asks, runs beside the first: where it is late itself, nothing can be said, and the test tries again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

mod agents;
mod served;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use netsplit::agent::{Agent, AgentHandle, DELAY_BOUNDS, Setup};
use netsplit::clock::Clock;
use netsplit::detector::mode::Mode;
use netsplit::detector::settings::Member;
use netsplit::discovery::Discovery;
use netsplit::http::{Server, Serving};
use netsplit::sources::Sources;
use netsplit::wire::GoodbyeReason;
use served::{Following, get, said};

/// A quarter of the timeout of these agents, in microseconds: a bound of the histogram.
const QUARTER: u64 = 125_000;

const SLOW_CLIENTS: usize = 200;
const REQUESTS: usize = 10_000;
const STREAMS: usize = 100;
const LARGE_HEADS: usize = 50;

/// Who asks at the same time.
const ASKERS: usize = 8;

/// How often the test tries again where the machine is too busy to tell.
const ATTEMPTS: usize = 5;

/// Two agents that hear each other, each on a thread of its own, as in two processes.
struct Pair {
    handles: Vec<AgentHandle>,
    clock: Clock,
}

impl Pair {
    fn start() -> Self {
        let clock = Clock::start();
        let doors: Vec<_> = ["node-1", "node-2"].map(|name| spawn(name, clock)).into();
        let roster: Vec<Member> = doors.iter().map(|(_, bound)| bound.recv().unwrap().0).collect();
        for (begin, _) in &doors {
            begin.send(roster.clone()).unwrap();
        }
        let handles = doors.iter().map(|(_, started)| started.recv().unwrap().1.unwrap()).collect();
        let pair = Self { handles, clock };
        until("both are normal", || pair.handles.iter().all(|agent| agent.view().borrow().mode == Mode::Normal));
        pair
    }

    /// Serves HTTP for the first one.
    fn serve(&self) -> (SocketAddr, Serving) {
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.local_address();
        (address, server.start(Sources::of(&self.handles[0], self.clock)).unwrap())
    }

    /// How often something was late by more than T/4 at the first one, and how often the second missed a heartbeat.
    fn troubles(&self) -> (u64, u64) {
        let missed = self.handles[1].view().borrow().counters.missed;
        (late(&self.handles[0]), missed)
    }
}

/// How often the loop of an agent came to something later than T/4 after it was due.
fn late(agent: &AgentHandle) -> u64 {
    let place = DELAY_BOUNDS.iter().position(|&bound| bound == QUARTER).unwrap();
    let delays = agent.counters().delays();
    delays.count() - delays.cumulative().nth(place).unwrap()
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.handles.iter().for_each(|handle| handle.stop(GoodbyeReason::Stopped));
    }
}

/// Where an agent is reached, and its handle as soon as it runs.
type Begun = (Member, Option<AgentHandle>);

/// A thread that tells where its agent is reached, runs it when it is told who belongs, and tells how to see it.
fn spawn(name: &'static str, clock: Clock) -> (Sender<Vec<Member>>, Receiver<Begun>) {
    let (begin, told) = channel::<Vec<Member>>();
    let (tell, heard) = channel();
    thread::spawn(move || {
        agents::run(async move {
            let network = agents::bind(0);
            let node = Member::new(name, "", network.local_address());
            tell.send((node.clone(), None)).unwrap();
            let discovery = Discovery::fixed(told.recv().unwrap(), clock);
            let setup = Setup::without_state(agents::settings(&node), discovery, agents::keys(&[1]));
            let (agent, handle) = Agent::new(setup, network, clock, |_| {}).unwrap();
            tell.send((node, Some(handle))).unwrap();
            agent.run().await;
        });
    });
    (begin, heard)
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..6000 {
        if is_so() {
            return;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("waited a minute for this: {what}");
}

/// Clients that send the head of a request byte by byte, and come back when they were sent away. Every other one sends no
/// more than half of it.
fn be_slow(address: SocketAddr, is_over: &AtomicBool) -> usize {
    let mut clients: Vec<Option<TcpStream>> = (0..SLOW_CLIENTS).map(|_| None).collect();
    let mut came = 0;
    while !is_over.load(Ordering::Relaxed) {
        for (place, client) in clients.iter_mut().enumerate() {
            let goes_on = client.as_mut().is_some_and(|client| is_there(client, place % 2 == 0));
            if !goes_on {
                *client = begin_slowly(address);
                came += 1;
            }
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    came
}

fn begin_slowly(address: SocketAddr) -> Option<TcpStream> {
    let mut client = TcpStream::connect(address).ok()?;
    client.write_all(b"GET /v1/status HTTP/1.1\r\nx-slow: ").ok()?;
    client.set_nonblocking(true).ok()?;
    Some(client)
}

fn is_there(client: &mut TcpStream, sends: bool) -> bool {
    let is_open = client.read(&mut [0; 64]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    is_open && (!sends || client.write_all(b"y").is_ok())
}

/// Asks for everything in turn; how many answers came.
fn ask_for_everything(address: SocketAddr, left: &AtomicUsize) -> usize {
    let paths =
        ["/metrics", "/healthz", "/v1/mode", "/v1/status", "/v1/matrix", "/v1/peers", "/v1/partitions", "/v1/events"];
    let mut answers = 0;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let path = paths[answers % paths.len()];
        answers += usize::from(get(address, path, &[]).status == "200 OK");
    }
    answers
}

/// All of it at once, and as long as the ten thousand requests take. Who came, and how many probes were answered.
fn do_the_worst(address: SocketAddr) {
    let (is_over, left) = (AtomicBool::new(false), AtomicUsize::new(REQUESTS));
    thread::scope(|scope| {
        let slow = scope.spawn(|| be_slow(address, &is_over));
        let heads = scope.spawn(|| {
            let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(1 << 20));
            (0..LARGE_HEADS).filter(|_| !said(address, &large).starts_with("HTTP/1.1 200")).count()
        });
        let streams: Vec<Following> =
            (0..STREAMS).map(|_| Following::begin(address, "/v1/events?since=0", &[])).collect();
        let probes = scope.spawn(|| {
            let mut answered = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(get(address, "/healthz", &[]).said(), ("200 OK", "ok\n"));
                answered += 1;
                thread::park_timeout(Duration::from_millis(100));
            }
            answered
        });
        let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(|| ask_for_everything(address, &left))).collect();
        let answers: usize = askers.into_iter().map(|asker| asker.join().unwrap()).sum();
        let refused = heads.join().unwrap();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!((answers, refused, streams.len()), (REQUESTS, LARGE_HEADS, STREAMS));
        assert!(slow.join().unwrap() >= SLOW_CLIENTS);
        assert!(probes.join().unwrap() > 0);
    });
}

#[test]
fn heartbeats_are_on_time_whatever_clients_do() {
    let (attacked, quiet) = (Pair::start(), Pair::start());
    let (address, _serving) = attacked.serve();
    let mut told = Vec::new();
    for _ in 0..ATTEMPTS {
        let before = (attacked.troubles(), quiet.troubles());
        do_the_worst(address);
        let (attacked, quiet) = (attacked.troubles(), quiet.troubles());
        let here = (attacked.0 - before.0.0, attacked.1 - before.0.1);
        let there = (quiet.0 - before.1.0, quiet.1 - before.1.1);
        if here == (0, 0) {
            return;
        }
        told.push(format!("late, missed: {here:?} where clients asked, {there:?} where nobody did"));
    }
    panic!("{told:#?}");
}

#[test]
fn a_loop_that_is_held_up_is_seen_to_be_late() {
    agents::run(async {
        let pair = agents::start(&[agents::keys(&[1]), agents::keys(&[1])]);
        agents::until("both are normal", || agents::all_normal(&pair)).await;
        let before = late(&pair[0].handle);
        // The thread is that of both agents. A heartbeat falls due in every second.
        thread::park_timeout(Duration::from_millis(1500));
        agents::until("the delay is counted", || late(&pair[0].handle) > before).await;
    });
}
