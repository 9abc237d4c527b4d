//! What a good configuration cannot help: the file itself, keys, ports, the state. Where the agent can go on it warns
//! and does (code 0 once it is told to stop); else it ends with the code of its kind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::{chown, symlink};
use std::process::Command;

use netsplit::detector::saved::Saved;
use netsplit::identity::Incarnation;
use netsplit::state::{STATE, Whose, encode};

use super::Program;
use super::program::Ended;
use crate::needs::skip;
use crate::shown;

/// A start that goes wrong, or not quite right.
struct Start {
    title: &'static str,
    /// The exit code.
    code: i32,
    /// Makes it so, and starts.
    run: fn(&Program) -> Ended,
}

const fn start(title: &'static str, code: i32, run: fn(&Program) -> Ended) -> Start {
    Start { title, code, run }
}

/// Somebody who may do nothing.
const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// The same, where ports below 1024 are for root: in a network of its own.
const NOBODY_APART: [&str; 6] = ["unshare", "--net", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// A network without IPv6.
const WITHOUT_IPV6: [&str; 5] = ["unshare", "--net", "sh", "-c", IPV6_OFF];

const IPV6_OFF: &str = "off=/proc/sys/net/ipv6/conf/all/disable_ipv6; { test ! -e $off || echo 1 >$off; } \
                        && ip link set lo up && exec \"$0\" \"$@\"";

const FILES: [Start; 9] = [
    start("no such file", 2, ended),
    start("a directory", 2, |program| program.ended(&["run", "--config", "keys"])),
    start("a file in place of a directory", 2, |program| program.ended(&["run", "--config", "keys/1/netsplit.yaml"])),
    start("a link to nowhere", 2, |program| {
        symlink("..data/netsplit.yaml", program.path("netsplit.yaml")).unwrap();
        ended(program)
    }),
    start("nothing in it", 2, |program| with(program, "")),
    start("not UTF-8", 2, |program| {
        program.write("netsplit.yaml", b"# fine\ncluster: caf\xe9\n");
        ended(program)
    }),
    start("far too large", 2, |program| with(program, &"#".repeat((1 << 20) + 1))),
    start("a name that is not set, on a host that is not listed", 2, |program| {
        program.write("netsplit.yaml", program.good("").replace("name: node-1", "name: nowhere-1"));
        let mut ended = program.ended_without_a_name(&["run", "--config", "netsplit.yaml"]);
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        ended.stderr = ended.stderr.replace(&format!("`{}`", host.trim()), "`HOST`");
        ended
    }),
    start("a variable that is not set", 2, |program| {
        program.write("netsplit.yaml", program.good("node: {name: \"${NODE_NAME}\"}\n"));
        program.ended_without_a_name(&["run", "--config", "netsplit.yaml"])
    }),
];

const KEYS: [Start; 9] = [
    start("no key directory", 2, |program| {
        fs::remove_dir_all(program.path("keys")).unwrap();
        good(program)
    }),
    start("a file for a key directory", 2, |program| {
        program.write("netsplit.yaml", program.good("authentication: {keys: keys/1}\n"));
        ended(program)
    }),
    start("an empty key directory", 2, |program| {
        fs::remove_file(program.path("keys/1")).unwrap();
        good(program)
    }),
    start("nothing but dotfiles and directories", 2, |program| {
        fs::rename(program.path("keys/1"), program.path("keys/.1")).unwrap();
        fs::create_dir(program.path("keys/old")).unwrap();
        good(program)
    }),
    start("a key that is too short", 2, |program| {
        program.write("keys/2", "0123456789abcdef\n");
        good(program)
    }),
    start("a key of two lines", 2, |program| {
        program.write("keys/2", format!("{0}\n{0}\n", "2".repeat(64)));
        good(program)
    }),
    start("a key with a letter that is no digit", 2, |program| {
        program.write("keys/2", "O".repeat(64));
        good(program)
    }),
    start("a link to nowhere for a key", 2, |program| {
        symlink("gone", program.path("keys/2")).unwrap();
        good(program)
    }),
    start("a pipe for a key", 2, |program| {
        nix::unistd::mkfifo(&program.path("keys/2"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        good(program)
    }),
];

const PORTS: [Start; 5] = [
    start("another has the port of heartbeats", 3, |program| {
        let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, program.udp)).unwrap();
        good(program)
    }),
    start("another has the port of HTTP", 3, |program| {
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, program.tcp)).unwrap();
        good(program)
    }),
    start("an address of another machine for heartbeats", 3, |program| {
        program.write("netsplit.yaml", program.good(&format!("listen: \"192.0.2.1:{}\"\n", program.udp)));
        ended(program)
    }),
    start("an address of another machine for HTTP", 3, |program| {
        program.write("netsplit.yaml", program.good(&format!("http: {{listen: \"192.0.2.1:{}\"}}\n", program.tcp)));
        ended(program)
    }),
    start("the state directory of an agent that runs", 3, |program| {
        program.write("netsplit.yaml", program.good(""));
        let mut first = program.started(&[]);
        let mut line = String::new();
        BufReader::new(first.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let (udp, tcp) = (program.udp, program.tcp);
        let elsewhere = format!("listen: \"127.0.0.2:{udp}\"\nhttp: {{listen: \"127.0.0.2:{tcp}\"}}\n");
        program.write("second.yaml", program.good(&elsewhere));
        let second = program.ended(&["run", "--config", "second.yaml"]);
        first.kill().unwrap();
        first.wait().unwrap();
        second
    }),
];

const NOT_ALLOWED: [Start; 9] = [
    start("a configuration that may not be read", 2, |program| {
        program.write("netsplit.yaml", program.good(""));
        program.set_mode("netsplit.yaml", 0o600);
        program.ended_within(&NOBODY, &["run", "--config", "netsplit.yaml"])
    }),
    start("a key that may not be read", 2, |program| {
        program.write("netsplit.yaml", program.good(""));
        program.ended_within(&NOBODY, &["run", "--config", "netsplit.yaml"])
    }),
    start("a key directory that may not be read", 2, |program| {
        program.write("netsplit.yaml", program.good(""));
        program.set_mode("keys", 0o700);
        program.ended_within(&NOBODY, &["run", "--config", "netsplit.yaml"])
    }),
    start("a port of heartbeats that is for root", 3, |program| {
        keys_of_nobody(program);
        program.write("netsplit.yaml", program.good("listen: \"0.0.0.0:475\"\n"));
        program.ended_within(&NOBODY_APART, &["run", "--config", "netsplit.yaml"])
    }),
    start("a port of HTTP that is for root", 3, |program| {
        keys_of_nobody(program);
        program.write(
            "netsplit.yaml",
            program.good(&format!("listen: \"0.0.0.0:{}\"\nhttp: {{listen: \"0.0.0.0:80\"}}\n", program.udp)),
        );
        program.ended_within(&NOBODY_APART, &["run", "--config", "netsplit.yaml"])
    }),
    start("a state directory that may not be made", 0, |program| {
        keys_of_nobody(program);
        program.write("netsplit.yaml", program.good(&log_of_nobody(program)));
        program.goes_on(&NOBODY)
    }),
    start("a state directory that may not be written", 0, |program| {
        keys_of_nobody(program);
        fs::create_dir(program.path("state")).unwrap();
        program.write("netsplit.yaml", program.good(&log_of_nobody(program)));
        program.goes_on(&NOBODY)
    }),
    start("a log that may not be written", 0, |program| {
        keys_of_nobody(program);
        let state = "state: {directory: of-nobody}\n";
        of_nobody(program, "of-nobody");
        program.write("netsplit.yaml", program.good(&format!("{state}audit: {{path: events.log}}\n")));
        program.goes_on(&NOBODY)
    }),
    start("no IPv6 on this machine", 0, |program| {
        program.write("netsplit.yaml", program.good(&format!("listen: \"[::]:{}\"\n", program.udp)));
        program.goes_on(&WITHOUT_IPV6)
    }),
];

const ODD: [Start; 9] = [
    start("nothing", 0, |program| goes_on_with(program, "")),
    start("no authentication", 0, |program| goes_on_with(program, "authentication: insecure\n")),
    start("a key that everybody may read", 0, |program| {
        program.set_mode("keys/1", 0o644);
        goes_on_with(program, "")
    }),
    start("one key twice", 0, |program| {
        program.write_key("keys/2", '1');
        goes_on_with(program, "")
    }),
    start("a file for a state directory", 0, |program| {
        program.write("state", "");
        goes_on_with(program, "")
    }),
    start("a state directory in a place that is not there", 0, |program| {
        goes_on_with(program, "state: {directory: mistyped/netsplit}\n")
    }),
    start("a state that was cut off", 0, |program| {
        fs::create_dir(program.path("state")).unwrap();
        program.write("state/state.json", "{\"version\":1");
        goes_on_with(program, "")
    }),
    start("the state of another node", 0, |program| {
        let whose = Whose { cluster: "default".into(), node: "node-2".into() };
        let state = encode(&whose, &Saved { incarnation: Incarnation(7), ..Saved::default() }).unwrap();
        fs::create_dir(program.path("state")).unwrap();
        program.write(&format!("state/{STATE}"), state);
        goes_on_with(program, "")
    }),
    start("values that hardly fit each other", 0, |program| {
        goes_on_with(program, "node: {pod_address: 127.0.0.9}\nmode: {write_quorum: 1}\n")
    }),
];

/// What the agent does without its log, or with one that is in the way.
const LOGS: [Start; 5] = [
    start("a log in a place that is not there", 0, |program| {
        goes_on_with(program, "audit: {path: mistyped/further/events.log}\n")
    }),
    start("a directory for a log", 0, |program| {
        fs::create_dir(program.path("events")).unwrap();
        goes_on_with(program, "audit: {path: events}\n")
    }),
    start("a file in place of the directory of a log", 0, |program| {
        goes_on_with(program, "audit: {path: keys/1/events.log}\n")
    }),
    start("a device that is full for a log", 0, |program| goes_on_with(program, "audit: {path: /dev/full}\n")),
    start("a file that is no log for a log", 0, |program| {
        program.write("events.log", "Nov 21 12:00:00 node-1 kernel: nothing of ours\n");
        goes_on_with(program, "audit: {path: events.log}\n")
    }),
];

pub(super) fn titles() -> impl Iterator<Item = &'static str> {
    // The first of ODD is the one that nothing is wrong with.
    let odd = ODD.iter().skip(1);
    FILES.iter().chain(&KEYS).chain(&PORTS).chain(&NOT_ALLOWED).chain(&LOGS).chain(odd).map(|start| start.title)
}

fn ended(program: &Program) -> Ended {
    program.ended(&["run", "--config", "netsplit.yaml"])
}

fn with(program: &Program, text: &str) -> Ended {
    program.write("netsplit.yaml", text);
    ended(program)
}

fn good(program: &Program) -> Ended {
    with(program, &program.good(""))
}

fn goes_on_with(program: &Program, rest: &str) -> Ended {
    program.write("netsplit.yaml", program.good(rest));
    program.goes_on(&[])
}

fn keys_of_nobody(program: &Program) {
    chown(program.path("keys/1"), Some(65_534), Some(65_534)).unwrap();
}

/// A directory that they may write.
fn of_nobody(program: &Program, directory: &str) {
    fs::create_dir(program.path(directory)).unwrap();
    chown(program.path(directory), Some(65_534), Some(65_534)).unwrap();
}

/// The part of a configuration that puts the log where they may write.
fn log_of_nobody(program: &Program) -> String {
    of_nobody(program, "log");
    "audit: {path: log/events.log}\n".to_owned()
}

/// Every start with its code and what it says, ready for a snapshot.
fn told(starts: &[Start]) -> String {
    let one = |start: &Start| {
        let program = Program::new();
        let Ended { code, stderr } = (start.run)(&program);
        assert_eq!(code, start.code, "{}: {stderr}", start.title);
        format!("### {} (code {code})\n{}", start.title, stderr.trim_end())
    };
    starts.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn a_file_that_cannot_be_used_is_told_why() {
    shown!(told(&FILES));
}

#[test]
fn keys_that_cannot_be_used_are_told_one_by_one() {
    shown!(told(&KEYS));
}

#[test]
fn a_place_that_is_taken_is_told_with_the_key_that_names_it() {
    shown!(told(&PORTS));
}

#[test]
fn what_this_user_may_not_do_is_told_with_what_would_help() {
    let is_possible = Command::new(NOBODY_APART[0]).args(&NOBODY_APART[1..]).arg("true").status();
    if !is_possible.is_ok_and(|status| status.success()) {
        return skip("only root can start the program as somebody else, and in another network");
    }
    shown!(told(&NOT_ALLOWED));
}

#[test]
fn what_an_agent_can_live_with_is_a_warning_and_it_goes_on() {
    shown!(told(&ODD));
}

#[test]
fn a_log_that_cannot_be_written_is_a_warning_and_the_agent_goes_on() {
    let told = told(&LOGS);
    let problems = told.matches("WARN").count() + told.matches("ERROR").count();
    let farewells = told.matches("WARN netsplit::audit::writer: the last events are not in the audit log").count();
    assert_eq!((problems - farewells, farewells), (LOGS.len(), LOGS.len() - 1), "{told}");
    shown!(told);
}
