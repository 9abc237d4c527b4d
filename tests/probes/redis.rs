//! The type `redis` against real servers, and against what is none.

use std::fs;
use std::net::{SocketAddr, TcpStream};

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::redis::Redis as Probe;
use netsplit::probe::{Check, Credentials, Role, Tls};
use nix::sys::signal::Signal;

use crate::needs;
use crate::servers::child::{self, wait_for};
use crate::servers::databases::{
    at_port, certificates_of_a_server_are_told_apart, credentials, fact, is_unhealthy, output_of, probe_often,
    succeeds, to,
};
use crate::servers::faults::{LONG, answering, are_told_apart, certificates_are_told_apart, fails, probed, times_out};
use crate::servers::redis::Redis;

/// Without TLS, name or expectation.
fn plain(address: SocketAddr) -> Probe {
    Probe { address: to(address), tls: None, credentials: None, role: Role::Any }
}

fn of(server: &Redis) -> Probe {
    plain(at_port(server.port))
}

fn check(probe: Probe) -> Check {
    Check::Redis(probe)
}

fn expecting(server: &Redis, role: Role) -> Check {
    check(Probe { role, ..of(server) })
}

fn login(server: &Redis, username: &str, password: &str) -> Probe {
    Probe { credentials: Some(credentials(server.directory.path(), username, password)), ..of(server) }
}

#[test]
fn a_primary_says_what_it_is() {
    let Some(server) = Redis::start(&[]) else { return };
    let report = succeeds(expecting(&server, Role::Primary));
    assert_eq!(fact(&report, "role").as_deref(), Some("primary"));
    assert_eq!(fact(&report, "replicas").as_deref(), Some("0"));
    // "Redis server v=7.0.15 sha=…"
    let own = output_of(std::process::Command::new("redis-server").arg("--version"));
    let version = fact(&report, "version").unwrap();
    assert!(own.contains(&format!("v={version} ")), "{version} is not in {own}");
    assert_eq!(report.address, Some(at_port(server.port)));
    is_unhealthy(expecting(&server, Role::Replica), Ailment::Role);
}

#[test]
fn a_server_that_has_stopped_refuses_and_one_that_stands_still_times_out() {
    let Some(mut server) = Redis::start(&[]) else { return };
    server.signal(Signal::SIGSTOP);
    times_out(check(of(&server)));
    server.signal(Signal::SIGCONT);
    succeeds(check(of(&server)));
    server.stop();
    fails(check(of(&server)), Cause::Refused);
}

#[test]
fn a_replica_without_its_primary_is_unhealthy() {
    let Some(mut primary) = Redis::start(&[]) else { return };
    let Some(replica) = Redis::replica_of(&primary, &[]) else { return };
    let report = succeeds(expecting(&replica, Role::Replica));
    assert_eq!(fact(&report, "role").as_deref(), Some("replica"));
    assert_eq!(fact(&report, "link").as_deref(), Some("up"));
    assert_eq!(fact(&report, "lag_bytes").as_deref(), Some("0"));
    assert!(fact(&report, "heard_from_primary").is_some(), "{report:?}");
    is_unhealthy(expecting(&replica, Role::Primary), Ailment::Role);
    let report = succeeds(check(of(&primary)));
    assert_eq!(fact(&report, "replicas").as_deref(), Some("1"));

    primary.stop();
    wait_for("the end of the link", || replica.info("replication").contains("master_link_status:down"));
    let report = is_unhealthy(check(of(&replica)), Ailment::ReplicationDown);
    assert_eq!(fact(&report, "link").as_deref(), Some("down"));
}

#[test]
fn a_replica_that_does_not_serve_old_data_says_so() {
    let Some(mut primary) = Redis::start(&[]) else { return };
    let Some(replica) = Redis::replica_of(&primary, &["--replica-serve-stale-data", "no"]) else { return };
    primary.stop();
    wait_for("the end of the link", || replica.info("replication").contains("master_link_status:down"));
    let report = is_unhealthy(check(of(&replica)), Ailment::NotServing);
    assert!(report.detail.starts_with("MASTERDOWN"), "{report:?}");
}

#[test]
fn a_password_is_wanted_and_taken() {
    let Some(server) = Redis::start(&["--requirepass", "correct horse"]) else { return };
    fails(check(of(&server)), Cause::Auth);
    fails(check(login(&server, "", "wrong")), Cause::Auth);
    fails(check(login(&server, "nobody", "correct horse")), Cause::Auth);
    for username in ["", "default"] {
        let report = succeeds(check(login(&server, username, "correct horse")));
        assert_eq!(fact(&report, "role").as_deref(), Some("primary"));
    }
}

#[test]
fn a_server_that_wants_no_password_takes_none() {
    let Some(server) = Redis::start(&[]) else { return };
    fails(check(login(&server, "", "correct horse")), Cause::Auth);
}

#[test]
fn a_password_that_cannot_be_read_says_nothing_of_the_server() {
    let Some(server) = Redis::start(&[]) else { return };
    let nowhere = Credentials { username: String::new(), password_file: server.directory.path().join("missing") };
    let report = probed(check(Probe { credentials: Some(nowhere), ..of(&server) }), LONG);
    assert_eq!((report.outcome, report.phases.connect), (Outcome::Inconclusive, None));
}

#[test]
fn without_the_right_to_info_an_answer_to_ping_is_enough_unless_a_role_is_expected() {
    let Some(server) = Redis::start(&[]) else { return };
    server.does(&["ACL", "SETUSER", "pinger", "on", ">secret", "+ping"]);
    server.does(&["ACL", "SETUSER", "prober", "on", ">secret", "+ping", "+info"]);
    let report = succeeds(check(login(&server, "pinger", "secret")));
    assert_eq!(fact(&report, "role"), None);
    fails(check(Probe { role: Role::Primary, ..login(&server, "pinger", "secret") }), Cause::Auth);
    succeeds(check(Probe { role: Role::Primary, ..login(&server, "prober", "secret") }));
}

#[test]
fn a_server_that_is_full_does_not_serve() {
    let Some(server) = Redis::start(&["--maxclients", "1"]) else { return };
    let _first = TcpStream::connect(at_port(server.port)).unwrap();
    let report = is_unhealthy(check(of(&server)), Ailment::NotServing);
    assert!(report.detail.contains("max number of clients"), "{report:?}");
}

#[test]
fn a_server_that_cannot_write_its_snapshot_has_an_alarm() {
    let Some(server) = Redis::start(&["--save", "3600 1000000", "--dbfilename", "snapshot"]) else { return };
    // A directory in the place of the file.
    fs::create_dir(server.directory.path().join("snapshot")).unwrap();
    server.does(&["BGSAVE"]);
    wait_for("the snapshot to fail", || server.info("persistence").contains("rdb_last_bgsave_status:err"));
    let report = is_unhealthy(check(of(&server)), Ailment::Alarm);
    assert!(report.detail.starts_with("MISCONF"), "{report:?}");
}

#[test]
fn what_a_server_says_in_place_of_pong_is_told_apart() {
    let cases: [(&str, Cause); 5] = [
        ("-LOADING Redis is loading the dataset in memory\r\n", Cause::Unhealthy(Ailment::NotServing)),
        ("-BUSY Redis is busy running a script.\r\n", Cause::Unhealthy(Ailment::NotServing)),
        ("-DENIED Redis is running in protected mode\r\n", Cause::Auth),
        ("-NOAUTH Authentication required.\r\n", Cause::Auth),
        ("-ERR unknown command\r\n", Cause::Status),
    ];
    for (said, cause) in cases {
        fails(check(plain(answering(said).address)), cause);
    }
}

#[test]
fn an_answer_of_another_protocol_or_without_end_is_none() {
    let endless = ["-", &"x".repeat(5000)].concat();
    let answers: [&str; 9] = [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_10.0\r\n",
        "+OK\r\n",
        "$-1\r\n",
        "$x\r\n",
        "$99999999999999999999\r\n",
        "$1048576\r\n",
        "$4\r\nPONGPONG\r\n",
        &endless,
    ];
    for answer in answers {
        fails(check(plain(answering(answer).address)), Cause::Protocol);
    }
    fails(check(plain(answering("+PO").address)), Cause::Reset);
}

#[test]
fn faults_of_the_network_are_told_apart() {
    are_told_apart(|address| check(plain(address)), b"+PON");
}

#[test]
fn faults_of_the_handshake_are_told_apart() {
    certificates_are_told_apart(|address, tls| check(Probe { tls: Some(tls), ..plain(address) }));
    certificates_of_a_server_are_told_apart(
        |certificates, shows| Redis::start_secured(certificates.certificate(shows), certificates.key(shows)),
        |server, tls| check(Probe { tls: Some(tls), ..of(server) }),
    );
}

#[test]
fn a_thousand_probes_leave_no_trace() {
    let Some(server) = Redis::start(&["--requirepass", "correct horse"]) else { return };
    let counters = || {
        let of_clients = ["connected_clients", "blocked_clients", "clients_in_timeout_table"];
        let of_stats = ["rejected_connections", "total_error_replies", "acl_access_denied_auth"];
        let clients = of_clients.map(|name| server.count("clients", name));
        // What Redis 7.0 does not count yet is not there.
        let stats =
            of_stats.map(|name| if server.info("stats").contains(name) { server.count("stats", name) } else { 0 });
        (clients, stats, server.info("errorstats"), server.does(&["ACL", "LOG"]), server.does(&["SLOWLOG", "LEN"]))
    };
    let (before, log, come) = (counters(), server.log(), server.count("stats", "total_connections_received"));
    probe_often(&check(Probe { tls: None::<Tls>, ..login(&server, "", "correct horse") }), 1000, Outcome::Success);
    wait_for("the last one to be gone", || server.count("clients", "connected_clients") == 1);
    assert!(server.count("stats", "total_connections_received") >= come + 1000, "they were there");
    assert_eq!(counters(), before);
    assert_eq!(server.log(), log);
}

/// A program that is killed says nothing to what it started, which would go on for ever.
#[test]
fn a_server_ends_with_the_test_program_even_if_that_is_killed() {
    const TOLD: &str = "NETSPLIT_TEST_TELLS_PORT";
    if let Some(told) = std::env::var_os(TOLD) {
        let server = Redis::start(&[]).unwrap();
        let place = server.directory.path().to_str().unwrap();
        fs::write(&told, format!("{} {place}", server.port)).unwrap();
        // Until it is killed, or whoever was to kill it is gone.
        wait_for("the end", || !std::path::Path::new(&told).exists());
        return;
    }
    let Some(_) = child::program("redis-server", &[]) else { return needs::skip("Redis is missing") };
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
    itself.args(["--exact", "redis::a_server_ends_with_the_test_program_even_if_that_is_killed"]).env(TOLD, &told);
    let mut itself = itself.stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_for("the server", || fs::read_to_string(&told).is_ok_and(|told| told.contains('/')));
    let text = fs::read_to_string(&told).unwrap();
    let (port, place) = text.split_once(' ').unwrap();
    let address = at_port(port.parse().unwrap());
    assert!(TcpStream::connect(address).is_ok());
    itself.kill().unwrap();
    itself.wait().unwrap();
    wait_for("the end of the server", || TcpStream::connect(address).is_err());
    wait_for("the end of its directory", || !std::path::Path::new(place).exists());
}
