//! The configuration: one YAML file becomes one [`Config`] in the detector's own terms, or a list of [`Errors`] that say
//! what, where and what to do.
//!
//! Loading is a pure function of (file name, text, [`Environment`]), so that `check`, the agent's start and a reload
//! judge alike; [`Reloader`] compares with what is in force. The way of a file: [`load`] reads it, `parse` makes it a [`schema`] (the first error ends it),
//! `validate` and its helpers (`timing`, `discovery`, `roster`, `own_node`, `name`, `endpoints`) replace `${NAME}` and judge every value
//! (all errors are told).
//! `docs/configuration.md` describes every key.

#![warn(clippy::indexing_slicing, clippy::as_conversions)]

mod alerts;
mod audit;
mod change;
mod discovery;
mod duration;
mod effective;
pub mod endpoints;
mod environment;
mod error;
mod expand;
mod load;
mod name;
mod own_node;
mod parse;
mod path;
mod reader;
mod reload;
mod reloads;
mod roster;
pub mod schema;
mod secret;
mod size;
mod timing;
mod unknown;
mod validate;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::detector::settings::{Member, Settings};
use crate::discovery::{DnsSettings, KubernetesSettings};
use crate::network::SourcePorts;

pub use change::needs_restart;
pub use duration::{Human, parse as parse_duration};
pub use effective::Effective;
pub use endpoints::{Endpoint, Schedule};
pub use environment::Environment;
pub use error::{Errors, Place, Problem, Refusal};
pub use expand::expand;
pub use load::{MAX_FILE_SIZE, load, read, text_of};
pub use reload::{Change, Refused, Reloader};
pub use reloads::Reloads;
pub use roster::MAX_STATIC_NODES;
pub use size::{Size, parse as parse_size};
pub use timing::profiles;
pub use unknown::KEYS;

/// Everything that an agent is told by its configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What the detector is told.
    pub settings: Settings,
    /// Where heartbeats arrive. `[::]` stands for IPv4 too.
    pub listen: SocketAddr,
    /// Where the HTTP server listens. `[::]` stands for IPv4 too.
    pub http_listen: SocketAddr,
    /// What the HTTP server tells other machines.
    pub http_expose: Expose,
    /// Where other agents reach this one, if that was given; the settings' own node has it.
    pub pod_address: Option<IpAddr>,
    /// From how many source ports heartbeats leave.
    pub source_ports: SourcePorts,
    /// Where the nodes come from.
    pub discovery: Discovery,
    /// How heartbeats are vouched for.
    pub authentication: Authentication,
    /// What is probed beside the nodes, in order of name.
    pub endpoints: Vec<Endpoint>,
    /// From how many messages on a consumer group of Kafka lags: the alert compares with it.
    pub kafka_consumer_lag: u64,
    /// The log of what happened.
    pub audit: crate::audit::Settings,
    /// Where the agent keeps what outlives its run. It need not exist.
    pub state_directory: PathBuf,
}

/// What the HTTP server tells other machines; this one may ask for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    /// Metrics, health and mode.
    Minimal,
    /// Names and addresses of every node, and what happened, too.
    All,
}

/// Where the nodes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// The list in the file, this node included, in order of name.
    Static(Vec<Member>),
    /// The addresses of a name.
    Dns(DnsSettings),
    /// The endpoints of a Service of Kubernetes.
    Kubernetes(KubernetesSettings),
}

/// How heartbeats are vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// By the keys in this directory. Not yet looked into: a configuration is judged without the disk.
    Keys(PathBuf),
    /// Not at all: whoever reaches the port can forge a heartbeat.
    Insecure,
}

/// A configuration that is good, and what is odd about it all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What an operator most likely did not mean, though it can be run.
    pub warnings: Vec<Problem>,
}
