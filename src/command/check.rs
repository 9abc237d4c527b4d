//! `netsplit check`: is this configuration good, what does it mean, and what will it cost?

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use netsplit::config::{
    self, Authentication, Config, Discovery, Effective, Environment, Errors, Human, Loaded, Problem, Refusal,
};
use netsplit::keys::{oddities, read_directory};
use serde_json::json;

use super::probing::{Probing, rate};
use super::traffic::Cluster;
use super::{Exit, print};

const EXAMPLES: &str = "\
Examples:
  NODE_NAME=node-1 netsplit check config/netsplit.yaml
  NODE_NAME=node-1 netsplit check config/examples/three-nodes.yaml --nodes 100

Prints the configuration with its defaults filled in, then the timing that it comes to at N nodes, and what
it costs with them spread evenly over the zones of the list: one heartbeat per peer each 7/8 of the period, 96 bytes and 28 (IPv4) or 48 (IPv6)
of headers each, 30 days a month; the probes of each endpoint while all is well, and how many connections it has to bear. Nodes that are looked up are not known here: that is 100 nodes in one
zone then, or as many as --nodes says. Exit code 2 if the file or the keys are wrong.";

/// With how many nodes it is reckoned where they are looked up.
const LOOKED_UP: u32 = 100;

/// Validate a configuration, and show what it means and costs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Reckon with this many nodes [default: as many as the list has, or 100].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    nodes: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Fine if the file and the keys that it names are good.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    match load_with_keys(&arguments.file) {
        Ok(loaded) => report(&loaded, arguments),
        Err(errors) if arguments.json => {
            print(&format!("{:#}\n", json!({ "errors": errors })))?;
            Ok(Exit::Wrong)
        }
        Err(errors) => Err(errors.into()),
    }
}

fn load_with_keys(file: &Path) -> Result<Loaded, Errors> {
    let mut loaded = config::read(file, &Environment::of_process())?;
    if let Authentication::Keys(directory) = &loaded.config.authentication {
        let hint = "authentication.keys in this file names the directory";
        let name = file.display().to_string();
        let odd = read_directory(directory)
            .and_then(|_| oddities(directory))
            .map_err(|error| Errors::about(&name, Refusal::new(error.to_string(), hint)))?;
        let warning = |message| Problem { file: name.clone(), place: None, message, hint: hint.to_owned() };
        loaded.warnings.extend(odd.into_iter().map(warning));
    }
    Ok(loaded)
}

fn report(loaded: &Loaded, arguments: &Arguments) -> anyhow::Result<Exit> {
    let cluster = cluster(&loaded.config, arguments.nodes);
    if arguments.json {
        print(&format!("{:#}\n", as_json(loaded, cluster)))?;
    } else {
        for warning in &loaded.warnings {
            writeln!(io::stderr(), "warning: {warning}\n")?;
        }
        print(&as_text(&loaded.config, cluster)?)?;
    }
    Ok(Exit::Fine)
}

fn cluster(config: &Config, nodes: Option<u32>) -> Cluster {
    let of = |nodes: u32, zones, ipv6| {
        let timing = config.settings.timing.at(usize::try_from(nodes).unwrap_or(usize::MAX));
        Cluster { timing, nodes, zones, ipv6 }
    };
    let list = match &config.discovery {
        Discovery::Static(list) => list,
        Discovery::Dns(_) | Discovery::Kubernetes(_) => {
            return of(nodes.unwrap_or(LOOKED_UP), 1, config.listen.is_ipv6());
        }
    };
    let zones: BTreeSet<&str> = list.iter().map(|member| member.zone.as_str()).collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let ipv6 = list.iter().any(|member| member.address.is_ipv6());
    of(nodes.unwrap_or_else(|| count(list.len())), count(zones.len()), ipv6)
}

fn as_text(config: &Config, cluster: Cluster) -> anyhow::Result<String> {
    let Cluster { timing, nodes, zones, .. } = cluster;
    let zones = if zones == 1 { "1 zone".to_owned() } else { format!("{zones} zones") };
    let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
    let mut out = Effective::of(config).to_yaml()?;
    writeln!(out)?;
    writeln!(out, "at {nodes} in {zones}:")?;
    writeln!(out, "  period                {}", Human(timing.period))?;
    writeln!(out, "  timeout               {}", Human(timing.timeout))?;
    writeln!(out, "  confirm period        {}", Human(timing.confirm_period))?;
    writeln!(out, "  detection bound       {}", Human(timing.detection_bound()))?;
    writeln!(out, "  heartbeats per agent  {:.1}/s sent, as many received", cluster.heartbeats_per_second())?;
    writeln!(out, "  bandwidth per agent   {}bit/s sent, as much received", scaled(cluster.bits_per_second()))?;
    let between = scaled(cluster.bytes_between_zones_per_month());
    writeln!(out, "  between zones         {between}B a month, all agents together")?;
    push_probes(&mut out, &probing(config, cluster))?;
    Ok(out)
}

fn probing(config: &Config, cluster: Cluster) -> Vec<Probing> {
    let of = |endpoint| Probing::of(endpoint, cluster.nodes, cluster.zones);
    config.endpoints.iter().map(of).collect()
}

/// What endpoints cost, where there are any.
fn push_probes(out: &mut String, probing: &[Probing]) -> anyhow::Result<()> {
    if probing.is_empty() {
        return Ok(());
    }
    let each: f64 = probing.iter().map(|endpoint| endpoint.by_agent).sum();
    writeln!(out, "  probes per agent      {} while all is well; each endpoint gets", rate(each))?;
    let widest = probing.iter().map(|endpoint| endpoint.endpoint.len()).max().unwrap_or_default().max(18);
    for Probing { endpoint, agents, at_endpoint, connections, .. } in probing {
        let agents = if *agents == 1 { "1 agent".to_owned() } else { format!("{agents} agents") };
        let held = match connections {
            0 => String::new(),
            1 => ", 1 connection held".to_owned(),
            many => format!(", {many} connections held"),
        };
        writeln!(out, "    {endpoint:widest$}  {} from {agents}{held}", rate(*at_endpoint))?;
    }
    Ok(())
}

fn as_json(loaded: &Loaded, cluster: Cluster) -> serde_json::Value {
    let timing = &cluster.timing;
    let probing = probing(&loaded.config, cluster);
    let endpoints = probing.iter().map(|one| {
        json!({
            "name": one.endpoint,
            "agents": one.agents,
            "probes_per_second": one.at_endpoint,
            "probes_per_second_per_agent": one.by_agent,
            "connections_held": one.connections,
        })
    });
    json!({
        "configuration": Effective::of(&loaded.config),
        "warnings": loaded.warnings,
        "period_seconds": timing.period.as_secs_f64(),
        "timeout_seconds": timing.timeout.as_secs_f64(),
        "confirm_period_seconds": timing.confirm_period.as_secs_f64(),
        "detection_bound_seconds": timing.detection_bound().as_secs_f64(),
        "nodes": cluster.nodes,
        "zones": cluster.zones,
        "heartbeat_bytes": cluster.datagram(),
        "heartbeats_per_second": cluster.heartbeats_per_second(),
        "bits_per_second": cluster.bits_per_second(),
        "bytes_between_zones_per_month": cluster.bytes_between_zones_per_month(),
        "probes_per_second": probing.iter().map(|endpoint| endpoint.by_agent).sum::<f64>(),
        "endpoints": endpoints.collect::<Vec<_>>(),
    })
}

/// A number with a decimal prefix, to be followed by its unit.
fn scaled(number: f64) -> String {
    let prefixes = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match prefixes.iter().find(|(size, _)| number >= *size) {
        Some((size, prefix)) => format!("{:.1} {prefix}", number / size),
        None => format!("{number:.0} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_prefix_of_their_size() {
        let shown: Vec<_> = [0.0, 999.0, 1500.0, 2.5e6, 3e9, 4e13].into_iter().map(scaled).collect();
        assert_eq!(shown, ["0 ", "999 ", "1.5 k", "2.5 M", "3.0 G", "40.0 T"]);
    }
}
