//! All that the detector keeps about one peer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::held_row::{HeldRow, HeldStates};
use super::link::{Link, LinkState};
use super::quality::Quality;
use super::row::Cell;
use super::row_parts::Assembly;
use super::schedule::{Pace, Schedule, Turn};
use super::session::Session;
use super::settings::{Member, Timing};
use super::time::Now;
use crate::identity::{Digest, Incarnation, NodeId, Sequence};
use crate::wire::{Echo, EndpointStates, Hearing};

/// After this time of silence, or of hearing a peer that does not hear us, polls become rare.
const PATIENCE: Duration = Duration::from_secs(60);

/// One node of the roster and what this agent shares with its agent.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its id.
    pub id: NodeId,
    /// Its name, zone and address.
    pub member: Arc<Member>,
    /// The address again: every datagram to it needs this, and nothing else of the member.
    pub address: SocketAddr,
    /// What arrives from it.
    pub link: Link,
    /// When it gets its next heartbeat.
    pub schedule: Schedule,
    /// Which of its runs speaks.
    pub session: Session,
    /// How good the link is.
    pub quality: Quality,
    /// How it hears us, as it said last.
    pub hearing: Hearing,
    /// The number of the last datagram to it.
    pub sequence: Sequence,
    /// The number of its newest datagram, and when it came.
    pub newest: (Sequence, Now),
    /// Its row, while it can be read: see [`Self::hold`].
    row: Option<Arc<HeldRow>>,
    /// What its probes of endpoints come to, as far as it came; that of its newest row, or one before.
    endpoints: Option<Arc<HeldStates>>,
    /// The digest of `row` and what belongs to it, for the same reason as the address.
    held_digest: Digest,
    /// A newer row of it, of which some parts are there.
    pub(super) row_under_way: Option<Box<Assembly>>,
    /// When it was polled last.
    pub polled: Now,
    /// How long after a poll the next is due on a link that loses much, whatever its pace; none on one that does not.
    poll_gap: Option<Duration>,
    /// The digest of its row as it announced it last: see [`Self::announces`].
    announced: Digest,
    /// Since when it announces another row than the one that is held.
    superseded: Option<Now>,
    /// That was so long ago that what is held says nothing any more.
    is_outdated: bool,
    /// The digest of our row as it holds it.
    pub acknowledged: Digest,
    /// When it was last sent our row.
    pub row_sent: Option<Now>,
    /// When our row goes to it by itself, if it is to.
    pub row_wake: Option<Now>,
    /// The digest of its roster, as it said last.
    pub roster: Digest,
    /// A roster that it uses and we lack.
    pub roster_wanted: Option<Digest>,
    /// The digest of its electorate, as it said last; none if it has none.
    pub electorate: Option<Digest>,
    /// It has a complete cut open, as it said last.
    pub sees_cut: bool,
    /// Since when it has been heard without a break.
    pub up_since: Option<Now>,
    /// The newest datagram of it that was of a version which this agent cannot read.
    pub unreadable: (Incarnation, Sequence),
    /// The run that made the link unknown and has not proved itself: it does so once, and then silence is silence.
    pub doubted: Option<Incarnation>,
    /// It distrusts its own row.
    pub impaired: bool,
    /// When it woke from a stall, as it said, on our clock.
    pub woke: Option<Now>,
    /// Since when it is silent, or does not hear us.
    pub trouble_since: Option<Now>,
    /// The earliest entry of this peer in the timer heap.
    pub wake: Now,
}

impl Peer {
    /// A peer of which nothing is known but that it belongs. `known`: somebody is known to have heard it.
    pub fn new(id: NodeId, member: Arc<Member>, known: bool, schedule: Schedule, now: Now, timing: &Timing) -> Self {
        Self {
            id,
            address: member.address,
            member,
            link: Link::new(known, now, timing),
            schedule,
            session: Session::default(),
            quality: Quality::default(),
            hearing: Hearing::Unknown,
            sequence: Sequence::default(),
            newest: (Sequence::default(), now),
            row: None,
            endpoints: None,
            held_digest: Digest::NONE,
            row_under_way: None,
            polled: now,
            poll_gap: None,
            announced: Digest::NONE,
            superseded: None,
            is_outdated: false,
            acknowledged: Digest::NONE,
            row_sent: None,
            row_wake: None,
            roster: Digest::NONE,
            roster_wanted: None,
            electorate: None,
            sees_cut: false,
            up_since: None,
            unreadable: (Incarnation::default(), Sequence::default()),
            doubted: None,
            impaired: false,
            woke: None,
            trouble_since: None,
            wake: now,
        }
    }

    /// From now on it is tried at this address.
    pub fn move_to(&mut self, address: SocketAddr) {
        self.address = address;
        self.member = Arc::new(Member { address, ..(*self.member).clone() });
    }

    /// Whether both have answered the other's challenge: until then every heartbeat is a hello. A later run that speaks is
    /// a stranger again: it may take what was said of the one before for an answer to itself, and never ask.
    pub fn is_acquainted(&self) -> bool {
        self.knows_its_run() && self.hearing != Hearing::Unknown
    }

    /// Whether the run that speaks has proved itself. One that goes on speaking is not doubted because of a recording.
    fn knows_its_run(&self) -> bool {
        self.session.verified().is_some() && (self.doubted.is_none() || self.link.is_up())
    }

    /// The pace of a peer that does not hear us: it cannot answer polls, so its own heartbeats must be waited for.
    pub fn deaf_pace(&self) -> Option<Duration> {
        (self.hearing == Hearing::Silent).then(|| self.link.pace())
    }

    /// How we hear it, as every datagram to it says. The first failure is nobody's business yet.
    pub fn our_hearing(&self) -> Hearing {
        match self.link.state() {
            LinkState::Up if self.link.failures() >= 2 => Hearing::Silent,
            LinkState::Up => Hearing::Heard,
            LinkState::Down if self.knows_its_run() => Hearing::Silent,
            _ => Hearing::Unknown,
        }
    }

    /// What the own row says of it. That it is heard is half of what others take from "up": of one that never said that it
    /// hears this agent, neither by word nor by row, the other half is unknown.
    pub fn cell(&self) -> Cell {
        match self.link.cell() {
            Cell::Up | Cell::Late if self.row.is_none() && self.hearing != Hearing::Heard => Cell::Unknown,
            cell => cell,
        }
    }

    /// Whether a datagram to it now asks for an answer.
    pub fn is_polled(&self, timing: &Timing) -> bool {
        timing.polls_per_window > 0 && (self.link.is_confirming() || self.link.state() == LinkState::Down)
    }

    /// Updates the pace towards it to what its state asks for. `down_pace`: that of all whose links are down.
    pub fn update_pace(&mut self, down_pace: Duration, now: Now, timing: &Timing) {
        let pace = self.wanted_pace(down_pace, now, timing);
        self.schedule.want(pace, now);
        // Only what is not decided needs more polls.
        let polls = if self.link.is_confirming() { self.quality.polls_per_window(timing) } else { 0 };
        let polls_per_heartbeat = u32::from(polls.div_ceil(3));
        self.poll_gap = (polls_per_heartbeat > 1).then(|| timing.poll_pace() / polls_per_heartbeat);
    }

    /// When a poll between two heartbeats under suspicion is due. The pace stays what the peer was told.
    pub fn next_extra_poll(&self) -> Option<Now> {
        let gap = self.poll_gap?;
        // The next heartbeat is the poll, if that is about when it comes.
        let between = self.schedule.next().since(self.polled) > gap + gap / 2;
        between.then(|| self.polled + gap)
    }

    /// All paces are others from now on. Where they are faster, that begins with the end of `turn`, so that not
    /// everybody gets a heartbeat at once.
    pub fn change_paces(&mut self, turn: Turn, down_pace: Duration, now: Now, timing: &Timing) {
        self.schedule.change_period(timing.period, now + turn.ends_in(timing.period / 8 * 7));
        let pace = self.wanted_pace(down_pace, now, timing);
        self.schedule.want(pace, now + turn.ends_in(timing.fallback_pace()));
    }

    fn wanted_pace(&mut self, down_pace: Duration, now: Now, timing: &Timing) -> Pace {
        if matches!(self.link.state(), LinkState::Left(_)) {
            return Pace::Regular;
        }
        if !self.is_acquainted() {
            return Pace::Every(timing.fallback_pace());
        }
        if !self.is_polled(timing) && self.hearing != Hearing::Silent {
            self.trouble_since = None;
            return Pace::Regular;
        }
        let is_down = self.link.state() == LinkState::Down;
        let least = if is_down { down_pace } else { timing.poll_pace() };
        let since = *self.trouble_since.get_or_insert(now);
        if now.since(since) >= PATIENCE || timing.polls_per_window == 0 {
            return Pace::Every(timing.fallback_pace().max(least));
        }
        Pace::Every(least)
    }

    /// What is echoed to it: its newest number and how long ago that came.
    pub fn echo(&self, now: Now) -> Echo {
        let (sequence, came) = self.newest;
        Echo { sequence, delay: now.since(came) }
    }

    /// The row of it that we hold, whether it may be judged by or not.
    pub fn row(&self) -> Option<&Arc<HeldRow>> {
        self.row.as_ref()
    }

    /// From now on this is its row. Returns what was before.
    pub fn hold(&mut self, row: Option<Arc<HeldRow>>) -> Option<Arc<HeldRow>> {
        (self.superseded, self.is_outdated) = (None, false);
        if row.is_none() {
            (self.row_under_way, self.endpoints) = (None, None);
        }
        let before = std::mem::replace(&mut self.row, row);
        self.update_held_digest();
        before
    }

    /// From now on this is what its probes come to, unless it is older than what is known. True if it is another.
    pub fn hold_endpoints(&mut self, states: HeldStates) -> bool {
        if self
            .endpoints
            .as_ref()
            .is_some_and(|held| (held.incarnation, held.version()) >= (states.incarnation, states.version()))
        {
            return false;
        }
        self.endpoints = Some(Arc::new(states));
        self.update_held_digest();
        true
    }

    fn update_held_digest(&mut self) {
        let Some(row) = &self.row else {
            self.held_digest = Digest::NONE;
            return;
        };
        let is_of_row =
            |states: &&Arc<HeldStates>| (states.incarnation, states.version()) == (row.incarnation, row.version);
        let states = self.endpoints.as_ref().filter(is_of_row);
        self.held_digest = states.map_or(row.digest, |held| held.block.states.digest_with(row.digest, held.block.list));
    }

    /// What its probes of endpoints come to, if that may be relied on, and of which endpoints: as long as its row may, unless
    /// it stands by a row without any.
    pub fn valid_endpoints(&self) -> Option<&EndpointStates> {
        let row = self.valid_row()?;
        let held = self.endpoints.as_ref()?;
        let is_of_row = (held.incarnation, held.version()) >= (row.incarnation, row.version);
        (is_of_row || self.announced != row.digest).then_some(&*held.block)
    }

    /// The same row over a roster of another shape.
    pub fn reshape_row(&mut self, places: &[Option<usize>]) {
        self.row = self.row.take().map(|row| Arc::new(row.reshaped(places)));
    }

    /// The digest of its row that we hold.
    pub fn held_digest(&self) -> Digest {
        self.held_digest
    }

    /// It says which row it has now. Whether with that the one that is held becomes void, or is valid again.
    ///
    /// A row is void as long after its owner replaced it as one that a relay brought: where rows do not get through and
    /// heartbeats do, a row of before a cut would show it bridged for ever, and both sides would write.
    pub fn announces(&mut self, row: Digest, now: Now, timing: &Timing) -> bool {
        self.announced = row;
        let is_another = self.row.is_some() && row != self.held_digest;
        self.superseded = is_another.then(|| self.superseded.unwrap_or(now));
        let is_outdated = self.superseded.is_some_and(|since| now.since(since) > timing.life_of_a_row());
        std::mem::replace(&mut self.is_outdated, is_outdated) != is_outdated
    }

    /// It is heard again across a cut. A row that it has replaced meanwhile is void at once: that all was joined before the cut
    /// is no word on what is after it.
    pub fn is_heard_across(&mut self, now: Now, timing: &Timing) {
        if self.row.is_some() && self.announced != self.held_digest {
            self.superseded = Some(now - timing.life_of_a_row() * 2);
            self.is_outdated = true;
        }
    }

    /// Its row, if it may be judged by: void once the link from its owner is down, or its owner has replaced it long ago.
    pub fn valid_row(&self) -> Option<&Arc<HeldRow>> {
        self.row.as_ref().filter(|_| self.link.is_up() && !self.is_outdated)
    }

    /// Whether it is heard and has announced a row that we do not hold yet.
    pub fn owes_a_row(&self) -> bool {
        self.link.is_up() && self.announced != self.held_digest()
    }

    /// When our row is due to it, if it is: every d/2 until acknowledged to a peer that is heard, and for one bound to
    /// one that is not heard, for it may hear; then every P.
    pub fn row_due(&self, row: Digest, changed: Now, now: Now, timing: &Timing) -> Option<Now> {
        if self.acknowledged == row || !self.is_acquainted() || matches!(self.link.state(), LinkState::Left(_)) {
            return None;
        }
        let eager = self.link.is_up() || now < changed + timing.detection_bound();
        let pause = if eager { timing.confirm_period / 2 } else { timing.period };
        Some(self.row_sent.map_or(now, |sent| sent + pause))
    }

    /// When this peer needs a turn next.
    pub fn next_turn(&self) -> Now {
        let times = [self.link.next_deadline(), self.next_extra_poll()];
        times.into_iter().flatten().fold(self.schedule.next(), Now::min)
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Cells;
    use super::super::session::Proof;
    use super::*;
    use crate::identity::RowVersion;

    const HELD: Digest = Digest(5);
    const NEXT: Digest = Digest(6);

    fn at(milliseconds: u64) -> Now {
        Now::at(Duration::from_millis(milliseconds))
    }

    /// One that is heard, with a row of this digest.
    fn heard(timing: &Timing) -> Peer {
        let member = Member::new("node-2", "", SocketAddr::from(([10, 0, 0, 2], 7475)));
        let schedule = Schedule::new(timing.period, at(0), at(0), Pace::Regular);
        let mut peer = Peer::new(NodeId(2), Arc::new(member), true, schedule, at(0), timing);
        let _ = peer.link.heard(at(0), timing.period, true, timing);
        peer.hold(Some(row(HELD)));
        peer
    }

    fn row(digest: Digest) -> Arc<HeldRow> {
        Arc::new(HeldRow::new(Incarnation(1), RowVersion(1), digest, Cells::absent(2)))
    }

    #[test]
    fn a_row_is_void_one_bound_and_a_period_after_its_owner_has_replaced_it() {
        let timing = Timing::of_period(Duration::from_secs(1));
        let mut peer = heard(&timing);
        for (time, expected) in [(1_000, true), (2_000, true), (4_500, true), (4_501, false), (9_000, false)] {
            peer.announces(NEXT, at(time), &timing);
            assert_eq!(peer.valid_row().is_some(), expected, "replaced 1 s after the start, at {time} ms");
        }
        peer.hold(Some(row(NEXT)));
        assert!(peer.valid_row().is_some(), "the new one came");
    }

    #[test]
    fn a_row_that_is_announced_again_was_not_replaced() {
        let timing = Timing::of_period(Duration::from_secs(1));
        let mut peer = heard(&timing);
        assert!(!peer.announces(NEXT, at(1_000), &timing));
        assert!(peer.announces(NEXT, at(9_000), &timing), "it is void from now on");
        assert!(peer.announces(HELD, at(10_000), &timing), "and valid again");
        assert!(!peer.announces(NEXT, at(11_000), &timing));
        assert!(peer.valid_row().is_some());
    }

    #[test]
    fn a_recording_of_a_later_run_makes_no_stranger_of_one_that_goes_on_speaking() {
        let timing = Timing::of_period(Duration::from_secs(1));
        let mut peer = heard(&timing);
        peer.session.admit(Incarnation(1), Sequence(1), Proof::AtAddress);
        peer.hearing = Hearing::Heard;
        assert!(peer.is_acquainted());
        peer.doubted = Some(Incarnation(2));
        peer.link.become_unknown(at(100), &timing);
        assert!(!peer.is_acquainted(), "it may be a new run");
        let _ = peer.link.heard(at(200), timing.period, true, &timing);
        assert!(peer.is_acquainted(), "it was not");
    }

    #[test]
    fn a_peer_that_never_said_whether_it_hears_is_unknown() {
        let timing = Timing::of_period(Duration::from_secs(1));
        let mut peer = heard(&timing);
        assert_eq!(peer.cell(), Cell::Up, "its row says what it hears");
        peer.hold(None);
        for (hearing, expected) in
            [(Hearing::Unknown, Cell::Unknown), (Hearing::Silent, Cell::Unknown), (Hearing::Heard, Cell::Up)]
        {
            peer.hearing = hearing;
            assert_eq!(peer.cell(), expected, "{hearing:?}");
        }
    }
}
