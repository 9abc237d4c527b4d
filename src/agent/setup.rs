//! What an agent is made of.

use crate::detector::settings::Settings;
use crate::discovery::Discovery;
use crate::probe::prober::Prober;
use crate::state::Memory;
use crate::wire::Keys;

/// What an agent is made of, beside its network.
#[derive(Debug)]
pub struct Setup {
    /// What the detector is told.
    pub settings: Settings,
    /// Who finds out who belongs. What it has at hand counts from the start; the agent does not wait for more.
    pub discovery: Discovery,
    /// What vouches for datagrams.
    pub keys: Keys,
    /// What earlier runs learnt, and where this one keeps it.
    pub memory: Memory,
    /// Who probes endpoints; nobody where there are none.
    pub prober: Option<Prober>,
}

impl Setup {
    /// An agent that keeps nothing beyond its run.
    pub fn without_state(settings: Settings, discovery: Discovery, keys: Keys) -> Self {
        Self { settings, discovery, keys, memory: Memory::default(), prober: None }
    }
}

/// The system gave no randomness to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot start: the system gave no randomness; try again when it has booted")]
pub struct NoRandomness;
