//! `netsplit lab`: a cluster on this machine, cut and healed.
//!
//! `cluster` is the agents, `play` the piece in three acts (start, cut, heal), `judgement` says what each agent ought to
//! have said, `measures` how long it took, `outcome` how it went, `logs` what stands on the disk, `telling` and `screen` show it.

mod cluster;
mod cut;
mod judgement;
mod logs;
mod measures;
mod outcome;
mod play;
mod screen;
mod telling;

use std::io::Write;

use clap::Args;
use tokio::task::LocalSet;

use super::{Exit, WrongArguments, diagnostics, print};
use cut::{MOST_NODES, Sides};
use play::Play;
use screen::Screen;

const EXAMPLES: &str = "\
Examples:
  netsplit lab
  netsplit lab --cut '2|2|1'
  netsplit lab --nodes 7 --cut '4|3' --json

Exit code 0 only if every agent said the right thing; the times are shown and decide nothing.";

/// Run a cluster on this machine, cut it, and show what its agents say.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many agents, 2 to 50 [default: 5, or as many as the cut has].
    #[arg(long, value_name = "N", value_parser = nodes)]
    nodes: Option<usize>,
    /// How many of them on each side of the cut [default: 3|2, or halves].
    #[arg(long, value_name = "SIDES")]
    cut: Option<Sides>,
    /// Print one JSON object, and nothing else.
    #[arg(long)]
    json: bool,
    /// Let the agents go on after the heal, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

fn nodes(text: &str) -> Result<usize, String> {
    let nodes = text.parse().ok().filter(|nodes| (2..=MOST_NODES).contains(nodes));
    nodes.ok_or_else(|| format!("write a whole number from 2 to {MOST_NODES}"))
}

/// Fine only if every agent said the right thing.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let sides = Sides::of(arguments.nodes, arguments.cut).map_err(|error| WrongArguments(error.to_string()))?;
    diagnostics::start("warn");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, perform(&sides, arguments.json, arguments.keep))
}

async fn perform(sides: &Sides, json: bool, keep: bool) -> anyhow::Result<Exit> {
    let mut play = Play::begin(sides, Screen::standard(json))?;
    let outcome = play.perform().await?;
    if json {
        print(&format!("{}\n", outcome.json()?))?;
    }
    if keep {
        wait_for_interrupt(&mut play, json).await?;
    }
    play.end().await;
    Ok(if outcome.is_correct() { Exit::Fine } else { Exit::Negative })
}

/// The agents go on; standard output has its one object already if it is JSON that was asked for.
async fn wait_for_interrupt(play: &mut Play, json: bool) -> anyhow::Result<()> {
    let addresses = play.addresses();
    if json {
        let _ = std::io::stderr().write_all(addresses.as_bytes());
    } else {
        play.say(&addresses);
    }
    Ok(tokio::signal::ctrl_c().await?)
}
