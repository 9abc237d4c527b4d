//! `netsplit run` from the outside: its lines, its signals, its exit codes.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn configuration(directory: &Path, listen: &str) -> std::path::PathBuf {
    let keys = directory.join("keys");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("1"), "0123456789abcdef".repeat(4)).unwrap();
    let text = format!(
        "cluster: test\nnode: {{name: node-1}}\nlisten: \"{listen}\"\n\
         peers:\n  discovery:\n    static:\n      - {{name: node-1, address: \"127.0.0.1:7475\"}}\n      \
         - {{name: node-2, address: \"127.0.0.1:9\"}}\n\
         authentication: {{keys: {}}}\nstate: {{directory: {}}}\n",
        keys.display(),
        directory.join("state").display()
    );
    let file = directory.join("netsplit.yaml");
    fs::write(&file, text).unwrap();
    file
}

fn run(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.arg("run").arg("--config").arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A port that nobody had a moment ago.
fn some_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn started(directory: &TempDir) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = run(&configuration(directory.path(), &format!("127.0.0.1:{}", some_port()))).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

fn event(line: std::io::Result<String>) -> Value {
    serde_json::from_str(&line.unwrap()).unwrap()
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}

#[test]
fn sigterm_is_a_goodbye_and_exit_code_0() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, mut lines) = started(&directory);
    let first = event(lines.next().unwrap());
    assert_eq!((&first["event"], &first["node"]), (&"agent_started".into(), &"node-1".into()));
    terminate(&child);
    let last = event(lines.last().unwrap());
    assert_eq!((&last["event"], &last["reason"]), (&"agent_stopped".into(), &"stopped".into()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn whoever_reads_the_events_may_go_away() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, mut lines) = started(&directory);
    lines.next().unwrap().unwrap();
    drop(lines);
    // The goodbye is the next event: there is nobody to take it.
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_port_in_use_is_told_in_one_sentence_with_exit_code_3() {
    let directory = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let output = run(&configuration(directory.path(), &address.to_string())).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    let told = format!("cannot listen on {address}/udp: the port is in use; stop the program that has it");
    assert!(error.contains(&told), "{error}");
}

#[test]
fn keys_that_cannot_be_read_are_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(directory.path(), "127.0.0.1:0");
    fs::remove_file(directory.path().join("keys/1")).unwrap();
    let output = run(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
