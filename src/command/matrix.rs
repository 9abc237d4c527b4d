//! `netsplit matrix`: who hears whom, as a table.

use clap::Args;
use netsplit::api::{Matrix, ModeAnswer, Partitions, Peers};
use netsplit::table::{Answers, Cells};

use super::Exit;
use super::ask::Asking;

const EXAMPLES: &str = "\
Examples:
  netsplit matrix
  netsplit matrix --directed
  netsplit matrix --address node-1:7476 --json

✓ joined, ✗ broken in either direction, ? unknown, · itself. With --directed a cell tells whether
what the row's node sends arrives at the column's, as the JSON does with . X ? and -.
Beyond 40 nodes, and where the screen is too narrow for all, rows that are alike are one.
Exit codes: 0 fine, 2 wrong arguments, 3 the agent cannot be asked.";

/// Show which nodes hear each other.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asking: Asking,
    /// Show each direction by itself.
    #[arg(long)]
    directed: bool,
}

/// Fine if the agent answers.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let asking = &arguments.asking;
    let matrix = asking.ask::<Matrix>("/v1/matrix")?;
    if asking.json {
        asking.print(&matrix, |_, _| String::new())?;
        return Ok(Exit::Fine);
    }
    let peers = asking.ask::<Peers>("/v1/peers")?.said;
    let mode = asking.ask::<ModeAnswer>("/v1/mode")?.said;
    let partitions = asking.ask::<Partitions>("/v1/partitions")?.said;
    let cells = if arguments.directed { Cells::Directed } else { Cells::Pairs };
    asking.print(&matrix, |matrix, page| {
        let answers = Answers { matrix, peers: &peers, mode: &mode, partitions: &partitions };
        answers.picture().showing(cells).draw(page.width())
    })?;
    Ok(Exit::Fine)
}
