//! Where an agent answers: `HOST:PORT`, `[IPV6]:PORT`, or the host alone.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The agent's own port for HTTP.
pub(super) const PORT: u16 = 7476;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "write HOST:PORT, as in 127.0.0.1:7476 or [::1]:7476";
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(format!("an IPv6 address stands in brackets: write [{text}]:{PORT}"));
        }
        if text.contains("://") || text.contains('/') {
            return Err(format!("it is no URL: {example}"));
        }
        let (host, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) if host.parse::<Ipv6Addr>().is_ok() => (host, rest),
            Some(_) => return Err(format!("in the brackets is no IPv6 address: {example}")),
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':').map(str::parse) {
            None if rest.is_empty() => PORT,
            Some(Ok(port)) if port > 0 => port,
            _ => return Err(format!("the port is a number from 1 to 65535: {example}")),
        };
        let is_strange = |letter: char| letter.is_whitespace() || letter.is_control() || "[]@?#".contains(letter);
        if host.is_empty() || host.contains(is_strange) {
            return Err(format!("there is no host in it: {example}"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_maybe_a_port() {
        for (text, shown) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("node-1", "node-1:7476"),
            ("node-1.example.internal:9", "node-1.example.internal:9"),
            ("[::1]:7476", "[::1]:7476"),
            ("[::1]", "[::1]:7476"),
        ] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_told_how_to_be_one() {
        for (text, told) in [
            ("::1", "stands in brackets: write [::1]:7476"),
            ("http://node-1:7476", "it is no URL"),
            ("node-1:0", "the port is a number from 1 to 65535"),
            ("node-1:70000", "the port is a number from 1 to 65535"),
            ("[node-1]:7476", "in the brackets is no IPv6 address"),
            ("[::1]7476", "the port is a number"),
            (":7476", "there is no host in it"),
            ("", "there is no host in it"),
            ("no de", "there is no host in it"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
