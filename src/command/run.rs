//! `netsplit run`: the agent.

use std::io;
use std::path::PathBuf;
use std::pin::pin;

use clap::Args;
use netsplit::agent::{Agent, AgentHandle, Setup};
use netsplit::clock::Clock;
use netsplit::config::{self, Authentication, Config, Environment, Human, Loaded};
use netsplit::discovery::{Discovery, DnsList, Families, Pace};
use netsplit::event_lines;
use netsplit::http::{Server, Serving};
use netsplit::key_watch::{self, KeyWatch};
use netsplit::keys::{KeysError, read_directory};
use netsplit::network::UdpNetwork;
use netsplit::sources::Sources;
use netsplit::state::{self, Directory, Memory, Opened, Whose};
use netsplit::wire::{GoodbyeReason, Keys};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, diagnostics};

const EXAMPLES: &str = "\
Example:
  NODE_NAME=node-1 netsplit run --config /etc/netsplit/netsplit.yaml

Events go to standard output, one JSON object a line; diagnostics to standard error (RUST_LOG=debug says
more). SIGTERM and SIGINT say goodbye to the peers and end it; a second one ends it at once. SIGHUP reads the
keys again, which happens every five seconds anyway.";

/// Run the agent of this node.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Runs until told to stop.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let Loaded { config, warnings } = config::read(&arguments.config, &Environment::of_process())?;
    diagnostics::start("info");
    for problem in warnings {
        let line = problem.place.as_ref().map(|place| place.line);
        tracing::warn!(file = problem.file, line, hint = problem.hint, "{}", problem.message);
    }
    let keys = keys_of(&config.authentication)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(config, keys))
}

fn keys_of(authentication: &Authentication) -> Result<Keys, KeysError> {
    match authentication {
        Authentication::Keys(directory) => read_directory(directory),
        // Loading has warned of it.
        Authentication::Insecure => Ok(Keys::insecure()),
    }
}

async fn serve(config: Config, keys: Keys) -> anyhow::Result<Exit> {
    let mut signals = Signals::catch()?;
    let network = UdpNetwork::bind(config.listen, config.source_ports)?;
    let server = Server::bind(config.http_listen)?;
    announce(&config, &network, &server);
    let (lines, writing) = event_lines::start(io::stdout())?;
    let clock = Clock::start();
    let Opened { saved, incarnation, keeper, closing, .. } = open_state(&config, clock)?;
    let memory = Memory { saved, incarnation: Some(incarnation), keeper: Some(keeper) };
    let discovery = discovery(config.discovery, &network, clock);
    let setup = Setup { settings: config.settings, discovery, keys: keys.clone(), memory };
    let (agent, handle) = Agent::new(setup, network, clock, lines)?;
    let serving = server.start(Sources::of(&handle, clock))?;
    let key_watch = watch_keys(config.authentication, keys, handle.clone())?;
    {
        let mut agent = pin!(agent.run());
        tokio::select! {
            () = &mut agent => {}
            () = watch(serving) => {}
            () = signals.end(key_watch.as_ref()) => {
                handle.stop(GoodbyeReason::Stopped);
                tokio::select! {
                    () = &mut agent => {}
                    () = signals.end(None) => {
                        tracing::warn!("a second signal: ending at once, though not every peer was told");
                        return Ok(Exit::Fine);
                    }
                }
            }
        }
    }
    writing.finish();
    closing.finish();
    tracing::info!("stopped");
    Ok(Exit::Fine)
}

/// Never ends: without its HTTP server the agent goes on, and the kubelet notices.
async fn watch(mut serving: Serving) {
    serving.ended().await;
    tracing::error!("the HTTP server ended: this is a fault in netsplit, please report it, and restart the agent");
    std::future::pending::<()>().await;
}

fn discovery(chosen: config::Discovery, network: &UdpNetwork, clock: Clock) -> Discovery {
    match chosen {
        config::Discovery::Static(list) => Discovery::fixed(list, clock),
        config::Discovery::Dns(settings) => {
            let families = Families::reached_from(network.local_address());
            Discovery::start(DnsList::new(settings, families), Pace::default(), clock)
        }
    }
}

fn open_state(config: &Config, clock: Clock) -> Result<Opened, state::StateError> {
    let directory = &config.state_directory;
    let whose = Whose { cluster: config.settings.cluster.clone(), node: config.settings.node.name.clone() };
    state::open(Directory::at(directory), &directory.display().to_string(), whose, clock)
}

/// None without keys: then there is nothing to watch.
fn watch_keys(authentication: Authentication, keys: Keys, agent: AgentHandle) -> io::Result<Option<KeyWatch>> {
    match authentication {
        Authentication::Keys(directory) => key_watch::start(directory, keys, agent).map(Some),
        Authentication::Insecure => Ok(None),
    }
}

fn announce(config: &Config, network: &UdpNetwork, server: &Server) {
    let (listed, looked_up) = match &config.discovery {
        config::Discovery::Static(list) => (Some(list.len()), None),
        config::Discovery::Dns(settings) => (None, Some(settings.name.as_str())),
    };
    let timing = config.settings.timing.at(listed.unwrap_or(1));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        cluster = config.settings.cluster,
        node = config.settings.node.name,
        listen = %network.local_address(),
        http = %server.local_address(),
        roster = listed,
        looked_up,
        period = %Human(timing.period),
        detection_bound = %Human(timing.detection_bound()),
        "the agent runs"
    );
}

/// The signals that stop it, and the one that has it look again.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on these signals do not end the process by themselves.
    fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one that stops it, and sees to the others meanwhile.
    async fn end(&mut self, keys: Option<&KeyWatch>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => keys.map_or((), KeyWatch::look),
            }
        }
    }
}
