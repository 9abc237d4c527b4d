//! What a changed configuration does to the agent that runs: every part gets what is new for it. Nothing here can fail,
//! so that no change is put into force by half.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use netsplit::agent::AgentHandle;
use netsplit::audit;
use netsplit::clock::Clock;
use netsplit::config::{self, Authentication, Change, Config, Endpoint, Expose};
use netsplit::discovery::{self, DnsList, Families, KubernetesList, Pace, StaticList, Switch};
use netsplit::key_watch::KeyWatch;
use netsplit::probe::keeper;
use netsplit::probe::prober::{Aim, Desk, Targets};

/// Everything that a change may reach.
pub(super) struct Parts {
    pub(super) agent: AgentHandle,
    pub(super) discovery: DiscoverySwitch,
    /// None without keys: then none can come, either.
    pub(super) keys: Option<KeyWatch>,
    pub(super) expose_all: Arc<AtomicBool>,
    pub(super) audit: audit::Readers,
    pub(super) probes: Arc<Desk>,
    pub(super) kafka_consumer_lag: Arc<AtomicU64>,
}

impl Parts {
    /// Puts `change` into force. The agent comes last: it says that all has changed.
    pub(super) fn take(&self, change: Change) {
        let Change { config, changed, keys, .. } = change;
        let has_changed = |above: &str| changed.iter().any(|key| key.starts_with(above));
        if let (Some(watch), Some(keys), Authentication::Keys(directory)) = (&self.keys, keys, &config.authentication) {
            watch.move_to(directory.clone(), keys);
        }
        self.probes.change_targets(targets_of(&config));
        if has_changed("peers.discovery.") {
            self.discovery.switch_to(config.discovery);
        }
        if has_changed("audit.") {
            let audit::Settings { max_size, keep, stdout, .. } = config.audit;
            self.audit.change(max_size, keep, stdout);
        }
        self.kafka_consumer_lag.store(config.kafka_consumer_lag, Ordering::Relaxed);
        self.expose_all.store(config.http_expose == Expose::All, Ordering::Relaxed);
        self.agent.change_source_ports(config.source_ports);
        self.agent.change_settings(config.settings, changed);
    }
}

/// What is probed, for the thread that does.
pub(super) fn targets_of(config: &Config) -> Targets {
    let aim = |endpoint: &Endpoint| {
        let keep = endpoint.schedule.keep.then(|| keeper::every(endpoint.schedule.period));
        (endpoint.name.clone(), Aim { target: endpoint.target.clone(), keep })
    };
    config.endpoints.iter().map(aim).collect()
}

/// A way to another discovery of the same kind; the kind is for the whole run.
pub(super) enum DiscoverySwitch {
    Static(Switch<StaticList>),
    Dns(Switch<DnsList>, Families),
    Kubernetes(Switch<KubernetesList>, Families),
}

impl DiscoverySwitch {
    fn switch_to(&self, chosen: config::Discovery) {
        match (self, chosen) {
            (Self::Static(switch), config::Discovery::Static(list)) => switch.to(StaticList::new(list)),
            (Self::Dns(switch, families), config::Discovery::Dns(settings)) => {
                switch.to(DnsList::new(settings, *families));
            }
            (Self::Kubernetes(switch, families), config::Discovery::Kubernetes(settings)) => {
                switch.to(KubernetesList::new(settings, *families));
            }
            // Such a change was refused.
            (Self::Static(_) | Self::Dns(..) | Self::Kubernetes(..), _) => {}
        }
    }
}

/// Begins to find out who belongs, for a socket that reaches `families`.
pub(super) fn start_discovery(
    chosen: config::Discovery,
    families: Families,
    clock: Clock,
) -> (discovery::Discovery, DiscoverySwitch) {
    match chosen {
        config::Discovery::Static(list) => {
            let (discovery, switch) = discovery::Discovery::fixed_with_switch(list, clock);
            (discovery, DiscoverySwitch::Static(switch))
        }
        config::Discovery::Dns(settings) => {
            let list = DnsList::new(settings, families);
            let (discovery, switch) = discovery::Discovery::start_with_switch(list, Pace::default(), clock);
            (discovery, DiscoverySwitch::Dns(switch, families))
        }
        config::Discovery::Kubernetes(settings) => {
            let (list, pace) = (KubernetesList::new(settings, families), Pace::OF_KUBERNETES);
            let (discovery, switch) = discovery::Discovery::start_with_switch(list, pace, clock);
            (discovery, DiscoverySwitch::Kubernetes(switch, families))
        }
    }
}
