//! A container that `runc` runs, and what is run in it besides, as `kubectl exec` does.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::group::Group;
use crate::pod::Pod;

/// A container from before its start until it is dropped, when it is gone with all that runs in it.
pub struct Container {
    name: String,
    /// Where `runc` keeps what it knows.
    state: PathBuf,
    bundle: PathBuf,
    /// Where its log is on the disk of the node.
    pub log: PathBuf,
}

impl Container {
    pub fn of(pod: &Pod<'_>) -> Self {
        Self {
            name: pod.name.to_owned(),
            state: pod.directory.join("runc"),
            bundle: pod.bundle().to_owned(),
            log: pod.volume("log").join("partition-events.log"),
        }
    }

    /// What starts it. The command ends when the container does, and with the same exit code.
    pub fn start(&self) -> Command {
        let mut command = self.runc("run");
        command.arg("--bundle").arg(&self.bundle).arg(&self.name);
        command
    }

    /// Runs a program of the container in it, and waits for its end.
    pub fn exec(&self, arguments: &[&str]) -> Output {
        self.runc("exec").arg(&self.name).args(arguments).output().unwrap()
    }

    /// What its control group says.
    pub fn group(&self) -> Group {
        Group::of(&self.name)
    }

    /// What the kernel says of the agent, in this file of /proc.
    fn proc(&self, file: &str) -> String {
        let state = self.runc("state").arg(&self.name).output().unwrap();
        let state: Value = serde_json::from_slice(&state.stdout).unwrap();
        fs::read_to_string(format!("/proc/{}/{file}", state["pid"])).unwrap()
    }

    /// Where the agent can write, of all that is mounted.
    pub fn writable(&self) -> Vec<String> {
        let mounts = self.proc("mountinfo");
        let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let writable = mounts.filter(|fields| fields[5].split(',').any(|option| option == "rw"));
        writable.map(|fields| fields[4].to_owned()).collect()
    }

    /// What the kernel says of the agent: the field of this name.
    pub fn status(&self, field: &str) -> String {
        let status = self.proc("status");
        let found = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        found.unwrap_or_else(|| panic!("no {field} in {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn runc(&self, command: &str) -> Command {
        let mut runc = Command::new("runc");
        runc.arg("--root").arg(&self.state).arg(command);
        runc
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It may have ended, or never begun.
        let _ = self.runc("delete").arg("--force").arg(&self.name).output();
    }
}
