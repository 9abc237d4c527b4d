//! Asking beside the heartbeat: about whom, when, and what an answer means for the link of a silent peer.
//!
//! An episode of a peer begins when its row cell becomes late, or its link falls without, and ends when the link is up
//! again, or one bound after the peer spoke without: until then it is asked about once. Dropped at its first word, what
//! was found would be missing while the link recovers, and two agents that wake together would be a cut. What is known is
//! kept by id, so that it does not mind a roster that moves.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::assess::Cut;
use super::bits::Bits;
use super::by_age::ByAge;
use super::event::AgentDownCause;
use super::evidence::{Evidence, Question, Sign};
use super::link::LinkState;
use super::settings::Timing;
use super::time::Now;
use super::{Detector, Output};
use crate::identity::NodeId;

/// How many questions are out at once. When half of a large cluster falls silent, so many answers are sample enough.
pub(super) const MOST_ASKED: usize = 16;

/// What was asked about whom, in this episode of its silence.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    episodes: BTreeMap<NodeId, Episode>,
    /// What was found of those of whom an answer came.
    found: BTreeMap<NodeId, Sign>,
    /// Whose turn is still to come, in order; who is no longer waiting is skipped.
    waiting: VecDeque<NodeId>,
    /// Since when each question is out.
    out: ByAge,
    /// When each spoke first in its episode: its link may be coming up, and if not, what was found is out of date.
    spoke: ByAge,
    /// When everybody lost those of whom something had been found long before.
    stale: ByAge,
}

/// One silence of a peer.
#[derive(Clone, Copy, Debug)]
struct Episode {
    stage: Stage,
    /// Since when the inquiry has been at this stage.
    since: Now,
}

/// How far the inquiry about one peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Asked,
    /// Nothing came within 2d.
    GivenUp,
    Answered,
}

impl Inquiry {
    /// A peer fell silent. Once per episode; true if this began one.
    fn begin(&mut self, peer: NodeId, now: Now) -> bool {
        let begins = !self.episodes.contains_key(&peer);
        if begins {
            self.episodes.insert(peer, Episode { stage: Stage::Waiting, since: now });
            self.waiting.push_back(peer);
        }
        begins
    }

    /// The peer is heard, or gone: what was found says nothing any more. Returns that.
    fn end(&mut self, peer: NodeId) -> Option<Sign> {
        self.spoke.remove(peer);
        self.stale.remove(peer);
        self.episodes.remove(&peer)?;
        self.found.remove(&peer)
    }

    /// The peer said something, though its link is not up.
    pub(super) fn speaks(&mut self, peer: NodeId, now: Now) {
        if self.episodes.contains_key(&peer) && !self.spoke.contains(peer) {
            self.spoke.insert(peer, now);
        }
    }

    /// Who spoke one bound ago, and whose link did not come up: what was found about them is dropped.
    fn out_of_date(&mut self, now: Now, timing: &Timing) -> Vec<NodeId> {
        let bound = timing.detection_bound();
        let old = self.spoke.since(|spoke| spoke + bound <= now);
        for &peer in &old {
            self.end(peer);
        }
        old
    }

    /// What is free to be asked now, in turn.
    fn next_to_ask(&mut self, now: Now) -> Option<NodeId> {
        while self.out.len() < MOST_ASKED {
            let peer = self.waiting.pop_front()?;
            let episode = self.episodes.get_mut(&peer).filter(|episode| episode.stage == Stage::Waiting);
            if let Some(episode) = episode {
                *episode = Episode { stage: Stage::Asked, since: now };
                self.out.insert(peer, now);
                return Some(peer);
            }
        }
        None
    }

    /// An answer came. True if it was asked for, and the peer is silent still.
    fn answer(&mut self, evidence: &Evidence, now: Now) -> bool {
        self.out.remove(evidence.peer);
        let episode = self.episodes.get_mut(&evidence.peer).filter(|episode| episode.stage == Stage::Asked);
        let Some(episode) = episode else { return false };
        *episode = Episode { stage: Stage::Answered, since: now };
        self.found.insert(evidence.peer, evidence.sign());
        true
    }

    /// Questions that nobody answered are no longer waited for.
    fn give_up(&mut self, now: Now, timing: &Timing) {
        let patience = timing.confirm_period * 2;
        for peer in self.out.since(|asked| asked + patience <= now) {
            self.out.remove(peer);
            if let Some(episode) = self.episodes.get_mut(&peer).filter(|episode| episode.stage == Stage::Asked) {
                *episode = Episode { stage: Stage::GivenUp, since: now };
            }
        }
    }

    /// Nobody hears a peer any more. What was found a bound ago or before was about another silence: it is stale.
    fn is_lost(&mut self, peer: NodeId, bound: Duration, now: Now) {
        if self.episodes.get(&peer).is_some_and(|episode| episode.is_decided() && episode.since + bound <= now) {
            self.stale.insert(peer, now);
        }
    }

    /// What is stale is dropped, a moment after whoever said it: rows that say the same are on their way.
    fn drop_stale(&mut self, now: Now, timing: &Timing) -> Vec<NodeId> {
        let dropped = self.stale.since(|lost| lost + timing.confirm_period / 8 <= now);
        for &peer in &dropped {
            self.end(peer);
        }
        dropped
    }

    /// When the next question is given up, or what was found is out of date.
    pub(super) fn next_end(&self, timing: &Timing) -> Option<Now> {
        let given_up = self.out.oldest().map(|asked| asked + timing.confirm_period * 2);
        let out_of_date = self.spoke.oldest().map(|spoke| spoke + timing.detection_bound());
        let dropped = self.stale.oldest().map(|lost| lost + timing.confirm_period / 8);
        [given_up, out_of_date, dropped].into_iter().flatten().min()
    }

    /// What is known of the life of a silent peer.
    pub(super) fn sign(&self, peer: NodeId) -> Option<Sign> {
        self.found.get(&peer).copied()
    }

    /// Whether the peer spoke since.
    pub(super) fn has_spoken(&self, peer: NodeId) -> bool {
        self.spoke.contains(peer)
    }

    fn is_decided(&self, peer: NodeId) -> bool {
        self.episodes.get(&peer).is_some_and(Episode::is_decided)
    }

    /// Everybody of whom an answer is known, in order of id.
    pub(super) fn signs(&self) -> impl Iterator<Item = (NodeId, Sign)> + '_ {
        self.found.iter().map(|(&peer, &sign)| (peer, sign))
    }
}

impl Episode {
    fn is_decided(&self) -> bool {
        matches!(self.stage, Stage::Answered | Stage::GivenUp)
    }
}

impl Detector {
    /// A link is late as the row shows it, or down: another opinion is wanted.
    pub(super) fn inquire(&mut self, place: usize, now: Now) {
        let (id, address) = (self.peers[place].id, self.peers[place].address);
        // What answers there is another agent, and says nothing of this one.
        let can_be_asked = self.ever_heard(place).is_some() && !self.is_taken_over(id, address);
        if can_be_asked && self.inquiry.begin(id, now) {
            self.ask_in_turn(now);
        }
    }

    /// Asks as many of those who wait as may be asked at once.
    fn ask_in_turn(&mut self, now: Now) {
        while let Some(id) = self.inquiry.next_to_ask(now) {
            if let Some(place) = self.place_of(id) {
                let question = self.question(place);
                self.emit(Output::Ask(question));
            }
        }
    }

    fn question(&self, place: usize) -> Question {
        let peer = &self.peers[place];
        let agent = peer.address.ip();
        let port = peer.member.http_port.map(|port| SocketAddr::new(agent, port));
        Question { peer: peer.id, host: peer.member.host.unwrap_or(agent), port }
    }

    /// What was found about a peer.
    pub(super) fn learn_evidence(&mut self, evidence: &Evidence, now: Now) {
        if self.inquiry.answer(evidence, now) {
            self.touch_row_of(evidence.sign());
            self.publication.touch();
            self.publication.hasten(now);
            self.judge_udp(now);
        }
        self.ask_in_turn(now);
    }

    /// Questions that are out for too long make room for others, and what is out of date is asked about anew.
    pub(super) fn tend_questions(&mut self, now: Now) {
        let timing = self.timing;
        if self.inquiry.next_end(&timing).is_none_or(|end| now < end) {
            return;
        }
        self.inquiry.give_up(now, &timing);
        let mut old = self.inquiry.out_of_date(now, &timing);
        old.extend(self.inquiry.drop_stale(now, &timing));
        for id in old {
            self.row.touch();
            let silent = self.place_of(id).filter(|&place| self.peers[place].link.state() == LinkState::Down);
            if let Some(place) = silent {
                self.inquire(place, now);
            }
        }
        self.publication.hasten(now);
        self.ask_in_turn(now);
    }

    /// Nobody of my side hears these any more: what was found of them while others did is asked for anew.
    pub(super) fn doubt_findings(&mut self, lost: &Bits, now: Now) {
        let bound = self.timing.detection_bound();
        for place in lost.iter().filter(|&place| place < self.peers.len()) {
            self.inquiry.is_lost(self.peers[place].id, bound, now);
        }
    }

    /// A peer is heard, or said goodbye: its episode is over.
    pub(super) fn end_episode(&mut self, place: usize, now: Now) {
        let id = self.peers[place].id;
        if let Some(found) = self.inquiry.end(id) {
            self.touch_row_of(found);
        }
        let bound = self.timing.detection_bound();
        if self.health.udp_passes(id, now, bound) {
            self.publication.touch();
        }
    }

    /// This was found, or is known no more. Of that the row shows whose agents are down.
    fn touch_row_of(&mut self, sign: Sign) {
        if matches!(sign, Sign::AgentDown(_)) {
            self.row.touch();
        }
    }

    /// This agent did not run: of links that are not down it knows nothing, and asks again when they fall silent again.
    pub(super) fn void_inquiries(&mut self) {
        for peer in self.peers.iter().filter(|peer| peer.link.state() != LinkState::Down) {
            self.inquiry.end(peer.id);
        }
    }

    /// Whose agents do not run, as far as this agent's own evidence tells.
    pub(super) fn agents_found_down(&self) -> Bits {
        let mut found = Bits::none(self.peers.len());
        for (id, sign) in self.inquiry.signs() {
            let Some(place) = self.place_of(id) else { continue };
            let is_down = match sign {
                Sign::AgentDown(AgentDownCause::HostAnswers) => !self.may_be_an_overlay_cut(place),
                Sign::AgentDown(_) => true,
                Sign::Runs | Sign::Nothing => false,
            };
            if is_down {
                found.set(place);
            }
        }
        found
    }

    /// Hosts that answer while the ports of several agents, silent since the same time, do not: the network of the
    /// agents is cut and that of the hosts is not, which is no reason to take the agents for dead.
    fn may_be_an_overlay_cut(&self, place: usize) -> bool {
        // Who falls silent was heard last up to one period before.
        let together = self.timing.detection_bound() + self.timing.period;
        let silent_since = |place: usize| self.peers[place].link.last_heard().unwrap_or(self.started);
        let alike = self.inquiry.signs().filter(|&(_, sign)| sign == Sign::AgentDown(AgentDownCause::HostAnswers));
        let mut others = alike.filter_map(|(id, _)| self.place_of(id)).filter(|&other| other != place);
        others.any(|other| super::assess::apart(silent_since(place), silent_since(other)) <= together)
    }

    /// Whether a silent peer's agent is known to run.
    pub(super) fn shows_life(&self, place: usize) -> bool {
        self.inquiry.sign(self.peers[place].id) == Some(Sign::Runs)
    }

    /// Why a silent peer's agent is down, as far as this agent knows: another may know more.
    pub(super) fn agent_down_cause(&self, place: usize) -> AgentDownCause {
        match self.inquiry.sign(self.peers[place].id) {
            Some(Sign::AgentDown(cause)) => cause,
            _ => AgentDownCause::HostAnswers,
        }
    }

    /// Whether a first opening of this cut waits for evidence that is out: for d after it was asked for, and the little
    /// that the last answer takes. A sample is enough. Who is asked about while late, d before it is down, delays nothing.
    pub(super) fn awaits_evidence(&self, cut: &Cut, now: Now) -> bool {
        let patience = self.timing.confirm_period / 4 * 5;
        let is_other = |id: NodeId| self.place_of(id).is_some_and(|place| cut.others.has(place));
        let is_asked = |id: NodeId| self.inquiry.episodes.get(&id).is_some_and(|episode| episode.stage == Stage::Asked);
        let mut out = self.inquiry.out.iter().filter(|&(id, asked)| is_asked(id) && now < asked + patience);
        let decided = |place: &usize| self.inquiry.is_decided(self.peers[*place].id);
        out.any(|(id, _)| is_other(id)) && cut.others.iter().filter(decided).count() < MOST_ASKED
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{HostAnswer, PortAnswer};
    use super::*;

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    fn silent(peer: u64) -> Evidence {
        Evidence { peer: NodeId(peer), host: HostAnswer::Silent, port: PortAnswer::Silent }
    }

    fn inquiry_about(peers: u64) -> Inquiry {
        let mut inquiry = Inquiry::default();
        (0..peers).for_each(|peer| assert!(inquiry.begin(NodeId(peer), at(0))));
        inquiry
    }

    fn asked(inquiry: &mut Inquiry, now: Now) -> Vec<u64> {
        std::iter::from_fn(|| inquiry.next_to_ask(now)).map(|peer| peer.0).collect()
    }

    #[test]
    fn sixteen_are_asked_about_at_once_and_the_others_in_turn() {
        let mut inquiry = inquiry_about(20);
        assert_eq!(asked(&mut inquiry, at(0)), (0..16).collect::<Vec<_>>());
        assert!(inquiry.answer(&silent(3), at(1)) && inquiry.answer(&silent(4), at(1)));
        assert_eq!(asked(&mut inquiry, at(1)), [16, 17]);
    }

    #[test]
    fn a_peer_is_asked_about_once_in_an_episode_and_again_in_the_next() {
        let mut inquiry = inquiry_about(1);
        assert_eq!(asked(&mut inquiry, at(0)), [0]);
        assert!(inquiry.answer(&silent(0), at(1)));
        assert!(!inquiry.begin(NodeId(0), at(0)));
        assert_eq!(inquiry.end(NodeId(0)), Some(Sign::Nothing));
        assert_eq!(inquiry.sign(NodeId(0)), None, "what was found is dropped");
        assert!(inquiry.begin(NodeId(0), at(0)));
        assert_eq!(asked(&mut inquiry, at(9)), [0]);
    }

    #[test]
    fn who_is_heard_while_waiting_is_not_asked_about() {
        let mut inquiry = inquiry_about(18);
        asked(&mut inquiry, at(0));
        inquiry.end(NodeId(16));
        inquiry.answer(&silent(0), at(1));
        assert_eq!(asked(&mut inquiry, at(1)), [17]);
    }

    #[test]
    fn an_answer_that_never_comes_is_given_up_after_2d_and_makes_room() {
        let timing = Timing::of_period(Duration::from_secs(1));
        let mut inquiry = inquiry_about(17);
        asked(&mut inquiry, at(0));
        assert_eq!(inquiry.next_end(&timing), Some(at(1_000)));
        inquiry.give_up(at(1_000), &timing);
        assert_eq!(asked(&mut inquiry, at(1_000)), [16]);
        assert!(!inquiry.answer(&silent(0), at(1)), "it may be the answer of another time");
    }

    #[test]
    fn what_was_found_of_a_peer_that_is_lost_after_all_is_dropped_if_it_is_old() {
        let timing = Timing::of_period(Duration::from_secs(1));
        for (lost, dropped) in [(2_599, false), (2_600, true)] {
            let mut inquiry = inquiry_about(1);
            asked(&mut inquiry, at(0));
            assert!(inquiry.answer(&Evidence { port: PortAnswer::Refused, ..silent(0) }, at(100)));
            inquiry.is_lost(NodeId(0), timing.detection_bound(), at(lost));
            assert_eq!(inquiry.drop_stale(at(lost + 62), &timing), [], "not at once");
            assert_eq!(!inquiry.drop_stale(at(lost + 63), &timing).is_empty(), dropped, "lost at {lost} ms");
            assert_eq!(inquiry.sign(NodeId(0)).is_none(), dropped);
            assert_eq!(inquiry.next_end(&timing), None, "once");
        }
    }
}
