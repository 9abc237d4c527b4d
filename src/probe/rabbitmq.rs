//! `rabbitmq`: what the management API says of the cluster.
//!
//! Three things are asked for over one connection: the version, the nodes with their partitions and alarms, and the quorum
//! queues with those of their members that run. Each is asked in the form that costs the broker least, with the columns
//! alone that are read. The user needs the tag `monitoring`, and sees the queues of those virtual hosts only that it may
//! enter. The broker writes a warning into its log for credentials that it does not take, and nothing else.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::attempt::Attempt;
use super::report::{Fact, Fault};
use super::web::{Visit, Web, quoted};
use crate::detector::outcome::Ailment;

/// How many queues are told at once, so that what is said of them fits into 64 KiB: some hundred bytes of each, and more
/// where nodes have long names.
const PAGE: u32 = 50;

/// How many pages are read: of more than a thousand queues the rest is not looked at, as a probe is no inventory.
const PAGES: u32 = 20;

/// How many of them are named to people.
const NAMED: usize = 3;

const OVERVIEW: &str = "/api/overview?columns=rabbitmq_version&disable_stats=true&enable_queue_totals=true";
const NODES: &str = "/api/nodes?columns=name,running,partitions,mem_alarm,disk_free_alarm";

/// The management API of RabbitMQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rabbitmq {
    /// Whereto, and as whom.
    pub web: Web,
}

#[derive(Debug, Deserialize)]
struct Overview {
    rabbitmq_version: String,
}

/// A node as the one that is asked sees it. Of a node that it does not reach it says little.
#[derive(Debug, Deserialize)]
struct Node {
    name: String,
    running: bool,
    #[serde(default)]
    partitions: Vec<String>,
    #[serde(default)]
    mem_alarm: bool,
    #[serde(default)]
    disk_free_alarm: bool,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Queue>,
    page_count: u32,
}

/// A queue. Those that are no quorum queues have no members.
#[derive(Debug, Deserialize)]
struct Queue {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    online: Vec<String>,
}

impl Rabbitmq {
    pub(super) async fn probe(&self, attempt: &mut Attempt) -> Result<(), Fault> {
        let mut visit = self.web.visit(attempt, false).await?;
        let found = ask(&mut visit, attempt).await;
        visit.leave(attempt).await;
        found
    }
}

async fn ask(visit: &mut Visit<'_>, attempt: &mut Attempt) -> Result<(), Fault> {
    let Overview { rabbitmq_version } = told(visit, attempt, OVERVIEW).await?;
    attempt.note("version", Fact::Word(quoted(&rabbitmq_version)));
    let nodes: Vec<Node> = told(visit, attempt, NODES).await?;
    note(&nodes, attempt);
    partitioned(&nodes)?;
    let down = all_run(&nodes);
    // Where a node has just gone silent, the broker waits for it in vain with each question about its queues.
    let time = if down.is_err() { attempt.left() / 2 } else { attempt.left() };
    match timeout(time, queues(visit, attempt)).await {
        Ok(found) => found?,
        Err(_) => return down,
    }
    down.and_then(|()| without_alarm(&nodes))
}

async fn told<T: DeserializeOwned>(visit: &mut Visit<'_>, attempt: &mut Attempt, path: &str) -> Result<T, Fault> {
    visit.get(attempt, path).await?.taken()?.json()
}

fn note(nodes: &[Node], attempt: &mut Attempt) {
    let count = |of: &dyn Fn(&Node) -> bool| {
        let found = nodes.iter().filter(|node| of(node)).count();
        Fact::Count(u64::try_from(found).unwrap_or(u64::MAX))
    };
    attempt.note("nodes", count(&|_| true));
    attempt.note("running_nodes", count(&|node| node.running));
    attempt.note("partitions", count(&|node| !node.partitions.is_empty()));
}

/// While a partition lasts, nodes of the other side show as not running: so it comes first.
fn partitioned(nodes: &[Node]) -> Result<(), Fault> {
    let apart = |node: &Node| format!("{} is cut off from {}", node.name, node.partitions.join(", "));
    let apart = nodes.iter().filter(|node| !node.partitions.is_empty()).map(apart);
    unless_empty(Ailment::Partitioned, "its cluster is partitioned", apart)
}

fn all_run(nodes: &[Node]) -> Result<(), Fault> {
    let down = nodes.iter().filter(|node| !node.running).map(|node| node.name.clone());
    unless_empty(Ailment::NodesDown, "these nodes do not run", down)
}

fn without_alarm(nodes: &[Node]) -> Result<(), Fault> {
    let memory = nodes.iter().filter(|node| node.mem_alarm).map(|node| format!("memory of {}", node.name));
    let disk = nodes.iter().filter(|node| node.disk_free_alarm).map(|node| format!("disk of {}", node.name));
    unless_empty(Ailment::Alarm, "publishers are blocked by an alarm", memory.chain(disk))
}

async fn queues(visit: &mut Visit<'_>, attempt: &mut Attempt) -> Result<(), Fault> {
    let mut lost = Vec::new();
    for number in 1..=PAGES {
        let path = format!(
            "/api/queues?page={number}&page_size={PAGE}&columns=name,type,members,online\
             &disable_stats=true&enable_queue_totals=true"
        );
        let answer = visit.get(attempt, &path).await?;
        if number > 1 && !answer.status.is_success() {
            // Queues went, and with them the last page.
            break;
        }
        let Page { items, page_count } = answer.taken()?.json()?;
        lost.extend(items.into_iter().filter(Queue::has_lost_majority).map(|queue| queue.name));
        if number >= page_count {
            break;
        }
    }
    unless_empty(Ailment::QueuesWithoutMajority, "these quorum queues have lost their majority", lost.into_iter())
}

impl Queue {
    fn has_lost_majority(&self) -> bool {
        self.kind == "quorum" && self.online.len() * 2 <= self.members.len()
    }
}

/// A fault that tells how many there are, and names the first.
fn unless_empty(ailment: Ailment, what: &str, found: impl Iterator<Item = String>) -> Result<(), Fault> {
    let all: Vec<String> = found.collect();
    if all.is_empty() {
        return Ok(());
    }
    let (count, first) = (all.len(), all.into_iter().take(NAMED).collect::<Vec<_>>().join("; "));
    let more = if count > NAMED { format!("; and {} more", count - NAMED) } else { String::new() };
    Err(Fault::unhealthy(ailment, format!("{what}: {}{more}", quoted(&first))))
}
