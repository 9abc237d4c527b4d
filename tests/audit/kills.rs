//! kill -9 at random moments while a real process writes to a real disk.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use netsplit::audit::Settings;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::forgetful::below;
use crate::laboratory::{Running, at, whole};
use crate::verify::{AUDIT, size};

/// Where the process that is killed writes.
const LOG: &str = "NETSPLIT_TEST_AUDIT_LOG";
const SAYS: &str = "durable ";

#[test]
#[ignore = "this is the process that another test kills"]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(LOG) else { return };
    let settings = Settings { max_size: 64 << 10, keep: 10_000, ..at(Path::new(&path)) };
    let mut running = Running::start(settings);
    let mut changes = running.readers.tail.changes();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut said, mut number) = (0, 0);
    let mut out = std::io::stdout();
    loop {
        running.accept(number..number + 1 + number % 7);
        number += 1;
        runtime.block_on(changes.changed()).unwrap();
        for shown in running.readers.tail.since(said, usize::MAX).lines {
            if !shown.durable {
                break;
            }
            said = shown.seq;
            writeln!(out, "{SAYS}{said}").unwrap();
        }
        out.flush().unwrap();
    }
}

fn writer(log: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["kills::writes_until_it_is_killed", "--exact", "--ignored", "--nocapture", "--quiet"]);
    command.env(LOG, log).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn no_kill_loses_what_was_shown_as_durable() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let kills = size(100, 1_000);
    let mut luck = ChaCha8Rng::seed_from_u64(9);
    let mut durable = BTreeSet::new();
    let mut torn = 0;
    for _ in 0..kills {
        let mut child = writer(&log);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said = |line: String| line.split_once(SAYS).and_then(|(_, seq)| seq.parse::<u64>().ok());
        let first = lines.by_ref().find_map(said).unwrap();
        let microseconds = u64::try_from(below(&mut luck, 20_000)).unwrap();
        let (_never, nothing) = sync_channel::<()>(0);
        let reader = std::thread::spawn(move || lines.filter_map(said).collect::<Vec<_>>());
        let _ = nothing.recv_timeout(Duration::from_micros(microseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        durable.insert(first);
        durable.extend(reader.join().unwrap());

        let found = whole(&log);
        assert_eq!((found.first, found.new_chains.len()), (Some(1), 0));
        assert_eq!(found.last, Some(found.lines), "no number is missing");
        assert!(found.last >= durable.last().copied(), "{found:?}");
        torn += usize::from(found.torn.is_some());
    }
    assert!(durable.len() > kills);
    let (kills, durable, torn) = (kills.to_string(), durable.len().to_string(), torn.to_string());
    AUDIT.row(&["kill -9, a real disk".to_owned(), kills, durable, torn]);
}
