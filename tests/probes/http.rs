//! The probes over HTTP: against Prometheus and a registry of images, against what the documentation of Kubernetes and
//! Consul says that they answer, and against everything that can be wrong.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use netsplit::detector::outcome::{Ailment, Cause, Outcome};
use netsplit::probe::consul::Consul;
use netsplit::probe::http::Http;
use netsplit::probe::kubernetes::Kubernetes;
use netsplit::probe::registry::Registry;
use netsplit::probe::web::{Authorization, Web};
use netsplit::probe::{Address, Check, Credentials, Fact, Host, Report, Tls};

use crate::servers::faults::{
    self, Certificates, EXPIRES, LONG, Shows, certificates_are_told_apart, fails, probed, times_out,
};
use crate::servers::http::{Door, Fixture, PASSWORD, USER, prometheus, registry};
use crate::servers::process;

fn get(address: SocketAddr, path: &str) -> Http {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    Http {
        web: Web { address, tls: None, path: path.to_owned(), authorization: None },
        method: "GET".into(),
        headers: Vec::new(),
        expected_status: vec![200..=299],
        expected_body: None,
        http2: false,
    }
}

fn get_with(address: SocketAddr, path: &str, tls: Tls) -> Http {
    let mut http = get(address, path);
    http.web.tls = Some(tls);
    http
}

fn check(address: SocketAddr) -> Check {
    Check::Http(get(address, "/-/healthy"))
}

fn fact(report: &Report, name: &str) -> Option<Fact> {
    report.facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.clone())
}

fn word(text: &str) -> Fact {
    Fact::Word(text.into())
}

#[track_caller]
fn succeeds(http: Http) -> Report {
    let report = probed(Check::Http(http), LONG);
    assert_eq!((report.outcome, report.detail.as_str()), (Outcome::Success, ""), "{report:?}");
    report
}

/// A file with this password.
fn password(text: &str) -> (tempfile::NamedTempFile, Authorization) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let credentials = Credentials { username: USER.into(), password_file: file.path().to_owned() };
    (file, Authorization::Basic(credentials))
}

#[test]
fn every_fault_of_a_network_has_its_own_cause() {
    faults::are_told_apart(check, b"HTTP/1.1 200 OK\r\nx: ");
}

#[test]
fn a_body_that_drips_is_a_timeout() {
    times_out(check(faults::dripping(b"HTTP/1.1 200 OK\r\n\r\nx").address));
}

#[test]
fn every_fault_of_a_network_has_its_own_cause_over_http2_too() {
    // A frame of settings (RFC 9113, section 6.5), then one of data that never comes whole.
    let beginning = b"\0\0\0\x04\0\0\0\0\0\0\x40\0\0\0\0\0\0\x01x";
    let over_http2 = |address| Check::Http(Http { http2: true, ..get(address, "/") });
    faults::are_told_apart(over_http2, beginning);
    fails(over_http2(faults::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").address), Cause::Protocol);
}

#[test]
fn what_is_no_http_is_protocol() {
    fails(check(faults::saying(b"SSH-2.0-OpenSSH_10.0\r\n").address), Cause::Protocol);
    fails(check(faults::saying(b"AMQP\0\0\x09\x01").address), Cause::Protocol);
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(9000));
    fails(check(faults::answering(endless).address), Cause::Protocol);
    let no_chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n";
    fails(check(faults::answering(no_chunk).address), Cause::Protocol);
}

#[test]
fn an_answer_that_breaks_off_is_a_reset() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome";
    fails(check(faults::answering(text).address), Cause::Reset);
}

#[test]
fn of_an_endless_answer_64_kib_are_read() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(200_000));
    let port = faults::answering(endless);
    succeeds(get(port.address, "/"));
    let behind = Http { expected_body: Some("y".into()), ..get(port.address, "/") };
    fails(Check::Http(behind), Cause::Status);
}

#[test]
fn a_certificate_that_is_not_good_is_tls() {
    certificates_are_told_apart(|address, tls| Check::Http(get_with(address, "/", tls)));
}

#[test]
fn a_redirect_is_not_followed() {
    let port = faults::answering("HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n");
    fails(Check::Http(get(port.address, "/")), Cause::Status);
    let expected = Http { expected_status: vec![200..=200, 300..=399], ..get(port.address, "/") };
    assert_eq!(fact(&succeeds(expected), "status"), Some(Fact::Count(302)));
}

#[test]
fn the_request_says_what_the_configuration_says_and_who_asks() {
    let fixture = Fixture::that(|_| ("200 OK", String::new()));
    let mut http = get(fixture.address, "/a/?b=c");
    http.method = "PUT".into();
    http.headers = vec![("X-Scope".into(), "one".into()), ("x-scope".into(), "two".into())];
    succeeds(http);
    let asked = fixture.asked();
    let [head] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(head.starts_with("PUT /a/?b=c HTTP/1.1\r\n"), "{head}");
    for line in ["connection: close", "x-scope: one", "x-scope: two", &format!("host: {}", fixture.address)] {
        assert!(head.contains(&format!("{line}\r\n")), "{line} in {head}");
    }
    assert!(head.contains("user-agent: netsplit/"), "{head}");
}

#[test]
fn another_host_may_be_asked_for() {
    let fixture = Fixture::that(|_| ("200 OK", String::new()));
    succeeds(Http { headers: vec![("Host".into(), "shop.example".into())], ..get(fixture.address, "") });
    let head = fixture.asked().pop().unwrap();
    assert!(head.starts_with("GET / HTTP/1.1\r\n") && head.contains("host: shop.example\r\n"), "{head}");
    assert_eq!(head.matches("host: ").count(), 1, "{head}");
}

#[test]
fn what_this_machine_cannot_send_says_nothing_of_the_endpoint() {
    let address = faults::closed();
    let mut no_password = get(address, "/");
    let missing = PathBuf::from("/nonexistent/password");
    no_password.web.authorization = Some(Authorization::Bearer(missing));
    let wrong = [
        Http { method: "GET /".into(), ..get(address, "/") },
        Http { headers: vec![("a b".into(), "c".into())], ..get(address, "/") },
        Http { headers: vec![("a".into(), "c\r\nd: e".into())], ..get(address, "/") },
        no_password,
    ];
    for http in wrong {
        let report = probed(Check::Http(http), LONG);
        assert_eq!(report.outcome, Outcome::Inconclusive, "{report:?}");
    }
}

// --------------------------------------------------------------------------------- against Prometheus

#[test]
fn a_prometheus_that_is_well_answers() {
    let Some(mut server) = prometheus(&Door::default()) else { return };
    let report = succeeds(Http { expected_body: Some("Healthy".into()), ..get(server.address, "/-/healthy") });
    assert_eq!(fact(&report, "status"), Some(Fact::Count(200)));
    assert_eq!(fact(&report, "version"), Some(word("HTTP/1.1")));
    assert_eq!(report.address, Some(server.address));
    assert!(report.phases.connect.is_some() && report.phases.exchange.is_some() && report.phases.tls.is_none());

    fails(Check::Http(get(server.address, "/not/there")), Cause::Status);
    let other = Http { expected_body: Some("Sick".into()), ..get(server.address, "/-/healthy") };
    fails(Check::Http(other), Cause::Status);

    server.process.freeze();
    times_out(check(server.address));
    server.process.thaw();
    succeeds(get(server.address, "/-/healthy"));
    server.process.kill();
    fails(check(server.address), Cause::Refused);
}

#[test]
fn a_prometheus_behind_tls_speaks_http2_and_tells_when_its_certificate_expires() {
    let certificates = Certificates::make();
    let door = Door { tls: Some((&certificates, Shows::Good)), password: false };
    let Some(server) = prometheus(&door) else { return };
    let secure = || get_with(server.address, "/-/healthy", certificates.trust());
    let report = succeeds(secure());
    assert_eq!(
        (fact(&report, "version"), fact(&report, "certificate_expires")),
        (Some(word("HTTP/1.1")), Some(word(EXPIRES)))
    );
    assert!(report.phases.tls.is_some());

    let report = succeeds(Http { http2: true, expected_body: Some("Healthy".into()), ..secure() });
    assert_eq!(fact(&report, "version"), Some(word("HTTP/2.0")));

    let by_name = Address { host: Host::Name("localhost".into()), port: server.address.port() };
    let mut http = secure();
    http.web.address = by_name;
    assert!(succeeds(http).phases.dns.is_some());

    fails(Check::Http(get_with(server.address, "/-/healthy", Tls::default())), Cause::Tls);
    let named = Tls { server_name: Some("elsewhere.example".into()), ..certificates.trust() };
    fails(Check::Http(get_with(server.address, "/-/healthy", named)), Cause::Tls);
    // It answers in plain text that it wants TLS: 400.
    fails(check(server.address), Cause::Status);
    let anybody = Tls { insecure_skip_verify: true, ..Tls::default() };
    succeeds(get_with(server.address, "/-/healthy", anybody));
}

#[test]
fn a_prometheus_whose_certificate_is_not_good_is_not_spoken_with() {
    let certificates = Certificates::make();
    for shows in [Shows::Expired, Shows::WrongName, Shows::UnknownAuthority] {
        let Some(server) = prometheus(&Door { tls: Some((&certificates, shows)), password: false }) else { return };
        fails(Check::Http(get_with(server.address, "/-/healthy", certificates.trust())), Cause::Tls);
    }
}

#[test]
fn a_prometheus_with_a_password_takes_the_right_one_only() {
    let Some(server) = prometheus(&Door { tls: None, password: true }) else { return };
    fails(check(server.address), Cause::Auth);
    let mut http = get(server.address, "/-/healthy");
    let (_wrong, authorization) = password("battery staple");
    http.web.authorization = Some(authorization);
    fails(Check::Http(http.clone()), Cause::Auth);
    let (_right, authorization) = password(PASSWORD);
    http.web.authorization = Some(authorization);
    succeeds(http);
    // Who expects it may have it.
    succeeds(Http { expected_status: vec![401..=401], ..get(server.address, "/-/healthy") });
}

#[test]
fn a_thousand_probes_leave_no_trace_in_a_prometheus() {
    let certificates = Certificates::make();
    let door = Door { tls: Some((&certificates, Shows::Good)), password: false };
    let Some(server) = prometheus(&door) else { return };
    let secure = || get_with(server.address, "/-/healthy", certificates.trust());
    process::until("a log that says that all runs", || server.process.told().contains("ready to receive"));
    succeeds(secure());
    let before = (server.process.told(), connections(server.address.port()));
    for http2 in [false, true] {
        for _ in 0..500 {
            succeeds(Http { http2, ..secure() });
        }
    }
    assert_eq!(server.process.told(), before.0);
    process::until("no connection left", || connections(server.address.port()) <= before.1);
}

/// How many connections of this machine lead to a port of it and still stand, as the kernel tells.
fn connections(port: u16) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!("0100007F:{port:04X}");
    let of = |line: &&str| line.split_whitespace().skip(2).take(2).eq([to.as_str(), "01"]);
    table.lines().filter(of).count()
}

#[test]
fn a_server_that_wants_a_certificate_of_the_agent_and_gets_none_is_tls() {
    let certificates = Certificates::make();
    let port = faults::secured_for_known(&certificates, |stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    fails(Check::Http(get_with(port.address, "/", certificates.trust())), Cause::Tls);
    succeeds(get_with(port.address, "/", certificates.trust_and_show()));
}

// ----------------------------------------------------------------------- registries, Kubernetes, Consul

fn web(address: SocketAddr) -> Web {
    get(address, "").web
}

fn registry_at(address: SocketAddr) -> Check {
    registry_of(web(address))
}

fn registry_of(web: Web) -> Check {
    Check::Registry(Registry { web })
}

fn kubernetes_at(address: SocketAddr) -> Check {
    kubernetes_of(web(address))
}

fn kubernetes_of(web: Web) -> Check {
    Check::Kubernetes(Kubernetes { web })
}

fn consul_at(address: SocketAddr) -> Check {
    consul_of(web(address))
}

fn consul_of(web: Web) -> Check {
    Check::Consul(Consul { web })
}

#[track_caller]
fn is_well(check: Check) -> Report {
    let report = probed(check, LONG);
    assert_eq!((report.outcome, report.detail.as_str()), (Outcome::Success, ""), "{report:?}");
    report
}

#[test]
fn every_type_over_http_tells_the_faults_of_a_network_apart() {
    let beginning = b"HTTP/1.1 200 OK\r\nx: ";
    for of in [registry_of, kubernetes_of, consul_of] {
        let check = |address| of(web(address));
        certificates_are_told_apart(|address, tls| of(Web { tls: Some(tls), ..web(address) }));
        faults::are_told_apart(check, beginning);
        fails(check(faults::saying(b"-ERR unknown command\r\n").address), Cause::Protocol);
        fails(check(faults::answering("HTTP/1.1 404 Not Found\r\n\r\n").address), Cause::Status);
        fails(check(faults::answering("HTTP/1.1 403 Forbidden\r\n\r\n").address), Cause::Auth);
    }
}

#[test]
fn a_registry_is_alive_whether_it_wants_to_know_who_asks_or_not() {
    let Some(mut open) = registry(&Door::default()) else { return };
    is_well(registry_at(open.address));
    let Some(closed) = registry(&Door { tls: None, password: true }) else { return };
    assert_eq!(fact(&is_well(registry_at(closed.address)), "status"), Some(Fact::Count(401)));

    let with = |authorization| {
        let web = Web { authorization: Some(authorization), ..web(closed.address) };
        Check::Registry(Registry { web })
    };
    let (_right, authorization) = password(PASSWORD);
    assert_eq!(fact(&is_well(with(authorization)), "status"), Some(Fact::Count(200)));
    let (_wrong, authorization) = password("battery staple");
    fails(with(authorization), Cause::Auth);

    open.process.freeze();
    times_out(registry_at(open.address));
    open.process.thaw();
    open.process.kill();
    fails(registry_at(open.address), Cause::Refused);
}

#[test]
fn a_registry_is_told_from_what_is_none() {
    let certificates = Certificates::make();
    for shows in [Shows::Expired, Shows::WrongName] {
        let Some(server) = registry(&Door { tls: Some((&certificates, shows)), password: false }) else { return };
        fails(registry_of(Web { tls: Some(certificates.trust()), ..web(server.address) }), Cause::Tls);
        let anybody = Tls { insecure_skip_verify: true, ..Tls::default() };
        is_well(registry_of(Web { tls: Some(anybody.clone()), ..web(server.address) }));
        fails(kubernetes_of(Web { tls: Some(anybody.clone()), ..web(server.address) }), Cause::Status);
        fails(consul_of(Web { tls: Some(anybody), ..web(server.address) }), Cause::Status);
    }
    let Some(other) = prometheus(&Door::default()) else { return };
    fails(registry_at(other.address), Cause::Status);
}

#[test]
fn a_registry_that_sends_one_elsewhere_for_a_token_has_not_refused_the_password() {
    // As the token authentication of the distribution specification has it.
    let challenge = "Bearer realm=\"https://auth.example/token\",service=\"registry.example\"";
    let port = faults::answering(format!(
        "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: {challenge}\r\ncontent-length: 0\r\n\r\n"
    ));
    let (_file, authorization) = password(PASSWORD);
    let web = Web { authorization: Some(authorization), ..web(port.address) };
    is_well(Check::Registry(Registry { web }));
}

#[test]
fn a_registry_behind_tls_leaves_no_line_of_a_thousand_probes() {
    let certificates = Certificates::make();
    let Some(server) = registry(&Door { tls: Some((&certificates, Shows::Good)), password: false }) else { return };
    let check = || {
        let web = Web { tls: Some(certificates.trust()), ..web(server.address) };
        Check::Registry(Registry { web })
    };
    is_well(check());
    // It has a line for each request that it answered, which no setting of it leaves out. What went wrong has another.
    let wrong = || server.process.told().lines().filter(|line| !line.contains("response completed")).count();
    let before = wrong();
    for _ in 0..1000 {
        is_well(check());
    }
    assert_eq!(wrong(), before, "{}", server.process.told());
}

#[test]
fn an_api_server_is_ready_or_tells_which_check_failed() {
    let answers = |status, body: &'static str| Fixture::that(move |_| (status, body.to_owned()));
    let ready = answers("200 OK", "ok");
    is_well(kubernetes_at(ready.address));
    assert!(ready.asked()[0].starts_with("GET /readyz HTTP/1.1\r\n"), "{:?}", ready.asked());

    // As an API server without its etcd says it (k8s.io/apiserver, server/healthz).
    let text = "[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\n[+]informer-sync ok\nreadyz check failed\n";
    let report = probed(kubernetes_at(answers("500 Internal Server Error", text).address), LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Unhealthy(Ailment::NotServing)));
    assert_eq!(report.detail, "etcd failed: reason withheld");

    fails(kubernetes_at(answers("401 Unauthorized", "{}").address), Cause::Auth);
    fails(kubernetes_at(answers("500 Internal Server Error", "").address), Cause::Status);
    fails(kubernetes_at(answers("503 Service Unavailable", "no server is available").address), Cause::Status);
}

/// What the status API answers as its documentation has it (api-docs/status).
fn consul(leader: &'static str) -> Fixture {
    Fixture::that(move |first| match first {
        "GET /v1/status/leader" => ("200 OK", format!("{leader:?}")),
        "GET /v1/status/peers" => ("200 OK", r#"["10.1.10.12:8300","10.1.10.11:8300","10.1.10.10:8300"]"#.to_owned()),
        _ => ("404 Not Found", String::new()),
    })
}

#[test]
fn consul_tells_its_leader_and_how_many_servers_there_are() {
    let fixture = consul("10.1.10.12:8300");
    let report = is_well(consul_at(fixture.address));
    assert_eq!(
        (fact(&report, "leader"), fact(&report, "peers")),
        (Some(word("10.1.10.12:8300")), Some(Fact::Count(3)))
    );
    assert_eq!(fixture.asked().len(), 2);
}

#[test]
fn consul_without_a_leader_is_unhealthy() {
    let no_leader = Cause::Unhealthy(Ailment::NoLeader);
    fails(consul_at(consul("").address), no_leader);
    for text in ["No cluster leader", "rpc error getting client: No known Consul servers"] {
        let fixture = Fixture::that(move |_| ("500 Internal Server Error", text.to_owned()));
        fails(consul_at(fixture.address), no_leader);
    }
    let fixture = Fixture::that(|_| ("500 Internal Server Error", "disk failure".to_owned()));
    fails(consul_at(fixture.address), Cause::Status);
    let fixture = Fixture::that(|_| ("200 OK", "<html>".to_owned()));
    fails(consul_at(fixture.address), Cause::Protocol);
}

#[test]
fn a_path_before_the_known_ones_is_kept() {
    let fixture = Fixture::that(|_| ("200 OK", "\"\"".to_owned()));
    let web = Web { path: "/behind/a/proxy/".into(), ..web(fixture.address) };
    fails(Check::Consul(Consul { web }), Cause::Unhealthy(Ailment::NoLeader));
    assert!(fixture.asked()[0].starts_with("GET /behind/a/proxy/v1/status/leader HTTP/1.1\r\n"));
}

#[test]
fn an_endpoint_that_ends_the_connection_after_each_answer_is_asked_again() {
    let port = faults::answering("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\n\"here\"");
    // The second answer is a word too, where a list is due: it was asked for.
    let report = probed(consul_at(port.address), LONG);
    assert_eq!(report.outcome, Outcome::Failure(Cause::Protocol), "{report:?}");
    assert_eq!(fact(&report, "leader"), Some(word("here")));
}
