//! What endpoints cost: one real agent that probes a thousand of them every 30 s, half `tcp` and half `http`, which this program
//! serves; all well, and with 500 that take connections and say nothing. `cargo bench --bench endpoints`, five minutes; the
//! target is in docs/performance.md.

#![expect(clippy::expect_used, reason = "a bench that cannot measure fails")]
#![expect(clippy::disallowed_methods, reason = "time that passes is what is measured in")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it found")]

#[path = "../tests/ports/mod.rs"]
mod ports;
#[path = "../tests/verify/mod.rs"]
mod verify;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

/// Until every endpoint was probed at least once, and what hangs is known to be down.
const WARM_UP: Duration = Duration::from_secs(60);
/// Two periods.
const WINDOW: Duration = Duration::from_secs(60);

fn main() {
    let (well, hung) = (serve(answer), serve(hold));
    let without = measure(0, 0, well, hung);
    for (endpoints, hanging) in [(1000, 0), (1000, 500)] {
        let with = measure(endpoints, hanging, well, hung);
        let row = [
            endpoints.to_string(),
            hanging.to_string(),
            format!("{:.2} %", (with.core - without.core) * 100.0),
            format!("{:.1} MiB", with.memory.saturating_sub(without.memory) as f64 / 1024.0),
        ];
        verify::ENDPOINTS.row(&row);
        for (column, cell) in verify::ENDPOINTS.columns.iter().zip(&row) {
            println!("{column:>24}  {cell}");
        }
    }
}

struct Cost {
    /// The share of one core.
    core: f64,
    /// The most memory that was ever in RAM, in KiB.
    memory: u64,
}

/// What an agent that is alone costs with so many endpoints, so many of which hang.
fn measure(endpoints: usize, hanging: usize, well: SocketAddr, hung: SocketAddr) -> Cost {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("netsplit.yaml");
    fs::write(&file, configuration(directory.path(), endpoints, hanging, well, hung)).expect("a configuration");
    let mut agent = Agent::start(&file, directory.path());
    thread::sleep(WARM_UP);
    let before = agent.processor_time();
    thread::sleep(WINDOW);
    let used = agent.processor_time() - before;
    let cost = Cost { core: used / WINDOW.as_secs_f64(), memory: agent.memory() };
    eprintln!("{endpoints} endpoints, {hanging} hang: {:.2} % of a core, {} KiB", cost.core * 100.0, cost.memory);
    assert!(agent.0.try_wait().expect("its state").is_none(), "the agent ended before it was measured");
    cost
}

fn configuration(directory: &Path, endpoints: usize, hanging: usize, well: SocketAddr, hung: SocketAddr) -> String {
    let [udp, http] = [ports::free_port(), ports::free_port()];
    let directory = directory.display();
    let mut text = format!(
        "cluster: bench\nnode: {{name: node-1}}\nhttp: {{listen: \"127.0.0.1:{http}\"}}\nauthentication: insecure\n\
         peers: {{discovery: {{static: [{{name: node-1, address: \"127.0.0.1:{udp}\"}}]}}}}\n\
         state: {{directory: {directory}/state}}\naudit: {{path: {directory}/events.log}}\nendpoints:{}\n",
        if endpoints == 0 { " []" } else { "" }
    );
    for number in 0..endpoints {
        let address = if number < hanging { hung } else { well };
        // What hangs hangs only once it was asked something.
        let how = match (number % 2, number < hanging) {
            (0, false) => format!("type: tcp, address: \"{address}\""),
            (0, true) => format!("type: redis, address: \"{address}\""),
            _ => format!("type: http, url: \"http://{address}/\""),
        };
        writeln!(text, "  - {{name: endpoint-{number:04}, {how}}}").expect("a string takes all");
    }
    text
}

/// Serves connections of a kind on loopback, each on a thread of its own.
fn serve(with: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || with(stream));
        }
    });
    address
}

/// Whoever goes away early is nobody's business.
fn answer(mut stream: TcpStream) {
    let mut asked = [0; 1024];
    if stream.read(&mut asked).is_ok_and(|bytes| bytes > 0) {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    }
}

fn hold(mut stream: TcpStream) {
    let mut asked = [0; 1024];
    while stream.read(&mut asked).is_ok_and(|bytes| bytes > 0) {}
}

/// An agent, until it is dropped.
struct Agent(Child);

impl Agent {
    fn start(file: &Path, directory: &Path) -> Self {
        let told = fs::File::create(directory.join("told")).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.arg("run").arg("--config").arg(file).stdout(Stdio::null()).stderr(told);
        Self(command.spawn().expect("an agent"))
    }

    /// In seconds.
    fn processor_time(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("an agent that runs");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 =
            after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        ticks as f64 / per_second as f64
    }

    /// The most that was ever in RAM, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("an agent that runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
