//! The view, drawn from what the detector holds.

use std::sync::Arc;

use super::Detector;
use super::peer::Peer;
use super::time::Now;
use super::view::{NodeView, RowView, View};

impl Detector {
    pub(super) fn picture(&self, now: Now) -> View {
        let side = self.publication.side.published();
        let counts = self.ballot.newest().map(|newest| self.count(newest, side));
        let (members, electorate) = counts.map_or((0, 0), |count| (count.members, count.size));
        View {
            at: now,
            cluster: self.settings.cluster.clone(),
            incarnation: self.incarnation,
            me: self.me,
            nodes: self.peers.iter().enumerate().map(|(place, peer)| self.node_view(place, peer, now)).collect(),
            mode: self.mode,
            mode_since: self.mode_since,
            overridden: self.overridden.clone(),
            policy: self.settings.mode,
            quorum: self.quorum(now),
            members,
            electorate,
            electorate_digest: self.electorate_digest(),
            awaited: self.awaited(),
            roster_version: self.roster_version,
            mode_before: self.mode_before(now),
            partitions: self.publication.partitions().cloned().collect(),
            recent: self.publication.recent.iter().cloned().collect(),
            endpoints: self.endpoint_views(now),
            reaches_nothing: self.endpoints.are_all_down(),
            epoch: self.epoch,
            impaired: self.health.is_impaired(now),
            blind: self.is_blind(now),
            blind_cause: self.blind_cause(now),
            judged: self.can_tell(now) && !side.is_empty(),
            period: self.timing.period,
            timeout: self.timing.timeout,
            detection_bound: self.timing.detection_bound(),
            counters: self.counters.clone(),
        }
    }

    fn node_view(&self, place: usize, peer: &Peer, now: Now) -> NodeView {
        let me = place == self.me;
        NodeView {
            id: peer.id,
            member: Arc::clone(&peer.member),
            link: (!me).then(|| peer.link.state()),
            failures: peer.link.failures(),
            silent_for: peer.link.last_heard().map(|heard| now.since(heard)),
            rtt: peer.quality.rtt(),
            loss: peer.quality.loss(),
            is_degraded: peer.link.is_up() && peer.quality.is_degraded(),
            incarnation: if me { Some(self.incarnation) } else { peer.session.verified() },
            unheard: self.publication.unheard.published().has(place),
            agent_down: self.published_outage(place),
            row: self.row_view(place, peer, now),
        }
    }

    fn row_view(&self, place: usize, peer: &Peer, now: Now) -> Option<RowView> {
        if place == self.me {
            let cells = Arc::clone(&self.row.held.cells);
            let (age, impaired) = (std::time::Duration::ZERO, self.health.is_impaired(now));
            return Some(RowView { cells, age, impaired, relayed: false });
        }
        if let Some((row, relayed)) = self.relayed_row(place, now) {
            let (age, impaired) = (now.since(relayed.stood), relayed.impaired);
            return Some(RowView { cells: Arc::clone(&row.cells), age, impaired, relayed: true });
        }
        let row = peer.valid_row()?;
        let age = peer.link.last_heard().map_or_else(Default::default, |heard| now.since(heard));
        Some(RowView { cells: Arc::clone(&row.cells), age, impaired: peer.impaired, relayed: false })
    }
}
