//! `netsplit events`: what happened, from a running agent (`agent`) or from audit logs (`logs`, `follow`).
//!
//! `selection` says which events are meant, `showing` prints them.

mod agent;
mod follow;
mod logs;
mod selection;
mod showing;

use std::path::PathBuf;

use clap::Args;
use netsplit::audit;

use super::ask::Asking;
use super::{Exit, WrongArguments};
use selection::{Selection, Since};
use showing::Showing;

const EXAMPLES: &str = "\
Examples:
  netsplit events --since 10m
  netsplit events --follow
  netsplit events /var/log/partition-events.log --since 2026-11-21T12:00:00Z
  netsplit events /var/log/partition-events.log --verify

Without FILE a running agent is asked, which holds its newest 1,000 events; the log has the others.
A log is read with its older files (FILE.1, FILE.2, …), the oldest first. --verify cannot see that the
end of a log was cut off, or that all of it was written anew by somebody who may.
Exit codes: 0 fine, 1 the chain is broken (--verify), 2 wrong arguments, 3 the agent cannot be asked or
a log cannot be opened.";

/// Tell what happened.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Audit logs to read, instead of asking an agent.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    /// Go on with what happens, until Ctrl-C. Begins with the last 10 events unless told otherwise.
    #[arg(long, short)]
    follow: bool,
    /// Only what came after event SEQ, within the last DURATION (10m), or since TIME (2026-11-21T12:00:00Z).
    #[arg(long, value_name = "SEQ|DURATION|TIME")]
    since: Option<Since>,
    /// Only the last N of them.
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<usize>,
    /// Check that no line of a log was altered, removed or inserted; without FILE of /var/log/partition-events.log.
    #[arg(long, conflicts_with_all = ["follow", "since", "limit"])]
    verify: bool,
}

/// Fine if what was asked for could be read, and if the chain is whole where that is asked.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    if arguments.verify {
        let usual = [audit::Settings::default().path];
        let files = if arguments.files.is_empty() { &usual } else { arguments.files.as_slice() };
        return logs::verify(files, arguments.asking.json);
    }
    let selection = Selection::new(arguments.since, arguments.limit, arguments.follow);
    let showing = Showing::new(arguments.asking.json);
    match (arguments.files.as_slice(), arguments.follow) {
        ([], false) => agent::show(&arguments.asking, &selection, &showing)?,
        ([], true) => agent::follow(&arguments.asking, &selection, &showing)?,
        (files, false) => logs::show(files, &selection, &showing)?,
        ([file], true) => follow::follow(file, &selection, &showing)?,
        (_, true) => return Err(WrongArguments("only one FILE at a time can be followed".to_owned()).into()),
    }
    Ok(Exit::Fine)
}
