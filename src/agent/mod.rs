//! The shell around the detector: one task, one loop. It owns the socket, the timers, the keys, the hybrid logical clock
//! and the detector; it does everything, and decides nothing. Only the discovery asks in a task of its own.
//!
//! A turn of the loop: drain the socket (each datagram through the gate into the detector), let the detector judge
//! what is due, do what it wants done, wait. What it wants told goes out as [`Record`]s, what it knows as a [`View`].

mod alarms;
mod changes;
mod counters;
mod gate;
mod handle;
mod inquiries;
mod key_troubles;
mod outbox;
mod record;
mod setup;
mod socket_faults;
mod wakes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

pub use counters::{Counters, DELAY_BOUNDS, Reason, VERDICT_BOUNDS};
pub use handle::AgentHandle;
pub use record::{EventSink, Happening, PartitionTimes, Record, ShellEvent};
pub use setup::{NoRandomness, Setup};

use crate::clock::Clock;
use crate::detector::endpoints::{ProbeOrder, Probed};
use crate::detector::evidence::Question;
use crate::detector::saved::Serial;
use crate::detector::time::Now;
use crate::detector::view::View;
use crate::detector::{Detector, Input, LocalFault, Output};
use crate::discovery::Discovery;
use crate::hlc::HybridClock;
use crate::identity::{Incarnation, NodeId};
use crate::network::{Batch, Left, Network};
use crate::probe::prober::Prober;
use crate::state;
use crate::wire::{Newer, Opened, Refusal};
use alarms::Alarms;
use changes::{Change, Overruled};
use gate::{Gate, Refused};
use handle::{Command, Doors};
use inquiries::Inquiries;
use key_troubles::KeyTroubles;
use outbox::{Heard, Outbox};
use wakes::Wakes;

/// How many batches are read before the detector looks at the time: 4,096 datagrams, so that a flood cannot keep it from
/// judging what is due.
const BATCHES_A_TURN: usize = 4096 / crate::network::BATCH;

/// How long a socket that fails is left alone: an error that stays must not spin the loop.
const PAUSE: Duration = Duration::from_millis(10);

/// How long the loop sleeps at least, if nothing arrives: what falls due meanwhile is done in one turn. It is little
/// beside any timeout, and to wake up is most of what a heartbeat costs.
const NAP: Duration = Duration::from_millis(2);

/// How long the loop sleeps when nothing is due at all.
const IDLE: Duration = Duration::from_secs(1);

/// One agent, to be [run](Agent::run).
pub struct Agent<N> {
    network: N,
    clock: Clock,
    detector: Detector,
    gate: Gate,
    outbox: Outbox,
    inquiries: Inquiries,
    prober: Option<Prober>,
    key_troubles: KeyTroubles,
    hybrid: HybridClock,
    events: Box<dyn EventSink>,
    identity: record::Identity,
    counters: Arc<Counters>,
    discovery: Discovery,
    doors: Doors,
    keeper: Option<state::Keeper>,
    state: State,
    alarms: Alarms,
    wakes: Wakes,
    /// How many datagrams came in this turn.
    taken: usize,
}

/// Where the loop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The socket is drained.
    Drained,
    /// There may be more in the socket.
    Behind,
    /// The socket failed.
    Failed,
    /// The goodbye is said.
    Stopped,
}

impl<N: Network> Agent<N> {
    /// An agent that has not begun. Its incarnation is that of its memory, or else the time of day, in
    /// microseconds.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(
        setup: Setup,
        network: N,
        clock: Clock,
        events: impl EventSink + 'static,
    ) -> Result<(Self, AgentHandle), NoRandomness> {
        let Setup { settings, mut discovery, keys, memory, prober } = setup;
        let identity = record::Identity::of(&settings);
        let (now, keeper) = (clock.now(), memory.keeper);
        let incarnation = memory.incarnation.unwrap_or_else(|| of_time(clock.wall()));
        let mut detector = Detector::new(settings, memory.saved, incarnation, seed()?, now);
        if let Some(listing) = discovery.at_hand() {
            detector.handle(Input::Listing(listing), now);
        }
        let counters = Arc::new(Counters::of_keys(keys.len()));
        let kept = keeper.as_ref().map(state::Keeper::counters);
        let view = detector.view(now);
        let gate = Gate::new(detector.id(), keys.clone(), &view, now);
        let (handle, doors) = handle::pair(view, &keys, Arc::clone(&counters), discovery.status(), kept);
        let agent = Self {
            network,
            clock,
            detector,
            gate,
            outbox: Outbox::new(keys),
            inquiries: Inquiries::default(),
            prober,
            key_troubles: KeyTroubles::default(),
            hybrid: HybridClock::default(),
            events: Box::new(events),
            identity,
            counters,
            discovery,
            doors,
            keeper,
            alarms: Alarms::default(),
            wakes: Wakes::new(now),
            taken: 0,
            state: State::Drained,
        };
        Ok((agent, handle))
    }

    /// Runs until it was told to stop and has said goodbye.
    ///
    /// To drop it is to kill it: its peers are not told.
    pub async fn run(mut self) {
        let mut batch = Batch::default();
        while self.turn(&mut batch) != State::Stopped {
            self.wait().await;
        }
    }

    fn turn(&mut self, batch: &mut Batch) -> State {
        self.drain(batch);
        let moment = self.moment();
        let datagrams = self.network.drops();
        if datagrams > 0 {
            self.detector.handle(Input::LocalFault(LocalFault::Drops { datagrams }), moment.now);
        }
        if let Some(due) = self.detector.poll_timeout().filter(|due| *due <= moment.now) {
            self.counters.came_late(moment.now.since(due));
            self.timed(|detector| detector.handle_timeout(moment.now));
        }
        self.do_what_is_wanted(moment);
        self.key_troubles.tell(moment.now);
        self.state
    }

    fn drain(&mut self, batch: &mut Batch) {
        self.taken = 0;
        for _ in 0..BATCHES_A_TURN {
            let left = self.network.receive(batch);
            let moment = self.moment();
            match left {
                Ok(left) => {
                    self.taken += batch.len();
                    self.take_in(batch, moment);
                    self.do_what_is_wanted(moment);
                    self.stand(if left == Left::Nothing { State::Drained } else { State::Behind });
                }
                Err(error) => {
                    self.outbox.faults.tell("receive", &error, moment.now);
                    self.counters.receive_failed();
                    self.stand(State::Failed);
                }
            }
            if self.state != State::Behind {
                break;
            }
        }
    }

    /// Whoever has stopped stays so.
    fn stand(&mut self, state: State) {
        if self.state != State::Stopped {
            self.state = state;
        }
    }

    fn take_in(&mut self, batch: &Batch, moment: Moment) {
        for (from, bytes, at) in batch.stamped() {
            match self.gate.open(bytes, from, moment.now) {
                Ok(opened) => self.hand_over(opened, from, bytes.len(), moment.when_it_came(at)),
                Err(refused) => self.refuse(refused, from, moment.now),
            }
        }
    }

    fn hand_over(&mut self, opened: Opened, from: SocketAddr, size: usize, moment: Moment) {
        let Opened { datagram, stamp, newest_key } = opened;
        if self.hybrid.merge(stamp, moment.wall).is_err() {
            self.counters.saw_clock_ahead();
        }
        let sender = datagram.sender;
        let heard = Heard { run: datagram.incarnation, sequence: datagram.sequence, newest_key };
        let before = self.detector.received();
        self.timed(|detector| detector.handle(Input::Datagram { datagram, from, size }, moment.now));
        let is_fresh = self.detector.received() > before;
        self.outbox.learn_key(sender, heard, is_fresh);
        if is_fresh && !self.outbox.holds(newest_key) && self.key_troubles.lack(sender, newest_key, moment.now) {
            self.counters.lacked_a_key();
            self.key_troubles.name(name_in(&self.doors.view.borrow(), sender));
        }
    }

    /// Lets the detector work, and notes how long it took if it judged the matrix.
    fn timed(&mut self, work: impl FnOnce(&mut Detector)) {
        let (judged, began) = (self.detector.verdicts(), self.clock.now());
        work(&mut self.detector);
        if self.detector.verdicts() > judged {
            self.counters.judged(self.clock.now().since(began));
        }
    }

    fn refuse(&mut self, refused: Refused, from: SocketAddr, now: Now) {
        self.counters.refuse(refused.reason());
        if let Refused::Wire(Refusal::Key | Refusal::Tag) = refused {
            self.key_troubles.refuse(from, now);
        }
        if let Refused::Wire(Refusal::NewerVersion(Newer { sender, incarnation, sequence, .. })) = refused {
            self.detector.handle(Input::NewerVersion { sender, incarnation, sequence }, now);
        }
    }

    fn do_what_is_wanted(&mut self, moment: Moment) {
        let mut view_is_new = false;
        while let Some(output) = self.detector.poll_output() {
            match output {
                Output::Transmit { to, datagram } => {
                    let stamp = self.hybrid.stamp(moment.wall);
                    if self.outbox.send(&mut self.network, to, &datagram, stamp, moment.now).is_err() {
                        self.detector.handle(Input::LocalFault(LocalFault::Send), moment.now);
                    }
                }
                Output::Event(event) => {
                    Alarms::hear(&event, self.detector.settings().node.address.port());
                    self.tell(*event, moment);
                }
                Output::Save(serial, state) => match &self.keeper {
                    Some(keeper) => keeper.keep(serial, state, moment.now),
                    // It lives in memory only, which is as durable as this agent gets.
                    None => self.detector.handle(Input::Saved(serial), moment.now),
                },
                Output::Ask(question) => self.ask(question, moment),
                Output::Probe(order) => self.probe(order, moment),
                Output::List { within } => self.discovery.ask_within(within),
                Output::View => view_is_new = true,
                Output::Stopped => self.state = State::Stopped,
            }
        }
        if view_is_new {
            let view = self.detector.view(moment.now);
            if self.gate.learn_addresses(&view) {
                let belongs = |id| view.nodes.binary_search_by_key(&id, |node| node.id).is_ok();
                self.outbox.forget_all_but(belongs);
                self.key_troubles.forget_all_but(belongs);
            }
            self.alarms.look(&view, moment.now);
            if let Some(prober) = &self.prober {
                let probed = view.endpoints.iter().filter(|endpoint| endpoint.is_probed);
                prober.hold_to(probed.map(|endpoint| endpoint.settings.name.as_str()));
            }
            self.doors.view.send_replace(view);
        }
    }

    fn tell(&mut self, event: impl Into<Happening>, moment: Moment) {
        let (hlc, incarnation) = (self.hybrid.stamp(moment.wall), self.detector.incarnation());
        self.events.accept(self.identity.record(event, incarnation, hlc, moment));
    }

    /// An operator changed something. It is told before what follows from it.
    fn change(&mut self, change: Change) {
        let moment = self.moment();
        if let Some(ports) = change.source_ports {
            self.network.change_source_ports(ports);
        }
        if let Some(changed) = change.told {
            self.tell(ShellEvent::ConfigReloaded { changed: changed.into_iter().collect() }, moment);
        }
        if let Some(settings) = change.settings {
            self.detector.handle(Input::Settings(Box::new(settings)), moment.now);
        }
        if let Some(Overruled(wanted)) = change.overruling {
            self.detector.handle(Input::Overrule(wanted), moment.now);
        }
        for node in change.forgotten {
            self.detector.handle(Input::Forget(node), moment.now);
        }
    }

    fn ask(&mut self, question: Question, moment: Moment) {
        let patience = self.detector.timing().confirm_period;
        let ask = |question| self.network.ask(question, patience);
        if let Some(evidence) = self.inquiries.begin(question, ask) {
            self.detector.handle(Input::Evidence(evidence), moment.now);
        }
    }

    fn probe(&mut self, order: ProbeOrder, moment: Moment) {
        let answer = match &self.prober {
            Some(prober) => prober.order(order),
            None => Some(order.unanswered()),
        };
        if let Some(answer) = answer {
            self.detector.handle(Input::Probed(answer), moment.now);
        }
    }

    /// Waits for whatever comes first. The time is read anew after each wait: tokio's timer does not count suspended
    /// time, the detector's does.
    async fn wait(&mut self) {
        let until_due = self.detector.poll_timeout().map_or(IDLE, |due| due.since(self.clock.now()));
        let has_failed = self.state == State::Failed;
        let pause = wakes::pause(self.detector.timing(), self.taken);
        // Whoever is behind does not wait: there is more to read now.
        let lull = if self.state == State::Drained { self.wakes.take(self.clock.now(), pause) } else { None };
        if let Some(lull) = lull {
            // The whole thread: the runtime's own timer would wake up for each datagram.
            std::thread::park_timeout(lull);
        }
        let sleep = if has_failed { until_due.min(PAUSE) } else { until_due.max(NAP) };
        tokio::select! {
            ready = self.network.ready(), if !has_failed && lull.is_none() => {
                if let Err(error) = ready {
                    self.outbox.faults.tell("await", &error, self.clock.now());
                    self.counters.receive_failed();
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Some(Command::Stop(reason)) = self.doors.commands.recv() => {
                self.detector.handle(Input::Stop(reason), self.clock.now());
            }
            Some(evidence) = self.inquiries.next() => {
                self.detector.handle(Input::Evidence(evidence), self.clock.now());
            }
            probed = next_probed(self.prober.as_mut()) => {
                self.detector.handle(Input::Probed(probed), self.clock.now());
            }
            listing = self.discovery.next() => {
                self.gate.learn_listing(&listing);
                self.detector.handle(Input::Listing(listing), self.clock.now());
            }
            serial = next_durable(self.keeper.as_mut()) => {
                self.detector.handle(Input::Saved(serial), self.clock.now());
            }
            Ok(()) = self.doors.keys.changed() => {
                let keys = self.doors.keys.borrow_and_update().clone();
                self.key_troubles.forget_held(&keys);
                self.gate.change_keys(keys.clone());
                self.outbox.change_keys(keys);
            }
            change = self.doors.changes.next() => self.change(change),
            // The others have their turn, and no longer than that: the lull was the sleep.
            () = tokio::task::yield_now(), if lull.is_some() => {}
            () = tokio::time::sleep(sleep), if lull.is_none() => {}
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), wall: self.clock.wall() }
    }
}

fn seed() -> Result<[u8; 32], NoRandomness> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| NoRandomness)?;
    Ok(seed)
}

fn of_time(wall: Duration) -> Incarnation {
    Incarnation(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX))
}

/// The state that became durable last. Never, without a keeper.
async fn next_durable(keeper: Option<&mut state::Keeper>) -> Serial {
    match keeper {
        Some(keeper) => keeper.next_durable().await,
        None => std::future::pending().await,
    }
}

/// What came of the next probe that ended. Never, without a prober.
async fn next_probed(prober: Option<&mut Prober>) -> Probed {
    match prober {
        Some(prober) => prober.next().await,
        None => std::future::pending().await,
    }
}

fn name_in(view: &View, id: NodeId) -> String {
    let place = view.nodes.binary_search_by_key(&id, |node| node.id);
    place.ok().and_then(|place| view.nodes.get(place)).map(|node| node.member.name.clone()).unwrap_or_default()
}

/// Both times of one instant.
#[derive(Clone, Copy, Debug)]
struct Moment {
    now: Now,
    wall: Duration,
}

impl Moment {
    /// The moment at which a datagram that is read now came in: round trips are measured by it. What has waited for longer
    /// than the loop sleeps waited for an agent that stood still, which is another matter.
    fn when_it_came(self, at: Option<Duration>) -> Self {
        let waited = at.map_or(Duration::ZERO, |at| self.wall.saturating_sub(at));
        Self { now: self.now - waited.min(wakes::LONGEST * 2), ..self }
    }
}
