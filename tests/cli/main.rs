//! The commands from outside, by the program itself: what they print, and with which exit code they end. `simulate`, which
//! leaves no processor to others, is in `cli_simulate`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

mod ask;
mod cat;
mod check_and_keygen;
mod lab;
#[path = "../needs/mod.rs"]
mod needs;
mod orders;
#[path = "../ports/mod.rs"]
mod ports;
mod probe;
mod run;
mod state;

/// A snapshot without the code that made it.
macro_rules! shown {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($text) })
    };
}
use shown;
