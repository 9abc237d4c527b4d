//! Holds the wire against the files in `tests/vectors/`, which another implementation wrote (`generate.py` there).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod needs;

use std::fs;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use netsplit::detector::electorate::{Elector, Floor};
use netsplit::detector::endpoint_states::{SharedState, States};
use netsplit::detector::row::{Cell, Cells};
use netsplit::hlc::Stamp;
use netsplit::identity::{Digest, Epoch, Incarnation, NodeId, RowVersion, Sequence};
use netsplit::wire::{
    Block, Datagram, Echo, ElectoratePart, EndpointStates, Flags, GoodbyeReason, Hearing, Hello, Introduction, Key,
    KeyId, Keys, Kind, Newer, Nonce, Opened, PartWanted, Refusal, RelayBlock, RosterPart, RowBlock, RowPart,
    RowUnchanged, RowWanted, Slept, open, seal, sealed_size,
};
use serde_json::Value;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// All vectors with their names; those of refusals or the others.
fn vectors(refused: bool) -> Vec<(String, Value)> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let named = json.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap())
    });
    let found: Vec<_> = named.filter(|(_, vector)| vector["refusal"].is_string() == refused).collect();
    assert!(found.len() > 10, "{} vectors in {}", found.len(), directory().display());
    found
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number<T: TryFrom<u64, Error: std::fmt::Debug>>(value: &Value) -> T {
    value.as_u64().unwrap().try_into().unwrap()
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = text(value);
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn id(value: &Value) -> NodeId {
    NodeId(u64::from_str_radix(text(value), 16).unwrap())
}

fn micros(value: &Value) -> Duration {
    Duration::from_micros(number(value))
}

fn nonce(value: &Value) -> Nonce {
    Nonce(bytes(value).try_into().unwrap())
}

fn keys(vector: &Value) -> Keys {
    let keys = vector["keys"].as_array().unwrap().iter().map(|key| Key::new(&bytes(key).try_into().unwrap()));
    Keys::oldest_first(keys.collect()).unwrap_or(Keys::insecure())
}

fn row(value: &Value) -> RowBlock {
    let letters = text(&value["cells"]);
    let mut cells = Cells::absent(letters.len());
    for (index, letter) in letters.chars().enumerate() {
        let cell = match letter {
            '.' => Cell::Absent,
            '?' => Cell::Unknown,
            'u' => Cell::Up,
            'l' => Cell::Late,
            'd' => Cell::Down,
            'a' => Cell::DownAgent,
            _ => panic!("no cell is called {letter}"),
        };
        cells.set(index, cell);
    }
    RowBlock { version: RowVersion(number(&value["version"])), roster: Digest(number(&value["roster"])), cells }
}

/// A part of a row; all of it, where nothing is said of its place.
fn row_part(value: &Value) -> RowPart {
    let RowBlock { version, roster, cells } = row(value);
    let place = |name: &str, whole: usize| value[name].as_u64().map_or(whole, |index| usize::try_from(index).unwrap());
    let (total, from) = (place("total", cells.len()), place("from", 0));
    RowPart { version, roster, total: total.try_into().unwrap(), from: from.try_into().unwrap(), cells }
}

fn relay(value: &Value) -> RelayBlock {
    RelayBlock {
        owner: id(&value["owner"]),
        incarnation: Incarnation(number(&value["incarnation"])),
        heard: Sequence(number(&value["heard"])),
        age: micros(&value["age_microseconds"]),
        impaired: flag(&value["impaired"]),
        row: row_part(&value["row"]),
    }
}

fn row_wanted(value: &Value) -> RowWanted {
    let incarnation = Incarnation(number(&value["incarnation"]));
    RowWanted { owner: id(&value["owner"]), incarnation, version: RowVersion(number(&value["version"])) }
}

fn row_unchanged(value: &Value) -> RowUnchanged {
    let RowWanted { owner, incarnation, version } = row_wanted(value);
    let (heard, age) = (Sequence(number(&value["heard"])), micros(&value["age_microseconds"]));
    RowUnchanged { owner, incarnation, version, heard, age, impaired: flag(&value["impaired"]) }
}

fn endpoint_states(value: &Value) -> EndpointStates {
    let state = |letter: char| match letter {
        '.' => SharedState::NotProbed,
        '?' => SharedState::Undecided,
        'u' => SharedState::Up,
        'd' => SharedState::Down,
        _ => panic!("no state is called {letter}"),
    };
    let states: Vec<SharedState> = text(&value["states"]).chars().map(state).collect();
    EndpointStates {
        version: RowVersion(number(&value["version"])),
        list: Digest(number(&value["list"])),
        states: States::of(states.into_iter()),
    }
}

fn hello(value: &Value) -> Hello {
    let field = |name: &str| text(&value[name]).to_owned();
    let address = field("address").parse().unwrap();
    let host = value["host"].as_str().map(|host| host.parse().unwrap());
    let http_port = NonZeroU16::new(number(&value["http_port"]));
    Hello { name: field("name"), zone: field("zone"), address, host, http_port, version: field("version") }
}

fn roster_part(value: &Value) -> RosterPart {
    RosterPart {
        digest: Digest(number(&value["digest"])),
        total: number(&value["total"]),
        from: number(&value["from"]),
        ids: value["ids"].as_array().unwrap().iter().map(id).collect(),
    }
}

fn wanted(value: &Value) -> PartWanted {
    PartWanted { digest: Digest(number(&value["digest"])), from: number(&value["from"]) }
}

fn electorate_part(value: &Value) -> ElectoratePart {
    let elector = |entry: &Value| Elector {
        id: id(&entry["id"]),
        stamp: number(&entry["stamp"]),
        removed: flag(&entry["removed"]),
    };
    ElectoratePart {
        digest: Digest(number(&value["digest"])),
        floor: Floor { stamp: number(&value["floor_stamp"]), members: number(&value["floor"]) },
        total: number(&value["total"]),
        from: number(&value["from"]),
        electors: value["electors"].as_array().unwrap().iter().map(elector).collect(),
    }
}

fn introduction(value: &Value) -> Introduction {
    let field = |name: &str| text(&value[name]).to_owned();
    Introduction { name: field("name"), zone: field("zone"), address: field("address").parse().unwrap() }
}

fn block(entry: &Value) -> Block {
    let (name, value) = entry.as_object().unwrap().iter().next().unwrap();
    match name.as_str() {
        "row" => Block::Row(row(value).into()),
        "rows_wanted" => Block::RowsWanted(value.as_array().unwrap().iter().map(row_wanted).collect()),
        "rows_unchanged" => Block::RowsUnchanged(value.as_array().unwrap().iter().map(row_unchanged).collect()),
        "endpoint_states" => Block::EndpointStates(endpoint_states(value).into()),
        "row_part" => Block::RowPart(row_part(value).into()),
        "relay" => Block::Relay(relay(value).into()),
        "challenge" => Block::Challenge(nonce(value)),
        "answer" => Block::Answer(nonce(value)),
        "newest_incarnation" => Block::NewestIncarnation(Incarnation(number(value))),
        "slept" => {
            let (length, ago) = (micros(&value["length_microseconds"]), micros(&value["ago_microseconds"]));
            Block::Slept(Slept { length, ago })
        }
        "hello" => Block::Hello(hello(value).into()),
        "roster_wanted" => Block::RosterWanted(wanted(value)),
        "roster" => Block::Roster(roster_part(value).into()),
        "electorate_wanted" => Block::ElectorateWanted(wanted(value)),
        "electorate" => Block::Electorate(electorate_part(value).into()),
        "nodes_wanted" => Block::NodesWanted(value.as_array().unwrap().iter().map(id).collect()),
        "also_counted" => {
            Block::AlsoCounted(value.as_array().unwrap().iter().map(|digest| Digest(number(digest))).collect())
        }
        "introduction" => Block::Introduction(introduction(value).into()),
        _ => panic!("no block is called {name}"),
    }
}

fn flags(fields: &Value) -> Flags {
    Flags {
        poll: flag(&fields["poll"]),
        last: flag(&fields["final"]),
        goodbye: fields["goodbye"].as_str().map(|reason| match reason {
            "stopped" => GoodbyeReason::Stopped,
            "restarting" => GoodbyeReason::Restarting,
            _ => panic!("nobody leaves because of {reason}"),
        }),
        impaired: flag(&fields["impaired"]),
        hearing: match text(&fields["hearing"]) {
            "unknown" => Hearing::Unknown,
            "heard" => Hearing::Heard,
            "silent" => Hearing::Silent,
            other => panic!("nobody is heard {other}"),
        },
        cut: flag(&fields["cut"]),
    }
}

fn datagram(fields: &Value) -> Datagram {
    Datagram {
        kind: if fields["kind"] == "hello" { Kind::Hello } else { Kind::Heartbeat },
        flags: flags(fields),
        sender: id(&fields["sender"]),
        receiver: id(&fields["receiver"]),
        incarnation: Incarnation(number(&fields["incarnation"])),
        sequence: Sequence(number(&fields["sequence"])),
        pace: micros(&fields["pace_microseconds"]),
        echo: Echo {
            sequence: Sequence(number(&fields["echo_sequence"])),
            delay: micros(&fields["echo_delay_microseconds"]),
        },
        row_version: RowVersion(number(&fields["row_version"])),
        row_digest: Digest(number(&fields["row_digest"])),
        held_digest: Digest(number(&fields["held_digest"])),
        roster_digest: Digest(number(&fields["roster_digest"])),
        electorate_digest: Digest(number(&fields["electorate_digest"])),
        epoch: Epoch(number(&fields["epoch"])),
        blocks: fields["blocks"].as_array().unwrap().iter().map(block).collect(),
    }
}

fn stamp(fields: &Value) -> Stamp {
    Stamp::from_bits(number::<u64>(&fields["clock_milliseconds"]) << 16 | number::<u64>(&fields["clock_counter"]))
}

#[test]
fn sealing_what_a_vector_says_gives_its_bytes() {
    for (name, vector) in vectors(false) {
        let (says, peer_newest) = (datagram(&vector["fields"]), &vector["peer_newest_key"]);
        let peer_newest = (!peer_newest.is_null()).then(|| KeyId(number(peer_newest)));
        let mut sealed = Vec::new();
        seal(&says, stamp(&vector["fields"]), &keys(&vector), peer_newest, &mut sealed).unwrap();
        assert_eq!(sealed, bytes(&vector["sealed"]), "{name}");
        assert_eq!(sealed.len(), sealed_size(&says), "{name}");
    }
}

#[test]
fn opening_a_vector_gives_what_it_says() {
    for (name, vector) in vectors(false) {
        let expected = Opened {
            datagram: datagram(&vector["fields"]),
            stamp: stamp(&vector["fields"]),
            newest_key: KeyId(number(&vector["newest_key"])),
        };
        let opened = open(&bytes(&vector["sealed"]), id(&vector["opened_by"]), &keys(&vector));
        assert_eq!(opened, Ok(expected), "{name}");
    }
}

#[test]
fn what_a_vector_says_is_refused_is_refused_with_its_reason() {
    for (name, vector) in vectors(true) {
        let refusal = open(&bytes(&vector["sealed"]), id(&vector["opened_by"]), &keys(&vector)).unwrap_err();
        assert_eq!(refusal.as_str(), text(&vector["refusal"]), "{name}");
        if let Refusal::NewerVersion(newer) = refusal {
            let told = &vector["newer"];
            let expected = Newer {
                version: number(&told["version"]),
                sender: id(&told["sender"]),
                incarnation: Incarnation(number(&told["incarnation"])),
                sequence: Sequence(number(&told["sequence"])),
            };
            assert_eq!(newer, expected, "{name}");
        }
    }
}

#[test]
fn names_in_vectors_hash_to_the_ids_in_them() {
    let (_, vector) = vectors(false).into_iter().find(|(name, _)| name == "hello").unwrap();
    assert_eq!(id(&vector["fields"]["sender"]), NodeId::of("production", "node-1"));
    assert_eq!(id(&vector["opened_by"]), NodeId::of("production", "node-2"));
}

/// Needs python3; without it the test is skipped, or fails if `NETSPLIT_TEST_ALL=1`.
#[test]
fn the_files_are_what_the_generator_writes() {
    let checked = Command::new("python3").arg(directory().join("generate.py")).arg("--check").output();
    match checked {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => needs::skip(&format!("python3 cannot be run: {error}")),
    }
}
