//! `netsplit keygen`: a new key, as the key directory wants it.

use clap::Args;
use netsplit::keys;
use serde_json::json;

use super::{Exit, print};

const EXAMPLES: &str = "\
Examples:
  (umask 077; netsplit keygen > /etc/netsplit/keys/2026-11-21)
  kubectl create secret generic network-partition-detector-keys --from-literal=2026-11-21=\"$(netsplit keygen)\"

The same file belongs on every node. The order of the file names is the order of age; the last is the newest.";

/// Print a new key.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the key, and keeps no copy.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let key = keys::generate()?;
    print(&if arguments.json { format!("{}\n", json!({ "key": key })) } else { format!("{key}\n") })?;
    Ok(Exit::Fine)
}
