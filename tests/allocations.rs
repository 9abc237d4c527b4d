//! Heartbeats at rest take no memory from the allocator: neither to be opened and read, nor to be decided about, nor to be
//! written and sealed. A test program of its own: what it links counts what everybody in it takes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crowd;

use std::net::SocketAddr;
use std::time::Duration;

use allocation_counter::measure;
use crowd::Crowd;
use netsplit::detector::settings::Timing;
use netsplit::detector::time::Now;
use netsplit::detector::{Detector, Input, Output};
use netsplit::hlc::HybridClock;
use netsplit::wire::{self, Datagram, Key, Keys};

const PEERS: usize = 20;

/// Each peer is heard so often: for longer than anything waits that is done now and then, but for the state, which
/// is kept once a minute.
const ROUNDS: usize = 40;

/// What an agent does with datagrams, without its sockets.
struct Shell {
    keys: Keys,
    hybrid: HybridClock,
    buffer: Vec<u8>,
}

impl Shell {
    /// A datagram comes in, and what is due goes out: into the buffer, and from there nowhere.
    fn turn(&mut self, detector: &mut Detector, from: SocketAddr, bytes: &[u8], now: Now) -> Sent {
        let opened = wire::open(bytes, detector.id(), &self.keys).unwrap();
        detector.handle(Input::Datagram { datagram: opened.datagram, from, size: bytes.len() }, now);
        if detector.poll_timeout().is_some_and(|due| due <= now) {
            detector.handle_timeout(now);
        }
        let mut sent = Sent::default();
        while let Some(output) = detector.poll_output() {
            match output {
                Output::Transmit { to, datagram } => {
                    let stamp = self.hybrid.stamp(Duration::from_secs(1));
                    wire::seal(&datagram, stamp, &self.keys, None, &mut self.buffer).unwrap();
                    sent.add(to, datagram);
                }
                Output::Save(serial, _) => sent.saved = Some(serial),
                Output::Ask(_)
                | Output::Probe(_)
                | Output::Event(_)
                | Output::List { .. }
                | Output::View
                | Output::Stopped => {}
            }
        }
        sent
    }
}

/// What went out in one turn.
#[derive(Default)]
struct Sent {
    datagrams: [Option<(SocketAddr, Datagram)>; 4],
    saved: Option<netsplit::detector::saved::Serial>,
}

impl Sent {
    fn add(&mut self, to: SocketAddr, datagram: Datagram) {
        let room = self.datagrams.iter_mut().find(|room| room.is_none());
        *room.unwrap() = Some((to, datagram));
    }
}

#[test]
fn a_heartbeat_at_rest_takes_no_memory_from_the_allocator() {
    let timing = Timing::of_period(Duration::from_secs(1));
    let mut crowd = Crowd::gathered(PEERS, 3, timing);
    let keys = Keys::oldest_first(vec![Key::new(&[7; 32])]).unwrap();
    let mut shell = Shell { keys: keys.clone(), hybrid: HybridClock::default(), buffer: Vec::with_capacity(1200) };
    let step = timing.period / 8 * 7 / u32::try_from(PEERS).unwrap();
    let (mut turns_with, mut heard, mut sent) = (0, 0, 0);
    let mut bytes = Vec::new();
    for round in 0..ROUNDS {
        for peer in 0..PEERS {
            let now = crowd.pass(step);
            let (from, datagram) = crowd.next_heartbeat(peer);
            wire::seal(&datagram, shell.hybrid.stamp(Duration::from_secs(1)), &keys, None, &mut bytes).unwrap();
            let mut out = None;
            let counted = measure(|| out = Some(shell.turn(crowd.detector(), from, &bytes, now)));
            let out = out.unwrap();
            for (to, datagram) in out.datagrams.into_iter().flatten() {
                sent += usize::from(round > 0);
                crowd.receive(to, &datagram);
            }
            if let Some(serial) = out.saved {
                crowd.detector().handle(Input::Saved(serial), now);
            }
            // The first round still answers what was under way.
            if round > 0 {
                heard += 1;
                turns_with += u32::from(counted.count_total > 0);
            }
        }
    }
    assert_eq!(heard, (ROUNDS - 1) * PEERS);
    assert!(sent >= heard * 9 / 10, "{sent} sent");
    // Twice a bound it looks after roster and electorate, however many heartbeats there were.
    let time = step * u32::try_from(heard).unwrap();
    let looks = time.div_duration_f64(timing.detection_bound() / 2).ceil();
    let others = (f64::from(turns_with) - looks).max(0.0);
    assert!(others < 1.0, "{turns_with} turns took memory, {looks} may; {heard} heartbeats came in, {sent} went out");
}
