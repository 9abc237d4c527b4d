//! The image that `make image` builds, taken apart and run: five pods of `daemonset/base`, each in a container of `runc` with its
//! limits, see a cut and its end; and what the runbooks run in a pod is run there.
//!
//! `make test-image` builds the image and runs this. Where there is no archive in `target/image/`, it skips: the program has to be
//! built once more for an image, which takes minutes. It needs root, `ip`, `nft`, and of Debian `runc`; buildah brings the profile
//! of `seccomp`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "the laboratory does")]
#![allow(unreachable_pub, reason = "the modules of one test share what they need")]

mod archive;
mod commands;
mod container;
mod contents;
mod cut;
mod group;
#[path = "../laboratory/mod.rs"]
mod laboratory;
#[path = "../needs/mod.rs"]
mod needs;
mod pod;
mod seccomp;
#[path = "../verify/mod.rs"]
mod verify;
