//! What names may look like: those of nodes as Kubernetes has them, those of zones as label values, and the cluster's.

use super::error::Refusal;

/// The longest name of a node or a cluster, in bytes.
const MAX_NAME: usize = 253;

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
    fn a_node_is_named_as_kubernetes_names_it() {
        for good in ["node-1", "ip-10-0-0-1.eu-west-1.compute.internal", "0", "a.b"] {
            assert_eq!(node(good).as_deref(), Ok(good));
        }
        for bad in ["", "Node", "node_1", "-a", "a-", "a..b", ".a", "a b", "nöde", &"a".repeat(254)] {
            assert!(node(bad).is_err(), "{bad}");
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
