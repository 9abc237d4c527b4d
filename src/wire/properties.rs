//! What holds for every datagram: it comes back as it left, nothing that was tampered with does, and no bytes panic.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::detector::endpoint_states::{SharedState, States};
use crate::detector::row::Cells;
use crate::hlc::Stamp;
use crate::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};

const SENDER: NodeId = NodeId(0x0102_0304_0506_0708);
const RECEIVER: NodeId = NodeId(0x1112_1314_1516_1718);

fn keys() -> Keys {
    Keys::oldest_first(vec![Key::new(&[1; 32]), Key::new(&[2; 32])]).unwrap()
}

fn heartbeat() -> Datagram {
    Datagram {
        kind: Kind::Heartbeat,
        flags: Flags { hearing: Hearing::Heard, ..Flags::default() },
        sender: SENDER,
        receiver: RECEIVER,
        incarnation: Incarnation(1_795_262_400_000_000),
        sequence: Sequence(7),
        pace: Duration::from_secs(1),
        echo: Echo { sequence: Sequence(6), delay: Duration::from_millis(400) },
        row_version: RowVersion(3),
        row_digest: Digest(4),
        held_digest: Digest(5),
        roster_digest: Digest(6),
        electorate_digest: Digest(7),
        epoch: Epoch(8),
        blocks: Vec::new(),
    }
}

fn with(blocks: Vec<Block>) -> Datagram {
    Datagram { blocks, ..heartbeat() }
}

fn row_of(nodes: usize) -> RowBlock {
    RowBlock { version: RowVersion(1), roster: Digest(2), cells: Cells::absent(nodes) }
}

fn part_of(total: usize, from: usize, nodes: usize) -> RowPart {
    let [total, from] = [total, from].map(|cells| u16::try_from(cells).unwrap());
    RowPart { version: RowVersion(1), roster: Digest(2), total, from, cells: Cells::absent(nodes) }
}

fn relay_of(nodes: usize) -> RelayBlock {
    RelayBlock {
        owner: SENDER,
        incarnation: Incarnation(1),
        heard: Sequence(2),
        age: Duration::from_secs(1),
        impaired: false,
        row: part_of(nodes, 0, nodes),
    }
}

fn longest_hello() -> Datagram {
    let hello = Hello {
        name: "n".repeat(MAX_NAME),
        zone: "z".repeat(MAX_ZONE),
        address: "[2001:db8::1]:7475".parse().unwrap(),
        host: Some("2001:db8::2".parse().unwrap()),
        http_port: NonZeroU16::new(7476),
        version: "v".repeat(MAX_SOFTWARE_VERSION),
    };
    let nonce = Nonce([9; 16]);
    let slept = Slept { length: Duration::from_secs(1), ago: Duration::from_secs(2) };
    Datagram {
        kind: Kind::Hello,
        receiver: NodeId::ANYONE,
        ..with(vec![
            Block::Hello(hello.into()),
            Block::Challenge(nonce),
            Block::Answer(nonce),
            Block::NewestIncarnation(Incarnation(1)),
            Block::Slept(slept),
        ])
    }
}

fn sealed_with(datagram: &Datagram, keys: &Keys) -> Result<Vec<u8>, TooLarge> {
    let mut buffer = Vec::new();
    seal(datagram, Stamp::from_bits(42), keys, None, &mut buffer).map(|()| buffer)
}

fn sealed(datagram: &Datagram) -> Vec<u8> {
    sealed_with(datagram, &keys()).unwrap()
}

fn size(datagram: &Datagram) -> Option<usize> {
    sealed_with(datagram, &keys()).ok().map(|bytes| bytes.len())
}

#[test]
fn a_healthy_heartbeat_is_96_bytes() {
    assert_eq!(size(&heartbeat()), Some(96));
}

#[test]
fn a_buffer_is_used_again_and_never_grows() {
    let mut buffer = Vec::new();
    seal(&longest_hello(), Stamp::default(), &keys(), None, &mut buffer).unwrap();
    let before = (buffer.as_ptr(), buffer.capacity());
    for nodes in [0, 100, 2904] {
        seal(&with(vec![Block::Row(row_of(nodes).into())]), Stamp::default(), &keys(), None, &mut buffer).unwrap();
        assert_eq!((buffer.as_ptr(), buffer.capacity()), before);
    }
}

#[test]
fn a_row_of_100_nodes_fits_and_2904_are_the_most_that_do() {
    assert_eq!(size(&with(vec![Block::Row(row_of(100).into())])), Some(96 + 3 + 12 + 39));
    assert_eq!(size(&with(vec![Block::Row(row_of(2904).into())])), Some(MAX_DATAGRAM));
    assert_eq!(size(&with(vec![Block::Row(row_of(2905).into())])), None);
}

#[test]
fn a_relayed_row_of_2832_nodes_is_the_largest_that_fits() {
    assert_eq!(size(&with(vec![Block::Relay(relay_of(2832).into())])), Some(1198));
    assert_eq!(size(&with(vec![Block::Relay(relay_of(2833).into())])), None);
}

#[test]
fn a_roster_part_of_136_ids_is_the_largest_that_fits() {
    let part = |count: u16| {
        let ids = vec![SENDER; count.into()];
        with(vec![Block::Roster(RosterPart { digest: Digest(1), total: 5000, from: 0, ids }.into())])
    };
    assert_eq!(size(&part(136)), Some(1195));
    assert_eq!(size(&part(137)), None);
}

#[test]
fn what_is_asked_for_and_what_has_not_changed_fit_one_datagram() {
    let wanted = RowWanted { owner: SENDER, incarnation: Incarnation(1), version: RowVersion(2) };
    assert_eq!(size(&with(vec![Block::RowsWanted(vec![wanted; 48])])), Some(96 + 3 + 48 * 20));
    let RelayBlock { owner, incarnation, heard, age, impaired, .. } = relay_of(0);
    let unchanged = RowUnchanged { owner, incarnation, version: RowVersion(2), heard, age, impaired };
    assert_eq!(size(&with(vec![Block::RowsUnchanged(vec![unchanged; 36])])), Some(96 + 3 + 36 * 29));
}

#[test]
fn a_hello_with_the_longest_names_and_all_that_it_may_carry_fits() {
    let carried: usize = longest_hello().blocks.iter().map(block_size).sum();
    assert_eq!(HEADER_SIZE + carried + TAG_SIZE, 588, "as docs/protocol.md has it");
    assert_eq!(size(&longest_hello()), Some(HELLO_SIZE));
}

#[test]
fn every_hello_has_the_same_size_so_that_none_answers_another_with_more() {
    let mut hello = longest_hello();
    while hello.blocks.pop().is_some() {
        assert_eq!(size(&hello), Some(HELLO_SIZE));
    }
    hello.blocks = vec![Block::Row(row_of(2000).into())];
    assert_eq!(size(&hello), None);
}

#[test]
fn a_hello_that_was_not_padded_is_refused() {
    let short = Datagram { kind: Kind::Hello, ..heartbeat() };
    let mut bytes = sealed_with(&short, &Keys::insecure()).unwrap();
    bytes.remove(100);
    assert_eq!(open(&bytes, RECEIVER, &Keys::insecure()), Err(Refusal::TooShort));
}

#[test]
fn what_does_not_fit_says_what_it_is_and_leaves_the_buffer_empty() {
    let Some(Block::Hello(hello)) = longest_hello().blocks.into_iter().next() else { panic!("no hello") };
    let named = |name: &str| with(vec![Block::Hello(Hello { name: name.into(), ..(*hello).clone() }.into())]);
    let mut buffer = vec![1, 2, 3];
    let error = seal(&named(&"n".repeat(254)), Stamp::default(), &keys(), None, &mut buffer).unwrap_err();
    assert_eq!(error, TooLarge { what: "name", size: 254, limit: 253 });
    assert!(buffer.is_empty());
    assert!(size(&named("n")).is_some());
}

#[test]
fn a_datagram_cut_off_anywhere_is_refused() {
    for datagram in [heartbeat(), longest_hello(), with(vec![Block::Challenge(Nonce([3; 16]))])] {
        let bytes = sealed(&datagram);
        for length in 0..bytes.len() {
            assert!(open(&bytes[..length], RECEIVER, &keys()).is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn a_datagram_with_any_bit_flipped_is_refused() {
    for datagram in [heartbeat(), longest_hello(), with(vec![Block::Row(row_of(100).into())])] {
        let mut bytes = sealed(&datagram);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opened = open(&bytes, RECEIVER, &keys());
            assert!(matches!(opened, Err(refusal) if refusal != Refusal::Malformed), "bit {bit}: {opened:?}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_newer_version_is_believed_only_with_a_tag() {
    let mut bytes = sealed(&heartbeat());
    bytes[0] = 0x20;
    assert_eq!(open(&bytes, RECEIVER, &keys()), Err(Refusal::Tag));
    let newer = Newer { version: 2, sender: SENDER, incarnation: heartbeat().incarnation, sequence: Sequence(7) };
    assert_eq!(open(&bytes, RECEIVER, &Keys::insecure()), Err(Refusal::NewerVersion(newer)));
}

#[test]
fn only_a_hello_may_be_for_anyone() {
    assert!(open(&sealed(&longest_hello()), RECEIVER, &keys()).is_ok());
    let heartbeat = Datagram { receiver: NodeId::ANYONE, ..heartbeat() };
    assert_eq!(open(&sealed(&heartbeat), RECEIVER, &keys()), Err(Refusal::Receiver));
}

#[test]
fn a_key_of_the_same_id_is_told_apart_by_the_tag() {
    // Keys are one byte apart by id: among 257 two share one.
    let ring: Vec<_> = (0..=255).map(|seed| Key::new(&[seed; 32])).collect();
    let twins = |key: &Key| ring.iter().filter(|other| other.id() == key.id()).cloned().collect::<Vec<_>>();
    let pair = ring.iter().map(twins).find(|twins| twins.len() > 1).unwrap();
    let alone = Keys::oldest_first(pair[1..2].to_vec()).unwrap();
    let bytes = sealed_with(&heartbeat(), &alone).unwrap();
    assert!(open(&bytes, RECEIVER, &Keys::oldest_first(pair).unwrap()).is_ok());
}

/// What a body of the given type is read as, behind a healthy header.
fn open_block(code: u8, body: &[u8]) -> Result<Vec<Block>, Refusal> {
    let mut bytes = sealed_with(&heartbeat(), &Keys::insecure()).unwrap();
    bytes.truncate(HEADER_SIZE);
    bytes.push(code);
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes.extend([0; TAG_SIZE]);
    open(&bytes, RECEIVER, &Keys::insecure()).map(|opened| opened.datagram.blocks)
}

#[test]
fn a_block_of_an_unknown_type_is_skipped() {
    assert_eq!(open_block(200, b"from a newer agent"), Ok(Vec::new()));
}

#[test]
fn a_known_block_of_a_wrong_size_is_malformed() {
    for (code, right) in [(3, 16), (4, 16), (5, 8), (6, 16), (8, 6), (15, 20), (16, 29)] {
        assert_eq!(open_block(code, &vec![1; right]).map(|blocks| blocks.len()), Ok(1));
        assert_eq!(open_block(code, &vec![1; right - 1]), Err(Refusal::Malformed), "type {code}");
        assert_eq!(open_block(code, &vec![1; right + 1]), Err(Refusal::Malformed), "type {code}");
    }
}

#[test]
fn the_states_of_a_thousand_endpoints_fit_beside_a_row_of_2000_nodes() {
    let states = States::of(std::iter::repeat_n(SharedState::Up, 1000));
    let states = EndpointStates { version: RowVersion(1), list: Digest(2), states };
    assert_eq!(size(&with(vec![Block::EndpointStates(states.clone().into())])), Some(96 + 3 + 260));
    let both = vec![Block::Row(row_of(2000).into()), Block::EndpointStates(states.into())];
    assert_eq!(size(&with(both)), Some(96 + 3 + 762 + 3 + 260));
}

#[test]
fn states_of_endpoints_with_bits_behind_the_last_are_malformed() {
    let states = |count: u8, planes: &[u8]| open_block(17, &[&[0, 0, 0, 1, 0, 0, 0, 2, 0, count], planes].concat());
    assert!(states(3, &[7, 5]).is_ok());
    for (count, planes) in [(3, &[8, 0][..]), (3, &[0, 0x80]), (9, &[0, 0]), (3, &[7]), (3, &[7, 5, 0])] {
        assert_eq!(states(count, planes), Err(Refusal::Malformed), "{count} {planes:?}");
    }
}

#[test]
fn a_part_of_a_row_has_whole_words_and_stays_within_its_row() {
    let row = |offset: u8, total: u8, planes: usize| {
        let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2, 0, offset, 0, total];
        body.resize(12 + planes, 0xff);
        open_block(1, &body)
    };
    let cells = |blocks: Result<Vec<Block>, Refusal>| match blocks.as_deref() {
        Ok([Block::Row(row)]) => (0, row.cells.len()),
        Ok([Block::RowPart(part)]) => (part.from, part.cells.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(cells(row(0, 16, 6)), (0, 16));
    assert_eq!(cells(row(0, 200, 24)), (0, 64));
    assert_eq!(cells(row(64, 200, 48)), (64, 128));
    assert_eq!(cells(row(128, 200, 27)), (128, 72), "up to the end");
    assert_eq!(cells(row(0, 0, 0)), (0, 0));
    let too_much = [(0, 16, 5), (0, 16, 9), (64, 80, 9), (17, 16, 0), (64, 64, 0), (0, 16, 0)];
    let unaligned = [(0, 200, 27), (8, 200, 24), (8, 16, 3), (64, 200, 45)];
    for (offset, total, planes) in too_much.into_iter().chain(unaligned) {
        assert_eq!(row(offset, total, planes), Err(Refusal::Malformed), "{offset} {total} {planes}");
    }
}

#[test]
fn the_parts_of_the_largest_row_fit_beside_what_an_agent_says_of_its_sleep() {
    let slept = || Block::Slept(Slept { length: Duration::from_secs(1), ago: Duration::from_secs(2) });
    assert_eq!(size(&with(vec![slept(), Block::RowPart(part_of(65_535, 2_816, 2_816).into())])), Some(1186));
    let relay = RelayBlock { row: part_of(65_535, 2_816, 2_816), ..relay_of(0) };
    assert_eq!(size(&with(vec![Block::Relay(relay.into())])), Some(1192));
}

#[test]
fn padding_that_is_not_zero_is_malformed() {
    let mut bytes = sealed_with(&longest_hello(), &Keys::insecure()).unwrap();
    let last = bytes.len() - TAG_SIZE - 1;
    bytes[last] = 1;
    assert_eq!(open(&bytes, RECEIVER, &Keys::insecure()), Err(Refusal::Malformed));
}

/// The table of the header in `docs/protocol.md`: offset, size and name of each field.
fn documented_fields() -> Vec<(usize, usize, &'static str)> {
    let document = include_str!("../../docs/protocol.md");
    let table = document.split("## The header").nth(1).unwrap().split("\n## ").next().unwrap();
    let field = |line: &'static str| {
        let mut columns = line.split('|').map(str::trim).skip(1);
        let (offset, size) = (columns.next()?.parse().ok()?, columns.next()?.parse().ok()?);
        Some((offset, size, columns.next()?))
    };
    table.lines().filter_map(field).collect()
}

#[test]
fn the_documented_header_has_no_gap_and_no_overlap() {
    let end = documented_fields().into_iter().fold(0, |end, (offset, size, name)| {
        assert_eq!(offset, end, "{name}");
        offset + size
    });
    assert_eq!(end, HEADER_SIZE);
}

#[test]
fn every_field_stands_where_the_document_says() {
    let plain = sealed_with(&heartbeat(), &Keys::insecure()).unwrap();
    for (name, changed) in changed_fields() {
        let (offset, size, _) = documented_fields().into_iter().find(|field| field.2 == name).unwrap();
        let bytes = sealed_with(&changed, &Keys::insecure()).unwrap();
        let differing: Vec<_> = (0..HEADER_SIZE).filter(|&at| bytes[at] != plain[at]).collect();
        // The value differs in its lowest byte at least, which is the last of the field.
        assert!(differing.iter().all(|at| (offset..offset + size).contains(at)), "{name}: {differing:?}");
        assert!(differing.contains(&(offset + size - 1)), "{name}: {differing:?}");
    }
}

/// A heartbeat for each field, which differs from the plain one in the lowest byte of that field.
fn changed_fields() -> Vec<(&'static str, Datagram)> {
    let one = Duration::from_micros(1);
    let was = heartbeat();
    let echo = was.echo;
    vec![
        ("version and kind", Datagram { kind: Kind::Hello, ..heartbeat() }),
        ("flags", Datagram { flags: Flags { poll: true, ..was.flags }, ..heartbeat() }),
        ("sender", Datagram { sender: NodeId(1), ..heartbeat() }),
        ("receiver", Datagram { receiver: NodeId(1), ..heartbeat() }),
        ("incarnation", Datagram { incarnation: Incarnation(1), ..heartbeat() }),
        ("sequence", Datagram { sequence: Sequence(1), ..heartbeat() }),
        ("pace", Datagram { pace: was.pace + one, ..heartbeat() }),
        ("echo sequence", Datagram { echo: Echo { sequence: Sequence(1), ..echo }, ..heartbeat() }),
        ("echo delay", Datagram { echo: Echo { delay: echo.delay + one, ..echo }, ..heartbeat() }),
        ("row version", Datagram { row_version: RowVersion(1), ..heartbeat() }),
        ("row digest", Datagram { row_digest: Digest(1), ..heartbeat() }),
        ("held digest", Datagram { held_digest: Digest(1), ..heartbeat() }),
        ("roster digest", Datagram { roster_digest: Digest(1), ..heartbeat() }),
        ("electorate digest", Datagram { electorate_digest: Digest(1), ..heartbeat() }),
        ("epoch", Datagram { epoch: Epoch(1), ..heartbeat() }),
    ]
}

fn micros(limit: u64) -> impl Strategy<Value = Duration> {
    (0..=limit).prop_map(Duration::from_micros)
}

fn short() -> impl Strategy<Value = Duration> {
    micros(u32::MAX.into())
}

fn row() -> impl Strategy<Value = RowBlock> {
    (any::<(u32, u32)>(), 0..600usize, any::<[u64; 10]>(), any::<[u64; 10]>(), any::<[u64; 10]>()).prop_map(
        |((version, roster), nodes, low, middle, high)| RowBlock {
            version: RowVersion(version),
            roster: Digest(roster),
            cells: Cells::from_planes([low, middle, high].map(Vec::from), nodes),
        },
    )
}

/// Not all of a row: that would come back as a row.
fn row_part() -> impl Strategy<Value = RowPart> {
    (row(), 0..5u16, 1..5u16).prop_map(|(row, before, after)| {
        let words = row.cells.len() / 64;
        let cells = Cells::from_planes(row.cells.planes().clone(), words.max(1) * 64);
        let (from, len) = (before * 64, u16::try_from(cells.len()).unwrap());
        RowPart { version: row.version, roster: row.roster, total: from + len + after, from, cells }
    })
}

fn relay() -> impl Strategy<Value = RelayBlock> {
    (any::<(u64, u64, u32, bool)>(), short(), row_part()).prop_map(
        |((owner, incarnation, heard, impaired), age, row)| RelayBlock {
            owner: NodeId(owner),
            incarnation: Incarnation(incarnation),
            heard: Sequence(heard),
            age,
            impaired,
            row,
        },
    )
}

fn rows_wanted() -> impl Strategy<Value = Vec<RowWanted>> {
    let row = any::<(u64, u64, u32)>().prop_map(|(owner, incarnation, version)| RowWanted {
        owner: NodeId(owner),
        incarnation: Incarnation(incarnation),
        version: RowVersion(version),
    });
    vec(row, 0..20)
}

fn rows_unchanged() -> impl Strategy<Value = Vec<RowUnchanged>> {
    let row = (any::<(u64, u64, u32, u32, bool)>(), short()).prop_map(
        |((owner, incarnation, version, heard, impaired), age)| RowUnchanged {
            owner: NodeId(owner),
            incarnation: Incarnation(incarnation),
            version: RowVersion(version),
            heard: Sequence(heard),
            age,
            impaired,
        },
    );
    vec(row, 0..20)
}

fn endpoint_states() -> impl Strategy<Value = EndpointStates> {
    const ALL: [SharedState; 4] = [SharedState::NotProbed, SharedState::Undecided, SharedState::Up, SharedState::Down];
    (any::<(u32, u32)>(), vec(0..4_usize, 0..50)).prop_map(|((version, list), picks)| EndpointStates {
        version: RowVersion(version),
        list: Digest(list),
        states: States::of(picks.into_iter().map(|pick| ALL[pick])),
    })
}

fn hello() -> impl Strategy<Value = Hello> {
    let texts = ("[a-z0-9.-]{0,253}", "\\PC{0,15}", "\\PC{0,16}");
    (texts, any::<(IpAddr, u16)>(), any::<(Option<IpAddr>, u16)>()).prop_map(
        |((name, zone, version), address, (host, http_port))| {
            let http_port = NonZeroU16::new(http_port);
            Hello { name, zone, address: address.into(), host, http_port, version }
        },
    )
}

fn roster_part() -> impl Strategy<Value = RosterPart> {
    (any::<u32>(), 0..1000u16, 0..1000u16, vec(any::<u64>(), 0..20)).prop_map(|(digest, from, more, ids)| {
        let total = from + more + u16::try_from(ids.len()).unwrap();
        RosterPart { digest: Digest(digest), total, from, ids: ids.into_iter().map(NodeId).collect() }
    })
}

fn block() -> impl Strategy<Value = Block> {
    prop_oneof![
        row().prop_map(|row| Block::Row(Arc::new(row))),
        row_part().prop_map(|part| Block::RowPart(Arc::new(part))),
        relay().prop_map(|relay| Block::Relay(Arc::new(relay))),
        rows_wanted().prop_map(Block::RowsWanted),
        rows_unchanged().prop_map(Block::RowsUnchanged),
        endpoint_states().prop_map(|states| Block::EndpointStates(states.into())),
        any::<[u8; 16]>().prop_map(|nonce| Block::Challenge(Nonce(nonce))),
        any::<[u8; 16]>().prop_map(|nonce| Block::Answer(Nonce(nonce))),
        any::<u64>().prop_map(|incarnation| Block::NewestIncarnation(Incarnation(incarnation))),
        (micros(u64::MAX), micros(u64::MAX)).prop_map(|(length, ago)| Block::Slept(Slept { length, ago })),
        hello().prop_map(|hello| Block::Hello(hello.into())),
        any::<(u32, u16)>().prop_map(|(digest, from)| Block::RosterWanted(PartWanted { digest: Digest(digest), from })),
        roster_part().prop_map(|part| Block::Roster(part.into())),
    ]
}

fn flags() -> impl Strategy<Value = Flags> {
    let reason = prop_oneof![Just(GoodbyeReason::Stopped), Just(GoodbyeReason::Restarting)];
    let hearing = prop_oneof![Just(Hearing::Unknown), Just(Hearing::Heard), Just(Hearing::Silent)];
    (any::<[bool; 4]>(), option::of(reason), hearing).prop_map(|([poll, last, impaired, cut], goodbye, hearing)| {
        Flags { poll, last, goodbye, impaired, hearing, cut }
    })
}

fn datagram() -> impl Strategy<Value = Datagram> {
    let kind = prop_oneof![3 => Just(Kind::Heartbeat), 1 => Just(Kind::Hello)];
    (kind, flags(), 1..u64::MAX, any::<[u64; 2]>(), short(), short(), any::<[u32; 8]>(), vec(block(), 0..3)).prop_map(
        |(kind, flags, sender, [receiver, incarnation], pace, delay, numbers, blocks)| {
            let [sequence, echoed, version, row, held, roster, electorate, epoch] = numbers;
            Datagram {
                kind,
                flags,
                sender: NodeId(sender),
                receiver: NodeId(receiver),
                incarnation: Incarnation(incarnation),
                sequence: Sequence(sequence),
                pace,
                echo: Echo { sequence: Sequence(echoed), delay },
                row_version: RowVersion(version),
                row_digest: Digest(row),
                held_digest: Digest(held),
                roster_digest: Digest(roster),
                electorate_digest: Digest(electorate),
                epoch: Epoch(epoch),
                blocks,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_datagram_comes_back_as_it_left_or_does_not_leave(datagram in datagram(), stamp in any::<u64>()) {
        let mut buffer = Vec::new();
        match seal(&datagram, Stamp::from_bits(stamp), &keys(), None, &mut buffer) {
            Ok(()) => {
                prop_assert_eq!(buffer.len(), sealed_size(&datagram));
                let opened = open(&buffer, datagram.receiver, &keys());
                let newest_key = keys().newest();
                prop_assert_eq!(opened, Ok(Opened { datagram, stamp: Stamp::from_bits(stamp), newest_key }));
            }
            Err(error) => prop_assert!(error.size > error.limit && buffer.is_empty(), "{}", error),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..1300)) {
        let _ = open(&bytes, RECEIVER, &keys());
        let _ = open(&bytes, RECEIVER, &Keys::insecure());
    }

    #[test]
    fn arbitrary_blocks_never_panic_and_what_is_read_is_never_more_than_came(code in 0..18u8, body in vec(any::<u8>(), 0..1090)) {
        if let Ok(blocks) = open_block(code, &body) {
            prop_assert!(sealed_size(&with(blocks)) <= 96 + 3 + body.len());
        }
    }

    #[test]
    fn a_tampered_datagram_never_panics_even_without_keys(datagram in datagram(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        if let Ok(mut bytes) = sealed_with(&datagram, &Keys::insecure()) {
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _ = open(&bytes, datagram.receiver, &Keys::insecure());
        }
    }
}
