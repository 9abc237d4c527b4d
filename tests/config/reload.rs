//! A configuration that changes under a real `netsplit run`: what counts at once, what is refused, and what is said.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use netsplit::clock::Clock;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use tempfile::TempDir;

use crate::ports::free_port;

/// How often a change is looked for, how long it has to stay, and some time for a machine that is busy.
const NOTICED_WITHIN: Duration = Duration::from_secs(5 + 1 + 4);

/// A directory with a key and a configuration.
struct Site {
    directory: TempDir,
    udp: u16,
    tcp: u16,
}

impl Site {
    fn new() -> Self {
        let (udp, tcp) = (free_port(), free_port());
        let site = Self { directory: tempfile::tempdir().unwrap(), udp, tcp };
        site.write_key("keys", '1');
        site.configure("");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_key(&self, directory: &str, digit: char) {
        let key = self.path(directory).join("1");
        fs::create_dir(self.path(directory)).unwrap();
        fs::write(&key, digit.to_string().repeat(64)).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A configuration with `rest` behind it.
    fn text(&self, rest: &str) -> String {
        let Self { udp, tcp, .. } = self;
        let mut text = format!(
            "node: {{name: node-1}}\nlisten: \"127.0.0.1:{udp}\"\nhttp: {{listen: \"127.0.0.1:{tcp}\"}}\n\
             state: {{directory: state}}\naudit: {{path: events.log}}\n"
        );
        for (key, line) in [
            ("authentication", "authentication: {keys: keys}\n".to_owned()),
            ("peers", format!("peers: {{discovery: {{static: [{}]}}}}\n", self.list())),
        ] {
            if !rest.lines().any(|given| given.starts_with(key)) {
                text += &line;
            }
        }
        text + rest
    }

    fn list(&self) -> String {
        format!("{{name: node-1, address: \"127.0.0.1:{}\"}}, {{name: node-2, address: \"127.0.0.1:9\"}}", self.udp)
    }

    /// As a ConfigMap does it: in one moment.
    fn configure(&self, rest: &str) {
        fs::write(self.path("next"), self.text(rest)).unwrap();
        fs::rename(self.path("next"), self.path("netsplit.yaml")).unwrap();
    }

    /// What a scrape brings.
    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.tcp)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn start(&self) -> Agent {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.args(["run", "--config", "netsplit.yaml"]).current_dir(self.directory.path()).env_clear();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("agent_started"), "{line}");
        Agent { child, said }
    }
}

/// What is read, as soon as it is right.
fn until(read: impl Fn() -> String, is_right: impl Fn(&str) -> bool) -> String {
    let clock = Clock::start();
    loop {
        let text = read();
        if is_right(&text) {
            return text;
        }
        assert!(clock.now().since_start() < NOTICED_WITHIN, "it does not come: {text}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

struct Agent {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Agent {
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").arg(name).arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Waits for a line with these words.
    fn says(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            self.wait_for_more(words);
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "it ended without saying {words:?}");
        }
        line
    }

    /// A minute at most: what never comes must not keep the test.
    fn wait_for_more(&self, words: &str) {
        if self.said.buffer().is_empty() {
            let pipe = PollFd::new(self.said.get_ref().as_fd(), PollFlags::POLLIN);
            assert_ne!(poll(&mut [pipe], 60_000_u16).unwrap(), 0, "it did not say {words:?}");
        }
    }

    /// Has it reload, and waits for a line with these words.
    fn says_at_sighup(&mut self, words: &str) -> String {
        self.signal("-HUP");
        self.says(words)
    }

    /// Ends it well; what else it said.
    fn ends(mut self) -> String {
        self.signal("-TERM");
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sighup_puts_a_changed_period_into_force_and_names_what_changed() {
    let site = Site::new();
    let mut agent = site.start();
    site.configure(&format!(
        "peers: {{period: 400ms, discovery: {{static: [{}]}}}}\nmode: {{policy: ap}}\n",
        site.list()
    ));
    let told = agent.says_at_sighup("the configuration was reloaded");
    let changed = "changed=\"mode.policy, peers.period\"";
    assert!(told.contains(changed) && told.contains(" INFO "), "{told}");
    assert!(agent.says_at_sighup("was read again").contains("it means what it meant before"));
    assert_eq!(agent.ends().matches("ERROR").count(), 0);
}

#[test]
fn a_reload_is_an_event_and_a_metric_and_what_it_changes_counts_at_once() {
    let site = Site::new();
    let mut agent = site.start();
    assert!(site.metrics().contains("netsplit_heartbeat_period_seconds 1\n"), "{}", site.metrics());
    let list = site.list();
    site.configure(&format!("peers: {{period: 400ms, discovery: {{static: [{list}]}}}}\nmode: {{tie: lowest}}\n"));
    agent.says_at_sighup("the configuration was reloaded");
    let reloaded = "\"event\":\"config_reloaded\"";
    let log = until(|| fs::read_to_string(site.path("events.log")).unwrap(), |log| log.contains(reloaded));
    let line = log.lines().find(|line| line.contains(reloaded)).unwrap();
    assert!(line.ends_with(r#""changed":["mode.tie","peers.period"]}"#), "{line}");
    let metrics = until(|| site.metrics(), |text| text.contains("netsplit_heartbeat_period_seconds 0.4\n"));
    assert!(metrics.contains("netsplit_config_last_reload_successful 1\n"), "{metrics}");
    site.configure("peers: nobody\n");
    agent.says_at_sighup("the configuration of before stays");
    let metrics = site.metrics();
    assert!(metrics.contains("netsplit_config_last_reload_successful 0\n"), "{metrics}");
    assert!(metrics.contains("netsplit_heartbeat_period_seconds 0.4\n"), "{metrics}");
    agent.ends();
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let site = Site::new();
    let mut agent = site.start();
    fcntl(agent.said.get_ref(), FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    site.configure("peers: nobody\n");
    // Each has the agent say some hundred bytes.
    for _ in 0..60 {
        agent.signal("-HUP");
        thread::park_timeout(Duration::from_millis(20));
    }
    // The loop has a word to say, too, when it has heard nobody for a bound.
    until(|| site.metrics(), |text| text.contains("netsplit_blind{cause=\"never_heard\"} 1\n"));
    agent.signal("-TERM");
    assert_eq!(agent.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_bad_file_is_refused_with_its_place_and_the_configuration_of_before_stays() {
    let site = Site::new();
    let mut agent = site.start();
    site.configure("mode: {policy: ap}\naudit: {keep: 5}\npeers: {period: soon}\n");
    let told = agent.says_at_sighup("the configuration of before stays");
    assert!(told.contains(" ERROR ") && told.contains("file=\"netsplit.yaml\" line="), "{told}");
    site.configure("mode: {tie: highest}\n");
    let told = agent.says_at_sighup("the configuration of before stays");
    assert!(told.contains("mode.tie `highest` is not known") && told.contains("hint=\"write one of"), "{told}");
    // Had the policy of the bad file counted, it would not be a change now.
    site.configure("mode: {policy: ap}\n");
    assert!(agent.says_at_sighup("was reloaded").contains("changed=\"mode.policy\""));
    agent.ends();
}

#[test]
fn a_file_that_is_gone_is_refused_and_the_agent_goes_on() {
    let site = Site::new();
    let mut agent = site.start();
    fs::remove_file(site.path("netsplit.yaml")).unwrap();
    let told = agent.says_at_sighup("the configuration of before stays");
    assert!(told.contains("there is no such file"), "{told}");
    site.configure("");
    agent.says_at_sighup("it means what it meant before");
    agent.ends();
}

#[test]
fn a_change_that_needs_a_restart_is_refused_whole_and_names_the_keys() {
    let site = Site::new();
    let mut agent = site.start();
    site.configure("cluster: other\nmode: {policy: ap}\n");
    let told = agent.says_at_sighup("the configuration of before stays");
    assert!(
        told.contains("ERROR") && told.contains("cluster cannot change while the agent runs: restart it"),
        "{told}"
    );
    let looked_up = "peers: {discovery: {dns: {name: agents.example}}}\nauthentication: insecure\n";
    site.configure(looked_up);
    let told = agent.says_at_sighup("the configuration of before stays");
    assert!(told.contains("authentication, peers.discovery cannot change while the agent runs"), "{told}");
    site.configure("mode: {policy: ap}\n");
    assert!(agent.says_at_sighup("was reloaded").contains("changed=\"mode.policy\""), "nothing of it counted");
    agent.ends();
}

#[test]
fn a_link_that_is_swapped_is_noticed_within_seconds_and_said_once() {
    let site = Site::new();
    let link = |to: &str| {
        symlink(to, site.path("..data.tmp")).unwrap();
        fs::rename(site.path("..data.tmp"), site.path("..data")).unwrap();
    };
    for (version, rest) in [("..1", ""), ("..2", "mode: {policy: ap}\n"), ("..3", "mode: {policy: none}\n")] {
        fs::create_dir(site.path(version)).unwrap();
        fs::write(site.path(version).join("netsplit.yaml"), site.text(rest)).unwrap();
    }
    fs::remove_file(site.path("netsplit.yaml")).unwrap();
    link("..1");
    symlink("..data/netsplit.yaml", site.path("netsplit.yaml")).unwrap();
    let mut agent = site.start();
    let clock = Clock::start();
    let mut swapped = clock.now();
    link("..2");
    assert!(agent.says("was reloaded").contains("changed=\"mode.policy\""));
    assert!(clock.now().since(swapped) < NOTICED_WITHIN, "{:?}", clock.now().since(swapped));
    swapped = clock.now();
    link("..3");
    agent.says("mode.policy `none` is not known");
    assert!(clock.now().since(swapped) < NOTICED_WITHIN, "{:?}", clock.now().since(swapped));
    link("..2");
    assert!(!agent.says("it means what it meant before").contains("ERROR"));
    assert_eq!(agent.ends().matches("is not known").count(), 0, "it was said once");
}

#[test]
fn a_node_that_is_added_to_the_list_gets_heartbeats() {
    let site = Site::new();
    let newcomer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    newcomer.set_read_timeout(Some(NOTICED_WITHIN)).unwrap();
    let mut agent = site.start();
    let entry = format!("{{name: node-3, address: \"{}\"}}", newcomer.local_addr().unwrap());
    site.configure(&format!("peers: {{discovery: {{static: [{}, {entry}]}}}}\n", site.list()));
    let told = agent.says_at_sighup("the configuration was reloaded");
    assert!(told.contains("changed=\"peers.discovery.static\""), "{told}");
    assert!(newcomer.recv(&mut [0; 2048]).unwrap() > 0);
    agent.ends();
}

#[test]
fn another_dns_server_is_asked_at_once() {
    let site = Site::new();
    let [first, second] = [(); 2].map(|()| {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        server.set_read_timeout(Some(NOTICED_WITHIN)).unwrap();
        server
    });
    let configure = |server: &UdpSocket| {
        let server = server.local_addr().unwrap();
        // The agent hears this port, and so do all others.
        let dns = format!("{{name: agents.example, server: \"{server}\", port: {}}}", site.udp);
        site.configure(&format!("peers: {{discovery: {{dns: {dns}}}}}\n"));
    };
    configure(&first);
    let mut agent = site.start();
    assert!(first.recv(&mut [0; 512]).unwrap() > 0);
    configure(&second);
    let told = agent.says_at_sighup("the configuration was reloaded");
    assert!(told.contains("changed=\"peers.discovery.dns.server\""), "{told}");
    assert!(second.recv(&mut [0; 512]).unwrap() > 0);
    agent.ends();
}

#[test]
fn another_key_directory_brings_its_keys_and_one_without_keys_is_refused() {
    let site = Site::new();
    let mut agent = site.start();
    site.configure("authentication: {keys: other}\n");
    let told = agent.says_at_sighup("the configuration of before stays");
    assert!(told.contains("cannot list the key directory other"), "{told}");
    site.write_key("other", '2');
    let told = agent.says_at_sighup("the configuration was reloaded");
    assert!(told.contains("changed=\"authentication.keys\""), "{told}");
    assert!(agent.says("the keys are others now").contains("directory=other"));
    agent.ends();
}

#[test]
fn a_configuration_from_a_pipe_is_read_once() {
    let site = Site::new();
    nix::unistd::mkfifo(&site.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.args(["run", "--config", "pipe"]).current_dir(site.directory.path()).env_clear();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fs::write(site.path("pipe"), site.text("")).unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let mut agent = Agent { child, said };
    agent.says("the configuration is no regular file: it is not read again");
    agent.ends();
}
