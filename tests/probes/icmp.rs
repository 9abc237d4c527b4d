//! The probe of ICMP, in network namespaces that a test makes for itself.

use netsplit::detector::outcome::{Cause, Outcome};
use netsplit::probe::icmp::Icmp;
use netsplit::probe::{Check, Fact, Host, Report};

use crate::own_network::{ALLOW_PING, in_a_network_of_its_own};
use crate::servers::faults::{LONG, SHORT, probed};

fn to(address: &str) -> Check {
    Check::Icmp(Icmp { host: Host::Ip(address.parse().unwrap()) })
}

#[track_caller]
fn replies(check: Check) -> Report {
    let report = probed(check, LONG);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    let rtt = report.facts.iter().find(|(name, _)| *name == "rtt");
    assert!(matches!(rtt, Some((_, Fact::Time(rtt))) if !rtt.is_zero() && *rtt <= report.took), "{report:?}");
    report
}

#[test]
fn a_host_that_is_there_replies_after_some_time() {
    in_a_network_of_its_own("icmp::a_host_that_is_there_replies_after_some_time", ALLOW_PING, || {
        for address in ["127.0.0.1", "127.0.0.9", "::1"] {
            let report = replies(to(address));
            assert_eq!(report.shown_address().as_deref(), Some(address), "there are no ports in ICMP");
            assert!(report.phases.exchange.is_some() && report.phases.connect.is_none(), "{report:?}");
        }
    });
}

#[test]
fn a_host_is_known_by_its_name() {
    in_a_network_of_its_own("icmp::a_host_is_known_by_its_name", ALLOW_PING, || {
        let report = replies(Check::Icmp(Icmp { host: Host::Name("localhost".to_owned()) }));
        assert!(report.phases.dns.is_some(), "{report:?}");
    });
}

#[test]
fn a_host_whose_name_nobody_knows_is_a_matter_of_the_dns() {
    // Nobody is at the server that is named there.
    let prepare = "echo nameserver 127.0.0.1 > /tmp/netsplit-$$; mount --bind /tmp/netsplit-$$ /etc/resolv.conf; \
                   rm /tmp/netsplit-$$; ";
    in_a_network_of_its_own("icmp::a_host_whose_name_nobody_knows_is_a_matter_of_the_dns", prepare, || {
        let report = probed(Check::Icmp(Icmp { host: Host::Name("nobody.example".to_owned()) }), SHORT);
        assert_eq!(report.outcome, Outcome::Failure(Cause::Dns), "{report:?}");
    });
}

#[test]
fn a_kernel_that_allows_no_ping_is_not_held_against_the_host() {
    in_a_network_of_its_own("icmp::a_kernel_that_allows_no_ping_is_not_held_against_the_host", "", || {
        for address in ["127.0.0.1", "::1"] {
            let report = probed(to(address), LONG);
            assert_eq!(report.outcome, Outcome::Inconclusive, "{report:?}");
            assert!(report.detail.contains("sysctl net.ipv4.ping_group_range"), "{report:?}");
        }
    });
}

#[test]
fn what_is_swallowed_on_the_way_is_silent() {
    let prepare = format!(
        "{ALLOW_PING} ip -6 address add fd00::9/128 dev lo nodad; nft 'add table inet t; \
         add chain inet t in {{ type filter hook input priority 0; }}; \
         add rule inet t in ip daddr 127.0.0.9 drop; add rule inet t in ip6 daddr fd00::9 drop'; "
    );
    in_a_network_of_its_own("icmp::what_is_swallowed_on_the_way_is_silent", &prepare, || {
        for address in ["127.0.0.9", "fd00::9"] {
            let report = probed(to(address), SHORT);
            assert_eq!(report.outcome, Outcome::Failure(Cause::Timeout), "{report:?}");
        }
    });
}

#[test]
fn without_a_route_nothing_is_said_of_the_host() {
    let prepare = format!("{ALLOW_PING} ip route add unreachable 198.51.100.0/24; ");
    in_a_network_of_its_own("icmp::without_a_route_nothing_is_said_of_the_host", &prepare, || {
        for address in ["192.0.2.1", "198.51.100.1", "2001:db8::1"] {
            assert_eq!(probed(to(address), LONG).outcome, Outcome::Inconclusive, "{address}");
        }
    });
}
