//! A real RabbitMQ on loopback, with its management API, for tests. It brings its own epmd: nothing of the machine's is used.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use netsplit::probe::Tls;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::faults::{Certificates, Shows};
use super::group::{Group, free_port, output_of};

/// The name of the user, an administrator.
pub(crate) const USER: &str = "probe";

/// Its password.
pub(crate) const PASSWORD: &str = "correct horse";

/// Debian's programs without the wrapper that insists on the user `rabbitmq`.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// How often it is looked whether what is waited for is there, and how often at the most: two minutes in all. A broker takes
/// five seconds to start on an idle machine.
const PAUSE: Duration = Duration::from_millis(50);
const LOOKS: usize = 2400;

/// What it says once everything listens.
const READY: &str = "Server startup complete";

/// A broker. It ends when this is dropped.
pub(crate) struct Rabbitmq {
    /// Where AMQP is spoken.
    pub(crate) amqp: SocketAddr,
    /// Where AMQP is spoken over TLS.
    pub(crate) amqps: SocketAddr,
    /// Where the management API is.
    pub(crate) management: SocketAddr,
    /// The name of its node.
    pub(crate) node: String,
    directory: TempDir,
    names: u16,
    server: Group,
    _epmd: Group,
}

impl Rabbitmq {
    /// A broker of one's own that also speaks TLS and shows this certificate; `None` if there is no RabbitMQ, which only
    /// counts where skipping is allowed.
    pub(crate) fn start(shows: Shows) -> Option<Self> {
        if !Path::new(PROGRAMS).join("rabbitmq-server").exists() {
            crate::needs::skip("RabbitMQ is missing: make install-test-needs");
            return None;
        }
        let certificates = Certificates::make();
        // Somebody else may take a port between our looking and its binding.
        let started = (0..3).find_map(|_| Self::try_start(&certificates, shows));
        Some(started.expect("RabbitMQ started on none of three choices of ports"))
    }

    /// A broker that all tests share; it ends with the program. It is not to be changed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Rabbitmq>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Shows::Good)).as_ref()
    }

    /// A broker that the tests use one after the other, each alone: they look into its log, or end it. It shows a
    /// certificate whose time is over.
    pub(crate) fn alone() -> Option<Alone> {
        static ALONE: Mutex<Option<Rabbitmq>> = Mutex::new(None);
        let mut alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        if alone.as_mut().is_none_or(|broker| broker.server.ended().is_some()) {
            *alone = Some(Self::start(Shows::Expired)?);
        }
        Some(Alone(alone))
    }

    fn try_start(certificates: &Certificates, shows: Shows) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        fs::copy(certificates.authority_file(), place.join("authority.pem")).unwrap();
        fs::copy(certificates.certificate(shows), place.join("certificate.pem")).unwrap();
        fs::copy(certificates.key(shows), place.join("key.pem")).unwrap();
        let [amqp, amqps, management, names, distribution] = [(); 5].map(|()| free_port());
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        write_settings(place, local(amqp), local(amqps), local(management));
        let epmd = start_names(names, place);
        let node = format!("netsplit{amqp}@localhost");
        let mut command = command("rabbitmq-server", place, names, &node);
        command.env("RABBITMQ_DIST_PORT", distribution.to_string());
        command.stdout(fs::File::create(place.join("output")).unwrap());
        let server = Group::start(command.stderr(Stdio::null()), place);
        let (amqp, amqps, management) = (local(amqp), local(amqps), local(management));
        let mut broker = Self { amqp, amqps, management, node, directory, names, server, _epmd: epmd };
        broker.is_ready().then_some(broker)
    }

    fn is_ready(&mut self) -> bool {
        // It may have ended instead.
        let is_over = |broker: &mut Self| broker.log().contains(READY) || broker.server.ended().is_some();
        let is_ready = becomes(|| is_over(self)) && self.log().contains(READY);
        if !is_ready {
            eprintln!("{}", self.log());
        }
        is_ready
    }

    /// All that it has logged, from level info.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("output")).unwrap()).into_owned()
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// How a probe trusts who signed its certificate.
    pub(crate) fn trust(&self) -> Tls {
        Tls { ca_file: Some(self.directory.path().join("authority.pem")), ..Tls::default() }
    }

    /// What `rabbitmqctl` says.
    pub(crate) fn control(&self, arguments: &[&str]) -> String {
        let mut command = command("rabbitmqctl", self.directory.path(), self.names, &self.node);
        output_of(command.arg("--quiet").args(arguments))
    }

    /// The file with the password, and its name's.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.directory.path().join("password")
    }

    /// From now on it is hung: the kernel accepts, nobody answers.
    pub(crate) fn hang(&self) {
        self.server.signal(Signal::SIGSTOP);
    }

    /// It goes on.
    pub(crate) fn go_on(&self) {
        self.server.signal(Signal::SIGCONT);
    }

    /// It is gone, once this returns. Of its processes only the first can be waited for, and it is not the one that listens.
    pub(crate) fn kill(&mut self) {
        self.server.end();
        assert!(becomes(|| TcpStream::connect(self.amqp).is_err()), "the broker outlives its end");
    }
}

/// A broker that nobody else uses meanwhile.
pub(crate) struct Alone(MutexGuard<'static, Option<Rabbitmq>>);

impl Deref for Alone {
    type Target = Rabbitmq;

    fn deref(&self) -> &Rabbitmq {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut Rabbitmq {
        self.0.as_mut().unwrap()
    }
}

/// Waits for what must come; false if it does not.
pub(crate) fn becomes(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..LOOKS {
        if is_so() {
            return true;
        }
        thread::park_timeout(PAUSE);
    }
    false
}

/// The name server of Erlang's nodes. Where none runs, the broker would start one that outlives it.
fn start_names(port: u16, directory: &Path) -> Group {
    let mut command = Command::new("epmd");
    command.args(["-port", &port.to_string(), "-address", "127.0.0.1"]);
    let mut epmd = Group::start(command.stdout(Stdio::null()).stderr(Stdio::null()), directory);
    let is_there = becomes(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() || epmd.ended().is_some());
    assert!(is_there && epmd.ended().is_none(), "epmd did not start");
    epmd
}

fn write_settings(directory: &Path, amqp: SocketAddr, amqps: SocketAddr, management: SocketAddr) {
    let settings = format!(
        "listeners.tcp.default = {amqp}\n\
         listeners.ssl.default = {amqps}\n\
         ssl_options.cacertfile = {place}/authority.pem\n\
         ssl_options.certfile = {place}/certificate.pem\n\
         ssl_options.keyfile = {place}/key.pem\n\
         ssl_options.verify = verify_none\n\
         management.tcp.ip = {}\n\
         management.tcp.port = {}\n\
         default_user = {USER}\n\
         default_pass = {PASSWORD}\n\
         log.console = true\n\
         log.console.level = info\n\
         log.file = false\n",
        management.ip(),
        management.port(),
        place = directory.display(),
    );
    fs::write(directory.join("rabbitmq.conf"), settings).unwrap();
    fs::write(directory.join("plugins"), "[rabbitmq_management].\n").unwrap();
    fs::write(directory.join("password"), format!("{PASSWORD}\n")).unwrap();
}

/// A program of RabbitMQ's, with everything that it would look for elsewhere in its own directory.
fn command(program: &str, directory: &Path, names: u16, node: &str) -> Command {
    let mut command = Command::new(Path::new(PROGRAMS).join(program));
    command
        .current_dir(directory)
        .env("HOME", directory)
        .env("ERL_EPMD_PORT", names.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_CONFIG_FILE", directory.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("plugins"))
        .env("RABBITMQ_MNESIA_BASE", directory.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", directory.join("log"))
        .env("RABBITMQ_PID_FILE", directory.join("pid"))
        .env("RABBITMQ_NODENAME", node)
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
    command
}
