//! The discovery by Kubernetes against a real API server: what it lists, what it may, and what becomes of it when the server
//! does not answer.

use std::fs;

use netsplit::discovery::{Cause, Pace};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::kube::{ApiServer, shared};
use crate::listing::{QUICK, SERVICE, becomes, delivers, discovery, endpoint, fails, run, slice, slices};

/// The Role that the agents have, as the documentation shows it.
fn role() -> Value {
    let rule = json!({"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]});
    json!({"metadata": {"name": SERVICE}, "rules": [rule]})
}

/// A namespace with a ServiceAccount, whose token is in a file and which may do nothing yet.
pub(crate) fn site(server: &ApiServer, namespace: &str) -> NamedTempFile {
    server.create_namespace(namespace);
    server.create_account(namespace, SERVICE);
    let token = NamedTempFile::new().unwrap();
    fs::write(token.path(), server.token_of(namespace, SERVICE)).unwrap();
    token
}

/// Lets the ServiceAccount of a namespace list slices of endpoints there.
pub(crate) fn permit(server: &ApiServer, namespace: &str) {
    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    server.does("POST", &format!("{path}/roles"), &role());
    let binding = json!({
        "metadata": {"name": SERVICE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": SERVICE},
        "subjects": [{"kind": "ServiceAccount", "name": SERVICE, "namespace": namespace}],
    });
    server.does("POST", &format!("{path}/rolebindings"), &binding);
}

pub(crate) fn path_of_slices(namespace: &str) -> String {
    format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
}

pub(crate) fn publish(server: &ApiServer, namespace: &str, slices: &[Value]) {
    for slice in slices {
        server.does("POST", &path_of_slices(namespace), slice);
    }
}

fn change(server: &ApiServer, namespace: &str, name: &str, endpoints: &[Value]) {
    server.does("PATCH", &format!("{}/{name}", path_of_slices(namespace)), &json!({"endpoints": endpoints}));
}

#[test]
fn a_thousand_endpoints_are_listed_and_followed() {
    let Some(server) = shared() else { return };
    let namespace = "thousand";
    let token = site(server, namespace);
    permit(server, namespace);
    publish(server, namespace, &slices(1000));
    let kubeconfig = server.kubeconfig(namespace, token.path());
    run(async {
        let mut discovery = discovery(kubeconfig.path(), QUICK);
        let is_thousand = |count: usize| count == 1000;
        let listing = delivers(&mut discovery, "all of them", |listing| is_thousand(listing.members.len())).await;
        let one = listing.members.iter().find(|member| member.name == "node-777").unwrap();
        assert_eq!((one.zone.as_str(), one.address), ("east", "10.0.3.9:7475".parse().unwrap()));
        assert!(listing.leaving.is_empty() && listing.addresses.is_empty());

        // A node joins; of two pods that are ending one is replaced already.
        let mut ending = [1, 2].map(endpoint);
        for endpoint in &mut ending {
            endpoint["conditions"] = json!({"ready": false, "serving": false, "terminating": true});
        }
        let mut replaced = endpoint(2);
        replaced["addresses"] = json!(["10.9.0.2"]);
        let rest: Vec<Value> = (3..=100).map(endpoint).collect();
        change(server, namespace, "agents-0", &[&ending[..], &rest].concat());
        publish(server, namespace, &[slice("agents-new", &[replaced, endpoint(1001)])]);
        let is_followed = |listing: &netsplit::detector::Listing| listing.members.len() == 1001;
        let listing = delivers(&mut discovery, "the newcomer", is_followed).await;
        assert_eq!(listing.leaving, ["node-1"]);
        let moved = listing.members.iter().find(|member| member.name == "node-2").unwrap();
        assert_eq!(moved.address, "10.9.0.2:7475".parse().unwrap());

        // Its other address is no other node.
        let mut second = slice("agents-ipv6", &[json!({"addresses": ["fd00::3"], "nodeName": "node-3"})]);
        second["addressType"] = json!("IPv6");
        publish(server, namespace, &[second]);
        server.does("DELETE", &format!("{}/agents-9", path_of_slices(namespace)), &json!({}));
        let listing = delivers(&mut discovery, "a hundred less", |listing| listing.members.len() == 901).await;
        let both = listing.members.iter().find(|member| member.name == "node-3").unwrap();
        assert_eq!(both.address, "10.0.0.3:7475".parse().unwrap());
        assert_eq!(discovery.status().borrow().failures().map(|(_, count)| count).sum::<u64>(), 0);
    });
}

#[test]
fn who_may_list_slices_in_its_own_namespace_needs_no_more_and_gets_no_more() {
    let Some(server) = shared() else { return };
    let token = site(server, "own");
    server.create_namespace("other");
    for namespace in ["own", "other"] {
        publish(server, namespace, &slices(3));
    }
    let (own, other) = (server.kubeconfig("own", token.path()), server.kubeconfig("other", token.path()));
    run(async {
        let mut discovery_of_own = discovery(own.path(), QUICK);
        fails(&discovery_of_own, Cause::Refused).await;
        assert_eq!(discovery_of_own.at_hand(), None);
        permit(server, "own");
        delivers(&mut discovery_of_own, "its own", |listing| listing.members.len() == 3).await;
        fails(&discovery(other.path(), QUICK), Cause::Refused).await;
    });
}

#[test]
fn a_service_that_does_not_exist_is_told() {
    let Some(server) = shared() else { return };
    let token = site(server, "bare");
    permit(server, "bare");
    let kubeconfig = server.kubeconfig("bare", token.path());
    run(async {
        let discovery = discovery(kubeconfig.path(), QUICK);
        fails(&discovery, Cause::NotFound).await;
    });
}

#[test]
fn a_token_that_is_not_taken_any_more_is_read_again_from_its_file() {
    let Some(server) = shared() else { return };
    let token = site(server, "rotated");
    permit(server, "rotated");
    publish(server, "rotated", &slices(3));
    let good = fs::read_to_string(token.path()).unwrap();
    fs::write(token.path(), "nobody's").unwrap();
    let kubeconfig = server.kubeconfig("rotated", token.path());
    run(async {
        let mut discovery = discovery(kubeconfig.path(), QUICK);
        fails(&discovery, Cause::Refused).await;
        fs::write(token.path(), good).unwrap();
        delivers(&mut discovery, "the list", |listing| listing.members.len() == 3).await;
    });
}

#[test]
fn a_server_that_hangs_or_stops_removes_nobody_and_is_believed_again_when_it_returns() {
    let Some(mut server) = ApiServer::start(&[]) else { return };
    let token = site(&server, "shaken");
    permit(&server, "shaken");
    publish(&server, "shaken", &slices(200));
    let kubeconfig = server.kubeconfig("shaken", token.path());
    run(async {
        let pace = Pace { patience: std::time::Duration::from_secs(2), ..QUICK };
        let mut discovery = discovery(kubeconfig.path(), pace);
        let whole = |listing: &netsplit::detector::Listing| listing.members.len() == 200;
        delivers(&mut discovery, "the list", whole).await;
        server.process.freeze();
        fails(&discovery, Cause::Timeout).await;
        let left = discovery.at_hand();
        assert!(left.is_none_or(|listing| whole(&listing)));
        server.process.thaw();
        delivers(&mut discovery, "the list after a pause", whole).await;

        server.stop();
        fails(&discovery, Cause::Unreachable).await;
        let left = discovery.at_hand();
        assert!(left.is_none_or(|listing| whole(&listing)));
        assert_eq!(discovery.at_hand(), None);
        server.start_again();
        delivers(&mut discovery, "the list after an end", whole).await;
        becomes(&discovery, "up", |status| status.up == Some(true)).await;
    });
}

#[test]
fn a_server_without_its_etcd_goes_on_answering_out_of_its_memory() {
    let Some(mut server) = ApiServer::start(&[]) else { return };
    let token = site(&server, "bereft");
    permit(&server, "bereft");
    publish(&server, "bereft", &slices(200));
    let kubeconfig = server.kubeconfig("bereft", token.path());
    run(async {
        let mut discovery = discovery(kubeconfig.path(), QUICK);
        let whole = |listing: &netsplit::detector::Listing| listing.members.len() == 200;
        delivers(&mut discovery, "the list", whole).await;
        server.etcd.kill();
        for _ in 0..5 {
            assert!(whole(&delivers(&mut discovery, "the list out of memory", |_| true).await));
        }
    });
}
