//! netsplit: one agent per node that names who is cut off from whom.

pub mod config;
pub mod detector;
pub mod hlc;
pub mod identity;
pub mod keys;
pub mod simulation;
pub mod wire;
