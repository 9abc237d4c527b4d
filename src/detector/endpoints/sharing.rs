//! What the agents tell each other of endpoints, and what that comes to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::reach::{Reach, Votes};
use super::settings::{EndpointSettings, From};
use super::watch::{EndpointState, Watch};
use super::{Endpoint, Endpoints, JudgedBy};
use crate::detector::Detector;
use crate::detector::bits::Bits;
use crate::detector::endpoint_states::{SharedState, States};
use crate::detector::held_row::HeldStates;
use crate::detector::time::Now;
use crate::detector::verdict::Verdict;
use crate::identity::{Digest, Hash};
use crate::wire::{Datagram, EndpointStates};

/// Probes that are made sooner because another agent lost an endpoint come this far apart, over all agents.
const APART: Duration = Duration::from_millis(20);

/// Who said goodbye may be back so soon: a restart, an update.
const BACK_WITHIN: Duration = Duration::from_mins(2);

impl Endpoint {
    pub(super) fn shared_state(&self) -> SharedState {
        match self.watch.as_ref().map(Watch::state) {
            None => SharedState::NotProbed,
            Some(EndpointState::Unknown) => SharedState::Undecided,
            Some(EndpointState::Up) => SharedState::Up,
            Some(EndpointState::Down(_)) => SharedState::Down,
        }
    }
}

impl Endpoints {
    /// What this agent's probes come to.
    pub(in crate::detector) fn states(&self) -> States {
        States::of(self.list.iter().map(Endpoint::shared_state))
    }

    /// The digest of the names of all endpoints: whoever has another knows others.
    pub(in crate::detector) fn digest(&self) -> Digest {
        self.names
    }

    pub(super) fn update_digest(&mut self) {
        let names = self.list.iter().map(|endpoint| endpoint.settings.name.as_bytes());
        self.names = names.fold(Hash::new().field(b"endpoints"), Hash::field).digest();
    }

    pub(in crate::detector) fn name_of(&self, index: usize) -> Option<&str> {
        self.list.get(index).map(|endpoint| endpoint.settings.name.as_str())
    }

    /// Since when this agent's probes of an endpoint have failed, if they do.
    pub(in crate::detector) fn failing_since(&self, name: &str) -> Option<Now> {
        self.list.get(self.place_of(name)?)?.watch.as_ref()?.failing_since()
    }

    /// Whether all that this agent probes are down, and there are some.
    pub(in crate::detector) fn are_all_down(&self) -> bool {
        let mut states = self.list.iter().filter_map(|endpoint| endpoint.watch.as_ref()).map(Watch::state).peekable();
        states.peek().is_some() && states.all(|state| matches!(state, EndpointState::Down(_)))
    }
}

impl Detector {
    /// A peer says what its probes come to. Where it lost an endpoint, this agent looks sooner than it would.
    pub(in crate::detector) fn receive_endpoints(
        &mut self,
        place: usize,
        datagram: &Datagram,
        block: &Arc<EndpointStates>,
        now: Now,
    ) {
        let peer = &mut self.peers[place];
        let before = peer.valid_endpoints().map(|before| before.states.clone()).unwrap_or_default();
        let states = HeldStates { incarnation: datagram.incarnation, block: Arc::clone(block) };
        if !peer.hold_endpoints(states) {
            return;
        }
        if block.list == self.endpoints.digest() && block.states != before {
            self.endpoints.touch();
            self.publication.touch();
            let is_new = |&index: &usize| before.get(index) != SharedState::Down;
            let lost: Vec<usize> = block.states.down().filter(is_new).collect();
            for index in lost {
                self.look_sooner(index, now);
            }
        }
    }

    /// Probes an endpoint before its time, spread over all agents.
    fn look_sooner(&mut self, index: usize, now: Now) {
        let jitter = self.jitter();
        let agents = u32::try_from(self.peers.len()).unwrap_or(u32::MAX);
        let Some(endpoint) = self.endpoints.list.get_mut(index) else { return };
        let schedule = endpoint.settings.schedule;
        let spread = APART.saturating_mul(agents).max(schedule.confirm_period).min(schedule.period);
        let Some(watch) = &mut endpoint.watch else { return };
        if let Some(due) = watch.hasten(now + spread.mul_f64(jitter), now) {
            self.endpoints.turns.push(std::cmp::Reverse((due, index)));
        }
    }

    /// Who says what of the endpoints: this agent and those of its side that it hears, as far as they know the same ones.
    fn words(&self, verdict: &Verdict) -> Vec<Option<&States>> {
        let list = self.endpoints.digest();
        let of = |place: usize| {
            let block = if place == self.me { Some(&*self.row.states) } else { self.peers[place].valid_endpoints() };
            block.filter(|block| block.list == list && verdict.component.has(place)).map(|block| &block.states)
        };
        (0..self.peers.len()).map(of).collect()
    }

    /// Who may probe endpoints and says nothing now: nodes of this side whose word is not there, or is of other endpoints,
    /// and those that said goodbye a moment ago and may be back.
    fn silent_probers(&self, heard: &Bits, verdict: &Verdict, now: Now) -> Bits {
        let mut silent = verdict.component.without(heard);
        let comes_back = |&place: &usize| {
            let peer = &self.peers[place];
            place != self.me && peer.has_left() && now.since(peer.newest.1) < BACK_WITHIN
        };
        silent.extend((0..self.peers.len()).filter(comes_back));
        silent
    }

    fn by_whom(&self, words: &[Option<&States>], verdict: &Verdict, now: Now) -> JudgedBy {
        let mut heard = Bits::none(words.len());
        heard.extend((0..words.len()).filter(|&place| words[place].is_some()));
        let all_heard = verdict.judged.without(&heard).is_empty() && !self.never_heard_anybody();
        let silent = self.silent_probers(&heard, verdict, now);
        JudgedBy { heard, all_heard, silent }
    }

    /// From where each endpoint is reached. Returns who says what of those that the cluster must not lose, by their index, and
    /// how many say nothing; none if nothing is new. At most once in a confirm period: there may be a million words.
    pub(in crate::detector) fn judge_endpoints(
        &mut self,
        verdict: &Verdict,
        now: Now,
    ) -> Option<Vec<(usize, Votes, usize)>> {
        self.endpoints.next_judgement = None;
        if self.endpoints.list.is_empty() && self.publication.services.is_empty() {
            return None;
        }
        let words = self.words(verdict);
        let judged_by = self.by_whom(&words, verdict, now);
        let left = judged_by.silent.iter().filter(|&place| self.peers[place].has_left());
        let back = left.map(|place| self.peers[place].newest.1 + BACK_WITHIN).min();
        if self.endpoints.judged_by.as_ref() == Some(&judged_by) {
            self.endpoints.next_judgement = back;
            return None;
        }
        let rested = self.endpoints.judged + self.timing.confirm_period;
        if now < rested {
            self.endpoints.next_judgement = Some(rested);
            return None;
        }
        let node = |place: usize| {
            let member = &self.peers[place].member;
            (member.name.as_str(), member.zone.as_str())
        };
        let judged: Vec<Votes> = (0..self.endpoints.list.len()).map(|index| Votes::of(index, &words)).collect();
        // Where much is lost at once it is lost by the same nodes: their names are sorted once.
        let mut told: BTreeMap<&Votes, Arc<Reach>> = BTreeMap::new();
        let reach = |votes| {
            let reach = told.entry(votes).or_insert_with(|| Arc::new(votes.reach(judged_by.all_heard, node)));
            Arc::clone(reach)
        };
        let reaches: Vec<Arc<Reach>> = judged.iter().map(reach).collect();
        (self.endpoints.judged, self.endpoints.next_judgement) = (now, back);
        for (endpoint, reach) in self.endpoints.list.iter_mut().zip(reaches) {
            if endpoint.reach != reach {
                endpoint.reach = reach;
                self.view_is_old = true;
            }
        }
        // Of a sample it is not known who would probe it.
        let may_probe = |settings: &EndpointSettings| match settings.from {
            From::All => judged_by.silent.count(),
            From::Sample(_) => 0,
        };
        let settings = self.endpoints.list.iter().map(|endpoint| &*endpoint.settings);
        let all = judged.into_iter().zip(settings).enumerate().filter(|(_, (_, settings))| settings.partition);
        let precious = all.map(|(index, (votes, settings))| (index, votes, may_probe(settings))).collect();
        self.endpoints.judged_by = Some(judged_by);
        Some(precious)
    }
}
