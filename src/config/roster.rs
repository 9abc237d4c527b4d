//! The static list of nodes: each entry by itself, then all of them together.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_yaml::{Location, Spanned};

use super::error::Refusal;
use super::name;
use super::reader::Reader;
use super::schema::Entry;
use crate::detector::settings::Member;
use crate::identity::NodeId;

/// The longest static list. What a heartbeat can carry of a row bounds it.
pub const MAX_STATIC_NODES: usize = 1000;

/// The port of heartbeats.
pub(super) const HEARTBEATS: u16 = 7475;

/// The port of HTTP.
pub(super) const HTTP: u16 = 7476;

const EXAMPLE: &str =
    "list every node, this one included: `discovery: {static: [{name: node-1, address: \"10.0.0.1:7475\"}]}`";

const ENTRY: &str = "write it as `{name: node-1, address: \"10.0.0.1:7475\", zone: east}`";

/// A good list, or good entries of a bad one, and where it stands.
pub(super) struct Listed {
    pub(super) members: Vec<(Member, Places)>,
    pub(super) place: Location,
    /// Whether every entry is among the members: otherwise nobody can be said to be missing.
    pub(super) whole: bool,
}

/// Where the parts of an entry stand.
pub(super) struct Places {
    pub(super) name: Location,
    pub(super) address: Location,
}

/// Reads `peers.discovery.static`; `cluster` is what the ids of the nodes depend on.
pub(super) fn read(list: &Spanned<Vec<Spanned<Entry>>>, cluster: &str, reader: &mut Reader<'_>) -> Option<Listed> {
    check_length(list, reader)?;
    let entries: Vec<_> = list.value.iter().map(|entry| member(entry, reader)).collect();
    let whole = entries.iter().all(Option::is_some);
    let members: Vec<_> = entries.into_iter().flatten().collect();
    refuse_doubles(&members, reader);
    refuse_shared_ids(&members, |name| NodeId::of(cluster, name), reader);
    if whole && members.len() == 1 {
        let hint = "fine for a first try; add the other nodes before you trust it";
        reader.warn(list.referenced, Refusal::new("the list has one node, which has nobody to hear", hint));
    }
    Some(Listed { members, place: list.referenced, whole })
}

fn check_length(list: &Spanned<Vec<Spanned<Entry>>>, reader: &mut Reader<'_>) -> Option<()> {
    if list.value.is_empty() {
        reader.refuse(list.referenced, Refusal::new("peers.discovery.static lists no node", EXAMPLE));
        return None;
    }
    if list.value.len() > MAX_STATIC_NODES {
        let message = format!("peers.discovery.static lists {} nodes", list.value.len());
        let hint =
            format!("this version carries at most {MAX_STATIC_NODES}: split the cluster, one list for each part");
        reader.refuse(list.referenced, Refusal::new(message, hint));
        return None;
    }
    Some(())
}

fn member(entry: &Spanned<Entry>, reader: &mut Reader<'_>) -> Option<(Member, Places)> {
    let (fields, place) = (&entry.value, entry.referenced);
    let missing = |what: &str| Refusal::new(format!("an entry of the list has no {what}"), ENTRY);
    let name = reader.required("the name", fields.name.as_ref(), (place, missing("name")), name::node);
    let address = fields.address.as_ref();
    let address = reader.required("the address", address, (place, missing("address")), peer_address);
    let zone = reader.read("the zone", fields.zone.as_ref(), name::zone).or(String::new());
    let ((name, name_place), (address, address_place)) = (name?, address?);
    Some((Member::new(name, zone?, address), Places { name: name_place, address: address_place }))
}

/// An IP address and a port, which is usually `usual`.
pub(super) fn socket_address(text: &str, usual: u16) -> Result<SocketAddr, Refusal> {
    let address: SocketAddr = text.parse().map_err(|_| no_address(text, usual))?;
    if address.port() == 0 {
        return Err(Refusal::new("has port 0", format!("write the port that agents listen on, usually {usual}")));
    }
    Ok(address)
}

fn peer_address(text: &str) -> Result<SocketAddr, Refusal> {
    let address = socket_address(text, HEARTBEATS)?;
    one_nodes(address.ip(), |ip| SocketAddr::new(ip, address.port()).to_string())?;
    Ok(address)
}

/// An IP address by itself.
pub(super) fn node_address(text: &str) -> Result<IpAddr, Refusal> {
    let ip = text.parse().map_err(|_| match text.parse::<SocketAddr>() {
        Ok(address) => Refusal::new("has a port", format!("write `{}`", address.ip())),
        Err(_) => Refusal::new("is not an IP address", "write it as `10.0.0.1` or `fd00::1`, no name"),
    })?;
    one_nodes(ip, |ip| ip.to_string())?;
    Ok(ip)
}

/// Refuses what cannot be the address of one node; `written` is how its IPv4 form is to be written.
fn one_nodes(ip: IpAddr, written: impl Fn(IpAddr) -> String) -> Result<(), Refusal> {
    let hint = "write the address at which the other nodes reach this one";
    match ip {
        ip if ip.is_unspecified() => Err(Refusal::new("is nobody's address", hint)),
        ip if ip.is_multicast() => Err(Refusal::new("is a multicast address", hint)),
        IpAddr::V4(Ipv4Addr::BROADCAST) => Err(Refusal::new("is the broadcast address", hint)),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(Ok(()), |ip| {
            let hint = format!("write `{}`", written(ip.into()));
            Err(Refusal::new("is an IPv4 address written as IPv6", hint))
        }),
        IpAddr::V4(_) => Ok(()),
    }
}

/// Says what an address lacks, as far as that can be seen.
fn no_address(text: &str, usual: u16) -> Refusal {
    if text.parse::<Ipv6Addr>().is_ok() {
        let hint = format!("put the address in brackets and the port behind them, as in `[fd00::1]:{usual}`");
        return Refusal::new("is an IPv6 address without brackets", hint);
    }
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Refusal::new("has no port", format!("write `{}`", SocketAddr::from((ip, usual))));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let hint = format!("write it as `10.0.0.1:{usual}` or `[fd00::1]:{usual}`");
        return Refusal::new("is not an IP address and a port", hint);
    };
    if port.parse::<u16>().is_err() {
        let hint = format!("write a port from 1 to 65535, usually {usual}");
        return Refusal::new(format!("has `{port}` for a port"), hint);
    }
    if host.contains(':') {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        return Refusal::new(
            "is not an IPv6 address and a port",
            format!("write it as `[{host}]:{port}`, if that is the address"),
        );
    }
    if host.is_empty() {
        return Refusal::new("has a port but no IP address", format!("write it as `10.0.0.1:{port}` or `[::]:{port}`"));
    }
    let hint = format!("names are not looked up here: write the IP address, as in `10.0.0.1:{port}`");
    Refusal::new(format!("has the name `{host}` where an IP address belongs"), hint)
}

fn refuse_doubles(members: &[(Member, Places)], reader: &mut Reader<'_>) {
    let mut names = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for (member, places) in members {
        let line = places.name.line();
        if let Some(first) = names.insert(&member.name, line) {
            let message = format!("the name `{}` is listed a second time, first in line {first}", member.name);
            reader.refuse(places.name, Refusal::new(message, "take out one of the two, or correct its name"));
            continue;
        }
        if let Some(first) = addresses.insert(member.address, &member.name) {
            let message = format!("the address `{}` is that of `{first}` already", member.address);
            reader.refuse(places.address, Refusal::new(message, "give each node an address and port of its own"));
        }
    }
}

/// Datagrams name nodes by 8 bytes of a hash: two names may share them, however unlikely.
fn refuse_shared_ids(members: &[(Member, Places)], id_of: impl Fn(&str) -> NodeId, reader: &mut Reader<'_>) {
    let mut ids = BTreeMap::new();
    for (member, places) in members {
        match ids.insert(id_of(&member.name), &member.name) {
            Some(first) if *first != member.name => {
                let message = format!("`{}` and `{first}` have the same id in datagrams", member.name);
                reader.refuse(places.name, Refusal::new(message, "rename one of them, or the cluster"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn two_names_of_one_id_are_refused() {
        let member = |name: &str| Member::new(name, "", ([10, 0, 0, 1], 7475).into());
        let places = || Places { name: Location::UNKNOWN, address: Location::UNKNOWN };
        let environment = Environment::default();
        let mut reader = Reader::new("f", "", &environment);
        refuse_shared_ids(&[(member("a"), places()), (member("b"), places())], |_| NodeId(7), &mut reader);
        let (problems, _) = reader.into_findings();
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn an_address_that_is_none_is_told_what_it_lacks() {
        for (text, hint) in [
            ("10.0.0.1", "write `10.0.0.1:7475`"),
            ("[fd00::1]", "write `[fd00::1]:7475`"),
            ("[::ffff:10.0.0.1]:7475", "write `10.0.0.1:7475`"),
        ] {
            assert_eq!(peer_address(text).unwrap_err().hint, hint, "{text}");
        }
    }

    #[test]
    fn an_address_that_is_nobodys_is_refused() {
        for bad in
            ["0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "255.255.255.255:1", "10.0.0.1:0", ":1", "", "a:b:c"]
        {
            assert!(peer_address(bad).is_err(), "{bad}");
        }
    }
}
