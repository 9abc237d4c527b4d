//! The thread that looks for an operator's orders every second, and tells the agent. A disk that hangs delays them, and
//! nothing else. The thread ends when the last [`OrdersWatch`] is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::{ForgetOrder, OrderError, Orders, OverrideOrder, read, understood};
use crate::agent::AgentHandle;
use crate::clock::Clock;
use crate::detector::mode::Mode;
use crate::detector::overruling::Overruling;
use crate::detector::time::Now;
use crate::panics::TellsOfAPanic;

/// Two ends that differ by less are one.
const SAME: Duration = Duration::from_secs(2);

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// For how many looks more an order is there that the agent was told: should it die before it is durable what it made of it,
/// its next run is told again.
const LOOKS: u8 = 2;

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
    let watch = Watch {
        orders,
        agent,
        clock,
        overriding: Ok(None),
        told: None,
        told_to_forget: BTreeMap::new(),
        taken: BTreeSet::new(),
        is_unreadable: false,
    };
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
    /// What the agent was told last.
    told: Option<Told>,
    /// Orders that the agent was told, and for how many looks more they are there.
    told_to_forget: BTreeMap<PathBuf, u8>,
    /// Orders that are done and could not be taken away, or cannot be read.
    taken: BTreeSet<PathBuf>,
    is_unreadable: bool,
}

/// An override as the agent has it.
struct Told {
    mode: Mode,
    reason: String,
    until: Now,
}

impl Told {
    fn is_about(&self, other: &Self) -> bool {
        let apart = self.until.since(other.until).max(other.until.since(self.until));
        self.mode == other.mode && self.reason == other.reason && apart < SAME
    }
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

    /// An order that cannot be read changes nothing. What is left of one is reckoned at each look: the clock may have been
    /// set, and the detector goes by another.
    fn look_for_an_override(&mut self) {
        let found = self.orders.overriding();
        if found != self.overriding
            && let Err(error) = &found
        {
            tracing::error!(%error, "the override in the state directory is not followed");
        }
        if let Ok(order) = &found {
            self.follow(order.as_ref());
        }
        self.overriding = found;
    }

    fn follow(&mut self, order: Option<&OverrideOrder>) {
        let left = order.and_then(|order| Some((order, order.left(self.clock.wall())?)));
        let wanted = left.map(|(order, lasts)| Told {
            mode: order.mode,
            reason: order.reason.clone(),
            until: self.clock.now() + lasts,
        });
        let is_the_same = match (&self.told, &wanted) {
            (None, None) => true,
            (Some(told), Some(wanted)) => told.is_about(wanted),
            _ => false,
        };
        if is_the_same {
            return;
        }
        let overruling =
            left.map(|(order, lasts)| Overruling { mode: order.mode, lasts, reason: order.reason.clone() });
        // One whose time is over ends by itself in the detector, and says so.
        let expired = order.is_some() && overruling.is_none();
        if !expired || self.told.as_ref().is_some_and(|told| told.until > self.clock.now() + SAME) {
            self.agent.overrule(overruling);
        }
        self.told = wanted;
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
        self.told_to_forget.retain(|path, _| found.contains(path));
        for path in found {
            if self.taken.contains(&path) {
                continue;
            }
            match self.told_to_forget.get_mut(&path) {
                Some(0) => self.take_away(&path),
                Some(looks) => *looks -= 1,
                None => self.forget(&path),
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        let order = read(path).and_then(|bytes| bytes.as_deref().map(understood::<ForgetOrder>).transpose());
        let order =
            order.and_then(|order| order.map(|order| order.holds(self.clock.wall()).map(|()| order)).transpose());
        match order {
            Ok(Some(ForgetOrder { node, .. })) => {
                self.agent.forget(node);
                self.told_to_forget.insert(path.to_owned(), LOOKS);
            }
            Ok(None) => {}
            Err(error @ OrderError::Unreadable(_)) => {
                tracing::error!(%error, file = %path.display(), "an order is not followed, and stays");
                self.taken.insert(path.to_owned());
            }
            Err(error) => {
                tracing::error!(%error, file = %path.display(), "an order is not followed");
                self.take_away(path);
            }
        }
    }

    fn take_away(&mut self, path: &Path) {
        self.told_to_forget.remove(path);
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(%error, file = %path.display(), "an order that is done cannot be taken away");
            self.taken.insert(path.to_owned());
        }
    }
}
