//! What a case does to a cluster, and how it listens to it.
//!
//! What is said is read by chapters: a case begins one where it changes something, and then sees what was said since.
//! It waits for what must be said; only for what must *not* be said does it wait for a time.

use std::ops::RangeInclusive;
use std::process::Command;
use std::time::Duration;

use netsplit::detector::settings::Timing;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::agent::{Node, name};
use super::network::{Family, Network, Way};
use super::words::{Word, Words};
use super::{self as laboratory, Laboratory};

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Cluster {
    // Dropped in this order: agents before the network that they run in.
    nodes: Vec<Node>,
    pub network: Network,
    pub words: Words,
    /// Of all nodes; it goes when the cluster goes.
    _directory: TempDir,
    chapter: usize,
    /// Nodes that were stopped on purpose, and may say that they stalled.
    stopped: Vec<usize>,
}

impl Cluster {
    /// Nodes 1 to `nodes`, on which no agent runs yet. Behind them is a [stranger](Self::stranger).
    pub fn of(turn: &Laboratory, nodes: usize, family: Family) -> Self {
        let network = Network::of(turn, nodes + 1, family);
        let (directory, key) = (laboratory::directory(), new_key());
        let of = |number| Node::new(number, directory.path(), &key);
        let nodes: Vec<Node> = (1..=nodes).map(of).collect();
        for node in &nodes {
            node.configure(&network, nodes.len(), "");
        }
        Self { nodes, network, words: Words::new(), _directory: directory, chapter: 0, stopped: Vec::new() }
    }

    /// A node that is in nobody's list and has no agent.
    pub fn stranger(&self) -> usize {
        self.nodes.len() + 1
    }

    /// The numbers of the nodes.
    pub fn all(&self) -> RangeInclusive<usize> {
        1..=self.nodes.len()
    }

    pub fn node(&self, node: usize) -> &Node {
        &self.nodes[node - 1]
    }

    pub fn start(&mut self, node: usize) {
        self.nodes[node - 1].start(&self.network, &self.words);
    }

    /// Starts an agent by a command of the caller's, which ends when the agent does.
    pub fn start_as(&mut self, node: usize, command: Command) {
        self.nodes[node - 1].start_as(command, &self.network, &self.words);
    }

    pub fn start_all(&mut self) {
        self.all().for_each(|node| self.start(node));
    }

    /// Gives all agents, none of which runs yet, further settings below `peers`: lines with their indentation.
    pub fn set(&self, settings: &str) {
        self.nodes.iter().for_each(|node| node.configure(&self.network, self.nodes.len(), settings));
    }

    /// Gives all agents, none of which runs yet, further lines at the end of their configuration.
    pub fn configure_further(&self, lines: &str) {
        self.nodes.iter().for_each(|node| node.configure_further(lines));
    }

    /// Starts all agents, waits until they are normal, and begins a chapter.
    pub fn settle(&mut self) {
        self.start_all();
        self.settled();
    }

    /// Waits until all agents, which run, are normal, and begins a chapter.
    pub fn settled(&mut self) {
        self.wait_for_normal();
        self.all().for_each(|node| assert!(self.verdicts_of(node).is_empty(), "at the start: {}", self.said(node)));
        self.begin_chapter();
    }

    /// Ends an agent without a word, as a crash does.
    pub fn kill9(&mut self, node: usize) {
        self.node(node).signal(Signal::SIGKILL);
        assert_eq!(self.nodes[node - 1].ended(), None, "node-{node} was killed");
    }

    /// Ends an agent politely.
    pub fn terminate(&mut self, node: usize) {
        self.node(node).signal(Signal::SIGTERM);
        assert_eq!(self.nodes[node - 1].ended(), Some(0), "node-{node} ends in order");
    }

    /// Lets an agent do nothing until [`Self::sigcont`].
    pub fn sigstop(&mut self, node: usize) {
        self.stopped.push(node);
        self.node(node).signal(Signal::SIGSTOP);
    }

    pub fn sigcont(&mut self, node: usize) {
        self.node(node).signal(Signal::SIGCONT);
    }

    /// From now on no IP passes between these sides. A chapter begins.
    pub fn cut(&mut self, sides: &[&[usize]]) {
        self.begin_chapter();
        self.network.cut(sides);
    }

    /// From now on no IP passes these ways. A chapter begins.
    pub fn sever(&mut self, ways: &[Way<'_>]) {
        self.begin_chapter();
        self.network.sever(ways);
    }

    /// From now on everything passes. A chapter begins.
    pub fn heal(&mut self) {
        self.begin_chapter();
        self.network.heal();
    }

    /// Pulls the cable of a node. A chapter begins.
    pub fn silence_host(&mut self, node: usize) {
        self.begin_chapter();
        self.network.plug(node, false);
    }

    /// Plugs it in again. A chapter begins.
    pub fn return_host(&mut self, node: usize) {
        self.begin_chapter();
        self.network.plug(node, true);
    }

    pub fn begin_chapter(&mut self) {
        self.chapter = self.words.all().len();
    }

    /// What a node said in this chapter.
    pub fn words_of(&self, node: usize) -> Vec<Word> {
        self.words.all()[self.chapter..].iter().filter(|word| word.node == node).cloned().collect()
    }

    /// What it said of partitions and of silent nodes.
    pub fn verdicts_of(&self, node: usize) -> Vec<Word> {
        self.words_of(node).into_iter().filter(Word::is_verdict).collect()
    }

    /// The modes that it took.
    pub fn modes_of(&self, node: usize) -> Vec<String> {
        let words = self.words_of(node).into_iter().filter(|word| word.is("mode_changed"));
        words.map(|word| word.text("to").to_owned()).collect()
    }

    /// How often it said this.
    pub fn count_of(&self, node: usize, event: &str) -> usize {
        self.words_of(node).iter().filter(|word| word.is(event)).count()
    }

    /// Waits until what a node said in this chapter makes this true.
    #[track_caller]
    pub fn wait_for(&self, node: usize, what: &str, is_so: impl Fn(&[&Word]) -> bool) {
        let came = self.words.wait(PATIENCE, |said| is_so(&of(node, &said[self.chapter..])));
        assert!(came, "waited {PATIENCE:?} until node-{node} says {what}; it said{}", self.said(node));
    }

    /// Waits until every node has said this event in this chapter.
    #[track_caller]
    pub fn wait_for_all(&self, nodes: impl IntoIterator<Item = usize>, event: &str) {
        for node in nodes {
            self.wait_for(node, event, |said| said.iter().any(|word| word.is(event)));
        }
    }

    /// Waits until the last mode that a node took, ever, is this one.
    #[track_caller]
    pub fn wait_for_mode(&self, node: usize, mode: &str) {
        let is_last = |said: &[Word]| {
            let last = said.iter().rfind(|word| word.node == node && word.is("mode_changed"));
            last.is_some_and(|word| word.text("to") == mode)
        };
        let came = self.words.wait(PATIENCE, is_last);
        assert!(came, "waited {PATIENCE:?} until node-{node} is {mode}; it said{}", self.said(node));
    }

    /// Waits until every agent that runs is normal.
    #[track_caller]
    pub fn wait_for_normal(&self) {
        for node in self.all().filter(|&node| self.node(node).is_running()) {
            self.wait_for_mode(node, "normal");
        }
    }

    /// Listens for so long, and fails as soon as somebody says something that is `wrong`.
    #[track_caller]
    pub fn hears_no(&self, what: &str, wrong: impl Fn(&Word) -> bool, time: Duration) {
        let came = self.words.wait(time, |said| said[self.chapter..].iter().any(&wrong));
        let found = || self.words.all()[self.chapter..].iter().find(|word| wrong(word)).map(Word::told);
        assert!(!came, "nobody should say {what}: {:?}", found());
    }

    /// Listens for so long, and stops early when somebody says something more of partitions, nodes or modes: then
    /// whoever checks what was said finds it.
    pub fn listen(&self, time: Duration) {
        let judges = |said: &[Word]| said.iter().filter(|word| word.is_verdict() || word.is("mode_changed")).count();
        let before = judges(&self.words.all());
        self.words.wait(time, |said| judges(said) > before);
    }

    /// Everything that a node said in this chapter, a line each.
    pub fn said(&self, node: usize) -> String {
        self.words_of(node).iter().fold(String::new(), |all, word| all + "\n  " + &word.told())
    }

    /// Whether an agent said that it stalled, other than those that were stopped on purpose.
    pub fn has_stalled(&self) -> bool {
        self.words.all().iter().any(|word| word.is("stalled") && !self.stopped.contains(&word.node))
    }

    /// Everything that anybody said, for whoever reads a failure.
    pub fn report(&self) -> String {
        let words = self.words.all().iter().fold(String::new(), |all, word| all + &word.told() + "\n");
        let told = |node: usize| format!("--- node-{node}, standard error ---\n{}", self.node(node).told());
        let told: String = self.all().map(told).collect();
        format!("--- events ---\n{words}{told}")
    }
}

/// The timing of all agents here: the default.
pub fn timing() -> Timing {
    Timing::of_period(Duration::from_secs(1))
}

/// After this much time a verdict that would be wrong has been said: one bound, and what a verdict may settle.
pub fn any_verdict() -> Duration {
    timing().detection_bound() + timing().confirm_period * 4
}

fn of(node: usize, said: &[Word]) -> Vec<&Word> {
    said.iter().filter(|word| word.node == node).collect()
}

/// A key, as an operator makes one.
pub fn new_key() -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_netsplit")).arg("keygen").output().unwrap();
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap()
}

/// The names of these nodes, in the order of the events.
pub fn names(nodes: &[usize]) -> Vec<String> {
    let mut names: Vec<String> = nodes.iter().map(|&node| name(node)).collect();
    names.sort();
    names
}
