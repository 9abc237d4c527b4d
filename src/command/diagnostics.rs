//! What the program says to its operator: diagnostics, on standard error. Standard output belongs to answers and events.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Whoever looks up names says what went wrong there once. These would repeat it at every lookup.
const QUIET: &str = "hickory_proto=error,hickory_net=error,hickory_resolver=error";

/// Begins to write diagnostics of at least this level; `RUST_LOG` overrules it.
pub(super) fn start(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},{QUIET}")));
    let begun = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(is_coloured(&io::stderr()))
        // It would tell of a closed standard error on standard error, and panic.
        .log_internal_errors(false)
        .try_init();
    // The first one to begin has begun for all.
    let _ = begun;
}

/// Whether colours are welcome: only on a terminal, and not where `NO_COLOR` is set (no-color.org).
pub(super) fn is_coloured(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
