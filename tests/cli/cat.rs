//! The program called as `cat`, as the image's `/bin/cat` is.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn cat(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netsplit")).arg0("/bin/cat").args(arguments).output().unwrap()
}

/// A log of this machine that is not empty.
fn log() -> PathBuf {
    let files = fs::read_dir("/var/log").unwrap().flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| {
        fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && about.len() > 0) && File::open(path).is_ok()
    };
    files.filter(|path| path.extension().is_some_and(|kind| kind == "log")).find(is_one).unwrap()
}

#[test]
fn a_log_is_printed_byte_for_byte() {
    let log = log();
    let (said, before) = (cat(&[log.to_str().unwrap()]), fs::read(&log).unwrap());
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    // It may have grown meanwhile.
    assert!(before.starts_with(&said.stdout) && !said.stdout.is_empty());
}

#[test]
fn nothing_outside_of_the_logs_is_printed_whatever_way_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    fs::write(&key, "secret").unwrap();
    let link = directory.path().join("partition-events.log");
    symlink(&key, &link).unwrap();
    let around = format!("/var/log/../..{}", key.display());
    for path in [key.to_str().unwrap(), link.to_str().unwrap(), &around, "/etc/passwd", "/var/log/missing", "/var/log"]
    {
        let said = cat(&[path]);
        assert_eq!((said.status.code(), said.stdout.as_slice()), (Some(1), &b""[..]), "{path}: {said:?}");
        assert!(String::from_utf8_lossy(&said.stderr).starts_with(&format!("cat: {path}: ")), "{said:?}");
    }
    for arguments in [&["-n", "/var/log/missing"][..], &[]] {
        assert_ne!(cat(arguments).status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn whoever_reads_a_part_of_it_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    let mut reader = command.arg0("cat").arg(log()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(reader.stdout.take());
    let said = reader.wait_with_output().unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
}
