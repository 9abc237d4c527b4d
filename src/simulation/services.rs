//! Endpoints in virtual time: what is there, how it fares, who does not reach it, and who asked when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::World;
use crate::detector::Input;
use crate::detector::bits::Bits;
use crate::detector::endpoints::{ProbeOrder, Probed};
use crate::detector::outcome::{Ailment, Cause, Outcome};
use crate::detector::settings::EndpointSettings;
use crate::detector::time::Now;

/// How long an endpoint takes to answer.
const ANSWER: Duration = Duration::from_millis(2);

/// How an endpoint fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers as it should.
    Well,
    /// Nothing listens there.
    Refuses,
    /// It takes a connection and says nothing.
    Hangs,
    /// It answers, and says that something is wrong with it.
    Ails(Ailment),
}

#[derive(Debug)]
struct Service {
    settings: EndpointSettings,
    health: Health,
    /// Hosts from which nothing reaches it.
    missed_by: Bits,
    /// When it was asked, by whom, and when that was over.
    asked: Vec<(Now, usize, Now)>,
}

/// All endpoints by name.
#[derive(Debug, Default)]
pub(super) struct Services(BTreeMap<String, Service>);

impl Services {
    pub(super) fn settings(&self) -> Vec<EndpointSettings> {
        self.0.values().map(|service| service.settings.clone()).collect()
    }
}

impl World {
    /// An endpoint that fares well. Agents that start from now on probe it.
    pub fn add_endpoint(&mut self, settings: EndpointSettings) {
        let missed_by = Bits::none(self.size());
        let service = Service { settings: settings.clone(), health: Health::Well, missed_by, asked: Vec::new() };
        self.services.0.insert(settings.name, service);
    }

    /// How an endpoint fares from now on.
    pub fn set_health(&mut self, endpoint: &str, health: Health) {
        if let Some(service) = self.services.0.get_mut(endpoint) {
            service.health = health;
        }
    }

    /// From now on an endpoint is reached from a host, or no longer.
    pub fn let_reach(&mut self, endpoint: &str, host: usize, reaches: bool) {
        if let Some(service) = self.services.0.get_mut(endpoint) {
            if reaches { service.missed_by.clear(host) } else { service.missed_by.set(host) }
        }
    }

    /// When an endpoint was probed, from which host, and when that was over.
    pub fn probes(&self, endpoint: &str) -> &[(Now, usize, Now)] {
        self.services.0.get(endpoint).map_or(&[], |service| &service.asked)
    }

    /// Probes an endpoint, as it is now.
    pub(super) fn probe(&mut self, host: usize, order: &ProbeOrder) {
        let (number, endpoint, now) = (order.number, order.endpoint.name.clone(), self.now);
        let Some(service) = self.services.0.get_mut(&endpoint) else { return };
        let timeout = order.endpoint.schedule.timeout;
        let (outcome, takes) = match service.health {
            _ if service.missed_by.has(host) => (Outcome::Failure(Cause::Timeout), timeout),
            Health::Well => (Outcome::Success, ANSWER),
            Health::Refuses => (Outcome::Failure(Cause::Refused), ANSWER),
            Health::Hangs => (Outcome::Failure(Cause::Timeout), timeout),
            Health::Ails(ailment) => (Outcome::Failure(Cause::Unhealthy(ailment)), ANSWER),
        };
        let over = now + takes;
        // Who does not run does not see the answer in time.
        let sees = self.hosts[host].running.next(over).since(now);
        let outcome = if sees > timeout { Outcome::Failure(Cause::Timeout) } else { outcome };
        let Some(service) = self.services.0.get_mut(&endpoint) else { return };
        service.asked.push((now, host, over));
        self.answer(host, Input::Probed(Probed { number, endpoint, outcome }), over);
    }
}
