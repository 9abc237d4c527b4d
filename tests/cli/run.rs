//! `netsplit run` from the outside: its lines, its signals, its exit codes.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netsplit::clock::Clock;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;
use tempfile::TempDir;

use crate::ports::free_port;

fn configuration(directory: &Path, listen: &str) -> std::path::PathBuf {
    configuration_with(directory, listen, &format!("127.0.0.1:{}", free_port()))
}

fn configuration_with(directory: &Path, listen: &str, http: &str) -> std::path::PathBuf {
    let keys = directory.join("keys");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("1"), "0123456789abcdef".repeat(4)).unwrap();
    let text = format!(
        "cluster: test\nnode: {{name: node-1}}\nlisten: \"{listen}\"\nhttp: {{listen: \"{http}\"}}\n\
         peers:\n  discovery:\n    static:\n      - {{name: node-1, address: \"127.0.0.1:7475\"}}\n      \
         - {{name: node-2, address: \"127.0.0.1:9\"}}\n\
         authentication: {{keys: {}}}\nstate: {{directory: {}}}\naudit: {{path: {}}}\n",
        keys.display(),
        directory.join("state").display(),
        directory.join("events.log").display()
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

fn started(directory: &TempDir) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = run(&configuration(directory.path(), &format!("127.0.0.1:{}", free_port()))).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// The whole answer.
fn get(http: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits for what comes within seconds.
fn until(mut is_so: impl FnMut() -> bool) {
    let clock = Clock::start();
    while !is_so() {
        assert!(clock.now().since_start() < Duration::from_mins(1), "it does not come");
        thread::park_timeout(Duration::from_millis(50));
    }
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

/// The nodes are found so, and not by a list.
fn discover(file: &Path, discovery: &str) {
    let listed = fs::read_to_string(file).unwrap();
    let (before, after) = listed.split_once("    static:\n").unwrap();
    let authentication = &after[after.find("authentication").unwrap()..];
    fs::write(file, format!("{before}    {discovery}\n{authentication}")).unwrap();
}

#[test]
fn a_discovery_that_does_not_answer_is_told_and_stops_neither_the_start_nor_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let file = configuration(directory.path(), &format!("127.0.0.1:{}", free_port()));
    discover(&file, &format!("dns: {{name: agents.example, server: \"{}\"}}", silent.local_addr().unwrap()));
    let mut child = run(&file).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("the agent runs") && line.contains("agents.example.")));
    assert!(lines.any(|line| line.contains("the discovery does not answer") && line.contains("cause=\"timeout\"")));
    terminate(&child);
    assert!(lines.any(|line| line.contains("stopped")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A disk that hangs is like a pipe to which nobody writes.
#[test]
fn a_file_of_the_discovery_on_a_disk_that_hangs_is_told_and_stops_neither_the_agent_nor_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let (hung, kubeconfig) = (directory.path().join("token"), directory.path().join("kubeconfig"));
    mkfifo(&hung, Mode::S_IRWXU).unwrap();
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:9\"}}}}]\nusers: [{{name: u, user: {{tokenFile: {}}}}}]\n\
         contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n",
        hung.display()
    );
    fs::write(&kubeconfig, text).unwrap();
    let http = format!("127.0.0.1:{}", free_port());
    let file = configuration_with(directory.path(), &format!("127.0.0.1:{}", free_port()), &http);
    discover(&file, &format!("kubernetes: {{service: agents, kubeconfig: {}}}", kubeconfig.display()));
    let mut child = run(&file).spawn().unwrap();
    let (tell, told) = mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    thread::spawn(move || lines.for_each(|line| drop(tell.send(line))));
    let told = |words: &str| {
        let mut lines = std::iter::from_fn(|| told.recv_timeout(Duration::from_mins(1)).ok());
        assert!(lines.any(|line| line.contains(words)), "nobody says {words}");
    };
    told("the agent runs");
    told("does a disk hang?");
    assert!(get(&http, "/healthz").starts_with("HTTP/1.1 200 OK\r\n"), "the loop turns");
    terminate(&child);
    told("stopped");
    until(|| child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_level_of_diagnostics_that_is_none_silences_nothing() {
    for (level, is_told) in [("", false), (" ", false), ("debgu", true), ("netsplit=debgu", true)] {
        let directory = tempfile::tempdir().unwrap();
        let file = configuration(directory.path(), &format!("127.0.0.1:{}", free_port()));
        let mut child = run(&file).env("RUST_LOG", level).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let before: Vec<String> = lines.take_while(|line| !line.contains("the agent runs")).collect();
        assert_eq!(before.iter().any(|line| line.contains("WARN") && line.contains("RUST_LOG")), is_told, "{before:?}");
        terminate(&child);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn an_agent_that_hears_nobody_asks_whether_its_port_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(directory.path(), &format!("127.0.0.1:{}", free_port()));
    let mut child = run(&file).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("no heartbeat ever received: is UDP 7475 allowed")));
    terminate(&child);
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
fn an_http_port_in_use_is_told_in_one_sentence_with_exit_code_3() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let output = run(&configuration_with(directory.path(), &listen, &address.to_string())).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    let told = format!(
        "cannot listen on {address}/tcp: the port is in use; stop the program that has it, or choose another with \
         `http.listen`"
    );
    assert!(error.contains(&told), "{error}");
}

#[test]
fn a_running_agent_says_by_http_that_it_is_well() {
    let directory = tempfile::tempdir().unwrap();
    let http = format!("127.0.0.1:{}", free_port());
    let listen = format!("127.0.0.1:{}", free_port());
    let mut child = run(&configuration_with(directory.path(), &listen, &http)).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let answer = get(&http, "/healthz");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_agent_tells_what_it_finds_of_its_endpoints_and_from_which_lag_on_to_alert_as_the_file_says_now() {
    let directory = tempfile::tempdir().unwrap();
    let http = format!("127.0.0.1:{}", free_port());
    let file = configuration_with(directory.path(), &format!("127.0.0.1:{}", free_port()), &http);
    let served = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = |name: &str, port: u16| {
        format!(
            "  - {{name: {name}, type: tcp, address: \"127.0.0.1:{port}\", period: 200ms, timeout: 150ms, confirm_period: 100ms}}\n"
        )
    };
    let [there, gone] = [("there", served.local_addr().unwrap().port()), ("gone", free_port())]
        .map(|(name, port)| endpoint(name, port));
    let text = fs::read_to_string(&file).unwrap() + "endpoints:\n" + &there + &gone;
    fs::write(&file, &text).unwrap();
    let mut child = run(&file).env("KAFKA_CONSUMER_LAG_ALERT_THRESHOLD", "77").spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let told = |series: &str| get(&http, "/metrics").contains(&format!("\n{series}\n"));
    assert!(told("netsplit_kafka_consumer_lag_threshold_messages 77"));
    until(|| told("netsplit_endpoint_up{endpoint=\"there\",type=\"tcp\"} 1"));
    until(|| told("netsplit_endpoint_up{endpoint=\"gone\",type=\"tcp\"} 0"));
    assert!(told("netsplit_endpoint_down{endpoint=\"gone\",type=\"tcp\",cause=\"refused\",ailment=\"\"} 1"));
    let answer = get(&http, "/v1/endpoints");
    assert!(answer.contains(r#""outcome":"failure","cause":"refused""#), "{answer}");
    fs::write(&file, text + "alerts: {kafka_consumer_lag: 78}\n").unwrap();
    until(|| told("netsplit_kafka_consumer_lag_threshold_messages 78"));
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_agent_whose_log_has_no_place_goes_on_says_so_and_writes_it_as_soon_as_there_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let http = format!("127.0.0.1:{}", free_port());
    let file = configuration_with(directory.path(), &format!("127.0.0.1:{}", free_port()), &http);
    let log = directory.path().join("mount/log/events.log");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(&*directory.path().join("events.log").to_string_lossy(), &log.to_string_lossy()))
        .unwrap();
    let mut child = run(&file).spawn().unwrap();
    let shown = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(shown.contains("agent_started"), "it is shown though it is not on the disk: {shown}");
    assert!(get(&http, "/v1/mode").contains("\"mode\":\"starting\""));
    until(|| get(&http, "/metrics").contains("\nnetsplit_audit_failing 1\n"));
    assert!(get(&http, "/v1/events").contains("\"durable\":false"));
    // Detection goes on: it finds out that it hears nobody.
    until(|| get(&http, "/metrics").contains("netsplit_blind{cause=\"never_heard\"} 1\n"));
    fs::create_dir(directory.path().join("mount")).unwrap();
    until(|| get(&http, "/metrics").contains("\nnetsplit_audit_failing 0\n"));
    assert!(!get(&http, "/v1/events").contains("\"durable\":false"));
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let found = netsplit::audit::verify(&log).unwrap();
    assert_eq!((found.flaw, found.first, found.last), (None, Some(1), Some(found.lines)));
    assert_eq!(fs::read_to_string(&log).unwrap().lines().next().unwrap(), shown);
}

#[test]
fn keys_that_cannot_be_read_are_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(directory.path(), "127.0.0.1:0");
    fs::remove_file(directory.path().join("keys/1")).unwrap();
    let output = run(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
