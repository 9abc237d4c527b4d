//! `netsplit override` and `netsplit forget`, with real agents: what an operator orders holds, is told everywhere, and
//! outlives a restart.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, park_timeout};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::ports::free_port;

const REASON: &str = "the other site burnt down";

/// Agents of one cluster on loopback; some of them run.
struct Cluster {
    directory: TempDir,
    http: Vec<u16>,
    running: Vec<Option<Child>>,
}

/// What a command said.
struct Said {
    out: String,
    note: String,
    code: Option<i32>,
}

impl Cluster {
    fn start(nodes: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
        let http: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
        let list = ports.iter().enumerate();
        let list = list.map(|(at, port)| format!("{{name: node-{}, address: \"127.0.0.1:{port}\"}}", at + 1));
        let list = list.collect::<Vec<_>>().join(", ");
        let mut cluster = Self { directory, http, running: (0..nodes).map(|_| None).collect() };
        for (node, port) in ports.iter().enumerate() {
            let (state, log) = (cluster.state(node), cluster.path(&format!("events-{node}.log")));
            let text = format!(
                "cluster: test\nnode: {{name: node-{}}}\nlisten: \"127.0.0.1:{port}\"\nhttp: {{listen: \"127.0.0.1:{}\"}}\n\
                 peers: {{profile: fast, discovery: {{static: [{list}]}}}}\nauthentication: insecure\n\
                 state: {{directory: {}}}\naudit: {{path: {}, stdout: false}}\n",
                node + 1,
                cluster.http[node],
                state.display(),
                log.display()
            );
            fs::write(cluster.path(&format!("{node}.yaml")), text).unwrap();
            cluster.run(node);
        }
        cluster.until_mode(0, "normal");
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn state(&self, node: usize) -> PathBuf {
        self.path(&format!("state-{node}"))
    }

    fn run(&mut self, node: usize) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.args(["run", "--config"]).arg(self.path(&format!("{node}.yaml")));
        self.running[node] = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    fn kill(&mut self, node: usize) {
        let mut agent = self.running[node].take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    fn asks(&self, node: usize, arguments: &[&str]) -> Said {
        let address = format!("127.0.0.1:{}", self.http[node]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        let said = command.args(arguments).args(["--address", &address]).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { out: text(said.stdout), note: text(said.stderr), code: said.status.code() }
    }

    fn orders(&self, node: usize, arguments: &[&str]) -> Said {
        let state = self.state(node);
        self.asks(node, &[arguments, &["--state-directory", state.to_str().unwrap()]].concat())
    }

    fn mode(&self, node: usize) -> Value {
        serde_json::from_str(&self.asks(node, &["mode", "--json"]).out).unwrap_or_default()
    }

    #[track_caller]
    fn until_mode(&self, node: usize, mode: &str) {
        let came = within_a_minute(|| self.mode(node)["mode"] == mode);
        assert!(came, "waited a minute for {mode}: {}", self.mode(node));
    }

    fn log(&self, node: usize) -> String {
        fs::read_to_string(self.path(&format!("events-{node}.log"))).unwrap()
    }

    #[track_caller]
    fn until_logged(&self, node: usize, what: &str) {
        assert!(within_a_minute(|| self.log(node).contains(what)), "waited a minute for {what}: {}", self.log(node));
    }
}

fn within_a_minute(mut is_so: impl FnMut() -> bool) -> bool {
    (0..600).any(|_| {
        let came = is_so();
        if !came {
            park_timeout(Duration::from_millis(100));
        }
        came
    })
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for agent in self.running.iter_mut().flatten() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

#[test]
fn a_minority_that_an_operator_overrules_may_write_and_everything_says_so() {
    let mut cluster = Cluster::start(3);
    cluster.kill(1);
    cluster.kill(2);
    cluster.until_mode(0, "isolated");
    let said = cluster.orders(0, &["override", "majority", "--for", "1h", "--reason", REASON]);
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.note);
    let words = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("majority: writes yes") && words.contains("the agent judges isolated"), "{words}");
    let mode = cluster.mode(0);
    assert_eq!((&mode["writes"], &mode["override"]["judged"]), (&Value::from(true), &Value::from("isolated")));
    for command in ["status", "mode", "matrix", "peers", "partitions", "endpoints"] {
        let note = cluster.asks(0, &[command]).note;
        assert!(note.contains("overrides the mode of this node: majority until"), "{command}: {note}");
    }
    cluster.until_logged(0, r#""event":"mode_overridden""#);
    let until = mode["override"]["until"].as_str().unwrap();
    let said = cluster.orders(0, &["override", "majority", "--for", "5h", "--reason", REASON]);
    assert!(said.code == Some(0) && !said.out.contains(until), "it is extended: {} {}", said.out, said.note);

    cluster.kill(0);
    cluster.run(0);
    cluster.until_mode(0, "majority");
    let said = cluster.orders(0, &["override", "--clear"]);
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.note);
    assert_ne!(cluster.mode(0)["mode"], "majority");
    cluster.until_logged(0, r#""event":"mode_override_ended""#);
    assert!(cluster.asks(0, &["peers"]).note.is_empty());
}

#[test]
fn whoever_is_left_writes_again_when_the_dead_are_forgotten_and_who_is_heard_is_not() {
    let mut cluster = Cluster::start(3);
    let said = cluster.orders(0, &["forget", "node-2"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), "node-2 counts on: it is heard, so it is there.\n"));
    let said = cluster.orders(0, &["forget", "node-1"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), "node-1 counts on: it is this node.\n"));
    let said = cluster.orders(0, &["forget", "node-9"]);
    assert!(said.code == Some(1) && said.out.starts_with("No node node-9 belongs to the cluster"), "{}", said.out);
    cluster.kill(1);
    cluster.kill(2);
    cluster.until_mode(0, "isolated");
    // Whoever ordered this long ago did not mean what is now.
    let old = cluster.state(0).join("forget-old.json");
    fs::write(&old, r#"{"node":"node-2","from":"2026-01-01T00:00:00Z"}"#).unwrap();
    assert!(within_a_minute(|| !old.exists()), "nobody took the order away");
    for node in ["node-2", "node-3"] {
        let said = cluster.orders(0, &["forget", node]);
        assert_eq!(
            (said.code, said.out),
            (Some(0), format!("{node} is forgotten: it no longer counts.\n")),
            "{}",
            said.note
        );
    }
    cluster.until_mode(0, "normal");
    assert_eq!(cluster.mode(0)["side"]["of"], 1);
    cluster.until_logged(0, r#""peer":"node-3","reason":"removed""#);
    assert_eq!(cluster.log(0).matches("node_forgotten").count(), 2, "{}", cluster.log(0));
    let orders = || fs::read_dir(cluster.state(0)).unwrap().flatten().map(|entry| entry.file_name());
    assert!(within_a_minute(|| !orders().any(|name| name.to_string_lossy().starts_with("forget-"))));
}

#[test]
fn an_order_to_an_agent_that_does_not_run_waits_for_it_and_a_wrong_one_is_said_to_be_wrong() {
    let mut cluster = Cluster::start(1);
    cluster.kill(0);
    let said = cluster.orders(0, &["override", "minority", "--for", "1h", "--reason", REASON]);
    assert_eq!(said.code, Some(0), "{}", said.note);
    assert!(said.note.contains("The order waits until the agent runs."), "{}", said.note);
    cluster.run(0);
    cluster.until_mode(0, "minority");
    for (wrong, why) in [
        (&["override", "majority", "--for", "1h"][..], "--reason"),
        (&["override", "starting", "--for", "1h", "--reason", REASON], "it is one of normal"),
        (&["override", "majority", "--for", "169h", "--reason", REASON], "1s to 168h"),
        (&["override", "majority", "--for", "3600", "--reason", REASON], "has no unit"),
        (&["override", "--clear", "--for", "1h"], "--for"),
        (&["override"], "required"),
        (&["forget", ""], "it is no name of a node"),
    ] {
        let said = cluster.orders(0, wrong);
        assert_eq!(said.code, Some(2), "{wrong:?}: {} {}", said.out, said.note);
        assert!(said.note.contains(why), "{wrong:?}: {}", said.note);
    }
    let said = cluster.asks(0, &["override", "--clear", "--state-directory", "/nowhere"]);
    assert_eq!(said.code, Some(3));
    assert!(
        said.note.contains("cannot order anything in /nowhere: is it the agent's state directory"),
        "{}",
        said.note
    );
    let elsewhere = cluster.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let elsewhere = ["--state-directory", elsewhere.to_str().unwrap()];
    let order = [&["override", "normal", "--for", "1h", "--reason", REASON][..], &elsewhere].concat();
    let said = cluster.asks(0, &order);
    assert_eq!(said.code, Some(1), "{}", said.note);
    assert!(said.out.contains("does not follow: is"), "{}", said.out);
}

/// Answers so often, and then is gone.
fn answering(answers: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut listener = Some(listener);
        for (at, answer) in answers.iter().enumerate() {
            let (mut stream, _) = listener.as_ref().unwrap().accept().unwrap();
            if at + 1 == answers.len() {
                listener = None;
            }
            let mut request = BufReader::new(&stream).lines().map_while(Result::ok);
            assert!(request.any(|line| line.is_empty()));
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn a_node_is_ordered_to_be_forgotten_whatever_the_agent_answers() {
    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\n\r\n{\"error\":\"ask later\"}";
    const NOTHING: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"events\":[],\"oldest\":null,\"newest\":0}";
    let cases: [(&'static [&'static str], _, _); 3] = [
        (&[BUSY], Some(3), "the order is given, but the agent does not say what it makes of it: cannot ask"),
        (&[NOTHING, BUSY], Some(3), "the order is given, but"),
        (&[NOTHING], Some(0), "The order waits until the agent runs."),
    ];
    for (answers, code, told) in cases {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.args(["forget", "node-4", "--address", &answering(answers)]);
        let said = command.arg("--state-directory").arg(directory.path()).output().unwrap();
        let note = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), code, "{note}");
        assert!(note.contains(told), "{note}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the order is there");
    }
}
