//! What can be said of the dashboards without a Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::files::{self, Dashboard, list, text};
use crate::needs;

const NAMES: [&str; 5] =
    ["netsplit-agents", "netsplit-endpoints", "netsplit-links", "netsplit-overview", "netsplit-remote-write"];

/// The overlay that brings them.
const OVERLAY: &str = "daemonset/overlays/monitoring";

/// Metrics of others, and what rules make of them.
const FOREIGN: [&str; 13] = [
    "ALERTS",
    "up",
    // Of our rules.
    "netsplit:remote_write_lag_seconds",
    "prometheus_remote_storage_samples_dropped_total",
    "prometheus_remote_storage_samples_failed_total",
    "prometheus_remote_storage_samples_pending",
    "prometheus_remote_storage_samples_retried_total",
    "prometheus_remote_storage_samples_total",
    "prometheus_remote_storage_sent_batch_duration_seconds_bucket",
    "prometheus_remote_storage_shard_capacity",
    "prometheus_remote_storage_shards",
    "prometheus_remote_storage_shards_desired",
    "prometheus_remote_storage_shards_max",
];

/// Metrics to alert on that are on no dashboard: a number of the configuration, which a rule compares with.
const UNSHOWN: [&str; 1] = ["netsplit_kafka_consumer_lag_threshold_messages"];

/// Colours that are a judgement, which what is not known must not have.
const JUDGEMENTS: [&str; 5] = ["green", "yellow", "orange", "red", "dark-red"];

/// What is said where nobody can tell.
const UNKNOWN: [&str; 6] =
    ["unknown", "no answer", "starting", "Nobody can tell", "No agent is scraped", "None seen, and some cannot tell"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Where a panel is, for whoever reads a failure.
fn place(dashboard: &Dashboard, panel: &Value) -> String {
    format!("{}: {}", dashboard.name, panel["title"])
}

#[test]
fn the_dashboards_are_what_the_script_writes() {
    let made = tempfile::tempdir().unwrap();
    let script = root().join("scripts/dashboards.py");
    let done = match Command::new("python3").arg(script).arg(made.path()).output() {
        Ok(done) => done,
        Err(error) => return needs::skip(&format!("python3 cannot be run: {error}")),
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for dashboard in files::all() {
        let written = fs::read_to_string(made.path().join(format!("{}.json", dashboard.name))).unwrap();
        assert!(written == dashboard.text, "{}: run scripts/dashboards.py {OVERLAY}/dashboards", dashboard.name);
    }
    assert_eq!(fs::read_dir(made.path()).unwrap().count(), files::all().len());
}

#[test]
fn each_has_a_name_that_stays_and_the_same_variables_and_links() {
    let dashboards = files::all();
    assert_eq!(dashboards.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), NAMES);
    let titles: BTreeSet<&str> = dashboards.iter().map(|one| text(&one.json["title"])).collect();
    assert_eq!(titles.len(), NAMES.len(), "{titles:?}");
    for dashboard in &dashboards {
        let (name, it) = (&dashboard.name, &dashboard.json);
        assert_eq!(
            (text(&it["uid"]), &it["tags"], &it["schemaVersion"]),
            (name.as_str(), &json!(["netsplit"]), &json!(39))
        );
        assert!(it["id"].is_null(), "{name}: an id is of one Grafana");
        let variables: Vec<&str> = list(&it["templating"]["list"]).map(|variable| text(&variable["name"])).collect();
        assert_eq!(variables[..3], ["datasource", "cluster", "job"], "{name}");
        let source = &it["templating"]["list"][0];
        assert_eq!((&source["type"], &source["query"]), (&json!("datasource"), &json!("prometheus")));
        let links: Vec<&str> = list(&it["links"]).map(|link| text(&link["type"])).collect();
        assert_eq!(links, ["dashboards", "link"], "{name}");
        assert_eq!(it["links"][0]["tags"], json!(["netsplit"]));
        assert_eq!(dashboard.annotations().count(), 3, "{name} marks partitions");
    }
}

#[test]
fn each_panel_says_what_it_shows_in_which_unit_and_from_where() {
    for dashboard in files::all() {
        let source = json!({"type": "prometheus", "uid": "${datasource}"});
        for panel in dashboard.panels() {
            let place = place(&dashboard, panel);
            let description = text(&panel["description"]);
            assert!(
                description.contains("Good:") || description.contains("good"),
                "{place}: what is good? {description}"
            );
            assert!(description.len() > 60, "{place}: {description}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{place} has no unit");
            assert_eq!((&panel["datasource"], &panel["interval"]), (&source, &json!("10s")), "{place}");
            let letters: BTreeSet<&str> = list(&panel["targets"]).map(|target| text(&target["refId"])).collect();
            assert!(!letters.is_empty() && letters.len() == list(&panel["targets"]).count(), "{place}");
            for target in list(&panel["targets"]) {
                assert_eq!((&target["datasource"], &target["interval"]), (&source, &json!("10s")), "{place}");
            }
        }
        for asks in dashboard.annotations().chain(dashboard.variables()) {
            assert_eq!(asks["datasource"], source, "{}: {}", dashboard.name, asks["name"]);
        }
    }
}

/// Two panels that lie on each other, or one that is not on the board.
fn misplaced(panels: &[(String, [u64; 4])]) -> Vec<String> {
    let outside = |&[x, _, width, height]: &[u64; 4]| x + width > 24 || width == 0 || height == 0;
    let mut found: Vec<String> =
        panels.iter().filter(|(_, at)| outside(at)).map(|(name, _)| format!("{name} is outside")).collect();
    for (at, (one, [x, y, width, height])) in panels.iter().enumerate() {
        for (other, [left, top, wide, high]) in &panels[at + 1..] {
            if x < &(left + wide) && left < &(x + width) && y < &(top + high) && top < &(y + height) {
                found.push(format!("{one} lies on {other}"));
            }
        }
    }
    found
}

#[test]
fn no_panel_lies_on_another_one() {
    for dashboard in files::all() {
        let panels: Vec<(String, [u64; 4])> = list(&dashboard.json["panels"])
            .map(|panel| {
                let number = |key: &str| panel["gridPos"][key].as_u64().unwrap();
                (place(&dashboard, panel), ["x", "y", "w", "h"].map(number))
            })
            .collect();
        assert_eq!(misplaced(&panels), Vec::<String>::new());
        let titles: BTreeSet<&str> = dashboard.panels().map(|panel| text(&panel["title"])).collect();
        assert_eq!(titles.len(), dashboard.panels().count(), "two panels have one title: {titles:?}");
        let ids: BTreeSet<u64> = list(&dashboard.json["panels"]).map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{}", dashboard.name);
    }
    let panel = |name: &str, at| (name.to_owned(), at);
    assert_eq!(misplaced(&[panel("a", [0, 0, 12, 8]), panel("b", [12, 0, 12, 8]), panel("c", [0, 8, 24, 1])]).len(), 0);
    assert_eq!(
        misplaced(&[panel("a", [0, 0, 12, 8]), panel("b", [11, 7, 12, 8]), panel("c", [20, 20, 5, 1])]).len(),
        2
    );
}

/// The names before `{`.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    let before = expression.match_indices('{').map(|(at, _)| &expression[..at]);
    before.map(move |text| text.rsplit(|letter| !is_name(letter)).next().unwrap_or_default())
}

#[test]
fn every_metric_exists_and_is_asked_of_the_chosen_cluster() {
    let documented = read("docs/metrics.md");
    let rows: Vec<&str> = documented.lines().filter(|line| line.starts_with("| `")).collect();
    let (mut known, mut alerting) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let (name, kind) = (cells[0].trim_matches('`'), cells[1]);
        let name = if kind == "histogram" { format!("{name}_bucket") } else { name.to_owned() };
        if cells[5] != "–" {
            alerting.insert(name.clone());
        }
        known.insert(name);
    }
    let mut named = BTreeSet::new();
    for query in files::all().iter().flat_map(Dashboard::queries) {
        for metric in metrics(&query.expression) {
            assert!(known.contains(metric) || FOREIGN.contains(&metric), "{}: there is no `{metric}`", query.place);
            named.insert(metric.to_owned());
        }
        let selectors = query.expression.matches('{').count();
        let chosen = query.expression.matches("cluster=~\"$cluster\"").count();
        assert_eq!(chosen, selectors, "{}: {}", query.place, query.expression);
    }
    let unused: Vec<_> = FOREIGN.iter().filter(|metric| !named.contains(**metric)).collect();
    assert!(unused.is_empty(), "nobody asks for {unused:?}");
    assert!(alerting.len() > 20, "the table was read");
    let unshown: Vec<_> = alerting.difference(&named).filter(|name| !UNSHOWN.contains(&name.as_str())).collect();
    assert!(unshown.is_empty(), "docs/metrics.md says on what to alert, and no dashboard shows {unshown:?}");
}

/// What is asked of labels in `{…}`: the metric, the label, and each value that is named, without those of variables.
fn matchers(expression: &str) -> Vec<(&str, &str, &str)> {
    let selectors = expression.match_indices('{').zip(metrics(expression));
    let of_one = |((at, _), metric)| {
        let inside = expression[at + 1..].split('}').next().unwrap_or_default();
        inside.split("\",").flat_map(move |matcher| {
            let (label, value) = matcher.split_once('=').unwrap_or_else(|| panic!("{matcher} in {expression}"));
            let value = value.trim_start_matches('~').trim_matches('"');
            value.split('|').map(move |value| (metric, label.trim_end_matches('!'), value))
        })
    };
    selectors.flat_map(of_one).filter(|(_, _, value)| !value.contains('$')).collect()
}

/// The labels of each metric of ours with the values that they have; none where those are open.
fn documented() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let text = read("docs/metrics.md");
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut all: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let labels = cells[2].split(';').filter_map(|label| {
            let mut words = quoted(label).into_iter();
            Some((words.next()?, label.contains("as above"), words.collect()))
        });
        let mut known = BTreeMap::new();
        for (label, is_as_above, values) in labels {
            let above = all.values().rev().find_map(|labels: &BTreeMap<_, _>| labels.get(&label).cloned());
            known.insert(label, if is_as_above { above.unwrap_or_default() } else { values });
        }
        all.insert(quoted(cells[0]).remove(0), known);
    }
    all
}

#[test]
fn every_label_and_every_word_in_it_exists() {
    let documented = documented();
    assert!(documented["netsplit_mode"]["mode"].contains("majority"), "the table was read");
    let mut checked = 0;
    for query in files::all().iter().flat_map(Dashboard::queries) {
        for (metric, label, value) in matchers(&query.expression) {
            let Some(labels) = documented.get(metric.trim_end_matches("_bucket")) else { continue };
            let values = labels.get(label).unwrap_or_else(|| panic!("{}: {metric} has no `{label}`", query.place));
            assert!(values.is_empty() || values.contains(value), "{}: {metric} has no {label}={value}", query.place);
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
    let found = matchers("a{b=~\"$b\",c=\"d\"} + e{f!=\"g\",h=~\"i|j\"}");
    assert_eq!(found, [("a", "c", "d"), ("e", "f", "g"), ("e", "h", "i"), ("e", "h", "j")]);
}

/// Every word that stands for a number, with its colour.
fn words(value: &Value, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(fields) => {
            if let (Some(Value::String(text)), Some(Value::String(color))) = (fields.get("text"), fields.get("color")) {
                found.entry(text.clone()).or_default().insert(color.clone());
            }
            fields.values().for_each(|field| words(field, found));
        }
        Value::Array(all) => all.iter().for_each(|one| words(one, found)),
        _ => {}
    }
}

#[test]
fn a_word_has_one_colour_everywhere_and_what_is_not_known_is_neither_good_nor_bad() {
    let mut found = BTreeMap::new();
    for dashboard in files::all() {
        words(&dashboard.json["panels"], &mut found);
    }
    let several: Vec<_> = found.iter().filter(|(_, colours)| colours.len() > 1).collect();
    // Whether yes is good goes by what is asked.
    let several: Vec<_> = several.iter().filter(|(word, _)| !matches!(word.as_str(), "yes" | "no")).collect();
    assert!(several.is_empty(), "{several:?}");
    for word in UNKNOWN {
        let colours = found.get(word).unwrap_or_else(|| panic!("no panel says {word}"));
        assert!(colours.iter().all(|colour| !JUDGEMENTS.contains(&colour.as_str())), "{word} is {colours:?}");
    }
    for (word, colour) in
        [("normal", "green"), ("isolated", "dark-red"), ("No partition", "green"), ("PARTITION", "red")]
    {
        assert_eq!(found[word], BTreeSet::from([colour.to_owned()]), "{word}");
    }
}

#[test]
fn links_lead_to_pages_that_are_there() {
    const HEAD: &str = "https://github.com/netsplit/netsplit/blob/main/";
    for dashboard in files::all() {
        let of_panels = dashboard.panels().flat_map(|panel| list(&panel["links"]));
        let urls = list(&dashboard.json["links"]).chain(of_panels).filter_map(|link| link["url"].as_str());
        for url in urls.filter(|url| !url.is_empty()) {
            let page = url.strip_prefix(HEAD).unwrap_or_else(|| panic!("{url}"));
            assert!(root().join(page).is_file(), "{}: {url}", dashboard.name);
        }
    }
}

#[test]
fn the_overlay_brings_each_as_a_config_map_that_the_sidecar_finds() {
    let overlay: Value = serde_yaml::from_str(&read(&format!("{OVERLAY}/kustomization.yaml"))).unwrap();
    let expected = json!({"disableNameSuffixHash": true, "labels": {"grafana_dashboard": "1"}});
    assert_eq!(overlay["generatorOptions"], expected);
    let made: BTreeMap<&str, &Value> =
        list(&overlay["configMapGenerator"]).map(|one| (text(&one["name"]), &one["files"])).collect();
    let name = |dashboard: &Dashboard| dashboard.name.replace("netsplit-", "network-partition-detector-dashboard-");
    for dashboard in files::all() {
        assert_eq!(*made[name(&dashboard).as_str()], json!([format!("dashboards/{}.json", dashboard.name)]));
        // kubectl keeps what it applied in an annotation, and annotations have 256 KiB together.
        let kept = serde_json::to_string(&json!({"data": {"dashboard": dashboard.text}})).unwrap();
        assert!(kept.len() < 200_000, "{} is too large to be applied: {}", dashboard.name, kept.len());
    }
    assert_eq!(made.len(), NAMES.len());
}

#[test]
fn kustomize_makes_the_same_of_the_overlay_each_time() {
    let made = || Command::new("kubectl").arg("kustomize").arg(root().join(OVERLAY)).output();
    // No Debian package brings a kubectl that is new enough, so that this looks only where one is.
    let Ok(one) = made() else { return eprintln!("skipped: there is no kubectl") };
    assert!(one.status.success(), "{}", String::from_utf8_lossy(&one.stderr));
    assert_eq!(one.stdout, made().unwrap().stdout);
    let objects: Vec<Value> = serde_yaml::from_multiple(&String::from_utf8(one.stdout).unwrap()).unwrap();
    let maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
    let maps: BTreeMap<&str, &Value> = maps.map(|map| (text(&map["metadata"]["name"]), map)).collect();
    assert_eq!(maps.len(), NAMES.len());
    for dashboard in files::all() {
        let map = maps[dashboard.name.replace("netsplit-", "network-partition-detector-dashboard-").as_str()];
        assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
        assert_eq!(map["data"][format!("{}.json", dashboard.name)], dashboard.text);
    }
}

#[test]
fn the_page_names_every_dashboard_and_every_variable() {
    let page = read("docs/dashboards.md");
    for dashboard in files::all() {
        assert!(
            page.contains(&format!("overlays/monitoring/dashboards/{}.json", dashboard.name)),
            "{}",
            dashboard.name
        );
        for variable in list(&dashboard.json["templating"]["list"]) {
            assert!(page.contains(&format!("| `{}` |", text(&variable["name"]))), "{}", variable["name"]);
        }
    }
}
