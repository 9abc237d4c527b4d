//! The files of alerts/ as they are shipped, or faster: what a Prometheus of these tests runs with.
//!
//! A fast file differs from the shipped one in how long things take and in nothing else: that is looked at here each time,
//! in what the files mean and not in how they are written.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As it is shipped.
    Shipped,
    /// In seconds.
    Fast,
}

/// What is made faster, as it stands in the rules and as it stands then.
const IN_RULES: [(&str, &str); 5] = [
    // Of the group that looks for cuts.
    ("interval: 5s", "interval: 1s"),
    ("keep_firing_for: 5m", "keep_firing_for: 10s"),
    ("for: 15s", "for: 2s"),
    ("for: 30s", "for: 5s"),
    ("[1m]", "[10s]"),
];

/// And in the scrape configuration.
const IN_SCRAPES: [(&str, &str); 2] =
    [("scrape_interval: 10s", "scrape_interval: 1s"), ("scrape_timeout: 5s", "scrape_timeout: 1s")];

/// The keys whose value may differ.
const TIMES: [&str; 5] = ["interval", "keep_firing_for", "for", "scrape_interval", "scrape_timeout"];

impl Pace {
    /// How often agents are scraped.
    pub fn scrape_interval(self) -> u64 {
        if self == Self::Shipped { 10 } else { 1 }
    }

    /// How often the rules of cuts are evaluated.
    pub fn group_interval(self) -> u64 {
        if self == Self::Shipped { 5 } else { 1 }
    }

    /// Puts the rules and the scrape configuration into a directory.
    pub fn put(self, directory: &Path) {
        for (name, changes) in
            [("netsplit.rules.yaml", &IN_RULES[..]), ("prometheus-scrape.example.yaml", &IN_SCRAPES[..])]
        {
            let shipped = shipped(name);
            let text = if self == Self::Shipped { shipped } else { faster(&shipped, changes) };
            fs::write(directory.join(name), text).unwrap();
        }
    }
}

/// A file of alerts/.
pub fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts").join(name)).unwrap()
}

fn faster(shipped: &str, changes: &[(&str, &str)]) -> String {
    let fast = changes.iter().fold(shipped.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` no longer stands in the shipped file");
        text.replace(from, to)
    });
    let found = differences(&meaning(shipped), &meaning(&fast));
    assert!(found.is_empty(), "more than times would differ: {found:?}");
    fast
}

fn meaning(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// Where two files differ in something other than how long things take.
fn differences(one: &Value, other: &Value) -> Vec<String> {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            let mut found: Vec<String> =
                others.keys().filter(|key| !ones.contains_key(*key)).map(|key| format!("{key} is new")).collect();
            for (key, value) in ones {
                match others.get(key) {
                    None => found.push(format!("{key} is gone")),
                    Some(Value::String(_)) if TIMES.contains(&key.as_str()) => {}
                    Some(other) => found.extend(differences(value, other)),
                }
            }
            found
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            ones.iter().zip(others).flat_map(|(one, other)| differences(one, other)).collect()
        }
        (Value::String(one), Value::String(other)) if without_windows(one) == without_windows(other) => Vec::new(),
        _ if one == other => Vec::new(),
        _ => vec![format!("{one} became {other}")],
    }
}

/// An expression without how far it looks back: `x[1m]` is `x[]`.
fn without_windows(text: &str) -> String {
    let (mut all, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('[') {
        let end = after.find(']').unwrap_or(0);
        let is_time = after[..end].strip_suffix(['s', 'm']).is_some_and(|number| number.parse::<u32>().is_ok());
        all = all + before + "[";
        rest = if is_time { &after[end..] } else { after };
    }
    all + rest
}

#[test]
fn only_times_may_be_made_faster() {
    let text = "groups: [{name: a, interval: 5s, rules: [{alert: X, expr: 'max(x[1m]) == 1', for: 30s}]}]";
    for (from, to, is_fine) in [
        ("interval: 5s", "interval: 1s", true),
        ("[1m]", "[10s]", true),
        ("for: 30s", "for: 1s", true),
        ("== 1", "== 2", false),
        ("[1m]", "[10s] offset 1m", false),
        ("x[1m]", "y[1m]", false),
        ("alert: X", "alert: Y", false),
        (", for: 30s", "", false),
        ("for: 30s", "for: 30s, labels: {}", false),
    ] {
        let found = differences(&meaning(text), &meaning(&text.replace(from, to)));
        assert_eq!(found.is_empty(), is_fine, "{from} to {to}: {found:?}");
    }
}
