//! The program from outside: what it prints, and with which exit code it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::shown;

const GOOD: &str = r#"node: {name: node-1}
peers:
  discovery:
    static:
      - {name: node-1, address: "10.0.0.1:7475", zone: east}
      - {name: node-2, address: "10.0.0.2:7475", zone: east}
      - {name: node-3, address: "10.0.0.3:7475", zone: west}
authentication: {keys: KEYS}
"#;

fn netsplit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netsplit")).args(arguments).env_remove("NODE_NAME").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A directory with a key and a good file that names it.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.0.path().join("keys")).unwrap();
        let key = site.0.path().join("keys/1");
        fs::write(&key, stdout(&netsplit(&["keygen"]))).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
        site
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn shown(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "/site")
    }

    fn check(&self, text: &str, more: &[&str]) -> Output {
        let file = self.path().join("netsplit.yaml");
        fs::write(&file, text.replace("KEYS", self.path().join("keys").to_str().unwrap())).unwrap();
        netsplit(&[&["check", file.to_str().unwrap()], more].concat())
    }
}

#[test]
fn check_prints_what_a_good_file_means_and_costs() {
    let site = Site::new();
    let output = site.check(GOOD, &["--nodes", "100"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    shown!(site.shown(&stdout(&output)));
}

#[test]
fn check_prints_the_period_and_the_bound_of_a_large_cluster() {
    let site = Site::new();
    let output = stdout(&site.check(GOOD, &["--nodes", "5001"]));
    // P = 5000/250 = 20 s, T = 1 s, d = P/6, and the bound P + T + 2d (DESIGN sections 3 and 14).
    for line in
        ["  period                20s\n", "  timeout               1s\n", "  detection bound       27.666666666s\n"]
    {
        assert!(output.contains(line), "{line}{output}");
    }
    // 5,000 peers, one heartbeat each per 7/8 of 20 s.
    assert!(output.contains("  heartbeats per agent  285.7/s sent"), "{output}");
}

#[test]
fn check_prints_the_same_as_json() {
    let site = Site::new();
    let output = site.check(GOOD, &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    shown!(site.shown(&stdout(&output)));
}

#[test]
fn check_says_what_is_odd_and_is_content() {
    let site = Site::new();
    let output = site.check(&GOOD.replace("{keys: KEYS}", "insecure"), &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).starts_with("warning: "), "{}", stderr(&output));
}

#[test]
fn check_refuses_a_wrong_file_with_code_2() {
    let site = Site::new();
    let output = site.check(&GOOD.replace("10.0.0.2:7475", "10.0.0.2"), &[]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    shown!(site.shown(&stderr(&output)));
}

#[test]
fn check_refuses_a_wrong_file_in_json_with_code_2() {
    let site = Site::new();
    let output = site.check(&GOOD.replace("10.0.0.2:7475", "10.0.0.2"), &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    shown!(site.shown(&stdout(&output)));
}

#[test]
fn check_refuses_a_missing_file_with_code_2() {
    let output = netsplit(&["check", "/nowhere/netsplit.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there is no such file"), "{}", stderr(&output));
}

#[test]
fn check_refuses_keys_that_are_not_there_with_code_2() {
    let site = Site::new();
    fs::rename(site.path().join("keys/1"), site.path().join("keys/.1")).unwrap();
    let empty = site.check(GOOD, &[]);
    fs::remove_dir_all(site.path().join("keys")).unwrap();
    let missing = site.check(GOOD, &[]);
    assert_eq!((empty.status.code(), missing.status.code()), (Some(2), Some(2)));
    shown!(site.shown(&format!("{}\n{}", stderr(&empty), stderr(&missing))));
}

#[test]
fn keygen_prints_64_hex_digits_and_never_the_same() {
    let (first, second) = (netsplit(&["keygen"]), netsplit(&["keygen"]));
    assert_eq!(first.status.code(), Some(0));
    let key = stdout(&first);
    assert_eq!(key.len(), 65);
    assert!(key.trim_end().bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{key}");
    assert_ne!(key, stdout(&second));
}

#[test]
fn keygen_prints_json_if_told_to() {
    let json: serde_json::Value = serde_json::from_slice(&netsplit(&["keygen", "--json"]).stdout).unwrap();
    assert_eq!(json["key"].as_str().map(str::len), Some(64));
}

#[test]
fn bad_arguments_have_code_2_and_help_has_code_0() {
    for bad in [&[][..], &["nope"], &["check"], &["check", "f", "--nodes", "0"], &["keygen", "--nope"]] {
        assert_eq!(netsplit(bad).status.code(), Some(2), "{bad:?}");
    }
    for good in [&["--help"][..], &["--version"], &["check", "--help"], &["keygen", "--help"], &["lab", "--help"]] {
        assert_eq!(netsplit(good).status.code(), Some(0), "{good:?}");
    }
}

#[test]
fn every_help_shows_an_example() {
    for command in ["run", "check", "keygen", "lab"] {
        let help = stdout(&netsplit(&[command, "--help"]));
        assert!(help.contains("Example") && help.contains(&format!("netsplit {command}")), "{help}");
    }
}

#[test]
fn nothing_is_coloured_where_nobody_sees_it() {
    assert!(!stdout(&netsplit(&["--help"])).contains('\u{1b}'));
}
