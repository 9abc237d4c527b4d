//! Whose probe goes when, and what its end sets off.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::sample::{Candidate, is_chosen, seed_of};
use super::settings::{EndpointSettings, From};
use super::watch::{Change, EndpointState, Watch};
use super::{Class, Endpoint, ProbeNumber, ProbeOrder, Probed, UnderWay};
use crate::detector::event::Event;
use crate::detector::link::LinkState;
use crate::detector::outcome::Outcome;
use crate::detector::time::Now;
use crate::detector::view::EndpointView;
use crate::detector::{Detector, Output};
use crate::identity::{Digest, Hash, NodeId};

/// Who probes what is looked at anew no sooner than this after it changed: a rolling update is many changes.
const RESAMPLED_AFTER: Duration = Duration::from_secs(5);

/// So long after its timeout a probe is given up of which nothing is heard.
const OVERDUE_AFTER: Duration = Duration::from_secs(5);

impl Detector {
    /// These endpoints are probed from now on. One that stays as it was goes on where it is.
    pub(in crate::detector) fn set_endpoints(&mut self, settings: &[EndpointSettings], now: Now) {
        let mut before: BTreeMap<String, Endpoint> =
            self.endpoints.list.drain(..).map(|endpoint| (endpoint.settings.name.clone(), endpoint)).collect();
        let mut list: Vec<Endpoint> = Vec::with_capacity(settings.len());
        for settings in settings {
            let kept = before.remove(&settings.name).filter(|kept| *kept.settings == *settings);
            list.push(kept.unwrap_or_else(|| Endpoint::new(settings.clone())));
        }
        list.sort_by(|one, other| one.settings.name.cmp(&other.settings.name));
        self.endpoints.list = list;
        self.endpoints.update_digest();
        self.endpoints.touch();
        self.publication.touch();
        self.endpoints.start_anew();
        self.endpoints.sampled = Digest::NONE;
        self.sample_endpoints(now);
    }

    /// What is due of it.
    pub(in crate::detector) fn tend_endpoints(&mut self, now: Now) {
        if self.endpoints.sampling.is_some_and(|due| due <= now) {
            self.sample_endpoints(now);
        }
        if self.endpoints.overdue.is_none_or(|due| due <= now) {
            self.endpoints.overdue = Some(now + OVERDUE_AFTER);
            self.give_up_what_never_ended(now);
        }
        while let Some(&Reverse((due, place))) = self.endpoints.turns.peek() {
            if due > now {
                break;
            }
            self.endpoints.turns.pop();
            if self.endpoints.is_due(place, due) {
                self.begin_probe(place, now);
            }
        }
    }

    /// Who probes hangs, or is gone: then nothing is known of what it was asked for. Else it would be well for ever.
    fn give_up_what_never_ended(&mut self, now: Now) {
        let is_over = |endpoint: &&Endpoint| {
            let began = endpoint.watch.as_ref().and_then(Watch::asked);
            began.is_some_and(|began| now.since(began) > endpoint.settings.schedule.timeout + OVERDUE_AFTER)
        };
        let given_up = |endpoint: &Endpoint| {
            let number = endpoint.under_way?.number;
            Some(Probed { number, endpoint: endpoint.settings.name.clone(), outcome: Outcome::Inconclusive })
        };
        let over: Vec<Probed> = self.endpoints.list.iter().filter(is_over).filter_map(given_up).collect();
        for probed in over {
            self.learn_probed(&probed, now);
        }
    }

    /// A node came, went, or is heard otherwise.
    pub(in crate::detector) fn who_probes_may_change(&mut self, now: Now) {
        if self.endpoints.list.iter().any(|endpoint| matches!(endpoint.settings.from, From::Sample(_))) {
            self.endpoints.sampling.get_or_insert(now + RESAMPLED_AFTER);
        }
    }

    /// The nodes that an endpoint could be probed from: who is gone, or not heard, does not.
    fn sample_endpoints(&mut self, now: Now) {
        self.endpoints.sampling = None;
        let probes = |place: usize| {
            let state = self.peers[place].link.state();
            place == self.me || matches!(state, LinkState::Up | LinkState::Unknown)
        };
        let candidates: Vec<Candidate<'_>> = (0..self.peers.len())
            .filter(|&place| probes(place))
            .map(|place| Candidate { id: self.peers[place].id, zone: &self.peers[place].member.zone })
            .collect();
        // Until somebody is known, or said not to be there, it is not known who else probes.
        let knows_others = self.peers.len() > 1 || self.membership.is_listed();
        let nodes = candidates.iter().fold(Hash::new().field(&[knows_others.into()]), |hash, candidate| {
            hash.field(&candidate.id.0.to_be_bytes()).field(candidate.zone.as_bytes())
        });
        let nodes = nodes.digest();
        if std::mem::replace(&mut self.endpoints.sampled, nodes) == nodes {
            return;
        }
        let me = self.id;
        for (place, endpoint) in self.endpoints.list.iter_mut().enumerate() {
            let mine = match endpoint.settings.from {
                From::All => true,
                From::Sample(count) => knows_others && is_chosen(me, endpoint.seed, count.get().into(), &candidates),
            };
            match (&endpoint.watch, mine) {
                (None, true) => {
                    let watch = Watch::new(endpoint.settings.schedule, endpoint.place_in_period(me), now);
                    self.endpoints.turns.extend(watch.next().map(|due| Reverse((due, place))));
                    endpoint.watch = Some(watch);
                }
                (Some(_), false) => endpoint.watch = None,
                _ => {}
            }
        }
        self.row.touch();
        self.view_is_old = true;
    }

    fn begin_probe(&mut self, place: usize, now: Now) {
        let endpoints = &mut self.endpoints;
        let Some(endpoint) = endpoints.list.get_mut(place) else { return };
        // One that others probed meanwhile may still be under way from before.
        let Some(watch) = endpoint.watch.as_mut().filter(|_| endpoint.under_way.is_none()) else { return };
        let class = if watch.is_sound() { Class::Sound } else { Class::Failing };
        if endpoints.under_way[class.index()] >= class.limit() {
            endpoint.waits = true;
            endpoints.waiting[class.index()].push_back(place);
            return;
        }
        watch.begin(now);
        endpoints.last += 1;
        endpoints.under_way[class.index()] += 1;
        let number = ProbeNumber(endpoints.last);
        endpoint.under_way = Some(UnderWay { number, class });
        let order = ProbeOrder { number, endpoint: Arc::clone(&endpoint.settings) };
        self.emit(Output::Probe(order));
    }

    /// A probe has ended.
    pub(in crate::detector) fn learn_probed(&mut self, probed: &Probed, now: Now) {
        let jitter = self.jitter();
        let endpoints = &mut self.endpoints;
        let Some(place) = endpoints.place_of(&probed.endpoint) else { return };
        let endpoint = &mut endpoints.list[place];
        let Some(under_way) = endpoint.under_way.take_if(|under_way| under_way.number == probed.number) else { return };
        let index = under_way.class.index();
        endpoints.under_way[index] = endpoints.under_way[index].saturating_sub(1);
        let shared = endpoint.shared_state();
        let change = endpoint.watch.as_mut().and_then(|watch| {
            let change = watch.end(probed.outcome, jitter, now);
            watch.forget(now);
            change
        });
        if endpoint.shared_state() != shared {
            self.row.touch();
        }
        endpoints.turns.extend(endpoint.watch.as_ref().and_then(Watch::next).map(|due| Reverse((due, place))));
        if let Some(change) = change {
            self.tell_endpoint(place, change, now);
            self.view_is_old = true;
        }
        self.begin_those_that_wait(under_way.class, now);
    }

    fn begin_those_that_wait(&mut self, class: Class, now: Now) {
        while self.endpoints.under_way[class.index()] < class.limit() {
            let Some(place) = self.endpoints.waiting[class.index()].pop_front() else { break };
            self.endpoints.list[place].waits = false;
            self.begin_probe(place, now);
        }
    }

    fn tell_endpoint(&mut self, place: usize, change: Change, now: Now) {
        let settings = &self.endpoints.list[place].settings;
        let (endpoint, kind) = (settings.name.clone(), settings.kind.to_owned());
        match change {
            Change::Down { cause, since } => {
                let failing_for = now.since(since);
                self.emit_event(Event::EndpointDown { endpoint, kind, cause, failing_for });
            }
            Change::Up { down_since: Some(since) } => {
                self.emit_event(Event::EndpointUp { endpoint, kind, down_for: now.since(since) });
            }
            Change::Up { down_since: None } => {}
        }
    }

    pub(in crate::detector) fn endpoint_views(&self, now: Now) -> Vec<EndpointView> {
        let view = |endpoint: &Endpoint| EndpointView {
            settings: Arc::clone(&endpoint.settings),
            is_probed: endpoint.watch.is_some(),
            state: endpoint.watch.as_ref().map_or(EndpointState::Unknown, Watch::state),
            state_for: endpoint.watch.as_ref().map(|watch| now.since(watch.since())),
            failures: endpoint.watch.as_ref().map_or(0, Watch::failures),
            breaker: endpoint.watch.as_ref().map(Watch::breaker),
            judged_before: endpoint.watch.as_ref().and_then(Watch::judged).map(|judged| now.since(judged)),
            reach: Arc::clone(&endpoint.reach),
        };
        self.endpoints.list.iter().map(view).collect()
    }
}

impl Endpoint {
    fn new(settings: EndpointSettings) -> Self {
        let seed = seed_of(&settings.name);
        Self { settings: Arc::new(settings), seed, watch: None, under_way: None, waits: false, reach: Arc::default() }
    }

    /// Where in the period this agent has its turn: by hash, so that a thousand agents do not come at once.
    fn place_in_period(&self, me: NodeId) -> f64 {
        let hash = Hash::new().field(&me.0.to_be_bytes()).field(&self.seed.to_be_bytes());
        f64::from(u32::from_be_bytes(hash.first())) / (f64::from(u32::MAX) + 1.0)
    }
}

impl super::Endpoints {
    fn is_due(&self, place: usize, due: Now) -> bool {
        self.list.get(place).is_some_and(|endpoint| {
            !endpoint.waits && endpoint.watch.as_ref().and_then(Watch::next).is_some_and(|next| next <= due)
        })
    }

    /// The places changed: whoever waited is due again, and what is under way is counted anew.
    fn start_anew(&mut self) {
        self.turns.clear();
        self.waiting.iter_mut().for_each(std::collections::VecDeque::clear);
        self.under_way = [0; 2];
        for (place, endpoint) in self.list.iter_mut().enumerate() {
            endpoint.waits = false;
            if let Some(under_way) = endpoint.under_way {
                self.under_way[under_way.class.index()] += 1;
            }
            self.turns.extend(endpoint.watch.as_ref().and_then(Watch::next).map(|due| Reverse((due, place))));
        }
    }
}
