//! Timing that changes while the detector runs: by an operator, or by the cap as the roster grows and shrinks.
//!
//! What is under way keeps the time that it was given, or gets more: no change declares anything by itself. A faster pace
//! begins at once and a slower one is announced (`schedule`), so no peer misses anything either.

use std::time::Duration;

use super::Detector;
use super::settings::Settings;
use super::time::Now;
use super::timing::Timing;

/// How much of the period the roster may change unheeded: peers are told each new pace.
const SLACK: u32 = 32;

impl Detector {
    /// An operator chose other settings.
    pub(super) fn change_settings(&mut self, settings: &Settings, now: Now) {
        let &Settings { timing, mode, .. } = settings;
        if settings.endpoints != self.settings.endpoints {
            self.settings.endpoints.clone_from(&settings.endpoints);
            self.set_endpoints(&settings.endpoints, now);
        }
        (self.settings.timing, self.settings.mode) = (timing, mode);
        self.bucket.change(timing.max_heartbeats_per_second);
        self.update_down_pace();
        self.publication.touch();
        self.view_is_old = true;
        let timing = timing.at(self.peers.len());
        if timing != self.timing {
            self.adopt_timing(timing, now);
            self.change_paces(now);
            self.schedule_rows(now);
        }
    }

    /// The roster comes to have so many nodes. True if with that the timing changes, and with it the paces of all peers.
    pub(super) fn fit_timing(&mut self, nodes: usize, now: Now) -> bool {
        let (timing, before) = (self.settings.timing.at(nodes), self.timing.period);
        let by = timing.period.abs_diff(before);
        let fits = by <= before / SLACK;
        if !fits {
            self.adopt_timing(timing, now);
        }
        !fits
    }

    /// Everything but the schedules.
    fn adopt_timing(&mut self, timing: Timing, now: Now) {
        let before = std::mem::replace(&mut self.timing, timing);
        self.update_down_pace();
        let bound = timing.detection_bound().saturating_sub(before.detection_bound());
        let window = timing.confirm_period.saturating_sub(before.confirm_period);
        self.wait_longer(bound, window, now);
        self.membership.look_by(now + timing.detection_bound() / 2);
        self.contacts.hasten(now + timing.period);
        self.publication.touch();
        self.view_is_old = true;
    }

    /// Bound and window are so much longer than before.
    fn wait_longer(&mut self, bound: Duration, window: Duration, now: Now) {
        for peer in &mut self.peers {
            peer.link.wait_longer(bound);
        }
        if !self.has_begun(now) {
            self.begins = self.begins + bound;
        }
        // As `until_everybody_knows`, and for what the run before kept one bound more.
        self.ballot.wait_longer(bound * 3 + window * 4);
    }

    fn change_paces(&mut self, now: Now) {
        let timing = self.timing;
        for place in (0..self.peers.len()).filter(|&place| place != self.me).collect::<Vec<_>>() {
            let turn = self.turn_of(place);
            let down_pace = self.down_pace;
            self.peers[place].change_paces(turn, down_pace, now, &timing);
            self.hasten_turn(place);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;

    use super::super::saved::Saved;
    use super::super::settings::{ConfiguredTiming, Member, ModePolicy};
    use super::super::{Input, Listing};
    use super::*;
    use crate::identity::Incarnation;

    const SECOND: Duration = Duration::from_secs(1);

    fn member(number: u16) -> Member {
        let [high, low] = number.to_be_bytes();
        Member::new(format!("n{number}"), "", SocketAddr::from(([10, 0, high, low], 7475)))
    }

    pub(in crate::detector) fn detector() -> Detector {
        let timing = ConfiguredTiming::of_period(SECOND);
        let settings = Settings {
            cluster: "c".into(),
            node: member(0),
            timing,
            mode: ModePolicy::default(),
            endpoints: Vec::new(),
        };
        Detector::new(settings, Saved::default(), Incarnation(9), [7; 32], Now::START)
    }

    fn list(detector: &mut Detector, nodes: u16) {
        detector.handle(Input::Listing(Listing::of((0..nodes).map(member).collect())), Now::START);
    }

    fn period(detector: &Detector) -> Duration {
        detector.view(Now::START).period
    }

    #[test]
    fn the_period_is_that_of_the_roster() {
        let mut detector = detector();
        list(&mut detector, 251);
        assert_eq!(period(&detector), SECOND);
        list(&mut detector, 1001);
        assert_eq!(period(&detector), SECOND * 4);
        // P = 4 s, T = 1 s, d = max(T, P/6) = 1 s.
        assert_eq!(detector.view(Now::START).detection_bound, SECOND * 7);
    }

    #[test]
    fn a_roster_that_grows_by_a_few_leaves_the_paces_alone() {
        let mut detector = detector();
        list(&mut detector, 1001);
        let mut periods: Vec<Duration> = (1001..1201)
            .map(|nodes| {
                list(&mut detector, nodes);
                period(&detector)
            })
            .collect();
        periods.dedup();
        // A fifth more, in steps of a thirty-second.
        assert!((4..=7).contains(&periods.len()), "{periods:?}");
        let newest = periods.last().unwrap().as_secs_f64();
        assert!((newest / 4.8 - 1.0).abs() < 0.032, "{newest}");
    }

    #[test]
    fn a_shorter_period_goes_to_one_peer_after_another() {
        let mut detector = detector();
        list(&mut detector, 100);
        let acquainted = |peer: &mut super::super::peer::Peer| {
            peer.schedule = super::super::schedule::Schedule::new(
                SECOND * 30,
                Now::START,
                Now::START + SECOND * 20,
                super::super::schedule::Pace::Regular,
            );
        };
        detector.peers.iter_mut().for_each(acquainted);
        detector.adopt_timing(ConfiguredTiming::of_period(SECOND).at(1), Now::START);
        detector.change_paces(Now::START);
        let me = detector.me;
        let peers = detector.peers.iter().enumerate().filter(|&(place, _)| place != me);
        let mut next: Vec<Now> = peers.map(|(_, peer)| peer.schedule.next()).collect();
        next.sort_unstable();
        assert!(next.windows(2).all(|pair| pair[1] > pair[0]), "no two at once");
        assert!(*next.last().unwrap() <= Now::START + SECOND);
    }

    #[test]
    fn cluster_and_node_stay_and_the_mode_policy_does_not() {
        use super::super::settings::{Policy, Tie, WriteQuorum};
        let mut detector = detector();
        let mode = ModePolicy { policy: Policy::Ap, tie: Tie::Lowest, write_quorum: WriteQuorum::Majority };
        let other = Settings { cluster: "d".into(), node: member(5), mode, ..detector.settings().clone() };
        detector.handle(Input::Settings(Box::new(other)), Now::START);
        let now = detector.settings();
        assert_eq!((now.cluster.as_str(), &now.node, now.mode), ("c", &member(0), mode));
    }
}
