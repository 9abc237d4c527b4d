//! A real Kafka on loopback: one broker that is its own controller, or more that follow it. Each listens
//! for everybody, for those who log in, and twice for those who speak TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use netsplit::probe::kafka::Kafka;
use netsplit::probe::{Address, Check, Fact, Host, Tls};
use tempfile::TempDir;

use super::faults::{Certificates, LONG, Shows, probed};
use super::process::{Process, free_address, program, until};

/// The name of the user.
pub(crate) const USER: &str = "probe";

/// Its password.
pub(crate) const PASSWORD: &str = "correct horse";

/// What a broker says once it serves.
const READY: &str = "Kafka Server started";

/// Identifiers that are well-formed: of the cluster, and of a directory.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qk";
const DIRECTORY: &str = "J8aAPcfLQt2bqs1JT_rMgQ";

/// A broker that runs.
pub(crate) struct Broker {
    /// For everybody.
    pub(crate) open: SocketAddr,
    /// For those who log in.
    pub(crate) login: SocketAddr,
    /// For those who speak TLS.
    pub(crate) tls: SocketAddr,
    /// The same, showing a certificate whose time is over.
    pub(crate) expired: SocketAddr,
    /// For other brokers: the controller's, which every broker has here and only the first one serves.
    pub(crate) controller: SocketAddr,
    pub(crate) process: Process,
    directory: TempDir,
}

impl Broker {
    /// The file with the password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.directory.path().join("password")
    }

    /// How a probe trusts who signed its certificates.
    pub(crate) fn trust(&self) -> Tls {
        Tls { ca_file: Some(self.directory.path().join("authority.pem")), ..Tls::default() }
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Makes a topic with a partition on each of these brokers.
    pub(crate) fn create_topic(&self, name: &str, brokers: &[i32]) {
        let partitions = brokers.iter().zip(0_i32..).flat_map(|(broker, number)| [number, 1, *broker]);
        let partitions: Vec<u8> = partitions.flat_map(i32::to_be_bytes).collect();
        let count = i32::try_from(brokers.len()).unwrap().to_be_bytes();
        // CreateTopics, version 4: one topic, its partitions by hand, no settings; a minute; for good.
        let topic = [&[0, 0, 0, 1][..], &string(name), &[0xff; 6], &count, &partitions, &[0; 4]].concat();
        let request =
            [&[0, 19, 0, 4, 0, 0, 0, 1][..], &string("test"), &topic, &60_000_i32.to_be_bytes(), &[0]].concat();
        let answer = ask(self.open, &request);
        // Its number, no delay, one topic and its name; then the code.
        let code = &answer[4 + 4 + 4 + 2 + name.len()..][..2];
        assert_eq!(code, [0, 0], "{}", String::from_utf8_lossy(&answer));
    }
}

/// A broker that all tests share; it ends with the program. It has a topic with three partitions, and is not to be changed.
pub(crate) fn shared() -> Option<&'static Broker> {
    static SHARED: OnceLock<Option<Broker>> = OnceLock::new();
    let start = || {
        let broker = cluster(1)?.remove(0);
        broker.create_topic("orders", &[1, 1, 1]);
        until("the topic", || partitions(broker.open) == Some(Fact::Count(3)));
        Some(broker)
    };
    SHARED.get_or_init(start).as_ref()
}

fn partitions(address: SocketAddr) -> Option<Fact> {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    let report = probed(Check::Kafka(Kafka { address, tls: None, credentials: None }), LONG);
    report.facts.into_iter().find(|(name, _)| *name == "partitions").map(|(_, fact)| fact)
}

/// A cluster of so many brokers, numbered from 1. None if there is no Kafka here.
pub(crate) fn cluster(size: usize) -> Option<Vec<Broker>> {
    let java = program("java")?;
    let jars = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kafka");
    if !jars.exists() {
        crate::needs::skip("Kafka is missing: make install-test-needs");
        return None;
    }
    let certificates = Certificates::make();
    // Somebody else may take a port between our looking and its binding.
    for _ in 0..3 {
        let controller = free_address();
        let start = |number| start(&java, &jars, number, controller, &certificates);
        let mut brokers: Vec<Broker> = (1..=size).map(start).collect();
        let is_ready = |broker: &mut Broker| {
            let log = broker.directory.path().join("log");
            broker.process.becomes(|| fs::read_to_string(&log).is_ok_and(|log| log.contains(READY)))
        };
        if brokers.iter_mut().all(is_ready) {
            return Some(brokers);
        }
        eprintln!("{}", brokers.iter().map(|broker| broker.process.told()).collect::<String>());
    }
    panic!("Kafka did not begin on any ports");
}

fn start(java: &Path, jars: &Path, number: usize, controller: SocketAddr, certificates: &Certificates) -> Broker {
    let directory = tempfile::tempdir().unwrap();
    let [open, login, tls, expired] = [(); 4].map(|()| free_address());
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    // As its own program for that would write it, less the seconds that it takes.
    let identity = format!("version=1\ncluster.id={CLUSTER}\nnode.id={number}\ndirectory.id={DIRECTORY}\n");
    fs::write(data.join("meta.properties"), identity.replace("J8a", &format!("J{number}a"))).unwrap();
    fs::copy(certificates.authority_file(), directory.path().join("authority.pem")).unwrap();
    let identities = [("tls", Shows::Good), ("expired", Shows::Expired)].map(|(listener, shows)| {
        let [key, chain] = [certificates.key(shows), certificates.certificate(shows)];
        let file = directory.path().join(listener);
        fs::write(&file, [key, chain].map(|part| fs::read_to_string(part).unwrap()).concat()).unwrap();
        let name = format!("listener.name.{listener}.ssl.keystore");
        format!("{name}.type=PEM\n{name}.location={}\n", file.display())
    });
    let more = if number == 1 { format!(",CONTROLLER://{controller}") } else { String::new() };
    let roles = if number == 1 { "broker,controller" } else { "broker" };
    let listeners = format!("OPEN://{open},LOGIN://{login},TLS://{tls},EXPIRED://{expired}");
    let settings = format!(
        "process.roles={roles}\n\
         node.id={number}\n\
         controller.quorum.voters=1@{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listeners={listeners}{more}\n\
         advertised.listeners={listeners}\n\
         listener.security.protocol.map=OPEN:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SSL,EXPIRED:SSL,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=OPEN\n\
         sasl.enabled.mechanisms=PLAIN\n\
         listener.name.login.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";\n\
         {}\
         log.dirs={}\n",
        identities.concat(),
        data.display()
    );
    fs::write(directory.path().join("server.properties"), settings).unwrap();
    fs::write(directory.path().join("password"), PASSWORD).unwrap();
    let classes = format!("{}/*", jars.display());
    // It starts faster so, and takes less.
    let arguments =
        ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.apache.logging.log4j.level=INFO"];
    let arguments = arguments.into_iter().chain(["-cp", &classes, "kafka.Kafka", "server.properties"]);
    let arguments: Vec<String> = arguments.map(ToOwned::to_owned).collect();
    let process = Process::start(java, &arguments, directory.path(), "log");
    Broker { open, login, tls, expired, controller, process, directory }
}

fn string(text: &str) -> Vec<u8> {
    [&i16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

fn ask(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(request).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    answer
}
