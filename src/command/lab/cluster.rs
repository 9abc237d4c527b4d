//! Real agents in one process: each on a loopback address of its own, with real sockets and an HTTP server, authenticated
//! by a key that was made for the occasion, behind one [`Cut`], and with an audit log.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use netsplit::agent::{Agent, AgentHandle, EventSink, Record, Setup};
use netsplit::audit::{self, Files};
use netsplit::clock::Clock;
use netsplit::detector::settings::{Member, ModePolicy, Settings, Timing};
use netsplit::detector::view::View;
use netsplit::discovery::Discovery;
use netsplit::http::{Server, Serving};
use netsplit::metrics::Exporter;
use netsplit::network::{Cut, FaultyNetwork, SourcePorts, UdpNetwork};
use netsplit::sources::Sources;
use netsplit::wire::{GoodbyeReason, KEY_SIZE, Key, Keys};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::logs::Logs;

/// Records that wait for the narrator, who looks twenty times a second. 50 agents write some hundreds at once.
const QUEUE: usize = 65_536;

/// How long the end waits for goodbyes, which take a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(1);

const ZONES: [&str; 4] = ["east", "west", "north", "south"];

/// The agents, and the cut between them.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) cut: Cut,
    pub(super) clock: Clock,
    pub(super) timing: Timing,
    pub(super) logs: Logs,
    records: mpsc::Receiver<Record>,
    agents: JoinSet<()>,
}

/// One agent, from outside.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) http_address: SocketAddr,
    /// Which side of the cut it will be on.
    pub(super) side: usize,
    handle: AgentHandle,
    audit: audit::Readers,
    exporter: Exporter,
    /// Serves as long as the node is there.
    _serving: Serving,
}

impl Node {
    /// What it knows now.
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.handle.view().borrow())
    }

    /// What a scrape of it brings now.
    pub(super) fn metrics(&self) -> String {
        String::from_utf8_lossy(&self.exporter.render().1).into_owned()
    }

    /// Whether all that it told is on the disk.
    pub(super) fn has_written(&self) -> bool {
        self.audit.counters.queued() == 0
    }
}

impl Cluster {
    /// Starts one agent for each name, in the sides that are given. To be called within a `LocalSet`.
    pub(super) fn start(sides: &[Vec<String>], timing: Timing) -> anyhow::Result<Self> {
        let (clock, keys, logs) = (Clock::start(), fresh_keys()?, Logs::create()?);
        let named = sides.iter().enumerate().flat_map(|(side, names)| names.iter().map(move |name| (name, side)));
        let bound = (1..).zip(named).map(|(last, (name, side))| Bound::new(last, name, side));
        let bound = bound.collect::<anyhow::Result<Vec<_>>>()?;
        // Where the HTTP servers are they tell each other.
        let listed = |bound: &Bound| Member { http_port: None, ..bound.member.clone() };
        let roster: Vec<Member> = bound.iter().map(listed).collect();
        let cut = Cut::between(bound.iter().map(|bound| (bound.member.address.ip(), bound.side)));
        let (sender, records) = mpsc::channel(QUEUE);
        let (mut nodes, mut agents) = (Vec::new(), JoinSet::new());
        for Bound { member, network, server, side } in bound {
            let (name, address, http_address) = (member.name.clone(), member.address, server.local_address());
            // A log that is still being written when its agent has gone ends with the lab.
            let (log, audit, _closing) =
                audit::start_on(Files::at(logs.path(&name)), io::sink(), &logs.settings(&name), clock)?;
            let network = FaultyNetwork::new(network, address.ip(), cut.clone());
            let discovery = Discovery::fixed(roster.clone(), clock);
            let setup = Setup::without_state(settings(member, timing), discovery, keys.clone());
            let (agent, handle) = Agent::new(setup, network, clock, both(log, sender.clone()))?;
            agents.spawn_local(agent.run());
            let sources = Sources { audit: Some(audit.clone()), ..Sources::of(&handle, clock) };
            let exporter = Exporter::new(sources.clone());
            let serving = server.start(sources)?;
            nodes.push(Node { name, address, http_address, side, handle, audit, exporter, _serving: serving });
        }
        Ok(Self { nodes, cut, clock, timing, logs, records, agents })
    }

    /// What the agents have written since this was asked last.
    ///
    /// # Errors
    /// An agent has ended, which none does by itself.
    pub(super) fn records(&mut self) -> anyhow::Result<Vec<Record>> {
        if let Some(ended) = self.agents.try_join_next() {
            ended.context("an agent failed: this is a fault in netsplit, please report it")?;
            anyhow::bail!("an agent ended by itself: this is a fault in netsplit, please report it");
        }
        Ok(std::iter::from_fn(|| self.records.try_recv().ok()).collect())
    }

    /// Lets all agents say goodbye. Whoever has not done so after a second ends without.
    pub(super) async fn stop(mut self) {
        for node in &self.nodes {
            node.handle.stop(GoodbyeReason::Stopped);
        }
        let all = async { while self.agents.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

/// An agent to be: its socket is there, and so its address is known, of which the roster is made.
struct Bound {
    member: Member,
    network: UdpNetwork,
    server: Server,
    side: usize,
}

impl Bound {
    fn new(last: u8, name: &str, side: usize) -> anyhow::Result<Self> {
        let own = Ipv4Addr::new(127, 0, 0, last);
        let network = UdpNetwork::bind((own, 0).into(), SourcePorts::default())?;
        let server = Server::bind((own, 0).into())?;
        let zone = ZONES.get(side).copied().unwrap_or_default().to_owned();
        let http_port = Some(server.local_address().port());
        let member = Member { http_port, ..Member::new(name, zone, network.local_address()) };
        Ok(Self { member, network, server, side })
    }
}

/// Writes records into the log, and hands them to the narrator, who would miss only what does not fit.
fn both(mut log: audit::Sink, narrator: mpsc::Sender<Record>) -> impl EventSink {
    move |record: Record| {
        log.accept(record.clone());
        drop(narrator.try_send(record));
    }
}

fn settings(node: Member, timing: Timing) -> Settings {
    Settings {
        cluster: "lab".to_owned(),
        node,
        timing: timing.into(),
        mode: ModePolicy::default(),
        endpoints: Vec::new(),
    }
}

fn fresh_keys() -> anyhow::Result<Keys> {
    let mut bytes = [0; KEY_SIZE];
    SystemRandom::new().fill(&mut bytes).ok().context("the system gave no randomness for a key")?;
    Keys::oldest_first(vec![Key::new(&bytes)]).context("one key is no key")
}
