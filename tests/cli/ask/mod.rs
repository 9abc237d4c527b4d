//! The commands that ask an agent or read a log, from outside: what they print, and with which exit code they end. The
//! agent is a server that says what the design says of each situation; `real` asks real ones.

mod answers;
mod asking;
mod documentation;
mod logs;
mod real;
mod server;
mod terminal;

use std::process::{Command, Output};

use answers::Situation;
use server::Server;

/// The program with these arguments, and no environment that would change what it says.
fn netsplit(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.args(arguments).env_remove("NETSPLIT_ADDRESS").env_remove("NO_COLOR");
    command
}

/// What a command said, and how it ended.
struct Said {
    out: String,
    error: String,
    code: Option<i32>,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { out: text(output.stdout), error: text(output.stderr), code: output.status.code() }
    }

    fn by(arguments: &[&str]) -> Self {
        Self::of(netsplit(arguments).output().unwrap())
    }

    /// All of it as a snapshot shows it.
    fn shown(&self) -> String {
        let error = if self.error.is_empty() { String::new() } else { format!("--- standard error\n{}", self.error) };
        format!("{}{error}--- exit code {}\n", self.out, self.code.unwrap())
    }
}

/// A server for a situation.
fn serving(situation: &Situation) -> Server {
    let server = Server::start();
    server.answers("/v1/status", &situation.status);
    server.answers("/v1/mode", &situation.mode);
    server.answers("/v1/peers", &situation.peers);
    server.answers("/v1/matrix", &situation.matrix);
    server.answers("/v1/partitions", &situation.partitions);
    server.answers("/v1/endpoints", &situation.endpoints);
    server
}

/// What a command says of a situation. No line is wider than 80 columns.
fn asked(situation: &Situation, arguments: &[&str]) -> Said {
    let server = serving(situation);
    let said = Said::by(&[arguments, &["--address", &server.address.to_string()]].concat());
    let shown = Said { out: said.out.replace(&server.address.to_string(), "127.0.0.1:7000"), ..said };
    if !arguments.contains(&"--json") {
        fits(&shown.out, 80);
    }
    shown
}

#[track_caller]
fn fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= width, "wider than {width}: {line}");
    }
}
