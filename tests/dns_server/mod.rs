//! A real DNS server on loopback, dnsmasq, for tests.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use netsplit::discovery::DnsSettings;
use tempfile::TempDir;

/// The name that it knows.
pub(crate) const NAME: &str = "agents.example.";

/// A dnsmasq that knows what is in its file of hosts. It ends when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    directory: TempDir,
    more: Vec<String>,
    child: Child,
}

impl Server {
    /// A server of these records; `None` if there is no dnsmasq, which only counts where skipping is allowed.
    pub(crate) fn start(addresses: &[&str], more: &[&str]) -> Option<Self> {
        let program = program()?;
        let directory = tempfile::tempdir().unwrap();
        let more: Vec<String> = more.iter().map(ToString::to_string).collect();
        fs::write(directory.path().join("hosts"), hosts(addresses)).unwrap();
        // Somebody else may take the port between our looking and dnsmasq's binding.
        for _ in 0..20 {
            let address = free_address();
            let mut child = spawn(&program, address, &directory, &more);
            if answers(&mut child, address) {
                return Some(Self { address, directory, more, child });
            }
        }
        panic!("dnsmasq did not begin to answer on any port");
    }

    /// Other records, from now on.
    pub(crate) fn publish(&self, addresses: &[&str]) {
        fs::write(self.directory.path().join("hosts"), hosts(addresses)).unwrap();
        let hang_up = Command::new("kill").arg("-HUP").arg(self.child.id().to_string()).status().unwrap();
        assert!(hang_up.success());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again where it was. Nobody else takes the port in all likelihood; if so, it is waited for.
    pub(crate) async fn start_again(&mut self) {
        for _ in 0..600 {
            self.child = spawn(&program().unwrap(), self.address, &self.directory, &self.more);
            if answers(&mut self.child, self.address) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the port of dnsmasq stayed taken for a minute");
    }

    pub(crate) fn settings(&self) -> DnsSettings {
        DnsSettings { name: NAME.to_owned(), port: 7475, server: Some(self.address) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where dnsmasq is. Without root the programs of the administrator are often not on the path.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(more).map(|place| place.join("dnsmasq")).find(|file| file.exists());
    if found.is_none() {
        crate::needs::skip("dnsmasq is missing: make install-test-needs");
    }
    found
}

fn hosts(addresses: &[&str]) -> String {
    addresses.iter().fold(String::new(), |mut text, address| {
        writeln!(text, "{address} agents.example").unwrap();
        text
    })
}

/// A port that nobody had a moment ago, neither over UDP nor over TCP.
pub(crate) fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, crate::ports::free_port()).into()
}

fn spawn(program: &PathBuf, address: SocketAddr, directory: &TempDir, more: &[String]) -> Child {
    let ours = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"];
    Command::new(program)
        .args(ours)
        // As root it would change to a user who cannot read the directory; as anybody else it does nothing.
        .args(["--user=root", "--pid-file=", "--host-record=ready,127.0.0.1"])
        .arg(format!("--listen-address={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--addn-hosts={}", directory.path().join("hosts").display()))
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the server answers anything at all, or ends.
fn answers(child: &mut Child, address: SocketAddr) -> bool {
    // A question for the IPv4 address of `ready` (RFC 1035, section 4.1), which it knows by itself in every test.
    let question = b"\x07\x07\x01\0\0\x01\0\0\0\0\0\0\x05ready\0\0\x01\0\x01";
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut answer = [0; 512];
    for _ in 0..100 {
        if socket.send(question).is_ok() && socket.recv(&mut answer).is_ok() {
            return child.try_wait().unwrap().is_none();
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        // Where nobody listens yet the first one is refused at once; this one waits.
        let _ = socket.recv(&mut answer);
    }
    false
}
