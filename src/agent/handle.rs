//! How others see an agent that runs, and what they can tell it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::Counters;
use super::changes::Changes;
use crate::detector::overruling::Overruling;
use crate::detector::settings::Settings;
use crate::detector::view::View;
use crate::discovery::Status;
use crate::network::SourcePorts;
use crate::state;
use crate::wire::{GoodbyeReason, Keys};

/// Stop, and stop again: more need not wait in the queue.
const COMMANDS: usize = 4;

/// What an agent can be told while it runs.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Stop(GoodbyeReason),
}

/// The agent's ends of what its handles hold.
pub(super) struct Doors {
    pub(super) view: watch::Sender<Arc<View>>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) keys: watch::Receiver<Keys>,
    pub(super) changes: Arc<Changes>,
}

/// How others see an agent that runs, and stop it. It goes on when all of its handles are gone.
#[derive(Clone, Debug)]
pub struct AgentHandle {
    view: watch::Receiver<Arc<View>>,
    counters: Arc<Counters>,
    discovery: watch::Receiver<Status>,
    commands: mpsc::Sender<Command>,
    new_keys: watch::Sender<Keys>,
    changes: Arc<Changes>,
    kept: Option<Arc<state::Counters>>,
}

/// A first handle, and the ends that belong to it.
pub(super) fn pair(
    view: Arc<View>,
    keys: &Keys,
    counters: Arc<Counters>,
    discovery: watch::Receiver<Status>,
    kept: Option<Arc<state::Counters>>,
) -> (AgentHandle, Doors) {
    let (shown, view) = watch::channel(view);
    let (commander, commands) = mpsc::channel(COMMANDS);
    let (new_keys, keys) = watch::channel(keys.clone());
    let changes = Arc::new(Changes::default());
    let doors = Doors { view: shown, commands, keys, changes: Arc::clone(&changes) };
    (AgentHandle { view, counters, discovery, commands: commander, new_keys, changes, kept }, doors)
}

impl AgentHandle {
    /// What the agent knows; a new one when that has changed.
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// What the shell has counted; what the detector counts is in the view.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The same counters, to be kept.
    pub fn shared_counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// How the discovery fares; a new one after every round.
    pub fn discovery(&self) -> watch::Receiver<Status> {
        self.discovery.clone()
    }

    /// What became of the states that the agent handed out. None if it keeps nothing.
    pub fn state(&self) -> Option<&state::Counters> {
        self.kept.as_deref()
    }

    /// The same counts, to be kept.
    pub fn shared_state(&self) -> Option<Arc<state::Counters>> {
        self.kept.clone()
    }

    /// From now on these keys vouch for datagrams. What each peer said of its keys is not forgotten.
    pub fn replace_keys(&self, keys: Keys) {
        self.counters.reloaded_keys(keys.len());
        self.new_keys.send_replace(keys);
    }

    /// Counts that the keys could not be read again; those of before stay.
    pub fn keys_not_reloaded(&self) {
        self.counters.failed_to_reload_keys();
    }

    /// From now on these settings hold. Cluster and node stay those of the start. `changed`: the keys of the configuration
    /// that have other values now, as `section.key`; the agent tells them as [`super::ShellEvent::ConfigReloaded`].
    pub fn change_settings(&self, settings: Settings, changed: Vec<String>) {
        self.changes.settings(settings, changed);
    }

    /// From now on datagrams leave from so many source ports.
    pub fn change_source_ports(&self, ports: SourcePorts) {
        self.changes.source_ports(ports);
    }

    /// An operator puts another mode in the place of the one that the agent judges, or takes that back.
    pub fn overrule(&self, wanted: Option<Overruling>) {
        self.changes.overrule(wanted);
    }

    /// An operator says that a node will not return.
    pub fn forget(&self, node: String) {
        self.changes.forget(node);
    }

    /// Lets the agent say goodbye, and then end.
    pub fn stop(&self, reason: GoodbyeReason) {
        // A full queue is full of stops, and a closed one is of an agent that has ended.
        let _ = self.commands.try_send(Command::Stop(reason));
    }
}
