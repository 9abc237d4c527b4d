//! The type `postgres` against real servers, and against what is none.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::postgres::Postgres as Probe;
use netsplit::probe::{Check, Role, Tls};
use nix::sys::signal::Signal;

use crate::servers::child::wait_for;
use crate::servers::databases::{
    at_port, certificates_of_a_server_are_told_apart, credentials, fact, is_unhealthy, output_of, probe_often,
    succeeds, to,
};
use crate::servers::faults::{self, Certificates, LONG, Shows, answering, are_told_apart, fails, probed, times_out};
use crate::servers::postgres::{self, EVERYBODY, PASSWORD, Postgres, USER};

/// Without TLS, name or expectation.
fn plain(address: SocketAddr) -> Probe {
    Probe {
        address: to(address),
        tls: None,
        credentials: None,
        database: "postgres".to_owned(),
        role: Role::Any,
        max_lag: None,
    }
}

fn of(server: &Postgres) -> Probe {
    plain(at_port(server.port))
}

fn login_as(server: &Postgres, username: &str, password: &str) -> Probe {
    Probe { credentials: Some(credentials(server.directory.path(), username, password)), ..of(server) }
}

fn login(server: &Postgres) -> Probe {
    login_as(server, USER, PASSWORD)
}

fn check(probe: Probe) -> Check {
    Check::Postgres(probe)
}

const STREAMS: &str = "started streaming WAL from primary";

#[test]
fn a_primary_says_what_it_is() {
    let Some(server) = Postgres::start(&[]) else { return };
    let report = succeeds(check(Probe { role: Role::Primary, max_lag: Some(Duration::ZERO), ..login(&server) }));
    assert_eq!(fact(&report, "role").as_deref(), Some("primary"));
    assert_eq!(fact(&report, "in_recovery").as_deref(), Some("no"));
    assert_eq!(fact(&report, "replicas").as_deref(), Some("0"));
    // "postgres (PostgreSQL) 15.18 (Debian …)"
    let own = output_of(Command::new(postgres::program("postgres").unwrap()).arg("--version"));
    let version = fact(&report, "version").unwrap();
    assert!(!version.is_empty() && own.contains(&version), "{version} is not in {own}");
    is_unhealthy(check(Probe { role: Role::Replica, ..login(&server) }), Ailment::Role);
}

#[test]
fn a_user_without_any_right_is_enough_and_one_that_is_unknown_is_not() {
    let Some(server) = Postgres::start(&[]) else { return };
    server.does("CREATE ROLE netsplit LOGIN PASSWORD 'secret'");
    let report = succeeds(check(login_as(&server, "netsplit", "secret")));
    assert_eq!(fact(&report, "role").as_deref(), Some("primary"));
    fails(check(login_as(&server, "netsplit", "wrong")), Cause::Auth);
    fails(check(login_as(&server, "nobody", "secret")), Cause::Auth);
    fails(check(Probe { database: "nowhere".to_owned(), ..login(&server) }), Cause::Status);
    server.does("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC");
    fails(check(login_as(&server, "netsplit", "secret")), Cause::Auth);
    server.does("ALTER ROLE netsplit CONNECTION LIMIT 0; GRANT CONNECT ON DATABASE postgres TO PUBLIC");
    is_unhealthy(check(login_as(&server, "netsplit", "secret")), Ailment::NotServing);
}

#[test]
fn whom_the_server_does_not_let_in_is_told_so() {
    let Some(server) = Postgres::start_for("host all other 127.0.0.1/32 trust\n", &[]) else { return };
    fails(check(login(&server)), Cause::Auth);
    succeeds(check(of(&server)));
}

#[test]
fn a_password_is_proved_as_the_server_wants_it() {
    let hba = "host all old 127.0.0.1/32 md5\nhost all clear 127.0.0.1/32 password\nhost all open 127.0.0.1/32 trust\n";
    let Some(server) = Postgres::start_for(&format!("{hba}{EVERYBODY}"), &[]) else { return };
    server.does("SET password_encryption = md5; CREATE ROLE old LOGIN PASSWORD 'secret'");
    server.does("CREATE ROLE clear LOGIN PASSWORD 'secret'; CREATE ROLE open LOGIN");
    assert!(server.does("SELECT rolpassword FROM pg_authid WHERE rolname = 'old'").starts_with("md5"));
    succeeds(check(login_as(&server, "old", "secret")));
    fails(check(login_as(&server, "old", "wrong")), Cause::Auth);
    succeeds(check(login_as(&server, "open", "anything")));
    let before = server.log();
    fails(check(login_as(&server, "clear", "secret")), Cause::Auth);
    assert_eq!(server.log(), before, "whoever leaves before the password is not logged");
}

#[test]
fn a_password_in_clear_text_is_said_over_tls() {
    let certificates = Certificates::make();
    let (certificate, key) = (certificates.certificate(Shows::Good), certificates.key(Shows::Good));
    let Some(server) = Postgres::start_secured(&certificate, &key) else { return };
    std::fs::write(server.directory.path().join("data/pg_hba.conf"), "hostssl all all 127.0.0.1/32 password\n")
        .unwrap();
    server.signal(Signal::SIGHUP);
    wait_for("the new rules", || server.log().contains("received SIGHUP"));
    let secured = Probe { tls: Some(certificates.trust()), ..login(&server) };
    wait_for("the new rules to count", || probed(check(login(&server)), LONG).outcome == Outcome::Failure(Cause::Auth));
    succeeds(check(secured));
}

#[test]
fn a_server_that_has_stopped_refuses_and_one_that_stands_still_times_out() {
    let Some(mut server) = Postgres::start(&[]) else { return };
    server.signal(Signal::SIGSTOP);
    times_out(check(of(&server)));
    times_out(check(login(&server)));
    server.signal(Signal::SIGCONT);
    succeeds(check(of(&server)));
    server.stop();
    fails(check(of(&server)), Cause::Refused);
}

#[test]
fn a_replica_says_how_far_it_is_behind_and_that_nothing_streams() {
    let Some(mut primary) = Postgres::start(&[]) else { return };
    let Some(replica) = Postgres::replica_of(&primary, &[], STREAMS) else { return };
    primary.does("CREATE TABLE t AS SELECT 1");
    let caught_up = "SELECT pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() \
                     AND pg_last_xact_replay_timestamp() IS NOT NULL";
    wait_for("the replica to catch up", || replica.does(caught_up) == "t");
    let expected = Probe { role: Role::Replica, max_lag: Some(Duration::from_secs(60)), ..login(&replica) };
    let report = succeeds(check(expected.clone()));
    for (name, value) in [("role", "replica"), ("in_recovery", "yes"), ("link", "up")] {
        assert_eq!(fact(&report, name).as_deref(), Some(value));
    }
    assert!(fact(&report, "lag").is_some() && fact(&report, "heard_from_primary").is_some(), "{report:?}");
    is_unhealthy(check(Probe { role: Role::Primary, ..login(&replica) }), Ailment::Role);
    assert_eq!(fact(&succeeds(check(login(&primary))), "replicas").as_deref(), Some("1"));

    replica.does("SELECT pg_wal_replay_pause()");
    primary.does("INSERT INTO t VALUES (2)");
    wait_for("something to wait", || {
        replica.does("SELECT pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()") == "f"
    });
    let report =
        is_unhealthy(check(Probe { max_lag: Some(Duration::ZERO), ..login(&replica) }), Ailment::ReplicationLag);
    assert!(report.detail.contains("behind its primary"), "{report:?}");
    succeeds(check(expected));
    replica.does("SELECT pg_wal_replay_resume()");

    primary.does("CREATE ROLE netsplit LOGIN PASSWORD 'secret'");
    wait_for("the role", || replica.does("SELECT count(*) FROM pg_roles WHERE rolname = 'netsplit'") == "1");
    let report = succeeds(check(login_as(&replica, "netsplit", "secret")));
    assert_eq!(fact(&report, "link").as_deref(), Some("up"), "even without the right to see the status");

    primary.stop();
    wait_for("the end of the stream", || replica.does("SELECT count(*) FROM pg_stat_wal_receiver") == "0");
    let report = is_unhealthy(check(login(&replica)), Ailment::ReplicationDown);
    assert_eq!(fact(&report, "link").as_deref(), Some("down"));
    succeeds(check(of(&replica)));
}

#[test]
fn a_replica_that_takes_no_questions_does_not_serve() {
    let Some(primary) = Postgres::start(&[]) else { return };
    let Some(replica) = Postgres::replica_of(&primary, &["hot_standby=off"], STREAMS) else { return };
    let report = is_unhealthy(check(login(&replica)), Ailment::NotServing);
    assert!(report.detail.contains("(57P03)"), "{report:?}");
}

#[test]
fn a_server_without_tls_is_at_fault_where_tls_is_wanted() {
    let Some(server) = Postgres::start(&[]) else { return };
    fails(check(Probe { tls: Some(Tls::default()), ..of(&server) }), Cause::Tls);
    fails(check(Probe { tls: Some(Tls::default()), ..login(&server) }), Cause::Tls);
}

#[test]
fn an_answer_of_another_protocol_or_without_end_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let own = credentials(directory.path(), USER, PASSWORD);
    let parameters = b"S\0\0\0\x08a\0b\0".repeat(1000);
    let answers: [&[u8]; 10] = [
        b"NOTICE AUTH :*** Looking up your hostname\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_10.0\r\n",
        b"ERROR\r\n",
        // Lengths that are none, and too large.
        b"R\0\0\0\x03\0\0\0\0",
        b"R\x7f\xff\xff\xff",
        b"R\xff\xff\xff\xff",
        // A message that is shorter than its parts, and one that nobody knows.
        b"R\0\0\0\x06\0\0",
        b"?\0\0\0\x04",
        &parameters,
    ];
    for answer in answers {
        let address = answering(answer).address;
        fails(check(Probe { credentials: Some(own.clone()), ..plain(address) }), Cause::Protocol);
        fails(check(plain(address)), Cause::Protocol);
    }
    fails(
        check(plain(answering("Ecould not fork new process for connection: \n\0").address)),
        Cause::Unhealthy(Ailment::NotServing),
    );
}

#[test]
fn faults_of_the_network_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let own = credentials(directory.path(), USER, PASSWORD);
    // A parameter of 4,000 bytes.
    are_told_apart(|address| check(Probe { credentials: Some(own.clone()), ..plain(address) }), b"S\0\0\x0f\xa4x");
    fails(check(plain(faults::closed())), Cause::Refused);
    fails(check(plain(faults::resetting().address)), Cause::Reset);
    fails(check(plain(faults::ending().address)), Cause::Reset);
    times_out(check(plain(faults::hung().address)));
    times_out(check(plain(faults::full().address)));
}

#[test]
fn faults_of_the_handshake_are_told_apart() {
    certificates_of_a_server_are_told_apart(
        |certificates, shows| Postgres::start_secured(&certificates.certificate(shows), &certificates.key(shows)),
        |server, tls| check(Probe { tls: Some(tls), ..login(server) }),
    );
}

#[test]
fn a_server_that_agrees_to_tls_gets_it_even_where_none_is_wanted() {
    let certificates = Certificates::make();
    let (certificate, key) = (certificates.certificate(Shows::Expired), certificates.key(Shows::Expired));
    let Some(server) = Postgres::start_secured(&certificate, &key) else { return };
    let before = server.log();
    probe_often(&check(of(&server)), 200, Outcome::Success);
    let judged = check(Probe { tls: Some(certificates.trust()), ..login(&server) });
    probe_often(&judged, 200, Outcome::Failure(Cause::Tls));
    assert_eq!(server.log(), before);
}

#[test]
fn a_thousand_probes_leave_no_trace() {
    let Some(server) = Postgres::start(&[]) else { return };
    server.does("CREATE ROLE netsplit LOGIN PASSWORD 'secret'");
    let counters = "SELECT sum(xact_rollback), sum(deadlocks), sum(sessions_abandoned), sum(sessions_fatal), \
                    sum(sessions_killed), sum(temp_files) FROM pg_stat_database";
    let (log, before) = (server.log(), server.does(counters));
    probe_often(&check(of(&server)), 1000, Outcome::Success);
    probe_often(&check(login_as(&server, "netsplit", "secret")), 1000, Outcome::Success);
    wait_for("the last one to be gone", || {
        server.does("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'netsplit'") == "0"
    });
    let sessions = server.does("SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'");
    assert!(sessions.parse::<u32>().unwrap() >= 1000, "they were there: {sessions}");
    assert_eq!(server.does(counters), before);
    assert_eq!(server.log(), log);
}
