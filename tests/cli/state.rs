//! The state directory of a real `netsplit run`: killed at any moment, shared by mistake, missing, damaged; and the keys
//! that it reads again.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use netsplit::detector::saved::Saved;
use netsplit::identity::Incarnation;
use netsplit::state::{LOST, STATE, Whose, decode, encode};
use serde_json::Value;

use crate::ports::free_port;

/// One node with its files.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.path("keys")).unwrap();
        site.write_key("1", '1');
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write_key(&self, name: &str, digit: char) {
        let path = self.path("keys").join(name);
        fs::write(&path, digit.to_string().repeat(64)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn spawn(&self) -> Child {
        let (port, http) = (free_port(), format!("127.0.0.1:{}", free_port()));
        let text = format!(
            "cluster: test\nnode: {{name: node-1}}\nlisten: \"127.0.0.1:{port}\"\n\
             peers: {{discovery: {{static: [{{name: node-1, address: \"127.0.0.1:{port}\"}}, {{name: node-2, address: \"127.0.0.1:9\"}}]}}}}\n\
             authentication: {{keys: {}}}\nstate: {{directory: {}}}\nhttp: {{listen: \"{http}\"}}\naudit: {{path: {}}}\n",
            self.path("keys").display(),
            self.path("state").display(),
            self.path("events.log").display()
        );
        let file = self.path(&format!("{port}.yaml"));
        fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.args(["run", "--config"]).arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn saved(&self) -> Option<Saved> {
        let bytes = fs::read(self.path("state").join(STATE)).ok()?;
        Some(decode(&whose(), &bytes).unwrap_or_else(|flaw| panic!("{flaw}")))
    }

    fn write_state(&self, bytes: &[u8]) {
        fs::create_dir_all(self.path("state")).unwrap();
        fs::write(self.path("state").join(STATE), bytes).unwrap();
    }
}

fn whose() -> Whose {
    Whose { cluster: "test".into(), node: "node-1".into() }
}

fn signal(name: &str, child: &Child) {
    assert!(Command::new("kill").arg(name).arg(child.id().to_string()).status().unwrap().success());
}

/// Waits for the first event.
fn first_event(child: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn rest_of(pipe: Option<impl Read>) -> String {
    let mut text = String::new();
    pipe.unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Ends it well; what it said on standard error.
fn terminate(mut child: Child) -> String {
    signal("-TERM", &child);
    let said = rest_of(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    said
}

/// The moment at which to kill is a matter of time, so this lets some pass.
fn pass(time: Duration) {
    let (_sender, nothing) = sync_channel::<()>(0);
    let _ = nothing.recv_timeout(time);
}

#[test]
fn a_killed_agent_starts_again_with_a_larger_number_whenever_it_was_killed() {
    let site = Site::new();
    // A number that the clock does not reach: what grows is the state.
    let base = 9_000_000_000_000_000;
    let earlier = Saved { incarnation: Incarnation(base), ..Saved::default() };
    site.write_state(&encode(&whose(), &earlier).unwrap());
    let mut last_seen = base;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut runs = 0;
    // On a busy machine none may come so far as to be saved: then more runs get more time.
    while runs < 20 || (last_seen == base && runs < 200) {
        let mut child = site.spawn();
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let longest = 60_000 * (1 + runs / 20);
        pass(Duration::from_micros((seed >> 33) % longest));
        runs += 1;
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = rest_of(child.stdout.take());
        let numbers = seen.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["incarnation"].as_u64());
        let saved = site.saved().unwrap().incarnation.0;
        for run in numbers {
            assert!(run > last_seen && run <= saved, "{run} was shown: after {last_seen}, and {saved} is durable");
        }
        last_seen = saved;
    }
    eprintln!("{} of {runs} runs came so far as to be saved", last_seen - base);
    assert!(last_seen > base);
    let mut child = site.spawn();
    assert_eq!(first_event(&mut child)["incarnation"].as_u64(), Some(last_seen + 1));
    terminate(child);
}

#[test]
fn a_second_agent_on_one_directory_is_refused_with_code_3_and_harms_nothing() {
    let site = Site::new();
    let mut first = site.spawn();
    let run = first_event(&mut first)["incarnation"].as_u64();
    let second = site.spawn().wait_with_output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(3), "{said}");
    let expected = format!(
        "cannot use the state directory {}: another agent has it; stop that one, or give each its own with \
         state.directory",
        site.path("state").display()
    );
    assert!(said.contains(&expected), "{said}");
    assert_eq!(site.saved().map(|saved| saved.incarnation.0), run);
    terminate(first);
}

#[test]
fn a_missing_directory_is_made_and_only_this_user_may_enter() {
    let site = Site::new();
    let mut child = site.spawn();
    first_event(&mut child);
    assert!(!terminate(child).contains("WARN"));
    let mode = fs::metadata(site.path("state")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, site.saved().is_some()), (0o700, true));
}

#[test]
fn a_damaged_state_is_one_warning_and_kept_for_whoever_wants_to_know() {
    let site = Site::new();
    site.write_state(b"{\"version\":1");
    let mut child = site.spawn();
    first_event(&mut child);
    let said = terminate(child);
    assert_eq!(said.matches("WARN").count(), 1, "{said}");
    assert!(said.contains("the state of the run before is lost") && said.contains(LOST), "{said}");
    assert_eq!(fs::read(site.path("state").join(LOST)).unwrap(), b"{\"version\":1");
}

#[test]
fn a_state_that_cannot_be_kept_is_said_and_the_agent_runs() {
    let site = Site::new();
    fs::write(site.path("state"), "a file where a directory belongs").unwrap();
    let mut child = site.spawn();
    assert_eq!(first_event(&mut child)["event"], "agent_started");
    let said = terminate(child);
    assert!(said.contains("the state is not kept") && said.contains("this run could not be written down"), "{said}");
}

#[test]
fn sighup_reads_the_keys_again() {
    let site = Site::new();
    let mut child = site.spawn();
    first_event(&mut child);
    site.write_key("2", '2');
    signal("-HUP", &child);
    let told = has_line(&mut child, "the keys are others now");
    assert!(told.contains("keys=2"), "{told}");
    terminate(child);
}

/// Reads standard error until a line has these words.
fn has_line(child: &mut Child, words: &str) -> String {
    let lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    lines.map_while(Result::ok).find(|line| line.contains(words)).unwrap()
}

#[test]
fn check_says_what_is_odd_about_keys() {
    let site = Site::new();
    site.write_key("2", '1');
    let file = site.path("netsplit.yaml");
    let text = format!(
        "node: {{name: node-1}}\npeers: {{discovery: {{static: [{{name: node-1, address: \"10.0.0.1:7475\"}}]}}}}\n\
         authentication: {{keys: {}}}\n",
        site.path("keys").display()
    );
    fs::write(&file, text).unwrap();
    let output = check(&file);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("/1 and ") && said.contains("/2 hold the same key"), "{said}");
}

fn check(file: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_netsplit")).arg("check").arg(file).output().unwrap()
}
