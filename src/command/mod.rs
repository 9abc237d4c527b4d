//! What the program can be told to do: one file a command, each with its arguments and one entry point.
//!
//! A command prints its answer and returns an [`Exit`]. Its errors are `anyhow`; [`exit_of`] alone decides which exit
//! code an error has, by its type.

mod ask;
mod budget;
mod cat;
mod check;
mod diagnostics;
mod endpoints;
mod events;
mod forget;
mod keygen;
mod lab;
mod landmarks;
mod matrix;
mod mode;
mod ordering;
mod overriding;
mod page;
mod partitions;
mod peers;
mod probe;
mod probing;
mod reload;
mod run;
mod simulate;
mod status;
mod traffic;
mod wording;
mod words;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};
use netsplit::config::Errors;
use netsplit::keys::KeysError;

/// How a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Fine.
    Fine = 0,
    /// The command worked, and its answer is no.
    Negative = 1,
    /// The arguments, the configuration or the keys are wrong.
    Wrong = 2,
    /// Something could not be bound, opened or reached.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Negative => Self::from(1),
            Exit::Wrong => Self::from(2),
            Exit::Unreachable => Self::from(3),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  netsplit lab                               five agents on this machine, a cut, the verdict, the heal
  netsplit simulate --cut '3|2' --loss 5%    what would agents say of such a cut, and how fast?
  netsplit check /etc/netsplit/netsplit.yaml what this configuration means and costs
  netsplit run --config /etc/netsplit/netsplit.yaml
  netsplit probe redis://10.0.0.7            does it answer, from here and now?
  netsplit status                            is there a partition, and on which side is this node?

Exit codes: 0 fine, 1 a negative answer, 2 wrong arguments, configuration or keys,
3 something cannot be bound, opened or reached.";

/// The version, and the revision of the source where whoever built it said so.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let revision = option_env!("NETSPLIT_REVISION").map(|revision| format!(" ({revision})"));
    format!("{}{}", env!("CARGO_PKG_VERSION"), revision.unwrap_or_default())
});

/// Names who is cut off from whom in a Kubernetes cluster, within seconds.
#[derive(Debug, Parser)]
#[command(name = "netsplit", version = VERSION.as_str(), after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Check(check::Arguments),
    Keygen(keygen::Arguments),
    Lab(lab::Arguments),
    Simulate(Box<simulate::Arguments>),
    Status(status::Arguments),
    Mode(mode::Arguments),
    Matrix(matrix::Arguments),
    Peers(peers::Arguments),
    Partitions(partitions::Arguments),
    Endpoints(endpoints::Arguments),
    Events(events::Arguments),
    Probe(Box<probe::Arguments>),
    Override(overriding::Arguments),
    Forget(forget::Arguments),
}

/// Does what the command line says.
pub(crate) fn run_from_arguments() -> Exit {
    if cat::is_called() {
        return cat::run();
    }
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Lab(arguments) => lab::run(arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Mode(arguments) => mode::run(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments),
        Command::Peers(arguments) => peers::run(&arguments),
        Command::Partitions(arguments) => partitions::run(&arguments),
        Command::Endpoints(arguments) => endpoints::run(&arguments),
        Command::Events(arguments) => events::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Override(arguments) => overriding::run(&arguments),
        Command::Forget(arguments) => forget::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        page::note(&format!("{error:#}"));
        exit_of(&error)
    })
}

/// Arguments that are wrong together; each by itself is for clap to judge.
#[derive(Debug)]
struct WrongArguments(String);

impl fmt::Display for WrongArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.0)
    }
}

impl std::error::Error for WrongArguments {}

/// A wrong configuration, wrong keys and wrong arguments are known by their types; everything else that stops a command
/// is something that it could not bind, open or reach.
fn exit_of(error: &anyhow::Error) -> Exit {
    let is_wrong = error.is::<Errors>() || error.is::<KeysError>() || error.is::<WrongArguments>();
    if is_wrong { Exit::Wrong } else { Exit::Unreachable }
}

/// Prints an answer. That its reader went away (`| head`) is no error.
fn print(answer: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(answer.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use netsplit::config::Refusal;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_help_with_an_example() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("netsplit {}", command.get_name())), "{}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }

    #[test]
    fn an_error_has_the_exit_code_of_its_kind() {
        let wrong = || Errors::about("f", Refusal::new("x", "y"));
        assert_eq!(exit_of(&wrong().into()), Exit::Wrong);
        assert_eq!(exit_of(&anyhow::Error::new(wrong()).context("while z")), Exit::Wrong);
        assert_eq!(exit_of(&io::Error::from(io::ErrorKind::AddrInUse).into()), Exit::Unreachable);
    }
}
