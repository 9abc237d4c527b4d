//! What the agents may ask of an API server by the Role that the manifests give them: with the token of their ServiceAccount, to
//! list the EndpointSlices of their own namespace, and nothing else.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::applied::{NAMESPACE, Site, site};
use crate::built::{Built, list, one, text};
use crate::group::{Group, finished};
use crate::listing::{endpoint, slice};
use crate::ports::free_port;
use crate::process::until;

/// The overlays with a ServiceAccount of their own, and its name.
const ACCOUNTS: [(&str, &str); 2] = [
    ("daemonset/base", "network-partition-detector"),
    ("daemonset/overlays/hostnetwork", "network-partition-detector-host"),
];

/// What they ask.
const LIST: &str = "/apis/discovery.k8s.io/v1/namespaces/observability/endpointslices";

/// Everything else that was thought of: beside the list, the verbs of a client that watches; what would change who belongs; what
/// others keep secret; the same elsewhere.
const REFUSED: [(&str, &str); 19] = [
    ("GET", "/apis/discovery.k8s.io/v1/namespaces/observability/endpointslices?watch=true&timeoutSeconds=1"),
    ("GET", "/apis/discovery.k8s.io/v1/namespaces/observability/endpointslices/ours"),
    ("POST", "/apis/discovery.k8s.io/v1/namespaces/observability/endpointslices"),
    ("PATCH", "/apis/discovery.k8s.io/v1/namespaces/observability/endpointslices/ours"),
    ("DELETE", "/apis/discovery.k8s.io/v1/namespaces/observability/endpointslices/ours"),
    ("DELETE", "/apis/discovery.k8s.io/v1/namespaces/observability/endpointslices"),
    ("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"),
    ("GET", "/apis/discovery.k8s.io/v1/endpointslices"),
    ("GET", "/api/v1/namespaces/observability/endpoints"),
    ("GET", "/api/v1/namespaces/observability/secrets"),
    ("GET", "/api/v1/namespaces/observability/secrets/network-partition-detector-keys"),
    ("GET", "/api/v1/namespaces/observability/configmaps"),
    ("GET", "/api/v1/namespaces/observability/pods"),
    ("POST", "/api/v1/namespaces/observability/pods"),
    ("GET", "/api/v1/namespaces/observability/services"),
    ("POST", "/api/v1/namespaces/observability/serviceaccounts/network-partition-detector/token"),
    ("GET", "/apis/coordination.k8s.io/v1/namespaces/observability/leases"),
    ("GET", "/api/v1/namespaces/observability"),
    ("GET", "/api/v1/nodes"),
];

/// Applies it, and takes a token of its ServiceAccount.
fn token_of(site: &Site, built: &Built, account: &str) -> String {
    site.apply_all(built);
    site.server.token_of(NAMESPACE, account)
}

/// Publishes the slice `ours` of a Service, whose only agent is on node-1.
fn publish(site: &Site, service: &str) {
    let mut slice = slice("ours", &[endpoint(1)]);
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": service});
    slice["metadata"]["namespace"] = json!(NAMESPACE);
    let (status, answer) = site.apply(&slice);
    assert!(matches!(status, 200 | 201), "{status} {answer}");
}

/// What somebody may do in a namespace, as the server reckons it, less what everybody may: to ask who they are and what they may.
fn rules(site: &Site, token: &str, namespace: &str) -> Vec<Value> {
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}});
    let (status, answer) = site.server.ask("POST", path, Some(&review), Some(token));
    assert_eq!(status, 201, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let is_everybodys = |rule: &Value| {
        list(&rule["apiGroups"]).all(|group| matches!(text(group), "authorization.k8s.io" | "authentication.k8s.io"))
    };
    assert_eq!(answer["status"]["incomplete"], false);
    list(&answer["status"]["resourceRules"]).filter(|rule| !is_everybodys(rule)).cloned().collect()
}

#[test]
fn the_token_of_an_agent_lists_its_slices_and_does_nothing_else() {
    let Some(site) = site() else { return };
    publish(&site, ACCOUNTS[0].1);
    for (overlay, account) in ACCOUNTS {
        let Some(built) = one(overlay) else { return };
        let token = token_of(&site, built, account);
        // The server has the Role from a watch.
        let list = || site.server.ask("GET", LIST, None, Some(&token));
        until("the right to list", || list().0 == 200);
        assert!(list().1.contains("node-1"), "{account}");
        for (method, path) in REFUSED {
            let body = (method != "GET").then(|| json!({}));
            let (status, answer) = site.server.ask(method, path, body.as_ref(), Some(&token));
            assert_eq!(status, 403, "{account}: {method} {path}: {answer}");
        }
        let rule = json!({"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]});
        assert_eq!(rules(&site, &token, NAMESPACE), [rule], "{account}");
        assert_eq!(rules(&site, &token, "default"), Vec::<Value>::new(), "{account}");
    }
    let (status, _) = site.server.ask("GET", LIST, None, Some("nobody's"));
    assert_eq!(status, 401);
}

#[test]
fn an_agent_with_the_configuration_and_the_token_of_the_manifests_finds_its_node() {
    let (Some(site), Some(base)) = (site(), one("daemonset/base")) else { return };
    let token = token_of(&site, base, ACCOUNTS[0].1);
    // It is the only one, so that it sends nothing to anybody.
    publish(&site, ACCOUNTS[0].1);
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(place("keys")).unwrap();
    fs::write(place("keys/20261122-120000"), "0123456789abcdef".repeat(4)).unwrap();
    fs::write(place("token"), token).unwrap();
    let kubeconfig = site.server.kubeconfig(NAMESPACE, directory.path().join("token").as_path());

    // What is of the pod is of this directory; and it is no pod, so that it is told where the server is, and listens on loopback.
    let map = base.of_kind("ConfigMap").next().unwrap();
    let told = text(&map["data"]["netsplit.yaml"]).to_owned();
    let (http, udp) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let service = "{service: network-partition-detector";
    let replaced = told
        .replace("/etc/netsplit/keys", &place("keys"))
        .replace("/var/log/", &place(""))
        .replace("/var/lib/netsplit", &place("state"))
        .replace(service, &format!("{service}, kubeconfig: {}", kubeconfig.path().display()));
    assert!(replaced.matches(&place("")).count() == 3 && replaced.contains("kubeconfig:"), "{replaced}");
    fs::write(place("netsplit.yaml"), format!("{replaced}listen: \"{udp}\"\nhttp: {{listen: \"{http}\"}}\n")).unwrap();

    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    command.args(["run", "--config", &place("netsplit.yaml")]).current_dir(directory.path());
    command.envs([("NODE_NAME", "node-1"), ("POD_IP", "10.0.0.1"), ("HOST_IP", "127.0.0.1")]);
    command.stdout(Stdio::null()).stderr(fs::File::create(place("told")).unwrap());
    let mut agent = Group::start(&mut command, directory.path());
    let answers = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        String::from_utf8(finished(command.args(["peers", "--json", "--address", &http])).stdout).unwrap()
    };
    // Its zone is that of its entry in the slice, and nowhere else.
    until("its zone", || answers().contains(r#""name":"node-1","zone":"north","link":"itself""#));
    assert!(agent.ended().is_none(), "{}", fs::read_to_string(place("told")).unwrap());
}
