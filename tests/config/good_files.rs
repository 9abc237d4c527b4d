//! The configuration as a user meets it: the shipped files, the documentation, and what a good file comes to.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netsplit::audit;
use netsplit::config::{
    self, Authentication, Config, Discovery, Effective, Endpoint, Environment, Expose, KEYS, MAX_FILE_SIZE, load,
};
use netsplit::detector::settings::{ConfiguredTiming, Member, ModePolicy, Policy, Tie, Timing, WriteQuorum};
use netsplit::discovery::{Cause, DnsSettings, KubernetesSettings};
use proptest::prelude::*;

const LEAST: &str = r#"
peers:
  discovery:
    static:
      - {name: node-1, address: "10.0.0.1:7475", zone: east}
      - {name: node-2, address: "10.0.0.2:7475", zone: east}
      - {name: node-3, address: "10.0.0.3:7475", zone: west}
authentication: {keys: /etc/netsplit/keys}
"#;

const LOOKED_UP: &str = r"
peers:
  discovery:
    dns: {name: netsplit.example.internal}
authentication: {keys: /etc/netsplit/keys}
";

fn environment() -> Environment {
    Environment::of([("NODE_NAME", "node-1")])
}

fn config(text: &str) -> Config {
    load("netsplit.yaml", text, &environment()).unwrap_or_else(|errors| panic!("{errors}")).config
}

/// A good file with `text` below `peers`.
fn with_peers(text: &str) -> Config {
    config(&LEAST.replacen("peers:\n", &format!("peers:\n{text}"), 1))
}

/// The timing of a good file with `text` below `peers`, in a small cluster.
fn timing(text: &str) -> Timing {
    with_peers(text).settings.timing.at(3)
}

/// The static list.
fn list(config: &Config) -> &[Member] {
    let Discovery::Static(list) = &config.discovery else { panic!("{:?}", config.discovery) };
    list
}

fn shipped(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The shipped file with the keys that it leaves out.
fn with_optional_keys(text: &str) -> String {
    let uncommented = |line: &str| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase())) {
            Some(key) => format!("{indent}{key}\n"),
            None => format!("{line}\n"),
        }
    };
    text.lines().map(uncommented).collect()
}

#[test]
fn the_least_file_has_every_default() {
    let config = config(LEAST);
    assert_eq!(config.settings.cluster, "default");
    assert_eq!(config.settings.timing, ConfiguredTiming::of_period(Duration::from_secs(1)));
    assert_eq!(config.source_ports.get(), 4);
    assert_eq!(config.settings.mode, ModePolicy::default());
    assert_eq!(config.listen, "[::]:7475".parse::<SocketAddr>().unwrap());
    assert_eq!(config.authentication, Authentication::Keys(PathBuf::from("/etc/netsplit/keys")));
    assert_eq!(config.http_listen, "[::]:7476".parse::<SocketAddr>().unwrap());
    assert_eq!((config.settings.node.http_port, config.settings.node.host), (Some(7476), None));
    assert_eq!(config.settings.node, list(&config)[0]);
    assert_eq!(config.state_directory, PathBuf::from("/var/lib/netsplit"));
    assert_eq!(config.http_expose, Expose::Minimal);
    assert_eq!((config.endpoints.len(), config.kafka_consumer_lag), (0, 10_000));
    let path = PathBuf::from("/var/log/partition-events.log");
    assert_eq!(config.audit, audit::Settings { path, max_size: 16 * 1024 * 1024, keep: 4, stdout: true });
    assert_eq!(
        list(&config).iter().map(|member| member.name.as_str()).collect::<Vec<_>>(),
        ["node-1", "node-2", "node-3"]
    );
}

#[test]
fn a_name_to_look_up_needs_no_more_than_itself() {
    let config = config(&format!("{LOOKED_UP}node: {{zone: east}}\nlisten: \"0.0.0.0:7000\"\n"));
    let absolute = "netsplit.example.internal.".to_owned();
    assert_eq!(config.discovery, Discovery::Dns(DnsSettings { name: absolute, port: 7475, server: None }));
    // The own address is nobody's: whoever hears it takes the one that it comes from.
    let nowhere = "[::]:7475".parse().unwrap();
    assert_eq!(config.settings.node, Member { http_port: Some(7476), ..Member::new("node-1", "east", nowhere) });
}

#[test]
fn every_key_of_a_name_to_look_up_counts() {
    let text = LOOKED_UP.replace("{name:", "{server: \"10.96.0.10:53\", port: 7000, name:");
    let Discovery::Dns(dns) = config(&text).discovery else { panic!("{text}") };
    assert_eq!((dns.port, dns.server), (7000, Some("10.96.0.10:53".parse().unwrap())));
}

#[test]
fn a_service_needs_no_more_than_its_name_and_takes_every_key() {
    let of = |fields: &str| {
        let text = LOOKED_UP.replace("dns: {name: netsplit.example.internal}", &format!("kubernetes: {{{fields}}}"));
        let config = config(&format!("{text}listen: \"[::]:7000\"\n"));
        let Discovery::Kubernetes(settings) = config.discovery else { panic!("{text}") };
        (settings, config.settings.node)
    };
    let (settings, node) = of("service: agents");
    let expected = KubernetesSettings { service: "agents".into(), namespace: None, kubeconfig: None };
    assert_eq!(settings, expected);
    // The zone comes with the list; the address is where its heartbeats come from, at the port where it listens.
    let nowhere = "[::]:7000".parse().unwrap();
    assert_eq!(node, Member { http_port: Some(7476), ..Member::new("node-1", "", nowhere) });
    let (settings, _) = of("service: agents, namespace: observability, kubeconfig: /etc/kubeconfig");
    assert_eq!(
        (settings.namespace, settings.kubeconfig),
        (Some("observability".into()), Some("/etc/kubeconfig".into()))
    );
}

#[test]
fn the_shipped_file_shows_every_key_of_a_service() {
    let text = shipped("config/netsplit.yaml");
    let (_, line) = text.split_once("# kubernetes: {").unwrap();
    let (fields, _) = line.split_once('}').unwrap();
    let text = LOOKED_UP.replace("dns: {name: netsplit.example.internal}", &format!("kubernetes: {{{fields}}}"));
    let Discovery::Kubernetes(shown) = config(&text).discovery else { panic!("{fields}") };
    assert!(shown.namespace.is_some() && shown.kubeconfig.is_some(), "{fields}");
}

#[test]
fn the_shipped_file_shows_the_defaults_of_the_code() {
    let text = shipped("config/netsplit.yaml");
    let loaded = load("netsplit.yaml", &text, &environment()).unwrap();
    assert_eq!((loaded.config, loaded.warnings), (config(LEAST), vec![]));
    let (mut shown, least) = (config(&with_optional_keys(&text)), config(LEAST));
    // Written out they stay, left out they go with the period.
    assert_eq!(shown.settings.timing.at(1), least.settings.timing.at(1));
    shown.settings.timing.timeout = None;
    shown.settings.timing.confirm_period = None;
    assert_eq!(shown, least);
}

#[test]
fn the_shipped_file_shows_the_defaults_of_a_name_to_look_up() {
    let text = shipped("config/netsplit.yaml");
    let (_, line) = text.split_once("# dns: {").unwrap();
    let (fields, _) = line.split_once('}').unwrap();
    let Discovery::Dns(shown) = config(&LOOKED_UP.replace("name: netsplit.example.internal", fields)).discovery else {
        panic!("{fields}")
    };
    let Discovery::Dns(default) = config(LOOKED_UP).discovery else { panic!("{LOOKED_UP}") };
    assert!(fields.contains("port: ") && fields.contains("server: "), "{fields}");
    assert_eq!((shown.name, shown.port), (default.name, default.port));
}

#[test]
fn the_shipped_file_has_every_key() {
    let text = with_optional_keys(&shipped("config/netsplit.yaml"));
    for path in KEYS {
        let key = path.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("{key}: ")) || text.contains(&format!("{key}:\n")), "{path}");
    }
}

#[test]
fn the_documentation_has_every_key() {
    let text = shipped("docs/configuration.md");
    for path in KEYS {
        assert!(text.contains(&format!("| `{path}` |")), "{path} has no row in docs/configuration.md");
    }
}

/// What the documentation says of each key: its default and what it does.
fn documented() -> Vec<(String, String, String)> {
    let rows = shipped("docs/configuration.md");
    let rows = rows.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 4);
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        let key = cells.next().unwrap().trim_matches('`').to_owned();
        (key, cells.nth(1).unwrap(), cells.nth(1).unwrap())
    })
    .collect()
}

/// The least file with one more value, `key` being `section.key`.
fn with_value(key: &str, value: &str) -> String {
    let value = format!("\"{value}\"");
    match key.split_once('.') {
        None => format!("{LEAST}{key}: {value}\n"),
        Some(("peers", key)) => LEAST.replacen("peers:\n", &format!("peers:\n  {key}: {value}\n"), 1),
        Some((section, key)) => format!("{LEAST}{section}: {{{key}: {value}}}\n"),
    }
}

/// An endpoint of a type that has `key`, with and, if `value` is empty, without it.
fn endpoint_with(key: &str, value: &str) -> Endpoint {
    let least = match key {
        "record" => "type: dns, query: a.b",
        "method" | "expected_status" | "http2" => "type: http, url: \"http://a\"",
        "virtual_host" => "type: amqp, address: a, username: u, password_file: /p",
        "role" => "type: redis, address: a",
        _ => "type: tcp, address: \"a:1\"",
    };
    let more = match (key.split_once('.'), value) {
        (_, "") => String::new(),
        (None, _) => format!(", {key}: \"{value}\""),
        (Some((above, key)), _) => format!(", {above}: {{{key}: \"{value}\"}}"),
    };
    let tls = if key.starts_with("tls.") && value.is_empty() { ", tls: true" } else { "" };
    endpoints(&format!("{{name: a, {least}{more}{tls}}}")).remove(0)
}

/// The endpoints of a good file that lists these.
fn endpoints(list: &str) -> Vec<Endpoint> {
    config(&format!("{LEAST}endpoints: [{list}]\n")).endpoints
}

#[test]
fn the_documentation_has_the_defaults_of_the_code() {
    let mut checked = Vec::new();
    for (key, default, _) in documented() {
        let is_one_value = |text: &str| !text.contains('`') && !text.contains(' ');
        let value = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(&default);
        let is_a_literal = default.starts_with('`') || default.starts_with(|c: char| c.is_ascii_digit());
        if !is_a_literal || !is_one_value(value) {
            continue;
        }
        if key == "peers.discovery.dns.port" {
            let text = LOOKED_UP.replace("{name:", &format!("{{port: {value}, name:"));
            assert_eq!(config(&text), config(LOOKED_UP), "{key}");
        } else if let Some(key) = key.strip_prefix("endpoints.") {
            assert_eq!(endpoint_with(key, value), endpoint_with(key, ""), "{key}");
        } else {
            assert_eq!(config(&with_value(&key, value)), config(LEAST), "{key}");
        }
        checked.push(key);
    }
    // Of these the documentation says in words what they are by default.
    let of_endpoints = [
        "",
        ".name",
        ".type",
        ".timeout",
        ".confirm_period",
        ".url",
        ".address",
        ".host",
        ".query",
        ".server",
        ".tls",
        ".tls.ca_file",
        ".tls.certificate_file",
        ".tls.key_file",
        ".tls.server_name",
        ".username",
        ".password_file",
        ".token_file",
        ".headers",
        ".expected_body",
        ".send",
        ".expect",
        ".service",
        ".database",
        ".max_lag",
    ];
    let of_endpoints = of_endpoints.map(|key| format!("endpoints{key}"));
    let in_words = [
        "alerts.kafka_consumer_lag",
        "node.name",
        "node.zone",
        "node.pod_address",
        "node.host_address",
        "peers.period",
        "peers.timeout",
        "peers.confirm_period",
        "authentication.keys",
    ];
    for key in KEYS {
        let is_of_discovery = key.starts_with("peers.discovery.") && key != "peers.discovery.dns.port";
        let is_in_words = is_of_discovery || in_words.contains(&key) || of_endpoints.iter().any(|known| known == key);
        assert_eq!(checked.iter().any(|checked| checked == key), !is_in_words, "{key}");
    }
}

#[test]
fn a_default_that_is_not_that_of_the_code_would_be_noticed() {
    for (key, other) in [
        ("cluster", "other"),
        ("listen", "[::]:7474"),
        ("http.listen", "[::]:7477"),
        ("http.expose", "all"),
        ("peers.profile", "fast"),
        ("peers.failure_threshold", "4"),
        ("peers.success_threshold", "4"),
        ("mode.policy", "ap"),
        ("mode.tie", "lowest"),
        ("mode.write_quorum", "2"),
        ("audit.path", "/other"),
        ("audit.max_size", "17MiB"),
        ("audit.keep", "5"),
        ("audit.stdout", "false"),
        ("state.directory", "/other"),
    ] {
        assert_ne!(load("f", &with_value(key, other), &environment()).unwrap().config, config(LEAST), "{key}");
    }
}

#[test]
fn the_documentation_says_of_every_key_whether_a_change_needs_a_restart() {
    // Of these it depends on what they change from and to.
    let in_part = [
        "peers.discovery.static",
        "peers.discovery.dns",
        "peers.discovery.kubernetes",
        "authentication.keys",
        "authentication: insecure",
    ];
    for (key, _, does) in documented().into_iter().filter(|(key, ..)| !in_part.contains(&key.as_str())) {
        assert_eq!(does.contains("Needs a restart."), config::needs_restart(&key), "{key}");
    }
    for key in in_part {
        let (_, _, does) = documented().into_iter().find(|(documented, ..)| documented == key).unwrap();
        assert!(does.contains("a restart."), "{key}");
    }
}

#[test]
fn the_documentation_has_no_key_that_does_not_exist() {
    let text = shipped("docs/configuration.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    for (key, _) in rows {
        assert!(KEYS.contains(&key) || key == "authentication: insecure", "{key}");
    }
}

#[test]
fn the_documentation_has_every_cause_of_a_failed_discovery() {
    let text = shipped("docs/configuration.md");
    for cause in Cause::ALL {
        assert!(text.contains(&format!("- `{}`: ", cause.as_str())), "{cause:?}");
    }
}

#[test]
fn the_list_of_keys_is_that_of_the_schema() {
    for (above, text) in [
        ("", "x: 1".to_owned()),
        ("node.", "node: {x: 1}".into()),
        ("http.", "http: {x: 1}".into()),
        ("peers.", "peers: {x: 1}".into()),
        ("peers.discovery.", "peers: {discovery: {x: 1}}".into()),
        ("peers.discovery.static.", "peers: {discovery: {static: [{x: 1}]}}".into()),
        ("peers.discovery.dns.", "peers: {discovery: {dns: {x: 1}}}".into()),
        ("peers.discovery.kubernetes.", "peers: {discovery: {kubernetes: {x: 1}}}".into()),
        ("authentication.", "authentication: {x: 1}".into()),
        ("mode.", "mode: {x: 1}".into()),
        ("endpoints.", "endpoints: [{x: 1}]".into()),
        ("endpoints.tls.", "endpoints: [{tls: {x: 1}}]".into()),
        ("alerts.", "alerts: {x: 1}".into()),
        ("audit.", "audit: {x: 1}".into()),
        ("state.", "state: {x: 1}".into()),
    ] {
        let errors = load("f", &text, &environment()).unwrap_err();
        let known = errors.problems()[0].hint.split_once("known here: ").map(|(_, known)| known.to_owned()).unwrap();
        let mut ours: Vec<&str> = KEYS.iter().filter_map(|key| key.strip_prefix(above)?.split('.').next()).collect();
        ours.sort_unstable();
        ours.dedup();
        let mut theirs: Vec<&str> = known.split(", ").collect();
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{above}");
    }
}

#[test]
fn the_examples_load_without_a_warning() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples")).unwrap() {
        let loaded = config::read(&entry.unwrap().path(), &environment()).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.warnings, []);
    }
}

#[test]
fn a_profile_sets_the_period_and_what_follows_from_it() {
    assert_eq!(timing("  profile: fast\n"), Timing::of_period(Duration::from_millis(200)));
    assert_eq!(timing("  profile: relaxed\n"), Timing::of_period(Duration::from_secs(30)));
    assert_eq!(timing("  profile: relaxed\n").detection_bound(), Duration::from_secs(41));
}

#[test]
fn a_period_counts_before_the_profile() {
    assert_eq!(timing("  profile: relaxed\n  period: 2s\n"), Timing::of_period(Duration::from_secs(2)));
}

#[test]
fn a_longer_timeout_makes_the_confirm_period_longer_too() {
    // d = max(T, min(P/6, 5 s)), DESIGN section 3.
    assert_eq!(timing("  timeout: 800ms\n").confirm_period, Duration::from_millis(800));
    assert_eq!(timing("  timeout: 10ms\n").confirm_period, Duration::from_secs(1) / 6);
}

#[test]
fn every_timing_key_counts() {
    let given = timing("  timeout: 100ms\n  confirm_period: 300ms\n  failure_threshold: 5\n  success_threshold: 1\n");
    assert_eq!((given.timeout, given.confirm_period), (Duration::from_millis(100), Duration::from_millis(300)));
    assert_eq!((given.failure_threshold.get(), given.success_threshold.get()), (5, 1));
}

#[test]
fn in_a_large_cluster_the_period_is_as_long_as_the_cap_makes_it() {
    let period = |text: &str, nodes| with_peers(text).settings.timing.at(nodes).period;
    assert_eq!(period("", 251), Duration::from_secs(1));
    assert_eq!(period("", 1001), Duration::from_secs(4));
    assert_eq!(period("  max_heartbeats_per_second: 500\n", 1001), Duration::from_secs(2));
    assert_eq!(period("  max_heartbeats_per_second: unlimited\n", 1001), Duration::from_secs(1));
    assert_eq!(period("  profile: fast\n", 1001), Duration::from_millis(200), "it has no cap");
    assert_eq!(period("  profile: fast\n  max_heartbeats_per_second: 250\n", 1001), Duration::from_secs(4));
}

#[test]
fn what_is_written_stays_where_the_period_stretches() {
    let timing = with_peers("  timeout: 300ms\n").settings.timing.at(1001);
    // P/6 of 4 s, DESIGN section 3.
    assert_eq!((timing.timeout, timing.confirm_period), (Duration::from_millis(300), Duration::from_secs(4) / 6));
}

#[test]
fn the_number_of_source_ports_counts() {
    assert_eq!(with_peers("  source_ports: 1\n").source_ports.get(), 1);
    assert_eq!(with_peers("  source_ports: 16\n").source_ports.get(), 16);
}

#[test]
fn every_mode_key_counts() {
    let mode = config(&format!("{LEAST}mode: {{policy: ap, tie: lowest, write_quorum: 3}}\n")).settings.mode;
    assert_eq!(mode, ModePolicy { policy: Policy::Ap, tie: Tie::Lowest, write_quorum: WriteQuorum::AtLeast(3) });
}

#[test]
fn every_audit_key_counts_and_so_does_the_exposure() {
    let audit = "audit: {path: events.log, max_size: 512KiB, keep: 1, stdout: false}\nhttp: {expose: all}\n";
    let config = config(&format!("{LEAST}{audit}"));
    let path = PathBuf::from("events.log");
    assert_eq!(config.audit, audit::Settings { path, max_size: 512 * 1024, keep: 1, stdout: false });
    assert_eq!(config.http_expose, Expose::All);
}

#[test]
fn the_ends_of_the_ranges_of_the_log_are_within() {
    for (max_size, keep) in [("64KiB", 1), ("1GiB", 100)] {
        let audit = config(&format!("{LEAST}audit: {{max_size: {max_size}, keep: {keep}}}\n")).audit;
        assert_eq!((config::Size(audit.max_size).to_string().as_str(), audit.keep), (max_size, keep));
    }
}

#[test]
fn the_state_has_a_directory_of_its_own() {
    let directory = |text: &str| config(&format!("{LEAST}state: {text}\n")).state_directory;
    assert_eq!(directory("{directory: /data/netsplit}"), PathBuf::from("/data/netsplit"));
    assert_eq!(directory("{directory: here}"), PathBuf::from("here"), "as authentication.keys");
    assert_eq!(directory("{}"), PathBuf::from("/var/lib/netsplit"));
}

#[test]
fn the_nodes_own_zone_counts_before_the_list() {
    let config = config(&format!("{LEAST}node: {{zone: north}}\n"));
    assert_eq!((config.settings.node.zone.as_str(), list(&config)[0].zone.as_str()), ("north", "north"));
}

/// What this node says of itself with `text` below `node`, and `http.listen`.
fn own_node(text: &str, http: &str) -> Member {
    config(&format!("{LEAST}node: {{{text}}}\nhttp: {{listen: \"{http}\"}}\n")).settings.node
}

#[test]
fn a_node_is_reached_at_its_pod_address_and_pinged_at_its_host() {
    let node = own_node("pod_address: 10.9.9.9, host_address: \"fd00::1\"", "[::]:80");
    assert_eq!((node.address, node.host), ("10.9.9.9:7475".parse().unwrap(), Some("fd00::1".parse().unwrap())));
    let node = own_node("pod_address: \"\", host_address: \"\"", "[::]:80");
    assert_eq!((node.address, node.host), ("10.0.0.1:7475".parse().unwrap(), None));
    let node = own_node("host_address: 10.0.0.1", "[::]:80");
    assert_eq!(node.host, None, "it is the agent's own");
}

#[test]
fn an_http_port_that_peers_do_not_find_at_the_agents_address_is_not_told() {
    for (listen, told) in [
        ("[::]:80", Some(80)),
        ("0.0.0.0:81", Some(81)),
        ("10.0.0.1:82", Some(82)),
        ("127.0.0.1:83", None),
        ("[::1]:84", None),
        ("10.0.0.9:85", None),
    ] {
        assert_eq!(own_node("", listen).http_port, told, "{listen}");
    }
}

#[test]
fn the_nodes_name_is_that_of_the_file_then_the_variable_then_the_host() {
    let name = |text: &str, environment: Environment| load("f", text, &environment).unwrap().config.settings.node.name;
    let named = format!("{LEAST}node: {{name: node-3}}\n");
    assert_eq!(name(&named, environment().on_host("node-2")), "node-3");
    assert_eq!(name(LEAST, environment().on_host("node-2")), "node-1");
    assert_eq!(name(LEAST, Environment::default().on_host("node-2")), "node-2");
    assert_eq!(name(LEAST, Environment::of([("NODE_NAME", "")]).on_host("node-2")), "node-2");
}

#[test]
fn a_variable_can_fill_in_a_number() {
    let text = LEAST.replacen("peers:\n", "peers:\n  failure_threshold: ${N:-7}\n", 1);
    assert_eq!(config(&text).settings.timing.failure_threshold.get(), 7);
}

#[test]
fn a_variable_cannot_add_a_key() {
    let environment = Environment::of([("NODE_NAME", "node-1"), ("ZONE", "a\nlisten: 1")]);
    assert!(load("f", &format!("{LEAST}node: {{zone: \"${{ZONE}}\"}}\n"), &environment).is_err());
}

#[test]
fn a_thousand_nodes_load() {
    let entry =
        |n: u32| format!("      - {{name: node-{n}, address: \"10.0.{}.{}:7475\", zone: z}}\n", n / 256, n % 256);
    let entries: String = (1..=1000).map(entry).collect();
    let text = format!("authentication: insecure\npeers:\n  discovery:\n    static:\n{entries}");
    assert!(text.len() * 10 < MAX_FILE_SIZE);
    assert_eq!(list(&config(&text)).len(), 1000);
}

#[test]
fn what_check_prints_loads_as_the_same_configuration() {
    let odd = format!(
        "{}cluster: $$a\nmode: {{write_quorum: 3}}\nhttp: {{listen: \"127.0.0.1:80\", expose: all}}\nstate: {{directory: /a$$b}}\n\
         audit: {{path: /b$$c, max_size: 100KiB, keep: 9, stdout: false}}\n\
         node: {{pod_address: 10.9.9.9, host_address: \"fd00::1\"}}\n",
        LEAST.replacen("peers:\n", "peers:\n  period: 33ms\n  timeout: 9ms\n  source_ports: 1\n", 1)
    );
    let insecure = LEAST.replace("{keys: /etc/netsplit/keys}", "insecure");
    let fast = LEAST.replacen("peers:\n", "peers:\n  profile: fast\n", 1);
    let looked_up = format!("{LOOKED_UP}node: {{zone: east}}\n");
    let elsewhere = LOOKED_UP.replace("{name:", "{server: \"[fd00::1]:5353\", port: 7000, name:");
    for text in [LEAST, &odd, &insecure, &fast, &looked_up, &elsewhere] {
        assert_eq!(config(&Effective::of(&config(text)).to_yaml().unwrap()), config(text));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let said = |name: &str, bytes: Option<&[u8]>| {
        let path = directory.path().join(name);
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).unwrap();
        }
        let errors = config::read(&path, &environment()).unwrap_err().to_string();
        errors.replace(&directory.path().display().to_string(), "/dir")
    };
    let large = vec![b'#'; MAX_FILE_SIZE + 1];
    let all = [
        said("missing.yaml", None),
        said("", None),
        said("latin-1.yaml", Some(b"# fine\ncluster: caf\xe9\n")),
        said("large.yaml", Some(&large)),
        said("empty.yaml", Some(b"")),
    ];
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(all.join("\n\n")) });
}

proptest! {
    #[test]
    fn loading_never_panics(text in "((cluster|node|peers|static|name|period|mode)[:] ?|[ \\n{}\\[\\]\"'$-]|1s|&a|\\*a|<<|\\PC){0,60}") {
        let _ = load("f", &text, &environment()).map_err(|errors| errors.to_string());
    }

    #[test]
    fn every_good_timing_keeps_its_rules(period in 10u64..=600_000, part in 0.01f64..0.99) {
        let period = Duration::from_millis(period);
        let timeout = period.mul_f64(part).max(Duration::from_millis(1));
        let timing = timing(&format!("  period: {}\n  timeout: {}\n", config::Human(period), config::Human(timeout)));
        prop_assert!(timing.timeout < timing.period);
        prop_assert!(timing.timeout <= timing.confirm_period && timing.confirm_period <= timing.period);
    }
}
