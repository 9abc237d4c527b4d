//! What slices of endpoints come to: one entry a node.
//!
//! A node is in several slices at once where it has an address of each family, and while its pod is being replaced. Of those
//! the one is taken that runs, then the one of the agent's own family. Whether it is ready says nothing of it here: agents
//! tell each other that.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::List;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use super::super::{Cause, Failure, Families};
use crate::detector::Listing;
use crate::detector::settings::Member;

/// The name of the port, where a Service has several.
const PORT: &str = "heartbeat";

/// The longest names of nodes and zones, in bytes: what Kubernetes allows, and a hello carries.
const LONGEST_NODE: usize = 253;
const LONGEST_ZONE: usize = 63;

/// An agent, as an endpoint tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Agent<'a> {
    node: Option<&'a str>,
    zone: &'a str,
    address: SocketAddr,
    is_leaving: bool,
    /// Not of the family that is taken first.
    is_second: bool,
    is_not_ready: bool,
}

impl Agent<'_> {
    /// Which of two entries of a node comes first.
    fn order(&self, other: &Self) -> Ordering {
        let key = |agent: &Self| (agent.is_leaving, agent.is_second, agent.is_not_ready, agent.address);
        key(self).cmp(&key(other))
    }
}

/// Who belongs, by an answer of the API server.
pub(super) fn listing(body: &[u8], families: Families) -> Result<Listing, Failure> {
    let list: List<EndpointSlice> = serde_json::from_slice(body)
        .map_err(|error| Failure::new(Cause::Malformed, format!("the list of slices: {error}")))?;
    if list.items.is_empty() {
        // Even one that selects nobody has a slice.
        return Err(Failure::new(Cause::NotFound, "there is no slice of such a Service"));
    }
    let (mut agents, mut portless) = (Vec::new(), None);
    for slice in &list.items {
        match agents_of(slice, families) {
            Ok(found) => agents.extend(found),
            Err(failure) => portless = Some(failure),
        }
    }
    if agents.is_empty() {
        let nobody = || Failure::new(Cause::Empty, "the Service has no endpoint that an agent could be at");
        return Err(portless.unwrap_or_else(nobody));
    }
    Ok(merged(agents))
}

/// Pods that have no such port are in slices of their own: they are no agents, whatever the Service selects them for.
fn agents_of(slice: &EndpointSlice, families: Families) -> Result<Vec<Agent<'_>>, Failure> {
    let endpoints = &slice.endpoints;
    if endpoints.is_empty() {
        return Ok(Vec::new());
    }
    let ports = slice.ports.as_deref().unwrap_or_default();
    let port = port_of(ports).ok_or_else(|| {
        Failure::new(Cause::Malformed, format!("the Service has neither one port of UDP nor one named {PORT}"))
    })?;
    Ok(endpoints.iter().filter_map(|endpoint| agent(endpoint, port, families)).collect())
}

fn port_of(ports: &[EndpointPort]) -> Option<u16> {
    let mut udp = ports.iter().filter(|port| port.protocol.as_deref() == Some("UDP"));
    let port = match (udp.next(), udp.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => {
            ports.iter().find(|port| port.protocol.as_deref() == Some("UDP") && port.name.as_deref() == Some(PORT))?
        }
        (None, _) => return None,
    };
    port.port.and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0)
}

fn agent(endpoint: &Endpoint, port: u16, families: Families) -> Option<Agent<'_>> {
    // There is one; what more there may be stands for the same pod.
    let address: IpAddr = endpoint.addresses.first()?.parse().ok()?;
    if !families.reach(address) || address.is_unspecified() || address.is_multicast() {
        return None;
    }
    let conditions = endpoint.conditions.as_ref();
    let is = |condition: Option<bool>| condition.unwrap_or(false);
    Some(Agent {
        node: endpoint.node_name.as_deref().filter(|name| is_sound(name, LONGEST_NODE)),
        zone: endpoint.zone.as_deref().filter(|zone| is_sound(zone, LONGEST_ZONE)).unwrap_or_default(),
        address: SocketAddr::new(address, port),
        is_leaving: is(conditions.and_then(|conditions| conditions.terminating)),
        is_second: !families.prefer(address),
        is_not_ready: !is(conditions.and_then(|conditions| conditions.ready)),
    })
}

/// Whether a name can be in a hello and a log.
fn is_sound(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn merged(agents: Vec<Agent<'_>>) -> Listing {
    let mut nodes: BTreeMap<&str, Agent<'_>> = BTreeMap::new();
    let mut addresses = Vec::new();
    for agent in agents {
        let Some(node) = agent.node else {
            // Somebody wrote it by hand: who it is it tells itself.
            addresses.extend((!agent.is_leaving).then_some(agent.address));
            continue;
        };
        let is_first = nodes.get(node).is_none_or(|known| agent.order(known).is_lt());
        if is_first {
            nodes.insert(node, agent);
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    let leaving = nodes.iter().filter(|(_, agent)| agent.is_leaving).map(|(name, _)| (*name).to_owned()).collect();
    let member = |(name, agent): (&str, Agent<'_>)| Member::new(name, agent.zone, agent.address);
    Listing { members: nodes.into_iter().map(member).collect(), addresses, leaving }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn both() -> Families {
        Families::reached_from("[::]:7475".parse().unwrap())
    }

    /// A slice as an API server writes it.
    fn slice(endpoints: &[Value]) -> Value {
        let ports = [port("http", "TCP", 7476), port("heartbeat", "UDP", 7475)];
        json!({"metadata": {"name": "agents-x"}, "addressType": "IPv4", "ports": ports, "endpoints": endpoints})
    }

    fn port(name: &str, protocol: &str, port: u16) -> Value {
        json!({"name": name, "protocol": protocol, "port": port})
    }

    fn endpoint(node: &str, address: &str) -> Value {
        json!({"addresses": [address], "nodeName": node, "zone": "east",
               "conditions": {"ready": true, "serving": true, "terminating": false}})
    }

    fn terminating(node: &str, address: &str) -> Value {
        let mut endpoint = endpoint(node, address);
        endpoint["conditions"] = json!({"ready": false, "serving": false, "terminating": true});
        endpoint
    }

    fn read_by(families: Families, slices: &[Value]) -> Result<Listing, Failure> {
        let list =
            json!({"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": {}, "items": slices});
        listing(list.to_string().as_bytes(), families)
    }

    fn read(slices: &[Value]) -> Result<Listing, Failure> {
        read_by(both(), slices)
    }

    fn members(slices: &[Value]) -> Vec<String> {
        shown(&read(slices).unwrap())
    }

    fn shown(listing: &Listing) -> Vec<String> {
        listing.members.iter().map(|member| format!("{} {} {}", member.name, member.zone, member.address)).collect()
    }

    #[test]
    fn slices_are_one_list_of_nodes_with_zones_and_the_port_of_udp() {
        let slices = [slice(&[endpoint("n2", "10.0.0.2")]), slice(&[endpoint("n1", "10.0.0.1")])];
        assert_eq!(members(&slices), ["n1 east 10.0.0.1:7475", "n2 east 10.0.0.2:7475"]);
        assert_eq!(read(&slices).unwrap().leaving, Vec::<String>::new());
    }

    #[test]
    fn a_node_of_two_families_is_taken_at_the_address_of_the_agents_own() {
        let slices = [slice(&[endpoint("n1", "fd00::1")]), slice(&[endpoint("n1", "10.0.0.1")])];
        let shown = |families| shown(&read_by(families, &slices).unwrap());
        assert_eq!(shown(both()), ["n1 east 10.0.0.1:7475"]);
        let own = "fd00::2".parse().unwrap();
        assert_eq!(shown(both().preferring(Some(own))), ["n1 east [fd00::1]:7475"]);
        assert_eq!(shown(Families::reached_from("[fd00::2]:7475".parse().unwrap())), ["n1 east [fd00::1]:7475"]);
        assert_eq!(shown(Families::reached_from("0.0.0.0:7475".parse().unwrap())), ["n1 east 10.0.0.1:7475"]);
    }

    #[test]
    fn a_pod_that_replaces_one_that_is_ending_is_its_node() {
        let slices = [slice(&[terminating("n1", "10.0.0.1")]), slice(&[endpoint("n1", "10.0.0.9")])];
        assert_eq!(members(&slices), ["n1 east 10.0.0.9:7475"]);
        assert!(read(&slices).unwrap().leaving.is_empty());
    }

    #[test]
    fn a_node_whose_every_pod_is_ending_leaves() {
        let slices = [slice(&[terminating("n1", "10.0.0.1"), endpoint("n2", "10.0.0.2")])];
        assert_eq!(members(&slices).len(), 2);
        assert_eq!(read(&slices).unwrap().leaving, ["n1"]);
    }

    #[test]
    fn whether_an_agent_is_ready_does_not_matter() {
        let mut starting = endpoint("n1", "10.0.0.1");
        starting["conditions"] = json!({"ready": false});
        let mut unknown = endpoint("n2", "10.0.0.2");
        unknown["conditions"] = json!({});
        assert_eq!(members(&[slice(&[starting, unknown])]).len(), 2);
    }

    #[test]
    fn an_endpoint_without_a_node_is_an_address_that_tells_its_name_itself() {
        let by_hand = json!({"addresses": ["10.0.0.7"], "conditions": {"ready": true}});
        let listing = read(&[slice(&[by_hand.clone(), by_hand, endpoint("n1", "10.0.0.1")])]).unwrap();
        assert_eq!(listing.addresses, ["10.0.0.7:7475".parse().unwrap()]);
        assert_eq!(listing.members.len(), 1);
    }

    #[test]
    fn what_no_agent_could_be_at_is_left_out() {
        let odd = ["0.0.0.0", "224.0.0.1", "agent.example", ""].map(|address| endpoint("n1", address));
        assert_eq!(read(&[slice(&odd)]).unwrap_err().cause, Cause::Empty);
        let long = endpoint(&"n".repeat(254), "10.0.0.1");
        let listing = read(&[slice(&[long, endpoint("a b", "10.0.0.2")])]).unwrap();
        assert_eq!((listing.members.len(), listing.addresses.len()), (0, 2));
        let mut zoned = endpoint("n1", "10.0.0.1");
        zoned["zone"] = json!("z".repeat(64));
        assert_eq!(members(&[slice(&[zoned])]), ["n1  10.0.0.1:7475"]);
    }

    #[test]
    fn of_several_ports_of_udp_that_of_heartbeats_is_taken() {
        let with = |ports: &[Value]| {
            let mut slice = slice(&[endpoint("n1", "10.0.0.1")]);
            slice["ports"] = json!(ports);
            read(&[slice]).map(|listing| listing.members[0].address.port()).map_err(|failure| failure.cause)
        };
        assert_eq!(with(&[port("any", "UDP", 1)]), Ok(1));
        assert_eq!(with(&[port("dns", "UDP", 53), port("heartbeat", "UDP", 7000)]), Ok(7000));
        assert_eq!(with(&[port("dns", "UDP", 53), port("sip", "UDP", 5060)]), Err(Cause::Malformed));
        assert_eq!(with(&[port("heartbeat", "TCP", 7475)]), Err(Cause::Malformed));
        assert_eq!(with(&[]), Err(Cause::Malformed));
    }

    #[test]
    fn a_pod_without_the_port_is_no_agent_and_hides_none() {
        let mut portless = slice(&[endpoint("n9", "10.0.0.9")]);
        portless["ports"] = json!([port("http", "TCP", 7476)]);
        assert_eq!(members(&[portless.clone(), slice(&[endpoint("n1", "10.0.0.1")])]), ["n1 east 10.0.0.1:7475"]);
        assert_eq!(read(&[portless, slice(&[])]).unwrap_err().cause, Cause::Malformed);
    }

    #[test]
    fn a_service_that_is_not_there_is_told_from_one_that_selects_nobody() {
        assert_eq!(read(&[]).unwrap_err().cause, Cause::NotFound);
        let mut none = slice(&[]);
        none["ports"] = Value::Null;
        none["endpoints"] = Value::Null;
        assert_eq!(read(&[none]).unwrap_err().cause, Cause::Empty);
        assert_eq!(listing(b"<html></html>", both()).unwrap_err().cause, Cause::Malformed);
    }
}
