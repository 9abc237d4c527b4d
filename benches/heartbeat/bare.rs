//! What the agent is compared with: the least that sends as many datagrams to as many peers, at evenly spread times, and
//! takes what comes. One socket, poll(2) with its milliseconds, recvfrom(2), sendto(2); no keys, and no thought. Each
//! datagram wakes it up. A patient one wakes up as seldom as the agent does: beside it the agent's own work shows.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use netsplit::clock::Clock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{child, cluster};

/// How many milliseconds it sleeps at least, if nothing arrives. As in the agent.
const NAP: u128 = 2;

/// The time between two wakings when there are many, and how many there may be in a row. As in the agent: see
/// src/agent/wakes.rs.
const PAUSE: Duration = Duration::from_micros(7812);
const AT_ONCE: u32 = 50;

pub fn run(is_patient: bool) {
    let peers = child::read_peers();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    child::say(socket.local_addr().unwrap());
    // The input is waited for beside the loop, as the agent's process does it.
    let end = thread::spawn(child::wait_for_end);

    let step = child::cap().step(peers.len()) / u32::try_from(peers.len()).unwrap();
    let (clock, mut heartbeat, mut received) = (Clock::start(), [0; cluster::HEARTBEAT_SIZE], 0_u64);
    let (mut next, mut peer) = (Duration::ZERO, 0);
    let (mut room, mut full) = ([0; 2048], Duration::ZERO);
    while !end.is_finished() {
        while socket.recv_from(&mut room).is_ok() {
            received += 1;
        }
        let now = clock.now().since_start();
        while next <= now {
            heartbeat[..16].copy_from_slice(&next.as_nanos().to_be_bytes());
            // Nobody may be there yet.
            let _ = socket.send_to(&heartbeat, peers[peer]);
            peer = (peer + 1) % peers.len();
            next += step;
        }
        let now = clock.now().since_start();
        full = (full.max(now) + PAUSE).min(now + PAUSE * (AT_ONCE + 1));
        let lull = full.saturating_sub(now + PAUSE * AT_ONCE);
        if is_patient && !lull.is_zero() {
            thread::park_timeout(lull);
            continue;
        }
        let wait = next.saturating_sub(now).as_micros().div_ceil(1000).max(NAP);
        let wait = PollTimeout::try_from(wait).unwrap();
        poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], wait).unwrap();
    }
    child::say(received);
}
