//! The start of the state: what the run before left is read, and the number of this run made durable before it is used.
//!
//! The disk has a second for both. A run whose number is not durable goes on without an electorate: it takes that from its
//! peers, because an old one, which could not follow the changes, must not elect anybody.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::counters::Counters;
use super::disk::Disk;
use super::format::{Flaw, Whose};
use super::keeper::{Closing, Keeper, Shared, Writer};
use super::store::{Fault, Store};
use crate::clock::Clock;
use crate::detector::saved::{Saved, Serial};
use crate::identity::Incarnation;

/// How long the disk is waited for, at the start and at the end.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What an agent begins with, and the way to keep what it learns.
#[derive(Debug)]
pub struct Opened {
    /// What the run before left, as far as this one may use it.
    pub saved: Saved,
    /// The number of this run: larger than that of the run before, and the time of day if that is larger still.
    pub incarnation: Incarnation,
    /// What was found on the disk. None: it did not answer in time.
    pub found: Option<Found>,
    /// Whether this run is durable.
    pub beginning: Beginning,
    /// For the agent.
    pub keeper: Keeper,
    /// For whoever waits for the agent's end.
    pub closing: Closing,
}

/// What the run before left.
#[derive(Debug)]
pub enum Found {
    /// Its state.
    State(Box<Saved>),
    /// Nothing: there was none.
    Nothing,
    /// What cannot be used. It counts as nothing.
    Lost {
        /// Why.
        flaw: Flaw,
        /// Under which name it was kept; none if it could not be moved.
        kept_as: Option<&'static str>,
    },
}

/// Whether the number of this run, and with it what it began with, is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// It is.
    Durable,
    /// It could not be written.
    Failed(ErrorKind),
    /// The disk did not answer in time.
    Hung,
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Durable => f.write_str("it is durable"),
            Self::Failed(kind) => write!(f, "{kind}"),
            Self::Hung => f.write_str("the disk did not answer within a second"),
        }
    }
}

/// There is no running with this state directory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another agent has it.
    #[error(
        "cannot use the state directory {0}: another agent has it; stop that one, or give each its own with \
         state.directory"
    )]
    InUse(String),
    /// There is no thread for it.
    #[error("cannot start the thread that keeps the state in {place}: {cause}; raise the limit on threads")]
    NoThread {
        /// The directory.
        place: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// What the thread tells before it writes.
enum Report {
    InUse,
    Found(Found),
}

/// Reads the state of `whose` on this disk and begins a run. `place` is how people name the directory; `clock` is the
/// agent's. Waits for the disk, but for no longer than [`PATIENCE`].
///
/// # Errors
/// Another agent has the directory, or the system has no thread to give. Whatever else is wrong with the disk is said in
/// [`Opened`] and in the log, and is no reason not to run.
pub fn open(disk: impl Disk, place: &str, whose: Whose, clock: Clock) -> Result<Opened, StateError> {
    let deadline = clock.now() + PATIENCE;
    let (shared, counters) = (Arc::new(Shared::reading_since(clock.now())), Arc::<Counters>::default());
    let (durable, became_durable) = watch::channel(Serial(0));
    let writer = Writer {
        store: Store::new(disk, whose),
        place: place.to_owned(),
        shared: Arc::clone(&shared),
        durable,
        counters: Arc::clone(&counters),
        clock,
    };
    let (reports, closing) = start(writer).map_err(|cause| StateError::NoThread { place: place.into(), cause })?;
    let keeper = Keeper::new(shared, became_durable, counters);

    let found = match reports.read.recv_timeout(deadline.since(clock.now())) {
        Ok(Report::InUse) => return Err(StateError::InUse(place.into())),
        Ok(Report::Found(found)) => Some(found),
        Err(_) => None,
    };
    let saved = match &found {
        Some(Found::State(saved)) => (**saved).clone(),
        _ => Saved::default(),
    };
    let wall = u64::try_from(clock.wall().as_micros()).unwrap_or(u64::MAX);
    let incarnation = Incarnation(wall.max(saved.incarnation.0.saturating_add(1)));
    keeper.keep(Serial(0), Box::new(Saved { incarnation, ..saved.clone() }), clock.now());
    let beginning = match reports.written.recv_timeout(deadline.since(clock.now())) {
        Ok(Ok(())) => Beginning::Durable,
        Ok(Err(kind)) => Beginning::Failed(kind),
        Err(_) => Beginning::Hung,
    };
    tell(place, found.as_ref(), beginning);
    let saved = if beginning == Beginning::Durable { saved } else { saved.without_electorate() };
    Ok(Opened { saved, incarnation, found, beginning, keeper, closing })
}

struct Reports {
    read: Receiver<Report>,
    written: Receiver<Result<(), ErrorKind>>,
}

fn start<D: Disk>(mut writer: Writer<D>) -> io::Result<(Reports, Closing)> {
    let (report, read) = sync_channel(1);
    let (first, written) = sync_channel(1);
    // Nothing is ever sent: that its sender is gone says that the thread has ended, however it ended.
    let (running, ended) = sync_channel(0);
    thread::Builder::new().name("state".to_owned()).spawn(move || {
        let _running: SyncSender<()> = running;
        if read_first(&mut writer.store, &report) {
            writer.write_all(first);
        }
    })?;
    Ok((Reports { read, written }, Closing(ended)))
}

/// Takes possession, and reads. Whether there is anything to do afterwards.
fn read_first<D: Disk>(store: &mut Store<D>, report: &SyncSender<Report>) -> bool {
    if matches!(store.claim(), Err(Fault::InUse)) {
        // If nobody waits for it any more, the agent runs, and each attempt to write will say the same.
        return report.send(Report::InUse).is_err();
    }
    let _ = report.send(Report::Found(store.load()));
    true
}

fn tell(directory: &str, found: Option<&Found>, beginning: Beginning) {
    if let Some(Found::Lost { flaw, kept_as }) = found {
        let kept_as = kept_as.unwrap_or("nothing: it is still there");
        tracing::warn!(
            directory,
            %flaw,
            kept_as,
            "the state of the run before is lost; this one begins without and learns from its peers"
        );
    }
    if beginning != Beginning::Durable {
        tracing::warn!(
            directory,
            reason = %beginning,
            "this run could not be written down: the agent goes on, and takes the electorate from its peers"
        );
    }
}
