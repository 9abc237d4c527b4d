//! The management network: a namespace with a bridge, and a cable to each node beside the one that agents talk over.
//!
//! Its addresses are those of the shipped example of a scrape configuration.

use std::fmt::Write;
use std::fs;

use crate::laboratory::network::{Network, inside};
use crate::laboratory::{self, NAMES, feed};

pub struct Management {
    namespace: String,
    nodes: usize,
}

impl Management {
    /// A network with a cable to each of the nodes from the first one on.
    pub fn of(network: &Network, nodes: usize) -> Self {
        // From here on what is made is removed, whatever fails.
        let management = Self { namespace: network.further("management"), nodes };
        feed("ip", &["netns", "add", &management.namespace], "");
        let mut here = "link set lo up\nlink add bridge type bridge mcast_snooping 0\n\
                        addr add 10.0.0.254/24 dev bridge\nlink set bridge up\n"
            .to_owned();
        for node in 1..=nodes {
            writeln!(here, "link add port-{node} type veth peer name management netns {}", network.namespace(node))
                .unwrap();
            writeln!(here, "link set port-{node} master bridge up").unwrap();
        }
        feed("ip", &["-n", &management.namespace, "-batch", "-"], &here);
        for node in 1..=nodes {
            let there = format!("addr add 10.0.0.{node}/24 dev management\nlink set management up\n");
            feed("ip", &["-n", network.namespace(node), "-batch", "-"], &there);
        }
        management
    }

    /// Pulls all cables, or plugs them in again.
    pub fn plug(&self, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        for node in 1..=self.nodes {
            feed("ip", &["-n", &self.namespace, "link", "set", &format!("port-{node}"), state], "");
        }
    }

    /// Does something where Prometheus is.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        inside(&self.namespace, act)
    }
}

impl Drop for Management {
    fn drop(&mut self) {
        if fs::exists(format!("{NAMES}/{}", self.namespace)).unwrap_or_default() {
            laboratory::remove(&self.namespace);
        }
    }
}
