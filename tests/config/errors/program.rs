//! The real program in a directory of its own, with an environment of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::ports::free_port;

/// How long the program may take to end where it has to end by itself, in seconds.
const PATIENCE: &str = "20";

/// How it ended.
pub(super) struct Ended {
    pub(super) code: i32,
    /// Without what differs from run to run.
    pub(super) stderr: String,
}

/// A directory that the program is started in: keys, a place for the state, two ports.
pub(super) struct Program {
    directory: TempDir,
    pub(super) udp: u16,
    pub(super) tcp: u16,
}

impl Program {
    /// A directory with one key in it, and no configuration.
    pub(super) fn new() -> Self {
        let (udp, tcp) = (free_port(), free_port());
        let program = Self { directory: tempfile::tempdir().unwrap(), udp, tcp };
        fs::create_dir(program.path("keys")).unwrap();
        program.write_key("keys/1", '1');
        program
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A key that only its owner may read.
    pub(super) fn write_key(&self, name: &str, digit: char) {
        self.write(name, digit.to_string().repeat(64));
        self.set_mode(name, 0o600);
    }

    pub(super) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A configuration that nothing is wrong with, and `rest` behind it.
    pub(super) fn good(&self, rest: &str) -> String {
        let mut text = format!(
            "peers: {{discovery: {{static: [{{name: node-1, address: \"127.0.0.1:{}\"}}, {{name: node-2, address: \
             \"127.0.0.1:9\"}}]}}}}\n",
            self.udp
        );
        for (key, line) in [
            ("listen:", format!("listen: \"127.0.0.1:{}\"", self.udp)),
            ("http:", format!("http: {{listen: \"127.0.0.1:{}\"}}", self.tcp)),
            ("authentication:", "authentication: {keys: keys}".into()),
            ("state:", "state: {directory: state}".into()),
            ("audit:", "audit: {path: events.log}".into()),
        ] {
            if !rest.lines().any(|given| given.starts_with(key)) {
                text += &line;
                text.push('\n');
            }
        }
        text + rest
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs([("NODE_NAME", "node-1"), ("BAD_NAME", "Node_1"), ("EMPTY", "")]);
        command
    }

    /// Runs the program to its end, which must come by itself.
    pub(super) fn ended(&self, arguments: &[&str]) -> Ended {
        self.ended_within(&[], arguments)
    }

    /// As [`Program::ended`], started by `wrapper`.
    pub(super) fn ended_within(&self, wrapper: &[&str], arguments: &[&str]) -> Ended {
        let binary = self.binary(wrapper);
        let all = [&[PATIENCE], wrapper, &[binary.to_str().unwrap()], arguments].concat();
        self.told(&self.command(Path::new("timeout"), &all).output().unwrap())
    }

    /// As [`Program::ended`], without the variable `NODE_NAME`.
    pub(super) fn ended_without_a_name(&self, arguments: &[&str]) -> Ended {
        self.ended_within(&["env", "-u", "NODE_NAME"], arguments)
    }

    /// Runs the agent until it has begun, and ends it well: what it warned of.
    pub(super) fn goes_on(&self, wrapper: &[&str]) -> Ended {
        let mut child = self.started(wrapper);
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if !line.is_empty() {
            let first: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(first["event"], "agent_started");
            assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        }
        let mut stderr = Vec::new();
        child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let status = child.wait().unwrap();
        self.told(&Output { status, stdout: Vec::new(), stderr })
    }

    /// An agent that runs.
    pub(super) fn started(&self, wrapper: &[&str]) -> Child {
        let binary = self.binary(wrapper);
        let all = [wrapper, &[binary.to_str().unwrap(), "run", "--config", "netsplit.yaml"]].concat();
        let mut command = self.command(Path::new(all[0]), &all[1..]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Somebody else may not come to where this was built: such a one gets a copy.
    fn binary(&self, wrapper: &[&str]) -> PathBuf {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_netsplit"));
        if !wrapper.contains(&"setpriv") {
            return built;
        }
        self.directory.path().set_readable();
        let copy = self.path("netsplit");
        if !copy.exists() {
            fs::hard_link(&built, &copy).or_else(|_| fs::copy(&built, &copy).map(drop)).unwrap();
        }
        copy
    }

    /// What is wrong with netsplit.yaml, as `check --json` has it: message and hint of each.
    pub(super) fn errors_found_by_check(&self, title: &str) -> Vec<(String, String)> {
        let arguments = [PATIENCE, env!("CARGO_BIN_EXE_netsplit"), "check", "--json", "netsplit.yaml"];
        let output = self.command(Path::new("timeout"), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{title}");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors = json["errors"].as_array().unwrap().iter();
        errors
            .map(|error| (error["message"].as_str().unwrap().into(), error["hint"].as_str().unwrap().into()))
            .collect()
    }

    /// Without directories, ports, times, and lines that only inform.
    fn told(&self, output: &Output) -> Ended {
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        let lines = stderr.lines().filter(|line| !line.contains(" INFO ")).map(|line| {
            match line.split_once("Z  WARN ").or_else(|| line.split_once("Z ERROR ")) {
                Some((_, said)) => format!("{} {said}", if line.contains("Z  WARN ") { "WARN" } else { "ERROR" }),
                None => line.to_owned(),
            }
        });
        let mut text: String = lines.map(|line| line + "\n").collect();
        for (from, to) in [
            (self.directory.path().display().to_string(), "/site"),
            (format!(":{}", self.udp), ":UDP"),
            (format!(" port {}", self.udp), " port UDP"),
            (format!(":{}", self.tcp), ":TCP"),
        ] {
            text = text.replace(&from, to);
        }
        Ended { code: output.status.code().unwrap_or(-1), stderr: text }
    }
}

trait SetReadable {
    fn set_readable(&self);
}

impl SetReadable for Path {
    /// Everybody may enter.
    fn set_readable(&self) {
        fs::set_permissions(self, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
