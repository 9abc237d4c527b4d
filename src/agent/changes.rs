//! What an operator changed and the loop has not taken yet. It has room for one change: those that come before the loop
//! looks become one, and nothing of them is lost.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::detector::overruling::Overruling;
use crate::detector::settings::Settings;
use crate::network::SourcePorts;

/// What is to hold from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) settings: Option<Settings>,
    pub(super) source_ports: Option<SourcePorts>,
    /// The keys of the configuration that have other values, if that is to be told.
    pub(super) told: Option<BTreeSet<String>>,
    /// What an operator says of the mode.
    pub(super) overruling: Option<Overruled>,
    /// Nodes that will not return.
    pub(super) forgotten: BTreeSet<String>,
}

/// What overrules the mode from now on; none: nothing does any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overruled(pub(super) Option<Overruling>);

/// The place where a change waits.
#[derive(Debug, Default)]
pub(super) struct Changes {
    waiting: Mutex<Change>,
    comes: Notify,
}

impl Changes {
    pub(super) fn settings(&self, settings: Settings, changed: Vec<String>) {
        let mut waiting = self.waiting();
        waiting.settings = Some(settings);
        waiting.told.get_or_insert_default().extend(changed);
        self.comes.notify_one();
    }

    pub(super) fn source_ports(&self, ports: SourcePorts) {
        self.waiting().source_ports = Some(ports);
        self.comes.notify_one();
    }

    pub(super) fn overrule(&self, wanted: Option<Overruling>) {
        self.waiting().overruling = Some(Overruled(wanted));
        self.comes.notify_one();
    }

    pub(super) fn forget(&self, node: String) {
        self.waiting().forgotten.insert(node);
        self.comes.notify_one();
    }

    /// Waits for the next one. To drop it loses nothing.
    pub(super) async fn next(&self) -> Change {
        loop {
            let change = std::mem::take(&mut *self.waiting());
            if change != Change::default() {
                return change;
            }
            self.comes.notified().await;
        }
    }

    /// Whoever panicked with it in hand left it whole.
    fn waiting(&self) -> MutexGuard<'_, Change> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
