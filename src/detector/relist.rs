//! What a list of a discovery says beside who belongs, and when another one is wanted before its time.
//!
//! Kubernetes is asked every ten minutes only, since every agent asks: so whatever the newest list may not know yet is a
//! reason to ask again. One list answers all reasons of an agent, and the shell spreads those of all agents over a time in
//! which the API server can bear them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::membership::ABSENCE;
use super::settings::Member;
use super::time::Now;
use super::{Detector, Output};
use crate::identity::NodeId;

/// Over which time the lists of all agents are spread at the least, and how much longer for each node.
const SPREAD: Duration = Duration::from_secs(30);
const SPREAD_OF_A_NODE: Duration = Duration::from_millis(60);

/// How long a list is waited for. Whoever asks goes on asking meanwhile, so this is for a shell that does not.
const PATIENCE: Duration = Duration::from_mins(10);

/// Why the next list should not wait for its time.
#[derive(Debug, Default)]
pub(super) struct Relist {
    /// Since when each peer is not heard, and whether a list was asked for since.
    silent: BTreeMap<NodeId, (Now, bool)>,
    /// Somebody belongs whom the newest list did not name.
    unlisted: bool,
    /// When a list was asked for that has not come yet.
    asked: Option<Now>,
    /// Whose agents are being ended, and since when the lists say so.
    ended: BTreeMap<NodeId, Now>,
}

impl Relist {
    /// Somebody was taken in whom no list named.
    pub(super) fn note_unlisted(&mut self) {
        self.unlisted = true;
    }

    /// A list has come.
    pub(super) fn answered(&mut self) {
        self.asked = None;
        self.unlisted = false;
    }

    /// Who is not heard, of all `peers`.
    fn note_silence(&mut self, peers: impl Iterator<Item = (NodeId, bool)>, now: Now) {
        let before = std::mem::take(&mut self.silent);
        let silent = peers.filter(|&(_, is_heard)| !is_heard);
        self.silent = silent.map(|(id, _)| (id, before.get(&id).copied().unwrap_or((now, false)))).collect();
    }

    fn is_waiting(&self, now: Now) -> bool {
        self.asked.is_some_and(|asked| now.since(asked) < PATIENCE)
    }
}

impl Detector {
    /// Wants another list if somebody joined unlisted, somebody has been silent for a minute, which is asked once each time,
    /// or somebody is silent who was missing from a list of a minute ago: a second one lets it leave.
    pub(super) fn look_for_reasons_to_list(&mut self, now: Now) {
        let (me, peers) = (self.id, &self.peers);
        let heard = peers.iter().filter(|peer| peer.id != me).map(|peer| (peer.id, peer.link.is_up()));
        self.membership.relist.note_silence(heard, now);
        let relist = &self.membership.relist;
        if relist.is_waiting(now) {
            return;
        }
        let is_long = |since: Now| now.since(since) >= ABSENCE;
        let fell_silent = relist.silent.values().any(|&(since, asked)| !asked && is_long(since));
        let mut missing = self.membership.missing_in_one_list().filter(|&(_, since)| is_long(since));
        let may_leave = missing.any(|(id, _)| relist.silent.contains_key(&id) || self.place_of(id).is_none());
        drop(missing);
        if !relist.unlisted && !fell_silent && !may_leave {
            return;
        }
        let nodes = u32::try_from(self.peers.len()).unwrap_or(u32::MAX);
        let relist = &mut self.membership.relist;
        relist.asked = Some(now);
        for (_, asked) in relist.silent.values_mut().filter(|(since, _)| is_long(*since)) {
            *asked = true;
        }
        self.emit(Output::List { within: SPREAD.max(SPREAD_OF_A_NODE.saturating_mul(nodes)) });
    }

    /// The list knows zones that agents were not told: this node's own, where the configuration does not say it, and those
    /// of peers whose hello says none.
    pub(super) fn learn_zones(&mut self, members: &[Member]) {
        let mut found = false;
        for member in members.iter().filter(|member| !member.zone.is_empty()) {
            let Some(place) = self.place_of(NodeId::of(&self.settings.cluster, &member.name)) else { continue };
            let known = &self.peers[place].member;
            let is_open = if place == self.me { self.membership.has_listed_zone() } else { known.zone.is_empty() };
            if is_open && known.zone != member.zone {
                self.peers[place].member = Arc::new(Member { zone: member.zone.clone(), ..(**known).clone() });
                found = true;
            }
        }
        if found {
            self.settings.node.zone.clone_from(&self.peers[self.me].member.zone);
            self.publication.touch();
            self.view_is_old = true;
        }
    }

    /// The list knows agents that are being ended: one that nobody is known to have heard is not waited for, as if its
    /// goodbye had been heard. Of others their silence says more, since a cut may be why they have not ended yet: so may
    /// it be of one that is being ended for longer than any of them needs.
    pub(super) fn see_off_the_leaving(&mut self, leaving: &[String], now: Now) {
        let ids: BTreeSet<NodeId> = leaving.iter().map(|name| NodeId::of(&self.settings.cluster, name)).collect();
        let ended = &mut self.membership.relist.ended;
        ended.retain(|id, _| ids.contains(id));
        let ended: Vec<(NodeId, Now)> = ids.into_iter().map(|id| (id, *ended.entry(id).or_insert(now))).collect();
        for (id, since) in ended {
            let Some(place) = self.place_of(id).filter(|&place| place != self.me) else { continue };
            let link = &mut self.peers[place].link;
            let before = link.state();
            if now.since(since) < ABSENCE {
                link.see_off();
            } else if link.is_seen_off() {
                link.expect(now, &self.timing);
            }
            if link.state() != before {
                self.row.touch();
                self.publication.touch();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::super::link::LinkState;
    use super::super::saved::Saved;
    use super::super::settings::{ModePolicy, Settings, Timing};
    use super::super::{Input, Listing};
    use super::*;
    use crate::identity::Incarnation;
    use crate::wire::GoodbyeReason;

    fn member(number: u8, zone: &str) -> Member {
        Member::new(format!("n{number}"), zone, SocketAddr::from(([10, 0, 0, number], 7475)))
    }

    fn at(seconds: u64) -> Now {
        Now::at(Duration::from_secs(seconds))
    }

    fn agent(zone: &str) -> Detector {
        let settings = Settings {
            cluster: "c".into(),
            node: member(0, zone),
            timing: Timing::of_period(Duration::from_secs(1)).into(),
            mode: ModePolicy::default(),
            endpoints: Vec::new(),
        };
        Detector::new(settings, Saved::default(), Incarnation(7), [0; 32], at(0))
    }

    fn hears_of(detector: &mut Detector, members: &[Member], seconds: u64) {
        detector.handle(Input::Listing(Listing::of(members.to_vec())), at(seconds));
    }

    /// When the agent wants a list, second by second.
    fn wishes(detector: &mut Detector, from: u64, until: u64) -> Vec<(u64, u64)> {
        let mut wishes = Vec::new();
        for second in from..until {
            detector.handle_timeout(at(second));
            while let Some(output) = detector.poll_output() {
                if let Output::List { within } = output {
                    wishes.push((second, within.as_secs()));
                }
            }
        }
        wishes
    }

    fn zones(detector: &mut Detector) -> Vec<String> {
        detector.view(at(1)).nodes.iter().map(|node| format!("{}={}", node.member.name, node.member.zone)).collect()
    }

    #[test]
    fn who_is_silent_for_a_minute_is_a_reason_once() {
        let mut detector = agent("");
        hears_of(&mut detector, &[member(0, ""), member(1, "")], 0);
        let asked = wishes(&mut detector, 1, 200);
        assert!(matches!(asked[..], [(60..=64, 30)]), "{asked:?}");
        // A list has come and names it still: that is known now.
        hears_of(&mut detector, &[member(0, ""), member(1, "")], 200);
        assert_eq!(wishes(&mut detector, 201, 800), []);
    }

    #[test]
    fn who_is_missing_from_a_list_is_looked_for_in_another_a_minute_later() {
        let mut detector = agent("");
        hears_of(&mut detector, &[member(0, ""), member(1, "")], 0);
        wishes(&mut detector, 1, 100);
        hears_of(&mut detector, &[member(0, "")], 100);
        let asked = wishes(&mut detector, 101, 300);
        assert!(matches!(asked[..], [(160..=164, 30)]), "{asked:?}");
    }

    #[test]
    fn a_list_that_does_not_come_is_not_asked_for_again_and_again() {
        let mut detector = agent("");
        hears_of(&mut detector, &[member(0, ""), member(1, "")], 0);
        assert_eq!(wishes(&mut detector, 1, 590).len(), 1);
    }

    #[test]
    fn a_thousand_agents_spread_their_questions_over_a_minute() {
        let mut detector = agent("");
        let address = |n: u32| SocketAddr::from((Ipv4Addr::from(0x0a01_0000 + n), 7475));
        let others = (1..1000).map(|n| Member::new(format!("n{n}"), "", address(n)));
        hears_of(&mut detector, &others.chain([member(0, "")]).collect::<Vec<_>>(), 0);
        let asked = wishes(&mut detector, 1, 100);
        assert!(matches!(asked[..], [(60..=80, 60)]), "{asked:?}");
    }

    #[test]
    fn a_zone_that_nobody_told_is_that_of_the_list() {
        let mut detector = agent("");
        hears_of(&mut detector, &[member(0, "east"), member(1, "west")], 0);
        let mut found = zones(&mut detector);
        found.sort();
        assert_eq!(found, ["n0=east", "n1=west"]);
        assert_eq!(detector.settings().node.zone, "east");
        // The node was given another zone: its own agent follows.
        hears_of(&mut detector, &[member(0, "north"), member(1, "south")], 1);
        let mut found = zones(&mut detector);
        found.sort();
        assert_eq!(found, ["n0=north", "n1=west"]);
    }

    #[test]
    fn a_zone_of_the_configuration_stands_against_the_list() {
        let mut detector = agent("own");
        hears_of(&mut detector, &[member(0, "east")], 0);
        assert_eq!(zones(&mut detector), ["n0=own"]);
    }

    #[test]
    fn whose_agent_is_being_ended_and_was_not_heard_is_not_waited_for() {
        let state = |leaving: &[&str]| {
            let mut detector = agent("");
            let mut listing = Listing::of(vec![member(0, ""), member(1, "")]);
            listing.leaving = leaving.iter().map(|&name| name.to_owned()).collect();
            detector.handle(Input::Listing(listing), at(0));
            let place = detector.peers.iter().position(|peer| peer.member.name == "n1").unwrap();
            detector.peers[place].link.state()
        };
        assert_eq!(state(&["n1", "n0", "stranger"]), LinkState::Left(GoodbyeReason::Stopped));
        assert_ne!(state(&[]), LinkState::Left(GoodbyeReason::Stopped));
    }
}
