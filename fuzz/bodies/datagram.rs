//! One datagram: its bytes read and written again, refused without a key, and said by a holder of the key who lies.

use std::time::Duration;

use netsplit::detector::view::Refusal as Refused;
use netsplit::identity::NodeId;
use netsplit::wire::{self, HEADER_SIZE, HELLO_SIZE, Keys, Kind, MAX_DATAGRAM, TAG_SIZE};

use super::agents::{Agents, sign};

/// Who says it.
const LIAR: usize = 1;

/// Where the numbers stand in the header (docs/protocol.md).
const SENDER: std::ops::Range<usize> = 8..16;
const RECEIVER: std::ops::Range<usize> = 16..24;
const INCARNATION: std::ops::Range<usize> = 24..32;
const SEQUENCE: std::ops::Range<usize> = 32..36;

/// `bytes` are a datagram.
pub fn run(bytes: &[u8]) {
    is_read_as_it_was_written(bytes);
    if bytes.len() < HEADER_SIZE + TAG_SIZE || bytes.len() > MAX_DATAGRAM {
        return;
    }
    let mut agents = Agents::acquainted(3, Duration::from_millis(1_200));
    is_refused_without_the_key(&mut agents, bytes);
    changes_nothing_unless_it_is_fresh(&mut agents, bytes);
    is_survived(&mut agents, bytes);
}

/// Whoever it is from and for.
fn is_read_as_it_was_written(bytes: &[u8]) {
    let own = bytes.get(RECEIVER).map_or(NodeId::ANYONE, |id| NodeId(u64::from_be_bytes(id.try_into().unwrap())));
    let Ok(opened) = wire::open(bytes, own, &Keys::insecure()) else { return };
    let mut again = Vec::new();
    let sealed = wire::seal(&opened.datagram, opened.stamp, &Keys::insecure(), None, &mut again);
    if let Err(error) = sealed {
        let is_long_hello = opened.datagram.kind == Kind::Hello && bytes.len() > HELLO_SIZE;
        assert!(is_long_hello, "what came in one datagram does not go out in one: {error}");
        return;
    }
    assert_eq!(again.len(), wire::sealed_size(&opened.datagram));
    let reopened = wire::open(&again, own, &Keys::insecure()).expect("what was sealed opens");
    assert_eq!((reopened.datagram, reopened.stamp), (opened.datagram, opened.stamp));
}

fn is_refused_without_the_key(agents: &mut Agents, bytes: &[u8]) {
    let before = agents.shown();
    let from = agents.address(LIAR);
    agents.put_in(bytes, from).expect_err("nobody signed it");
    assert_eq!((agents.shown(), agents.outputs().len()), (before, 0), "a stranger changed something");
}

/// The bytes as a peer's that holds the key; `numbers` are put in place of its own.
fn signed(agents: &Agents, bytes: &[u8], numbers: Option<(u64, u32)>) -> Vec<u8> {
    let mut content = bytes[..bytes.len() - TAG_SIZE].to_vec();
    content[SENDER].copy_from_slice(&agents.id(LIAR).0.to_be_bytes());
    if content[RECEIVER] != [0; 8] {
        content[RECEIVER].copy_from_slice(&agents.subject().id().0.to_be_bytes());
    }
    if let Some((incarnation, sequence)) = numbers {
        content[INCARNATION].copy_from_slice(&incarnation.to_be_bytes());
        content[SEQUENCE].copy_from_slice(&sequence.to_be_bytes());
    }
    sign(&mut content);
    content
}

/// Authentic, with the numbers that it brings.
fn changes_nothing_unless_it_is_fresh(agents: &mut Agents, bytes: &[u8]) {
    let said = signed(agents, bytes, None);
    let (before, received) = (agents.shown(), agents.subject().received());
    let unverified = agents.refused(Refused::Unverified);
    let newer = agents.put_in(&said, agents.address(LIAR));
    let is_newer = matches!(newer, Err(wire::Refusal::NewerVersion(_)));
    // A run that has not proved itself, and a version that cannot be read, make a link unknown, and nothing else.
    let may_doubt = is_newer || agents.refused(Refused::Unverified) > unverified;
    if agents.subject().received() == received && !may_doubt {
        assert_eq!(agents.shown(), before, "what is not fresh changed something");
    }
    let outputs = agents.outputs();
    assert!(outputs.len() < 50, "{} answers", outputs.len());
}

/// Authentic and fresh: the sender lies, and the agent goes on.
fn is_survived(agents: &mut Agents, bytes: &[u8]) {
    let liar = agents.id(LIAR);
    let view = agents.subject().view(agents.now());
    let run = view.nodes.iter().find(|node| node.id == liar).and_then(|node| node.incarnation);
    let Some(run) = run else { return };
    let newest = u32::from_be_bytes(bytes[SEQUENCE].try_into().unwrap()) % 32 + 1_000;
    let received = agents.subject().received();
    let said = signed(agents, bytes, Some((run.0, newest)));
    if agents.put_in(&said, agents.address(LIAR)).is_ok() {
        let has_left = view.nodes.iter().any(|node| node.id == liar && node.link.is_none());
        let took = agents.subject().received() > received;
        let counted = agents.subject().view(agents.now()).counters.refused.values().sum::<u64>();
        assert!(took || has_left || counted > 0, "it was neither taken nor refused");
    }
    agents.outputs();
    agents.run_for(Duration::from_millis(1_200));
    let _ = agents.shown();
}
