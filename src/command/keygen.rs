//! `netsplit keygen`: a new key, as the key directory wants it.

use anyhow::Context;
use clap::Args;
use ring::rand::{SecureRandom, SystemRandom};
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

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let key = generate()?;
    print(&if arguments.json { format!("{}\n", json!({ "key": key })) } else { format!("{key}\n") })?;
    Ok(Exit::Fine)
}

/// 32 random bytes in hex. The seam to `netsplit::keys::generate`.
fn generate() -> anyhow::Result<String> {
    let mut key = [0; 32];
    let filled = SystemRandom::new().fill(&mut key).ok();
    filled.context("the kernel gave no random bytes: try again, and look into dmesg if it persists")?;
    Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
}
