//! The dashboards, and the queries in them as Grafana puts them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::escaped;

/// What Grafana calls the time since which it shows, the pace of the points, and how far a rate looks back where a scrape takes
/// 10 s: four scrapes, or the pace and one more. The last two follow from the pace, which each query has as its `interval`.
const TIMES: [(&str, &str); 3] = [("$__rate_interval", "40s"), ("$__range", "3600s"), ("$__interval", "10s")];

/// The distance of two points, in seconds.
const STEP: u64 = 10;

/// Where the dashboards are.
pub(super) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("daemonset/overlays/monitoring/dashboards")
}

pub(super) struct Dashboard {
    /// The name of its file without `.json`.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) json: Value,
}

/// All of them, in the order of their names.
pub(super) fn all() -> Vec<Dashboard> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<Dashboard> = files
        .map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().strip_suffix(".json").expect("JSON").to_owned();
            let text = fs::read_to_string(&file).unwrap();
            let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            Dashboard { name, text, json }
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// The elements of a list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text, which must be there.
#[track_caller]
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} should be a text"))
}

/// For which moments a query is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moments {
    Now,
    Past,
}

/// A query of a panel or of an annotation.
#[derive(Debug)]
pub(super) struct Query {
    /// The dashboard, the title of the panel or the name of the annotation, the letter.
    pub(super) place: String,
    pub(super) expression: String,
    pub(super) moments: Moments,
}

impl Dashboard {
    /// The panels that show something: all but the headings of rows.
    pub(super) fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["panels"]).filter(|panel| panel["type"] != "row")
    }

    /// The annotations that ask Prometheus.
    pub(super) fn annotations(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["annotations"]["list"]).filter(|annotation| annotation["datasource"]["type"] == "prometheus")
    }

    /// The variables that ask Prometheus, in the order in which they may lean on each other.
    pub(super) fn variables(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["templating"]["list"]).filter(|variable| variable["type"] == "query")
    }

    pub(super) fn queries(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for panel in self.panels() {
            for target in list(&panel["targets"]) {
                let moments = if target["instant"] == true { Moments::Now } else { Moments::Past };
                assert_eq!(target["range"], (moments == Moments::Past), "one of the two");
                let place = format!("{}: {}, {}", self.name, text(&panel["title"]), text(&target["refId"]));
                queries.push(Query { place, expression: text(&target["expr"]).to_owned(), moments });
            }
        }
        for annotation in self.annotations() {
            let place = format!("{}: annotation {}", self.name, text(&annotation["name"]));
            queries.push(Query { place, expression: text(&annotation["expr"]).to_owned(), moments: Moments::Past });
        }
        queries
    }
}

/// What somebody chose for the variables: a name, and what comes in its place in a regular expression.
pub(super) struct Chosen(Vec<(String, String)>);

impl Chosen {
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// One variable more.
    pub(super) fn put(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }

    /// An expression with everything in its place.
    #[track_caller]
    pub(super) fn fill(&self, expression: &str) -> String {
        let times = TIMES.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let chosen = self.0.iter().map(|(name, value)| (format!("${name}"), value.clone()));
        let filled = times.chain(chosen).fold(expression.to_owned(), |text, (name, value)| text.replace(&name, &value));
        assert!(!filled.contains('$'), "nobody knows a variable in {filled}");
        filled
    }
}

impl Query {
    /// The question, for what is there at this time (seconds since the epoch).
    #[track_caller]
    pub(super) fn path(&self, chosen: &Chosen, time: u64) -> String {
        let query = escaped(&chosen.fill(&self.expression));
        match self.moments {
            Moments::Now => format!("/api/v1/query?query={query}&time={time}"),
            Moments::Past => {
                // Grafana begins at a multiple of the step.
                let (start, end) = ((time - 3600) / STEP * STEP, time);
                format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={STEP}")
            }
        }
    }
}

/// What a variable may be: the question that `label_values(series, label)` is.
#[track_caller]
pub(super) fn values(variable: &Value, chosen: &Chosen) -> String {
    let query = text(&variable["query"]["query"]);
    let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).expect(query);
    let (series, label) = inside.rsplit_once(", ").expect(query);
    format!("/api/v1/label/{label}/values?match%5B%5D={}", escaped(&chosen.fill(series)))
}

#[test]
fn variables_are_put_in_as_grafana_does() {
    let query = Query {
        place: String::new(),
        expression: "rate(a{b=~\"$job\"}[$__rate_interval])".to_owned(),
        moments: Moments::Past,
    };
    let path = query.path(&Chosen::of(&[("job", "(x|y)")]), 5009);
    let filled = escaped("rate(a{b=~\"(x|y)\"}[40s])");
    assert_eq!(path, format!("/api/v1/query_range?query={filled}&start=1400&end=5009&step=10"));
}
