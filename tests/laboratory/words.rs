//! What the agents say: every line of their standard output, parsed, with the time at which it came.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::time::Now;
use serde_json::Value;

/// One line of one agent.
#[derive(Clone, Debug)]
pub struct Word {
    pub node: usize,
    pub at: Now,
    pub line: Value,
}

impl Word {
    pub fn is(&self, event: &str) -> bool {
        self.line["event"] == event
    }

    /// A field of text; empty if there is none.
    pub fn text(&self, field: &str) -> &str {
        self.line[field].as_str().unwrap_or_default()
    }

    /// The node that it is about, where it is about one.
    pub fn about(&self) -> &str {
        if self.line["peer"].is_string() { self.text("peer") } else { self.text("node") }
    }

    /// Whether it says something of partitions, or of nodes that are silent or dead.
    pub fn is_verdict(&self) -> bool {
        let told = ["partition_opened", "partition_changed", "partition_closed", "node_unheard", "node_heard"];
        told.into_iter().chain(["agent_down", "agent_up"]).any(|event| self.is(event))
    }

    /// As people read it: without what all lines have in common.
    pub fn told(&self) -> String {
        let mut line = self.line.clone();
        if let Some(fields) = line.as_object_mut() {
            for common in ["time", "hlc", "cluster", "incarnation", "seq", "prev"] {
                fields.remove(common);
            }
        }
        format!("{:8.3} node-{} {line}", self.at.since_start().as_secs_f64(), self.node)
    }
}

/// All of what was said, in the order in which it came. Its copies are the same one.
#[derive(Clone)]
pub struct Words {
    clock: Clock,
    said: Arc<(Mutex<Vec<Word>>, Condvar)>,
}

impl Words {
    pub fn new() -> Self {
        Self { clock: Clock::start(), said: Arc::default() }
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Takes down what this node says, until it ends.
    pub fn listen(&self, node: usize, from: impl Read + Send + 'static) {
        let words = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let at = words.clock.now();
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                words.all().push(Word { node, at, line });
                words.said.1.notify_all();
            }
        });
    }

    pub fn all(&self) -> MutexGuard<'_, Vec<Word>> {
        self.said.0.lock().unwrap()
    }

    /// Waits until what was said makes this true, as long as `patience`. Returns whether it came true.
    pub fn wait(&self, patience: Duration, is_so: impl Fn(&[Word]) -> bool) -> bool {
        let (words, more) = &*self.said;
        let said = words.lock().unwrap();
        let (said, _) = more.wait_timeout_while(said, patience, |said| !is_so(said)).unwrap();
        is_so(&said)
    }
}
