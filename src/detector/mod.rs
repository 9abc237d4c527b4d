//! DECIDES, does nothing: no clock, no socket, no file, no log, no thread, no randomness of its own.

pub mod bits;
pub mod row;
pub mod settings;
pub mod time;
