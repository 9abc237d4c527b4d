//! What is right about the calls of a page, program by program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::kubectl;
use crate::manifests::Manifests;
use crate::needs;
use crate::pages::{Page, read};
use crate::stage::{Call, Played, Stage};

/// What cannot be checked here, and why. An entry that no page needs is a finding, too.
pub(crate) const UNCHECKED: [(&str, &str); 3] = [
    ("git clone https://github.com/netsplit/netsplit", "it needs the network; the directory that it makes is played"),
    ("git pull", "it needs the network"),
    ("kubectl get pods -n knative-eventing", "the namespace is Knative's own"),
];

/// What is wrong with a page, each with its name.
pub(crate) fn findings(page: &Page, played: &Played, stage: &Stage, manifests: &Manifests) -> Vec<String> {
    let calls = played.calls.iter().flat_map(|call| {
        let words = format!("{} {}", call.program, call.arguments.join(" "));
        judge(call, stage, manifests).into_iter().map(move |wrong| format!("{words}: {wrong}"))
    });
    let all = played.complaints.iter().cloned().chain(calls);
    all.map(|finding| format!("{}: {finding}", page.name)).collect()
}

/// What is wrong with a call.
fn judge(call: &Call, stage: &Stage, manifests: &Manifests) -> Vec<String> {
    let arguments: Vec<&str> = call.arguments.iter().map(String::as_str).collect();
    let mut wrong = match call.program.as_str() {
        "kubectl" => kubectl::judge(call, manifests),
        "crictl" => wrong_crictl(&arguments, manifests),
        "curl" => wrong_url(&arguments, stage, manifests),
        "amtool" => wrong_silence(&arguments),
        "openssl" => {
            (arguments != ["rand", "-hex", "32"]).then(|| "another call of openssl".to_owned()).into_iter().collect()
        }
        "git" => {
            let words = format!("git {}", arguments.join(" "));
            let is_known = UNCHECKED.iter().any(|(known, _)| *known == words);
            (!is_known).then(|| "it is not in the list of what is not checked".to_owned()).into_iter().collect()
        }
        "chmod" | "chown" | "df" | "ls" => wrong_paths(&arguments),
        "netsplit" | "rm" => Vec::new(),
        other => vec![format!("nobody knows how `{other}` is judged")],
    };
    wrong.extend(wrong_inside(call, &arguments, manifests));
    wrong
}

/// What ran in a container has to end well, or with an answer that is no.
fn wrong_inside(call: &Call, arguments: &[&str], manifests: &Manifests) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(status @ 2..) = call.status {
        wrong.push(format!("exit code {status}: {}", call.complaint.trim()));
    }
    for (at, argument) in arguments.iter().enumerate() {
        let follows = |word: &str| at > 0 && arguments[at - 1] == word;
        let is_configuration = follows("--config") || follows("check");
        if is_configuration && *argument != manifests.configuration() {
            wrong.push(format!("the configuration is {}", manifests.configuration()));
        }
        let is_log = argument.starts_with("/var/log/") && call.status.is_some();
        if is_log && !argument.starts_with("/var/log/partition-events.log") {
            wrong.push(format!("{argument} is not the audit log"));
        }
    }
    // The image has no other program, and `cat` shows nothing else.
    if let Some(at) = arguments.iter().position(|word| *word == "cat")
        && !arguments[at + 1..].iter().all(|file| file.starts_with("/var/log/"))
    {
        wrong.push("`cat` shows what is below /var/log only".to_owned());
    }
    wrong
}

fn wrong_crictl(arguments: &[&str], manifests: &Manifests) -> Vec<String> {
    let container = format!("^{}$", manifests.container()["name"].as_str().unwrap());
    let is_right = match arguments {
        ["pods", "-q", "--state", "ready", "--namespace", namespace, "--label", label] => {
            *namespace == manifests.namespace && manifests.has_label(label)
        }
        ["ps", "-q", "--pod", _, "--name", name] => container == *name,
        ["exec", _, "netsplit" | "cat", ..] => true,
        _ => false,
    };
    if is_right { Vec::new() } else { vec!["it does not choose the agent's container".to_owned()] }
}

/// The Service is one of ours, and the agent knows the path.
fn wrong_url(arguments: &[&str], stage: &Stage, manifests: &Manifests) -> Vec<String> {
    let ["-s", url] = arguments else { return vec!["another call of curl".to_owned()] };
    let Some((place, path)) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')) else {
        return vec!["that is no URL".to_owned()];
    };
    let mut wrong = Vec::new();
    if !manifests.serves(place) {
        wrong.push(format!("no Service is {place}"));
    }
    let mut stream = TcpStream::connect(&stage.address).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    if !["HTTP/1.1 200", "HTTP/1.1 503"].iter().any(|good| answer.starts_with(good)) {
        wrong.push(format!("the agent says {}", answer.lines().next().unwrap_or_default()));
    }
    wrong
}

/// The alert exists, and amtool takes the call: it fails because nobody listens, and for nothing else.
fn wrong_silence(arguments: &[&str]) -> Vec<String> {
    let named = arguments.iter().find_map(|word| word.strip_prefix("alertname=")).unwrap_or_default();
    let mut wrong = Vec::new();
    if !read("alerts/netsplit.rules.yaml").contains(&format!("- alert: {named}\n")) {
        wrong.push(format!("there is no alert `{named}`"));
    }
    let is_url = |word: &&str| word.starts_with("--alertmanager.url=");
    if !arguments.iter().any(is_url) {
        wrong.push("it does not say which Alertmanager".to_owned());
    }
    let others = arguments.iter().filter(|word| !is_url(word));
    match Command::new("amtool").args(others).arg("--alertmanager.url=http://127.0.0.1:1").output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            if !said.contains("connection refused") {
                wrong.push(format!("amtool says {}", said.trim()));
            }
        }
        Err(error) => needs::skip(&format!("there is no `amtool` ({error}): run 'make install-test-needs' as root")),
    }
    wrong
}

/// What is done on a node is done to the directories of the overlay `persistent`.
fn wrong_paths(arguments: &[&str]) -> Vec<String> {
    let paths = Manifests::host_paths();
    let named = arguments.iter().filter(|word| word.starts_with('/'));
    let strange: Vec<&&str> = named.filter(|word| !paths.iter().any(|path| path == **word)).collect();
    if strange.is_empty() { Vec::new() } else { vec![format!("{strange:?} is no directory of the overlay")] }
}
