//! A view in which everything there is to tell is there: node-1 and node-2 on one side of a cut, node-3 on the other,
//! node-4 without its agent; a partition is open, another is over.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use netsplit::detector::event::{AgentDownCause, CloseCause};
use netsplit::detector::link::LinkState;
use netsplit::detector::mode::Mode;
use netsplit::detector::partition::{Closed, Direction, Partition, PartitionId, PartitionKind, Side, Witness};
use netsplit::detector::row::{Cell, Cells};
use netsplit::detector::settings::Member;
use netsplit::detector::time::Now;
use netsplit::detector::view::{NodeView, RowView, View};
use netsplit::identity::{Digest, Epoch, Incarnation, NodeId};

/// What the rows of the view's nodes say, in its order: what arrives from each at their owner.
const ROWS: [Option<&str>; 4] = [Some("-u?d"), Some("u-ud"), None, None];

fn at(seconds: u64) -> Now {
    Now::at(Duration::from_secs(seconds))
}

fn cells(letters: &str) -> Arc<Cells> {
    let mut cells = Cells::absent(letters.len());
    for (place, letter) in letters.chars().enumerate() {
        let cell = match letter {
            'u' => Cell::Up,
            'd' => Cell::Down,
            '?' => Cell::Unknown,
            _ => Cell::Absent,
        };
        cells.set(place, cell);
    }
    Arc::new(cells)
}

fn node(place: usize) -> NodeView {
    let number = place + 1;
    let port = 7475 + u16::try_from(place).unwrap();
    let row = ROWS[place].map(|row| RowView {
        cells: cells(row),
        age: Duration::from_millis(250) * u32::try_from(place).unwrap(),
        impaired: place == 1,
        relayed: place > 1,
    });
    let link = [None, Some(LinkState::Up), Some(LinkState::Down), Some(LinkState::Down)][place];
    let rtt = Duration::from_micros(180);
    NodeView {
        id: NodeId(number as u64),
        member: Arc::new(Member::new(format!("node-{number}"), "east", (Ipv4Addr::LOCALHOST, port).into())),
        link,
        failures: 0,
        silent_for: (place != 0).then(|| Duration::from_millis(120 * number as u64)),
        rtt: (place == 1).then_some(rtt),
        loss: if place == 1 { 0.125 } else { 0.0 },
        is_degraded: place == 1,
        incarnation: (place < 2).then_some(Incarnation(number as u64)),
        unheard: place == 2,
        agent_down: (place == 3).then_some(AgentDownCause::Stopped),
        row,
    }
}

/// A cut between node-1 and node-2, and node-3.
pub(crate) fn partition() -> Partition {
    let side = |names: &[&str], seen| Side::new(names.iter().map(|name| (*name).to_owned()).collect(), seen);
    Partition {
        id: PartitionId(0xc796_3059_2751_9af9),
        kind: PartitionKind::Complete,
        endpoint: None,
        certain: true,
        sides: vec![side(&["node-1", "node-2"], true), side(&["node-3"], false)],
        bridges: vec!["node-5".to_owned()],
        own_side: true,
        zones: Vec::new(),
        exceptions: vec![("node-1".to_owned(), "node-3".to_owned())],
        direction: Some(Direction::FromFirst),
        witness: Some(Witness::Http),
        opened: at(5),
        detection: Duration::from_millis(3010),
        epoch: Epoch(1),
        quorum: true,
        electorate_digest: Digest(7),
        roster_digest: Digest(8),
    }
}

/// The view, of second 10.
pub(crate) fn full(of_one: &View) -> View {
    let closed = Closed {
        partition: Partition {
            id: PartitionId(1),
            endpoint: Some("central-prometheus".to_owned()),
            opened: at(1),
            ..partition()
        },
        at: at(4),
        cause: CloseCause::Healed,
        confirmed: Some(true),
    };
    View {
        at: at(10),
        nodes: (0..ROWS.len()).map(node).collect(),
        me: 0,
        mode: Mode::Majority,
        mode_since: at(5),
        overridden: None,
        quorum: Some(true),
        members: 2,
        electorate: 3,
        electorate_digest: Digest(7),
        awaited: vec!["node-9".to_owned()],
        partitions: vec![partition()],
        recent: vec![Arc::new(closed)],
        endpoints: crate::endpoint_samples::endpoints(),
        ..of_one.clone()
    }
}
