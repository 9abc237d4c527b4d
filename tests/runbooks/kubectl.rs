//! What is right about a call of `kubectl`: verb, options, namespace, labels, kinds and names are those of the manifests.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::manifests::{Manifests, misfits};
use crate::stage::Call;

/// Options that take a value, and how each is called in the lists below.
const WITH_VALUE: [(&str, &str); 16] = [
    ("--as", "--as"),
    ("--field-selector", "--field-selector"),
    ("--from-file", "--from-file"),
    ("--patch", "--patch"),
    ("--patch-file", "--patch-file"),
    ("--sort-by", "--sort-by"),
    ("--tail", "--tail"),
    ("--timeout", "--timeout"),
    ("--type", "--type"),
    ("-c", "-c"),
    ("-f", "-f"),
    ("-k", "-k"),
    ("-l", "-l"),
    ("-n", "-n"),
    ("--namespace", "-n"),
    ("-o", "-o"),
];

/// The options of each verb that the pages use; those of kubectl 1.32. What is not here was not looked up.
const OPTIONS: [(&str, &[&str]); 12] = [
    ("apply", &["-f", "-k", "-n"]),
    ("auth", &["-n", "--as"]),
    ("create", &["-n", "--from-file"]),
    ("delete", &["-k", "-n"]),
    ("describe", &["-l", "-n"]),
    ("diff", &["-k", "-n"]),
    ("exec", &["-c", "-n"]),
    ("get", &["-l", "-n", "-o", "--field-selector", "--show-labels", "--sort-by"]),
    ("label", &["-n", "--overwrite"]),
    ("logs", &["-c", "-l", "-n", "--prefix", "--previous", "--tail"]),
    ("patch", &["-n", "--patch", "--patch-file", "--type"]),
    ("rollout", &["-n", "--timeout"]),
];

/// Kinds by their names on the command line, and whether they are in a namespace.
const KINDS: [(&str, &str, bool); 17] = [
    ("configmap", "configmap", true),
    ("daemonset", "daemonset", true),
    ("ds", "daemonset", true),
    ("endpointslices", "endpointslice", true),
    ("endpointslices.discovery.k8s.io", "endpointslice", true),
    ("events", "event", true),
    ("namespace", "namespace", false),
    ("networkpolicy", "networkpolicy", true),
    ("node", "node", false),
    ("nodes", "node", false),
    ("pod", "pod", true),
    ("pods", "pod", true),
    ("secret", "secret", true),
    ("service", "service", true),
    ("services", "service", true),
    ("servicemonitor", "servicemonitor", true),
    ("prometheusrule", "prometheusrule", true),
];

/// What pods, nodes and events may be chosen by.
const FIELDS: [&str; 3] = ["reason", "spec.nodeName", "type"];

/// A call, taken apart.
struct Parsed<'a> {
    verb: &'a str,
    /// What is neither verb nor option.
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
    /// Behind `--`.
    inside: Vec<&'a str>,
}

fn parsed(call: &Call) -> Parsed<'_> {
    let mut arguments = call.arguments.iter().map(String::as_str);
    let mut parsed = Parsed {
        verb: arguments.next().unwrap_or_default(),
        words: Vec::new(),
        options: BTreeMap::new(),
        inside: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            parsed.inside = arguments.collect();
            break;
        }
        let (name, value) = argument.split_once('=').filter(|_| argument.starts_with("--")).unzip();
        let name = name.unwrap_or(argument);
        match WITH_VALUE.iter().find(|(written, _)| *written == name) {
            Some((_, name)) => {
                let value = value.or_else(|| arguments.next()).unwrap_or_default();
                parsed.options.insert(name, value);
            }
            None if name.starts_with('-') => {
                parsed.options.insert(name, value.unwrap_or_default());
            }
            None => parsed.words.push(argument),
        }
    }
    parsed
}

/// What is wrong with a call.
pub(crate) fn judge(call: &Call, manifests: &Manifests) -> Vec<String> {
    let parsed = parsed(call);
    let mut wrong = wrong_options(&parsed, manifests);
    match parsed.verb {
        "apply" | "delete" | "diff" if parsed.options.contains_key("-k") => {}
        "apply" if parsed.options.contains_key("-f") && parsed.options.contains_key("-n") => {}
        "auth" => wrong.extend(wrong_question(&parsed, manifests)),
        "label" => {
            let (labels, object): (Vec<&str>, Vec<&str>) = parsed.words.iter().partition(|word| word.contains('='));
            wrong.extend(wrong_object(&parsed, &object, manifests));
            if labels.is_empty() {
                wrong.push("no label is set".to_owned());
            }
        }
        "rollout" => match parsed.words.split_first() {
            Some((&("restart" | "status" | "undo"), object)) => wrong.extend(wrong_object(&parsed, object, manifests)),
            _ => wrong.push(format!("there is no `rollout {:?}`", parsed.words)),
        },
        "logs" | "exec" => wrong.extend(wrong_pod(&parsed, manifests)),
        _ => wrong.extend(wrong_object(&parsed, &parsed.words, manifests)),
    }
    if parsed.verb == "exec" && parsed.inside.is_empty() {
        wrong.push("nothing is run".to_owned());
    }
    if matches!(parsed.verb, "create" | "patch") && call.arguments.iter().any(|word| word == "secret") {
        wrong.extend(wrong_secret(&parsed, call));
    }
    wrong
}

fn wrong_options(parsed: &Parsed<'_>, manifests: &Manifests) -> Vec<String> {
    let Some((_, known)) = OPTIONS.iter().find(|(verb, _)| *verb == parsed.verb) else {
        return vec![format!("`{}` is no verb of the list", parsed.verb)];
    };
    let mut wrong = Vec::new();
    for (option, value) in &parsed.options {
        let is_right = match *option {
            "-n" => *value == manifests.namespace || FOREIGN.contains(value),
            "-l" => manifests.has_label(value),
            "-f" => Path::new(env!("CARGO_MANIFEST_DIR")).join(value).is_file(),
            "-c" => manifests.container()["name"] == *value,
            "--field-selector" => {
                value.split_once('=').is_some_and(|(field, value)| FIELDS.contains(&field) && !value.is_empty())
            }
            "--as" => {
                let account = format!("system:serviceaccount:{}:", manifests.namespace);
                value.strip_prefix(&account).is_some_and(|name| manifests.has("serviceaccount", name))
            }
            _ => true,
        };
        if !is_right {
            wrong.push(format!("`{option} {value}` is not of the manifests"));
        }
        if !known.contains(option) {
            wrong.push(format!("`{}` has no option `{option}` in the list", parsed.verb));
        }
    }
    wrong
}

/// Namespaces that are not ours.
pub(crate) const FOREIGN: [&str; 1] = ["knative-eventing"];

/// `KIND`, `KIND NAME` or `KIND/NAME`.
fn wrong_object(parsed: &Parsed<'_>, words: &[&str], manifests: &Manifests) -> Vec<String> {
    let words: Vec<&str> = words.iter().filter(|word| **word != "generic").flat_map(|word| word.split('/')).collect();
    let Some(written) = words.first() else { return vec!["no object is named".to_owned()] };
    let Some((_, kind, is_in_namespace)) = KINDS.iter().find(|(name, ..)| name == written) else {
        return vec![format!("`{written}` is no kind of the list")];
    };
    let mut wrong = Vec::new();
    if *is_in_namespace != parsed.options.contains_key("-n") {
        wrong.push(format!("`{written}` with or without a namespace, as it should not"));
    }
    if let Some(name) = words.get(1) {
        let is_there = match *kind {
            "pod" => manifests.is_pod(name),
            "node" => !name.is_empty(),
            kind => manifests.has(kind, name),
        };
        if !is_there {
            wrong.push(format!("there is no {kind} `{name}` in the manifests"));
        }
    }
    if words.len() > 2 {
        wrong.push(format!("{words:?} is more than one object"));
    }
    wrong
}

/// Of `logs` and `exec`: one pod, that of a DaemonSet, or all with a label.
fn wrong_pod(parsed: &Parsed<'_>, manifests: &Manifests) -> Vec<String> {
    match parsed.words.as_slice() {
        [] if parsed.verb == "logs" && parsed.options.contains_key("-l") => {
            if parsed.options.contains_key("-n") {
                Vec::new()
            } else {
                vec!["`logs` without a namespace".to_owned()]
            }
        }
        [one] if one.contains('/') => wrong_object(parsed, &[one], manifests),
        words => vec![format!("{words:?} is not one pod")],
    }
}

/// Of `auth can-i`.
fn wrong_question(parsed: &Parsed<'_>, manifests: &Manifests) -> Vec<String> {
    match parsed.words.as_slice() {
        ["can-i", verb, resource] if manifests.allows(verb, resource) => Vec::new(),
        words => vec![format!("the Role does not allow {words:?}")],
    }
}

fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether what is put into the Secret are keys, or what is taken from it is one entry.
fn wrong_secret(parsed: &Parsed<'_>, call: &Call) -> Vec<String> {
    let patch = parsed.options.get("--patch").copied().unwrap_or(&call.files);
    let is_right = match (parsed.verb, parsed.options.get("--type").copied()) {
        ("create", None) => {
            parsed.options.contains_key("--from-file") && call.files.lines().all(is_key) && !call.files.is_empty()
        }
        ("patch", Some("merge")) => {
            let patch: Value = serde_json::from_str(patch).unwrap_or_default();
            let added = patch["stringData"].as_object();
            let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            added.is_some_and(|added| added.iter().all(|(name, key)| is_name(name) && key.as_str().is_some_and(is_key)))
        }
        ("patch", Some("json")) => {
            let patch: Value = serde_json::from_str(patch).unwrap_or_default();
            patch[0]["op"] == "remove" && patch[0]["path"].as_str().is_some_and(|path| path.starts_with("/data/"))
        }
        _ => false,
    };
    if is_right { Vec::new() } else { vec![format!("that is no key: {patch}{}", call.files)] }
}

/// What is wrong with a directory that a call applies. While the directory is there.
pub(crate) fn misfits_of_directory(call: &Call) -> Vec<String> {
    if call.program != "kubectl" {
        return Vec::new();
    }
    let parsed = parsed(call);
    parsed.options.get("-k").map(|directory| misfits(&call.directory.join(directory))).unwrap_or_default()
}
