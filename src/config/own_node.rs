//! Which node this agent speaks for: its entry in the list, and what the file says of it beside.

use std::net::{IpAddr, SocketAddr};

use serde_yaml::Location;

use super::discovery::Chosen;
use super::error::Refusal;
use super::name;
use super::reader::{Reader, Setting};
use super::roster::{self, Listed};
use super::schema::{Node, Text};
use super::unknown::closest;
use crate::detector::settings::Member;

/// How many names a hint lists.
const NAMED: usize = 5;

/// This node, before it is known where it listens.
pub(super) struct OwnNode {
    /// Its entry in the list, or what stands for it, with its own zone.
    pub(super) entry: Member,
    /// `node.pod_address`, if it was given, and where.
    pub(super) pod: Option<(IpAddr, Location)>,
    host: Option<IpAddr>,
}

impl OwnNode {
    pub(super) fn pod_address(&self) -> Option<IpAddr> {
        self.pod.map(|(address, _)| address)
    }

    /// What its hello says.
    pub(super) fn into_member(self, listen: SocketAddr, http: SocketAddr) -> Member {
        let mut address = self.pod_address().map_or(self.entry.address, |ip| SocketAddr::new(ip, listen.port()));
        if address.port() == 0 {
            address.set_port(listen.port());
        }
        let host = self.host.filter(|&host| host != address.ip());
        // A server that others do not find at the agent's address is none to them: a port that is asked in vain would
        // look like an agent that is gone.
        let is_reachable = http.ip() == address.ip() || serves_all(http, address);
        Member { address, host, http_port: is_reachable.then_some(http.port()), ..self.entry }
    }
}

/// Whether `listen` stands for every address of the family of `address`.
fn serves_all(listen: SocketAddr, address: SocketAddr) -> bool {
    listen.ip().is_unspecified() && (listen.is_ipv6() || address.is_ipv4())
}

/// Reads `node`. `None` if it is wrong, which was said, or if there is no good discovery.
///
/// Where the nodes are looked up its address is not known beforehand: nobody's, so that its hello says "where this came
/// from".
pub(super) fn read(node: Option<&Node>, chosen: Option<&Chosen>, reader: &mut Reader<'_>) -> Option<OwnNode> {
    let name = own_name(node, reader);
    let zone = reader.read("node.zone", node.and_then(|node| node.zone.as_ref()), name::zone);
    let pod = address("node.pod_address", node.and_then(|node| node.pod_address.as_ref()), reader);
    let host = address("node.host_address", node.and_then(|node| node.host_address.as_ref()), reader);
    let ((name, place), chosen) = (name?, chosen?);
    let host = host.map(|(address, _)| address);
    let listed = match chosen {
        Chosen::Listed(listed) => listed,
        Chosen::Dns(dns) => {
            let entry = Member::new(name, zone.or(String::new())?, SocketAddr::from(([0; 16], dns.port)));
            return Some(OwnNode { entry, pod, host });
        }
        // Its endpoint has the port at which it listens.
        Chosen::Kubernetes(_) => {
            let entry = Member::new(name, zone.or(String::new())?, SocketAddr::from(([0; 16], 0)));
            return Some(OwnNode { entry, pod, host });
        }
    };
    let Some((entry, _)) = listed.members.iter().find(|(member, _)| member.name == name) else {
        if listed.whole {
            reader.refuse(place.unwrap_or(listed.place), not_listed(&name, listed));
        }
        return None;
    };
    let mut entry = entry.clone();
    if let Some((zone, place)) = zone.given().filter(|(zone, _)| !zone.is_empty()) {
        if !entry.zone.is_empty() && entry.zone != zone {
            let message = format!("node.zone is `{zone}`, but the list has `{name}` in `{}`", entry.zone);
            reader.warn(place, Refusal::new(message, "node.zone counts; make the two the same"));
        }
        entry.zone = zone;
    }
    if let Some((address, place)) = pod.filter(|(address, _)| *address != entry.address.ip()) {
        let message = format!("node.pod_address is `{address}`, but the list has `{name}` at `{}`", entry.address);
        reader.warn(place, Refusal::new(message, "the others go by their lists first; make the two the same"));
    }
    Some(OwnNode { entry, pod, host })
}

/// An address that may be left out or empty. Where it is wrong it counts as left out, and that was said.
fn address(what: &str, text: Option<&Text>, reader: &mut Reader<'_>) -> Option<(IpAddr, Location)> {
    let optional = |text: &str| if text.is_empty() { Ok(None) } else { roster::node_address(text).map(Some) };
    let (address, place) = reader.read(what, text, optional).given()?;
    Some((address?, place))
}

/// The node's name, and its place if it stands in the file.
fn own_name(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<(String, Option<Location>)> {
    match reader.read("node.name", node.and_then(|node| node.name.as_ref()), name::node) {
        Setting::Given(name, place) => return Some((name, Some(place))),
        Setting::Refused => return None,
        Setting::Absent => {}
    }
    let environment = reader.environment();
    let (whence, found) = match environment.variable("NODE_NAME").filter(|name| !name.is_empty()) {
        Some(name) => ("the environment variable NODE_NAME", Some(name)),
        None => ("the host's name", environment.host_name()),
    };
    let hint = "set node.name, or the environment variable NODE_NAME";
    let refusal = match found.map(name::node) {
        Some(Ok(name)) => return Some((name, None)),
        Some(Err(refusal)) => {
            let message =
                format!("node.name is not set, and {whence} `{}` {}", found.unwrap_or_default(), refusal.message);
            Refusal::new(message, hint)
        }
        None => Refusal::new("node.name is not set, and the host's name cannot be read", hint),
    };
    reader.refuse_whole(refusal);
    None
}

fn not_listed(name: &str, listed: &Listed) -> Refusal {
    let names: Vec<&str> = listed.members.iter().map(|(member, _)| member.name.as_str()).collect();
    let message = format!("this node, `{name}`, is not in peers.discovery.static");
    if let Some(meant) = closest(name, &names) {
        return Refusal::new(
            message,
            format!("is it `{meant}`? If not, add it: every agent needs the same list, itself included"),
        );
    }
    let more = if names.len() > NAMED { ", …" } else { "" };
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    Refusal::new(
        message,
        format!("add it to the list, or set node.name or NODE_NAME to one that is there: {named}{more}"),
    )
}
