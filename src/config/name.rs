//! What names may look like: those of nodes as Kubernetes has them, those of zones as label values, the cluster's, and
//! those in the DNS.

use std::net::{IpAddr, SocketAddr};

use super::error::Refusal;

/// The longest name of a node, in the DNS or of a cluster, in bytes.
const MAX_NAME: usize = 253;

/// The longest part of a name in the DNS, in bytes (RFC 1035, section 2.3.4).
const MAX_LABEL: usize = 63;

/// The longest zone, in bytes: that of a Kubernetes label value.
const MAX_ZONE: usize = 63;

/// A node's name: a lowercase RFC 1123 subdomain, as Kubernetes demands of a Node.
pub(super) fn node(text: &str) -> Result<String, Refusal> {
    within(text, MAX_NAME, "write the node's name, as `kubectl get nodes` shows it")?;
    if text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    let lowercase = text.to_ascii_lowercase();
    if lowercase.split('.').all(is_label) {
        let hint = format!("Kubernetes names are lowercase: write `{lowercase}`");
        return Err(Refusal::new("has capital letters", hint));
    }
    let hint = "use a–z, 0–9, `-` and `.`; each part between dots begins and ends with a letter or a digit";
    Err(Refusal::new("is no name for a node", hint))
}

/// A zone: a Kubernetes label value, which may be empty.
pub(super) fn zone(text: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return Ok(String::new());
    }
    within(text, MAX_ZONE, "")?;
    let inside = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let hint = "a zone is made of letters, digits, `-`, `_` and `.`, and begins and ends with a letter or a digit";
    if inside && has_solid_ends(text) { Ok(text.to_owned()) } else { Err(Refusal::new("is no name for a zone", hint)) }
}

/// A cluster's name: any visible ASCII. A space is refused because one at the end would cut an agent off unseen.
pub(super) fn cluster(text: &str) -> Result<String, Refusal> {
    within(text, MAX_NAME, "write a name, the same on every node, or leave the key out for `default`")?;
    let hint = "write visible ASCII characters without spaces, the same on every node";
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(Refusal::new("is no name for a cluster", hint))
    }
}

/// A name in the DNS. It comes back absolute, with a dot at its end: search domains are never tried, so that every node
/// asks for the same name.
pub(super) fn domain(text: &str) -> Result<String, Refusal> {
    let example = "write the whole name, as in `netsplit.example.internal`";
    let bare = text.strip_suffix('.').unwrap_or(text);
    within(bare, MAX_NAME, example)?;
    if bare.parse::<IpAddr>().is_ok() || bare.parse::<SocketAddr>().is_ok() {
        return Err(Refusal::new("is an address", "write a name, or list addresses below peers.discovery.static"));
    }
    if let Some((name, port)) = bare.split_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        return Err(Refusal::new("has a port", format!("write `{{name: {name}, port: {port}}}`")));
    }
    if let Some(label) = bare.split('.').find(|label| label.len() > MAX_LABEL) {
        let message = format!("has a part of {} bytes", label.len());
        return Err(Refusal::new(message, format!("use at most {MAX_LABEL} bytes between two dots")));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if bare.split('.').all(|label| !label.is_empty() && label.bytes().all(fits)) {
        return Ok(format!("{bare}."));
    }
    let hint = "use letters, digits, `-` and `_`, with single dots between; an international name in its `xn--` form";
    Err(Refusal::new("is no name in the DNS", hint))
}

/// A label of the DNS, as Kubernetes demands of Services and namespaces; `kind` is which.
pub(super) fn label(text: &str, kind: &str) -> Result<String, Refusal> {
    within(text, MAX_LABEL, &format!("write the name of the {kind}, as `kubectl get {kind}s` shows it"))?;
    let hint = "use a–z, 0–9 and `-`, beginning and ending with a letter or a digit";
    if is_label(text) { Ok(text.to_owned()) } else { Err(Refusal::new(format!("is no name for a {kind}"), hint)) }
}

fn within(text: &str, longest: usize, hint_if_empty: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::new("is empty", hint_if_empty));
    }
    if text.len() > longest {
        let message = format!("is too long: {} bytes", text.len());
        return Err(Refusal::new(message, format!("use at most {longest}")));
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    has_solid_ends(text) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn has_solid_ends(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_as_kubernetes_names_it() {
        assert_eq!(label("network-partition-detector", "service").as_deref(), Ok("network-partition-detector"));
        for bad in ["", "a.b", "A", "-a", "a_b", "agents.observability.svc.cluster.local", &"a".repeat(64)] {
            assert!(label(bad, "service").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_node_is_named_as_kubernetes_names_it() {
        for good in ["node-1", "ip-10-0-0-1.eu-west-1.compute.internal", "0", "a.b"] {
            assert_eq!(node(good).as_deref(), Ok(good));
        }
        for bad in ["", "Node", "node_1", "-a", "a-", "a..b", ".a", "a b", "nöde", &"a".repeat(254)] {
            assert!(node(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_in_the_dns_comes_back_absolute() {
        for (good, absolute) in [
            ("netsplit.example.internal", "netsplit.example.internal."),
            ("netsplit.example.internal.", "netsplit.example.internal."),
            ("agents", "agents."),
            ("_udp.Agents.example", "_udp.Agents.example."),
        ] {
            assert_eq!(domain(good).as_deref(), Ok(absolute));
        }
        let long = format!("{}.example", "a".repeat(64));
        let all = "a.".repeat(128);
        for bad in
            ["", ".", "a..b", ".a", "a b", "b\u{fc}ro.example", "10.0.0.1", "fd00::1", "a.example:53", &long, &all]
        {
            assert!(domain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_zone_is_a_label_value() {
        for good in ["", "east", "eu-west-1a", "Rack_7.b"] {
            assert_eq!(zone(good).as_deref(), Ok(good));
        }
        for bad in ["-a", "a b", "zone/a", "é", &"a".repeat(64)] {
            assert!(zone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cluster_may_have_any_name_one_can_see() {
        assert!(cluster("arn:aws:eks:eu-west-1:1:cluster/production").is_ok());
        for bad in ["", "production ", "two words", "tab\t"] {
            assert!(cluster(bad).is_err(), "{bad}");
        }
    }
}
