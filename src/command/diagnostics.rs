//! What the program says to its operator: diagnostics, on standard error. Standard output belongs to answers and events.
//!
//! A command that answers and ends writes them itself. The agent leaves that to a thread: a standard error that nobody
//! reads would otherwise stop the loop that detects at its next word.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use nix::unistd;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Whoever looks up names says what went wrong there once. These would repeat it at every lookup.
const QUIET: &str = "hickory_proto=error,hickory_net=error,hickory_resolver=error";

/// How many lines wait for a reader: what an agent says in a bad hour, some hundred kilobytes.
const LINES: usize = 1024;

/// How long the end waits for a reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// Overrules the level, and may name single parts of the program.
const VARIABLE: &str = "RUST_LOG";

/// Begins to write diagnostics of at least this level; `RUST_LOG` overrules it.
pub(super) fn start(level: &str) {
    begin(level, io::stderr);
}

/// As [`start`], by a thread of its own. Lines that nobody takes are lost, and counted.
///
/// # Errors
/// The system has no thread to give.
pub(super) fn start_apart(level: &str) -> io::Result<Apart> {
    let (queue, said) = sync_channel(LINES);
    let lost = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&lost);
    thread::Builder::new().name("diagnostics".to_owned()).spawn(move || write_all(&said, &counted))?;
    let apart = Apart { queue, lost };
    begin(level, apart.clone());
    Ok(apart)
}

fn begin(level: &str, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let wish = std::env::var_os(VARIABLE).unwrap_or_default();
    let wish = wish.to_string_lossy();
    let wish = wish.trim();
    let granted = filter_of(wish);
    let is_understood = wish.is_empty() || granted.is_some();
    let filter = granted.unwrap_or_else(|| EnvFilter::new(format!("{level},{QUIET}")));
    let begun = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(is_coloured(&io::stderr()))
        // It would tell of a closed standard error on standard error, and panic.
        .log_internal_errors(false)
        .try_init();
    // The first one to begin has begun for all.
    let _ = begun;
    if !is_understood {
        tracing::warn!(
            "{VARIABLE}={wish:?} is neither a level nor like `netsplit=debug`: diagnostics are those of {level}"
        );
    }
}

/// None where nothing is wished, or nothing that can be understood: what is no level is taken for a part of the program,
/// and nothing else would be said.
fn filter_of(wish: &str) -> Option<EnvFilter> {
    let says_something =
        |word: &str| word == "netsplit" || word.contains(['=', '[', ':']) || word.parse::<LevelFilter>().is_ok();
    let mut words = wish.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.any(says_something).then(|| EnvFilter::try_new(wish).ok()).flatten()
}

/// The end of the queue that takes lines.
#[derive(Clone)]
pub(super) struct Apart {
    queue: SyncSender<Said>,
    lost: Arc<AtomicU64>,
}

enum Said {
    Line(Vec<u8>),
    /// Everything before it is written when this is dropped.
    End(SyncSender<()>),
}

impl Apart {
    /// Waits until all is written, for a second at most.
    pub(super) fn finish(self) {
        let (end, ended) = sync_channel(0);
        if self.queue.try_send(Said::End(end)).is_ok() {
            let _ = ended.recv_timeout(PATIENCE);
        }
    }
}

impl<'a> MakeWriter<'a> for Apart {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Apart {
    /// One line: the whole of it, or nothing.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Said::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(said: &Receiver<Said>, lost: &AtomicU64) {
    for said in said {
        match said {
            Said::Line(line) => {
                let lost = lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    write_one(format!("{lost} lines were lost here: nobody read standard error\n").as_bytes());
                }
                write_one(&line);
            }
            Said::End(end) => drop(end),
        }
    }
}

/// Past the lock of the standard library: whoever else has a last word must not wait for it behind a full pipe.
fn write_one(mut line: &[u8]) {
    while !line.is_empty() {
        match unistd::write(io::stderr(), line) {
            Ok(written) => line = line.get(written..).unwrap_or_default(),
            Err(nix::errno::Errno::EINTR) => {}
            // Nobody is left to tell.
            Err(_) => return,
        }
    }
}

/// Whether colours are welcome: only on a terminal, and not where `NO_COLOR` is set (no-color.org).
pub(super) fn is_coloured(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
