//! A real cluster of RabbitMQ on loopback, whose nodes a test stops in their tracks to part them. It brings its own epmd.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::group::Group;
use super::process::{free_address, listens, until};

/// A user that may look, and its password.
pub(crate) const USER: &str = "probe";
pub(crate) const PASSWORD: &str = "correct horse";

/// Debian's programs without the wrapper that insists on the user `rabbitmq`.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A cluster. It ends when this is dropped.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) password_file: PathBuf,
    _epmd: Group,
    directory: TempDir,
}

/// A node of it.
pub(crate) struct Node {
    /// Where its management API is.
    pub(crate) management: SocketAddr,
    place: PathBuf,
    server: Group,
}

/// What a node is given before it starts.
struct Plan {
    name: String,
    amqp: SocketAddr,
    management: SocketAddr,
    distribution: SocketAddr,
    names: SocketAddr,
    place: PathBuf,
}

/// A cluster of so many nodes that goes on when it is partitioned, and notices within seconds; with more lines in its
/// `rabbitmq.conf`. None if there is no RabbitMQ here.
pub(crate) fn cluster(size: usize, more: &str) -> Option<Cluster> {
    if !Path::new(PROGRAMS).join("rabbitmq-server").exists() {
        crate::needs::skip("RabbitMQ is missing: make install-test-needs");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let password_file = directory.path().join("password");
    fs::write(&password_file, PASSWORD).unwrap();
    let names = free_address();
    let port = names.port().to_string();
    let epmd = Group::start(
        Command::new("epmd").args(["-port", &port, "-address", "127.0.0.1"]).stderr(Stdio::null()),
        directory.path(),
    );
    until("epmd", || listens(names));
    let plans: Vec<Plan> = (0..size).map(|at| Plan::of(at, names, directory.path())).collect();
    let members: String = plans.iter().enumerate().fold(String::new(), |mut text, (at, plan)| {
        writeln!(text, "cluster_formation.classic_config.nodes.{} = {}", at + 1, plan.name).unwrap();
        text
    });
    let nodes: Vec<Node> = plans.iter().map(|plan| plan.start(&format!("{members}{more}"))).collect();
    until("a broker that is ready", || nodes.iter().all(|node| node.log().contains("Server startup complete")));
    Some(Cluster { nodes, password_file, _epmd: epmd, directory })
}

impl Plan {
    fn of(at: usize, names: SocketAddr, directory: &Path) -> Self {
        let (amqp, management, distribution) = (free_address(), free_address(), free_address());
        let place = directory.join(at.to_string());
        fs::create_dir(&place).unwrap();
        Self { name: format!("n{}@localhost", amqp.port()), amqp, management, distribution, names, place }
    }

    fn start(&self, more: &str) -> Node {
        let Self { name, amqp, management, distribution, names, place } = self;
        let settings = format!(
            "listeners.tcp.default = {amqp}\nmanagement.tcp.ip = {}\nmanagement.tcp.port = {}\n\
             default_user = {USER}\ndefault_pass = {PASSWORD}\n\
             log.console = true\nlog.console.level = info\nlog.file = false\n\
             cluster_partition_handling = ignore\n\
             cluster_formation.peer_discovery_backend = classic_config\n{more}\n",
            Ipv4Addr::LOCALHOST,
            management.port()
        );
        fs::write(place.join("rabbitmq.conf"), settings).unwrap();
        fs::write(place.join("plugins"), "[rabbitmq_management].\n").unwrap();
        let mut command = Command::new(Path::new(PROGRAMS).join("rabbitmq-server"));
        // All of them share the cookie of their home.
        command
            .current_dir(place)
            .env("HOME", place.parent().unwrap())
            .env("ERL_EPMD_PORT", names.port().to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", place.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", place.join("plugins"))
            .env("RABBITMQ_MNESIA_BASE", place.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", place.join("log"))
            .env("RABBITMQ_PID_FILE", place.join("pid"))
            .env("RABBITMQ_NODENAME", name)
            .env("RABBITMQ_DIST_PORT", distribution.port().to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} -kernel net_ticktime 4",
            )
            .stdout(File::create(place.join("output")).unwrap())
            .stderr(Stdio::null());
        Node { management: *management, place: place.clone(), server: Group::start(&mut command, place) }
    }
}

impl Node {
    /// What it has said.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.place.join("output")).unwrap()).into_owned()
    }

    /// Stops it in its tracks.
    pub(crate) fn freeze(&self) {
        self.server.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.server.signal(Signal::SIGCONT);
    }

    /// Ends it.
    pub(crate) fn kill(&mut self) {
        self.server.end();
        // What was started with it goes a little later.
        until("a port that nobody has", || !listens(self.management));
    }
}

impl Cluster {
    /// A file in which stands another password.
    pub(crate) fn wrong_password_file(&self) -> PathBuf {
        let file = self.directory.path().join("wrong");
        fs::write(&file, "battery staple").unwrap();
        file
    }
}
