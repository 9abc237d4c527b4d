//! What the runbooks and the guide run in a pod: each of their commands, in a container of the image.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use crate::archive::Archive;
use crate::container::Container;
use crate::pod::KEY;

const LOG: &str = "/var/log/partition-events.log";

/// What is run in a cut on the side of the minority, with its exit code.
const IN_A_CUT: [(&str, i32); 6] = [
    ("netsplit status", 1),
    ("netsplit status --json", 1),
    ("netsplit mode", 0),
    ("netsplit mode --require writes", 1),
    ("netsplit partitions", 1),
    ("netsplit matrix", 0),
];

/// What is run where nothing is wrong, with its exit code.
const AT_REST: [(&str, i32); 20] = [
    ("netsplit --version", 0),
    ("netsplit status", 0),
    ("netsplit status --json", 0),
    ("netsplit mode", 0),
    ("netsplit mode --require writes", 0),
    ("netsplit peers", 0),
    ("netsplit matrix", 0),
    ("netsplit matrix --directed", 0),
    ("netsplit matrix --zones", 0),
    ("netsplit partitions", 0),
    ("netsplit partitions --log /var/log/partition-events.log", 0),
    ("netsplit endpoints", 0),
    ("netsplit events --since 1h", 0),
    ("netsplit events /var/log/partition-events.log --since 24h", 0),
    ("netsplit events /var/log/partition-events.log --verify", 0),
    ("netsplit check /etc/netsplit/config/netsplit.yaml --nodes 100", 0),
    ("netsplit probe tcp://127.0.0.1:7476 --config /etc/netsplit/config/netsplit.yaml", 0),
    ("netsplit override minority --for 1h --reason maintenance", 0),
    ("netsplit override --clear", 0),
    ("netsplit forget node-9", 1),
];

pub fn work_in_a_cut(pod: &Container) {
    all_end_so(pod, &IN_A_CUT);
}

pub fn work_at_rest(pod: &Container, archive: &Archive) {
    all_end_so(pod, &AT_REST);
    let version = format!("netsplit {} ({})\n", archive.label("version"), archive.label("revision"));
    assert_eq!(text(&pod.exec(&["netsplit", "--version"]).stdout), version);
    cat_prints_the_log_and_no_key(pod);
    for missing in ["sh", "/bin/sh", "ls", "busybox"] {
        assert!(!pod.exec(&[missing]).status.success(), "there is a {missing}");
    }
}

fn all_end_so(pod: &Container, commands: &[(&str, i32)]) {
    for (command, code) in commands {
        let said = pod.exec(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(said.status.code(), Some(*code), "{command}: {}{}", text(&said.stdout), text(&said.stderr));
        assert!(!said.stdout.is_empty() || *code != 0, "{command} says nothing");
    }
}

fn cat_prints_the_log_and_no_key(pod: &Container) {
    let (said, now) = (pod.exec(&["cat", LOG]), fs::read(&pod.log).unwrap());
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    // It may have grown meanwhile.
    assert!(now.starts_with(&said.stdout), "the log as it is");
    let printed = text(&said.stdout);
    assert!(printed.contains("partition_opened") && printed.contains("partition_closed"), "{printed}");

    for key in [format!("/etc/netsplit/keys/{KEY}"), format!("/var/log/../../etc/netsplit/keys/{KEY}")] {
        let Output { status, stdout, stderr } = pod.exec(&["cat", &key]);
        let refusal = format!("cat: {key}: not printed: this is netsplit, which prints files below /var/log only\n");
        assert_eq!((status.code(), text(&stdout), text(&stderr)), (Some(1), String::new(), refusal));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The commands that a page runs in a pod, each without its arguments.
fn commands_of(page: &str) -> BTreeSet<String> {
    let calls = page.lines().filter(|line| line.contains("kubectl exec")).filter_map(|line| line.split(" -- ").nth(1));
    let name = |call: &str| {
        let end = |letter: char| letter.is_whitespace() || "`)|".contains(letter);
        let mut words = call.split(end).filter(|word| !word.is_empty());
        let program = words.next().unwrap();
        if program == "netsplit" { format!("netsplit {}", words.next().unwrap()) } else { program.to_owned() }
    };
    calls.map(name).collect()
}

#[test]
fn every_command_of_the_runbooks_and_the_guide_is_run_in_the_image() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let files = [docs.clone(), docs.join("runbooks")].into_iter().flat_map(|place| fs::read_dir(place).unwrap());
    let pages = files.map(|file| file.unwrap().path()).filter(|file| file.extension().is_some_and(|kind| kind == "md"));
    let named: BTreeSet<String> = pages.flat_map(|page| commands_of(&fs::read_to_string(page).unwrap())).collect();
    assert!(named.len() > 8, "the pages were read: {named:?}");
    let run =
        IN_A_CUT.iter().chain(&AT_REST).map(|(command, _)| commands_of(&format!("kubectl exec pod -- {command}")));
    let run: BTreeSet<String> = run.flatten().chain(["cat".to_owned()]).collect();
    let left_out: Vec<&String> = named.difference(&run).collect();
    assert!(left_out.is_empty(), "not run in the image: {left_out:?}");
}
