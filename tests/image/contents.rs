//! What is in an image: the program and nothing else, and what is said of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::json;

use crate::archive::Archive;

/// The most that an archive may weigh.
const BUDGET: u64 = 15_000_000;

/// The architectures, with the numbers that ELF has for them.
const MACHINES: [(&str, u16); 2] = [("amd64", 62), ("arm64", 183)];

/// All there is in a directory and below, with what it is.
fn walk(directory: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
        let about = fs::symlink_metadata(entry.path()).unwrap();
        let (mode, owner) = (about.permissions().mode() & 0o7777, about.uid());
        let what = if about.is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            let kind = if about.is_dir() { "directory" } else { "file" };
            format!("{kind} {mode:o} of {owner}")
        };
        if about.is_dir() {
            walk(&entry.path(), &path, found);
        }
        found.insert(path, what);
    }
}

/// What is wrong with a program that has to run alone, on this machine by ELF's numbers.
fn misfits(program: &[u8], machine: u16) -> Vec<String> {
    const DYNAMIC_LOADER: u32 = 3;
    let half = |at: usize| u16::from_le_bytes(program[at..at + 2].try_into().unwrap());
    let word = |at: usize| u32::from_le_bytes(program[at..at + 4].try_into().unwrap());
    let place = |at: usize| usize::try_from(u64::from_le_bytes(program[at..at + 8].try_into().unwrap())).unwrap();
    if program[..5] != *b"\x7fELF\x02" {
        return vec!["it is no ELF of 64 bits".to_owned()];
    }
    let mut found = Vec::new();
    if half(18) != machine {
        found.push(format!("it is for the machine {}, not {machine}", half(18)));
    }
    let (headers, length, count) = (place(32), usize::from(half(54)), usize::from(half(56)));
    if (0..count).any(|header| word(headers + header * length) == DYNAMIC_LOADER) {
        found.push("it needs a dynamic loader".to_owned());
    }
    found
}

#[test]
fn it_holds_the_program_and_nothing_else() {
    for (architecture, machine) in MACHINES {
        let Some(archive) = Archive::of(architecture) else { continue };
        assert!(archive.bytes <= BUDGET, "{architecture} has {} bytes", archive.bytes);
        let root = tempfile::tempdir().unwrap();
        archive.unpack(root.path());
        let mut found = BTreeMap::new();
        walk(root.path(), "", &mut found);
        let right = [
            ("/bin", "directory 755 of 0"),
            ("/bin/cat", "-> netsplit"),
            ("/bin/netsplit", "file 755 of 0"),
            ("/etc", "directory 755 of 0"),
            ("/etc/netsplit", "directory 755 of 0"),
            ("/var", "directory 755 of 0"),
            ("/var/lib", "directory 755 of 0"),
            ("/var/lib/netsplit", "directory 755 of 0"),
            ("/var/log", "directory 755 of 0"),
        ];
        assert_eq!(found, right.map(|(path, what)| (path.to_owned(), what.to_owned())).into(), "{architecture}");
        let program = fs::read(root.path().join("bin/netsplit")).unwrap();
        eprintln!("{architecture}: the program has {} kB", program.len() / 1000);
        assert_eq!(misfits(&program, machine), Vec::<String>::new(), "{architecture}");
    }
}

#[test]
fn a_program_that_does_not_run_alone_is_found() {
    let [(_, amd64), (_, arm64)] = MACHINES;
    let (mine, other) = if cfg!(target_arch = "aarch64") { (arm64, amd64) } else { (amd64, arm64) };
    // What the tests run is made for this machine's own libraries.
    let program = fs::read(env!("CARGO_BIN_EXE_netsplit")).unwrap();
    assert_eq!(misfits(&program, mine), ["it needs a dynamic loader"]);
    assert_eq!(misfits(&program, other).len(), 2);
    assert_eq!(misfits(b"#!/bin/sh", mine), ["it is no ELF of 64 bits"]);
}

#[test]
fn it_says_who_it_is_and_runs_as_nobody() {
    for (architecture, _) in MACHINES {
        let Some(archive) = Archive::of(architecture) else { continue };
        let image = &archive.image;
        assert_eq!((&image["architecture"], &image["os"]), (&json!(architecture), &json!("linux")));
        let config = &image["config"];
        assert_eq!(config["User"], "65532:65532");
        assert_eq!((&config["Entrypoint"], &config["Cmd"]), (&json!(["/bin/netsplit"]), &json!(["--help"])));
        assert_eq!(config["Env"], json!(["PATH=/bin"]));
        assert_eq!(config["ExposedPorts"], json!({"7475/udp": {}, "7476/tcp": {}}));
        assert_eq!(archive.label("version"), env!("CARGO_PKG_VERSION"));
        let revision = archive.label("revision").trim_end_matches("-dirty");
        assert!(revision.len() == 12 && revision.chars().all(|digit| digit.is_ascii_hexdigit()), "{revision}");
    }
}
