//! What the agents tell each other of endpoints, and what that comes to.

use std::sync::Arc;
use std::time::Duration;

use super::reach::Votes;
use super::watch::{EndpointState, Watch};
use super::{Endpoint, Endpoints};
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

    /// From where each endpoint is reached. Returns who says what of those that the cluster must not lose, by their index;
    /// none if nothing is new.
    pub(in crate::detector) fn judge_endpoints(&mut self, verdict: &Verdict) -> Option<Vec<(usize, Votes)>> {
        let words = self.words(verdict);
        let mut judged_by = Bits::none(words.len());
        judged_by.extend((0..words.len()).filter(|&place| words[place].is_some()));
        let all_heard = verdict.judged.without(&judged_by).is_empty();
        let judged_by = Some((judged_by, all_heard));
        if self.endpoints.judged_by == judged_by {
            return None;
        }
        let node = |place: usize| {
            let member = &self.peers[place].member;
            (member.name.as_str(), member.zone.as_str())
        };
        let judged: Vec<Votes> = (0..self.endpoints.list.len()).map(|index| Votes::of(index, &words)).collect();
        let reaches: Vec<_> = judged.iter().map(|votes| votes.reach(all_heard, node)).collect();
        for (endpoint, reach) in self.endpoints.list.iter_mut().zip(reaches) {
            if *endpoint.reach != reach {
                endpoint.reach = Arc::new(reach);
                self.view_is_old = true;
            }
        }
        self.endpoints.judged_by = judged_by;
        let list = &self.endpoints.list;
        Some(judged.into_iter().enumerate().filter(|&(index, _)| list[index].settings.partition).collect())
    }
}
