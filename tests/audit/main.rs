//! The audit log on disks that fail in every way, and its lines as the documents describe them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

mod cuts;
mod disks;
mod files;
mod forgetful;
mod kills;
mod laboratory;
#[path = "../needs/mod.rs"]
mod needs;
mod schema;
#[path = "../verify/mod.rs"]
mod verify;
