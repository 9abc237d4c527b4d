//! The type `mysql` against real servers of MariaDB, against what says as MySQL what MariaDB does not, and against what is
//! neither.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::mysql::Mysql as Probe;
use netsplit::probe::postgres::Postgres;
use netsplit::probe::redis::Redis;
use netsplit::probe::{Check, Role, Tls};
use nix::sys::signal::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use crate::needs::skip;
use crate::servers::child::{self, wait_for};
use crate::servers::databases::{
    at_port, certificates_of_a_server_are_told_apart, credentials, fact, is_unhealthy, output_of, probe_often,
    succeeds, to,
};
use crate::servers::faults::{
    Certificates, LONG, Port, Secured, Shows, are_told_apart, fails, probed, saying, serving, times_out,
};
use crate::servers::group::finished;
use crate::servers::mariadb::Mariadb;

/// Without TLS, name or expectation.
fn plain(address: SocketAddr) -> Probe {
    Probe {
        address: to(address),
        tls: None,
        credentials: None,
        database: String::new(),
        role: Role::Any,
        max_lag: None,
    }
}

fn of(server: &Mariadb) -> Probe {
    plain(at_port(server.port))
}

fn login_as(server: &Mariadb, username: &str, password: &str) -> Probe {
    Probe { credentials: Some(credentials(server.directory.path(), username, password)), ..of(server) }
}

/// As somebody who may ask how replication stands.
fn login(server: &Mariadb) -> Probe {
    login_as(server, "prober", "secret")
}

fn check(probe: Probe) -> Check {
    Check::Mysql(probe)
}

/// A server that knows `prober`.
fn start(more: &[&str]) -> Option<Mariadb> {
    let server = Mariadb::start(more)?;
    introduce(&server);
    Some(server)
}

fn introduce(server: &Mariadb) {
    server.does("CREATE USER prober IDENTIFIED BY 'secret'; GRANT SLAVE MONITOR ON *.* TO prober");
}

#[test]
fn a_primary_says_what_it_is() {
    let Some(server) = start(&[]) else { return };
    let expected = Probe { role: Role::Primary, max_lag: Some(Duration::ZERO), ..login(&server) };
    let report = succeeds(check(expected.clone()));
    assert_eq!(fact(&report, "role").as_deref(), Some("primary"));
    assert_eq!(fact(&report, "read_only").as_deref(), Some("no"));
    // "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu …"
    let own = output_of(Command::new(child::program("mariadbd", &[]).unwrap()).arg("--version"));
    let version = fact(&report, "version").unwrap();
    assert!(own.contains(&format!(" {version} ")), "{version} is not in {own}");
    is_unhealthy(check(Probe { role: Role::Replica, ..login(&server) }), Ailment::Role);

    server.does("SET GLOBAL read_only = 1");
    is_unhealthy(check(expected), Ailment::Role);
    assert_eq!(fact(&succeeds(check(login(&server))), "read_only").as_deref(), Some("yes"));
}

#[test]
fn whom_the_server_does_not_let_in_is_told_so() {
    let Some(server) = start(&[]) else { return };
    fails(check(login_as(&server, "prober", "wrong")), Cause::Auth);
    fails(check(login_as(&server, "nobody", "secret")), Cause::Auth);
    fails(check(Probe { database: "nowhere".to_owned(), ..login(&server) }), Cause::Auth);
    server.does("CREATE DATABASE somewhere; GRANT SELECT ON *.* TO prober");
    fails(check(Probe { database: "nowhere".to_owned(), ..login(&server) }), Cause::Status);
    succeeds(check(Probe { database: "somewhere".to_owned(), ..login(&server) }));

    server.does("CREATE USER locked IDENTIFIED BY 'secret' ACCOUNT LOCK");
    fails(check(login_as(&server, "locked", "secret")), Cause::Auth);
    server.does("INSTALL SONAME 'auth_ed25519'; CREATE USER other IDENTIFIED VIA ed25519 USING PASSWORD('secret')");
    let report = probed(check(login_as(&server, "other", "secret")), LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Auth));
    assert!(report.detail.contains("client_ed25519"), "{report:?}");
}

#[test]
fn without_the_right_to_ask_a_login_is_enough_unless_more_is_expected() {
    let Some(server) = start(&[]) else { return };
    server.does("CREATE USER lowly IDENTIFIED BY 'secret'");
    let lowly = login_as(&server, "lowly", "secret");
    let report = succeeds(check(lowly.clone()));
    assert_eq!((fact(&report, "role"), fact(&report, "read_only").as_deref()), (None, Some("no")));
    fails(check(Probe { role: Role::Primary, ..lowly.clone() }), Cause::Auth);
    fails(check(Probe { max_lag: Some(LONG), ..lowly }), Cause::Auth);
}

#[test]
fn a_server_that_has_stopped_refuses_and_one_that_stands_still_times_out() {
    let Some(mut server) = start(&[]) else { return };
    server.signal(Signal::SIGSTOP);
    times_out(check(of(&server)));
    server.signal(Signal::SIGCONT);
    succeeds(check(of(&server)));
    server.stop();
    fails(check(of(&server)), Cause::Refused);
}

#[test]
fn a_server_that_is_full_does_not_serve() {
    // Ten is the least that it takes, and it keeps one more for its administrator.
    let Some(server) = start(&["--max-connections=10"]) else { return };
    let _all: Vec<TcpStream> = (0..11).map(|_| TcpStream::connect(at_port(server.port)).unwrap()).collect();
    wait_for("it to be full", || probed(check(of(&server)), LONG).outcome != Outcome::Success);
    let report = is_unhealthy(check(of(&server)), Ailment::NotServing);
    assert!(report.detail.contains("(1040)"), "{report:?}");
}

#[test]
fn a_replica_says_how_far_it_is_behind_and_that_nothing_comes() {
    let binlog = ["--log-bin", "--binlog-format=row"];
    let Some(mut primary) = start(&[&["--server-id=1"], &binlog[..]].concat()) else { return };
    let Some(replica) = start(&["--server-id=2", "--read-only"]) else { return };
    primary
        .does("RESET MASTER; CREATE USER follower IDENTIFIED BY 'secret'; GRANT REPLICATION SLAVE ON *.* TO follower");
    replica.follow(&primary, "");
    wait_for("the replica to follow", || replica.replication().contains("Seconds_Behind_Master: 0"));
    let expected = check(Probe { role: Role::Replica, max_lag: Some(LONG), ..login(&replica) });
    // It counts in seconds, and what it applies just now may be of the last one.
    wait_for("no lag", || fact(&probed(expected.clone(), LONG), "lag").as_deref() == Some("0.000s"));
    let report = succeeds(expected);
    for (name, value) in [("role", "replica"), ("read_only", "yes"), ("link", "up")] {
        assert_eq!(fact(&report, name).as_deref(), Some(value));
    }
    is_unhealthy(check(Probe { role: Role::Primary, ..login(&replica) }), Ailment::Role);

    replica.does("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = 3600; START SLAVE");
    primary.does("CREATE DATABASE late");
    let lags =
        |line: &str| line.trim().strip_prefix("Seconds_Behind_Master: ").is_some_and(|lag| lag > "0" && lag < "A");
    wait_for("it to be behind", || replica.replication().lines().any(lags));
    let report =
        is_unhealthy(check(Probe { max_lag: Some(Duration::ZERO), ..login(&replica) }), Ailment::ReplicationLag);
    assert!(report.detail.contains("behind its primary"), "{report:?}");
    succeeds(check(Probe { max_lag: Some(LONG * 60), ..login(&replica) }));

    replica.does("STOP SLAVE SQL_THREAD");
    let report = is_unhealthy(check(login(&replica)), Ailment::ReplicationDown);
    assert!(report.detail.contains("applies"), "{report:?}");
    replica.does("START SLAVE");
    primary.stop();
    wait_for("the end of the link", || !replica.replication().contains("Slave_IO_Running: Yes"));
    let report = is_unhealthy(check(login(&replica)), Ailment::ReplicationDown);
    assert!(report.detail.contains("fetches"), "{report:?}");
    replica.does("STOP SLAVE");
    let report = is_unhealthy(check(login(&replica)), Ailment::ReplicationDown);
    assert_eq!(fact(&report, "link").as_deref(), Some("down"));
}

#[test]
fn faults_of_the_network_are_told_apart() {
    // A greeting of 4,000 bytes.
    are_told_apart(|address| check(plain(address)), b"\xa0\x0f\0\0\x0ax");
}

#[test]
fn whoever_speaks_another_protocol_to_it_finds_out() {
    let Some(server) = Mariadb::start(&[]) else { return };
    let Probe { address, tls, credentials, role, .. } = of(&server);
    let postgres = Postgres {
        address: address.clone(),
        tls: tls.clone(),
        credentials: credentials.clone(),
        database: String::new(),
        role,
        max_lag: None,
    };
    fails(Check::Postgres(postgres), Cause::Protocol);
    fails(Check::Redis(Redis { address, tls, credentials, role }), Cause::Protocol);
}

#[test]
fn an_answer_of_another_protocol_or_without_end_is_none() {
    let greetings: [&[u8]; 7] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_10.0\r\n",
        b"-ERR unknown command\r\n",
        b"\0\0\0\0",
        // Of protocol 9, too short, and an error without a number.
        b"\x05\0\0\0\x093.1\0",
        b"\x05\0\0\0\x0a8.0\0",
        b"\x02\0\0\0\xff\x15",
    ];
    for greeting in greetings {
        fails(check(plain(saying(greeting).address)), Cause::Protocol);
    }
    let blocked = b"\x21\0\0\0\xff\x69\x04Host 'a' is blocked, flush hosts";
    fails(check(plain(saying(&blocked[..]).address)), Cause::Unhealthy(Ailment::NotServing));
}

#[test]
fn faults_of_the_handshake_are_told_apart() {
    certificates_of_a_server_are_told_apart(
        |certificates, shows| {
            let server = Mariadb::start_secured(&certificates.certificate(shows), &certificates.key(shows))?;
            introduce(&server);
            Some(server)
        },
        |server, tls| check(Probe { tls: Some(tls), ..login(server) }),
    );
}

#[test]
fn a_server_without_tls_is_at_fault_where_tls_is_wanted_and_is_left_in_peace() {
    let Some(server) = start(&["--skip-ssl"]) else { return };
    server.does("CREATE USER netsplit");
    let wanted = check(Probe { tls: Some(Tls::default()), ..login(&server) });
    fails(wanted.clone(), Cause::Tls);
    let before = traces(&server);
    probe_often(&wanted, 20, Outcome::Failure(Cause::Tls));
    assert_eq!(traces(&server), before);
}

#[test]
fn a_server_whose_certificate_is_not_good_is_left_in_peace() {
    let certificates = Certificates::make();
    let (certificate, key) = (certificates.certificate(Shows::Expired), certificates.key(Shows::Expired));
    let Some(server) = Mariadb::start_secured(&certificate, &key) else { return };
    introduce(&server);
    server.does("CREATE USER netsplit");
    let before = traces(&server);
    let wanted = check(Probe { tls: Some(certificates.trust()), ..login(&server) });
    probe_often(&wanted, 20, Outcome::Failure(Cause::Tls));
    assert_eq!(traces(&server), before);
}

/// What a server remembers of those who did not behave: its counters, how long its log is, and the last line of it.
fn traces(server: &Mariadb) -> (String, usize, Option<String>) {
    wait_for("everybody else to be gone", || {
        server.does("SELECT count(*) FROM information_schema.processlist WHERE user IN ('prober', 'netsplit')") == "0"
    });
    let counters = "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Aborted%' OR Variable_name LIKE 'Connection_errors%' \
                    OR Variable_name LIKE 'Access_denied%'; \
                    SELECT * FROM performance_schema.host_cache";
    let log = server.log();
    (without_times(&server.does(counters)), log.lines().count(), log.lines().last().map(ToOwned::to_owned))
}

/// The host cache says when each host was seen last.
fn without_times(text: &str) -> String {
    let is_date = |word: &&str| word.len() >= 19 && word.as_bytes().get(4) == Some(&b'-');
    text.split('\t').filter(|word| !is_date(word)).collect::<Vec<_>>().join("\t")
}

const INSIDE: &str = "NETSPLIT_TEST_INSIDE";

/// Runs a test in a network of its own where 10.9.0.1 is a host by name: of loopback MariaDB remembers nothing.
fn in_a_network_of_its_own(name: &str, test: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    if !Command::new("unshare").args(["--net", "--mount", "true"]).output().is_ok_and(|done| done.status.success()) {
        return skip("a network namespace cannot be made: this needs root and util-linux");
    }
    let hosts = tempfile::NamedTempFile::new().unwrap();
    fs::write(hosts.path(), "127.0.0.1 localhost\n10.9.0.1 prober.example\n").unwrap();
    // The server runs as somebody else.
    fs::set_permissions(hosts.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let script = format!(
        "ip link set lo up; ip address add 10.9.0.1/32 dev lo; mount --bind {} /etc/hosts; \
         exec \"$0\" --exact {name} --nocapture",
        hosts.path().display()
    );
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-ec", &script]).arg(env::current_exe().unwrap()).env(INSIDE, "1");
    let done = finished(&mut command);
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_thousand_probes_block_no_host_and_leave_no_trace() {
    in_a_network_of_its_own("mysql::a_thousand_probes_block_no_host_and_leave_no_trace", || {
        let options = ["--bind-address=0.0.0.0", "--performance-schema=ON", "--max-connect-errors=10"];
        let Some(server) = start(&options) else { return };
        let away = |probe: Probe| Probe { address: to(SocketAddr::from(([10, 9, 0, 1], server.port))), ..probe };
        let blocking = || server.does("SELECT SUM_CONNECT_ERRORS FROM performance_schema.host_cache");

        // Somebody who is unknown is refused, which blocks nobody.
        probe_often(&check(away(of(&server))), 100, Outcome::Success);
        assert_eq!(blocking(), "0");
        assert!(server.log().contains("Access denied for user 'netsplit'@'prober.example'"), "{:?}", traces(&server));

        server.does("CREATE USER netsplit");
        let before = traces(&server);
        assert!(before.0.contains("10.9.0.1"), "the host is remembered: {}", before.0);
        probe_often(&check(away(of(&server))), 1000, Outcome::Success);
        probe_often(&check(away(login(&server))), 1000, Outcome::Success);
        assert_eq!(traces(&server), before);

        // What all this is for.
        for _ in 0..10 {
            let mut rude = TcpStream::connect(("10.9.0.1", server.port)).unwrap();
            rude.set_read_timeout(Some(LONG)).unwrap();
            rude.read_exact(&mut [0; 5]).unwrap();
        }
        wait_for("the errors to count", || blocking() == "10");
        let report = is_unhealthy(check(away(of(&server))), Ailment::NotServing);
        assert!(report.detail.contains("(1129)"), "{report:?}");
    });
}

// ------------------------------------------------------------------------ what only MySQL says: caching_sha2_password

const SALT: &[u8; 20] = b"abcdefghijklmnopqrst";

/// A greeting of MySQL 8.4 (`Protocol::HandshakeV10`), with TLS or without.
fn greeting(tls: bool) -> Vec<u8> {
    // PROTOCOL_41, SECURE_CONNECTION, CONNECT_WITH_DB, and TLS; PLUGIN_AUTH.
    let capabilities: u32 = 0x0008_8209 | if tls { 0x800 } else { 0 };
    let [first, second, third, fourth] = capabilities.to_le_bytes();
    let salt = SALT.split_at(8);
    let body = [
        b"\x0a8.4.0\0\x01\0\0\0",
        salt.0,
        &[0, first, second, 255, 2, 0, third, fourth, 21],
        &[0; 10],
        salt.1,
        b"\0",
        b"caching_sha2_password\0",
    ];
    packet(0, &body.concat())
}

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    [&[u8::try_from(body.len()).unwrap(), 0, 0, number], body].concat()
}

fn read_packet(stream: &mut impl Read) -> Vec<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut body = vec![0; usize::from(head[0]) + (usize::from(head[1]) << 8)];
    stream.read_exact(&mut body).unwrap();
    body
}

/// Whether the proof in a login is that of the password, checked as the server does, which knows SHA256(SHA256(password)).
fn proves(login: &[u8], password: &str) -> bool {
    use ring::digest::{SHA256, digest};
    let after_name = login.iter().skip(32).position(|byte| *byte == 0).unwrap() + 33;
    let proof = &login[after_name + 1..][..usize::from(login[after_name])];
    let known = digest(&SHA256, digest(&SHA256, password.as_bytes()).as_ref());
    let mask = digest(&SHA256, &[known.as_ref(), SALT].concat());
    let once: Vec<u8> = proof.iter().zip(mask.as_ref()).map(|(one, other)| one ^ other).collect();
    proof.len() == 32 && digest(&SHA256, &once).as_ref() == known.as_ref()
}

/// A server whose cache is warm or cold. What it is asked after the login it refuses: no right.
fn sha2_server(warm: bool) -> Port {
    serving(move |mut stream| {
        stream.write_all(&greeting(false)).unwrap();
        let login = read_packet(&mut stream);
        if !proves(&login, "secret") {
            return stream.write_all(&packet(2, b"\xff\x15\x04#28000Access denied")).unwrap();
        }
        if !warm {
            stream.write_all(&packet(2, &[1, 4])).unwrap();
            assert_eq!(read_packet(&mut stream), [0], "no password in clear text");
            return stream.write_all(&packet(4, b"\xff\x15\x04#28000Access denied")).unwrap();
        }
        stream.write_all(&packet(2, &[1, 3])).unwrap();
        stream.write_all(&packet(3, &[0, 0, 0, 2, 0, 0, 0])).unwrap();
        answer(&mut stream);
    })
}

/// Not read only; and of replication the user may not know.
fn answer(stream: &mut (impl Read + Write)) {
    assert_eq!(read_packet(stream), b"\x03SELECT @@global.read_only AS read_only");
    let column = b"\x03def\0\0\0\x09read_only\0\x0c\x3f\0\x01\0\0\0\x08\x80\0\0\0\0";
    let rows = [packet(1, b"\x01"), packet(2, column), packet(3, b"\xfe\0\0\x02\0"), packet(4, b"\x010")];
    stream.write_all(&[rows.concat(), packet(5, b"\xfe\0\0\x02\0")].concat()).unwrap();
    assert_eq!(read_packet(stream), b"\x03SHOW REPLICA STATUS");
    stream.write_all(&packet(1, b"\xff\xcb\x04#42000Access denied; you need REPLICATION CLIENT")).unwrap();
    assert_eq!(read_packet(stream), b"\x01", "a polite end");
}

#[test]
fn a_cache_that_knows_the_password_wants_its_proof() {
    let directory = tempfile::tempdir().unwrap();
    let of = |port: &Port, password| {
        check(Probe { credentials: Some(credentials(directory.path(), "prober", password)), ..plain(port.address) })
    };
    let report = succeeds(of(&sha2_server(true), "secret"));
    assert_eq!(fact(&report, "version").as_deref(), Some("8.4.0"));
    assert_eq!(fact(&report, "read_only").as_deref(), Some("no"));
    fails(of(&sha2_server(true), "wrong"), Cause::Auth);
    let report = probed(of(&sha2_server(false), "secret"), LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Auth));
    assert!(report.detail.contains("over TLS only"), "{report:?}");
}

#[test]
fn a_cache_that_does_not_know_the_password_gets_it_over_tls() {
    let certificates = Certificates::make();
    let directory = tempfile::tempdir().unwrap();
    let port = upgraded(&certificates, |stream| {
        assert!(proves(&read_packet(stream), "secret"));
        stream.write_all(&packet(3, &[1, 4])).unwrap();
        assert_eq!(read_packet(stream), b"secret\0");
        stream.write_all(&packet(5, &[0, 0, 0, 2, 0, 0, 0])).unwrap();
        answer(stream);
    });
    let own = credentials(directory.path(), "prober", "secret");
    let probe = Probe { credentials: Some(own), tls: Some(certificates.trust()), ..plain(port.address) };
    succeeds(check(probe));
}

/// A server that greets, takes the wish for TLS, and treats what comes then.
fn upgraded(certificates: &Certificates, treat: impl Fn(&mut Secured) + Clone + Send + 'static) -> Port {
    let chain = CertificateDer::pem_file_iter(certificates.certificate(Shows::Good)).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates.key(Shows::Good)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    serving(move |mut stream| {
        stream.write_all(&greeting(true)).unwrap();
        let wish = read_packet(&mut stream);
        assert_eq!((wish.len(), wish[1] & 0x08), (32, 0x08), "the wish for TLS is the head of a login");
        let mut secured = Secured::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        treat(&mut secured);
    })
}
