//! Rows of those whom this agent does not hear, by way of peers that hear them: whom it asks, and what it holds.
//!
//! Relays are pulled. About each owner that is silent here, and that the row of a peer shows up, two such peers are asked
//! once a period, in the heartbeat that they get anyway. A relay tells how long ago it heard the owner, and the number of
//! that datagram: only a number that is new from that relay makes the row younger here, so that nobody keeps a dead row
//! alive by saying the same again. What the answer says is older than its owner's last word by what it says, and void one
//! bound and one period after that word.
//!
//! A relay passes on what it heard itself, never what it was told (`relaying`). Direct evidence beats it: it counts while
//! the link from its owner is down, and how far it counts then is the verdict's matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Detector;
use super::bits::Bits;
use super::held_row::HeldRow;
use super::link::LinkState;
use super::row_parts::Assembly;
use super::time::Now;
use crate::identity::{Incarnation, NodeId, RowVersion, Sequence};
use crate::wire::{Block, Hearing, RelayBlock, RowUnchanged, RowWanted};

/// How many peers are asked about one owner.
const RELAYS_OF_ONE: usize = 2;

/// About how many owners one peer is asked in one heartbeat. One that is the only bridge to more is asked about them in
/// turn, and so is not drowned by everybody's questions.
pub(super) const MOST_ASKED: usize = 48;

/// For how many owners relays are chosen at once: each choice looks at every peer.
const MOST_CHOSEN: usize = 128;

/// A row that came by way of others, and whoever may tell more of it.
#[derive(Debug, Default)]
pub(super) struct Relayed {
    /// Who is asked.
    sources: Vec<Source>,
    row: Option<Arc<HeldRow>>,
    under_way: Option<Box<Assembly>>,
    /// When its owner was last heard to stand by it, by any of the sources.
    pub(super) stood: Now,
    /// Its owner distrusts it.
    pub(super) impaired: bool,
}

/// A peer that is asked for a row, and the number of the last datagram of its owner that it told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    relay: NodeId,
    heard: (Incarnation, Sequence),
}

/// What a relay says of a row, beside its cells.
#[derive(Clone, Copy, Debug)]
struct Word {
    owner: NodeId,
    heard: (Incarnation, Sequence),
    version: RowVersion,
    stood: Now,
    impaired: bool,
}

impl Relayed {
    /// Whether a relay may say this: it was asked, and what it says is not older than what it said before.
    fn takes(&self, relay: NodeId, heard: (Incarnation, Sequence)) -> bool {
        self.sources.iter().any(|source| source.relay == relay && source.heard <= heard)
    }

    /// A relay heard the owner; only what is new makes the row younger.
    fn renew(&mut self, relay: NodeId, heard: (Incarnation, Sequence), stood: Now) {
        let source = self.sources.iter_mut().find(|source| source.relay == relay && source.heard < heard);
        if let Some(source) = source {
            source.heard = heard;
            self.stood = self.stood.max(stood);
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Relays {
    rows: BTreeMap<NodeId, Relayed>,
    /// About whom each peer is asked, in turn.
    asking: BTreeMap<NodeId, Vec<NodeId>>,
    /// How many rounds there were.
    rounds: usize,
    next_round: Option<Now>,
    /// When a round is due, or a row becomes void.
    next: Option<Now>,
}

impl Relays {
    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Now> {
        self.next
    }

    /// Somebody fell silent: others are asked then, if not before.
    fn hasten(&mut self, at: Now) {
        let earlier = |time: Option<Now>| Some(time.map_or(at, |time| time.min(at)));
        (self.next_round, self.next) = (earlier(self.next_round), earlier(self.next));
    }

    /// The roster got another shape.
    pub(super) fn reshape(&mut self, places: &[Option<usize>]) {
        for relayed in self.rows.values_mut() {
            relayed.row = relayed.row.take().map(|row| Arc::new(row.reshaped(places)));
            relayed.under_way = None;
        }
    }
}

impl Detector {
    /// A link is down. Others are asked two windows later: until then most rows do not show yet what they will.
    pub(super) fn seek_relays(&mut self, now: Now) {
        let first = now + self.timing.confirm_period * 2;
        self.relays.hasten(first);
    }

    /// An owner is heard, or gone.
    pub(super) fn drop_relayed(&mut self, owner: NodeId) {
        if !self.relays.rows.is_empty() {
            self.relays.rows.remove(&owner);
        }
    }

    /// The row of a node by way of others, if it may be judged by.
    pub(super) fn relayed_row(&self, place: usize, now: Now) -> Option<(&Arc<HeldRow>, &Relayed)> {
        if self.relays.rows.is_empty() {
            return None;
        }
        let peer = &self.peers[place];
        let relayed = self.relays.rows.get(&peer.id)?;
        let row = relayed.row.as_ref()?;
        let of_now = now < self.void_from(relayed.stood) && peer.session.verified() <= Some(row.incarnation);
        (peer.link.state() == LinkState::Down && of_now).then_some((row, relayed))
    }

    /// When a relayed row is void whose owner stood by it then.
    fn void_from(&self, stood: Now) -> Now {
        stood + self.timing.life_of_a_row()
    }

    /// Drops what is void, and looks for whom to ask about whom.
    pub(super) fn tend_relays(&mut self, now: Now) {
        if self.relays.next.is_none_or(|next| now < next) {
            return;
        }
        self.drop_void(now);
        if self.relays.next_round.is_some_and(|due| due <= now) {
            self.choose_relays(now);
        }
        let held = self.relays.rows.values().filter(|relayed| relayed.row.is_some());
        let void = held.map(|relayed| self.void_from(relayed.stood)).min();
        self.relays.next = self.relays.next_round.into_iter().chain(void).min();
    }

    fn drop_void(&mut self, now: Now) {
        let life = self.timing.life_of_a_row();
        for relayed in self.relays.rows.values_mut() {
            if relayed.row.is_some() && relayed.stood + life <= now {
                relayed.row = None;
                self.publication.touch();
            }
        }
    }

    /// One round: about each owner that is silent here and up elsewhere, two peers are asked until the next.
    fn choose_relays(&mut self, now: Now) {
        let silent = self.silent_here();
        if silent.is_empty() {
            self.relays = Relays::default();
            return;
        }
        let wanted = self.seen_up(silent);
        let mut rows = std::mem::take(&mut self.relays.rows);
        rows.retain(|&owner, relayed| {
            let is_wanted = self.place_of(owner).is_some_and(|place| wanted.has(place));
            if !is_wanted {
                relayed.sources.clear();
            }
            is_wanted || relayed.row.is_some()
        });
        let (mut asking, mut chosen): (BTreeMap<NodeId, Vec<NodeId>>, usize) = (BTreeMap::new(), 0);
        for place in wanted.iter() {
            let owner = self.peers[place].id;
            let relayed = rows.entry(owner).or_default();
            relayed
                .sources
                .retain(|source| self.place_of(source.relay).is_some_and(|relay| self.shows_up(relay, place)));
            if relayed.sources.len() < RELAYS_OF_ONE && chosen < MOST_CHOSEN {
                let before = relayed.sources.len();
                self.add_sources(&mut relayed.sources, place);
                chosen += usize::from(relayed.sources.len() > before);
            }
            for source in &relayed.sources {
                asking.entry(source.relay).or_default().push(owner);
            }
        }
        // Who was asked about first last time comes last.
        self.relays.rounds = self.relays.rounds.wrapping_add(1);
        for owners in asking.values_mut() {
            let by = self.relays.rounds.wrapping_mul(MOST_ASKED) % owners.len().max(1);
            owners.rotate_left(by);
        }
        (self.relays.rows, self.relays.asking) = (rows, asking);
        let all_chosen = chosen < MOST_CHOSEN;
        let pause = if all_chosen { self.timing.period } else { self.timing.confirm_period / 4 };
        self.relays.next_round = Some(now + pause);
    }

    fn silent_here(&self) -> Bits {
        let mut silent = Bits::none(self.peers.len());
        let down = |place: &usize| self.peers[*place].link.state() == LinkState::Down;
        silent.extend((0..self.peers.len()).filter(down));
        silent
    }

    /// Those of them whom the row of a peer shows up. In a clean cut that is nobody, and then nobody is looked at further.
    fn seen_up(&self, mut silent: Bits) -> Bits {
        let mut seen = Bits::none(self.peers.len());
        for row in self.peers.iter().filter_map(|peer| peer.valid_row()) {
            if row.late.is_empty() {
                seen.add(&row.ok);
            } else {
                seen.add(&row.ok.without(&row.late));
            }
        }
        silent.keep(&seen);
        silent
    }

    /// Whether a peer can be asked about an owner: it hears it, and says that it hears me.
    fn shows_up(&self, relay: usize, owner: usize) -> bool {
        let peer = &self.peers[relay];
        let row = if relay == self.me { None } else { peer.valid_row() };
        peer.hearing != Hearing::Silent && row.is_some_and(|row| row.ok.has(owner) && !row.late.has(owner))
    }

    /// Those peers that weigh most for this agent and that owner, of those that hear the owner: so the questions of all
    /// agents spread over all relays, and stay where they are while these stay up.
    fn add_sources(&self, sources: &mut Vec<Source>, owner: usize) {
        let id = self.peers[owner].id;
        let mut best: Vec<(u64, NodeId)> = Vec::with_capacity(RELAYS_OF_ONE + 1);
        for relay in (0..self.peers.len()).filter(|&relay| self.shows_up(relay, owner)) {
            let relay = self.peers[relay].id;
            if !sources.iter().any(|source| source.relay == relay) {
                let at = best.partition_point(|&other| other > (weight(self.id, relay, id), relay));
                best.insert(at, (weight(self.id, relay, id), relay));
                best.truncate(RELAYS_OF_ONE - sources.len());
            }
        }
        let heard = (Incarnation(0), Sequence(0));
        sources.extend(best.into_iter().map(|(_, relay)| Source { relay, heard }));
    }

    /// What a peer is asked for in its next heartbeat: about those whom its row shows up still.
    pub(super) fn rows_wanted_of(&mut self, place: usize) -> Option<Block> {
        if self.relays.asking.is_empty() {
            return None;
        }
        let owners = self.relays.asking.get_mut(&self.peers[place].id)?;
        let asked = owners.len().min(MOST_ASKED);
        let now: Vec<NodeId> = owners.iter().take(asked).copied().collect();
        owners.rotate_left(asked);
        let is_up = |owner: &NodeId| self.place_of(*owner).is_some_and(|owner| self.shows_up(place, owner));
        let wanted = now.into_iter().filter(is_up).map(|owner| {
            let (incarnation, version) = self.newest_held(owner);
            RowWanted { owner, incarnation, version }
        });
        let wanted: Vec<RowWanted> = wanted.collect();
        (!wanted.is_empty()).then_some(Block::RowsWanted(wanted))
    }

    /// The newest row of an owner that is held here, whoever sent it.
    fn newest_held(&self, owner: NodeId) -> (Incarnation, RowVersion) {
        let relayed = self.relays.rows.get(&owner).and_then(|relayed| relayed.row.as_ref());
        let direct = self.place_of(owner).and_then(|place| self.peers[place].row());
        relayed.into_iter().chain(direct).map(|row| (row.incarnation, row.version)).max().unwrap_or_default()
    }

    /// A peer passes on a row, or a part of it.
    pub(super) fn receive_relay(&mut self, from: usize, block: &RelayBlock, now: Now) {
        let word = Word {
            owner: block.owner,
            heard: (block.incarnation, block.heard),
            version: block.row.version,
            stood: now - block.age,
            impaired: block.impaired,
        };
        let Some(relayed) = self.asked_row(from, word) else { return };
        let held = relayed.row.as_ref().map(|row| (row.incarnation, row.version));
        if held >= Some((block.incarnation, word.version)) {
            return self.stand_by(from, word);
        }
        let Some(row) = Assembly::add(&mut relayed.under_way, block.incarnation, &block.row) else { return };
        let Some(cells) = self.translate(&row) else {
            // A relay writes rows in the order of its own roster.
            let relay = &mut self.peers[from];
            if row.roster == relay.roster {
                relay.roster_wanted = Some(row.roster);
            }
            return;
        };
        let digest = row.cells.digest(word.owner, block.incarnation, row.version, row.roster);
        let row = HeldRow::new(block.incarnation, row.version, digest, cells);
        self.hold_relayed(word, Some(Arc::new(row)), from);
    }

    /// A peer says that a row which is held here has not changed.
    pub(super) fn receive_unchanged(&mut self, from: usize, unchanged: &[RowUnchanged], now: Now) {
        for row in unchanged {
            let word = Word {
                owner: row.owner,
                heard: (row.incarnation, row.heard),
                version: row.version,
                stood: now - row.age,
                impaired: row.impaired,
            };
            self.stand_by(from, word);
        }
    }

    /// A relay heard the owner stand by a row: it counts if that is the newest one held here, directly or not.
    fn stand_by(&mut self, from: usize, word: Word) {
        if self.newest_held(word.owner) > (word.heard.0, word.version) {
            return;
        }
        let is_it = |row: &&Arc<HeldRow>| (row.incarnation, row.version) == (word.heard.0, word.version);
        let direct = self.place_of(word.owner).and_then(|place| self.peers[place].row()).filter(is_it).cloned();
        let Some(relayed) = self.asked_row(from, word) else { return };
        let held = relayed.row.as_ref().filter(is_it).cloned();
        if let Some(row) = held.or(direct) {
            self.hold_relayed(word, Some(row), from);
        }
    }

    /// What is known of a row that this peer was asked for, if what it says now may count.
    fn asked_row(&mut self, from: usize, word: Word) -> Option<&mut Relayed> {
        let relay = self.peers[from].id;
        let owner = &self.peers[self.place_of(word.owner)?];
        let counts = owner.link.state() == LinkState::Down && owner.session.verified() <= Some(word.heard.0);
        self.relays.rows.get_mut(&word.owner).filter(|relayed| counts && relayed.takes(relay, word.heard))
    }

    fn hold_relayed(&mut self, word: Word, row: Option<Arc<HeldRow>>, from: usize) {
        let relay = self.peers[from].id;
        let Some(relayed) = self.relays.rows.get_mut(&word.owner) else { return };
        let version = |row: &Option<Arc<HeldRow>>| row.as_ref().map(|row| (row.incarnation, row.version));
        if version(&relayed.row) != version(&row) || relayed.impaired != word.impaired {
            self.publication.touch();
        }
        (relayed.row, relayed.impaired) = (row, word.impaired);
        relayed.renew(relay, word.heard, word.stood);
        let void = self.relays.rows.get(&word.owner).map(|relayed| self.void_from(relayed.stood));
        self.relays.next = self.relays.next.into_iter().chain(void).min();
    }
}

/// How much a relay weighs for an owner and whoever asks: the same on every run, and alike for no two.
fn weight(asker: NodeId, relay: NodeId, owner: NodeId) -> u64 {
    // The finaliser of SplitMix64 (Steele, Lea, Flood 2014). Ids are hashes, so that this need not be a strong one.
    let mixed = asker.0 ^ relay.0.rotate_left(21) ^ owner.0.rotate_left(42);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
