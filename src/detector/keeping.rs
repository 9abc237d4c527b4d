//! What this agent keeps beyond its run: when it is handed out, and what of it is known to be durable.

use std::collections::BTreeMap;
use std::time::Duration;

use super::saved::{Micros, Saved, SavedNode, Serial};
use super::time::Now;
use super::{Detector, Output};
use crate::identity::NodeId;

/// How old the times may be at which peers were heard last, as they are kept: a crash then makes a silence seem this
/// much longer.
const REFRESH: Duration = Duration::from_secs(60);

/// How long what nothing rests on may wait to be kept.
const SOON: Duration = Duration::from_secs(1);

/// What is kept, beside what the detector holds anyway.
#[derive(Debug)]
pub(super) struct Keeping {
    /// Where this run began on the scale of incarnations.
    born: Micros,
    /// When any run of this agent heard each node last, as far as it is not a link's own matter.
    pub(super) heard: BTreeMap<NodeId, Micros>,
    /// When the state is handed out because it changed.
    wanted: Option<Now>,
    next_refresh: Now,
    pub(super) handed_out: Serial,
    pub(super) durable: Serial,
}

impl Keeping {
    pub(super) fn new(born: Micros, now: Now) -> Self {
        let (heard, handed_out, durable) = (BTreeMap::new(), Serial(0), Serial(0));
        Self { born, heard, wanted: Some(now), next_refresh: now + REFRESH, handed_out, durable }
    }

    /// Something changed that is to be kept, now.
    pub(super) fn want(&mut self) {
        self.wanted = Some(Now::START);
    }

    /// Something changed that is to be kept, and nothing rests on it: while a large cluster starts or breaks, a thousand
    /// such changes a second are one.
    pub(super) fn want_soon(&mut self, now: Now) {
        self.wanted.get_or_insert(now + SOON);
    }

    /// The number under which what changes now will be handed out.
    pub(super) fn next_serial(&self) -> Serial {
        Serial(self.handed_out.0 + 1)
    }

    /// Everything up to this number is durable.
    pub(super) fn is_durable(&mut self, serial: Serial) {
        self.durable = self.durable.max(serial).min(self.handed_out);
    }
}

impl Detector {
    /// This time on the scale of incarnations.
    pub(super) fn micros(&self, now: Now) -> Micros {
        let passed = u64::try_from(now.since(self.started).as_micros()).unwrap_or(u64::MAX);
        Micros(self.keeping.born.0.saturating_add(passed))
    }

    /// When any run of this agent heard a peer last.
    pub(super) fn ever_heard(&self, place: usize) -> Option<Micros> {
        let peer = &self.peers[place];
        let now = peer.link.last_heard().map(|heard| self.micros(heard));
        now.or_else(|| self.keeping.heard.get(&peer.id).copied())
    }

    /// When the state is handed out next though nothing that matters changed.
    pub(super) fn next_keeping(&self) -> Now {
        let Keeping { wanted, next_refresh, .. } = self.keeping;
        wanted.map_or(next_refresh, |wanted| wanted.min(next_refresh))
    }

    /// Hands out the state if it changed, and once a minute for the times in it.
    pub(super) fn keep(&mut self, now: Now) {
        if now < self.next_keeping() {
            return;
        }
        self.keeping.wanted = None;
        self.keeping.next_refresh = now + REFRESH;
        self.keeping.handed_out = self.keeping.next_serial();
        let state = Box::new(self.state_to_keep());
        self.emit(Output::Save(self.keeping.handed_out, state));
    }

    fn state_to_keep(&self) -> Saved {
        let roster = (0..self.peers.len()).map(|place| {
            let member = &self.peers[place].member;
            SavedNode {
                name: member.name.clone(),
                zone: member.zone.clone(),
                address: member.address,
                host: member.host,
                http_port: member.http_port,
                heard: self.ever_heard(place),
            }
        });
        Saved {
            epoch: self.epoch,
            incarnation: self.incarnation,
            roster: roster.collect(),
            electorates: self.ballot.all().map(|counted| counted.electorate.clone()).collect(),
            stopped: self.stopped,
        }
    }
}
