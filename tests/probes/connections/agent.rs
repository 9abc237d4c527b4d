//! A whole agent that holds a connection: from its configuration to what it answers, through a reload to its end.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::holding::until;
use crate::servers::group::{Group, finished, free_port};
use crate::servers::redis::Redis as Server;

/// An agent that is alone and leans on one Redis.
struct Agent {
    group: Group,
    http: u16,
}

impl Agent {
    fn start(directory: &Path, redis: u16) -> Self {
        let [udp, http] = [free_port(), free_port()];
        let agent = |keep| configuration(directory, udp, http, redis, keep);
        fs::write(directory.join("netsplit.yaml"), agent(true)).unwrap();
        fs::write(directory.join("without.yaml"), agent(false)).unwrap();
        fs::copy(directory.join("netsplit.yaml"), directory.join("with.yaml")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.args(["run", "--config"]).arg(directory.join("netsplit.yaml")).current_dir(directory);
        command.stdout(Stdio::null()).stderr(fs::File::create(directory.join("told")).unwrap());
        Self { group: Group::start(&mut command, directory), http }
    }

    /// What it says of the endpoint; nothing while it starts.
    fn says(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        let address = format!("127.0.0.1:{}", self.http);
        let said = finished(command.args(["endpoints", "cache", "--address", &address]));
        String::from_utf8(said.stdout).unwrap()
    }

    /// Takes another configuration.
    fn takes(&self, directory: &Path, file: &str) {
        // Never half of it.
        fs::copy(directory.join(file), directory.join("new.yaml")).unwrap();
        fs::rename(directory.join("new.yaml"), directory.join("netsplit.yaml")).unwrap();
        self.group.signal(Signal::SIGHUP);
    }
}

fn configuration(directory: &Path, udp: u16, http: u16, redis: u16, keep: bool) -> String {
    let directory = directory.display();
    format!(
        "cluster: test\nnode: {{name: node-1}}\nhttp: {{listen: \"127.0.0.1:{http}\"}}\nauthentication: insecure\n\
         peers: {{discovery: {{static: [{{name: node-1, address: \"127.0.0.1:{udp}\"}}]}}}}\n\
         state: {{directory: {directory}/state}}\naudit: {{path: {directory}/events.log}}\nendpoints:\n\
         \x20 - {{name: cache, type: redis, address: \"127.0.0.1:{redis}\", period: 1s, keep: {keep}}}\n"
    )
}

fn is_held(server: &Server) -> bool {
    server.does(&["CLIENT", "LIST"]).contains(" name=netsplit ")
}

#[test]
fn an_agent_holds_what_its_configuration_says_tells_of_it_and_leaves_at_its_end() {
    let Some(server) = Server::start(&[]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(directory.path(), server.port);
    until("a connection", || is_held(&server));
    until("a word of it", || agent.says().contains("connection  held for "));
    server.does(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    until("a word of its loss", || agent.says().contains("reset: it closed the connection"));
    agent.takes(directory.path(), "without.yaml");
    until("no connection", || !is_held(&server));
    until("no word of it", || !agent.says().contains("connection  "));
    agent.takes(directory.path(), "with.yaml");
    until("a connection", || is_held(&server));
    let quits = || {
        let stats = server.info("commandstats");
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_quit:calls=")?.split(',').next());
        calls.map_or(0, |calls| calls.parse::<u64>().unwrap())
    };
    agent.group.stop(Signal::SIGTERM);
    let status = agent.group.ended().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
    let told = fs::read_to_string(directory.path().join("told")).unwrap();
    assert!(!told.contains("left without a word"), "{told}");
    assert!(!is_held(&server) && quits() > 0);
}
