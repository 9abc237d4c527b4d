//! `seccompProfile: RuntimeDefault`, in the words of `runc`: which calls of the kernel a container without capabilities may make.
//! Each engine has a list of its own, and they differ little; this one is podman's and buildah's.

use std::env::consts::ARCH;
use std::fs;

use serde_json::{Map, Value, json};

/// Debian's package golang-github-containers-common, which buildah needs.
pub const FILE: &str = "/usr/share/containers/seccomp.json";

pub fn profile() -> Value {
    let profile: Value = serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap();
    let (own, architecture) = match ARCH {
        "x86_64" => ("amd64", "SCMP_ARCH_X86_64"),
        "aarch64" => ("arm64", "SCMP_ARCH_AARCH64"),
        other => panic!("no images are built for {other}"),
    };
    let rules = profile["syscalls"].as_array().unwrap().iter();
    // Rules for those who have a capability are not ours, rules for those who lack one are.
    let is_ours = |rule: &&Value| {
        let architectures = rule["includes"]["arches"].as_array();
        rule["includes"]["caps"].is_null() && architectures.is_none_or(|list| list.contains(&json!(own)))
    };
    let rules: Vec<Value> = rules.filter(is_ours).map(of_runc).collect();
    assert!(rules.len() > 10, "the profile was read");
    json!({
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [architecture],
        "syscalls": rules,
    })
}

fn of_runc(rule: &Value) -> Value {
    let known = ["names", "action", "errnoRet", "args"].map(|key| (key, &rule[key]));
    let said = known.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(said.map(|(key, value)| (key.to_owned(), value.clone())).collect::<Map<_, _>>())
}
