//! The configuration: what a good file comes to, what is said of a bad one, and what a change does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

mod endpoints;
mod errors;
mod good_files;
#[path = "../needs/mod.rs"]
mod needs;
#[path = "../ports/mod.rs"]
mod ports;
mod reload;

/// A snapshot without the code that made it.
macro_rules! shown {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($text) })
    };
}
use shown;
