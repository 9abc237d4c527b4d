//! A real etcd: one member, or three that elect a leader.

use std::net::SocketAddr;

use netsplit::probe::etcd::Etcd;
use netsplit::probe::web::Web;
use netsplit::probe::{Address, Check, Host, Tls};
use tempfile::TempDir;

use super::faults::{Certificates, LONG, Shows, probed};
use super::process::{Process, free_address, program, until};

/// A member that runs.
pub(crate) struct Member {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    _directory: TempDir,
}

/// How a probe asks a member.
pub(crate) fn check(address: SocketAddr, tls: Option<Tls>) -> Check {
    let address = Address { host: Host::Ip(address.ip()), port: address.port() };
    Check::Etcd(Etcd { web: Web { address, tls, path: String::new(), authorization: None } })
}

/// A cluster of so many members that has a leader; with TLS towards clients if certificates are given. None if there is no
/// etcd here.
pub(crate) fn cluster(size: usize, certificates: Option<(&Certificates, Shows)>, more: &[&str]) -> Option<Vec<Member>> {
    let program = program("etcd")?;
    // Somebody else may take a port between our looking and its binding.
    for _ in 0..5 {
        let addresses: Vec<_> = (0..size).map(|_| (free_address(), free_address())).collect();
        let start = |at| {
            let directory = tempfile::tempdir().unwrap();
            let mut arguments = arguments(at, &addresses, certificates);
            arguments.extend(more.iter().map(ToString::to_string));
            let process = Process::start(&program, &arguments, directory.path(), "log");
            Member { address: addresses[at].0, process, _directory: directory }
        };
        let mut members: Vec<Member> = (0..size).map(start).collect();
        // Some want a certificate of whoever asks; the others do not mind.
        let tls = certificates.map(|(all, _)| Tls { insecure_skip_verify: true, ..all.trust_and_show() });
        let is_well = |address| probed(check(address, tls.clone()), LONG).outcome.is_success();
        if members.iter_mut().all(|member| member.process.becomes(|| is_well(member.address))) {
            // The first reads and writes of a cluster are its own.
            let is_told = |member: &Member| member.process.told().contains("cluster version");
            let is_done = |member: &Member| member.process.told().contains("cluster version is updated");
            // All learn it, and then its leader says that this is done.
            until("the version of the cluster", || members.iter().all(is_told) && members.iter().any(is_done));
            return Some(members);
        }
    }
    panic!("etcd did not begin on any ports");
}

fn arguments(at: usize, all: &[(SocketAddr, SocketAddr)], certificates: Option<(&Certificates, Shows)>) -> Vec<String> {
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let (client, peer) = all[at];
    let (client, peer) = (format!("{scheme}://{client}"), format!("http://{peer}"));
    let cluster: Vec<String> = all.iter().enumerate().map(|(at, (_, peer))| format!("m{at}=http://{peer}")).collect();
    let mut arguments = vec![
        format!("--name=m{at}"),
        "--data-dir=data".into(),
        "--logger=zap".into(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={}", cluster.join(",")),
    ];
    if let Some((certificates, shows)) = certificates {
        arguments.push(format!("--cert-file={}", certificates.certificate(shows).display()));
        arguments.push(format!("--key-file={}", certificates.key(shows).display()));
    }
    arguments
}
