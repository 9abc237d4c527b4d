//! `netsplit probe` from outside, against small listeners of the test's own: what it prints, how it ends, and that
//! docs/endpoints.md shows the same.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use netsplit::config::KEYS;
use netsplit::detector::outcome::{Ailment, Cause};
use serde_json::Value;

use crate::shown;

/// How it ended, and what it said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn by(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.arg("probe").args(arguments).env("NODE_NAME", "node-1").env("NO_COLOR", "1");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// With its command line, and without what differs from run to run: the port, and every time but the timeout.
    fn in_words(&self, command: &str, address: SocketAddr) -> String {
        let text = format!("$ netsplit probe {command}\n{}{}", self.out, self.err);
        let text = text.replace(&address.to_string(), "10.0.0.7:6379");
        text.lines().map(|line| with_usual_times(line) + "\n").collect()
    }
}

/// `12.3 ms` and `1.2 s` as `0.42 ms`, but for `of 5.00 s at most`.
fn with_usual_times(line: &str) -> String {
    let (measured, rest) = line.split_at(line.find(" of ").unwrap_or(line.len()));
    let Some(number) = measured.strip_suffix(" ms").or_else(|| measured.strip_suffix(" s")) else {
        return line.to_owned();
    };
    let number = number.rsplit(' ').next().unwrap();
    assert!(number.parse::<f64>().is_ok(), "{line}");
    let (name, _) = measured.rsplit_once(number).unwrap();
    format!("{name}0.42 ms{rest}")
}

/// A listener that says this to each who comes, then waits until they go.
fn whoever_says(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(text.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    address
}

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A configuration with these endpoints.
fn configured(endpoints: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("netsplit.yaml");
    let text =
        format!("authentication: insecure\npeers: {{discovery: {{dns: {{name: a.b}}}}}}\nendpoints:\n{endpoints}");
    fs::write(&file, text).unwrap();
    (directory, file)
}

#[test]
fn an_endpoint_that_answers_is_told_with_its_phases() {
    let address = whoever_says("SSH-2.0-OpenSSH_10.0\r\n");
    let said = Said::by(&[&format!("tcp://{address}")]);
    assert_eq!(said.code, 0, "{}", said.out);
    shown!(said.in_words("tcp://10.0.0.7:6379", address));
}

#[test]
fn an_endpoint_that_nobody_serves_is_refused() {
    let address = nobody();
    let said = Said::by(&[&format!("tcp://{address}")]);
    assert_eq!(said.code, 1, "{}", said.out);
    shown!(said.in_words("tcp://10.0.0.7:6379", address));
}

#[test]
fn an_endpoint_of_the_configuration_is_found_by_its_name() {
    let address = whoever_says("SSH-2.0-OpenSSH_10.0\r\n");
    let (_directory, file) = configured(&format!(
        "  - {{name: bastion, type: tcp, address: \"{address}\", expect: HTTP, timeout: 300ms}}\n"
    ));
    let said = Said::by(&["bastion", "--config", file.to_str().unwrap()]);
    assert_eq!(said.code, 1, "{}", said.out);
    shown!(said.in_words("bastion", address));
    let longer = Said::by(&["bastion", "--config", file.to_str().unwrap(), "--timeout", "400ms"]);
    assert!(longer.out.contains("of 400 ms at most"), "{}", longer.out);
}

#[test]
fn a_handshake_that_hangs_is_a_phase_that_took_the_whole_time() {
    let address = whoever_says("");
    let said = Said::by(&["--json", &format!("tls://{address}"), "--timeout", "300ms"]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &json["cause"]), (1, &Value::from("timeout")));
    assert!(json["phases"]["tls_seconds"].as_f64().unwrap() > 0.2, "{json}");
    assert_eq!(json["phases"]["exchange_seconds"], Value::Null);
}

#[test]
fn plain_text_where_tls_was_expected_is_a_fault_of_tls() {
    let address = whoever_says("SSH-2.0-OpenSSH_10.0\r\n");
    let said = Said::by(&["--json", &format!("tls://{address}")]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &json["cause"]), (1, &Value::from("tls")));
}

#[test]
fn a_fault_of_this_machine_says_nothing_of_the_endpoint() {
    let address = whoever_says("");
    let said = Said::by(&[&format!("tls://{address}"), "--ca-file", "/nowhere/ca.pem"]);
    assert_eq!(said.code, 3, "{}", said.out);
    shown!(said.in_words("tls://10.0.0.7:6379 --ca-file /nowhere/ca.pem", address));
}

#[test]
fn programs_get_json_with_everything_in_it() {
    let address = nobody();
    let said = Said::by(&["--json", &format!("tcp://{address}")]);
    let mut json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(said.code, 1);
    for measured in ["/took_seconds", "/phases/connect_seconds"] {
        let seconds = json.pointer_mut(measured).unwrap();
        assert!(seconds.as_f64().unwrap() < 5.0, "{measured}");
        *seconds = Value::from(0.000_42);
    }
    let text = format!("$ netsplit probe tcp://10.0.0.7:6379 --json\n{json:#}\n");
    shown!(text.replace(&address.to_string(), "10.0.0.7:6379"));
}

#[test]
fn whoever_takes_any_certificate_is_warned_out_loud() {
    let said = Said::by(&[&format!("tls://{}", nobody()), "--insecure-skip-verify"]);
    assert!(said.err.starts_with("warning: insecure_skip_verify takes any certificate"), "{}", said.err);
}

#[test]
fn wrong_arguments_are_told_with_what_would_be_right() {
    let (_directory, file) = configured(
        "  - {name: orders-database, type: postgres, address: db.example.internal}\n  - {name: bastion, type: tcp, \
         address: \"10.0.0.7:22\"}\n",
    );
    let file = file.to_str().unwrap();
    let told = [
        &["reddis://10.0.0.7"][..],
        &["gopher://10.0.0.7"],
        &["etcd://10.0.0.7:2379"],
        &["10.0.0.7:5432"],
        &["10.0.0.7", "--type", "postgress"],
        &["tcp://10.0.0.7"],
        &["redis://10.0.0.7:6379/0"],
        &["https://me:hunter2@app.example.internal/"],
        &["postgres://10.0.0.7", "--username", "agent"],
        &["redis://10.0.0.7", "--timeout", "5"],
        &["redis://10.0.0.7", "--timeout", "1h"],
        &["http://10.0.0.7", "--ca-file", "/ca.pem"],
        &["rabbitmq+http://10.0.0.7:15672"],
        &["order-database", "--config", file],
        &["prometheus", "--config", file],
        &["bastion", "--config", file, "--tls"],
        &["bastion", "--config", file, "--timeout", "0s"],
        &["bastion", "--config", "/nowhere/netsplit.yaml"],
    ]
    .map(|arguments| {
        let said = Said::by(arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!said.err.contains("hunter2"), "{}", said.err);
        let command = arguments.join(" ").replace("hunter2", "…");
        format!("$ netsplit probe {command}\n{}", said.err).replace(file, "/site/netsplit.yaml")
    });
    shown!(told.join("\n"));
}

#[test]
fn the_help_has_examples_and_exit_codes() {
    let help = Said::by(&["--help"]);
    assert_eq!(help.code, 0);
    for needed in ["Exit codes: 0 ", "netsplit probe central-prometheus", "rediss", "kubernetes", "+https"] {
        assert!(help.out.contains(needed), "{needed} is not in {}", help.out);
    }
}

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/endpoints.md")).unwrap()
}

#[test]
fn every_example_of_the_documentation_is_what_a_test_saw() {
    let document = document();
    let mut examples = 0;
    for part in document.split("<!-- printed by ").skip(1) {
        let (name, rest) = part.split_once(" -->\n```text\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let snapshot = format!("tests/cli/snapshots/cli__probe__{name}.snap");
        let snapshot = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(snapshot)).unwrap();
        assert!(snapshot.contains(example.trim_end()), "no longer printed by {name}:\n{example}");
        examples += 1;
    }
    assert!(examples >= 4);
    assert_eq!(document.matches("```text").count(), examples, "an example that no test vouches for");
}

/// Each cause but `unhealthy`, which has its ailments. The match makes a new one fail here until it is listed.
fn causes() -> [Cause; 9] {
    match Cause::Refused {
        Cause::Refused | Cause::Timeout | Cause::Reset | Cause::Unreachable | Cause::Dns | Cause::Tls => {}
        Cause::Protocol | Cause::Status | Cause::Auth | Cause::Unhealthy(_) => {}
    }
    [
        Cause::Refused,
        Cause::Timeout,
        Cause::Reset,
        Cause::Unreachable,
        Cause::Dns,
        Cause::Tls,
        Cause::Protocol,
        Cause::Status,
        Cause::Auth,
    ]
}

fn ailments() -> [Ailment; 10] {
    match Ailment::Role {
        Ailment::NotServing | Ailment::Partitioned | Ailment::NodesDown | Ailment::NoLeader | Ailment::Role => {}
        Ailment::PartitionsWithoutLeader | Ailment::QueuesWithoutMajority | Ailment::ReplicationDown => {}
        Ailment::ReplicationLag | Ailment::Alarm => {}
    }
    [
        Ailment::NotServing,
        Ailment::Partitioned,
        Ailment::NodesDown,
        Ailment::NoLeader,
        Ailment::PartitionsWithoutLeader,
        Ailment::QueuesWithoutMajority,
        Ailment::ReplicationDown,
        Ailment::ReplicationLag,
        Ailment::Role,
        Ailment::Alarm,
    ]
}

#[test]
fn every_cause_and_every_ailment_is_documented() {
    let document = document();
    for name in causes().map(Cause::as_str).into_iter().chain(ailments().map(Ailment::as_str)) {
        assert!(document.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn every_type_every_option_and_every_key_of_a_type_is_documented() {
    let document = document();
    let types = ["icmp", "tcp", "http", "dns", "grpc", "amqp", "rabbitmq", "kafka", "redis", "postgres", "mysql"];
    for kind in types.into_iter().chain(["etcd", "consul", "kubernetes", "registry"]) {
        assert!(document.contains(&format!("\n### {kind}\n")), "{kind}");
    }
    let help = Said::by(&["--help"]).out;
    let words = help.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
    for option in words.filter(|word| word.starts_with("--") && word.len() > 2 && *word != "--help") {
        assert!(document.contains(option), "{option} is not documented");
    }
    for key in KEYS.iter().filter_map(|key| key.strip_prefix("endpoints.")) {
        let key = key.trim_start_matches("tls.");
        assert!(document.contains(&format!("`{key}")), "{key}");
    }
}
