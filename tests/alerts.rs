//! The shipped alerts: they parse, their promtool tests pass and leave none out, and everything they name exists.
//!
//! It needs promtool and amtool of the Debian packages `prometheus` and `prometheus-alertmanager`; what real agents make of
//! the rules is in `alert_end_to_end`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod needs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// The promtool tests of the rules.
const TESTS: [&str; 2] = ["netsplit.rules.test.yaml", "remote-write.rules.test.yaml"];

/// The labels that an alert may have: more would tell the same thing once a node.
const LABELS: [&str; 13] = [
    "channel",
    "cluster",
    "endpoint",
    "group",
    "job",
    "kind",
    "namespace",
    "peer",
    "reason",
    "remote_name",
    "seen_from",
    "severity",
    "type",
];

/// Alerts whose severity is not `warning`, or not always.
const SEVERITIES: [(&str, &[&str]); 6] = [
    ("NetworkPartitionDetected", &["critical"]),
    ("EndpointUnreachable", &["critical", "warning"]),
    ("KnativeBrokerUnreachable", &["critical"]),
    ("KafkaBrokerUnreachable", &["critical"]),
    ("KafkaConsumerLag", &["info", "warning", "critical"]),
    ("RemoteWriteQueueFull", &["critical", "warning"]),
];

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn parse(file: &str) -> Value {
    serde_yaml::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// One alerting rule.
struct Rule {
    name: String,
    /// Those that it sets itself.
    labels: BTreeMap<String, Value>,
    annotations: Value,
}

fn rules() -> Vec<Rule> {
    let file = parse("alerts/netsplit.rules.yaml");
    let all = list(&file["groups"]).flat_map(|group| list(&group["rules"]));
    let rules = all.filter_map(|rule| {
        let labels = rule["labels"].as_object().cloned().unwrap_or_default().into_iter().collect();
        Some(Rule { name: rule["alert"].as_str()?.to_owned(), labels, annotations: rule["annotations"].clone() })
    });
    let rules: Vec<Rule> = rules.collect();
    assert!(rules.len() > 8, "the rules were read");
    rules
}

fn names() -> BTreeSet<String> {
    rules().into_iter().map(|rule| rule.name).collect()
}

/// What one promtool test says of one alert: the labels of those that are to fire, none if it is to stay silent.
fn expectations() -> Vec<(String, Vec<Value>)> {
    let files = TESTS.map(|file| parse(&format!("alerts/{file}")));
    let all = files.iter().flat_map(|file| list(&file["tests"])).flat_map(|test| list(&test["alert_rule_test"]));
    let fired = |test: &Value| list(&test["exp_alerts"]).map(|alert| alert["exp_labels"].clone()).collect();
    all.map(|test| (test["alertname"].as_str().unwrap().to_owned(), fired(test))).collect()
}

/// Runs a program of Prometheus or Alertmanager, which must be content. Nothing, with the reason told, where it is missing.
fn content(program: &str, arguments: &[&str]) {
    match Command::new(program).args(arguments).current_dir(path("alerts")).output() {
        Ok(output) => {
            let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{program} {arguments:?}: {said}{complained}");
        }
        Err(error) => needs::skip(&format!("there is no `{program}` ({error}): run 'make install-test-needs' as root")),
    }
}

/// A file for a program to read.
fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join(name);
    fs::write(&place, text).unwrap();
    (directory, place.to_str().unwrap().to_owned())
}

#[test]
fn the_rules_parse_and_their_tests_pass() {
    content("promtool", &["check", "rules", "netsplit.rules.yaml"]);
    for tests in TESTS {
        content("promtool", &["test", "rules", tests]);
    }
}

#[test]
fn the_names_of_older_installations_are_made_as_the_document_says_and_their_tests_pass() {
    content("promtool", &["check", "rules", "compatibility.rules.yaml"]);
    content("promtool", &["test", "rules", "compatibility.rules.test.yaml"]);
    let file = parse("alerts/compatibility.rules.yaml");
    let rules = list(&file["groups"]).flat_map(|group| list(&group["rules"]));
    let made: BTreeSet<&str> = rules.map(|rule| rule["record"].as_str().unwrap()).collect();
    let rows = table(&read("docs/alerts.md"), "| name |");
    assert_eq!(made, rows.iter().map(|row| row[0].as_str()).collect());
    let tests = read("alerts/compatibility.rules.test.yaml");
    for name in made {
        assert!(tests.contains(name), "{name} has no test");
        let asking = ["alerts/netsplit.rules.yaml", "scripts/dashboards.py"].map(read);
        assert!(asking.iter().all(|text| !text.contains(name)), "nothing of ours asks for {name}");
    }
}

#[test]
fn the_scrape_configurations_are_ones_of_prometheus() {
    content("promtool", &["check", "config", "prometheus-scrape.example.yaml"]);
    // The Prometheus of Debian was built without Kubernetes: all but the discovery is checked.
    let mut kubernetes = parse("alerts/prometheus-scrape-kubernetes.example.yaml");
    kubernetes["rule_files"] = json!([path("alerts/netsplit.rules.yaml")]);
    for scrape in kubernetes["scrape_configs"].as_array_mut().unwrap() {
        let discovery = scrape.as_object_mut().unwrap().remove("kubernetes_sd_configs").unwrap();
        assert_eq!(discovery, json!([{"role": "pod", "namespaces": {"names": ["observability"]}}]));
    }
    let (_directory, place) = file("prometheus.yaml", &kubernetes.to_string());
    content("promtool", &["check", "config", &place]);
}

#[test]
fn the_scrape_configurations_call_the_job_as_the_rules_do_and_name_the_node() {
    let text = read("alerts/netsplit.rules.yaml");
    let (pods, hosts) = ("network-partition-detector", "network-partition-detector-host");
    assert!(text.contains(&format!("up{{job=~\"{pods}(-host)?\"}}")));
    for (file, jobs) in [
        ("alerts/prometheus-scrape.example.yaml", &[pods][..]),
        ("alerts/prometheus-scrape-kubernetes.example.yaml", &[pods, hosts]),
    ] {
        let configuration = parse(file);
        let scrapes: Vec<&Value> = list(&configuration["scrape_configs"]).collect();
        assert_eq!(
            scrapes.iter().map(|scrape| scrape["job_name"].as_str().unwrap()).collect::<Vec<_>>(),
            jobs,
            "{file}"
        );
        for scrape in scrapes {
            assert_eq!(scrape["scrape_interval"], "10s", "{file}");
            let relabelled = list(&scrape["relabel_configs"]).any(|rule| rule["target_label"] == "node");
            let labelled = list(&scrape["static_configs"]).all(|target| target["labels"]["node"].is_string());
            assert!(relabelled || (labelled && scrape["static_configs"].is_array()), "{file} gives no label `node`");
        }
    }
}

/// A pod of an agent as the discovery finds it: the labels of one target, at this address of it.
fn pod(app: &str, first: &str, at: &str, port: &str) -> Value {
    json!({"targets": [at], "labels": {
        "__meta_kubernetes_pod_label_app": app,
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_ip": first,
        "__meta_kubernetes_pod_container_port_number": port,
        "__meta_kubernetes_pod_node_name": format!("node of {first}"),
        "__meta_kubernetes_endpointslice_address_type": if at.starts_with('[') { "IPv6" } else { "IPv4" },
    }})
}

/// The labels of the targets that Prometheus makes of what it found. Those without a difference are one target.
fn targets(job: &str, relabelling: &Value, found: &[Value]) -> Option<BTreeSet<String>> {
    let configuration = json!({"scrape_configs": [
        {"job_name": job, "relabel_configs": relabelling, "static_configs": found},
    ]});
    let (_directory, place) = file("prometheus.yaml", &configuration.to_string());
    let output =
        match Command::new("promtool").args(["check", "service-discovery", &place, job, "--timeout=2s"]).output() {
            Ok(output) => output,
            Err(error) => {
                needs::skip(&format!("there is no `promtool` ({error}): run 'make install-test-needs' as root"));
                return None;
            }
        };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list(&all).count(), found.len(), "all were found: {all}");
    let labels = list(&all).filter_map(|target| target["labels"].as_object()).filter(|labels| !labels.is_empty());
    Some(labels.map(|labels| json!(labels).to_string()).collect())
}

/// Those that the operator has in other letters, as Prometheus has them.
fn relabelling_of_the_monitor() -> Value {
    let monitor = parse("daemonset/overlays/monitoring/servicemonitor.yaml");
    let rules = list(&monitor["spec"]["endpoints"][0]["relabelings"]);
    let names = [("sourceLabels", "source_labels"), ("targetLabel", "target_label")];
    let renamed =
        |key: &str| names.iter().find(|(of_operator, _)| *of_operator == key).map_or(key, |(_, own)| own).to_owned();
    rules
        .map(|rule| {
            rule.as_object().unwrap().iter().map(|(key, value)| (renamed(key), value.clone())).collect::<Value>()
        })
        .collect()
}

#[test]
fn an_agent_is_one_target_whatever_addresses_it_has() {
    let kubernetes = parse("alerts/prometheus-scrape-kubernetes.example.yaml");
    let (pods, hosts) = (&kubernetes["scrape_configs"][0], &kubernetes["scrape_configs"][1]);
    let app = "network-partition-detector";
    let host = "network-partition-detector-host";
    // The example finds pods, each port of theirs; the monitor the EndpointSlices of both families, with the one port.
    for (job, port, relabelling) in [
        (app, "7476", pods["relabel_configs"].clone()),
        (host, "7478", hosts["relabel_configs"].clone()),
        (app, "7476", relabelling_of_the_monitor()),
        (host, "7478", relabelling_of_the_monitor()),
    ] {
        for (first, expected, found) in [
            ("10.0.0.1", "10.0.0.1", &["10.0.0.1", "[fd00::1]"][..]),
            ("fd00::1", "[fd00::1]", &["10.0.0.1", "[fd00::1]"]),
            ("10.0.0.1", "10.0.0.1", &["10.0.0.1"]),
            ("fd00::1", "[fd00::1]", &["[fd00::1]"]),
        ] {
            let found: Vec<Value> = found.iter().map(|at| pod(job, first, &format!("{at}:{port}"), port)).collect();
            let Some(targets) = targets(job, &relabelling, &found) else { return };
            assert_eq!(targets.len(), 1, "{job}, {first}: {targets:?}");
            let target: Value = serde_json::from_str(targets.first().unwrap()).unwrap();
            assert_eq!(target["instance"], format!("{expected}:{port}"));
            assert_eq!(target["node"], format!("node of {first}"));
        }
        // Two agents stay two, and one whose pod has ended is none.
        let mut ended = pod(job, "10.0.0.3", &format!("10.0.0.3:{port}"), port);
        ended["labels"]["__meta_kubernetes_pod_phase"] = json!("Succeeded");
        let found = [
            pod(job, "10.0.0.1", &format!("10.0.0.1:{port}"), port),
            pod(job, "10.0.0.2", &format!("10.0.0.2:{port}"), port),
            ended,
        ];
        assert_eq!(targets(job, &relabelling, &found).map(|all| all.len()), Some(2), "{job}");
    }
}

#[test]
fn the_operator_of_prometheus_gets_the_same_rules_and_finds_the_same_agents() {
    let overlay = |name: &str| parse(&format!("daemonset/overlays/monitoring/{name}.yaml"))["spec"].clone();
    assert_eq!(
        overlay("prometheusrule")["groups"],
        parse("alerts/netsplit.rules.yaml")["groups"],
        "run scripts/prometheusrule.py"
    );
    let monitor = overlay("servicemonitor");
    let endpoint = &monitor["endpoints"][0];
    assert_eq!((&endpoint["interval"], &endpoint["port"]), (&json!("10s"), &json!("http")));
    assert!(list(&endpoint["relabelings"]).any(|rule| rule["targetLabel"] == "node"));
    // The job is the label `app` of the Service, and so the name of the DaemonSet.
    assert_eq!(monitor["jobLabel"], "app");
    let apps = json!(["network-partition-detector", "network-partition-detector-host"]);
    assert_eq!(monitor["selector"]["matchExpressions"], json!([{"key": "app", "operator": "In", "values": apps}]));
}

#[test]
fn the_operator_of_prometheus_gets_the_same_inhibition_rules() {
    let matcher = |text: &Value| {
        let (name, rest) = text.as_str().unwrap().split_once([' ', '=']).unwrap();
        let rest = rest.trim();
        let (kind, value) = rest.strip_prefix("=~").map_or(("=", rest.trim_start_matches('=')), |value| ("=~", value));
        json!({"name": name, "matchType": kind, "value": value.trim().trim_matches('"')})
    };
    let matchers = |rule: &Value, field: &str| list(&rule[field]).map(matcher).collect::<Vec<_>>();
    let plain = parse("alerts/alertmanager-inhibition.yaml");
    let expected: Vec<Value> = list(&plain["inhibit_rules"])
        .map(|rule| {
            json!({
                "sourceMatch": matchers(rule, "source_matchers"),
                "targetMatch": matchers(rule, "target_matchers"),
                "equal": rule["equal"],
            })
        })
        .collect();
    let operators = parse("daemonset/overlays/monitoring/alertmanagerconfig.yaml")["spec"]["inhibitRules"].clone();
    assert_eq!(operators, json!(expected));
}

#[test]
fn alertmanager_takes_the_inhibition_rules_which_name_alerts_that_exist() {
    let inhibition = read("alerts/alertmanager-inhibition.yaml");
    let (_directory, place) =
        file("alertmanager.yaml", &format!("route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n{inhibition}"));
    content("amtool", &["check-config", &place]);

    let known = names();
    let rules = parse("alerts/alertmanager-inhibition.yaml");
    for rule in list(&rules["inhibit_rules"]) {
        let matchers = list(&rule["source_matchers"]).chain(list(&rule["target_matchers"]));
        let alerts = matchers.filter_map(|matcher| matcher.as_str()?.strip_prefix("alertname "));
        for alert in alerts.flat_map(|names| names.trim_start_matches(['=', '~', ' ']).trim_matches('"').split('|')) {
            assert!(known.contains(alert), "there is no alert {alert}");
        }
        assert!(list(&rule["equal"]).any(|label| label == "cluster"), "another cluster is another matter: {rule}");
    }
}

#[test]
fn every_rule_has_a_test_in_which_it_fires_and_one_in_which_its_alert_stays_silent() {
    let expectations = expectations();
    for rule in rules() {
        let own = |labels: &Value| rule.labels.iter().all(|(name, value)| labels[name] == *value);
        let of_it = || expectations.iter().filter(|(name, _)| *name == rule.name);
        assert!(of_it().any(|(_, fired)| fired.iter().any(own)), "{} {:?} never fires", rule.name, rule.labels);
        assert!(of_it().any(|(_, fired)| fired.is_empty()), "{} is never seen silent", rule.name);
    }
}

#[test]
fn an_alert_is_told_once_a_cluster_and_says_how_grave_it_is_and_where_to_read() {
    for rule in rules() {
        let severity = rule.labels["severity"].as_str().unwrap();
        let known = SEVERITIES.iter().find(|(name, _)| *name == rule.name).map_or(&["warning"][..], |(_, known)| known);
        assert!(known.contains(&severity), "{}: {severity}", rule.name);
        let runbook = format!("https://github.com/netsplit/netsplit/blob/main/docs/runbooks/{}.md", rule.name);
        assert_eq!(rule.annotations["runbook_url"], runbook, "{}", rule.name);
        assert!(rule.annotations["summary"].is_string(), "{}", rule.name);
    }
    for (name, fired) in expectations() {
        let labels = fired.iter().filter_map(Value::as_object).flat_map(|labels| labels.keys());
        let others: Vec<&String> = labels.filter(|label| !LABELS.contains(&label.as_str())).collect();
        assert!(others.is_empty(), "{name} would be told once for each of {others:?}");
    }
}

/// The rows of the table of the document whose head begins so, without the ticks.
fn table(document: &str, head: &str) -> Vec<Vec<String>> {
    let rows = document.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    rows.map(cells).collect()
}

#[test]
fn each_kind_of_partition_fires_the_alert_that_the_document_says() {
    let rows = table(&read("docs/alerts.md"), "| kind |");
    let kinds: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(kinds, ["complete", "partial", "simplex", "overlay", "service", "isolation"], "the kinds are closed");
    for row in &rows {
        let (kind, alert) = (&row[0], &row[1]);
        let mut series = vec![
            json!({"series": format!("netsplit_partition_active{{kind=\"{kind}\",node=\"n1\",instance=\"a\"}}"), "values": "1x40"}),
        ];
        // Of three agents one is alone and misses somebody, where that is what its partition says.
        for (instance, alone) in [("a", kind == "isolation"), ("b", false), ("c", false)] {
            for metric in ["netsplit_mode{mode=\"isolated\"", "netsplit_peers_down{cause=\"network\""] {
                let name = format!("{metric},node=\"n{instance}\",instance=\"{instance}\"}}");
                series.push(json!({"series": name, "values": format!("{}x40", u8::from(alone))}));
            }
        }
        let test = json!({
            "rule_files": [path("alerts/netsplit.rules.yaml")],
            "evaluation_interval": "5s",
            "tests": [{"interval": "5s", "input_series": series, "promql_expr_test": [{
                "expr": "count by (alertname) (ALERTS{alertstate=\"firing\",alertname=~\"NetworkPartitionDetected|NodeIsolated\"})",
                "eval_time": "1m",
                "exp_samples": [{"labels": format!("{{alertname=\"{alert}\"}}"), "value": 1}],
            }]}],
        });
        let (_directory, place) = file("kinds.yaml", &test.to_string());
        content("promtool", &["test", "rules", &place]);
    }
}

#[test]
fn every_metric_that_the_rules_name_exists() {
    let text = read("alerts/netsplit.rules.yaml");
    let is_name =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_' || letter == ':';
    let words = text.split(|letter| !is_name(letter));
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("netsplit_")).collect();
    let metrics = read("docs/metrics.md");
    let documented: BTreeSet<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let missing: Vec<&&str> = named.difference(&documented).collect();
    assert!(named.len() > 8 && missing.is_empty(), "the rules name metrics that do not exist: {missing:?}");
}
