//! Configuration files that are wrong. Each goes through `netsplit run`, which must end with code 2, and through
//! `netsplit check --json`, which must find the same.

use netsplit::config::{Environment, load};

use super::Program;
use crate::shown;

/// The keys that have no default, around the ones that a case is about.
const REST: &str = r#"peers:
  discovery:
    static:
      - {name: node-1, address: "10.0.0.1:7475", zone: east}
      - {name: node-2, address: "10.0.0.2:7475", zone: west}
authentication: {keys: /keys}
"#;

fn environment() -> Environment {
    Environment::of([("NODE_NAME", "node-1")])
}

/// What a file has that is wrong, and the file.
type Cases = Vec<(&'static str, String)>;

/// All of them.
pub(super) fn all() -> Cases {
    [
        not_yaml(),
        wrong_shapes(),
        unknown_keys(),
        out_of_range(),
        bad_lists(),
        bad_lookups(),
        bad_endpoints(),
        misfit_endpoints(),
        missing(),
        misfits(),
        bad_variables(),
        several_at_once(),
    ]
    .concat()
}

/// Every case with what is said about it, ready for a snapshot.
fn told(cases: &[(&str, String)]) -> String {
    let one = |(title, text): &(&str, String)| {
        let program = Program::new();
        program.write("netsplit.yaml", text);
        let errors = program.errors_found_by_check(title);
        let run = program.ended(&["run", "--config", "netsplit.yaml"]);
        assert_eq!(run.code, 2, "{title}: {}", run.stderr);
        for (message, hint) in &errors {
            assert!(run.stderr.contains(message) && run.stderr.contains(hint), "{title}: {}", run.stderr);
            assert!(!message.is_empty() && !hint.is_empty(), "{title}");
            assert!(!message.ends_with('.') && !message.contains('\n'), "{title}");
        }
        format!("### {title}\n{}", run.stderr)
    };
    cases.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// `text` and the rest of a good file.
fn with_rest(text: &str) -> String {
    format!("{text}{REST}")
}

/// A good file with `text` below `peers`.
fn in_peers(text: &str) -> String {
    REST.replacen("peers:\n", &format!("peers:\n{text}"), 1)
}

/// A good file with these lines for a list.
fn listing(entries: &str) -> String {
    format!("authentication: {{keys: /keys}}\npeers:\n  discovery:\n    static:\n{entries}")
}

fn not_yaml() -> Cases {
    vec![
        ("a tab for indentation", "peers:\n\tperiod: 1s\n".into()),
        ("a quote left open", "cluster: \"production\nlisten: \"[::]:7475\"\n".into()),
        ("a brace left open", "node: {name: node-1\nlisten: \"[::]:7475\"\n".into()),
        ("a brace too many", "node: {name: node-1}}\n".into()),
        ("a variable without quotes inside braces", "node: {name: ${NODE_NAME}}\n".into()),
        ("an at sign", "cluster: @production\n".into()),
        ("an indentation that fits nothing", "peers:\n  period: 1s\n timeout: 500ms\n".into()),
        ("a key without its colon", "cluster: production\nlisten\nnode: {}\n".into()),
        ("two documents", "cluster: a\n---\ncluster: b\n".into()),
        ("a star", "cluster: *production\n".into()),
        ("a tag", "cluster: !!int seven\n".into()),
    ]
}

#[test]
fn what_is_not_yaml_is_told_where_it_breaks() {
    shown!(told(&not_yaml()));
}

fn wrong_shapes() -> Cases {
    vec![
        ("an empty file", String::new()),
        ("a file of comments", "# nothing\n\n# here\n".into()),
        ("a list for a file", "- cluster: a\n".into()),
        ("a word for a file", "production\n".into()),
        ("a list for peers", "peers: [node-1, node-2]\n".into()),
        ("a list for discovery", "peers:\n  discovery:\n    - {name: node-1}\n".into()),
        ("a mapping for the list", "peers:\n  discovery:\n    static: {node-1: \"10.0.0.1:7475\"}\n".into()),
        ("a bare address in the list", listing("      - 10.0.0.1:7475\n")),
        ("a value for http", "http: \"[::]:7476\"\n".into()),
        ("a list for authentication", "authentication: [/keys]\n".into()),
        ("a truth for authentication", "authentication: true\n".into()),
        ("an address that YAML takes for a list", "listen: [::]:7475\n".into()),
        ("a path for state", with_rest("state: /var/lib/netsplit\n")),
        ("a path for audit", with_rest("audit: /var/log/events.log\n")),
        ("a mapping for a name", "cluster: {name: production}\n".into()),
        ("a mapping for a duration", in_peers("  period: {seconds: 1}\n")),
        ("a list for a key", "[cluster]: production\n".into()),
    ]
}

#[test]
fn what_has_the_wrong_shape_is_told_the_right_one() {
    shown!(told(&wrong_shapes()));
}

fn unknown_keys() -> Cases {
    vec![
        ("a slip", in_peers("  perod: 1s\n")),
        ("another convention", in_peers("  failureThreshold: 3\n")),
        ("as Kubernetes has it", in_peers("  periodSeconds: 1\n")),
        ("a slip at the top", with_rest("clutser: production\n")),
        ("a slip in the list", listing("      - {name: node-1, adress: \"10.0.0.1:7475\"}\n")),
        ("a slip in authentication", "authentication: {key: /keys}\n".into()),
        ("a slip before a key", format!("authentication: {{key: {}}}\n", "0123456789abcdef".repeat(4))),
        ("a key in the wrong place", with_rest("period: 1s\n")),
        ("nothing like it", with_rest("colour: blue\n")),
        ("endpoints in the wrong place", with_rest("mode: {endpoints: []}\n")),
        ("a discovery in the wrong place", with_rest("mode: {kubernetes: {}}\n")),
        ("a slip in audit", with_rest("audit: {max_sise: 1MiB}\n")),
        ("a slip in http", with_rest("http: {exposes: all}\n")),
        ("a key twice", with_rest("cluster: a\ncluster: b\n")),
        ("a key twice, further down", "node:\n  name: node-1\n  name: node-2\n".into()),
    ]
}

#[test]
fn an_unknown_or_repeated_key_is_told_which_was_meant() {
    shown!(told(&unknown_keys()));
}

fn out_of_range() -> Cases {
    vec![
        ("a duration without a unit", in_peers("  period: 30\n")),
        ("a duration that is none", in_peers("  period: soon\n")),
        ("a negative duration", in_peers("  timeout: -1s\n")),
        ("a period too short", in_peers("  period: 1ms\n")),
        ("a period too long", in_peers("  period: 1h\n")),
        ("a timeout of nothing", in_peers("  timeout: 0s\n")),
        ("a threshold of nothing", in_peers("  failure_threshold: 0\n")),
        ("a threshold in words", in_peers("  success_threshold: three\n")),
        ("a threshold too large", in_peers("  failure_threshold: 21\n")),
        ("a cap of nothing", in_peers("  max_heartbeats_per_second: 0\n")),
        ("a cap that is none", in_peers("  max_heartbeats_per_second: none\n")),
        ("no source port", in_peers("  source_ports: 0\n")),
        ("too many source ports", in_peers("  source_ports: 17\n")),
        ("a profile that is none", in_peers("  profile: fats\n")),
        ("a policy that is none", with_rest("mode: {policy: available}\n")),
        ("a tie that is none", with_rest("mode: {tie: Lowest}\n")),
        ("a quorum of nothing", with_rest("mode: {write_quorum: 0}\n")),
        ("a quorum in words", with_rest("mode: {write_quorum: most}\n")),
        ("a cluster without a name", with_rest("cluster: \"\"\n")),
        ("a cluster with a space", with_rest("cluster: \"production \"\n")),
        ("a node with capitals", with_rest("node: {name: Node-1}\n")),
        ("a node with an underscore", with_rest("node: {name: node_1}\n")),
        ("a zone with a slash", with_rest("node: {zone: east/1}\n")),
        ("a listen without a port", with_rest("listen: \"0.0.0.0\"\n")),
        ("a listen without an address", with_rest("listen: \":7475\"\n")),
        ("a listen on port 0", with_rest("listen: \"[::]:0\"\n")),
        ("an HTTP listen without a port", with_rest("http: {listen: 127.0.0.1}\n")),
        ("a pod address with a port", with_rest("node: {pod_address: \"10.0.0.1:7475\"}\n")),
        ("a pod address that is a name", with_rest("node: {pod_address: node-1}\n")),
        ("a host address of nobody", with_rest("node: {host_address: 0.0.0.0}\n")),
        ("a host address dressed as IPv6", with_rest("node: {host_address: \"::ffff:10.0.0.1\"}\n")),
        ("authentication by another word", REST.replace("{keys: /keys}", "none")),
        ("keys nowhere", REST.replace("/keys", "\"\"")),
        ("keys at home", REST.replace("/keys", "~/keys")),
        ("a key where its directory belongs", REST.replace("/keys", &"0123456789abcdef".repeat(4))),
        ("a key for authentication", REST.replace("{keys: /keys}", &"0123456789ABCDEF".repeat(4))),
        ("a key with a newline", REST.replace("/keys", &format!("\"{}\\n\"", "0123456789abcdef".repeat(4)))),
        (
            "a key on lines of its own",
            REST.replace("{keys: /keys}", &format!("|\n  {0}\n  {0}", "0123456789abcdef".repeat(2))),
        ),
        ("a key without its last digit", REST.replace("/keys", &"0123456789abcdef".repeat(4)[1..])),
        ("a key behind a space", REST.replace("/keys", &format!("\" {}\"", "0123456789abcdef".repeat(4)))),
        (
            "a key without its last digit for authentication",
            REST.replace("{keys: /keys}", &"0123456789ABCDEF".repeat(4)[1..]),
        ),
        ("an exposure that is none", with_rest("http: {expose: everything}\n")),
        ("an exposure in capitals", with_rest("http: {expose: ALL}\n")),
        ("a log nowhere", with_rest("audit: {path: \"\"}\n")),
        ("a log at home", with_rest("audit: {path: ~/events.log}\n")),
        ("a directory for a log", with_rest("audit: {path: /var/log/}\n")),
        ("a size without a unit", with_rest("audit: {max_size: 16777216}\n")),
        ("a size as Kubernetes has it", with_rest("audit: {max_size: 16Mi}\n")),
        ("a size that is none", with_rest("audit: {max_size: large}\n")),
        ("a size with a fraction", with_rest("audit: {max_size: 1.5GiB}\n")),
        ("a size too small", with_rest("audit: {max_size: 1KiB}\n")),
        ("a size too large", with_rest("audit: {max_size: 2GiB}\n")),
        ("no file to keep", with_rest("audit: {keep: 0}\n")),
        ("too many files to keep", with_rest("audit: {keep: 101}\n")),
        ("a truth that is none", with_rest("audit: {stdout: yes}\n")),
        ("state nowhere", with_rest("state: {directory: \"\"}\n")),
        ("state at home", with_rest("state: {directory: ~/state}\n")),
    ]
}

#[test]
fn a_value_out_of_its_range_is_told_the_range() {
    shown!(told(&out_of_range()));
}

fn bad_lists() -> Cases {
    let entry = |name: &str, address: &str| format!("      - {{name: {name}, address: \"{address}\"}}\n");
    let first = entry("node-1", "10.0.0.1:7475");
    let two = |name: &str, address: &str| listing(&format!("{first}{}", entry(name, address)));
    let long: String =
        (1..=1001).map(|n| entry(&format!("node-{n}"), &format!("10.0.{}.{}:7475", n / 256, n % 256))).collect();
    vec![
        ("no name", listing(&format!("{first}      - {{address: \"10.0.0.2:7475\"}}\n"))),
        ("no address", listing(&format!("{first}      - name: node-2\n        zone: east\n"))),
        ("no port", two("node-2", "10.0.0.2")),
        ("a strange port", two("node-2", "10.0.0.2:74750")),
        ("port 0", two("node-2", "10.0.0.2:0")),
        ("a host name", two("node-2", "node-2.example:7475")),
        ("IPv6 without brackets", two("node-2", "fd00::1:7475")),
        ("no address at all", two("node-2", "first:second:7475")),
        ("nobody's address", two("node-2", "0.0.0.0:7475")),
        ("a group's address", two("node-2", "224.0.0.1:7475")),
        ("everybody's address", two("node-2", "255.255.255.255:7475")),
        ("IPv4 dressed as IPv6", two("node-2", "[::ffff:10.0.0.2]:7475")),
        ("a name twice", two("node-1", "10.0.0.2:7475")),
        ("an address twice", two("node-2", "10.0.0.1:7475")),
        ("the own node missing", listing(&entry("db-7", "10.0.0.7:7475"))),
        ("the own node misspelt", listing(&entry("nod-1", "10.0.0.7:7475"))),
        ("no node", listing("      []\n")),
        ("more than a row can carry", listing(&long)),
    ]
}

#[test]
fn a_list_that_cannot_be_is_told_which_entry_to_mend() {
    shown!(told(&bad_lists()));
}

fn bad_lookups() -> Cases {
    let dns = |text: &str| format!("authentication: {{keys: /keys}}\npeers:\n  discovery:\n    dns: {text}\n");
    let named = |text: &str| dns(&format!("{{name: agents.example, {text}}}"));
    let list = "    static:\n      - {name: node-1, address: \"10.0.0.1:7475\"}\n";
    vec![
        ("no name", dns("{port: 7475}")),
        ("nothing", dns("{}")),
        ("a bare name", dns("agents.example")),
        ("an empty name", dns("{name: \"\"}")),
        ("two dots", dns("{name: agents..example}")),
        ("a space", dns("{name: \"agents example\"}")),
        ("an international name", dns("{name: büro.example}")),
        ("a part too long", dns(&format!("{{name: {}.example}}", "n".repeat(64)))),
        ("a name too long", dns(&format!("{{name: {}}}", ["a"; 128].join(".")))),
        ("an address for a name", dns("{name: 10.0.0.1}")),
        ("an address and a port for a name", dns("{name: \"10.0.0.1:7475\"}")),
        ("a port behind the name", dns("{name: \"agents.example:7475\"}")),
        ("port 0", named("port: 0")),
        ("a port too large", named("port: 74750")),
        ("a port in words", named("port: netsplit")),
        ("a server by name", named("server: dns.example")),
        ("a server without a port", named("server: 10.96.0.10")),
        ("an IPv6 server without brackets", named("server: \"fd00::10\"")),
        ("a server on port 0", named("server: \"10.96.0.10:0\"")),
        ("nobody for a server", named("server: \"0.0.0.0:53\"")),
        ("a slip", named("prot: 7475")),
        ("both discoveries", format!("{}{list}", named("port: 7475"))),
        ("all of it wrong at once", dns("{name: \"\", port: 0, server: here}")),
    ]
}

#[test]
fn a_name_to_look_up_that_cannot_be_is_told_why() {
    shown!(told(&bad_lookups()));
}

fn bad_services() -> Cases {
    let service =
        |text: &str| format!("authentication: {{keys: /keys}}\npeers:\n  discovery:\n    kubernetes: {text}\n");
    let named = |text: &str| service(&format!("{{service: agents, {text}}}"));
    vec![
        ("no name", service("{namespace: observability}")),
        ("a bare name", service("agents")),
        ("an empty name", service("{service: \"\"}")),
        ("a whole name of the DNS", service("{service: agents.observability.svc}")),
        ("capitals", service("{service: Agents}")),
        ("a name too long", service(&format!("{{service: {}}}", "n".repeat(64)))),
        ("a namespace with a slash", named("namespace: a/b")),
        ("an empty kubeconfig", named("kubeconfig: \"\"")),
        ("a kubeconfig of a shell", named("kubeconfig: ~/.kube/config")),
        ("a slip", named("namspace: observability")),
        ("a port", named("port: 7475")),
        ("two discoveries", format!("{}    dns: {{name: agents.example}}\n", named("namespace: a"))),
        (
            "three discoveries",
            format!(
                "{}    dns: {{name: agents.example}}\n    static: [{{name: a, address: \"10.0.0.1:1\"}}]\n",
                named("namespace: a")
            ),
        ),
    ]
}

#[test]
fn a_service_that_cannot_be_is_told_why() {
    shown!(told(&bad_services()));
}

/// A good file with one endpoint of these keys.
fn endpoint(keys: &str) -> String {
    format!("{REST}endpoints:\n  - {{name: a, {keys}}}\n")
}

fn bad_endpoints() -> Cases {
    let listed = |entries: &str| format!("{REST}endpoints: {entries}\n");
    let tcp = |more: &str| endpoint(&format!("type: tcp, address: \"b:1\", {more}"));
    let http = |more: &str| endpoint(&format!("type: http, url: \"http://b\", {more}"));
    vec![
        ("a mapping for endpoints", listed("{a: b}")),
        ("a word for an endpoint", listed("[a]")),
        ("an endpoint without anything", listed("[{}]")),
        ("a slip in an endpoint", tcp("preiod: 1s")),
        ("a password itself", tcp("password: hunter2")),
        ("a token itself", http("token: hunter2")),
        ("a type that is none", endpoint("type: postgress, address: b")),
        ("a name with a space", listed("[{name: a b, type: icmp, host: b}]")),
        ("a name with capitals", listed("[{name: Db, type: icmp, host: b}]")),
        ("a period too short", tcp("period: 1ms")),
        ("a timeout too short", tcp("timeout: 1ms")),
        ("a confirm period too short", tcp("confirm_period: 0s")),
        ("a threshold of nothing", tcp("failure_threshold: 0")),
        ("a sample of nobody", tcp("from: sample(0)")),
        ("a sample that is none", tcp("from: three")),
        ("a truth that is none", tcp("partition: yes")),
        ("a URL without a scheme", endpoint("type: http, url: \"b:80\"")),
        ("a URL of another scheme", endpoint("type: http, url: \"ftp://b\"")),
        ("a URL with a password", endpoint("type: http, url: \"http://me:hunter2@b/\"")),
        ("a URL with a path that the type knows", endpoint("type: kubernetes, url: \"https://b/readyz\"")),
        ("a URL with a query", endpoint("type: etcd, url: \"https://b/?x\"")),
        ("an address without a port", endpoint("type: tcp, address: b")),
        ("an address on port 0", endpoint("type: redis, address: \"b:0\"")),
        ("a URL for an address", endpoint("type: redis, address: \"redis://b:6379\"")),
        ("an address with a password", endpoint("type: redis, address: \"me:hunter2@b:6379\"")),
        ("an IPv6 address without brackets", endpoint("type: redis, address: \"fd00::1\"")),
        ("a number too large in an address", endpoint("type: icmp, host: 10.0.0.256")),
        ("nobody's address for an endpoint", endpoint("type: icmp, host: 0.0.0.0")),
        ("an address to look up", endpoint("type: dns, query: 10.0.0.1")),
        ("a record that is none", endpoint("type: dns, query: b.c, record: ANYTHING")),
        ("a list for tls", tcp("tls: [a]")),
        ("a word for tls", tcp("tls: maybe")),
        ("a slip in tls", tcp("tls: {ca_flie: /ca}")),
        ("a method that changes something", http("method: DELETE")),
        ("a header with a secret", http("headers: {Authorization: Bearer hunter2}")),
        ("a header of the request itself", http("headers: {Host: c}")),
        ("a header that cannot be sent", http("headers: {X-A: \"a\\nb\"}")),
        ("a list for headers", http("headers: [a]")),
        ("a status that is none", http("expected_status: [200, 99]")),
        ("a range of statuses the wrong way round", http("expected_status: 299-200")),
        ("no status", http("expected_status: []")),
        ("a mapping for a status", http("expected_status: {a: b}")),
        ("nothing to wait for", tcp("expect: \"\"")),
        ("a role that is none", endpoint("type: redis, address: b, role: master")),
        ("a lag of nothing", endpoint("type: mysql, address: b, username: a, password_file: /p, max_lag: 0s")),
        ("a lag of consumers that is none", with_rest("alerts: {kafka_consumer_lag: 0}\n")),
        ("a number for alerts", with_rest("alerts: 10000\n")),
    ]
}

#[test]
fn an_endpoint_that_cannot_be_is_told_what_to_mend() {
    shown!(told(&bad_endpoints()));
}

fn misfit_endpoints() -> Cases {
    let tcp = |more: &str| endpoint(&format!("type: tcp, address: \"b:1\", {more}"));
    let web = |kind: &str, url: &str, more: &str| endpoint(&format!("type: {kind}, url: \"{url}\"{more}"));
    vec![
        ("a name twice", format!("{}  - {{name: a, type: icmp, host: b}}\n", endpoint("type: icmp, host: c"))),
        ("a timeout as long as the period", tcp("timeout: 30s")),
        ("a confirm period longer than the period", tcp("period: 1s, confirm_period: 2s")),
        ("keys of other types", endpoint("type: icmp, host: b, url: \"http://b\", send: a, tls: true")),
        ("an address for a URL", endpoint("type: http, address: b")),
        ("a connection held to a web page", web("http", "http://b", ", keep: true")),
        ("a connection held to a host", endpoint("type: icmp, host: b, keep: true")),
        ("a connection held without a login", endpoint("type: postgres, address: b, keep: true")),
        ("a certificate without its key", tcp("tls: {certificate_file: /c}")),
        ("a key without its certificate", tcp("tls: {key_file: /k}")),
        ("tls with a URL that has none", web("etcd", "http://b", ", tls: {ca_file: /ca}")),
        ("a URL with TLS and no tls", web("etcd", "https://b", ", tls: false")),
        ("a user without a password", endpoint("type: redis, address: b, username: a")),
        ("a password without a user", endpoint("type: kafka, address: b, password_file: /p")),
        ("a password and a token", web("http", "http://b", ", username: a, password_file: /p, token_file: /t")),
        ("a user name with a colon", web("http", "http://b", ", username: \"a:b\", password_file: /p")),
        ("a management API without a login", web("rabbitmq", "http://b", "")),
        ("a virtual host without a login", endpoint("type: amqp, address: b, virtual_host: a")),
        ("a lag without a login", endpoint("type: postgres, address: b, max_lag: 5m, role: replica")),
        ("a body of HEAD", web("http", "http://b", ", method: HEAD, expected_body: a")),
        ("all of it wrong at once", endpoint("type: http, url: b, period: 0s, from: me, tls: {key_file: /k}, send: a")),
    ]
}

#[test]
fn keys_of_an_endpoint_that_do_not_fit_are_told_apart() {
    shown!(told(&misfit_endpoints()));
}

fn missing() -> Cases {
    vec![
        ("everything", "cluster: production\n".into()),
        ("the discovery", "authentication: {keys: /keys}\npeers: {period: 1s}\n".into()),
        ("any discovery", "authentication: {keys: /keys}\npeers:\n  discovery: {}\n".into()),
        ("the keys", REST.replace("{keys: /keys}", "{}")),
    ]
}

#[test]
fn what_is_missing_is_told_by_name() {
    shown!(told(&missing()));
}

fn misfits() -> Cases {
    vec![
        ("a timeout as long as the period", in_peers("  period: 1s\n  timeout: 1s\n")),
        ("a timeout longer than the profile's period", in_peers("  profile: fast\n  timeout: 500ms\n")),
        ("a confirm period shorter than the timeout", in_peers("  timeout: 500ms\n  confirm_period: 100ms\n")),
        ("a confirm period longer than the period", in_peers("  confirm_period: 5s\n")),
        ("a quorum larger than the cluster", with_rest("mode: {write_quorum: 3}\n")),
        (
            "a family that cannot be reached",
            listing("      - {name: node-1, address: \"[fd00::1]:7475\"}\nlisten: \"0.0.0.0:7475\"\n"),
        ),
        ("a pod that cannot be reached", with_rest("listen: \"0.0.0.0:7475\"\nnode: {pod_address: \"fd00::1\"}\n")),
    ]
}

#[test]
fn values_that_do_not_fit_each_other_are_told_apart() {
    shown!(told(&misfits()));
}

fn bad_variables() -> Cases {
    vec![
        ("unset", with_rest("cluster: \"${CLUSTER}\"\n")),
        ("set to nothing", with_rest("cluster: \"${EMPTY}\"\n")),
        ("without its brace", with_rest("cluster: \"${CLUSTER\"\n")),
        ("without braces", with_rest("cluster: $CLUSTER\n")),
        ("with a strange name", with_rest("cluster: \"${THE CLUSTER}\"\n")),
        ("inside a default", with_rest("cluster: \"${CLUSTER:-${NODE_NAME}}\"\n")),
        ("with a bad value", with_rest("node: {name: \"${BAD_NAME}\"}\n")),
    ]
}

#[test]
fn a_variable_that_brings_nothing_good_is_told_by_name() {
    shown!(told(&bad_variables()));
}

fn several_at_once() -> Cases {
    vec![(
        "five at once",
        r#"cluster: ${CLUSTER}
listen: "7475"
peers:
  timeout: 2s
  failure_threshold: 99
  discovery:
    static:
      - {name: Node-1, address: "10.0.0.1"}
mode: {policy: pc}
"#
        .into(),
    )]
}

#[test]
fn everything_that_is_wrong_with_values_is_told_at_once() {
    shown!(told(&several_at_once()));
}

#[test]
fn a_host_without_a_usable_name_is_told_to_set_one() {
    let said = |environment: Environment| load("netsplit.yaml", REST, &environment).unwrap_err().to_string();
    shown!(format!("{}\n\n{}", said(Environment::default().on_host("Laptop")), said(Environment::default())));
}

#[test]
fn what_is_odd_is_a_warning_and_no_error() {
    let warned = |text: &str| {
        let loaded = load("netsplit.yaml", text, &environment()).unwrap();
        loaded.warnings.iter().map(|warning| format!("{warning}\n")).collect::<Vec<_>>().concat()
    };
    shown!(
        [
            warned(&REST.replace("{keys: /keys}", "insecure")),
            warned(&listing("      - {name: node-1, address: \"10.0.0.1:7475\"}\n")),
            warned(&listing("      - {name: node-1, address: \"10.0.0.1:7000\"}\n      - {name: node-2, address: \"10.0.0.2:7475\"}\n")),
            warned(&in_peers("  profile: fast\n  period: 1s\n")),
            warned(&with_rest("node: {zone: north}\n")),
            warned(&with_rest("node: {pod_address: 10.9.9.9}\n")),
            warned(&with_rest("mode: {write_quorum: 1}\n")),
            warned("authentication: {keys: /keys}\npeers:\n  discovery:\n    dns: {name: agents}\n"),
            warned(&endpoint("type: tcp, address: \"b:1\", tls: {insecure_skip_verify: true}")),
        ]
        .join("\n")
    );
}
