//! `netsplit run`: the agent.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use netsplit::agent::{Agent, AgentHandle, Setup};
use netsplit::audit;
use netsplit::clock::Clock;
use netsplit::config::{self, Authentication, Config, Environment, Expose, Human, Loaded, Reloader, Reloads};
use netsplit::config_watch::{self, ConfigWatch, tell_of};
use netsplit::discovery::Families;
use netsplit::http::{Server, Serving};
use netsplit::key_watch::{self, KeyWatch};
use netsplit::keys::{KeysError, oddities, read_directory};
use netsplit::network::UdpNetwork;
use netsplit::orders::{self, Orders, OrdersWatch};
use netsplit::probe::prober::Prober;
use netsplit::sources::Sources;
use netsplit::state::{self, Directory, Memory, Opened, Whose};
use netsplit::wire::{GoodbyeReason, Keys};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::reload::{Parts, start_discovery, targets_of};
use super::{Exit, diagnostics};

const EXAMPLES: &str = "\
Example:
  NODE_NAME=node-1 netsplit run --config /etc/netsplit/netsplit.yaml

Events go to standard output, one JSON object a line; diagnostics to standard error (RUST_LOG=debug says
more). SIGTERM and SIGINT say goodbye to the peers and end it; a second one ends it at once. SIGHUP reads the
configuration and the keys again, which happens every five seconds anyway.";

/// How long the HTTP server goes on after the last event was shown.
const FAREWELL: Duration = Duration::from_millis(100);

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
    let environment = Environment::of_process();
    let file = File { text: config::text_of(&arguments.config)?, path: arguments.config.clone(), environment };
    let Loaded { config, warnings } = config::load(&file.path.display().to_string(), &file.text, &file.environment)?;
    let diagnostics = diagnostics::start_apart("info")?;
    warnings.iter().for_each(tell_of);
    let exit = run_with(file, config);
    diagnostics.finish();
    exit
}

fn run_with(file: File, config: Config) -> anyhow::Result<Exit> {
    let keys = keys_of(&config.authentication)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(serve(file, config, keys));
    // Whoever reads from a disk that hangs, or looks a name up, is not waited for.
    runtime.shutdown_background();
    exit
}

/// The configuration file as it was at the start, and what its variables are.
struct File {
    path: PathBuf,
    text: String,
    environment: Environment,
}

fn keys_of(authentication: &Authentication) -> Result<Keys, KeysError> {
    match authentication {
        Authentication::Keys(directory) => {
            let keys = read_directory(directory)?;
            // Should the second look fail, the directory is changing: whoever watches it finds out.
            for odd in oddities(directory).unwrap_or_default() {
                tracing::warn!("{odd}");
            }
            Ok(keys)
        }
        // Loading has warned of it.
        Authentication::Insecure => Ok(Keys::insecure()),
    }
}

async fn serve(file: File, config: Config, keys: Keys) -> anyhow::Result<Exit> {
    let mut signals = Signals::catch()?;
    let network = UdpNetwork::bind(config.listen, config.source_ports)?;
    let server = Server::bind(config.http_listen)?;
    announce(&config, &network, &server);
    let clock = Clock::start();
    let (log, log_readers, log_closing) = audit::start(&config.audit, clock)?;
    let Opened { saved, incarnation, keeper, closing, .. } = open_state(&config, clock)?;
    let memory = Memory { saved, incarnation: Some(incarnation), keeper: Some(keeper) };
    let families = Families::reached_from(network.local_address()).preferring(config.pod_address);
    let (discovery, switch) = start_discovery(config.discovery.clone(), families, clock);
    let (prober, prober_closing) = Prober::start(targets_of(&config), clock)?;
    let probes = prober.desk();
    let setup =
        Setup { settings: config.settings.clone(), discovery, keys: keys.clone(), memory, prober: Some(prober) };
    let (agent, handle) = Agent::new(setup, network, clock, log)?;
    let mut sources = Sources::of(&handle, clock);
    sources.audit = Some(log_readers.clone());
    sources.probes = Some(Arc::clone(&probes));
    let kafka_consumer_lag = Arc::new(AtomicU64::new(config.kafka_consumer_lag));
    sources.kafka_consumer_lag = Some(Arc::clone(&kafka_consumer_lag));
    let watches = {
        let orders = orders::start(Orders::of(&config.state_directory), handle.clone(), clock)?;
        let keys = watch_keys(&config.authentication, keys, handle.clone())?;
        let expose_all = Arc::clone(&sources.expose_all);
        expose_all.store(config.http_expose == Expose::All, Ordering::Relaxed);
        let reloads = Arc::new(Reloads::since(clock.wall()));
        let parts = Parts {
            agent: handle.clone(),
            discovery: switch,
            keys: keys.clone(),
            expose_all,
            audit: log_readers,
            probes,
            kafka_consumer_lag,
        };
        let config = watch_file(file, config, &reloads, clock, parts)?;
        sources.reloads = config.is_some().then_some(reloads);
        Watches { config, keys, _orders: Some(orders) }
    };
    let mut serving = server.start(sources)?;
    if Box::pin(run_until_told(agent, &handle, &mut serving, &mut signals, &watches)).await == End::AtOnce {
        tracing::warn!("a second signal: ending at once, though not every peer was told");
        return Ok(Exit::Fine);
    }
    log_closing.finish();
    closing.finish();
    prober_closing.finish();
    // Whoever follows the events by HTTP hears the last one, too.
    tokio::time::sleep(FAREWELL).await;
    tracing::info!("stopped");
    Ok(Exit::Fine)
}

/// How the agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It said goodbye.
    WithGoodbye,
    /// It was told a second time, and did not get to the end of it.
    AtOnce,
}

/// The agent is gone when this returns, and with it the end of the log that takes records.
async fn run_until_told(
    agent: Agent<UdpNetwork>,
    handle: &AgentHandle,
    serving: &mut Serving,
    signals: &mut Signals,
    watches: &Watches,
) -> End {
    let mut agent = pin!(agent.run());
    tokio::select! {
        () = &mut agent => return End::WithGoodbye,
        () = watch(serving) => {}
        () = signals.end(watches) => {}
    }
    handle.stop(GoodbyeReason::Stopped);
    let nothing = Watches::default();
    tokio::select! {
        () = &mut agent => End::WithGoodbye,
        () = signals.end(&nothing) => End::AtOnce,
    }
}

/// Never ends: without its HTTP server the agent goes on, and the kubelet notices.
async fn watch(serving: &mut Serving) {
    serving.ended().await;
    tracing::error!("the HTTP server ended: this is a fault in netsplit, please report it, and restart the agent");
    std::future::pending::<()>().await;
}

fn open_state(config: &Config, clock: Clock) -> Result<Opened, state::StateError> {
    let directory = &config.state_directory;
    let whose = Whose { cluster: config.settings.cluster.clone(), node: config.settings.node.name.clone() };
    state::open(Directory::at(directory), &directory.display().to_string(), whose, clock)
}

/// None without keys: then there is nothing to watch.
fn watch_keys(authentication: &Authentication, keys: Keys, agent: AgentHandle) -> io::Result<Option<KeyWatch>> {
    match authentication {
        Authentication::Keys(directory) => key_watch::start(directory.clone(), keys, agent).map(Some),
        Authentication::Insecure => Ok(None),
    }
}

/// None where the configuration came through a pipe or the like: it cannot be read a second time.
fn watch_file(
    file: File,
    config: Config,
    reloads: &Arc<Reloads>,
    clock: Clock,
    parts: Parts,
) -> io::Result<Option<ConfigWatch>> {
    let File { path, text, environment } = file;
    if fs::metadata(&path).is_ok_and(|about| !about.is_file()) {
        tracing::info!(file = %path.display(), "the configuration is no regular file: it is not read again");
        return Ok(None);
    }
    let reloader = Reloader::new(path, environment, config);
    config_watch::start(reloader, text, Arc::clone(reloads), clock, move |change| parts.take(change)).map(Some)
}

fn announce(config: &Config, network: &UdpNetwork, server: &Server) {
    let (listed, looked_up) = match &config.discovery {
        config::Discovery::Static(list) => (Some(list.len()), None),
        config::Discovery::Dns(settings) => (None, Some(settings.name.as_str())),
        config::Discovery::Kubernetes(settings) => (None, Some(settings.service.as_str())),
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

/// What SIGHUP has looked at again.
#[derive(Default)]
struct Watches {
    config: Option<ConfigWatch>,
    keys: Option<KeyWatch>,
    _orders: Option<OrdersWatch>,
}

impl Watches {
    fn look(&self) {
        self.config.iter().for_each(ConfigWatch::look);
        self.keys.iter().for_each(KeyWatch::look);
    }
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
    async fn end(&mut self, watches: &Watches) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => watches.look(),
            }
        }
    }
}
