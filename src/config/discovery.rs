//! `peers.discovery`: exactly one of the ways to find the nodes.

use std::net::{IpAddr, SocketAddr};

use serde_yaml::Spanned;

use super::error::Refusal;
use super::name;
use super::reader::Reader;
use super::roster::Listed;
use super::schema::{self, Dns, Kubernetes, Peers};
use super::{path, roster};
use crate::discovery::{DnsSettings, KubernetesSettings};

/// The port that agents listen on, if nothing is said.
const AGENT_PORT: u16 = 7475;

const EXAMPLE: &str = "list every node, this one included: `discovery: {static: [{name: node-1, address: \
                       \"10.0.0.1:7475\"}]}`, or look them up: `discovery: {kubernetes: {service: \
                       network-partition-detector}}`, `discovery: {dns: {name: netsplit.example.internal}}`";

/// What the file chose.
pub(super) enum Chosen {
    /// The static list.
    Listed(Listed),
    /// The addresses of a name.
    Dns(DnsSettings),
    /// The endpoints of a Service.
    Kubernetes(KubernetesSettings),
}

impl Chosen {
    /// The static list, if that was chosen.
    pub(super) fn listed(&self) -> Option<&Listed> {
        match self {
            Self::Listed(listed) => Some(listed),
            Self::Dns(_) | Self::Kubernetes(_) => None,
        }
    }
}

/// Reads `peers.discovery`; `cluster` is what the ids of the nodes depend on.
pub(super) fn read(peers: &Spanned<Peers>, cluster: &str, reader: &mut Reader<'_>) -> Option<Chosen> {
    let Some(discovery) = &peers.value.discovery else {
        reader.refuse(peers.referenced, Refusal::new("peers.discovery is missing", EXAMPLE));
        return None;
    };
    let schema::Discovery { fixed, dns, kubernetes } = &discovery.value;
    match (fixed, dns, kubernetes) {
        (Some(list), None, None) => roster::read(list, cluster, reader).map(Chosen::Listed),
        (None, Some(dns), None) => looked_up(dns, reader).map(Chosen::Dns),
        (None, None, Some(kubernetes)) => of_service(kubernetes, reader).map(Chosen::Kubernetes),
        (None, None, None) => {
            let message = "peers.discovery has neither static nor dns nor kubernetes";
            reader.refuse(discovery.referenced, Refusal::new(message, EXAMPLE));
            None
        }
        _ => {
            let places = [
                ("static", fixed.as_ref().map(|fixed| fixed.referenced)),
                ("dns", dns.as_ref().map(|dns| dns.referenced)),
                ("kubernetes", kubernetes.as_ref().map(|kubernetes| kubernetes.referenced)),
            ];
            let given: Vec<_> = places.into_iter().filter_map(|(name, place)| Some((name, place?))).collect();
            let names: Vec<&str> = given.iter().map(|&(name, _)| name).collect();
            let both = if names.len() == 2 { "both " } else { "" };
            let message = format!("peers.discovery has {both}{}", names.join(" and "));
            let hint = "keep one: the roster comes from one discovery, the same on every node";
            let place = given.last().map_or(discovery.referenced, |&(_, place)| place);
            reader.refuse(place, Refusal::new(message, hint));
            None
        }
    }
}

fn of_service(kubernetes: &Spanned<Kubernetes>, reader: &mut Reader<'_>) -> Option<KubernetesSettings> {
    let (fields, place) = (&kubernetes.value, kubernetes.referenced);
    let hint = "write it as `kubernetes: {service: network-partition-detector}`, the headless Service of the agents";
    let missing = (place, Refusal::new("peers.discovery.kubernetes.service is missing", hint));
    let name = |text: &str| name::label(text, "service");
    let service = reader.required("peers.discovery.kubernetes.service", fields.service.as_ref(), missing, name);
    let namespace = reader.read("peers.discovery.kubernetes.namespace", fields.namespace.as_ref(), |text| {
        name::label(text, "namespace").map(Some)
    });
    let hint = "write the path of a kubeconfig, or leave the key out in a pod";
    let kubeconfig = reader.read("peers.discovery.kubernetes.kubeconfig", fields.kubeconfig.as_ref(), |text| {
        path::parse(text, hint).map(Some)
    });
    let (namespace, kubeconfig) = (namespace.or(None), kubeconfig.or(None));
    Some(KubernetesSettings { service: service?.0, namespace: namespace?, kubeconfig: kubeconfig? })
}

fn looked_up(dns: &Spanned<Dns>, reader: &mut Reader<'_>) -> Option<DnsSettings> {
    let (fields, place) = (&dns.value, dns.referenced);
    let hint = "write it as `dns: {name: netsplit.example.internal}`, the name whose addresses are those of the agents";
    let missing = (place, Refusal::new("peers.discovery.dns.name is missing", hint));
    let name = reader.required("peers.discovery.dns.name", fields.name.as_ref(), missing, name::domain);
    let port = reader.read("peers.discovery.dns.port", fields.port.as_ref(), port).or(AGENT_PORT);
    let server = reader.read("peers.discovery.dns.server", fields.server.as_ref(), |text| server(text).map(Some));
    let server = server.or(None);
    let (name, place) = name?;
    if !name.trim_end_matches('.').contains('.') {
        let message = format!("peers.discovery.dns.name `{name}` is a single word");
        let hint = "write the whole name, as in `netsplit.example.internal`: search domains are not tried";
        reader.warn(place, Refusal::new(message, hint));
    }
    Some(DnsSettings { name, port: port?, server: server? })
}

fn port(text: &str) -> Result<u16, Refusal> {
    let port = text.parse().ok().filter(|&port| port > 0);
    port.ok_or_else(|| Refusal::new("is not a port", "write a port from 1 to 65535, usually 7475"))
}

/// An IP address and a port.
fn server(text: &str) -> Result<SocketAddr, Refusal> {
    let hint = "write the IP address of a DNS server and its port, as in `10.96.0.10:53` or `[fd00::10]:53`";
    let address = text.parse::<SocketAddr>().map_err(|_| match text.parse::<IpAddr>() {
        Ok(ip) => Refusal::new("has no port", format!("write `{}`", SocketAddr::from((ip, 53)))),
        Err(_) => Refusal::new("is not an IP address and a port", hint),
    })?;
    match address {
        _ if address.port() == 0 => Err(Refusal::new("has port 0", "write the port of the DNS server, usually 53")),
        _ if address.ip().is_unspecified() => Err(Refusal::new("is nobody's address", hint)),
        _ if address.ip().is_multicast() => Err(Refusal::new("is a multicast address", hint)),
        _ => Ok(address),
    }
}
