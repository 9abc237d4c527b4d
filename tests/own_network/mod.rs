//! A test in a network namespace of its own, made ready by shell commands (as root; elsewhere it skips).

#![allow(dead_code, reason = "each test uses a part of it")]

use std::env;
use std::process::Command;

use crate::needs::skip;

const INSIDE: &str = "NETSPLIT_TEST_INSIDE";

/// Lets every group ping: in a fresh namespace none may.
pub(crate) const ALLOW_PING: &str = "echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range; ";

/// Runs the test `name` (with its modules), which calls this, in a fresh network namespace that has `lo` up and was made
/// ready by the shell commands `prepare`. What they mount is its own, too.
pub(crate) fn in_a_network_of_its_own(name: &str, prepare: &str, test: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    let made = Command::new("unshare").args(["--net", "--mount", "true"]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        return skip("a network namespace cannot be made: this needs root and util-linux");
    }
    let script = format!("ip link set lo up; {prepare} exec \"$0\" --exact {name} --nocapture");
    let output = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-ec", &script])
        .arg(env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
