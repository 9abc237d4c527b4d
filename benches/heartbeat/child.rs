//! A process that is measured: this program again, in a [`Role`]. It gets the addresses of its peers on standard input,
//! one a line and an empty line behind them, tells its own on standard output, and runs until its input ends; then
//! it says what it has to say in one more line.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::cluster::Cap;

const VARIABLE: &str = "NETSPLIT_BENCH_ROLE";
const CAP: &str = "NETSPLIT_BENCH_CAP";

/// What a child of this program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The real agent.
    Agent,
    /// The loop that it is compared with.
    Bare,
    /// The same, if it sleeps and wakes up as the agent does.
    Patient,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Bare => "bare",
            Self::Patient => "patient",
        }
    }

    /// The role of this process; none for the parent.
    pub fn of_process() -> Option<Self> {
        let name = env::var(VARIABLE).ok()?;
        [Self::Agent, Self::Bare, Self::Patient].into_iter().find(|role| role.name() == name)
    }
}

/// A child, from its parent's side.
pub struct Running {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Running {
    /// Starts a child whose peers are at these addresses.
    pub fn start(role: Role, cap: Cap, peers: &[SocketAddr]) -> Self {
        let this = env::current_exe().unwrap();
        let mut command = Command::new(this);
        command.env(VARIABLE, role.name()).env(CAP, cap.name()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (mut input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        for peer in peers {
            writeln!(input, "{peer}").unwrap();
        }
        writeln!(input).unwrap();
        let mut output = BufReader::new(output);
        let address = line(&mut output).parse().expect("the address of the child");
        Self { process, input, output, address }
    }

    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Ends the child. Returns its last line.
    pub fn end(mut self) -> String {
        drop(self.input);
        let last = line(&mut self.output);
        assert!(self.process.wait().unwrap().success(), "the child failed");
        last
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// In the child: the cap that holds in its cluster.
pub fn cap() -> Cap {
    env::var(CAP).ok().and_then(|name| Cap::of_name(&name)).expect("the parent says it")
}

/// In the child: where its peers are.
pub fn read_peers() -> Vec<SocketAddr> {
    let lines = io::stdin().lock().lines().map(|line| line.unwrap()).take_while(|line| !line.is_empty());
    lines.map(|line| line.parse().unwrap()).collect()
}

/// In the child: a line to the parent.
pub fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

/// In the child: waits until it shall end.
pub fn wait_for_end() {
    io::stdin().lock().read_to_end(&mut Vec::new()).unwrap();
}
