//! `netsplit lab`: a cluster on this machine, cut and healed.

use clap::Args;

use super::Exit;

const EXAMPLES: &str = "\
Examples:
  netsplit lab
  netsplit lab --nodes 7 --cut '4|3' --json";

/// Run a cluster on this machine, cut it, and show what its agents say.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many agents.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) nodes: u16,
    /// How many of them on each side of the cut.
    #[arg(long, value_name = "SIDES", default_value = "3|2")]
    pub(crate) cut: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep the files that the agents wrote.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Fine only if every agent said the right thing.
#[expect(clippy::needless_pass_by_value, reason = "the lab will take them")]
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { nodes: _, cut: _, json: _, keep: _ } = arguments;
    anyhow::bail!("not merged yet")
}
