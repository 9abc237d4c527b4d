//! One node: its directory, and the agent that runs there, if one does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::network::Network;
use super::words::Words;

/// The name of the cluster.
pub const CLUSTER: &str = "namespaces";

pub struct Node {
    number: usize,
    /// Its own, with its keys; the agent may write here.
    directory: PathBuf,
    running: Option<Child>,
}

impl Node {
    /// A node on which no agent runs yet.
    pub fn new(number: usize, all: &Path, key: &str) -> Self {
        let directory = all.join(name(number));
        fs::create_dir_all(directory.join("keys")).unwrap();
        let node = Self { number, directory, running: None };
        node.put_key("1", key);
        node
    }

    /// Puts a key among those of this node, whole or not at all.
    pub fn put_key(&self, file: &str, key: &str) {
        let (keys, hidden) = (self.directory.join("keys"), self.directory.join(format!("keys/.{file}")));
        fs::write(&hidden, key).unwrap();
        fs::rename(hidden, keys.join(file)).unwrap();
    }

    /// Writes the configuration anew; `peers` is everybody who is listed, and `settings` are further lines below that key.
    pub fn configure(&self, network: &Network, peers: usize, settings: &str) {
        let listed = (1..=peers).map(|peer| {
            let (name, address) = (name(peer), network.agent(peer));
            format!("      - {{name: {name}, address: \"{address}\"}}\n")
        });
        let listed: String = listed.collect();
        let name = name(self.number);
        let directory = self.directory.display();
        let host = network.host(self.number).map(|host| format!(", host_address: {host}")).unwrap_or_default();
        let text = format!(
            "cluster: {CLUSTER}\nnode: {{name: {name}{host}}}\n\
             peers:\n{settings}  discovery:\n    static:\n{listed}\
             authentication: {{keys: {directory}/keys}}\n\
             state: {{directory: {directory}/state}}\n\
             audit: {{path: {directory}/events.log}}\n"
        );
        fs::write(self.configuration(), text).unwrap();
    }

    /// Adds lines to its configuration.
    pub fn configure_further(&self, lines: &str) {
        let before = fs::read_to_string(self.configuration()).unwrap();
        fs::write(self.configuration(), before + lines).unwrap();
    }

    /// Its disk is gone.
    pub fn lose_state(&self) {
        fs::remove_dir_all(self.directory.join("state")).unwrap();
    }

    /// Starts its agent, which must not run.
    pub fn start(&mut self, network: &Network, words: &Words) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.arg("run").arg("--config").arg(self.configuration());
        self.start_as(command, network, words);
    }

    /// Starts its agent by a command of the caller's, which ends when the agent does.
    pub fn start_as(&mut self, mut command: Command, network: &Network, words: &Words) {
        assert!(self.running.is_none(), "{} runs already", name(self.number));
        let diagnostics = File::options().append(true).create(true).open(self.diagnostics()).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(diagnostics);
        let mut child = network.within(self.number, || command.spawn().unwrap());
        words.listen(self.number, child.stdout.take().unwrap());
        self.running = Some(child);
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn process(&self) -> u32 {
        self.running.as_ref().expect("an agent that runs").id()
    }

    pub fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.process()).unwrap();
        kill(Pid::from_raw(process), signal).unwrap();
    }

    /// Waits until the agent has ended. Returns its exit code; none if a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        let mut child = self.running.take().expect("an agent that runs");
        child.wait().unwrap().code()
    }

    /// Everything it said to standard error.
    pub fn told(&self) -> String {
        fs::read_to_string(self.diagnostics()).unwrap_or_default()
    }

    /// Its own directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn configuration(&self) -> PathBuf {
        self.directory.join("netsplit.yaml")
    }

    fn diagnostics(&self) -> PathBuf {
        self.directory.join("diagnostics")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The name of the node of this number.
pub fn name(number: usize) -> String {
    format!("node-{number}")
}
