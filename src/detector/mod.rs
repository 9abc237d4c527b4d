//! DECIDES, does nothing: no clock, no socket, no file, no log, no thread, no randomness of its own.
//!
//! A caller says what time it is and what happened ([`Detector::handle`], [`Detector::handle_timeout`]), asks when it
//! is wanted next ([`Detector::poll_timeout`]) and takes what comes out ([`Detector::poll_output`]). The agent, the
//! simulator and the tests are such callers.
//!
//! The way of a heartbeat that goes missing: `handle_timeout` → `turn` → [`link::Link::judge`] → `link_changed` (row) →
//! `assess` → [`verdict::judge`] → [`settle::Settling::settle`] → `publish` → [`event::Event`].

mod assess;
pub mod bits;
mod doors;
pub mod event;
mod exchange;
pub mod health;
pub mod link;
mod link_records;
pub mod mode;
mod own_row;
pub mod partition;
pub mod peer;
mod picture;
mod publish;
pub mod quality;
mod receive;
mod roster;
pub mod row;
pub mod schedule;
pub mod session;
pub mod settings;
pub mod settle;
mod strangers;
pub mod time;
mod transmit;
pub mod verdict;
pub mod view;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub use doors::{Input, LocalFault, Output, Saved};
use event::Event;
use health::Health;
use link::Change;
use mode::Mode;
use own_row::OwnRow;
use peer::Peer;
use publish::Publication;
use roster::Electorate;
use settings::Settings;
use strangers::Strangers;
use time::Now;
use view::Counters;

use crate::identity::{Digest, Epoch, Incarnation, NodeId};
use crate::wire::GoodbyeReason;

/// How many goodbyes are said, and over which time: one loss must not make a polite stop look like a crash.
const GOODBYES: u8 = 3;
const GOODBYE_INTERVAL: Duration = Duration::from_millis(50);

/// The detector of one agent.
pub struct Detector {
    settings: Settings,
    incarnation: Incarnation,
    saved: Saved,
    random: ChaCha8Rng,
    id: NodeId,
    started: Now,
    /// The roster, this node included, sorted by id: a peer's place here is its place in every row.
    peers: Vec<Peer>,
    /// The ids of `peers`, close together: every datagram is looked up here.
    ids: Vec<NodeId>,
    me: usize,
    roster_digest: Digest,
    /// Rosters of peers that differ from ours, by digest.
    rosters: BTreeMap<Digest, roster::Foreign>,
    electorate: Electorate,
    strangers: Strangers,
    row: OwnRow,
    /// When a row is due to some peer, at the earliest.
    rows_due: Option<Now>,
    health: Health,
    publication: Publication,
    mode: Mode,
    epoch: Epoch,
    counters: Counters,
    leaving: Option<Leaving>,
    /// Peers by the time of their next turn; entries that a peer has moved away from are skipped.
    turns: BinaryHeap<Reverse<(Now, usize)>>,
    outputs: VecDeque<Output>,
    last_call: Now,
    /// What `poll_timeout` said last: a later call than that is a late tick.
    due: Option<Now>,
    next_view: Now,
    view_is_old: bool,
}

/// A goodbye under way.
struct Leaving {
    reason: GoodbyeReason,
    left: u8,
    next: Now,
}

impl Detector {
    /// A detector that knows nobody yet: it begins with the first [`Input::Roster`].
    ///
    /// `incarnation` is larger than that of every run before; `seed` is all the randomness it ever gets.
    pub fn new(settings: Settings, saved: Saved, incarnation: Incarnation, seed: [u8; 32], now: Now) -> Self {
        let id = NodeId::of(&settings.cluster, &settings.node.name);
        let incarnation = incarnation.max(Incarnation(saved.incarnation.0.saturating_add(1)));
        let mut detector = Self {
            incarnation,
            epoch: saved.epoch,
            saved: Saved { incarnation, ..saved },
            random: ChaCha8Rng::from_seed(seed),
            id,
            started: now,
            peers: Vec::new(),
            ids: Vec::new(),
            me: 0,
            roster_digest: Digest::NONE,
            rosters: BTreeMap::new(),
            electorate: Electorate::default(),
            strangers: Strangers::default(),
            row: OwnRow::new(now),
            rows_due: None,
            health: Health::default(),
            publication: Publication::new(now),
            mode: Mode::Starting,
            counters: Counters::default(),
            leaving: None,
            turns: BinaryHeap::new(),
            outputs: VecDeque::new(),
            last_call: now,
            due: None,
            next_view: now,
            view_is_old: true,
            settings,
        };
        detector.enroll_myself(now);
        detector.emit(Output::Save(detector.saved.clone()));
        detector
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.begin_call(now);
        match input {
            Input::Datagram { datagram, from, size } => self.receive(&datagram, from, size, now),
            Input::NewerVersion { sender, incarnation, sequence } => {
                self.receive_unreadable(sender, (incarnation, sequence), now);
            }
            Input::Roster(members) => self.learn_roster(members, now),
            Input::LocalFault(fault) => self.local_fault(fault, now),
            Input::Stop(reason) => self.stop(reason, now),
        }
        self.end_call(now);
    }

    /// The time that [`Self::poll_timeout`] named has come, or passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.begin_call(now);
        if self.leaving.is_some() {
            self.say_goodbye(now);
        } else {
            self.run_turns(now);
        }
        self.end_call(now);
    }

    fn run_turns(&mut self, now: Now) {
        while let Some(&Reverse((due, place))) = self.turns.peek() {
            if due > now {
                break;
            }
            self.turns.pop();
            if self.peers[place].wake == due {
                self.turn(place, now);
            }
        }
    }

    /// When [`Self::handle_timeout`] is wanted at the latest. `None` once the goodbye is said.
    pub fn poll_timeout(&self) -> Option<Now> {
        self.due
    }

    /// What the detector wants done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What this side may do now.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// This run of the agent: it changes only when a peer knew a later one.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// How many datagrams were authentic, fresh and of a verified run.
    pub fn received(&self) -> u64 {
        self.counters.received
    }

    /// The open partition, if there is one.
    pub fn partition(&self) -> Option<&partition::Partition> {
        self.publication.partition()
    }

    /// The id of this node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    fn begin_call(&mut self, now: Now) {
        let late = self.due.map_or(Duration::ZERO, |due| now.since(due.max(self.last_call)));
        if late > self.settings.timing.timeout {
            self.stalled(late, now);
        }
        self.last_call = self.last_call.max(now);
    }

    fn end_call(&mut self, now: Now) {
        if self.leaving.is_none() {
            self.update_row(now);
            self.send_due_rows(now);
            self.assess(now);
        }
        self.offer_view(now);
        self.due = self.next_due();
    }

    fn next_due(&self) -> Option<Now> {
        if let Some(leaving) = &self.leaving {
            return (leaving.left > 0).then_some(leaving.next);
        }
        let turn = self.turns.peek().map(|&Reverse((due, _))| due);
        let times = [turn, self.rows_due, self.row.next_update(&self.settings.timing), self.next_assessment()];
        times.into_iter().flatten().chain([self.next_view]).min()
    }

    /// One peer's turn: what is due from it is judged, what is due to it is sent.
    fn turn(&mut self, place: usize, now: Now) {
        let timing = self.settings.timing;
        let peer = &mut self.peers[place];
        let deaf_pace = peer.deaf_pace();
        if let Some(change) = peer.link.judge(now, deaf_pace, &timing) {
            self.link_changed(place, change, now);
        }
        self.peers[place].update_pace(now, &timing);
        if self.peers[place].schedule.next() <= now {
            self.send_heartbeat(place, now);
        }
        self.schedule_turn(place);
    }

    /// Puts the next turn of a peer into the heap.
    fn schedule_turn(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        peer.wake = peer.next_turn();
        self.turns.push(Reverse((peer.wake, place)));
    }

    /// As `schedule_turn`, but only if the turn is earlier than the one in the heap: a deadline that moves away costs
    /// nothing until the old one comes.
    fn hasten_turn(&mut self, place: usize) {
        if self.peers[place].next_turn() < self.peers[place].wake {
            self.schedule_turn(place);
        }
    }

    fn link_changed(&mut self, place: usize, change: Change, now: Now) {
        self.row.touch();
        self.publication.touch();
        let peer = self.name_of(place);
        match change {
            Change::Heard | Change::Recovered => {
                self.publication.links.came_up(peer, now);
                self.remember_heard(place);
            }
            Change::Down { silent_for } => {
                self.publication.links.went_down(peer, silent_for, now);
                self.check_the_silent(now);
            }
            Change::Failed { failures, checked } => {
                self.counters.missed += u64::from(failures == 1);
                if failures >= 2 || checked {
                    self.check_the_silent(now);
                }
            }
            Change::Absent => {}
        }
    }

    fn remember_heard(&mut self, place: usize) {
        if self.saved.heard.insert(self.peers[place].id) {
            self.emit(Output::Save(self.saved.clone()));
        }
    }

    /// One link is in trouble: every other that has been silent for a while is tried now, so that all links of a cut
    /// fall within a few windows of each other.
    fn check_the_silent(&mut self, now: Now) {
        for place in 0..self.peers.len() {
            self.check(place, now);
        }
    }

    fn check(&mut self, place: usize, now: Now) {
        let timing = self.settings.timing;
        if place == self.me || timing.polls_per_window == 0 {
            return;
        }
        let peer = &mut self.peers[place];
        let deaf_pace = peer.deaf_pace();
        if peer.link.check(now, deaf_pace, &timing) {
            peer.update_pace(now, &timing);
            self.hasten_turn(place);
        }
    }

    fn stalled(&mut self, length: Duration, now: Now) {
        self.counters.stalls += 1;
        self.counters.stalled += length;
        self.health.stall(now, length, self.settings.timing.detection_bound());
        self.emit(Output::Event(Event::Stalled { length }));
        self.void_deadlines(now);
    }

    fn void_deadlines(&mut self, now: Now) {
        for peer in &mut self.peers {
            peer.link.void(now, &self.settings.timing);
            peer.quality.forgive();
        }
        self.row.touch();
        self.publication.touch();
    }

    fn local_fault(&mut self, fault: LocalFault, now: Now) {
        match fault {
            LocalFault::Send => self.counters.send_errors += 1,
            LocalFault::Drops { datagrams } => {
                self.counters.dropped += datagrams;
                if self.health.drop(now, self.settings.timing.detection_bound()) {
                    self.emit(Output::Event(Event::Blind { cause: event::BlindCause::Drops }));
                }
                self.void_deadlines(now);
            }
        }
    }

    fn stop(&mut self, reason: GoodbyeReason, now: Now) {
        if self.leaving.is_none() {
            self.emit(Output::Event(Event::AgentStopped { reason }));
            self.leaving = Some(Leaving { reason, left: GOODBYES, next: now });
            self.say_goodbye(now);
        }
    }

    fn say_goodbye(&mut self, now: Now) {
        let Some(leaving) = &mut self.leaving else { return };
        if leaving.left == 0 || now < leaving.next {
            return;
        }
        leaving.left -= 1;
        leaving.next = now + GOODBYE_INTERVAL;
        let done = leaving.left == 0;
        for place in 0..self.peers.len() {
            self.send_goodbye(place, now);
        }
        if done {
            self.emit(Output::Stopped);
        }
    }

    fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn emit_event(&mut self, event: Event) {
        self.emit(Output::Event(event));
    }

    /// Uniform in [0, 1).
    fn jitter(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    fn name_of(&self, place: usize) -> String {
        self.peers[place].member.name.clone()
    }

    fn names_of(&self, places: &bits::Bits) -> Vec<String> {
        places.iter().map(|place| self.name_of(place)).collect()
    }

    /// Who is where in rows and cells.
    pub(crate) fn place_of(&self, id: NodeId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// A picture of what is known now.
    pub fn view(&self, now: Now) -> Arc<view::View> {
        Arc::new(self.picture(now))
    }
}
