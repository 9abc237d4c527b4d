//! The runbooks and the install guide: every command in them works as it is written, as far as that can be told without a
//! cluster, and every alert has its page.
//!
//! Each page is played from its first line to its last (`stage`): its commands run in a shell, `netsplit` against a real agent,
//! and what would need a cluster is noted and held against the manifests (`kubectl`, `calls`). What cannot be checked is in one
//! list, `calls::UNCHECKED`; what is parsed and not run in another, `stage::PARSED_ONLY`. Queries are parsed by promtool, of
//! the Debian package `prometheus`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod kubectl;
mod manifests;
#[path = "../needs/mod.rs"]
mod needs;
mod pages;
#[path = "../ports/mod.rs"]
mod ports;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::process::Command;

use serde_json::Value;

use calls::{UNCHECKED, findings};
use manifests::Manifests;
use pages::{Page, pages, read, root};
use stage::Stage;

/// Pages in docs/runbooks/ that are of no alert.
const OTHERS: [&str; 4] = ["README", "detection", "emergency", "recovery"];

/// The parts of a runbook, in their order.
const PARTS: [&str; 6] = ["Meaning", "Impact", "Look", "Do", "Escalate when", "What silences it"];

/// Each alert with the severities of its rules, in the order of their gravity.
fn alerts() -> BTreeMap<String, BTreeSet<String>> {
    let rules: Value = serde_yaml::from_str(&read("alerts/netsplit.rules.yaml")).unwrap();
    let mut alerts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        if let Some(name) = rule["alert"].as_str() {
            let severity = rule["labels"]["severity"].as_str().unwrap().to_owned();
            alerts.entry(name.to_owned()).or_default().insert(severity);
        }
    }
    assert!(alerts.len() > 8, "the rules were read");
    alerts
}

#[test]
fn every_command_works_as_it_is_written() {
    let (stage, manifests) = (Stage::set(), Manifests::read());
    let mut found = Vec::new();
    let mut called = BTreeMap::new();
    let mut unchecked = BTreeSet::new();
    for page in pages() {
        let played = stage.play(&page.script());
        found.extend(findings(&page, &played, &stage, &manifests));
        for call in &played.calls {
            *called.entry(call.program.clone()).or_insert(0) += 1;
            unchecked.insert(format!("{} {}", call.program, call.arguments.join(" ")));
        }
    }
    let unused = UNCHECKED.iter().filter(|(call, _)| !unchecked.contains(*call));
    found.extend(unused.map(|(call, _)| format!("no page calls `{call}`: take it out of the list")));
    assert!(called["kubectl"] > 80, "the pages were played: {called:?}");
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_command_that_does_not_work_is_found() {
    let (stage, manifests) = (Stage::set(), Manifests::read());
    let judged = |text: &str| {
        let page = Page { name: "page".to_owned(), text: format!("# Page\n\n```bash\n{text}\n```\n") };
        findings(&page, &stage.play(&page.script()), &stage, &manifests)
    };
    let agent = "kubectl exec ds/network-partition-detector -n observability --";
    for right in ["true", &format!("{agent} netsplit events /var/log/partition-events.log --since 1h")] {
        assert_eq!(judged(right), Vec::<String>::new(), "{right}");
    }
    for wrong in [
        "if true; then".to_owned(),
        "echo $UNSET".to_owned(),
        "helm install netsplit".to_owned(),
        "grep x no-such-file".to_owned(),
        format!("{agent} netsplit statsu"),
        format!("{agent} netsplit status --all"),
        format!("{agent} netsplit events --verify --since 1h"),
        format!("{agent} netsplit endpoints no-such-endpoint"),
        format!("{agent} netsplit check /etc/netsplit/netsplit.yaml"),
        format!("{agent} cat /etc/passwd"),
        format!("{agent} cat /var/log/partition-event.log"),
        format!("{agent} sh"),
        "kubectl exec ds/network-partition-detector -- netsplit status".to_owned(),
        "kubectl exec ds/netsplit -n observability -- netsplit status".to_owned(),
        "kubectl get pods -n observabilty".to_owned(),
        "kubectl get pods -n observability -l app=netsplit".to_owned(),
        "kubectl get pods -n observability --selectors app=network-partition-detector".to_owned(),
        "kubectl describe pods -n observability --field-selector spec.nodeName=node-4".to_owned(),
        "kubectl get secret network-partition-detector-key -n observability".to_owned(),
        "kubectl get nodes -n observability".to_owned(),
        "kubectl apply -k daemonset/bases".to_owned(),
        "kubectl restart ds/network-partition-detector -n observability".to_owned(),
        "kubectl label namespace observability --overwrite".to_owned(),
        "kubectl patch secret network-partition-detector-keys -n observability --type merge --patch '{}'".to_owned(),
        "kubectl auth can-i delete pods -n observability".to_owned(),
        "crictl exec 4f1d status".to_owned(),
        "crictl ps -q --pod 0b7d --name agent".to_owned(),
        "crictl pods -q --state ready --namespace default --label app=network-partition-detector".to_owned(),
        "kubectl apply -n observability -f daemonset/base/roles.yaml".to_owned(),
        "curl -s http://network-partition-detector-local.observability:7475/v1/mode".to_owned(),
        "curl -s http://network-partition-detector-local.observability:7476/v1/modes".to_owned(),
        "chown -R root:root /var/lib".to_owned(),
        "git push".to_owned(),
    ] {
        assert!(!judged(&wrong).is_empty(), "nothing is found in: {wrong}");
    }
    let mentioned = |span: &str| {
        let page = Page { name: "page".to_owned(), text: format!("Type `{span}`.\n") };
        findings(&page, &stage.play(&page.script()), &stage, &manifests)
    };
    assert_eq!(mentioned("netsplit matrix --directed"), Vec::<String>::new());
    assert!(!mentioned("netsplit matrix --direct").is_empty());
    assert!(!mentioned("kubectl get pods -n default").is_empty());
}

#[test]
fn every_alert_has_its_page_and_its_place_in_the_index() {
    let index = read("docs/runbooks/README.md");
    let rows: BTreeMap<String, BTreeSet<String>> = index
        .lines()
        .filter_map(|line| line.strip_prefix("| ["))
        .map(|row| {
            let (name, rest) = row.split_once("](").unwrap();
            let (file, rest) = rest.split_once(')').unwrap();
            assert_eq!(file, format!("{name}.md"));
            let severities = rest.split('|').nth(1).unwrap().split(',').map(|severity| severity.trim().to_owned());
            (name.to_owned(), severities.collect())
        })
        .collect();
    assert_eq!(rows, alerts(), "the index against the rules");
    let files = pages::documents("docs/runbooks");
    let names = files.iter().map(|file| file.trim_start_matches("docs/runbooks/").trim_end_matches(".md").to_owned());
    let names: BTreeSet<String> = names.filter(|name| !OTHERS.contains(&name.as_str())).collect();
    assert_eq!(names, alerts().into_keys().collect(), "the pages against the rules");
}

#[test]
fn a_runbook_has_the_parts_of_all_others() {
    for name in alerts().keys() {
        let page = Page::read(&format!("docs/runbooks/{name}.md"));
        assert_eq!(page.headings("# "), [name.as_str()]);
        assert_eq!(page.headings("## "), PARTS, "{name}");
        let (_, rest) = page.text.split_once("## Look\n").unwrap();
        let (look, _) = rest.split_once("\n## Do\n").unwrap();
        assert!(look.contains("```"), "{name} has nothing to look with");
    }
}

#[test]
fn every_link_to_a_runbook_leads_to_one() {
    const HEAD: &str = "https://github.com/netsplit/netsplit/blob/main/";
    for file in [
        "alerts/netsplit.rules.yaml",
        "alerts/netsplit.rules.test.yaml",
        "daemonset/overlays/monitoring/prometheusrule.yaml",
    ] {
        let text = read(file);
        let urls: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
        assert!(urls.len() > 8, "{file}");
        for url in urls {
            let page = url.strip_prefix(HEAD).filter(|page| page.starts_with("docs/runbooks/"));
            assert!(page.is_some_and(|page| root().join(page).is_file()), "{file}: {url}");
        }
    }
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let names = ["docs", "docs/adr", "docs/runbooks"].into_iter().flat_map(pages::documents);
    let names = names.chain(["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(str::to_owned));
    let dead: Vec<String> = names.flat_map(|name| Page::read(&name).dead_links()).collect();
    assert_eq!(dead, Vec::<String>::new());
    let page = Page {
        name: "docs/page.md".to_owned(),
        text: "[a](b.md) [c](alerts.md#no-such) [d](alerts.md#set-it-up)".to_owned(),
    };
    assert_eq!(page.dead_links(), ["docs/page.md: b.md", "docs/page.md: alerts.md#no-such"]);
}

/// The queries of all pages, each with where it stands.
fn queries() -> Vec<(String, String)> {
    let of = |page: Page| {
        let blocks = page.blocks_of("promql").into_iter();
        blocks.map(|block| (format!("{}:{}", page.name, block.line), block.text)).collect::<Vec<_>>()
    };
    pages().into_iter().flat_map(of).collect()
}

/// What promtool says of these queries as recording rules. None where there is no promtool.
fn promtool(queries: &[(String, String)]) -> Option<Result<(), String>> {
    let mut rules = "groups:\n- name: queries\n  rules:\n".to_owned();
    for (at, (place, query)) in queries.iter().enumerate() {
        let expression = serde_json::to_string(query).unwrap();
        writeln!(rules, "  # {place}\n  - {{record: \"query:{at}\", expr: {expression}}}").unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("queries.yaml");
    fs::write(&file, &rules).unwrap();
    match Command::new("promtool").args(["check", "rules"]).arg(&file).output() {
        Ok(output) if output.status.success() => Some(Ok(())),
        Ok(output) => Some(Err(format!("{}\n{rules}", String::from_utf8_lossy(&output.stderr)))),
        Err(error) => {
            needs::skip(&format!("there is no `promtool` ({error}): run 'make install-test-needs' as root"));
            None
        }
    }
}

#[test]
fn every_query_parses() {
    let queries = queries();
    assert!(queries.len() > 30, "the pages were read");
    let Some(said) = promtool(&queries) else { return };
    assert_eq!(said, Ok(()));
    assert!(promtool(&[("nowhere".to_owned(), "sum by (node".to_owned())]).is_some_and(|said| said.is_err()));
}

#[test]
fn every_metric_of_ours_in_a_query_exists() {
    let metrics = read("docs/metrics.md");
    let mut known: BTreeSet<String> = BTreeSet::new();
    for line in metrics.lines() {
        if let Some(name) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            known.extend(["", "_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")));
        }
    }
    let rules = read("alerts/netsplit.rules.yaml");
    known.extend(rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).map(str::to_owned));
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | ':');
    let mut named = 0;
    for (place, query) in queries() {
        for word in query.split(|letter| !is_name(letter)).filter(|word| word.starts_with("netsplit")) {
            named += 1;
            assert!(known.contains(word), "{place}: there is no metric `{word}`");
        }
    }
    assert!(named > 20, "the queries were read");
}

#[test]
fn what_the_pages_show_as_yaml_is_yaml_and_every_overlay_is_in_the_guide() {
    for page in pages() {
        for block in page.blocks_of("yaml") {
            assert!(!manifests::documents(&block.text).is_empty(), "{}:{}", page.name, block.line);
        }
    }
    let guide = read("docs/install.md");
    for directory in manifests::kustomizations() {
        assert!(guide.contains(&format!("| `{directory}` |")), "docs/install.md has no row for {directory}");
        assert_eq!(manifests::misfits(&root().join(&directory)), Vec::<String>::new());
    }
}

/// The names in the first column of the tables of a section of the guide.
fn first_column(section: &str) -> BTreeSet<String> {
    let guide = read("docs/install.md");
    let (_, rest) = guide.split_once(&format!("### {section}\n")).unwrap();
    let section = rest.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next().map(str::to_owned)).collect()
}

#[test]
fn the_guide_says_what_each_volume_is_for() {
    let manifests = Manifests::read();
    let mounts = manifests.container()["volumeMounts"].as_array().unwrap();
    let names: BTreeSet<String> = mounts.iter().map(|mount| mount["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(first_column("The volumes"), names);
}
