//! `endpoints` in the configuration: what each type comes to with the least that it needs, with everything, and back again.

use std::fs;
use std::num::{NonZeroU8, NonZeroU16};
use std::path::{Path, PathBuf};
use std::time::Duration;

use netsplit::config::endpoints::{From, MAX_ENDPOINTS, MAX_KEPT};
use netsplit::config::{Config, Effective, Endpoint, Environment, Loaded, MAX_FILE_SIZE, Schedule, load};
use netsplit::probe::web::{Authorization, Web};
use netsplit::probe::{Address, Check, Credentials, Host, Role, Tls};

const REST: &str = "authentication: insecure\npeers: {discovery: {dns: {name: agents.example}}}\n";

fn loaded(rest: &str, environment: &Environment) -> Loaded {
    load("netsplit.yaml", &format!("{REST}{rest}"), environment).unwrap_or_else(|errors| panic!("{errors}"))
}

fn config(rest: &str) -> Config {
    loaded(rest, &Environment::of([("NODE_NAME", "node-1")])).config
}

/// The one endpoint with these keys.
fn endpoint(keys: &str) -> Endpoint {
    let mut all = config(&format!("endpoints: [{{name: a, {keys}}}]\n")).endpoints;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn check(keys: &str) -> Check {
    endpoint(keys).target.check
}

fn at(name: &str, port: u16) -> Address {
    Address { host: Host::Name(name.to_owned()), port }
}

fn login() -> Credentials {
    Credentials { username: "me".to_owned(), password_file: PathBuf::from("/p") }
}

const LOGIN: &str = "username: me, password_file: /p";

/// Everything that a connection is.
type Stream = (Address, Option<Tls>, Option<Credentials>);

/// What it is of a type that is a connection.
fn stream(keys: &str) -> Stream {
    match check(keys) {
        Check::Tcp(tcp) => (tcp.address, tcp.tls, None),
        Check::Grpc(grpc) => (grpc.address, grpc.tls, None),
        Check::Amqp(amqp) => (amqp.address, amqp.tls, amqp.credentials),
        Check::Kafka(kafka) => (kafka.address, kafka.tls, kafka.credentials),
        Check::Redis(redis) => (redis.address, redis.tls, redis.credentials),
        Check::Postgres(postgres) => (postgres.address, postgres.tls, postgres.credentials),
        Check::Mysql(mysql) => (mysql.address, mysql.tls, mysql.credentials),
        other => panic!("{other:?}"),
    }
}

fn web(keys: &str) -> Web {
    match check(keys) {
        Check::Http(http) => http.web,
        Check::Rabbitmq(rabbitmq) => rabbitmq.web,
        Check::Etcd(etcd) => etcd.web,
        Check::Consul(consul) => consul.web,
        Check::Kubernetes(kubernetes) => kubernetes.web,
        Check::Registry(registry) => registry.web,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_schedule_is_that_of_the_design_if_nothing_is_said() {
    let usual = Schedule {
        period: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        failure_threshold: NonZeroU8::new(3).unwrap(),
        success_threshold: NonZeroU8::new(2).unwrap(),
        confirm_period: Duration::from_secs(5),
        from: From::All,
        partition: false,
        keep: false,
    };
    let least = endpoint("type: icmp, host: b");
    assert_eq!((least.schedule, least.target.timeout), (usual, Duration::from_secs(5)));
}

#[test]
fn every_key_of_the_schedule_counts() {
    let given = endpoint(
        "type: tcp, address: \"b:1\", period: 10s, timeout: 9s, failure_threshold: 1, success_threshold: 20, \
         confirm_period: 100ms, from: sample(3), partition: true, keep: true",
    );
    let expected = Schedule {
        period: Duration::from_secs(10),
        timeout: Duration::from_secs(9),
        failure_threshold: NonZeroU8::new(1).unwrap(),
        success_threshold: NonZeroU8::new(20).unwrap(),
        confirm_period: Duration::from_millis(100),
        from: From::Sample(NonZeroU16::new(3).unwrap()),
        partition: true,
        keep: true,
    };
    assert_eq!((given.schedule, given.target.timeout), (expected, Duration::from_secs(9)));
}

#[test]
fn a_connection_is_held_to_whatever_is_one_and_to_a_hundred_at_most() {
    for keys in ["type: tcp, address: \"b:1\", tls: true", "type: grpc, address: \"b:1\"", "type: kafka, address: b"] {
        assert!(endpoint(&format!("{keys}, keep: true")).schedule.keep, "{keys}");
    }
    for kind in ["amqp", "postgres", "mysql", "redis"] {
        assert!(endpoint(&format!("type: {kind}, address: b, {LOGIN}, keep: true")).schedule.keep, "{kind}");
    }
    assert!(!endpoint("type: http, url: \"http://b\", keep: false").schedule.keep, "whoever holds none may say so");
    let entries = |count: usize| -> String {
        let entry = |number| format!("  - {{name: a{number}, type: redis, address: b, keep: true}}\n");
        let others = "  - {name: other, type: redis, address: b}\n";
        format!("endpoints:\n{others}{}", (0..count).map(entry).collect::<String>())
    };
    assert_eq!(config(&entries(MAX_KEPT)).endpoints.len(), MAX_KEPT + 1);
    let environment = Environment::of([("NODE_NAME", "node-1")]);
    let refused = load("f", &format!("{REST}{}", entries(MAX_KEPT + 1)), &environment).unwrap_err();
    let [problem] = refused.problems() else { panic!("{refused}") };
    assert_eq!(problem.message, "101 endpoints are to be kept connected, and 100 may be");
}

#[test]
fn what_is_not_said_goes_with_a_short_period() {
    let short = endpoint("type: icmp, host: b, period: 4s").schedule;
    assert_eq!((short.timeout, short.confirm_period), (Duration::from_secs(2), Duration::from_secs(4)));
}

#[test]
fn every_type_needs_little_and_has_its_own_port() {
    for (kind, port, secure) in [
        ("amqp", 5672, 5671),
        ("kafka", 9092, 9092),
        ("redis", 6379, 6379),
        ("postgres", 5432, 5432),
        ("mysql", 3306, 3306),
    ] {
        assert_eq!(stream(&format!("type: {kind}, address: b")), (at("b", port), None, None), "{kind}");
        let tls = Some(Tls::default());
        let with_all = format!("type: {kind}, address: b, tls: true, {LOGIN}");
        assert_eq!(stream(&with_all), (at("b", secure), tls, Some(login())), "{kind}");
    }
    for kind in ["tcp", "grpc"] {
        assert_eq!(stream(&format!("type: {kind}, address: \"b:7\", tls: false")), (at("b", 7), None, None), "{kind}");
    }
    for (kind, path) in [("http", "/"), ("etcd", ""), ("consul", ""), ("kubernetes", ""), ("registry", "")] {
        let plain = Web { address: at("b", 80), tls: None, path: path.to_owned(), authorization: None };
        assert_eq!(web(&format!("type: {kind}, url: \"http://b\"")), plain, "{kind}");
        let secure = Web { address: at("b", 443), tls: Some(Tls::default()), ..plain };
        assert_eq!(web(&format!("type: {kind}, url: \"https://b/\"")), secure, "{kind}");
    }
    let ip = |text: &str| Host::Ip(text.parse().unwrap());
    let Check::Icmp(icmp) = check("type: icmp, host: \"fd00::1\"") else { panic!("no icmp") };
    assert_eq!(icmp.host, ip("fd00::1"));
    let Check::Dns(dns) = check("type: dns, query: b.example") else { panic!("no dns") };
    assert_eq!((dns.name.as_str(), dns.record.as_str(), dns.server), ("b.example.", "A", None));
    let Check::Dns(dns) = check("type: dns, query: b.example., record: srv, server: 10.0.0.1") else {
        panic!("no dns")
    };
    assert_eq!((dns.record.as_str(), dns.server), ("SRV", Some(Address { host: ip("10.0.0.1"), port: 53 })));
}

#[test]
fn a_request_is_made_and_judged_as_it_is_written() {
    let Check::Http(least) = check("type: http, url: \"http://b/x?y=z\"") else { panic!("no http") };
    assert_eq!((least.method.as_str(), least.http2), ("GET", false));
    assert_eq!((least.expected_status, least.expected_body), (vec![200..=299], None));
    let Check::Http(http) = check(
        "type: http, url: \"http://b\", method: options, headers: {X-B: \"1\", Accept: text/plain}, expected_status: \
         [200-299, 401], expected_body: fine, http2: true",
    ) else {
        panic!("no http")
    };
    let headers = [("Accept", "text/plain"), ("X-B", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!((http.method.as_str(), http.headers, http.http2), ("OPTIONS", headers.to_vec(), true));
    assert_eq!((http.expected_status, http.expected_body.as_deref()), (vec![200..=299, 401..=401], Some("fine")));
    let Check::Http(one) = check("type: http, url: \"http://b\", expected_status: 204") else { panic!("no http") };
    assert_eq!(one.expected_status, [204..=204]);
}

#[test]
fn whoever_asks_over_http_does_so_by_a_password_or_a_token() {
    let by_password = web(&format!("type: rabbitmq, url: \"http://b:15672\", {LOGIN}")).authorization;
    assert_eq!(by_password, Some(Authorization::Basic(login())));
    let by_token = web("type: kubernetes, url: \"https://b\", token_file: /t").authorization;
    assert_eq!(by_token, Some(Authorization::Bearer(PathBuf::from("/t"))));
}

#[test]
fn every_key_of_tls_counts() {
    let options = "ca_file: /ca, certificate_file: /c, key_file: /k, server_name: c, insecure_skip_verify: true";
    let expected = Tls {
        ca_file: Some(PathBuf::from("/ca")),
        identity: Some((PathBuf::from("/c"), PathBuf::from("/k"))),
        server_name: Some("c".to_owned()),
        insecure_skip_verify: true,
    };
    assert_eq!(stream(&format!("type: redis, address: b, tls: {{{options}}}")).1.as_ref(), Some(&expected));
    assert_eq!(web(&format!("type: etcd, url: \"https://b\", tls: {{{options}}}")).tls, Some(expected));
    assert_eq!(stream("type: redis, address: b, tls: {}").1, Some(Tls::default()));
}

#[test]
fn what_only_one_type_has_counts_there() {
    let Check::Tcp(tcp) = check("type: tcp, address: \"b:1\", send: \"a\\r\\n\", expect: b") else { panic!("no tcp") };
    assert_eq!((tcp.send.as_deref(), tcp.expect.as_deref()), (Some("a\r\n"), Some("b")));
    let Check::Grpc(grpc) = check("type: grpc, address: \"b:1\", service: a.v1.B") else { panic!("no grpc") };
    assert_eq!(grpc.service, "a.v1.B");
    let amqp = |more: &str| match check(&format!("type: amqp, address: b, {LOGIN}{more}")) {
        Check::Amqp(amqp) => amqp.virtual_host,
        other => panic!("{other:?}"),
    };
    assert_eq!((amqp(""), amqp(", virtual_host: /orders")), ("/".to_owned(), "/orders".to_owned()));
    let Check::Redis(redis) = check("type: redis, address: b, role: replica, password_file: /p") else {
        panic!("none")
    };
    let nameless = Credentials { username: String::new(), ..login() };
    assert_eq!((redis.role, redis.credentials), (Role::Replica, Some(nameless)));
    let more = format!("address: b, {LOGIN}, database: d, role: primary, max_lag: 5m");
    let Check::Postgres(postgres) = check(&format!("type: postgres, {more}")) else { panic!("no postgres") };
    let lag = Some(Duration::from_secs(300));
    assert_eq!((postgres.database.as_str(), postgres.role, postgres.max_lag), ("d", Role::Primary, lag));
    let Check::Mysql(mysql) = check(&format!("type: mysql, {more}")) else { panic!("no mysql") };
    assert_eq!((mysql.database.as_str(), mysql.role, mysql.max_lag), ("d", Role::Primary, lag));
    let Check::Postgres(postgres) = check("type: postgres, address: b") else { panic!("no postgres") };
    assert_eq!((postgres.database.as_str(), postgres.role, postgres.max_lag), ("postgres", Role::Any, None));
}

#[test]
fn a_variable_fills_in_an_address() {
    let environment = Environment::of([("NODE_NAME", "node-1"), ("HOST_IP", "10.0.0.7")]);
    let text = "endpoints: [{name: kubelet, type: tcp, address: \"${HOST_IP}:10250\"}]\n";
    let Check::Tcp(tcp) = &loaded(text, &environment).config.endpoints[0].target.check else { panic!("no tcp") };
    assert_eq!(tcp.address.to_string(), "10.0.0.7:10250");
}

/// The lines of the shipped file that show endpoints, as a file would have them.
fn shipped() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/netsplit.yaml");
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().skip_while(|line| *line != "# endpoints:").take_while(|line| line.starts_with("# "));
    lines.flat_map(|line| [line.trim_start_matches("# "), "\n"]).collect()
}

#[test]
fn the_examples_of_the_shipped_file_load_and_have_every_type() {
    let text = shipped().replace("\n- ", "\n  - ");
    let Loaded { config, warnings } = loaded(&text, &Environment::of([("NODE_NAME", "node-1")]));
    assert_eq!(warnings.len(), 1, "of authentication only: {warnings:?}");
    let mut types: Vec<&str> = config.endpoints.iter().map(|endpoint| endpoint.target.check.kind()).collect();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), 15, "{types:?}");
}

#[test]
fn what_check_prints_of_endpoints_loads_as_the_same() {
    let odd = "endpoints:\n- {name: a, type: http, url: \"https://[fd00::1]:1/$$x?a={b}\", headers: {X-A: \"a, b: $$\"}, \
        expected_body: \"a\\n'\\\"\", tls: {insecure_skip_verify: true}, token_file: /$$t}\n\
        - {name: b, type: tcp, address: \"[fd00::1]:1\", send: \"\\r\\n: #\", expect: \" x \", from: sample(2)}\n\
        - {name: c, type: icmp, host: \"fd00::1\", period: 1m30s}\n\
        - {name: d, type: mysql, address: b, username: \"me: #\", password_file: /p}\n\
        - {name: e, type: redis, address: b, password_file: /p}\n\
        alerts: {kafka_consumer_lag: 7}\n";
    for text in [odd.to_owned(), shipped().replace("\n- ", "\n  - ")] {
        let config = config(&text);
        let printed = Effective::of(&config).to_yaml().unwrap();
        let environment = Environment::of([("NODE_NAME", "node-1")]);
        let again = load("f", &printed, &environment).unwrap_or_else(|errors| panic!("{errors}\n{printed}"));
        assert_eq!(again.config, config, "{printed}");
    }
}

#[test]
fn endpoints_come_in_order_of_name() {
    let text = "endpoints:\n- {name: b, type: icmp, host: x}\n- {name: a, type: icmp, host: x}\n";
    let names: Vec<String> = config(text).endpoints.into_iter().map(|endpoint| endpoint.name).collect();
    assert_eq!(names, ["a", "b"]);
}

fn listing(count: usize) -> String {
    let entry = |n: usize| {
        format!(
            "- {{name: orders-database-{n}, type: postgres, address: \"db-{n}.example.internal:5432\", username: netsplit, \
             password_file: /run/secrets/netsplit/db-{n}, max_lag: 5m, tls: {{ca_file: /etc/netsplit/ca.pem}}}}\n"
        )
    };
    format!("endpoints:\n{}", (1..=count).map(entry).collect::<String>())
}

#[test]
fn a_thousand_endpoints_load_and_one_more_is_refused() {
    let text = listing(MAX_ENDPOINTS);
    assert!(text.len() * 2 < MAX_FILE_SIZE);
    assert_eq!(config(&text).endpoints.len(), 1000);
    let environment = Environment::of([("NODE_NAME", "node-1")]);
    let errors = load("f", &format!("{REST}{}", listing(MAX_ENDPOINTS + 1)), &environment).unwrap_err();
    assert_eq!(errors.problems()[0].message, "endpoints lists 1001 of them");
}

#[test]
fn the_threshold_of_a_lag_is_that_of_the_file_then_the_variable_then_ten_thousand() {
    let lag = |text: &str, variable: &str| {
        let environment = Environment::of([("NODE_NAME", "a"), ("KAFKA_CONSUMER_LAG_ALERT_THRESHOLD", variable)]);
        load("f", &format!("{REST}{text}"), &environment).map(|loaded| loaded.config.kafka_consumer_lag)
    };
    assert_eq!(lag("alerts: {kafka_consumer_lag: 7}\n", "8"), Ok(7));
    assert_eq!(lag("", "8"), Ok(8));
    assert_eq!(lag("", ""), Ok(10_000));
    assert_eq!(lag("alerts: {}\n", ""), Ok(10_000));
    let told = lag("", "many").unwrap_err().to_string();
    assert!(
        told.contains("the environment variable KAFKA_CONSUMER_LAG_ALERT_THRESHOLD is not a whole number"),
        "{told}"
    );
}

#[test]
fn no_error_shows_a_secret() {
    let environment = Environment::of([("NODE_NAME", "a"), ("URL", "http://me:hunter2@b/")]);
    for entry in [
        "{name: a, type: http, url: \"http://me:hunter2@b/\"}",
        "{name: a, type: http, url: \"http://me:hunter2@b/\", timeout: 0s}",
        "{name: a, type: http, timeout: 0s, url: \"http://me:hun/hunter2@b/\"}",
        "{name: a, type: http, url: \"${URL}\"}",
        "{name: a, type: redis, address: \"me:hunter2@b:6379\"}",
        "{name: a, type: redis, address: b, password: hunter2}",
        "{name: a, type: redis, address: b, token: hunter2, colour: blue}",
        "{name: a, type: http, url: \"http://b\", headers: {Authorization: Bearer hunter2}}",
    ] {
        let errors = load("f", &format!("{REST}endpoints:\n- {entry}\n"), &environment).unwrap_err();
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
        assert!(!serde_json::to_string(&errors).unwrap().contains("hunter2"), "{errors}");
    }
}
