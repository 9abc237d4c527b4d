//! `netsplit matrix`: who hears whom, as a table.

use clap::Args;
use netsplit::api::{Matrix, ModeAnswer, Partitions, Peers};
use netsplit::table::{Answers, Cells};

use super::Exit;
use super::ask::{Answer, Asking};

const EXAMPLES: &str = "\
Examples:
  netsplit matrix
  netsplit matrix --directed
  netsplit matrix --zones
  netsplit matrix --address node-1:7476 --json

✓ joined, ✗ broken in either direction, ? unknown, · itself. With --directed a cell tells whether
what the row's node sends arrives at the column's, as the JSON does with . X ? and -.
Beyond 40 nodes, and where the screen is too narrow for all, rows that are alike are one.
--zones counts the pairs of nodes of every two zones, or with --directed the links from one to
the other.
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
    /// Show zones in place of nodes: how many pairs of theirs are joined, broken, unknown.
    #[arg(long)]
    zones: bool,
}

/// Fine if the agent answers.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let asking = &arguments.asking;
    let matrix = asking.ask::<Matrix>("/v1/matrix")?;
    if asking.json && !arguments.zones {
        asking.print(&matrix, |_, _| String::new())?;
        return Ok(Exit::Fine);
    }
    let peers = asking.ask::<Peers>("/v1/peers")?.said;
    let mode = asking.ask::<ModeAnswer>("/v1/mode")?.said;
    let partitions = asking.ask::<Partitions>("/v1/partitions")?.said;
    let cells = if arguments.directed { Cells::Directed } else { Cells::Pairs };
    let answers = Answers { matrix: &matrix.said, peers: &peers, mode: &mode, partitions: &partitions };
    let picture = answers.picture().showing(cells);
    if arguments.zones {
        let zones = picture.zones();
        let text = serde_json::to_string(&zones)?;
        let answer = Answer { said: zones, text, tag: None, overridden: matrix.overridden.clone() };
        asking.print(&answer, |zones, page| zones.draw(page.width()))?;
    } else {
        asking.print(&matrix, |_, page| picture.draw(page.width()))?;
    }
    Ok(Exit::Fine)
}
