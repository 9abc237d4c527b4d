//! Good input for each body, from which a fuzzer starts.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use netsplit::agent::{EventSink, Record, ShellEvent};
use netsplit::audit::{Settings, start};
use netsplit::clock::Clock;
use netsplit::detector::event::Event;
use netsplit::detector::time::Now;
use netsplit::hlc::Stamp;
use netsplit::identity::Incarnation;
use netsplit::wire::{HEADER_SIZE, TAG_SIZE};
use serde_json::Value;

use crate::bodies::agents::Agents;

type Seeds = Vec<(String, Vec<u8>)>;

/// The seeds of a body, each with its name.
pub(crate) fn of(name: &str) -> Seeds {
    match name {
        "configuration" => configurations(),
        "datagram" => datagrams(),
        "log" => logs(),
        "rows" => rows(),
        _ => Vec::new(),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped files, and some that are refused for as many reasons.
fn configurations() -> Seeds {
    let shipped = ["config/netsplit.yaml", "config/examples/dns.yaml", "config/examples/three-nodes.yaml"];
    let name = |path: &str| Path::new(path).file_stem().unwrap().to_string_lossy().into_owned();
    let mut seeds: Seeds = shipped.iter().map(|path| (name(path), fs::read(root().join(path)).unwrap())).collect();
    let least = "peers:\n  discovery:\n    static:\n      - {name: node-1, address: \"10.0.0.1:7475\", zone: east}\n      \
        - {name: node-2, address: \"[2001:db8::2]:7475\"}\nauthentication: insecure\n";
    let wrong = [
        ("least", least.to_owned()),
        ("unknown-key", least.replace("discovery", "discovry")),
        ("duplicate-key", format!("{least}authentication: insecure\n")),
        ("not-yaml", least.replace("static:", "static: [}")),
        ("wrong-type", least.replace("peers:\n", "peers:\n  period: [1]\n")),
        ("out-of-range", least.replace("peers:\n", "peers:\n  period: 1ms\n  timeout: 2s\n  failure_threshold: 0\n")),
        ("durations", least.replace("peers:\n", "peers:\n  period: 1m30s\n  timeout: 0.5s\n  confirm_period: 1h\n")),
        ("variables", format!("cluster: \"${{NODE_NAME}}-${{NONE:-x}}-$$\"\n{least}")),
        ("unset-variable", format!("cluster: \"${{NONE}}\"\n{least}")),
        ("size", format!("audit: {{path: /l, max_size: 16MiB, keep: 4, stdout: false}}\n{least}")),
        ("anchors", format!("mode: &m {{policy: ap, tie: lowest, write_quorum: 2}}\nx: *m\n{least}")),
        ("documents", format!("{least}---\n{least}")),
    ];
    seeds.extend(wrong.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())));
    seeds
}

/// The vectors, which another implementation wrote.
fn vectors() -> Seeds {
    let files = fs::read_dir(root().join("tests/vectors")).unwrap().map(|entry| entry.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut vectors: Seeds = json
        .map(|path| {
            let vector: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let digits = vector["sealed"].as_str().unwrap();
            let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            let bytes = (0..digits.len()).step_by(2).map(byte).collect();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    vectors.sort();
    vectors
}

fn datagrams() -> Seeds {
    vectors().into_iter().filter(|(_, bytes)| bytes.len() < 2_000).collect()
}

/// One frame of the body `rows`.
fn frame(who: u8, sealed: &[u8]) -> Vec<u8> {
    let blocks = &sealed[HEADER_SIZE..sealed.len() - TAG_SIZE];
    let length = u16::try_from(blocks.len()).unwrap();
    [&[who], length.to_le_bytes().as_slice(), blocks].concat()
}

/// What agents say to each other while they get acquainted, while they are cut, and after; and each vector by itself.
fn rows() -> Seeds {
    let mut agents = Agents::acquainted(4, Duration::from_secs(3));
    agents.is_cut = true;
    agents.run_for(Duration::from_secs(5));
    agents.is_cut = false;
    agents.run_for(Duration::from_secs(5));
    let senders: Vec<_> = (1..4).map(|index| agents.address(index)).collect();
    let frames: Vec<Vec<u8>> = agents
        .arrived
        .iter()
        .filter(|arrived| arrived.bytes.len() > HEADER_SIZE + TAG_SIZE)
        .map(|arrived| {
            let who = senders.iter().position(|&sender| sender == arrived.from).unwrap();
            frame(u8::try_from(who).unwrap(), &arrived.bytes)
        })
        .collect();
    let pieces = frames.chunks(12).take(8).enumerate();
    let mut seeds: Seeds = pieces.map(|(turn, piece)| (format!("history-{turn}"), piece.concat())).collect();
    let whole = vectors().into_iter().filter(|(name, bytes)| !name.starts_with("refused") && bytes.len() > 96);
    seeds.extend(whole.map(|(name, bytes)| (name, [frame(1, &bytes), frame(0x82, &bytes)].concat())));
    seeds
}

fn record(event: impl Into<netsplit::agent::Happening>) -> Record {
    Record {
        at: Now::START,
        time: Timestamp::from_microsecond(1_795_262_400_001_500).unwrap(),
        hlc: Stamp::from_bits(1),
        cluster: "production".into(),
        node: "node-1".into(),
        incarnation: Incarnation(7),
        event: event.into(),
        times: None,
    }
}

/// A log that was really written, and what may have become of it.
fn logs() -> Seeds {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let settings = Settings { path: path.clone(), stdout: false, ..Settings::default() };
    let (mut sink, _, closing) = start(&settings, Clock::start()).unwrap();
    for roster in 0..5 {
        sink.accept(record(Event::AgentStarted { roster }));
        sink.accept(record(Event::PeerJoined { peer: format!("node-{roster}") }));
    }
    sink.accept(record(ShellEvent::EventsLost { count: 3 }));
    drop(sink);
    closing.finish();
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let swapped = [&lines[..3], &[lines[4], lines[3]], &lines[5..]].concat().concat();
    [
        ("whole", whole.clone()),
        ("two-files", format!("{}%%\n{}", lines[4..].concat(), lines[..4].concat())),
        ("new-chain", format!("{}%%\n{}", lines[..2].concat(), whole)),
        ("torn", whole[..whole.len() - 20].to_owned()),
        ("altered", whole.replacen("node-2", "node-3", 1)),
        ("removed", [&lines[..3], &lines[5..]].concat().concat()),
        ("swapped", swapped),
        ("zeros", whole.replacen("production", "\0\0\0\0\0\0\0\0\0\0", 1)),
        ("no-log", "this is no log\n{}\n".to_owned()),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .into()
}
