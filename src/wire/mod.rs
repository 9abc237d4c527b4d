//! The datagram: what it says (`datagram`), its bytes (`codec`) and who vouches for them (`seal`).
//!
//! Pure: no clock, no socket. `docs/protocol.md` describes the bytes field by field.

mod datagram;

pub use datagram::*;
