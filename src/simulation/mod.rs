//! The same detector in virtual time over a virtual network: what would it say, and when.
//!
//! Deterministic by seed: one thread, one queue of events, all randomness from one generator. Sealing is skipped;
//! everything else of an agent that can go wrong is here: loss, delay, cuts, stalls, throttling, restarts, clocks.

mod discovery;
mod evidence;
mod happenings;
mod host;
mod network;
mod services;
mod wakes;
mod world;

pub use discovery::Discovery;
pub use host::Running;
pub use network::{Bursts, Conditions};
pub use services::Health;
pub use world::{Machine, Sent, Told, World};
