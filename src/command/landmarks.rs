//! What an operator looks for first in a cut: on which side the API server, the leader of etcd and Prometheus are, if they
//! are endpoints.

use netsplit::api::Endpoint;
use netsplit::detector::endpoints::reach::UnreachedFrom;

/// What the configuration calls an API server and a member of etcd.
const API_SERVER: &str = "kubernetes";
const ETCD: &str = "etcd";

/// What the name of an endpoint has in it that is a Prometheus: it has no type of its own.
const PROMETHEUS: &str = "prometheus";

/// Title and text of a line each.
pub(super) fn lines(endpoints: &[Endpoint]) -> Vec<(&'static str, String)> {
    let of_type = |kind| endpoints.iter().filter(move |endpoint| endpoint.kind == kind);
    let is_other = |endpoint: &&Endpoint| ![API_SERVER, ETCD].contains(&endpoint.kind.as_str());
    let monitoring = endpoints.iter().filter(is_other).filter(|endpoint| endpoint.name.contains(PROMETHEUS));
    let api_servers = of_type(API_SERVER).map(|endpoint| ("API server", placed(endpoint)));
    let leader = leader(&of_type(ETCD).collect::<Vec<_>>()).map(|leader| ("etcd's leader", leader));
    api_servers.chain(leader).chain(monitoring.map(|endpoint| ("Prometheus", placed(endpoint)))).collect()
}

/// Where one of them is, as far as this side can tell.
fn placed(endpoint: &Endpoint) -> String {
    let Endpoint { name, reached, unreached, .. } = endpoint;
    match endpoint.unreached_from {
        UnreachedFrom::Nowhere => format!("{name}: reached from this side"),
        UnreachedFrom::SomeNodes => format!("{name}: reached by {reached} of {} on this side", reached + unreached),
        UnreachedFrom::ThisSide => format!("{name}: not reached from this side"),
        UnreachedFrom::Everywhere => format!("{name}: not reached from anywhere"),
        UnreachedFrom::Unknown => format!("{name}: not known from here"),
    }
}

/// Where the member is that leads. Each member says of itself whether it does; those that are not reached say nothing.
fn leader(members: &[&Endpoint]) -> Option<String> {
    if members.is_empty() {
        return None;
    }
    let fact = |member: &Endpoint, name| {
        let found = member.probe.as_ref().map(|probe| &probe.found)?;
        found.facts.get(name)?.as_bool()
    };
    let knows_one = members.iter().filter(|member| fact(member, "leader") == Some(true));
    let led: Vec<&str> = knows_one.map(|member| member.name.as_str()).collect();
    Some(match members.iter().find(|member| fact(member, "leads") == Some(true)) {
        Some(leading) => placed(leading),
        None if led.is_empty() => "not known: no member that answers here has one".to_owned(),
        None => format!("none of those that answer here; {} follow another", led.join(", ")),
    })
}
