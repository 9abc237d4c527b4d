//! The virtual discovery: who is listed, how late the hosts learn of it, and who does not learn at all.

use std::time::Duration;

use crate::detector::bits::Bits;
use crate::detector::time::Now;

/// How a world's hosts learn who belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// How often each host is told.
    pub period: Duration,
    /// Whether names are told, or addresses only.
    pub names: bool,
}

/// What is listed, and since when.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) discovery: Discovery,
    /// How old the list is that hosts are told.
    pub(super) lag: Duration,
    versions: Vec<(Now, Bits)>,
    down: Bits,
    leaving: Bits,
}

impl Lists {
    pub(super) fn new(discovery: Discovery, listed: Bits, now: Now) -> Self {
        let none = Bits::none(listed.len());
        Self { discovery, lag: Duration::ZERO, versions: vec![(now, listed)], down: none.clone(), leaving: none }
    }

    pub(super) fn list(&mut self, host: usize, listed: bool, now: Now) {
        let Some((_, newest)) = self.versions.last() else { return };
        let mut next = newest.clone();
        if listed {
            next.set(host);
        } else {
            next.clear(host);
        }
        self.versions.push((now, next));
    }

    pub(super) fn set_down(&mut self, host: usize, down: bool) {
        if down { self.down.set(host) } else { self.down.clear(host) }
    }

    pub(super) fn set_leaving(&mut self, host: usize, leaving: bool) {
        if leaving { self.leaving.set(host) } else { self.leaving.clear(host) }
    }

    /// Whose agents are being ended, as the lists say.
    pub(super) fn leaving(&self) -> &Bits {
        &self.leaving
    }

    /// What a host is told now, if its discovery answers at all.
    pub(super) fn told(&self, host: usize, now: Now) -> Option<&Bits> {
        let old_enough = self.versions.iter().rev().find(|(at, _)| *at + self.lag <= now);
        let (_, listed) = old_enough.or(self.versions.first())?;
        (!self.down.has(host)).then_some(listed)
    }
}
