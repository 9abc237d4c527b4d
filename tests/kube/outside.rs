//! Whole agents as processes outside of any cluster, whose thousand nodes the API server knows: in a network of their own, in
//! which every address is theirs.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use netsplit::api::{DiscoveryStatus, Link, Peer, Peers, Status};
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::{NamedTempFile, TempDir};

use crate::discovery::{path_of_slices, permit, publish, site};
use crate::group::{Group, finished};
use crate::kube::ApiServer;
use crate::listing::{SERVICE, endpoint, slice, slices};
use crate::own_network::in_a_network_of_its_own;
use crate::ports::free_port;
use crate::process::until;

const NAMESPACE: &str = "outside";

/// No slice may have addresses of loopback, so that others are given to this machine.
const ADDRESSES: &str = "ip route add local 10.0.0.0/8 dev lo; ";

/// For how many minutes a list of a thousand may be put off, lest all agents ask at once, and some time to spare.
const A_LIST: u32 = 3;

/// The agent of a node, by its number, and what it has on its disk.
struct Agent {
    number: u16,
    group: Group,
    http: String,
    directory: TempDir,
}

impl Agent {
    fn start(number: u16, server: &ApiServer, token: &NamedTempFile) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name).display().to_string();
        fs::create_dir(place("keys")).unwrap();
        fs::write(place("keys/20261122-120000"), "0123456789abcdef".repeat(4)).unwrap();
        let kubeconfig = fs::read_to_string(server.kubeconfig(NAMESPACE, token.path())).unwrap();
        fs::write(place("kubeconfig"), kubeconfig).unwrap();
        let http = format!("127.0.0.1:{}", free_port());
        let configuration = format!(
            "cluster: test\nnode: {{name: node-{number}}}\nlisten: {}:7475\nhttp: {{listen: \"{http}\"}}\n\
             peers: {{discovery: {{kubernetes: {{service: {SERVICE}, kubeconfig: {}}}}}}}\n\
             authentication: {{keys: {}}}\nstate: {{directory: {}}}\naudit: {{path: {}}}\n",
            endpoint(number)["addresses"][0].as_str().unwrap(),
            place("kubeconfig"),
            place("keys"),
            place("state"),
            place("events.log"),
        );
        fs::write(place("netsplit.yaml"), configuration).unwrap();
        Self { number, group: run(&directory), http, directory }
    }

    /// Ends it politely, and starts it again with what it has kept.
    fn restart(&mut self) {
        self.group.stop(Signal::SIGTERM);
        self.group = run(&self.directory);
    }

    /// What it answers, once it does.
    fn says<T: DeserializeOwned>(&self, command: &str) -> Option<T> {
        let mut asking = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        serde_json::from_slice(&finished(asking.args([command, "--json", "--address", &self.http])).stdout).ok()
    }

    /// Itself included.
    fn roster(&self) -> Vec<Peer> {
        self.says("peers").map(|Peers { peers }| peers).unwrap_or_default()
    }

    fn knows(&self, name: &str) -> Option<Peer> {
        self.roster().into_iter().find(|peer| peer.name == name)
    }

    fn hears(&self, other: &Self) -> bool {
        self.knows(&format!("node-{}", other.number)).is_some_and(|peer| peer.link == Link::Up)
    }

    fn discovery(&self) -> Option<DiscoveryStatus> {
        self.says("status").map(|status: Status| status.discovery)
    }

    fn told(&self) -> String {
        fs::read_to_string(self.directory.path().join("told")).unwrap()
    }
}

fn run(directory: &TempDir) -> Group {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.args(["run", "--config", "netsplit.yaml"]).current_dir(directory.path());
    let told = File::options().create(true).append(true).open(directory.path().join("told")).unwrap();
    Group::start(command.stdout(Stdio::null()).stderr(told), directory.path())
}

#[test]
fn an_agent_finds_a_thousand_follows_changes_and_keeps_all_while_the_server_is_stopped() {
    in_a_network_of_its_own(
        "outside::an_agent_finds_a_thousand_follows_changes_and_keeps_all_while_the_server_is_stopped",
        ADDRESSES,
        || {
            let Some(mut server) = ApiServer::start(&[]) else { return };
            let token = site(&server, NAMESPACE);
            permit(&server, NAMESPACE);
            publish(&server, NAMESPACE, &slices(1000));
            let mut first = Agent::start(1, &server, &token);
            let second = Agent::start(2, &server, &token);
            until("a thousand nodes", || first.roster().len() == 1000);
            until("the one that runs", || first.hears(&second));
            assert_eq!(first.knows("node-777").unwrap().zone, "east");
            until("that nobody is there", || first.knows("node-777").unwrap().link == Link::Absent);

            // A hundred nodes go and three come, of whom one runs: it is heard by those who do not know it, who ask for a list.
            server.does("DELETE", &format!("{}/agents-9", path_of_slices(NAMESPACE)), &json!({}));
            publish(&server, NAMESPACE, &[slice("agents-new", &[1001, 1002, 1003].map(endpoint))]);
            let newcomer = Agent::start(1001, &server, &token);
            until("the newcomer", || first.hears(&newcomer) && newcomer.hears(&first));
            assert_eq!(first.roster().len(), 1001);
            within(A_LIST, "the others who came", || first.knows("node-1003").is_some());
            // Whom one list does not name may be missed by it; whom the next one does not name either is gone.
            within(A_LIST, "the leave of those who went", || first.roster().len() == 903);
            assert!(first.knows("node-1000").is_none());

            // Neither those who run nor one who starts lose anybody by a server that is stopped.
            server.stop();
            first.restart();
            until("its failure", || first.discovery().is_some_and(|discovery| discovery.up == Some(false)));
            until("the others", || first.hears(&second) && first.hears(&newcomer));
            assert_eq!(first.roster().len(), 903);
            assert_eq!(first.knows("node-777").unwrap().zone, "east");
            server.start_again();
            within(A_LIST, "the server", || first.discovery().is_some_and(|discovery| discovery.up == Some(true)));
            assert!(first.group.ended().is_none(), "{}", first.told());
        },
    );
}

/// Waits for what comes within so many minutes.
#[track_caller]
fn within(minutes: u32, what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..minutes * 300 {
        if is_so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
    panic!("within {minutes} minutes there was not: {what}");
}
