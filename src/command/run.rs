//! `netsplit run`: the agent.

use std::path::PathBuf;

use clap::Args;

use super::Exit;

const EXAMPLES: &str = "\
Example:
  NODE_NAME=node-1 netsplit run --config /etc/netsplit/netsplit.yaml";

/// Run the agent of this node.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Runs until told to stop.
#[expect(clippy::needless_pass_by_value, reason = "the agent will take them")]
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let _ = arguments.config;
    anyhow::bail!("not merged yet")
}
