//! The datagram: what it says (`datagram`), its bytes (`codec`, of `header` and `blocks`), and who vouches for them
//! (`seal`, with the keys of `keyring`).
//!
//! Pure: no clock, no socket. `docs/protocol.md` describes the bytes field by field.

mod blocks;
mod codec;
mod datagram;
mod endpoints;
mod header;
mod keyring;
mod membership;
#[cfg(test)]
mod properties;
mod reader;
mod relays;
mod seal;

pub use blocks::{MAX_NAME, MAX_SOFTWARE_VERSION, MAX_ZONE, size as block_size};
pub use codec::{TAG_SIZE, TooLarge, sealed_size};
pub use datagram::*;
pub use header::{HEADER_SIZE, KeyId, VERSION};
pub use keyring::{KEY_SIZE, Key, Keys};
pub use membership::{ElectoratePart, Introduction};
pub use seal::{MIN_DATAGRAM, Newer, Opened, Refusal, open, seal};
