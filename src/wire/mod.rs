//! The datagram: what it says (`datagram`), its bytes (`codec`) and who vouches for them (`seal`).
//!
//! Pure: no clock, no socket. `docs/protocol.md` describes the bytes field by field.

mod datagram;

pub use datagram::*;

/// The size of a datagram without blocks: header and tag.
pub const BARE_SIZE: usize = 96;

/// How many bytes a block takes in a datagram, its own head included.
pub fn block_size(block: &Block) -> usize {
    3 + match block {
        Block::Challenge(_) | Block::Answer(_) => 16,
        Block::NewestIncarnation(_) => 8,
        Block::Hello(hello) => 24 + hello.name.len() + hello.zone.len() + hello.version.len(),
        _ => 64,
    }
}
