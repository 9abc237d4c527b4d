//! The start of the log, and its end. A disk that is broken or hangs is no reason not to run.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::chain::End;
use super::counters::Counters;
use super::disk::Disk;
use super::files::Files;
use super::log::{Before, Fault, Log};
use super::queue::Queue;
use super::settings::{Knobs, Settings};
use super::show::Show;
use super::sink::Sink;
use super::stdout;
use super::tail::Tail;
use super::writer::Writer;
use crate::clock::Clock;

/// How long the disk is waited for, at the start and at the end.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What others read of the log while it is written.
#[derive(Clone, Debug)]
pub struct Readers {
    /// The last lines.
    pub tail: Tail,
    /// What became of the records.
    pub counters: Arc<Counters>,
    knobs: Arc<Knobs>,
}

impl Readers {
    /// Those of lines that somebody else shows, as a test does: nothing is written, and nothing counted.
    pub fn of_tail(tail: Tail) -> Self {
        Self { tail, counters: Arc::default(), knobs: Arc::new(Knobs::new(0, 1, false)) }
    }

    /// Sets what may change while the log is written, as in [`Settings`]. It holds from the next line on.
    pub fn change(&self, max_size: u64, keep: usize, stdout: bool) {
        self.knobs.change(max_size, keep, stdout);
    }
}

/// The end for whoever waits until the last line is written.
#[derive(Debug)]
pub struct Closing {
    clock: Clock,
    /// Nothing is ever sent: that the sender is gone says that the thread has ended, however it ended.
    disk: Receiver<()>,
    stdout: Receiver<()>,
}

impl Closing {
    /// Waits until the last line is durable and shown, for a second at most. The [`Sink`] must be gone.
    pub fn finish(self) {
        let deadline = self.clock.now() + PATIENCE;
        let is_late =
            |end: &Receiver<()>| end.recv_timeout(deadline.since(self.clock.now())) == Err(RecvTimeoutError::Timeout);
        if is_late(&self.disk) {
            tracing::warn!("the disk of the audit log does not answer: the last events are not written there");
        }
        if is_late(&self.stdout) {
            tracing::warn!("nobody reads standard output: the last events were not written there");
        }
    }
}

/// Starts the log on a disk of this machine, and shows it on standard output if that is set.
///
/// # Errors
/// The system has no thread to give. Whatever is wrong with the disk is said in the log of diagnostics.
pub fn start(settings: &Settings, clock: Clock) -> io::Result<(Sink, Readers, Closing)> {
    start_on(Files::at(&settings.path), io::stdout(), settings, clock)
}

/// Starts the log on any disk, and shows it on `out` if the settings say so. Of their path only the name is used here.
///
/// # Errors
/// As for [`start`].
pub fn start_on(
    disk: impl Disk,
    out: impl Write + Send + 'static,
    settings: &Settings,
    clock: Clock,
) -> io::Result<(Sink, Readers, Closing)> {
    let Settings { path, max_size, keep, stdout } = settings;
    let place = path.display().to_string();
    let (counters, knobs) = (Arc::<Counters>::default(), Arc::new(Knobs::new(*max_size, *keep, *stdout)));
    let queue = Arc::new(Queue::new(Arc::clone(&counters), clock.now()));
    let readers = Readers { tail: Tail::default(), counters: Arc::clone(&counters), knobs: Arc::clone(&knobs) };

    let (outlet, out) = stdout::pair(out, &counters);
    let stdout = spawn("audit-stdout", move || out.write_all())?;
    let (tail, shown) = (readers.tail.clone(), Arc::clone(&queue));
    let show = Show { queue: shown, tail, outlet, knobs: Arc::clone(&knobs), clock, place: place.clone() };
    spawn("audit-show", move || show.show_all())?;

    let (report, before) = sync_channel(1);
    let writer = Writer {
        log: Log::new(disk, place.clone(), knobs, Arc::clone(&counters), clock),
        place: place.clone(),
        queue: Arc::clone(&queue),
        tail: readers.tail.clone(),
        counters: Arc::clone(&counters),
        clock,
    };
    let disk = spawn("audit", move || read_and_write(writer, &report))?;
    let end = end_of(before.recv_timeout(PATIENCE).ok().as_ref(), &place, clock);
    Ok((Sink::new(queue, counters, clock, end), readers, Closing { clock, disk, stdout }))
}

fn read_and_write<D: Disk>(mut writer: Writer<D>, report: &SyncSender<Result<Before, Fault>>) {
    // Whoever started us may have lost patience, and then the log finds out itself that its lines follow nothing there.
    let _ = report.try_send(writer.log.before());
    writer.queue.disk_answered();
    writer.write_all();
}

/// Where the chain goes on.
fn end_of(before: Option<&Result<Before, Fault>>, place: &str, clock: Clock) -> End {
    match before {
        Some(Ok(Before::Nothing)) => return End::NOTHING,
        Some(Ok(Before::Log(end))) => return *end,
        // Whoever is to write it says so, and why.
        Some(Ok(Before::Unreadable) | Err(_)) => {}
        None => tracing::warn!(
            log = place,
            "the disk of the audit log did not answer within a second: a new chain begins, numbered by the time of day"
        ),
    }
    End::unknown(clock.wall())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Receiver<()>> {
    let (running, ended) = sync_channel(0);
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _running: SyncSender<()> = running;
        run();
    })?;
    Ok(ended)
}
