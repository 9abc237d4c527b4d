//! A virtual machine with one agent: it may stall, be throttled, be killed and started again.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::detector::saved::{Saved, Serial};
use crate::detector::settings::{Member, Settings};
use crate::detector::time::Now;
use crate::detector::{Detector, Input, Listing, LocalFault, Output};
use crate::identity::Incarnation;
use crate::wire::Datagram;

/// How many datagrams wait in the socket of a host that does not run: a receive buffer of 4 MiB.
const SOCKET: usize = 5_000;
/// What the wall clocks of all hosts say when virtual time begins, in microseconds since the epoch.
const WALL_AT_START: u64 = 1_700_000_000_000_000;

/// Where datagrams come from, which decides nothing.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// When a host runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Running {
    /// Always.
    #[default]
    Always,
    /// Not before this time: stopped, or suspended.
    StalledUntil(Now),
    /// For the first part of every stretch, as under a CPU quota.
    Throttled {
        /// How long it runs…
        run: Duration,
        /// …of every so much time.
        of: Duration,
        /// Where its stretches begin.
        phase: Duration,
    },
}

impl Running {
    /// The first time from `now` on at which the host runs.
    pub(super) fn next(self, now: Now) -> Now {
        match self {
            Self::Always => now,
            Self::StalledUntil(until) => now.max(until),
            Self::Throttled { run, of, phase } => {
                let at = (now.since_start() + phase).as_nanos() % of.as_nanos();
                let into = Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX));
                if into < run { now } else { now + of.saturating_sub(into) }
            }
        }
    }
}

/// One host of the world.
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(super) struct Host {
    pub(super) member: Member,
    pub(super) detector: Option<Detector>,
    pub(super) running: Running,
    /// How far its wall clock is off, in microseconds.
    pub(super) wall_offset: i64,
    saved: Saved,
    /// What waits for a disk that hangs.
    unsaved: Option<(Serial, Saved)>,
    disk_hangs: bool,
    /// Its socket is full of other things: what arrives is dropped, and counted.
    pub(super) flooded: bool,
    /// The whole machine is gone.
    pub(super) lost: bool,
    /// Whether its agent can ask beside the heartbeat.
    pub(super) can_ask: bool,
    inbox: VecDeque<(Datagram, usize)>,
    /// What it asked beside the heartbeat is answered.
    answers: VecDeque<Input>,
    dropped: u64,
}

impl Host {
    pub(super) fn new(member: Member) -> Self {
        Self {
            member,
            detector: None,
            running: Running::Always,
            wall_offset: 0,
            saved: Saved::default(),
            unsaved: None,
            disk_hangs: false,
            flooded: false,
            lost: false,
            can_ask: true,
            inbox: VecDeque::new(),
            answers: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Starts a new run of the agent. Without its state it remembers nobody.
    pub(super) fn start(&mut self, settings: Settings, state: bool, seed: [u8; 32], now: Now) {
        let wall = WALL_AT_START.saturating_add(u64::try_from(now.since_start().as_micros()).unwrap_or(u64::MAX));
        let incarnation = Incarnation(wall.saturating_add_signed(self.wall_offset));
        let saved = if state { self.saved.clone() } else { Saved::default() };
        // As the shell does where the state cannot be written.
        let saved = if self.disk_hangs { saved.without_electorate() } else { saved };
        self.detector = Some(Detector::new(settings, saved, incarnation, seed, now));
        self.unsaved = None;
        self.lost = false;
    }

    /// Its discovery answers.
    pub(super) fn discover(&mut self, listing: Listing, now: Now) {
        if let Some(detector) = &mut self.detector {
            detector.handle(Input::Listing(listing), now);
        }
    }

    /// Its disk takes nothing any more, or works again and takes what has waited.
    pub(super) fn hang_disk(&mut self, hung: bool, now: Now) {
        self.disk_hangs = hung;
        if let Some((serial, saved)) = self.unsaved.take().filter(|_| !hung) {
            self.save(serial, saved, now);
        }
    }

    fn save(&mut self, serial: Serial, saved: Saved, now: Now) {
        if self.disk_hangs {
            self.unsaved = Some((serial, saved));
            return;
        }
        self.saved = saved;
        if let Some(detector) = &mut self.detector {
            detector.handle(Input::Saved(serial), now);
        }
    }

    /// The agent is gone, without a word.
    pub(super) fn kill(&mut self) {
        self.detector = None;
        self.inbox.clear();
        self.answers.clear();
    }

    /// What it asked is answered.
    pub(super) fn learn(&mut self, answer: Input) {
        if self.detector.is_some() {
            self.answers.push_back(answer);
        }
    }

    /// A datagram of so many bytes arrives at the socket.
    pub(super) fn arrive(&mut self, datagram: Datagram, size: usize) {
        if self.detector.is_none() {
            return;
        }
        if self.inbox.len() < SOCKET && !self.flooded {
            self.inbox.push_back((datagram, size));
        } else {
            self.dropped += 1;
        }
    }

    /// A datagram arrives while the host runs: nothing waits before it.
    pub(super) fn take(&mut self, datagram: Datagram, size: usize, now: Now) {
        if self.flooded || !self.inbox.is_empty() {
            return self.arrive(datagram, size);
        }
        if let Some(detector) = &mut self.detector {
            detector.handle(Input::Datagram { datagram, from: NOWHERE, size }, now);
        }
    }

    /// The host runs: it drains its socket, then looks at its timers.
    pub(super) fn run(&mut self, now: Now) {
        let Some(detector) = &mut self.detector else { return };
        while let Some((datagram, size)) = self.inbox.pop_front() {
            detector.handle(Input::Datagram { datagram, from: NOWHERE, size }, now);
        }
        while let Some(answer) = self.answers.pop_front() {
            detector.handle(answer, now);
        }
        if self.dropped > 0 {
            let datagrams = std::mem::take(&mut self.dropped);
            detector.handle(Input::LocalFault(LocalFault::Drops { datagrams }), now);
        }
        if detector.poll_timeout().is_some_and(|due| due <= now) {
            detector.handle_timeout(now);
            assert!(detector.poll_timeout().is_none_or(|due| due > now), "a timer that spins");
        }
    }

    /// What the agent wants done next. What it wants kept is kept at once.
    pub(super) fn output(&mut self, now: Now) -> Option<Output> {
        loop {
            match self.detector.as_mut()?.poll_output()? {
                Output::Save(serial, saved) => self.save(serial, *saved, now),
                output => return Some(output),
            }
        }
    }

    /// When it wants to be woken.
    pub(super) fn due(&self) -> Option<Now> {
        self.detector.as_ref()?.poll_timeout()
    }
}
