//! netsplit: one agent per node that names who is cut off from whom.

pub mod agent;
pub mod api;
pub mod audit;
pub mod binding;
pub mod calendar;
pub mod clock;
pub mod config;
pub mod config_watch;
pub mod detector;
pub mod discovery;
pub mod hlc;
pub mod http;
pub mod identity;
pub mod key_watch;
pub mod keys;
pub mod metrics;
pub mod network;
pub mod orders;
mod panics;
pub mod probe;
pub mod simulation;
pub mod sources;
pub mod state;
pub mod table;
pub mod wire;
