//! What the tests share: records, a running log, and a disk and a reader that stand still while they are told to.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use netsplit::agent::{EventSink, Happening, Record};
use netsplit::audit::read::lines;
use netsplit::audit::verify::Verified;
use netsplit::audit::{
    About, Closing, Disk, File, Files, Locked, Name, Readers, Settings, Shown, Sink, start_on, verify,
};
use netsplit::clock::Clock;
use netsplit::detector::event::Event;
use netsplit::detector::time::Now;
use netsplit::hlc::Stamp;
use netsplit::identity::Incarnation;
use serde_json::Value;

/// A record of this event.
pub(crate) fn record(event: impl Into<Happening>) -> Record {
    static STAMP: AtomicU64 = AtomicU64::new(1);
    Record {
        at: Now::START,
        time: Timestamp::from_microsecond(1_795_262_400_001_500).unwrap(),
        hlc: Stamp::from_bits(STAMP.fetch_add(1, Ordering::Relaxed)),
        cluster: "production".into(),
        node: "node-1".into(),
        incarnation: Incarnation(1_795_262_400_000_000),
        event: event.into(),
        times: None,
    }
}

/// A record that says a number.
pub(crate) fn numbered(number: usize) -> Record {
    record(Event::AgentStarted { roster: number })
}

/// A log at this path, large enough never to be rotated.
pub(crate) fn at(path: &Path) -> Settings {
    Settings { path: path.to_owned(), stdout: false, ..Settings::default() }
}

/// A log that is written.
pub(crate) struct Running {
    pub(crate) sink: Sink,
    pub(crate) readers: Readers,
    pub(crate) closing: Closing,
}

impl Running {
    pub(crate) fn start(settings: Settings) -> Self {
        Self::on(Files::at(&settings.path), io::sink(), settings)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a test that starts a log has no other use for them")]
    pub(crate) fn on(disk: impl Disk, out: impl Write + Send + 'static, settings: Settings) -> Self {
        let (sink, readers, closing) = start_on(disk, out, &settings, Clock::start()).unwrap();
        Self { sink, readers, closing }
    }

    /// Takes records of these numbers.
    pub(crate) fn accept(&mut self, numbers: impl IntoIterator<Item = usize>) {
        numbers.into_iter().for_each(|number| self.sink.accept(numbered(number)));
    }

    /// What is shown by now.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        self.readers.tail.since(0, usize::MAX).lines
    }

    pub(crate) fn until_durable(&self, records: u64) {
        until("they are durable", || self.readers.counters.records() >= records);
    }

    /// Ends it.
    pub(crate) fn finish(self) {
        drop(self.sink);
        self.closing.finish();
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let clock = Clock::start();
    let (_never, nothing) = sync_channel::<()>(0);
    while !holds() {
        assert!(clock.now().since_start() < Duration::from_secs(30), "it never came: {what}");
        let _ = nothing.recv_timeout(Duration::from_millis(2));
    }
}

/// The lines of the log at this path, over all its files.
pub(crate) fn written(path: &Path) -> Vec<Value> {
    lines(path).unwrap().map(|line| serde_json::from_slice(&line.unwrap().bytes).unwrap()).collect()
}

/// The numbers that those say.
pub(crate) fn numbers(lines: &[Value]) -> Vec<usize> {
    lines.iter().map(|line| usize::try_from(line["roster"].as_u64().unwrap()).unwrap()).collect()
}

/// What `verify` says, which must be good.
pub(crate) fn whole(path: &Path) -> Verified {
    let verified = verify(path).unwrap();
    assert!(verified.is_whole(), "{}", verified.flaw.unwrap());
    verified
}

/// What others wait at while it is closed.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn set(&self, closed: bool) {
        *self.0.0.lock().unwrap() = closed;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |closed| *closed).unwrap());
    }
}

/// A reader of standard output that stands still while its gate is closed.
pub(crate) struct GatedReader {
    pub(crate) gate: Gate,
    pub(crate) read: Arc<Mutex<Vec<u8>>>,
}

impl Write for GatedReader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gate.pass();
        self.read.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that stands still while its gate is closed, where it is read and where data are made durable.
pub(crate) struct GatedDisk {
    pub(crate) files: Files,
    pub(crate) gate: Gate,
}

pub(crate) struct GatedFile(std::fs::File, Gate);

impl Write for GatedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl File for GatedFile {
    fn about(&self) -> io::Result<About> {
        self.0.about()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.cut(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.pass();
        self.0.sync()
    }
}

impl Disk for GatedDisk {
    type File = GatedFile;

    fn prepare(&mut self) -> io::Result<()> {
        self.gate.pass();
        self.files.prepare()
    }

    fn lock(&mut self) -> io::Result<Locked> {
        self.files.lock()
    }

    fn look(&mut self, name: Name) -> io::Result<Option<About>> {
        self.files.look(name)
    }

    fn read(&mut self, name: Name, from: u64, limit: u64) -> io::Result<Vec<u8>> {
        self.files.read(name, from, limit)
    }

    fn open(&mut self, name: Name) -> io::Result<GatedFile> {
        Ok(GatedFile(self.files.open(name)?, self.gate.clone()))
    }

    fn rename(&mut self, from: Name, to: Name) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&mut self, name: Name) -> io::Result<()> {
        self.files.remove(name)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.files.sync_names()
    }
}
