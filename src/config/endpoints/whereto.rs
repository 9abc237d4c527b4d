//! Where an endpoint is: a host, a host and a port, a URL. Secrets have no place in any of them.

use std::net::{IpAddr, Ipv6Addr};

use hyper::http::uri::PathAndQuery;

use super::super::error::Refusal;
use super::super::name;
use crate::probe::{Address, Host};

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) is_secure: bool,
    pub(super) address: Address,
    /// The path and the query; it begins with a slash, or is empty.
    pub(super) path: String,
}

/// A URL of HTTP.
pub(super) fn url(text: &str) -> Result<Url, Refusal> {
    let Some((scheme, rest)) = text.split_once("://") else {
        without_secrets(text)?;
        return Err(Refusal::new("is no URL", format!("write it as `http://{text}` or `https://{text}`")));
    };
    let is_secure = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(Refusal::new("is neither http nor https", "begin it with `http://` or `https://`")),
    };
    if rest.contains('#') {
        return Err(Refusal::new("has a fragment", "take out the `#` and what follows: it never reaches a server"));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
    let address = address(authority, Some(if is_secure { 443 } else { 80 }))?;
    if !path.is_empty() && path.parse::<PathAndQuery>().is_err() {
        let hint = "write what is no ASCII, and spaces, as `%` and two digits each";
        return Err(Refusal::new("has a path that cannot be sent", hint));
    }
    Ok(Url { is_secure, address, path })
}

/// A host and a port, which may be left out where there is a usual one.
pub(super) fn address(text: &str, usual: Option<u16>) -> Result<Address, Refusal> {
    without_secrets(text)?;
    if let Some((_, rest)) = text.split_once("://") {
        return Err(Refusal::new("is a URL", format!("write the host and the port alone, as in `{rest}`")));
    }
    if text.contains('/') {
        return Err(Refusal::new("has a path", "write the host and the port alone, as in `db.example.internal:5432`"));
    }
    let (host, port) = halves(text)?;
    let host = self::host(host)?;
    let port = match (port, usual) {
        (Some(port), _) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| no_port(port))?,
        (None, Some(usual)) => usual,
        (None, None) => return Err(Refusal::new("has no port", format!("write the port behind it: `{text}:PORT`"))),
    };
    Ok(Address { host, port })
}

/// Refuses what may hold a secret, before an error repeats it.
fn without_secrets(text: &str) -> Result<(), Refusal> {
    if !text.contains('@') {
        return Ok(());
    }
    let hint = "take out what stands before the `@`, and write `username` and `password_file`: secrets come from files";
    Err(Refusal::new("holds a user name or a password", hint))
}

/// The host without its brackets, and the port.
fn halves(text: &str) -> Result<(&str, Option<&str>), Refusal> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Refusal::new("is an IPv6 address without brackets", format!("write it as `[{text}]`")));
    }
    let Some(inside) = text.strip_prefix('[') else {
        return Ok(text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))));
    };
    match inside.split_once(']') {
        Some((host, "")) if host.parse::<Ipv6Addr>().is_ok() => Ok((host, None)),
        Some((host, rest)) if host.parse::<Ipv6Addr>().is_ok() && rest.starts_with(':') => {
            Ok((host, rest.strip_prefix(':')))
        }
        _ => Err(Refusal::new("is not an IPv6 address and a port", "write it as `[fd00::1]:443`")),
    }
}

fn no_port(port: &str) -> Refusal {
    Refusal::new(format!("has `{port}` for a port"), "write a port from 1 to 65535")
}

/// A machine by name or address.
pub(super) fn host(text: &str) -> Result<Host, Refusal> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return somebodys(ip).map(Host::Ip);
    }
    if text.is_empty() {
        return Err(Refusal::new("has no host", "write the name of a host or its IP address"));
    }
    let labels = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if !labels.is_empty() && labels.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::new("has no IP address for a host", "write four numbers from 0 to 255, or a name"));
    }
    if text.contains(':') {
        return Err(Refusal::new("is not a host", "write a name or an IP address; one of IPv6 in brackets"));
    }
    name::domain(text).map(|_| Host::Name(text.to_owned()))
}

/// Refuses what is the address of no machine.
fn somebodys(ip: IpAddr) -> Result<IpAddr, Refusal> {
    let hint = "write the address of the endpoint";
    match ip {
        ip if ip.is_unspecified() => Err(Refusal::new("is nobody's address", hint)),
        ip if ip.is_multicast() => Err(Refusal::new("is a multicast address", hint)),
        IpAddr::V6(six) if six.to_ipv4_mapped().is_some() => {
            let hint = format!("write `{}`", ip.to_canonical());
            Err(Refusal::new("is an IPv4 address written as IPv6", hint))
        }
        ip => Ok(ip),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, shown) in [
            ("db.example.internal:5432", "db.example.internal:5432"),
            ("db:1", "db:1"),
            ("db", "db:7"),
            ("10.0.0.1", "10.0.0.1:7"),
            ("[fd00::1]:80", "[fd00::1]:80"),
            ("[fd00::1]", "[fd00::1]:7"),
            ("my_service.default.svc.cluster.local.", "my_service.default.svc.cluster.local.:7"),
        ] {
            assert_eq!(address(text, Some(7)).map(|address| address.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_told_how_to_be_one() {
        for (text, said) in [
            ("", "has no host"),
            (":80", "has no host"),
            ("db", "has no port"),
            ("db:0", "has `0` for a port"),
            ("db:65536", "has `65536` for a port"),
            ("fd00::1", "is an IPv6 address without brackets"),
            ("[fd00::1", "is not an IPv6 address and a port"),
            ("[db]:1", "is not an IPv6 address and a port"),
            ("a:b:1", "is not a host"),
            ("10.0.0.256:1", "has no IP address for a host"),
            ("0.0.0.0:1", "is nobody's address"),
            ("[ff02::1]:1", "is a multicast address"),
            ("[::ffff:10.0.0.1]:1", "is an IPv4 address written as IPv6"),
            ("redis://db:1", "is a URL"),
            ("db:1/0", "has a path"),
            ("me:secret@db:1", "holds a user name or a password"),
            ("bücher:1", "is no name in the DNS"),
        ] {
            assert_eq!(address(text, None).map_err(|refusal| refusal.message), Err(said.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_url_has_a_usual_port_and_keeps_its_path_and_query() {
        for (text, address, path) in [
            ("http://db", "db:80", ""),
            ("https://db", "db:443", ""),
            ("HTTP://db:8080/-/healthy?a=b", "db:8080", "/-/healthy?a=b"),
            ("https://[fd00::1]?x", "[fd00::1]:443", "/?x"),
        ] {
            let url = url(text).unwrap();
            assert_eq!((url.address.to_string().as_str(), url.path.as_str()), (address, path));
        }
    }

    #[test]
    fn what_is_no_url_is_told_so() {
        for (text, said) in [
            ("db:80", "is no URL"),
            ("ftp://db", "is neither http nor https"),
            ("http://", "has no host"),
            ("http://db/a#b", "has a fragment"),
            ("http://db/a b", "has a path that cannot be sent"),
            ("http://me:secret@db/", "holds a user name or a password"),
            ("me:secret@db/", "holds a user name or a password"),
        ] {
            assert_eq!(url(text).map_err(|refusal| refusal.message), Err(said.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(https?://|[\\[\\]:@/.?#%]|a|1|é|\\PC){0,20}") {
            let _ = (url(&text), address(&text, None), host(&text));
        }

        #[test]
        fn what_is_shown_reads_back(text in "[a-z]{1,5}|[1-9]\\.0\\.0\\.[1-9]", port in 1u16..) {
            let read = address(&format!("{text}:{port}"), None).unwrap();
            prop_assert_eq!(address(&read.to_string(), None).unwrap(), read);
        }
    }
}
