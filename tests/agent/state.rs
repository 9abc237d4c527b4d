//! The state directory under real agents and on real file systems: full, read-only, hung, damaged.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use netsplit::clock::Clock;
use netsplit::detector::electorate::{Elector, Electorate, Floor};
use netsplit::detector::event::Event;
use netsplit::detector::saved::Saved;
use netsplit::identity::{Epoch, Incarnation, NodeId};
use netsplit::network::UdpNetwork;
use netsplit::state::{
    self, Beginning, Closing, Directory, Disk, File, Flaw, Found, LOST, Locked, Memory, Opened, PATIENCE, STATE,
    StateError, TEMPORARY, Whose, decode, encode,
};
use netsplit::wire::GoodbyeReason;

use crate::agents::{CLUSTER, Running, all_normal, bind, keys, members, run, until};
use crate::needs::Mount;

fn whose(node: &str) -> Whose {
    Whose { cluster: CLUSTER.to_owned(), node: node.to_owned() }
}

fn open(directory: &Path) -> Result<Opened, StateError> {
    state::open(Directory::at(directory), "DIRECTORY", whose("node-1"), Clock::start())
}

/// What the directory holds for node-1.
fn saved_in(directory: &Path) -> Result<Saved, Flaw> {
    decode(&whose("node-1"), &fs::read(directory.join(STATE)).unwrap())
}

/// Ends a run that nobody used.
fn close(opened: Opened) {
    drop(opened.keeper);
    assert!(opened.closing.finish());
}

/// The state of a run in the far future, with an electorate.
fn earlier_state(incarnation: u64) -> Saved {
    let electors = vec![Elector { id: NodeId(1), stamp: 3, removed: false }];
    Saved {
        epoch: Epoch(7),
        incarnation: Incarnation(incarnation),
        electorates: vec![Electorate::of(electors, Floor { stamp: 1, members: 2 })],
        ..Saved::default()
    }
}

fn write_state(directory: &Path, whose: &Whose, state: &Saved) {
    fs::write(directory.join(STATE), encode(whose, state).unwrap()).unwrap();
}

const FAR_FUTURE: u64 = 9_000_000_000_000_000;

#[test]
fn a_run_is_numbered_after_the_one_before_and_durable_before_it_begins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made");
    let first = open(&path).unwrap();
    assert!(matches!(first.found, Some(Found::Nothing)));
    assert_eq!((first.beginning, saved_in(&path).unwrap().incarnation), (Beginning::Durable, first.incarnation));
    let first_incarnation = first.incarnation;
    close(first);
    let second = open(&path).unwrap();
    assert!(second.incarnation > first_incarnation);
    close(second);
    // As if the clock had been set back by centuries.
    write_state(&path, &whose("node-1"), &earlier_state(FAR_FUTURE));
    let third = open(&path).unwrap();
    assert_eq!((third.incarnation, third.saved.clone()), (Incarnation(FAR_FUTURE + 1), earlier_state(FAR_FUTURE)));
    assert_eq!(saved_in(&path).unwrap(), earlier_state(FAR_FUTURE + 1));
    close(third);
}

#[test]
fn a_damaged_or_foreign_state_is_moved_aside_and_the_run_begins_without() {
    let whole = encode(&whose("node-1"), &earlier_state(FAR_FUTURE)).unwrap();
    let of_another = encode(&whose("node-2"), &earlier_state(FAR_FUTURE)).unwrap();
    let mut flipped = whole.clone();
    flipped[20] ^= 1;
    let torn = whole[..whole.len() / 2].to_vec();
    for bytes in [Vec::new(), torn, flipped, of_another, vec![0; 5000]] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(STATE), &bytes).unwrap();
        fs::write(directory.path().join(TEMPORARY), "left by a crash").unwrap();
        let opened = open(directory.path()).unwrap();
        assert!(matches!(opened.found, Some(Found::Lost { kept_as: Some(LOST), .. })), "{:?}", opened.found);
        assert_eq!((&opened.saved, opened.beginning), (&Saved::default(), Beginning::Durable));
        assert!(opened.incarnation.0 < FAR_FUTURE);
        assert_eq!(fs::read(directory.path().join(LOST)).unwrap(), bytes);
        assert_eq!(saved_in(directory.path()).unwrap().incarnation, opened.incarnation);
        assert!(!directory.path().join(TEMPORARY).exists());
        close(opened);
    }
}

#[test]
fn a_state_that_is_no_file_is_moved_aside_too() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join(STATE)).unwrap();
    let opened = open(directory.path()).unwrap();
    assert!(matches!(opened.found, Some(Found::Lost { flaw: Flaw::Unreadable(_), kept_as: Some(LOST) })));
    assert_eq!(opened.beginning, Beginning::Durable);
    close(opened);
}

#[test]
fn one_agent_has_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    let told = open(directory.path()).unwrap_err().to_string();
    assert!(
        told.starts_with("cannot use the state directory DIRECTORY: another agent has it; stop that one"),
        "{told}"
    );
    close(first);
    close(open(directory.path()).unwrap());
}

#[test]
fn a_directory_that_cannot_be_made_is_no_reason_not_to_run() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("mistyped/state");
    let opened = open(&path).unwrap();
    assert!(matches!(opened.found, Some(Found::Nothing)));
    assert_eq!(opened.beginning, Beginning::Failed(ErrorKind::NotFound));
    let counters = opened.keeper.counters();
    assert_eq!((counters.writes(), counters.errors(), counters.last_success()), (0, 1, None));
    // It is tried again, and the end is one more attempt.
    fs::create_dir(parent.path().join("mistyped")).unwrap();
    close(opened);
    assert_eq!((counters.writes(), path.join(STATE).exists()), (1, true));
    assert!(counters.last_success().is_some());
}

#[test]
fn a_read_only_state_is_used_without_its_electorate() {
    let Some(mount) = Mount::of_size("64k") else { return };
    write_state(mount.path(), &whose("node-1"), &earlier_state(FAR_FUTURE));
    mount.set_read_only(true);
    let opened = open(mount.path()).unwrap();
    assert_eq!(opened.beginning, Beginning::Failed(ErrorKind::ReadOnlyFilesystem));
    assert_eq!(opened.incarnation, Incarnation(FAR_FUTURE + 1));
    assert_eq!(opened.saved, earlier_state(FAR_FUTURE).without_electorate());
    mount.set_read_only(false);
    close(opened);
    assert_eq!(saved_in(mount.path()).unwrap().incarnation, Incarnation(FAR_FUTURE + 1), "written when it could be");
}

#[test]
fn a_full_disk_keeps_the_old_state_and_takes_the_new_one_when_there_is_room() {
    let Some(mount) = Mount::of_size("64k") else { return };
    write_state(mount.path(), &whose("node-1"), &earlier_state(FAR_FUTURE));
    let ballast = mount.path().join("ballast");
    let filled = fs::File::create(&ballast).unwrap().write_all(&vec![1; 1 << 20]);
    assert_eq!(filled.unwrap_err().kind(), ErrorKind::StorageFull);
    run(async {
        let clock = Clock::start();
        let opened = state::open(Directory::at(mount.path()), "DIRECTORY", whose("node-1"), clock).unwrap();
        assert_eq!(opened.beginning, Beginning::Failed(ErrorKind::StorageFull));
        assert!(opened.saved.electorates.is_empty());
        assert_eq!(saved_in(mount.path()).unwrap(), earlier_state(FAR_FUTURE), "nothing was half written over it");
        let (agents, closing) = pair(opened, clock);
        until("everybody hears everybody", || all_normal(&agents)).await;
        let kept = || agents[0].handle.state().unwrap();
        until("it is tried again", || kept().errors() > 1).await;
        fs::remove_file(&ballast).unwrap();
        until("it is written", || kept().writes() > 0).await;
        assert_eq!(saved_in(mount.path()).unwrap().incarnation, Incarnation(FAR_FUTURE + 1));
        stop(agents, closing).await;
    });
}

/// node-1 with this state, and node-2 without any.
fn pair(opened: Opened, clock: Clock) -> (Vec<Running>, Closing) {
    let networks: Vec<UdpNetwork> = vec![bind(0), bind(0)];
    let roster = members(&networks);
    let Opened { saved, incarnation, keeper, closing, .. } = opened;
    let memory = Memory { saved, incarnation: Some(incarnation), keeper: Some(keeper) };
    let each = roster.iter().zip(networks).zip([memory, Memory::default()]);
    let start = |((node, network), memory)| Running::start(network, node, &roster, &keys(&[1]), memory, clock);
    (each.map(start).collect(), closing)
}

async fn stop(agents: Vec<Running>, closing: Closing) {
    for agent in agents {
        agent.handle.stop(GoodbyeReason::Stopped);
        agent.task.await.unwrap();
    }
    assert!(closing.finish());
}

/// A disk that stands still where data are made durable, while it is told to.
struct Hanging {
    disk: Directory,
    gate: Gate,
}

#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn set(&self, closed: bool) {
        *self.0.0.lock().unwrap() = closed;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |closed| *closed).unwrap());
    }
}

struct HangingFile(fs::File, Gate);

impl Write for HangingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl File for HangingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.1.pass();
        self.0.sync()
    }
}

impl Disk for Hanging {
    type File = HangingFile;

    fn prepare(&mut self) -> io::Result<()> {
        self.disk.prepare()
    }

    fn lock(&mut self, name: &str) -> io::Result<Locked> {
        self.disk.lock(name)
    }

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(name, limit)
    }

    fn create(&mut self, name: &str) -> io::Result<HangingFile> {
        Ok(HangingFile(self.disk.create(name)?, self.gate.clone()))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.disk.sync_names()
    }
}

#[test]
fn a_hung_disk_delays_no_detection_and_gets_the_newest_state_when_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    write_state(directory.path(), &whose("node-1"), &earlier_state(FAR_FUTURE));
    let gate = Gate::default();
    gate.set(true);
    run(async {
        let clock = Clock::start();
        let disk = Hanging { disk: Directory::at(directory.path()), gate: gate.clone() };
        let before = clock.now();
        let opened = state::open(disk, "DIRECTORY", whose("node-1"), clock).unwrap();
        assert!(clock.now().since(before) >= PATIENCE);
        assert_eq!((opened.beginning, opened.incarnation), (Beginning::Hung, Incarnation(FAR_FUTURE + 1)));
        assert_eq!(opened.saved, earlier_state(FAR_FUTURE).without_electorate());

        let (mut agents, closing) = pair(opened, clock);
        until("everybody hears everybody", || all_normal(&agents)).await;
        let killed = agents.pop().unwrap();
        killed.task.abort();
        // Of two nodes the one that is left is isolated.
        let opened = |event: &Event| matches!(event, Event::PartitionOpened(_));
        until("the crash is seen", || agents[0].has_told(opened)).await;
        let writes = || agents[0].handle.state().unwrap().writes();
        assert_eq!((writes(), saved_in(directory.path()).unwrap()), (0, earlier_state(FAR_FUTURE)));

        gate.set(false);
        // The one that hung, and the newest of those that came since.
        until("the state is written", || writes() == 2).await;
        let saved = saved_in(directory.path()).unwrap();
        assert_eq!(saved.incarnation, Incarnation(FAR_FUTURE + 1));
        assert!(saved.roster.iter().any(|node| node.name == "node-2" && node.heard.is_some()), "{saved:?}");
        stop(agents, closing).await;
    });
}

#[test]
fn the_end_waits_for_a_hung_disk_no_longer_than_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let disk = Hanging { disk: Directory::at(directory.path()), gate: gate.clone() };
    let clock = Clock::start();
    let opened = state::open(disk, "DIRECTORY", whose("node-1"), clock).unwrap();
    assert_eq!(opened.beginning, Beginning::Durable);
    gate.set(true);
    opened.keeper.keep(netsplit::detector::saved::Serial(1), Box::default(), clock.now());
    let before = clock.now();
    drop(opened.keeper);
    assert!(!opened.closing.finish());
    assert!(clock.now().since(before) >= PATIENCE);
    gate.set(false);
}
