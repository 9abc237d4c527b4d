//! What tests of the discovery share: slices of endpoints, and a discovery that asks often.

use std::future::Future;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use netsplit::clock::Clock;
use netsplit::detector::Listing;
use netsplit::discovery::{Cause, Discovery, Families, KubernetesList, KubernetesSettings, Pace, Status};
use serde_json::{Value, json};

/// The Service of the agents.
pub(crate) const SERVICE: &str = "network-partition-detector";

/// Faster than the real one.
pub(crate) const QUICK: Pace = Pace {
    shortest: Duration::from_millis(100),
    longest: Duration::from_millis(100),
    patience: Duration::from_mins(1),
    retry: Duration::from_millis(50),
    slowest_retry: Duration::from_millis(100),
    on_demand: false,
};

/// An agent on a node of this number, and its address.
pub(crate) fn endpoint(number: u16) -> Value {
    let address = Ipv4Addr::from(0x0a00_0000 + u32::from(number));
    let zone = ["east", "north", "west"][usize::from(number % 3)];
    json!({"addresses": [address.to_string()], "nodeName": format!("node-{number}"), "zone": zone,
           "conditions": {"ready": true, "serving": true, "terminating": false}})
}

/// A slice of the Service, as the controller of Kubernetes writes it.
pub(crate) fn slice(name: &str, endpoints: &[Value]) -> Value {
    let ports = [port("heartbeat", "UDP", 7475), port("http", "TCP", 7476)];
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
           "metadata": {"name": name, "labels": {"kubernetes.io/service-name": SERVICE}},
           "ports": ports, "endpoints": endpoints})
}

fn port(name: &str, protocol: &str, port: u16) -> Value {
    json!({"name": name, "protocol": protocol, "port": port})
}

/// As the controller makes them: of a hundred endpoints each.
pub(crate) fn slices(count: u16) -> Vec<Value> {
    let all: Vec<Value> = (1..=count).map(endpoint).collect();
    all.chunks(100).enumerate().map(|(number, chunk)| slice(&format!("agents-{number}"), chunk)).collect()
}

/// What an API server answers.
pub(crate) fn list_of(slices: &[Value]) -> String {
    json!({"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": {}, "items": slices})
        .to_string()
}

/// The endpoints of the Service, by this kubeconfig.
pub(crate) fn source(kubeconfig: &Path) -> KubernetesList {
    let kubeconfig = Some(kubeconfig.to_owned());
    let settings = KubernetesSettings { service: SERVICE.to_owned(), namespace: None, kubeconfig };
    KubernetesList::new(settings, Families::reached_from("[::]:7475".parse().unwrap()))
}

/// A discovery that asks often.
pub(crate) fn discovery(kubeconfig: &Path, pace: Pace) -> Discovery {
    Discovery::start(source(kubeconfig), pace, Clock::start())
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

pub(crate) async fn within_two_minutes<T>(what: &str, future: impl Future<Output = T>) -> T {
    let awaited = tokio::time::timeout(Duration::from_mins(2), future).await;
    awaited.unwrap_or_else(|_| panic!("waited two minutes for this: {what}"))
}

/// Waits for a list that is so.
pub(crate) async fn delivers(discovery: &mut Discovery, what: &str, is_so: impl Fn(&Listing) -> bool) -> Listing {
    let awaited = async {
        loop {
            let listing = discovery.next().await;
            if is_so(&listing) {
                return listing;
            }
        }
    };
    within_two_minutes(what, awaited).await
}

pub(crate) async fn becomes(discovery: &Discovery, what: &str, is_so: impl FnMut(&Status) -> bool) {
    let mut status = discovery.status();
    within_two_minutes(what, async { drop(status.wait_for(is_so).await.unwrap()) }).await;
}

/// Waits until it fails, and again, by this cause.
pub(crate) async fn fails(discovery: &Discovery, cause: Cause) {
    let before = discovery.status().borrow().failed(cause);
    becomes(discovery, cause.as_str(), |status| status.up == Some(false) && status.failed(cause) > before + 1).await;
}
