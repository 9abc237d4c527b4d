//! The addresses of a host, asked for anew by each probe: what was cached would hide a change, or an outage of the DNS.
//!
//! As the programs of this machine would find them: `/etc/hosts`, the servers and search domains of `/etc/resolv.conf`.
//! A lookup that fails is cause `dns`, whatever the reason: it says nothing of the endpoint.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use tokio::time::timeout;

use super::report::Fault;
use crate::detector::outcome::Cause;

/// All addresses of a name, IPv4 and IPv6, each once.
pub(super) async fn addresses_of(name: &str, time: Duration) -> Result<Vec<IpAddr>, Fault> {
    let resolver =
        resolver().map_err(|error| Fault::new(Cause::Dns, format!("the resolver of this machine: {error}")))?;
    let found = timeout(time, resolver.lookup_ip(name)).await;
    let found =
        found.map_err(|_| Fault::new(Cause::Dns, format!("no name server told the addresses of {name} in time")))?;
    let found = found.map_err(|error| Fault::new(Cause::Dns, format!("{name}: {error}")))?;
    let mut addresses: Vec<IpAddr> = found.iter().map(|address| address.to_canonical()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() { Err(Fault::new(Cause::Dns, format!("{name} has no address"))) } else { Ok(addresses) }
}

fn resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}
