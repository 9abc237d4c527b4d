//! The thread that looks for an operator's orders every second, and tells the agent. A disk that hangs delays them, and
//! nothing else. The thread ends when the last [`OrdersWatch`] is dropped.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::{ForgetOrder, OrderError, Orders, OverrideOrder, read, understood};
use crate::agent::AgentHandle;
use crate::clock::Clock;
use crate::detector::overruling::Overruling;
use crate::panics::TellsOfAPanic;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Dropped, it lets the thread end.
#[derive(Clone, Debug)]
pub struct OrdersWatch {
    _lets_it_run: SyncSender<()>,
}

/// Looks for orders to `agent`.
///
/// # Errors
/// The system has no thread to give.
pub fn start(orders: Orders, agent: AgentHandle, clock: Clock) -> io::Result<OrdersWatch> {
    let (keeps, kept) = sync_channel(1);
    let watch = Watch { orders, agent, clock, overriding: Ok(None), taken: BTreeSet::new(), is_unreadable: false };
    thread::Builder::new().name("orders".to_owned()).spawn(move || {
        let _told =
            TellsOfAPanic("the thread that looks for orders has ended: `override` and `forget` wait for a restart");
        watch.run(&kept);
    })?;
    Ok(OrdersWatch { _lets_it_run: keeps })
}

struct Watch {
    orders: Orders,
    agent: AgentHandle,
    clock: Clock,
    /// What was read last.
    overriding: Result<Option<OverrideOrder>, OrderError>,
    /// Orders that are done and could not be taken away.
    taken: BTreeSet<PathBuf>,
    is_unreadable: bool,
}

impl Watch {
    fn run(mut self, kept: &Receiver<()>) {
        loop {
            self.look_for_an_override();
            self.look_for_nodes_to_forget();
            if kept.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// An order that cannot be read changes nothing.
    fn look_for_an_override(&mut self) {
        let found = self.orders.overriding();
        if found == self.overriding {
            return;
        }
        match &found {
            Ok(order) => self.agent.overrule(order.as_ref().and_then(|order| overruling(order, self.clock.wall()))),
            Err(error) => tracing::error!(%error, "the override in the state directory is not followed"),
        }
        self.overriding = found;
    }

    fn look_for_nodes_to_forget(&mut self) {
        let found = self.orders.to_forget();
        if let Err(error) = &found
            && !self.is_unreadable
        {
            tracing::error!(%error, "the state directory cannot be looked through for orders");
        }
        self.is_unreadable = found.is_err();
        let found = found.unwrap_or_default();
        self.taken.retain(|path| found.contains(path));
        for path in found {
            if !self.taken.contains(&path) {
                self.forget(&path);
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        match read(path).and_then(|bytes| bytes.as_deref().map(understood).transpose()) {
            Ok(Some(ForgetOrder { node })) => self.agent.forget(node),
            Ok(None) => return,
            Err(error) => tracing::error!(%error, file = %path.display(), "an order is not followed"),
        }
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(%error, file = %path.display(), "an order that is done cannot be taken away");
            self.taken.insert(path.to_owned());
        }
    }
}

/// What the agent is told of an order; nothing if its time is over.
fn overruling(order: &OverrideOrder, wall: Duration) -> Option<Overruling> {
    let end = Duration::try_from(order.end().ok()?.as_duration()).ok()?;
    let lasts = end.checked_sub(wall).filter(|left| !left.is_zero())?;
    Some(Overruling { mode: order.mode, lasts, reason: order.reason.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::mode::Mode;

    #[test]
    fn an_order_holds_for_what_is_left_of_its_time() {
        let order = OverrideOrder { mode: Mode::Majority, until: "2026-11-22T13:00:00Z".into(), reason: "?".into() };
        let (noon, hour) = (Duration::from_secs(1_795_348_800), Duration::from_secs(3600));
        let lasts = |wall| overruling(&order, wall).map(|told| told.lasts);
        assert_eq!([lasts(noon), lasts(noon + hour), lasts(noon + hour * 2)], [Some(hour), None, None]);
        assert_eq!(OverrideOrder::from(noon, order.mode, hour, order.reason.clone()), order);
    }
}
