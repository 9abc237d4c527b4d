//! Rows, rosters, relays and parts of them, in any order, from peers that hold the key.
//!
//! The bytes are frames: who says it (a byte; bit 7: once more later), how long it is (two bytes, little-endian), and the
//! blocks themselves as they stand in a datagram. Each goes into a datagram of that peer, authentic and fresh.

use std::collections::BTreeMap;
use std::time::Duration;

use netsplit::detector::row::Cells;
use netsplit::identity::{NodeId, RowVersion};
use netsplit::wire::{self, Block, Keys, MAX_DATAGRAM, TAG_SIZE};

use super::agents::{Agents, sign};

/// Nodes in the roster, the subject included.
const NODES: usize = 4;

/// More tells nothing new, and takes long.
const MOST_FRAMES: usize = 40;

/// Who says what.
#[derive(Clone, Debug)]
struct Frame<'a> {
    peer: usize,
    again: bool,
    blocks: &'a [u8],
}

/// `bytes` are frames.
pub fn run(bytes: &[u8]) {
    let frames = frames_in(bytes);
    let (forth, is_plain) = deliver(&frames);
    let backwards: Vec<Frame<'_>> = frames.into_iter().rev().collect();
    let (back, _) = deliver(&backwards);
    if is_plain {
        assert_eq!(forth, back, "rows merge to something else in another order");
    }
}

fn frames_in(mut bytes: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    while let [who, low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])) % (MAX_DATAGRAM - 96);
        let (blocks, left) = rest.split_at(length.min(rest.len()));
        frames.push(Frame { peer: 1 + usize::from(who & 0x7f) % (NODES - 1), again: who & 0x80 != 0, blocks });
        bytes = left;
    }
    frames.truncate(MOST_FRAMES);
    frames
}

/// The rows that the subject holds afterwards, and whether nothing but rows of honest owners came.
fn deliver(frames: &[Frame<'_>]) -> (Vec<(NodeId, String)>, bool) {
    let mut agents = Agents::acquainted(NODES, Duration::from_millis(1_500));
    let mut honesty = Honesty::of(&agents);
    let once_more = frames.iter().filter(|frame| frame.again);
    for (turn, frame) in frames.iter().chain(once_more).enumerate() {
        let Some(said) = datagram(&agents, frame, turn) else { return (Vec::new(), false) };
        honesty.hears(&agents, &said);
        let _ = agents.put_in(&said, agents.address(frame.peer));
    }
    agents.outputs();
    let held = held(&agents);
    agents.run_for(Duration::from_millis(1_200));
    let _ = agents.shown();
    (held, honesty.holds)
}

/// The last datagram of a peer with these blocks, and a number of its own.
fn datagram(agents: &Agents, frame: &Frame<'_>, turn: usize) -> Option<Vec<u8>> {
    let address = agents.address(frame.peer);
    let last = agents.arrived.iter().rev().find(|arrived| arrived.from == address)?;
    let mut opened = wire::open(&last.bytes, agents.subject().id(), agents.keys()).ok()?;
    opened.datagram.blocks.clear();
    opened.datagram.kind = wire::Kind::Heartbeat;
    opened.datagram.flags = wire::Flags::default();
    opened.datagram.sequence.0 += 1_000 + u32::try_from(turn).ok()?;
    let mut said = Vec::new();
    wire::seal(&opened.datagram, opened.stamp, &Keys::insecure(), None, &mut said).ok()?;
    said.truncate(said.len() - TAG_SIZE);
    said.extend_from_slice(frame.blocks);
    sign(&mut said);
    Some(said)
}

fn held(agents: &Agents) -> Vec<(NodeId, String)> {
    let view = agents.subject().view(agents.now());
    let rows = view.nodes.iter().enumerate().filter(|&(place, _)| place != view.me);
    rows.map(|(_, node)| (node.id, format!("{:?}", node.row.as_ref().map(|row| &row.cells)))).collect()
}

/// Whether what is said could be said by owners that do not lie: one version of a row says one thing. Then the order in
/// which rows come must not matter. What else a datagram may say may well depend on the order, so that is not looked at.
struct Honesty {
    holds: bool,
    roster: Option<netsplit::identity::Digest>,
    rows: BTreeMap<(NodeId, RowVersion), Cells>,
}

impl Honesty {
    fn of(agents: &Agents) -> Self {
        let mut found = Self { holds: true, roster: None, rows: BTreeMap::new() };
        for arrived in &agents.arrived {
            found.hears(agents, &arrived.bytes);
        }
        // What the peers said when they got acquainted is no lie.
        found.holds = true;
        found
    }

    fn hears(&mut self, agents: &Agents, said: &[u8]) {
        let Ok(opened) = wire::open(said, agents.subject().id(), agents.keys()) else { return };
        self.roster = Some(opened.datagram.roster_digest);
        for block in &opened.datagram.blocks {
            self.holds &= match block {
                Block::Row(row) if Some(row.roster) == self.roster && row.cells.len() == NODES => {
                    let said_before = self.rows.insert((opened.datagram.sender, row.version), row.cells.clone());
                    said_before.is_none_or(|before| before == row.cells)
                }
                _ => false,
            };
        }
    }
}
