//! The `netsplit` program: parses the command line, calls a command, turns an error into an exit code.

use std::process::ExitCode;

mod command;

fn main() -> ExitCode {
    command::run_from_arguments().into()
}
