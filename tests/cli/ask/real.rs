//! The commands that ask an agent, with real ones: what the canned answers of the others assume is what agents say.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn netsplit(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.args(arguments).env_remove("NETSPLIT_ADDRESS");
    command
}

fn asked(address: &str, arguments: &[&str]) -> (String, Option<i32>) {
    let Output { status, stdout, stderr } = netsplit(arguments).args(["--address", address]).output().unwrap();
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    (String::from_utf8(stdout).unwrap(), status.code())
}

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address in the first line of these that has one for a node.
fn address_of(node: &str, lines: &mut impl Iterator<Item = String>) -> String {
    let line = lines.find(|line| line.trim_start().starts_with(node) && line.contains("http://")).unwrap();
    line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[test]
fn agents_of_a_cut_that_healed_say_so_to_every_command() {
    let mut lab = netsplit(&["lab", "--cut", "3|2", "--json", "--keep"]);
    let mut lab = Running(lab.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(lab.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = address_of("node-4", &mut lines);
    let says = |arguments: &[&str], parts: &[&str]| {
        let (said, code) = asked(&address, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{part} is not in what {arguments:?} says:\n{said}");
        }
    };
    says(&["status"], &["✓ No partition: every other node is heard, all 4\n", "node-4 (west)", "normal: writes yes"]);
    says(&["mode", "--require", "writes"], &["normal: writes yes, reads yes (strong), 5 of 5 members"]);
    says(&["matrix"], &["Source\\Target node-1 node-2", "node-5 (west) ✓      ✓      ✓      ✓      ·       normal\n"]);
    says(&["matrix", "--directed"], &["node-5 (west) ✓      ✓      ✓      ✓      ·       normal\n"]);
    says(&["peers"], &["4 peers: 4 up\n", "node-4  west  itself"]);
    says(
        &["partitions"],
        &["✓ No partition is open.", "complete, over", "this side   node-4, node-5 (2 nodes)", "healed (confirmed"],
    );
}

/// An agent of a cluster of its own, and where its log is.
fn alone(directory: &Path) -> (Running, String, PathBuf) {
    let keys = directory.join("keys");
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("1"), "0123456789abcdef".repeat(4)).unwrap();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let log = directory.join("events.log");
    let text = format!(
        "cluster: test\nnode: {{name: node-1}}\nlisten: \"{udp}\"\nhttp: {{listen: \"{http}\"}}\n\
         peers: {{discovery: {{static: [{{name: node-1, address: \"{udp}\"}}]}}}}\n\
         authentication: {{keys: {}}}\nstate: {{directory: {}}}\naudit: {{path: {}}}\n",
        keys.display(),
        directory.join("state").display(),
        log.display()
    );
    let file = directory.join("netsplit.yaml");
    fs::write(&file, text).unwrap();
    let child = netsplit(&["run", "--config", file.to_str().unwrap()]).stdout(Stdio::piped()).spawn().unwrap();
    (Running(child), http.to_string(), log)
}

#[test]
fn events_of_an_agent_are_those_of_its_log_and_its_chain_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (mut agent, address, log) = alone(directory.path());
    let mut lines = BufReader::new(agent.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(r#""to":"normal""#)));
    let log = log.to_str().unwrap();
    let (from_agent, code) = asked(&address, &["events"]);
    assert_eq!(code, Some(0));
    let (from_log, code) = asked(&address, &["events", log]);
    assert_eq!((from_agent.replace(" (not on the disk yet)", ""), Some(0)), (from_log, code));
    assert!(from_agent.contains("agent_started     with a roster of 1\n"), "{from_agent}");
    assert!(from_agent.contains("mode_changed      starting → normal, 1 of 1"), "{from_agent}");
    let (verified, code) = asked(&address, &["events", log, "--verify"]);
    assert_eq!((verified.ends_with("the chain is whole.\n"), code), (true, Some(0)), "{verified}");
    let (json, _) = asked(&address, &["events", "--json", "--since", "1"]);
    let second: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(second["seq"], 2);
}

#[test]
fn a_mode_is_followed_from_its_start() {
    let directory = tempfile::tempdir().unwrap();
    let (mut agent, address, _) = alone(directory.path());
    let mut lines = BufReader::new(agent.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.next().unwrap();
    let mut mode = netsplit(&["mode", "--follow", "--address", &address]);
    let mut mode = Running(mode.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(mode.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("normal: writes yes")));
}
