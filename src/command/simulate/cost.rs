//! What a heartbeat costs the processor of this machine, measured: it differs from machine to machine and from run to run,
//! so it is told beside the answer, on standard error.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use netsplit::hlc::Stamp;
use netsplit::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};
use netsplit::wire::{self, Datagram, Echo, Flags, KEY_SIZE, Key, Keys, Kind, MAX_DATAGRAM};
use nix::sys::resource::{UsageWho, getrusage};

/// How often a heartbeat goes there and back.
const ROUNDS: u32 = 200;

/// Between two of them: an agent sleeps in between, and what wakes up from a pause has cold caches.
const PAUSE: Duration = Duration::from_millis(2);

/// A datagram on loopback that takes longer was lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// The processor's time that this process has used.
pub(super) fn used() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let time = |time: nix::sys::time::TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let microseconds = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(microseconds)
    };
    Some(time(usage.user_time()) + time(usage.system_time()))
}

/// What one datagram out and one in cost beside the detector: sealed, sent, woken up for, received, opened.
pub(super) fn of_heartbeat() -> io::Result<Option<Duration>> {
    let (here, there, nobody) = (socket(PATIENCE)?, socket(PATIENCE)?, socket(PAUSE)?);
    here.connect(there.local_addr()?)?;
    there.connect(here.local_addr()?)?;
    let Some(before) = used() else { return Ok(None) };
    let echo = thread::spawn(move || {
        let mut end = End::of(2);
        (0..ROUNDS).try_for_each(|_| end.receive(&there).and_then(|()| end.send(&there, 1)))
    });
    let mut end = End::of(1);
    let sent = (0..ROUNDS).try_for_each(|_| {
        // Nobody writes to it: that it is over is the end of the pause.
        let _ = nobody.recv(&mut [0]);
        end.send(&here, 2).and_then(|()| end.receive(&here))
    });
    let echoed = echo.join().unwrap_or_else(|_| Err(io::Error::other("the other end of the loopback is gone")));
    sent.and(echoed)?;
    // Both ends are in this process, so each round is two heartbeats.
    Ok(used().map(|after| after.saturating_sub(before) / (2 * ROUNDS)))
}

fn socket(patience: Duration) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(patience))?;
    Ok(socket)
}

/// One end of the loopback.
struct End {
    id: NodeId,
    keys: Keys,
    buffer: Vec<u8>,
    room: [u8; MAX_DATAGRAM],
}

impl End {
    fn of(number: u64) -> Self {
        let keys = Keys::oldest_first(vec![Key::new(&[7; KEY_SIZE])]).unwrap_or(Keys::insecure());
        Self { id: NodeId(number), keys, buffer: Vec::new(), room: [0; MAX_DATAGRAM] }
    }

    fn send(&mut self, socket: &UdpSocket, receiver: u64) -> io::Result<()> {
        let heartbeat = heartbeat(self.id, NodeId(receiver));
        wire::seal(&heartbeat, Stamp::default(), &self.keys, None, &mut self.buffer).map_err(io::Error::other)?;
        socket.send(&self.buffer).map(|_| ())
    }

    fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let size = socket.recv(&mut self.room)?;
        let bytes = self.room.get(..size).unwrap_or_default();
        let opened = wire::open(bytes, self.id, &self.keys);
        opened.map(|_| ()).map_err(|refusal| io::Error::other(refusal.as_str()))
    }
}

fn heartbeat(sender: NodeId, receiver: NodeId) -> Datagram {
    Datagram {
        kind: Kind::Heartbeat,
        flags: Flags::default(),
        sender,
        receiver,
        incarnation: Incarnation(1),
        sequence: Sequence(1),
        pace: Duration::from_secs(1),
        echo: Echo::default(),
        row_version: RowVersion::default(),
        row_digest: Digest::NONE,
        held_digest: Digest::NONE,
        roster_digest: Digest::NONE,
        electorate_digest: Digest::NONE,
        epoch: Epoch::default(),
        blocks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_costs_some_time_and_not_a_millisecond() {
        let cost = of_heartbeat().unwrap().unwrap();
        assert!(cost > Duration::ZERO && cost < Duration::from_millis(1), "{cost:?}");
    }
}
