//! DECIDES, does nothing: no clock, no socket, no file, no log, no thread, no randomness of its own.
//!
//! A caller says what time it is and what happened ([`Detector::handle`], [`Detector::handle_timeout`]), asks when it
//! is wanted next ([`Detector::poll_timeout`]) and takes what comes out ([`Detector::poll_output`]). The agent, the
//! simulator and the tests are such callers.
//!
//! The way of a heartbeat that goes missing: `handle_timeout` → `turn` → [`link::Link::judge`] → `link_changed` (row) →
//! `assess` → [`verdict::judge`] → [`settle::Settling::settle`] → `cut_published` →
//! [`event::Event`].

mod announce;
mod announce_partial;
mod assess;
mod attributes;
mod ballot;
pub mod bits;
mod bucket;
mod by_age;
mod checking;
mod chores;
mod contacts;
mod direction;
mod doors;
pub mod electorate;
mod electorate_fetch;
pub mod endpoint_states;
pub mod endpoints;
pub mod event;
pub mod evidence;
mod exchange;
mod faults;
mod forgetting;
mod founding;
mod goodbye;
pub mod health;
pub mod held_row;
pub mod histogram;
mod inquiry;
mod keeping;
pub mod link;
mod link_records;
mod membership;
pub mod mode;
pub mod outcome;
pub mod overruling;
mod own_row;
pub mod partial;
mod partials;
pub mod partition;
pub mod peer;
mod picture;
mod publish;
pub mod quality;
mod receive;
mod relay;
mod relaying;
mod relist;
mod retiming;
mod rivalry;
mod roster;
pub mod row;
#[cfg(test)]
mod row_journeys;
mod row_parts;
mod row_turns;
pub mod saved;
pub mod schedule;
mod seconds;
mod services;
pub mod session;
pub mod settings;
pub mod settle;
mod standing;
mod strangers;
mod telling;
pub mod time;
pub mod timing;
mod transmit;
mod turns;
mod udp;
pub mod verdict;
pub mod view;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use ballot::Ballot;
use bits::Bits;
use bucket::Bucket;
use checking::Checking;
use contacts::Contacts;
pub use doors::{Input, Listing, LocalFault, Output};
use electorate_fetch::ElectorateFetch;
use endpoints::Endpoints;
use event::Event;
use goodbye::Leaving;
use health::Health;
use inquiry::Inquiry;
use keeping::Keeping;
use membership::Membership;
use mode::Mode;
use own_row::OwnRow;
use peer::Peer;
use publish::Publication;
use relay::Relays;
use relaying::Relaying;
use rivalry::Rivalries;
use row_turns::RowTurns;
use saved::{Micros, Saved, SavedStop};
use settings::Settings;
use strangers::Strangers;
use time::Now;
use timing::Timing;
use view::Counters;

use crate::identity::{Digest, Epoch, Incarnation, NodeId};

/// The detector of one agent.
pub struct Detector {
    settings: Settings,
    /// What the settings come to at this size of the roster, or nearly this.
    timing: Timing,
    incarnation: Incarnation,
    keeping: Keeping,
    random: ChaCha8Rng,
    id: NodeId,
    started: Now,
    /// One bound after the start, or since there is somebody whom it could hear.
    begins: Now,
    /// The roster, this node included, sorted by id: a peer's place here is its place in every row.
    peers: Vec<Peer>,
    /// The ids of `peers`, close together: every datagram is looked up here.
    ids: Vec<NodeId>,
    /// Where they are, to see who shares an address.
    addresses: BTreeSet<(SocketAddr, NodeId)>,
    me: usize,
    roster_digest: Digest,
    /// Rosters of peers that differ from ours, by digest.
    rosters: BTreeMap<Digest, roster::Foreign>,
    /// Raised by every change of who is in the roster and where.
    roster_version: u64,
    ballot: Ballot,
    membership: Membership,
    electorate_fetch: ElectorateFetch,
    contacts: Contacts,
    rivalries: Rivalries,
    strangers: Strangers,
    row: OwnRow,
    relays: Relays,
    relaying: Relaying,
    bucket: Bucket,
    /// The pace towards peers whose links are down: the more of them, the slower.
    down_pace: Duration,
    /// Of whom this run does not know yet that anybody ever heard them; some who were heard since are still here.
    unmet: Bits,
    checking: Checking,
    /// When it goes to whom by itself.
    row_turns: RowTurns,
    health: Health,
    inquiry: Inquiry,
    endpoints: Endpoints,
    publication: Publication,
    mode: Mode,
    mode_since: Now,
    overridden: Option<overruling::Override>,
    epoch: Epoch,
    counters: Counters,
    leaving: Option<Leaving>,
    /// The clean stop of this run, and of the one before.
    stopped: Option<SavedStop>,
    stopped_before: Option<SavedStop>,
    has_said_started: bool,
    /// Peers by the time of their next turn; entries that a peer has moved away from are skipped.
    turns: BinaryHeap<Reverse<(Now, usize)>>,
    outputs: VecDeque<Output>,
    last_call: Now,
    /// What `poll_timeout` said last: a later call than that is a late tick.
    due: Option<Now>,
    next_view: Now,
    view_is_old: bool,
}

impl Detector {
    /// A detector that knows nobody yet: it begins with the first [`Input::Listing`].
    ///
    /// `incarnation` is larger than that of every run before; `seed` is all the randomness it ever gets.
    pub fn new(settings: Settings, saved: Saved, incarnation: Incarnation, seed: [u8; 32], now: Now) -> Self {
        let id = NodeId::of(&settings.cluster, &settings.node.name);
        let timing = settings.timing.at(1);
        let incarnation = incarnation.max(Incarnation(saved.incarnation.0.saturating_add(1)));
        let mut detector = Self {
            incarnation,
            epoch: saved.epoch,
            keeping: Keeping::new(Micros(incarnation.0), now),
            random: ChaCha8Rng::from_seed(seed),
            id,
            started: now,
            begins: now + timing.detection_bound(),
            peers: Vec::new(),
            ids: Vec::new(),
            addresses: BTreeSet::new(),
            me: 0,
            roster_digest: Digest::NONE,
            rosters: BTreeMap::new(),
            roster_version: 0,
            ballot: Ballot::default(),
            membership: Membership::of(&settings.node),
            electorate_fetch: ElectorateFetch::default(),
            contacts: Contacts::default(),
            rivalries: Rivalries::default(),
            strangers: Strangers::default(),
            row: OwnRow::new(now),
            relays: Relays::default(),
            relaying: Relaying::default(),
            bucket: Bucket::of(settings.timing.max_heartbeats_per_second, now),
            down_pace: timing.poll_pace(),
            unmet: Bits::default(),
            checking: Checking::default(),
            row_turns: RowTurns::default(),
            health: Health::default(),
            inquiry: Inquiry::default(),
            endpoints: Endpoints::default(),
            publication: Publication::new(now),
            mode: Mode::Starting,
            mode_since: now,
            overridden: None,
            counters: Counters::default(),
            leaving: None,
            stopped: None,
            stopped_before: None,
            has_said_started: false,
            turns: BinaryHeap::new(),
            outputs: VecDeque::new(),
            last_call: now,
            due: None,
            next_view: now,
            view_is_old: true,
            settings,
            timing,
        };
        detector.restore(saved, now);
        let endpoints = std::mem::take(&mut detector.settings.endpoints);
        detector.set_endpoints(&endpoints, now);
        detector.settings.endpoints = endpoints;
        detector.keep(now);
        detector
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.begin_call(now);
        if !matches!(input, Input::Listing(_)) {
            self.say_started();
        }
        match input {
            Input::Datagram { datagram, from, size } => self.receive(&datagram, from, size, now),
            Input::NewerVersion { sender, incarnation, sequence } => {
                self.receive_unreadable(sender, (incarnation, sequence), now);
            }
            Input::Listing(listing) => {
                self.learn_listing(listing, now);
                self.say_started();
            }
            Input::Saved(serial) => self.learn_durable(serial, now),
            Input::Settings(settings) => self.change_settings(&settings, now),
            Input::Forget(name) => self.forget(&name, now),
            Input::Overrule(wanted) => self.overrule(wanted, now),
            Input::Evidence(evidence) => self.learn_evidence(&evidence, now),
            Input::Probed(probed) => self.learn_probed(&probed, now),
            Input::LocalFault(fault) => self.local_fault(fault, now),
            Input::Stop(reason) => self.stop(reason, now),
        }
        if self.leaving.is_none() {
            self.welcome_strangers(now);
        }
        self.end_call(now);
    }

    /// The time that [`Self::poll_timeout`] named has come, or passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.begin_call(now);
        self.say_started();
        if self.leaving.is_some() {
            self.say_goodbye(now);
        } else {
            self.welcome_strangers(now);
            self.run_turns(now);
            self.call_contacts(now);
        }
        self.end_call(now);
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

    /// The paces and thresholds as they are now.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// This run of the agent: it changes only when a peer knew a later one.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// How many datagrams were authentic, fresh and of a verified run.
    pub fn received(&self) -> u64 {
        self.counters.received
    }

    /// How often it has judged the matrix.
    pub fn verdicts(&self) -> u64 {
        self.counters.verdicts
    }

    /// The open complete cut or isolation, if there is one.
    pub fn partition(&self) -> Option<&partition::Partition> {
        self.publication.partition()
    }

    /// All that is open, the complete cut first.
    pub fn partitions(&self) -> impl Iterator<Item = &partition::Partition> {
        self.publication.partitions()
    }

    /// The id of this node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The first word of every run; a roster that comes at once is counted in it.
    fn say_started(&mut self) {
        if !self.has_said_started {
            self.has_said_started = true;
            let roster = self.peers.len();
            self.emit_event(Event::AgentStarted { roster });
        }
    }

    fn begin_call(&mut self, now: Now) {
        let late = self.due.map_or(Duration::ZERO, |due| now.since(due.max(self.last_call)));
        if late > self.timing.timeout {
            self.stalled(late, now);
        }
        self.last_call = self.last_call.max(now);
    }

    fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn emit_event(&mut self, event: Event) {
        self.emit(Output::Event(Box::new(event)));
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
