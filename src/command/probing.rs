//! What endpoints cost: how many probes each agent makes in a second, and how many an endpoint gets, at any number of nodes.
//!
//! While all is well each agent that asks an endpoint does so once in its period. Of a sample each agent has its share: it is
//! drawn for each endpoint anew. What goes beside while something fails (confirmation, trials of the breaker) is not in
//! these numbers.

use netsplit::config::Endpoint;

/// What one endpoint costs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Probing {
    pub(crate) endpoint: String,
    /// How many agents ask it.
    pub(crate) agents: u32,
    /// Probes that it gets in a second, from all agents together.
    pub(crate) at_endpoint: f64,
    /// Probes that an agent makes of it in a second, on average over all agents.
    pub(crate) by_agent: f64,
    /// Connections that are held to it, by all agents together.
    pub(crate) connections: u32,
}

impl Probing {
    pub(crate) fn of(endpoint: &Endpoint, nodes: u32, zones: u32) -> Self {
        let agents = endpoint.schedule.probers(nodes, zones);
        let at_endpoint = f64::from(agents) / endpoint.schedule.period.as_secs_f64();
        let by_agent = at_endpoint / f64::from(nodes.max(1));
        let connections = if endpoint.schedule.keep { agents } else { 0 };
        Self { endpoint: endpoint.name.clone(), agents, at_endpoint, by_agent, connections }
    }
}

/// A rate with two digits that matter, so that one probe an hour is not none.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0/s".to_owned(),
        ..0.01 => format!("{:.1}/h", per_second * 3600.0),
        ..1.0 => format!("{per_second:.2}/s"),
        _ => format!("{per_second:.1}/s"),
    }
}

#[cfg(test)]
mod tests {
    use netsplit::config::{Environment, load};

    use super::*;

    /// What an endpoint with these keys costs.
    fn cost(keys: &str, nodes: u32, zones: u32) -> (u32, f64, f64) {
        let text = format!(
            "authentication: insecure\npeers: {{discovery: {{dns: {{name: a.b}}}}}}\nendpoints: [{{name: a, type: tcp, \
             address: \"a:1\", {keys}}}]"
        );
        let config = load("f", &text, &Environment::of([("NODE_NAME", "a")])).unwrap().config;
        let Probing { agents, at_endpoint, by_agent, .. } = Probing::of(&config.endpoints[0], nodes, zones);
        (agents, at_endpoint, by_agent)
    }

    #[test]
    fn every_agent_asks_once_in_a_period() {
        assert_eq!(cost("period: 20s", 100, 3), (100, 5.0, 0.05));
    }

    #[test]
    fn a_sample_has_one_agent_in_each_zone_and_no_more_than_there_are() {
        assert_eq!(cost("period: 20s, from: sample(4)", 100, 3), (4, 0.2, 0.002));
        assert_eq!(cost("period: 20s, from: sample(1)", 100, 5), (5, 0.25, 0.0025));
        assert_eq!(cost("period: 20s, from: sample(9)", 2, 1), (2, 0.1, 0.05));
    }

    #[test]
    fn each_agent_that_asks_holds_one_connection_if_it_is_to() {
        let connections = |keys: &str| {
            let text = format!(
                "authentication: insecure\npeers: {{discovery: {{dns: {{name: a.b}}}}}}\nendpoints: [{{name: a, type: tcp, \
                 address: \"a:1\", {keys}}}]"
            );
            let config = load("f", &text, &Environment::of([("NODE_NAME", "a")])).unwrap().config;
            Probing::of(&config.endpoints[0], 100, 3).connections
        };
        let keys = ["keep: false", "keep: true", "keep: true, from: sample(4)"];
        assert_eq!(keys.map(connections), [0, 100, 4]);
    }

    #[test]
    fn a_rate_that_is_small_is_not_none() {
        assert_eq!([0.0, 0.001, 0.033, 33.33].map(rate), ["0/s", "3.6/h", "0.03/s", "33.3/s"]);
    }
}
